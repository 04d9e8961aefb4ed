//! Defaults, precedence and refusals of settings, and the messages about them.
#![allow(clippy::unwrap_used)]

mod dynamic;
mod effect;
mod files;
mod leftover;
mod providers;
mod values;

use super::*;

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::new(properties(pairs)).unwrap()
}

/// The error for `pairs`.
fn refusal(pairs: &[(&str, &str)]) -> String {
    Config::new(properties(pairs)).unwrap_err().to_string()
}

#[test]
fn every_default_is_a_value_of_its_setting() {
    for setting in SETTINGS.iter().chain(TOPIC_SETTINGS) {
        if let Some(default) = setting.default {
            setting.validate(default).unwrap_or_else(|error| panic!("{error}"));
        }
        assert!(!setting.documentation().is_empty(), "{}", setting.name);
        assert!(!setting.documentation().contains("  "), "{}", setting.name);
        if let Some(synonym) = setting.synonym {
            assert_eq!(super::setting(synonym).unwrap().kind, setting.kind, "{}", setting.name);
        }
    }
    let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SETTINGS.len());
}

#[test]
fn a_broker_that_nobody_configured() {
    let config = Config::default();
    assert_eq!((config.node_id, config.num_partitions), (1, 1));
    assert_eq!(config.log_dirs, ["klamm-data"]);
    assert_eq!(config.listeners()[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(config.advertised_listeners(), config.listeners());
    assert_eq!(config.controller_listeners(), []);
    assert_eq!(config.capped("offsets.topic.replication.factor", 3, 1), 1);
    let topic = config.topic(&BTreeMap::new()).unwrap();
    assert_eq!((topic.segment_bytes, topic.retention_ms), (1 << 30, 604_800_000));
    assert!(topic.delete && !topic.compact && topic.compression.is_none());
}

/// Settings, and the error for them.
type Refusal = (&'static [(&'static str, &'static str)], &'static str);

const REFUSALS: &[Refusal] = &[
    (
        &[("num.partitions", "x")],
        "Invalid value x for configuration num.partitions: Write a number of type INT",
    ),
    (
        &[("num.partitions", "0")],
        "Invalid value 0 for configuration num.partitions: Value must be at least 1",
    ),
    (
        &[("log.cleaner.min.cleanable.ratio", "1.5")],
        "Invalid value 1.5 for configuration log.cleaner.min.cleanable.ratio: Value must be \
             no more than 1",
    ),
    (
        &[("auto.create.topics.enable", "yes")],
        "Invalid value yes for configuration auto.create.topics.enable: Write true or false",
    ),
    (
        &[("compression.type", "brotli")],
        "Invalid value brotli for configuration compression.type: String must be one of: \
             uncompressed, zstd, lz4, snappy, gzip, producer",
    ),
    (&[("log.dirs", "")], "Invalid value  for configuration log.dirs: A value is needed"),
    (
        &[("compression.gzip.level", "0")],
        "Invalid value 0 for configuration compression.gzip.level: Levels are 1 to \
             9, and -1 for the library's own choice",
    ),
    (
        &[("offsets.topic.replication.factor", "40000")],
        "Invalid value 40000 for configuration offsets.topic.replication.factor: Write a number \
             of type SHORT",
    ),
    (
        &[("node.id", "1"), ("broker.id", "2")],
        "node.id=1 and broker.id=2 differ; set node.id alone",
    ),
    (
        &[("group.min.session.timeout.ms", "1800001")],
        "group.min.session.timeout.ms=1800001 is more than group.max.session.timeout.ms=1800000",
    ),
    (&[("log.roll.ms", "0")], "log.roll.ms=0 is below 1"),
    (
        &[("log.flush.interval.ms", "-1")],
        "Invalid value -1 for configuration flush.ms: Value must be at least 0",
    ),
    (
        &[("early.start.listeners", "CONTROLLER,FOO")],
        "early.start.listeners names FOO, which is neither in listeners nor in \
             controller.listener.names",
    ),
    (
        &[("log.retention.ms", "0")],
        "log.retention.ms=0 would keep nothing; write -1 to keep everything",
    ),
    (
        &[("listeners", "PLAINTEXT://0.0.0.0:9092")],
        "advertised.listeners has 0.0.0.0, to which nobody can connect; write an address that \
             clients reach",
    ),
    (
        &[("listener.name.plaintext.max.connections", "x")],
        "listener.name.plaintext.max.connections: Invalid value x for configuration \
         max.connections: Write a number of type INT",
    ),
    (
        &[("listeners", "FOO://:9092")],
        "The listeners FOO://:9092 cannot be used: listener.security.protocol.map \
             has no protocol for the listener FOO",
    ),
    (
        &[("listeners", "localhost:9092")],
        "The listeners localhost:9092 cannot be used: localhost:9092 is \
             no listener: write NAME://host:port",
    ),
    (
        &[("listeners", "PLAINTEXT://a:9092,CONTROLLER://b:9092")],
        "The listeners PLAINTEXT://a:9092, CONTROLLER://b:9092 cannot be used: \
             PLAINTEXT://a:9092 and CONTROLLER://b:9092 have the same port; only an IPv4 and an \
             IPv6 address may share one",
    ),
    (
        &[("controller.listener.names", "CONTROLLER")],
        "controller.listener.names=CONTROLLER: listeners lacks one of these",
    ),
    (
        &[("inter.broker.listener.name", "INTERNAL")],
        "inter.broker.listener.name=INTERNAL: advertised.listeners has only PLAINTEXT",
    ),
    (
        &[("controller.quorum.voters", "1@host")],
        "Invalid value 1@host for configuration controller.quorum.voters: Write each \
             voter as id@host:port",
    ),
    (
        &[("controller.quorum.voters", "2@host:9093")],
        "controller.quorum.voters=2@host:9093 leaves out this node, 1; add it",
    ),
    (
        &[("controller.quorum.voters", "1@host:9093,2@host:9093")],
        "controller.quorum.voters names other controllers: with process.roles=broker,controller \
             klamm is its own only controller. To join a cluster, set process.roles=broker",
    ),
    (
        &[("process.roles", "broker")],
        "process.roles=broker needs controllers: name some as host:port in \
             controller.quorum.bootstrap.servers, or all as id@host:port in controller.quorum.voters",
    ),
    (
        &[("process.roles", "broker"), ("controller.quorum.voters", "1@host:9093")],
        "controller.quorum.voters=1@host:9093 has a controller with this broker's id, node.id=1; \
             give the broker an id of its own",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("controller.listener.names", "PLAINTEXT"),
        ],
        "controller.listener.names has all of listeners; clients need one of their own",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("listeners", "PLAINTEXT://h:1,CONTROLLER://h:2"),
            ("controller.listener.names", "CONTROLLER"),
        ],
        "controller.listener.names and listeners both have CONTROLLER, and process.roles=broker: \
             that listener is the controllers'; take it out of listeners",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT"),
            ("controller.listener.names", "CONTROLLER"),
        ],
        "controller.listener.names=CONTROLLER: listener.security.protocol.map has no protocol for \
             it; add CONTROLLER:PLAINTEXT there",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL"),
            ("controller.listener.names", "CONTROLLER"),
        ],
        "The controllers' listener CONTROLLER is not PLAINTEXT: klamm does not speak TLS and SASL \
             yet. Name one in controller.listener.names that is, or map it to PLAINTEXT in \
             listener.security.protocol.map",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("controller.quorum.auto.join.enable", "true"),
        ],
        "controller.quorum.auto.join.enable=true is for controllers, and process.roles=broker; \
             remove it",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
            ("controller.listener.names", "CONTROLLER"),
        ],
        "process.roles=broker needs node.id: a number that no other broker or controller of the \
             cluster has",
    ),
    (
        &[
            ("process.roles", "broker"),
            ("node.id", "4"),
            ("controller.quorum.bootstrap.servers", "host:9093"),
        ],
        "process.roles=broker needs controller.listener.names: what the controllers' files call \
             their listener, mostly CONTROLLER",
    ),
    (
        &[("process.roles", "controller"), ("controller.quorum.voters", "1@host:9093")],
        "process.roles=controller: klamm is a broker, or a broker with its own controller. The \
             controllers of a cluster are Apache Kafka's: format their directories with \
             `kafka-storage.sh format` and start them with `kafka-server-start.sh` on this file; \
             then start klamm with process.roles=broker and name them in \
             controller.quorum.bootstrap.servers",
    ),
    (
        &[("log.cleaner.min.compaction.lag.ms", "5"), ("log.cleaner.max.compaction.lag.ms", "4")],
        "min.compaction.lag.ms=5 is above max.compaction.lag.ms=4: compaction would be too late \
         before it may begin",
    ),
];

