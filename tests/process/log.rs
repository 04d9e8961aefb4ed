//! The log: everything that an operator may ask about later has a line, and a broker on which
//! nothing changes writes nothing.

use crate::support::Broker;
use crate::wire::{Peer, call};
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::DeleteGroupsRequest;
use klamm::codec::messages::StreamsGroupHeartbeatRequest;
use klamm::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use klamm::codec::messages::create_partitions_request::CreatePartitionsTopic;
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use klamm::codec::messages::delete_topics_request::DeleteTopicState;
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::join_group_request::JoinGroupRequestProtocol;
use klamm::codec::messages::leave_group_request::MemberIdentity;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::streams_group_heartbeat_request::{Subtopology, Topology};
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::io::Write;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// The errors of a coordinator that is not loaded yet or must finish something first.
const NOT_YET: [i16; 5] = [14, 15, 16, 51, 79];
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

const SETTINGS: &[(&str, &str)] = &[
    ("group.min.session.timeout.ms", "1"),
    ("group.consumer.min.session.timeout.ms", "1"),
    ("group.consumer.min.heartbeat.interval.ms", "1"),
    ("group.streams.min.session.timeout.ms", "1"),
    ("group.streams.min.heartbeat.interval.ms", "1"),
    ("group.consumer.assignment.interval.ms", "0"),
    ("group.streams.assignment.interval.ms", "0"),
    ("group.streams.initial.rebalance.delay.ms", "0"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "10"),
    ("log.retention.check.interval.ms", "50"),
    ("log.initial.task.delay.ms", "0"),
];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Repeats the request until the coordinator is ready.
fn again<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let (error, answer) = ask();
        if !NOT_YET.contains(&error) {
            assert_eq!(error, 0);
            return answer;
        }
        assert!(Instant::now() < end, "still {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a line that contains all these words, and returns it.
fn line(broker: &Broker, words: &[&str]) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let log = broker.log();
        if let Some(line) = log.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(Instant::now() < end, "no line says {words:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn create(peer: &mut Peer, name: &str, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(peer, 7, &request).topics[0].error_code, 0);
}

/// Sets a setting of a resource; None deletes it.
fn alter(peer: &mut Peer, kind: i8, name: &str, key: &str, value: Option<&str>) {
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(if value.is_some() { 0 } else { 1 })
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = &call(peer, 1, &request).responses[0];
    assert_eq!(answer.error_code, 0, "{key}: {:?}", answer.error_message);
}

fn grow(peer: &mut Peer, name: &str, count: i32) {
    let topic = CreatePartitionsTopic::default()
        .with_name(text(name).into())
        .with_count(count)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(peer, 3, &request).results[0].error_code, 0);
}

fn delete(peer: &mut Peer, name: &str) {
    let topic = DeleteTopicState::default().with_name(Some(text(name).into()));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(peer, 6, &request).responses[0].error_code, 0);
}

/// A member joins a classic group. Returns its id.
fn join(peer: &mut Peer, group: &str, instance: Option<&str>, session_ms: i32) -> StrBytes {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let request = JoinGroupRequest::default()
        .with_group_id(text(group).into())
        .with_group_instance_id(instance.map(text))
        .with_session_timeout_ms(session_ms)
        .with_rebalance_timeout_ms(session_ms.max(1000))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
        .with_reason(Some(text("as it likes")));
    let first = again(|| {
        let answer = call(peer, 9, &request);
        (if answer.error_code == 79 { 0 } else { answer.error_code }, answer)
    });
    if first.error_code == 0 {
        return first.member_id;
    }
    let answer = call(peer, 9, &request.with_member_id(first.member_id));
    assert_eq!(answer.error_code, 0);
    answer.member_id
}

fn leave(peer: &mut Peer, group: &str, member: StrBytes) {
    let member =
        MemberIdentity::default().with_member_id(member).with_reason(Some(text("had enough")));
    let request = LeaveGroupRequest::default().with_group_id(text(group).into());
    assert_eq!(call(peer, 5, &request.with_members(vec![member])).members[0].error_code, 0);
}

