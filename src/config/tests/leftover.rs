//! Settings in the metadata log that are not valid.

use super::properties;
use crate::config::Config;

#[test]
fn what_is_not_valid_in_the_metadata_log_is_left_out_alone() {
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let check = |cluster: Pairs<'_>, broker: Pairs<'_>, left_out: &[&str]| {
        let (config, told) =
            Config::default().with_dynamic(&properties(cluster), &properties(broker));
        assert_eq!(config.message_max_bytes, 3000, "the rest holds");
        assert_eq!(told.len(), left_out.len(), "{told:?}");
        for name in left_out {
            assert!(told.iter().any(|one| one.starts_with(name)), "{name} in {told:?}");
        }
    };
    let good = ("message.max.bytes", "3000");
    check(&[good], &[], &[]);
    check(&[good, ("nobody.knows", "x")], &[("log.message.format.version", "3.0")], &[]);
    check(&[good, ("log.segment.bytes", "1000")], &[], &["log.segment.bytes of all brokers"]);
    check(&[good], &[("log.cleaner.threads", "x")], &["log.cleaner.threads of this broker"]);
    check(&[good, ("num.partitions", "9")], &[], &["num.partitions"]);
    check(&[good, ("listeners", "PLAINTEXT://:1")], &[], &["listeners of all brokers"]);
    // Each is valid alone.
    let (min, max) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
    check(&[good, (min, "10")], &[(max, "5")], &[min]);
    check(&[good, (min, "10"), (max, "20")], &[(max, "30")], &[]);

    let topic =
        |overrides: Pairs<'_>| Config::default().topic_in_effect(&properties(overrides)).unwrap();
    let (config, told) = topic(&[
        ("message.format.version", "3.0"),
        ("segment.bytes", "1000"),
        ("retention.ms", "5"),
    ]);
    assert_eq!((config.retention_ms, config.segment_bytes), (5, 1 << 30));
    assert_eq!(told.len(), 2, "{told:?}");
    let (config, told) = topic(&[("min.compaction.lag.ms", "2"), ("max.compaction.lag.ms", "1")]);
    assert_eq!((config.min_compaction_lag_ms, told.len()), (2, 1), "{told:?}");
}