#[test]
fn what_is_refused_and_how() {
    for (pairs, message) in REFUSALS {
        assert_eq!(refusal(pairs), *message);
    }
}

#[test]
fn a_broker_of_a_cluster() {
    let joined = config(&[
        ("process.roles", "broker"),
        ("node.id", "4"),
        ("controller.quorum.bootstrap.servers", "a:9093, [::1]:9094"),
        ("controller.quorum.voters", "1@a:9093,2@b:9095"),
        ("controller.listener.names", "CONTROLLER"),
    ]);
    assert!(joined.is_broker_only() && !config(&[]).is_broker_only());
    assert_eq!(joined.controllers_listener(), "CONTROLLER");
    let servers = [("a".to_owned(), 9093), ("::1".to_owned(), 9094)];
    assert_eq!(joined.quorum_bootstrap_servers(), servers);
    let ids: Vec<_> = joined.quorum_voters().iter().map(|one| (one.id, one.port)).collect();
    assert_eq!(ids, [(1, 9093), (2, 9095)]);
    assert_eq!(joined.controller_listeners(), []);
}

/// A setting that is meant to keep somebody out is not ignored.
#[test]
fn security_that_is_not_there_is_refused() {
    for pairs in [
        &[("listeners", "SSL://:9093")][..],
        &[("listeners", "SASL_PLAINTEXT://:9093")],
        &[("listeners", "X://h:1"), ("listener.security.protocol.map", "X:SASL_SSL")],
        &[("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")],
    ] {
        assert!(refusal(pairs).contains(" yet"), "{pairs:?}");
    }
}