fn beat(peer: &mut Peer, group: &str, epoch: i32, topics: Option<&[&str]>) {
    let names = |topics: &[&str]| topics.iter().map(|name| text(name).into()).collect();
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text("m"))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(if epoch == 0 { 60_000 } else { -1 })
        .with_subscribed_topic_names(topics.map(names))
        .with_topic_partitions((epoch == 0).then(Vec::new));
    again(|| (call(peer, 1, &request).error_code, ()));
}

fn streams(peer: &mut Peer, group: &str, epoch: i32) {
    let subtopology = Subtopology::default()
        .with_subtopology_id(text("0"))
        .with_source_topics(vec![text("t").into()]);
    let topology = Topology::default().with_subtopologies(vec![subtopology]);
    let joins = epoch == 0;
    let request = StreamsGroupHeartbeatRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text("s"))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(if joins { 60_000 } else { -1 })
        .with_topology(joins.then_some(topology))
        .with_process_id(joins.then(|| text("p")))
        .with_active_tasks(joins.then(Vec::new))
        .with_standby_tasks(joins.then(Vec::new))
        .with_warmup_tasks(joins.then(Vec::new));
    again(|| (call(peer, 0, &request).error_code, ()));
}

fn delete_group(peer: &mut Peer, group: &str) {
    let request = DeleteGroupsRequest::default()
        .with_groups_names(vec![StrBytes::from(group.to_owned()).into()]);
    again(|| (call(peer, 2, &request).results[0].error_code, ()));
}

/// Begins a transaction that never ends.
fn forget_transaction(peer: &mut Peer) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(text("late").into()))
        .with_transaction_timeout_ms(100);
    let producer = again(|| {
        let answer = call(peer, 4, &request);
        (answer.error_code, (answer.producer_id, answer.producer_epoch))
    });
    let topic =
        AddPartitionsToTxnTopic::default().with_name(text("t").into()).with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text("late").into())
        .with_v3_and_below_producer_id(producer.0)
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![topic]);
    let answer = call(peer, 3, &request);
    let partition = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
    assert_eq!(partition.partition_error_code, 0);
}

