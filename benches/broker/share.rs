//! Share groups: records to many members of one partition, acknowledged one by one and by batch,
//! the way of a record to a member that waits, members that idle, and the memory of what they have.

use crate::consume::make_topic;
use crate::groups::make_coordinator;
use crate::load::{self, Measured, connect, exchange, frame, receive};
use crate::report::Table;
use crate::target::Target;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::share_acknowledge_request::{
    self, AcknowledgePartition, AcknowledgeTopic,
};
use klamm::codec::messages::share_fetch_request::{
    AcknowledgementBatch, FetchPartition, FetchTopic,
};
use klamm::codec::messages::{
    ApiKey, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
    ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// More than the defaults allow: members, sessions, and records that members have.
pub const SETTINGS: &str = "share.coordinator.state.topic.replication.factor=1\n\
     share.coordinator.state.topic.min.isr=1\ngroup.share.max.size=1000\n\
     group.share.max.partition.max.record.locks=10000\n\
     group.share.initialize.retry.interval.ms=1000\n";
const CONFIGS_VERSION: i16 = 1;
const HEARTBEAT_VERSION: i16 = 1;
const SHARE_VERSION: i16 = 2;
const GROUP_CONFIG: i8 = 32;
const MAX_WAIT_MS: i32 = 500;
const ACCEPT: i8 = 1;
/// Records of a fetch, as the Java client asks for without settings.
const FETCHED: i32 = 500;
/// Bytes of a batch of ten records.
const BATCH: usize = 1200;
const READY: Duration = Duration::from_secs(60);
/// The time after which a fetch is waiting at the broker.
const PARKED: Duration = Duration::from_micros(300);
const IDLE: Duration = Duration::from_secs(10);
const IDLE_MEMBERS: usize = 1000;
const MEMORY_PARTITIONS: usize = 10;
const MOST_LOCKS: usize = 10_000;

/// How members acknowledge what they get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// With the next fetch, all at once.
    Batch,
    /// In a request of its own for each record.
    Each,
}