#[test]
fn listeners_as_they_are_written() {
    let shown = |listeners: Vec<Listener>| {
        listeners.iter().map(|listener| listener.to_string()).collect::<Vec<_>>().join(",")
    };
    let stock = config(&[
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        ),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ]);
    assert_eq!(shown(stock.listeners()), "PLAINTEXT://:9092");
    assert_eq!(shown(stock.controller_listeners()), "CONTROLLER://:9093");
    assert_eq!(shown(stock.advertised_listeners()), "PLAINTEXT://localhost:9092");

    let two = config(&[
        ("listeners", "inside://[::1]:1,OUTSIDE://127.0.0.1:1"),
        ("listener.security.protocol.map", "INSIDE:PLAINTEXT, outside:plaintext"),
        ("inter.broker.listener.name", "inside"),
    ]);
    assert_eq!(shown(two.listeners()), "INSIDE://[::1]:1,OUTSIDE://127.0.0.1:1");
    assert_eq!(two.inter_broker_listener(), "INSIDE");

    let everywhere = config(&[("listeners", "PLAINTEXT://:0")]);
    assert_eq!(shown(everywhere.listeners()), "PLAINTEXT://:0");
    assert!(!everywhere.advertised_listeners()[0].host.is_empty());
}

#[test]
fn the_finer_unit_wins() {
    for (pairs, segment_ms, retention_ms) in [
        (&[][..], 604_800_000, 604_800_000),
        (&[("log.roll.hours", "2"), ("log.retention.hours", "3")], 7_200_000, 10_800_000),
        (&[("log.retention.hours", "3"), ("log.retention.minutes", "4")], 604_800_000, 240_000),
        (&[("log.retention.minutes", "4"), ("log.retention.ms", "5")], 604_800_000, 5),
        (&[("log.roll.ms", "6"), ("log.roll.hours", "2")], 6, 604_800_000),
        (&[("log.retention.hours", "-1")], 604_800_000, -1),
    ] {
        let topic = config(pairs).topic(&BTreeMap::new()).unwrap();
        assert_eq!((topic.segment_ms, topic.retention_ms), (segment_ms, retention_ms), "{pairs:?}");
    }
}

