//! What is dirty, and what must not be cleaned yet.

use super::*;

/// Three sealed segments of two records each, written 10 ms apart, and an active segment.
fn filled(config: TopicConfig) -> Fixture {
    let f = Fixture::new(TopicConfig { segment_bytes: KIB, ..config });
    for n in 0..4 {
        f.append(keyed(&[("a", Some("1")), ("b", Some("1"))], NOW + 10 * n));
        if n < 3 {
            f.roll();
        }
    }
    f
}

/// Compares the first dirty offset and the end with what is expected.
#[track_caller]
fn check(
    config: TopicConfig,
    checkpoint: Option<Offset>,
    high_watermark: Offset,
    now: Timestamp,
    expected: Option<(Offset, Offset)>,
) {
    let f = filled(config);
    let partition = TopicPartition::new("t", 0);
    if let Some(offset) = checkpoint {
        f.cleaner.state().checkpoints.set(f.dir.path(), &partition, offset).unwrap();
    }
    f.log().set_high_watermark(high_watermark);
    let range = f.examine(NOW + now).map(|candidate| candidate.range);
    assert_eq!(range.map(|range| (range.first_dirty, range.end)), expected);
}

#[test]
fn the_range_ends_where_records_may_still_change() {
    let lag = |ms| TopicConfig { min_compaction_lag_ms: ms, ..compacted() };
    check(compacted(), None, 8, 0, Some((0, 6)));
    check(compacted(), None, 6, 0, Some((0, 6)));
    check(compacted(), None, 5, 0, Some((0, 4)));
    check(compacted(), None, 1, 0, None);
    check(compacted(), Some(2), 8, 0, Some((2, 6)));
    check(compacted(), Some(3), 8, 0, Some((3, 6)));
    check(compacted(), Some(6), 8, 0, None);
    // A checkpoint that is not within this log.
    check(compacted(), Some(9), 8, 0, Some((0, 6)));
    check(lag(5), None, 8, 15, Some((0, 4)));
    check(lag(5), None, 8, 14, Some((0, 2)));
    check(lag(5), None, 8, 4, None);
    check(TopicConfig { compact: false, ..compacted() }, None, 8, 0, None);
}

#[test]
fn a_log_is_due_by_its_dirty_part_or_its_age() {
    let ratio = |ratio| TopicConfig { min_cleanable_dirty_ratio: ratio, ..compacted() };
    check(ratio(0.99), None, 8, 0, Some((0, 6)));
    check(ratio(1.0), None, 8, 0, None);
    check(ratio(0.6), Some(2), 8, 0, Some((2, 6)));
    check(ratio(0.7), Some(2), 8, 0, None);
    let overdue = TopicConfig { max_compaction_lag_ms: 100, ..ratio(0.7) };
    check(overdue.clone(), Some(2), 8, 110, None);
    check(overdue.clone(), Some(2), 8, 111, Some((2, 6)));
    check(overdue, Some(6), 8, 111, None);
}

#[test]
fn an_open_transaction_ends_the_range() {
    let f = filled(compacted());
    f.roll();
    f.append(transactional(7, 0, &[("a", Some("3"))]));
    f.roll();
    f.put("a", Some("4"));
    f.roll();
    assert_eq!(f.examine(NOW).unwrap().range.end, 8);
    f.append(marker(7, true));
    assert_eq!(f.examine(NOW).unwrap().range.end, 10);
}

#[test]
fn a_cut_takes_the_checkpoint_along() {
    let f = filled(compacted());
    assert!(f.clean(NOW));
    assert_eq!(f.checkpoint(), 6);
    f.log().truncate_to(5).unwrap();
    for _ in 0..4 {
        f.put("b", Some("2"));
    }
    f.roll();
    assert_eq!(f.examine(NOW).unwrap().range.first_dirty, 5);
    assert_eq!(f.checkpoint(), 5);
    let again = cleaner(f.dir.path(), &[]);
    let known = again.state().checkpoints.get(f.dir.path(), &TopicPartition::new("t", 0));
    assert_eq!(known, Some(5), "it is on the disk");
    f.cleaner.forget(&TopicPartition::new("t", 0)).unwrap();
    assert_eq!(f.checkpoint(), 0);
}