/// All loads, the servers in turns.
pub fn measure(table: &mut Table, targets: &[Target], scale: usize, rounds: usize, part: &str) {
    let records = 100_000 / scale;
    for target in targets {
        make_coordinator(target);
        make_topic(target, "shared".to_owned(), 1);
        make_topic(target, "waited".to_owned(), 1);
        make_topic(target, "kept".to_owned(), MEMORY_PARTITIONS);
        fill(target, "shared", 1, records);
        fill(target, "kept", MEMORY_PARTITIONS, MEMORY_PARTITIONS * MOST_LOCKS);
        consume(target, "warm", 10, Manner::Batch, records);
        consume(target, "warm-each", 10, Manner::Each, records / 10);
    }
    let loads = [
        ("1 share consumer, by batch", 1, Manner::Batch, records),
        ("10 share consumers, by batch", 10, Manner::Batch, records),
        ("100 share consumers, by batch", 100, Manner::Batch, records),
        ("1 share consumer, each record", 1, Manner::Each, records / 10),
        ("10 share consumers, each record", 10, Manner::Each, records / 5),
        ("100 share consumers, each record", 100, Manner::Each, records / 5),
    ];
    for (title, members, manner, records) in loads.into_iter().filter(|l| l.0.contains(part)) {
        for round in 0..rounds {
            for target in targets {
                let group = format!("{title}-{round}");
                let measured = consume(target, &group, members, manner, records);
                table.add(title, target.name, &measured.figures());
            }
        }
    }
    let mut each = |title: &'static str, work: &dyn Fn(&Target, usize) -> Measured| {
        for round in 0..rounds {
            for target in targets.iter().filter(|_| title.contains(part)) {
                table.add(title, target.name, &work(target, round).figures());
            }
        }
    };
    each("one record to a waiting share consumer", &|target, round| {
        wait(target, &format!("waits-{round}"), 10_000 / scale)
    });
    each("one acknowledgement", &|target, round| {
        acknowledge(target, &format!("acknowledges-{round}"), 8_000 / scale)
    });
    for target in targets {
        if "1,000 idle share consumers".contains(part) {
            let core = idle(target);
            table.add_figure("1,000 idle share consumers", "% of a core", target.name, core);
        }
        if "100,000 records in flight".contains(part) {
            for (figure, bytes) in memory(target) {
                table.add_figure("100,000 records in flight", figure, target.name, bytes);
            }
        }
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Writes at least this many records, in all partitions.
fn fill(target: &Target, topic: &str, partitions: usize, records: usize) {
    let batch = load::records(0, BATCH);
    let of_batch = load::end_of(&batch).unwrap() as usize;
    let frames: Vec<Vec<u8>> = (0..records.div_ceil(of_batch))
        .map(|n| load::produce_to(&[(topic.to_owned(), vec![n % partitions])], &batch, 1))
        .collect();
    exchange(target, &frames).into_iter().for_each(load::check_produced);
}

/// A member of a share group with its session.
struct Member {
    group: StrBytes,
    id: StrBytes,
    topic: Uuid,
    partitions: Vec<i32>,
    socket: TcpStream,
    epoch: i32,
    session_epoch: i32,
}

/// What a member has: partition, first and last offset.
type Run = (i32, i64, i64);

/// A group whose members all have partitions.
fn join(target: &Target, group: &str, topic: &str, members: usize) -> Vec<Member> {
    configure(target, group);
    let member = |_| Member {
        group: text(group),
        id: text(&Uuid::new_v4().to_string()),
        topic: Uuid::nil(),
        partitions: Vec::new(),
        socket: connect(target),
        epoch: 0,
        session_epoch: 0,
    };
    let mut members: Vec<Member> = (0..members).map(member).collect();
    let end = Instant::now() + READY;
    while members.iter().any(|member| member.partitions.is_empty()) {
        members.iter_mut().for_each(|member| member.beat(topic));
        assert!(Instant::now() < end, "members without partitions");
        std::thread::sleep(Duration::from_millis(50));
    }
    members
}

/// The group begins with the first record and may have many.
fn configure(target: &Target, group: &str) {
    let most = MOST_LOCKS.to_string();
    let configs = [
        ("share.auto.offset.reset", "earliest"),
        ("share.record.lock.duration.ms", "60000"),
        ("share.partition.max.record.locks", &most),
    ];
    let configs = configs.map(|(name, value)| {
        AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(GROUP_CONFIG)
        .with_resource_name(text(group))
        .with_configs(configs.to_vec());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let request = frame(ApiKey::IncrementalAlterConfigs, CONFIGS_VERSION, &request);
    let mut answer = exchange(target, &[request]).swap_remove(0);
    let answer = IncrementalAlterConfigsResponse::decode(&mut answer, CONFIGS_VERSION).unwrap();
    assert_eq!(answer.responses[0].error_code, 0, "{:?}", answer.responses[0].error_message);
}

impl Member {
    fn heartbeat(&self, topic: &str) -> Vec<u8> {
        let topics = (self.epoch == 0).then(|| vec![text(topic).into()]);
        let request = ShareGroupHeartbeatRequest::default()
            .with_group_id(self.group.clone().into())
            .with_member_id(self.id.clone())
            .with_member_epoch(self.epoch)
            .with_subscribed_topic_names(topics);
        frame(ApiKey::ShareGroupHeartbeat, HEARTBEAT_VERSION, &request)
    }

    fn beat(&mut self, topic: &str) {
        self.socket.write_all(&self.heartbeat(topic)).unwrap();
        let mut answer = receive(&mut self.socket);
        let answer = ShareGroupHeartbeatResponse::decode(&mut answer, HEARTBEAT_VERSION).unwrap();
        if [14, 15, 16].contains(&answer.error_code) {
            return; // the coordinator is being created or loaded
        }
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        self.epoch = answer.member_epoch;
        for topic in answer.assignment.iter().flat_map(|assignment| &assignment.topic_partitions) {
            self.topic = topic.topic_id;
            self.partitions.clone_from(&topic.partitions);
        }
    }

    fn leave(mut self) {
        self.epoch = -1;
        self.beat("");
    }

    /// Asks for records and acknowledges some.
    fn ask(&mut self, accepted: &[Run], records: i32, max_wait_ms: i32) {
        let mut partitions: BTreeMap<i32, Vec<AcknowledgementBatch>> = BTreeMap::new();
        if self.session_epoch == 0 {
            partitions.extend(self.partitions.iter().map(|partition| (*partition, Vec::new())));
        }
        for &(partition, first, last) in accepted {
            let batch = AcknowledgementBatch::default()
                .with_first_offset(first)
                .with_last_offset(last)
                .with_acknowledge_types(vec![ACCEPT]);
            partitions.entry(partition).or_default().push(batch);
        }
        let partitions = partitions.into_iter().map(|(partition, batches)| {
            FetchPartition::default()
                .with_partition_index(partition)
                .with_acknowledgement_batches(batches)
        });
        let topic =
            FetchTopic::default().with_topic_id(self.topic).with_partitions(partitions.collect());
        let topics = if topic.partitions.is_empty() { Vec::new() } else { vec![topic] };
        let request = ShareFetchRequest::default()
            .with_group_id(Some(self.group.clone().into()))
            .with_member_id(Some(self.id.clone()))
            .with_share_session_epoch(self.session_epoch)
            .with_max_wait_ms(max_wait_ms)
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_max_records(records)
            .with_batch_size(records)
            .with_topics(topics);
        self.session_epoch += 1;
        self.socket.write_all(&frame(ApiKey::ShareFetch, SHARE_VERSION, &request)).unwrap();
    }

    /// What has come.
    fn take(&mut self) -> Vec<Run> {
        let answer = ShareFetchResponse::decode(&mut receive(&mut self.socket), SHARE_VERSION);
        let answer = answer.unwrap();
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let mut taken = Vec::new();
        for partition in partitions {
            let codes = (partition.error_code, partition.acknowledge_error_code);
            assert_eq!(codes, (0, 0), "{partition:?}");
            let runs = partition.acquired_records.iter();
            taken.extend(
                runs.map(|run| (partition.partition_index, run.first_offset, run.last_offset)),
            );
        }
        taken
    }

    /// Acknowledges in a request of its own.
    fn accept(&mut self, accepted: &[Run]) {
        let mut partitions: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for &(partition, first, last) in accepted {
            let batch = share_acknowledge_request::AcknowledgementBatch::default()
                .with_first_offset(first)
                .with_last_offset(last)
                .with_acknowledge_types(vec![ACCEPT]);
            partitions.entry(partition).or_default().push(batch);
        }
        let partitions = partitions.into_iter().map(|(partition, batches)| {
            AcknowledgePartition::default()
                .with_partition_index(partition)
                .with_acknowledgement_batches(batches)
        });
        let topic = AcknowledgeTopic::default()
            .with_topic_id(self.topic)
            .with_partitions(partitions.collect());
        let request = ShareAcknowledgeRequest::default()
            .with_group_id(Some(self.group.clone().into()))
            .with_member_id(Some(self.id.clone()))
            .with_share_session_epoch(self.session_epoch)
            .with_topics(vec![topic]);
        self.session_epoch += 1;
        self.socket.write_all(&frame(ApiKey::ShareAcknowledge, SHARE_VERSION, &request)).unwrap();
        let mut answer = receive(&mut self.socket);
        let answer = ShareAcknowledgeResponse::decode(&mut answer, SHARE_VERSION).unwrap();
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        assert!(partitions.all(|partition| partition.error_code == 0), "acknowledge");
    }
}

fn count(runs: &[Run]) -> usize {
    runs.iter().map(|(_, first, last)| (last - first + 1) as usize).sum()
}

fn singles(runs: &[Run]) -> impl Iterator<Item = Run> {
    runs.iter().flat_map(|&(partition, first, last)| {
        (first..=last).map(move |offset| (partition, offset, offset))
    })
}

/// Members process this many records of one partition from its start.
fn consume(
    target: &Target,
    group: &str,
    members: usize,
    manner: Manner,
    records: usize,
) -> Measured {
    let members = join(target, group, "shared", members);
    let (processor, begun) = (target.processor_seconds(), Instant::now());
    let done = AtomicUsize::new(0);
    let members: Vec<Member> = std::thread::scope(|scope| {
        let threads: Vec<_> = (members.into_iter())
            .map(|member| scope.spawn(|| process(member, manner, records, &done)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let wall = begun.elapsed().as_secs_f64();
    let processor = target.processor_seconds() - processor;
    members.into_iter().for_each(Member::leave);
    Measured::of_requests(done.into_inner(), wall, processor)
}

fn process(mut member: Member, manner: Manner, records: usize, done: &AtomicUsize) -> Member {
    let mut taken = Vec::new();
    while done.load(Ordering::Relaxed) < records {
        // Short, as somebody else may get the last records.
        member.ask(&taken, FETCHED, 20);
        taken = member.take();
        done.fetch_add(count(&taken), Ordering::Relaxed);
        if manner == Manner::Each {
            singles(&taken).for_each(|one| member.accept(&[one]));
            taken.clear();
        }
    }
    if !taken.is_empty() {
        member.accept(&taken);
    }
    member
}

/// A member waits, and a producer sends one record after the other. The microseconds from sending
/// a record until the member has it.
fn wait(target: &Target, group: &str, records: usize) -> Measured {
    let mut member = join(target, group, "waited", 1).swap_remove(0);
    let mut producer = connect(target);
    let produce = load::produce_to(&[("waited".to_owned(), vec![0])], &load::records(0, 1), 1);
    let mut taken = Vec::new();
    loop {
        member.ask(&taken, FETCHED, 100);
        taken = member.take();
        if taken.is_empty() && member.session_epoch > 3 {
            break;
        }
    }
    let (processor, begun) = (target.processor_seconds(), Instant::now());
    let mut latencies = Vec::with_capacity(records);
    for _ in 0..records {
        member.ask(&taken, FETCHED, MAX_WAIT_MS);
        std::thread::sleep(PARKED);
        let sent = Instant::now();
        producer.write_all(&produce).unwrap();
        taken = member.take();
        while taken.is_empty() {
            member.ask(&[], FETCHED, MAX_WAIT_MS);
            taken = member.take();
        }
        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        load::check_produced(receive(&mut producer));
    }
    member.accept(&taken);
    let wall = begun.elapsed().as_secs_f64();
    member.leave();
    let processor = target.processor_seconds() - processor;
    Measured::of_latencies(records, wall, processor, latencies)
}

/// A member has this many records and acknowledges one after the other.
fn acknowledge(target: &Target, group: &str, records: usize) -> Measured {
    let mut member = join(target, group, "shared", 1).swap_remove(0);
    let taken = take_all(&mut member, records);
    let (processor, begun) = (target.processor_seconds(), Instant::now());
    let mut latencies = Vec::with_capacity(records);
    for one in singles(&taken).take(records) {
        let sent = Instant::now();
        member.accept(&[one]);
        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    let (records, wall) = (latencies.len(), begun.elapsed().as_secs_f64());
    let processor = target.processor_seconds() - processor;
    member.leave();
    Measured::of_latencies(records, wall, processor, latencies)
}

/// Fetches until the member has this many records.
fn take_all(member: &mut Member, records: usize) -> Vec<Run> {
    let mut taken = Vec::new();
    let end = Instant::now() + READY;
    while count(&taken) < records && Instant::now() < end {
        member.ask(&[], 1000, 100);
        taken.extend(member.take());
    }
    taken
}

/// Members that wait for records, and say now and then that they live: percents of a core.
fn idle(target: &Target) -> f64 {
    let mut members = join(target, "idle", "waited", IDLE_MEMBERS);
    for member in &mut members {
        loop {
            member.ask(&[], FETCHED, 0);
            let taken = member.take();
            if taken.is_empty() {
                break;
            }
            member.accept(&taken);
        }
    }
    let mut polls = || {
        for member in &mut members {
            member.ask(&[], FETCHED, 5000);
        }
        for member in &mut members {
            assert!(member.take().is_empty(), "nothing happens here");
            member.beat("");
        }
    };
    polls();
    let (processor, begun) = (target.processor_seconds(), Instant::now());
    while begun.elapsed() < IDLE {
        polls();
    }
    let share = (target.processor_seconds() - processor) / begun.elapsed().as_secs_f64();
    members.into_iter().for_each(Member::leave);
    share * 100.0
}

/// Bytes of memory for each record that a member has: neighbours alike, and every other one
/// acknowledged.
fn memory(target: &Target) -> Vec<(&'static str, f64)> {
    let mut member = join(target, "keeps", "kept", 1).swap_remove(0);
    let before = used(target);
    let taken = take_all(&mut member, MEMORY_PARTITIONS * MOST_LOCKS);
    let records = count(&taken) as f64;
    let alike = used(target);
    for run in &taken {
        let others: Vec<Run> = singles(&[*run]).filter(|one| one.1 % 2 == 1).collect();
        member.accept(&others);
    }
    let different = used(target);
    member.leave();
    vec![
        ("records in flight", records),
        ("bytes each, alike", (alike - before) / records),
        ("bytes each, every other acknowledged", (different - before) / records),
    ]
}

/// Bytes of memory; of Apache Kafka those of its live objects.
fn used(target: &Target) -> f64 {
    if target.name != "kafka" {
        return target.resident_kib() as f64 * 1024.0;
    }
    let jcmd = |command: &[&str]| {
        let out = Command::new("jcmd").arg(target.pid().to_string()).args(command).output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    };
    jcmd(&["GC.run"]);
    let histogram = jcmd(&["GC.class_histogram"]);
    let total = histogram.lines().rfind(|line| line.starts_with("Total")).unwrap();
    total.split_whitespace().nth(2).unwrap().parse().unwrap()
}