#[test]
fn a_topic_overrides_its_broker() {
    let config = config(&[("log.segment.bytes", "2097152"), ("compression.type", "zstd")]);
    let topic = config.topic(&properties(&[])).unwrap();
    assert_eq!(topic.segment_bytes, 2_097_152);
    assert_eq!(topic.compression, Some(Compression::Zstd { level: 3 }));
    let topic = config.topic(&properties(&[
        ("segment.bytes", "1048576"),
        ("compression.type", "gzip"),
        ("compression.gzip.level", "9"),
        ("cleanup.policy", "compact,delete"),
        ("message.timestamp.type", "LogAppendTime"),
    ]));
    let topic = topic.unwrap();
    assert_eq!(topic.segment_bytes, 1_048_576);
    assert_eq!(topic.compression, Some(Compression::Gzip { level: 9 }));
    assert!(topic.compact && topic.delete && topic.log_append_time);
    for (name, value, message) in [
        ("nonsense", "1", "Unknown topic config name: nonsense"),
        (
            "segment.bytes",
            "10",
            "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "cleanup.policy",
            "keep",
            "Invalid value keep for configuration cleanup.policy: String must be one of: compact, \
             delete",
        ),
        (
            "remote.storage.enable",
            "true",
            "remote.storage.enable=true: this broker has no tiered storage",
        ),
    ] {
        let refused = config.topic(&properties(&[(name, value)])).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
    let throttled = "leader.replication.throttled.replicas";
    for (value, fits) in
        [("*", true), ("0:1,1:2", true), ("", true), ("0-1", false), ("a:1", false)]
    {
        assert_eq!(config.topic(&properties(&[(throttled, value)])).is_ok(), fits, "{value}");
    }
}

#[test]
fn a_list_holds_each_value_once() {
    let config = config(&[("log.dirs", "/a, /b,/a"), ("log.cleanup.policy", "delete,delete")]);
    assert_eq!(config.log_dirs, ["/a", "/b"]);
    let rows = config.topic_rows(&properties(&[]));
    assert_eq!(row(&rows, "cleanup.policy").value.as_deref(), Some("delete"));
}

#[test]
fn groups_stay_within_their_brokers_bounds() {
    let config = Config::default();
    for (name, value, message) in [
        ("consumer.session.timeout.ms", "50000", ""),
        (
            "consumer.session.timeout.ms",
            "100",
            "consumer.session.timeout.ms is below the brokers' \
             group.consumer.min.session.timeout.ms=45000",
        ),
        (
            "streams.num.standby.replicas",
            "3",
            "streams.num.standby.replicas is above the brokers' \
             group.streams.max.standby.replicas=2",
        ),
        ("share.auto.offset.reset", "by_duration:PT1H", ""),
        ("nonsense", "1", "nonsense: groups have no such setting"),
    ] {
        let result = config.check_group(&properties(&[(name, value)]));
        let refused = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(refused, message, "{name}");
    }
    let metrics = |pairs: &[(&str, &str)]| config.check_client_metrics("m", &properties(pairs));
    assert!(
        metrics(&[("interval.ms", "100"), ("match", "client_id=a.*"), ("metrics", "*")]).is_ok()
    );
    assert!(metrics(&[("interval.ms", "99")]).is_err());
    assert!(metrics(&[("match", "color=red")]).is_err());
}

fn row<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    rows.iter().find(|row| row.name == name).unwrap()
}

/// Name, value and source of each synonym.
fn synonyms(row: &Row) -> Vec<(&str, &str, ConfigSource)> {
    let synonyms = row.synonyms.iter();
    synonyms.map(|s| (s.name.as_str(), s.value.as_deref().unwrap_or("null"), s.source)).collect()
}

#[test]
fn a_setting_that_only_groups_have_names_its_default() {
    let config = Config::new(properties(&[])).unwrap();
    let name = "share.isolation.level";
    let sources = |set: &[(&str, &str)]| {
        let row = config.group_rows(&properties(set)).into_iter().find(|row| row.name == name);
        row.unwrap().synonyms.iter().map(|synonym| synonym.source).collect::<Vec<_>>()
    };
    assert_eq!(sources(&[]), [ConfigSource::Default]);
    let set = sources(&[(name, "read_committed")]);
    assert_eq!(set, [ConfigSource::Group, ConfigSource::Default]);
}

