//! Settings: defaults, precedence, refusals, and what is told about them.
#![allow(clippy::unwrap_used)]

use super::*;

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::new(properties(pairs)).unwrap()
}

/// What is wrong with `pairs`.
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
    assert_eq!(config.listeners().unwrap()[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(config.advertised_listeners().unwrap(), config.listeners().unwrap());
    assert_eq!(config.controller_listeners().unwrap(), []);
    assert_eq!(config.capped("offsets.topic.replication.factor", 3, 1), 1);
    let topic = config.topic(&BTreeMap::new()).unwrap();
    assert_eq!((topic.segment_bytes, topic.retention_ms), (1 << 30, 604_800_000));
    assert!(topic.delete && !topic.compact && topic.compression.is_none());
}