fn produce_long_ago(peer: &mut Peer, topic: &str) {
    let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
    batch.append(1_700_000_000_000, None, Some(b"value"), &[]);
    let partition = PartitionProduceData::default().with_records(Some(batch.build().to_bytes()));
    let data = TopicProduceData::default()
        .with_name(text(topic).into())
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(9000);
    let answer = call(peer, 9, &request.with_topic_data(vec![data]));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

fn make_coordinators(peer: &mut Peer) {
    for (key_type, key) in [(0, "g"), (1, "late")] {
        let request = FindCoordinatorRequest::default().with_key_type(key_type);
        call(peer, 4, &request.with_coordinator_keys(vec![text(key)]));
    }
}

/// A name, an action, and words that a line of the log must contain after it.
type Row = (&'static str, fn(&mut Peer), &'static [&'static str]);

const BY: &str = "by User:ANONYMOUS at /127.0.0.1";

const ROWS: &[Row] = &[
    (
        "make a topic",
        |peer| create(peer, "t", &[("retention.ms", "60000")]),
        &["created topic t (id ", "2 partitions", "replication factor 1", "retention.ms=60000", BY],
    ),
    (
        "make coordinators",
        make_coordinators,
        &["created topic __transaction_state", "50 partitions", "at this broker"],
    ),
    ("grow it", |peer| grow(peer, "t", 5), &["added 3 partitions to topic t, which has 5 now", BY]),
    (
        "set a topic's",
        |peer| alter(peer, TOPIC, "t", "retention.ms", Some("70000")),
        &["setting retention.ms of topic t from \"60000\" to \"70000\"", BY],
    ),
    (
        "unset a topic's",
        |peer| alter(peer, TOPIC, "t", "retention.ms", None),
        &["setting retention.ms of topic t from \"70000\" to its default", BY],
    ),
    (
        "set a broker's",
        |peer| alter(peer, BROKER, "1", "log.cleaner.threads", Some("2")),
        &["setting log.cleaner.threads of broker 1 from its default to \"2\"", BY],
    ),
    (
        "set all brokers'",
        |peer| alter(peer, BROKER, "", "log.retention.ms", Some("9999999")),
        &["setting log.retention.ms of all brokers from its default to \"9999999\"", BY],
    ),
    (
        "set a group's",
        |peer| alter(peer, GROUP, "c", "consumer.heartbeat.interval.ms", Some("40")),
        &["setting consumer.heartbeat.interval.ms of group c from its default to \"40\"", BY],
    ),
    (
        "join",
        |peer| drop(join(peer, "g", None, 45_000)),
        &[
            "group g has 1 members in generation 1, protocol range: member test-",
            "at /127.0.0.1 joined (as it likes)",
        ],
    ),
    (
        "leave",
        |peer| {
            let member = join(peer, "left", None, 45_000);
            leave(peer, "left", member);
        },
        &["group left loses member test-", "it left (had enough)"],
    ),
    ("be the last to leave", |_| {}, &["group left is empty in generation 2: 1 members left"]),
    (
        "fall silent",
        |peer| drop(join(peer, "silent", None, 50)),
        &["group silent loses member test-", "silent for 50 ms"],
    ),
    ("be the last to fall silent", |_| {}, &["group silent is empty in generation 2", "expired"]),
    (
        "replace",
        |peer| {
            join(peer, "static", Some("i"), 45_000);
            join(peer, "static", Some("i"), 45_000);
        },
        &["group static: member i-", "takes the place of i-", "which is fenced: static member i"],
    ),
    (
        "join a consumer group",
        |peer| beat(peer, "c", 0, Some(&["t"])),
        &["group c moves to epoch 2: member m at /127.0.0.1 joined"],
    ),
    (
        "subscribe to more",
        |peer| beat(peer, "c", 2, Some(&["t", "u"])),
        &["group c moves to epoch 3: member m at /127.0.0.1 subscribed to other topics"],
    ),
    (
        "grow its topic",
        |peer| {
            grow(peer, "t", 6);
            beat(peer, "c", 3, None);
        },
        &["group c moves to epoch 4: the topics it subscribes to have changed"],
    ),
    (
        "leave a consumer group",
        |peer| beat(peer, "c", -1, None),
        &["group c loses member m and moves to epoch 5: it left"],
    ),
    (
        "be silent in a consumer group",
        |peer| {
            alter(peer, GROUP, "d", "consumer.heartbeat.interval.ms", Some("20"));
            alter(peer, GROUP, "d", "consumer.session.timeout.ms", Some("50"));
            beat(peer, "d", 0, Some(&["t"]));
        },
        &["group d loses member m and moves to epoch 3: its session expired, so it is fenced"],
    ),
    (
        "subscribe by an expression",
        |peer| {
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(text("r").into())
                .with_member_id(text("m"))
                .with_rebalance_timeout_ms(60_000)
                .with_subscribed_topic_regex(Some(text("^t$")))
                .with_topic_partitions(Some(Vec::new()));
            again(|| (call(peer, 1, &request).error_code, ()));
        },
        &["group r moves to epoch ", "its expressions match other topics"],
    ),
    (
        "delete records",
        |peer| {
            let partition = DeleteRecordsPartition::default().with_offset(-1);
            let topic = DeleteRecordsTopic::default()
                .with_name(text("t").into())
                .with_partitions(vec![partition]);
            call(peer, 2, &DeleteRecordsRequest::default().with_topics(vec![topic]));
        },
        &["deleted the records before", BY, "t-0 from 0"],
    ),
    (
        "join a streams group",
        |peer| streams(peer, "s", 0),
        &["group s moves to epoch 2: member s at /127.0.0.1 joined"],
    ),
    (
        "leave a streams group",
        |peer| streams(peer, "s", -1),
        &["group s loses member s and moves to epoch 3: it left"],
    ),
    (
        "be silent in a streams group",
        |peer| {
            alter(peer, GROUP, "v", "streams.heartbeat.interval.ms", Some("20"));
            alter(peer, GROUP, "v", "streams.session.timeout.ms", Some("50"));
            streams(peer, "v", 0);
        },
        &["group v loses member s and moves to epoch 3: its session expired, so it is fenced"],
    ),
    ("delete a group", |peer| delete_group(peer, "s"), &["deleted group s", BY]),
    (
        "forget a transaction",
        forget_transaction,
        &["aborted the transaction of transactional.id late, producer ", "transaction.timeout.ms"],
    ),
    (
        "outlive a topic's retention",
        |peer| {
            create(peer, "old", &[("retention.ms", "60000")]);
            produce_long_ago(peer, "old");
        },
        &["deleted 1 segments of old-0", "offsets 0 to 1", "older than retention.ms=60000"],
    ),
    ("delete a topic", |peer| delete(peer, "t"), &["deleted topic t (id ", BY]),
];

#[test]
fn what_clients_change_is_in_the_log() {
    let broker = Broker::start_with(SETTINGS);
    let peer = &mut Peer::connect(broker.port);
    for (what, act, words) in ROWS {
        act(peer);
        println!("{what}: {}", line(&broker, words));
    }
}

#[test]
fn starts_stops_and_what_recovery_cuts_are_in_the_log() {
    let mut broker = Broker::start();
    let (port, data) = (broker.port, broker.data_dir().display().to_string());
    line(&broker, &[concat!("klamm ", env!("CARGO_PKG_VERSION"), " starts"), "process.roles="]);
    line(&broker, &["cluster.id=", "node.id=1"]);
    line(&broker, &[&format!("log.dirs={data}"), &format!("the metadata log in {data}")]);
    let address = format!("PLAINTEXT://127.0.0.1:{port}");
    line(&broker, &[&format!("listening on {address}, advertised as {address}")]);
    create(&mut Peer::connect(port), "t", &[]);
    line(&broker, &["INFO opened 0 logs"]);
    broker.kill();
    let torn = broker.data_dir().join("t-1/00000000000000000000.log");
    let mut file = std::fs::File::options().append(true).open(&torn).unwrap();
    file.write_all(&[7; 99]).unwrap();
    broker.launch();
    line(&broker, &["recovering the logs in", &data]);
    line(&broker, &["INFO opened 2 logs in"]);
    line(&broker, &[&format!("cut {} from 99 to 0 bytes", torn.display()), "offset 0"]);
    broker.stop();
    line(&broker, &["stopping: SIGTERM"]);
    line(&broker, &["the leader of 2 partitions changed: t-0 from broker 1 to nobody"]);
    line(&broker, &["INFO stopped"]);
}

/// Starts klamm on a directory that is in use, which must be refused.
fn refused(broker: &Broker, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .envs(environment.iter().copied())
        .args(["--override", &format!("log.dirs={}", broker.data_dir().display())])
        .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_last_line_of_a_failure_has_the_look_of_the_log() {
    let broker = Broker::start();
    let unknown = ["--override", "num.partitions=none"];
    for (more, status, words) in [(&[][..], 1, ".lock"), (&unknown[..], 2, "num.partitions")] {
        for level in ["info", "off", "much"] {
            let (status, words) = if level == "much" { (2, "no level") } else { (status, words) };
            for format in ["kafka", "json"] {
                let formatted = ["--log-format", format, "--log-level", level];
                let output = refused(&broker, &[&formatted, more].concat(), &[]);
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(status), "{said}");
                let last = said.lines().last().unwrap();
                assert!(last.contains("Exiting: ") && last.contains(words), "{last}");
                match format {
                    "kafka" => {
                        assert!(last.starts_with("[20") && last.contains("] ERROR "), "{last}")
                    }
                    _ => {
                        let entry: serde_json::Value = serde_json::from_str(last).unwrap();
                        assert_eq!(entry["level"], "ERROR");
                    }
                }
            }
        }
    }
}

/// Before the lock of the directory ends klamm, a setting without effect is a line at INFO and an
/// unknown one a line at WARN.
#[test]
fn a_log_level_lets_through_what_it_says_or_klamm_does_not_start() {
    let broker = Broker::start();
    let told = ["--override", "num.io.threads=16", "--override", "no.such=1"];
    for (level, is_info, is_warn) in [
        ("info", true, true),
        ("WARN", false, true),
        ("off", false, false),
        ("klamm::replica=off", true, true),
        ("klamm::broker=warn", true, true),
        ("klamm::replica=debug,warn", false, true),
        ("klamm=error", false, false),
        ("off,klamm=info", true, true),
    ] {
        let option = refused(&broker, &[&told[..], &["--log-level", level]].concat(), &[]);
        let variable = refused(&broker, &told, &[("KLAMM_LOG", level)]);
        let of_image = refused(&broker, &told, &[("KAFKA_LOG4J_ROOT_LOGLEVEL", level)]);
        for output in [option, variable, of_image] {
            assert_eq!(output.status.code(), Some(1), "{level}");
            let said = String::from_utf8(output.stdout).unwrap();
            let found = [" INFO ", " WARN "].map(|word| said.contains(word));
            assert_eq!(found, [is_info, is_warn], "{level}: {said}");
        }
    }
    for (level, named) in [
        ("klamm::lgo=debug", "no module `klamm::lgo`"),
        ("info,tokio=debug", "no module `tokio`"),
        ("klamm::log=much", "`much` is no level"),
        ("klamm::log", "`klamm::log` is no level"),
        ("klamm::log=", "`` is no level"),
        (",", "`` is no level"),
        ("\u{1f980}", "`\u{1f980}` is no level"),
    ] {
        let option = refused(&broker, &["--log-level", level], &[]);
        let variable = refused(&broker, &[], &[("KLAMM_LOG", level)]);
        for output in [option, variable] {
            assert_eq!(output.status.code(), Some(2), "{level}");
            assert_eq!(output.stdout, b"", "{level}");
            let said = String::from_utf8(output.stderr).unwrap();
            let is_clear = said.contains(&format!("log level `{level}`: ")) && said.contains(named);
            assert!(is_clear && said.contains("Write "), "{said}");
        }
    }
    assert_eq!(refused(&broker, &["--log-level", ""], &[]).status.code(), Some(2));
    assert_eq!(refused(&broker, &[], &[("KLAMM_LOG", "")]).status.code(), Some(1), "not set");
}

#[test]
fn a_broker_that_is_only_used_is_quiet_and_a_rebalance_is_a_line() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    create(peer, "t", &[]);
    make_coordinators(peer);
    beat(peer, "warm", 0, Some(&["t"]));
    let warm = join(peer, "warm up", None, 45_000);
    let lines = || broker.log().lines().count();
    let before = lines();
    for _ in 0..300 {
        call(peer, 0, &ApiVersionsRequest::default());
        beat(peer, "warm", 2, None);
        let request = HeartbeatRequest::default()
            .with_group_id(text("warm up").into())
            .with_generation_id(1)
            .with_member_id(warm.clone());
        assert_eq!(call(peer, 4, &request).error_code, 0);
        call(peer, 9, &MetadataRequest::default().with_topics(None));
    }
    assert_eq!(lines(), before, "{}", broker.log());
    for group in 0..50 {
        join(peer, &format!("group {group}"), None, 45_000);
    }
    assert_eq!(lines(), before + 50, "{}", broker.log());
}