#[test]
fn settings_are_described_as_kafka_describes_them() {
    use ConfigSource::*;
    let config = config(&[
        ("log.retention.hours", "24"),
        ("log.segment.bytes", " 2097152"),
        ("ssl.key.password", "secret"),
        ("my.own", "x"),
    ]);
    let (config, _) = config.with_dynamic(
        &properties(&[("log.retention.ms", "1000"), ("log.cleaner.threads", "2")]),
        &properties(&[
            ("log.segment.bytes", "4194304"),
            ("their.own", "y"),
            ("leader.replication.throttled.rate", "7"),
        ]),
    );
    let rows = config.broker_rows();
    let segment = row(&rows, "log.segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.source), (Some("4194304"), DynamicBroker));
    assert!(!segment.read_only);
    assert_eq!(
        synonyms(segment),
        [
            ("log.segment.bytes", "4194304", DynamicBroker),
            ("log.segment.bytes", " 2097152", StaticBroker),
            ("log.segment.bytes", "1073741824", Default),
        ]
    );
    assert_eq!(
        synonyms(row(&rows, "log.retention.ms")),
        [
            ("log.retention.ms", "1000", DynamicDefaultBroker),
            ("log.retention.hours", "24", StaticBroker),
            ("log.retention.hours", "168", Default),
        ]
    );
    let hours = row(&rows, "log.retention.hours");
    assert_eq!(synonyms(hours)[0], ("log.retention.hours", "24", StaticBroker));
    let secret = row(&rows, "ssl.key.password");
    assert_eq!((secret.value.as_deref(), secret.sensitive), (None, true));
    assert_eq!(synonyms(secret), [("ssl.key.password", "null", StaticBroker)]);
    let own = row(&rows, "my.own");
    assert_eq!((own.value.as_deref(), own.kind, own.read_only), (None, None, true));
    let theirs = row(&rows, "their.own");
    assert_eq!((theirs.value.as_deref(), theirs.source), (None, DynamicBroker));
    let rate = row(&rows, "leader.replication.throttled.rate");
    assert_eq!((rate.value.as_deref(), rate.sensitive, rate.read_only), (Some("7"), false, false));
    assert!(rows.iter().all(|row| !row.name.starts_with("internal.")));
    assert!(!format!("{config:?}").contains("secret\""));

    let rows = config.cluster_rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(synonyms(&rows[0]), [("log.cleaner.threads", "2", DynamicDefaultBroker)]);

    let rows = config.topic_rows(&properties(&[("max.message.bytes", "5")]));
    assert_eq!(rows.len(), TOPIC_SETTINGS.len() - 1);
    assert_eq!(
        synonyms(row(&rows, "max.message.bytes")),
        [("max.message.bytes", "5", Topic), ("message.max.bytes", "1048588", Default),]
    );
    let retention = row(&rows, "retention.ms");
    assert_eq!(
        (retention.value.as_deref(), retention.source),
        (Some("1000"), DynamicDefaultBroker)
    );
    let remote = row(&rows, "remote.storage.enable");
    assert_eq!((remote.value.as_deref(), remote.source), (Some("false"), Default));
    assert_eq!(synonyms(remote), []);
}

/// A row in the format of `describe-configs.tsv`.
fn line(resource: &str, row: &Row) -> String {
    let source = |source| match source {
        ConfigSource::Topic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        _ => "DEFAULT_CONFIG",
    };
    let text = |value: &Option<String>| value.clone().unwrap_or("null".to_owned());
    let synonyms = row.synonyms.iter();
    let synonyms: Vec<_> =
        synonyms.map(|s| format!("{}={}@{}", s.name, text(&s.value), source(s.source))).collect();
    let kind = row.kind.map_or("UNKNOWN".to_owned(), |kind| format!("{kind:?}").to_uppercase());
    let fields = [row.read_only.to_string(), row.sensitive.to_string(), kind, synonyms.join(" ")];
    let value = text(&row.value);
    format!("{resource}\t{}\t{value}\t{}\t{}", row.name, source(row.source), fields.join("\t"))
}

/// Kafka 4.3.1 read the same `server.properties`, and its Admin client described the settings.
#[test]
fn every_setting_is_described_as_by_kafka() {
    let file = std::path::Path::new("tests/fixtures/server.properties");
    let (config, warnings) = properties::load(Some(file), std::iter::empty(), &[]).unwrap();
    assert_eq!(warnings, [""; 0]);
    // Kafka writes this for all brokers when it formats its directories (ELR).
    let cluster = properties(&[("min.insync.replicas", "1")]);
    let (config, _) = config.with_dynamic(&cluster, &properties(&[]));
    let topic = properties(&[("max.message.bytes", "500000"), ("cleanup.policy", "compact")]);
    let broker = config.broker_rows().iter().map(|row| line("BROKER", row)).collect::<Vec<_>>();
    let topic = config.topic_rows(&topic).iter().map(|row| line("TOPIC", row)).collect::<Vec<_>>();
    let mut ours = [broker, topic].concat();
    ours.sort();
    let kafkas = std::fs::read_to_string("tests/fixtures/describe-configs.tsv").unwrap();
    let kafkas: Vec<_> = kafkas.lines().collect();
    assert_eq!(ours.len(), kafkas.len());
    let differ = ours.iter().zip(&kafkas).filter(|(ours, kafkas)| ours != *kafkas);
    let names: Vec<_> = differ.map(|(ours, _)| ours.split('\t').nth(1).unwrap()).collect();
    // klamm has its own defaults for these: see the top of config.rs.
    assert_eq!(
        names,
        [
            "broker.id",
            "controller.listener.names",
            "listeners",
            "log.dir",
            "node.id",
            "process.roles"
        ]
    );
}
