//! Which values each setting takes, compared with what Kafka 4.3.1 said to the same values.

use super::properties;
use crate::config::dynamic::DYNAMIC_SETTINGS;
use crate::config::{CLIENT_METRICS_SETTINGS, Config, GROUP_SETTINGS, SETTINGS, TOPIC_SETTINGS};
use std::collections::BTreeSet;

/// What the broker of the fixture was started with.
const FIXED: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.quorum.voters", "1@127.0.0.1:9093"),
    ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
    ("log.dirs", "/tmp/data"),
];

/// Whether klamm with this `config`, which is `FIXED`, takes one setting more.
fn takes(config: &Config, kind: &str, name: &str, value: &str) -> bool {
    let (none, one) = (properties(&[]), properties(&[(name, value)]));
    let dynamic = |is_own, cluster, broker| {
        config.check_dynamic(&one, is_own).is_ok() && config.check_together(cluster, broker).is_ok()
    };
    match kind {
        "static" => Config::new(properties(&[FIXED, &[(name, value)]].concat())).is_ok(),
        "broker" => dynamic(true, &none, &one),
        "all" => dynamic(false, &one, &none),
        "topic" => config.topic(&one).is_ok(),
        "group" => config.check_group(&one).is_ok(),
        "metrics" => config.check_client_metrics("m", &one).is_ok(),
        other => panic!("{other}"),
    }
}

#[test]
fn every_setting_takes_the_values_that_kafka_takes() {
    let config = Config::new(properties(FIXED)).unwrap();
    let fixture = std::fs::read_to_string("tests/fixtures/values.tsv").unwrap();
    let mut differ = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for line in fixture.lines() {
        let [kind, name, taken, refused] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        for (values, is_taken) in [(taken, true), (refused, false)] {
            let values: Vec<String> = serde_json::from_str(values).unwrap();
            if values.iter().any(|value| takes(&config, kind, name, value) != is_taken) {
                differ.insert((kind, name));
            }
        }
        seen.insert((kind, name));
    }
    let differ: Vec<_> = differ.into_iter().collect();
    assert_eq!(
        differ,
        [
            // Kafka looks at it at a start only.
            ("all", "config.providers"),
            // Kafka looks at it when it has read its properties, and does not start.
            ("all", "log.flush.interval.ms"),
            ("broker", "config.providers"),
            ("broker", "log.flush.interval.ms"),
            // The controller refuses it, as it holds for all brokers alike.
            ("broker", "min.insync.replicas"),
            // klamm loads no classes: it does not look for those without an effect.
            ("broker", "ssl.engine.factory.class"),
            ("static", "log.flush.interval.ms"),
            ("static", "metric.reporters"),
            ("static", "ssl.engine.factory.class"),
        ]
    );
    let dynamic = SETTINGS.iter().filter(|one| one.is_dynamic()).chain(DYNAMIC_SETTINGS);
    let named = |kind, one: &'static crate::config::Setting| (kind, one.name);
    let all = dynamic.flat_map(|one| ["static", "broker", "all"].map(|kind| named(kind, one)));
    let all = all.chain(TOPIC_SETTINGS.iter().map(|one| named("topic", one)));
    let all = all.chain(GROUP_SETTINGS.iter().map(|one| named("group", one)));
    let all = all.chain(CLIENT_METRICS_SETTINGS.iter().map(|one| named("metrics", one)));
    for one in all {
        assert!(seen.contains(&one), "{one:?}");
    }
}

#[test]
fn what_is_read_at_a_start_cannot_be_set_while_the_broker_runs() {
    let config = Config::new(properties(FIXED)).unwrap();
    for one in SETTINGS.iter().filter(|one| !one.is_dynamic()) {
        let value = one.default.unwrap_or("1");
        for kind in ["broker", "all"] {
            assert!(!takes(&config, kind, one.name, value), "{kind} {}", one.name);
        }
    }
}

#[test]
fn a_group_begins_where_its_setting_says() {
    use crate::config::OffsetReset::{self, *};
    for (text, reset) in [
        ("earliest", Some(Earliest)),
        ("latest", Some(Latest)),
        ("by_duration:PT1H", Some(ByDuration(3_600_000))),
        ("by_duration:P1DT2H3M4.5S", Some(ByDuration(93_784_500))),
        ("by_duration:p2d", Some(ByDuration(172_800_000))),
        ("by_duration:PT0S", Some(ByDuration(0))),
        ("by_duration:P", None),
        ("by_duration:PT", None),
        ("by_duration:P1H", None),
        ("by_duration:PT1M1H", None),
        ("by_duration:PT-1H", None),
        ("by_duration:PT1.5H", None),
        ("by_duration:PT1H1", None),
        ("by_duration:", None),
        ("Latest", None),
    ] {
        assert_eq!(OffsetReset::parse(text), reset, "{text}");
    }
}
