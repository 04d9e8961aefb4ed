//! The log as its callers see it. The parts have tests of their own.
#![allow(clippy::unwrap_used)]

mod fixtures;
mod killed;
mod legacy;
mod lives;
mod lost;
mod model;
mod sim;
pub(crate) mod spoilt;
mod transactions;

use super::*;
use crate::config::Compression;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{Isolation, NO_EPOCH};
use tempfile::TempDir;

/// The timestamp of most records.
pub(crate) const NOW: Timestamp = 1_700_000_000_000;

/// Kafka's defaults, except that records never get too old.
impl Log {
    pub(crate) fn roll(&mut self, now: Timestamp) -> Result<()> {
        self.now = now;
        self.roll_at(self.end_offset)
    }
}

pub(crate) fn config() -> TopicConfig {
    let kafkas = crate::config::Config::default().topic(&Default::default()).unwrap();
    TopicConfig { retention_ms: -1, ..(*kafkas).clone() }
}

/// A batch of `count` records with the same timestamp.
pub(crate) fn batch(count: usize, timestamp: Timestamp) -> Batch {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    for n in 0..count {
        builder.append(timestamp, None, Some(format!("value {n}").as_bytes()), &[]);
    }
    builder.build()
}

/// A temporary directory, in memory if possible: tests that flush often
/// do not need what they write to survive a crash of the machine.
pub(crate) fn temporary() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// A log in a directory of its own.
pub(super) struct Fixture {
    pub dir: TempDir,
    pub config: TopicConfig,
    pub log: Log,
}

impl Fixture {
    pub fn new(config: TopicConfig) -> Fixture {
        let dir = TempDir::new().unwrap();
        let log = open(&dir.path().join("t-0"), &config, 0, true);
        Fixture { dir, config, log }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("t-0")
    }

    pub fn append(&mut self, count: usize) -> Offset {
        self.log
            .append(vec![batch(count, NOW)], 0, Origin::Client, NOW)
            .map(|appended| appended.base_offset)
            .unwrap()
    }

    /// Appends `batches` batches of two records each.
    pub fn append_many(&mut self, batches: usize) {
        for _ in 0..batches {
            self.append(2);
        }
    }

    /// Opens the directory again, after a crash or a clean stop.
    pub fn reopen(&mut self, clean: bool) {
        self.reopen_after(if clean { Stopped::Cleanly } else { Stopped::Unknown });
    }

    pub fn reopen_after(&mut self, stopped: Stopped) {
        self.try_reopen(stopped).unwrap();
    }

    pub fn try_reopen(&mut self, stopped: Stopped) -> Result<()> {
        if stopped == Stopped::Cleanly {
            self.log.close().unwrap();
        }
        let is_clean = stopped == Stopped::Cleanly;
        let point = if is_clean { self.log.end_offset } else { self.log.recovery_point };
        self.log = try_open(&self.path(), &self.config, point, stopped)?;
        Ok(())
    }

    /// The (first, last) offsets of the batches that a reader from `from` sees.
    pub fn read(&self, from: Offset, max_bytes: usize, isolation: Isolation) -> Vec<(i64, i64)> {
        let read = self.log.read(from, max_bytes, isolation, true).unwrap();
        batches(&read)
    }
}

pub(super) fn open(dir: &Path, config: &TopicConfig, recovery_point: Offset, clean: bool) -> Log {
    let stopped = if clean { Stopped::Cleanly } else { Stopped::Unknown };
    open_after(dir, config, recovery_point, stopped)
}

pub(super) fn open_after(
    dir: &Path,
    config: &TopicConfig,
    recovery_point: Offset,
    stopped: Stopped,
) -> Log {
    try_open(dir, config, recovery_point, stopped).unwrap()
}

fn try_open(
    dir: &Path,
    config: &TopicConfig,
    recovery_point: Offset,
    stopped: Stopped,
) -> Result<Log> {
    let options = OpenOptions {
        config: Arc::new(config.clone()),
        log_start_offset: 0,
        recovery_point,
        cleaned_below: 0,
        stopped,
        leader_epochs: None,
        now: NOW,
    };
    Log::open(&Disk::Os, dir, options)
}

pub(super) fn batches(read: &Read) -> Vec<(i64, i64)> {
    let mut offsets = Vec::new();
    for range in &read.ranges {
        let mut bytes = range.read().unwrap();
        // A partial batch may remain, as consumers get it.
        while Batch::next_size(&bytes).unwrap().is_some() {
            let batch = Batch::split_from(&mut bytes).unwrap();
            assert!(batch.checksum_holds());
            offsets.push((batch.base_offset(), batch.last_offset()));
        }
    }
    assert_eq!(read.bytes, read.ranges.iter().map(|range| range.len).sum::<usize>());
    offsets
}

#[test]
fn what_is_appended_is_read_below_the_bound() {
    let mut f = Fixture::new(config());
    assert_eq!([f.append(3), f.append(1), f.append(5)], [0, 3, 4]);
    assert_eq!(f.read(0, 1 << 20, Isolation::LogEnd), [(0, 2), (3, 3), (4, 8)]);
    // From an offset within a batch, the whole batch is returned.
    assert_eq!(f.read(1, 1 << 20, Isolation::LogEnd), [(0, 2), (3, 3), (4, 8)]);
    assert_eq!(f.read(3, 1 << 20, Isolation::LogEnd), [(3, 3), (4, 8)]);
    assert_eq!(f.read(9, 1 << 20, Isolation::LogEnd), []);
    // The bound: only whole batches below the high watermark are returned.
    for (high_watermark, seen) in [(0, 0), (1, 0), (3, 1), (4, 2), (8, 2), (9, 3), (100, 3)] {
        f.log.set_high_watermark(high_watermark);
        assert_eq!(f.read(0, 1 << 20, Isolation::HighWatermark).len(), seen, "{high_watermark}");
    }
    // At most this number of bytes, but at least one batch.
    assert_eq!(f.read(0, 1, Isolation::LogEnd), [(0, 2)]);
    let two = f.log.read(0, 250, Isolation::LogEnd, true).unwrap();
    assert!(batches(&two).len() == 2 && two.bytes < 250);
    // Consumers get exactly this number of bytes
    // (FetchRequestTest.testBrokerRespectsPartitionsOrderAndSizeLimits), unless not even one batch
    // is complete.
    let cut = f.log.read(0, 250, Isolation::HighWatermark, true).unwrap();
    assert_eq!((batches(&cut), cut.bytes), (batches(&two), 250));
    assert_eq!(f.log.read(0, 1, Isolation::HighWatermark, false).unwrap().bytes, 0);
    assert_eq!(f.log.read(0, 1, Isolation::LogEnd, false).unwrap().bytes, 0);
    for offset in [-1, 10] {
        let error = f.log.read(offset, 1, Isolation::LogEnd, true).unwrap_err();
        assert_eq!(error.code(), ResponseError::OffsetOutOfRange);
    }
}

#[test]
fn a_log_opens_as_it_was() {
    for clean in [true, false] {
        let mut f = Fixture::new(TopicConfig { segment_bytes: 1000, ..config() });
        f.log.set_topic_id(Uuid::from_u128(7)).unwrap();
        for n in 0..50 {
            f.append(1 + n % 3);
        }
        let all = |f: &Fixture| {
            let mut seen = Vec::new();
            let mut from = 0;
            while from < f.log.log_end_offset() {
                seen.extend(f.read(from, 300, Isolation::LogEnd));
                from = seen.last().unwrap().1 + 1;
            }
            seen
        };
        let (before, end, size) = (all(&f), f.log.log_end_offset(), f.log.size());
        assert!(f.log.segments.len() > 3 && before.len() == 50);
        f.reopen(clean);
        assert_eq!((f.log.log_end_offset(), f.log.size(), f.log.latest_epoch()), (end, size, 0));
        assert_eq!(all(&f), before);
        assert_eq!(f.append(1), end);
        assert!(f.log.set_topic_id(Uuid::from_u128(7)).is_ok());
        let error = f.log.set_topic_id(Uuid::from_u128(8)).unwrap_err();
        assert_eq!(error.code(), ResponseError::InconsistentTopicId);
    }
}

/// Appends batches, then cuts the file at each byte or changes that byte, and opens it as after a
/// crash. The complete batches before that stay, and the log goes on after them.
#[test]
fn a_torn_tail_is_cut_at_the_last_whole_batch() {
    let mut f = Fixture::new(TopicConfig { index_interval_bytes: 100, ..config() });
    let counts = [1, 3, 2, 1];
    let mut ends = vec![0];
    for count in counts {
        f.append(count);
        ends.push(f.log.size());
    }
    let bytes = std::fs::read(f.path().join("00000000000000000000.log")).unwrap();
    for cut in 0..bytes.len() {
        for spoil in [false, true] {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("t-0");
            std::fs::create_dir(&path).unwrap();
            let mut damaged = if spoil { bytes.clone() } else { bytes[..cut].to_vec() };
            if spoil {
                damaged[cut] ^= 0x40;
            }
            std::fs::write(path.join("00000000000000000000.log"), damaged).unwrap();
            let whole = ends.iter().rposition(|end| *end <= cut as u64).unwrap();
            let within = cut as u64 - ends[whole];
            if spoil && (within < 8 || (12..16).contains(&within)) {
                // Base offset and leader epoch are not covered by the checksum, as in Kafka.
                continue;
            }
            let mut log = open(&path, &f.config, 0, false);
            let next: usize = counts[..whole].iter().sum();
            assert_eq!(log.log_end_offset(), next as i64, "cut {cut}, spoiled {spoil}");
            assert_eq!(log.size(), ends[whole]);
            if cut % 16 != 0 {
                continue;
            }
            let appended = log.append(vec![batch(2, NOW)], 1, Origin::Client, NOW).unwrap();
            assert_eq!(appended.base_offset, next as i64);
            log.close().unwrap();
            let log = open(&path, &f.config, next as i64 + 2, true);
            let all = batches(&log.read(0, 1 << 20, Isolation::LogEnd, true).unwrap());
            assert_eq!(all.len(), whole + 1);
        }
    }
}

/// Later segments after a bad batch were never durable and do not belong to the log any more.
#[test]
fn segments_behind_a_bad_batch_go() {
    let mut f = Fixture::new(TopicConfig { segment_bytes: 300, ..config() });
    f.append_many(12);
    let bases: Vec<_> = f.log.segments.iter().map(Segment::base_offset).collect();
    assert!(bases.len() > 3);
    let second = f.log.segments[1].path(segment::SUFFIX);
    let mut bytes = std::fs::read(&second).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&second, bytes).unwrap();
    f.reopen(false);
    assert_eq!(f.log.segments.len(), 2);
    assert!((bases[1]..bases[2]).contains(&f.log.log_end_offset()));
    let names = Disk::Os.list(&f.path()).unwrap();
    let of_third = |name: &&String| name.starts_with(&file_name(bases[2], "."));
    let left: Vec<_> = names.iter().filter(of_third).collect();
    assert_eq!(left, [&file_name(bases[2], torn::TORN)], "what can be read is kept");
    // A recovery point after it exempts it from recovery.
    f.append_many(12);
    f.log.flush().unwrap();
    let end = f.log.log_end_offset();
    let mut bytes = std::fs::read(f.log.segments[0].path(segment::SUFFIX)).unwrap();
    bytes[100] ^= 1;
    std::fs::write(f.log.segments[0].path(segment::SUFFIX), bytes).unwrap();
    f.reopen(false);
    assert_eq!(f.log.log_end_offset(), end);
}

#[test]
fn what_an_unfinished_compaction_left_is_put_right() {
    let mut f = Fixture::new(TopicConfig { segment_bytes: 300, ..config() });
    f.append_many(12);
    let bases: Vec<_> = f.log.segments.iter().map(Segment::base_offset).collect();
    let end = f.log.log_end_offset();
    f.log.close().unwrap();
    let dir = f.path();
    let path = |base: Offset, suffix: &str| dir.join(file_name(base, suffix));
    // The first two segments were compacted into one, but it was not renamed yet.
    std::fs::copy(path(bases[0], ".log"), path(bases[0], ".log.swap")).unwrap();
    std::fs::copy(path(bases[0], ".index"), path(bases[0], ".index.swap")).unwrap();
    std::fs::write(path(bases[2], ".log.deleted"), b"gone").unwrap();
    f.log = open(&f.path(), &f.config, end, true);
    let now: Vec<_> = f.log.segments.iter().map(Segment::base_offset).collect();
    assert_eq!((now, f.log.log_end_offset()), (bases.clone(), end));
    f.log.close().unwrap();
    // A `.cleaned` file takes the `.swap` files from its offset on with it.
    std::fs::write(path(bases[1], ".log.cleaned"), b"half").unwrap();
    std::fs::write(path(bases[1], ".log.swap"), b"half").unwrap();
    std::fs::write(path(99_999, ".timeindex"), b"no log").unwrap();
    f.log = open(&f.path(), &f.config, end, true);
    assert_eq!(f.log.log_end_offset(), end);
    let names = Disk::Os.list(&f.path()).unwrap();
    let left = |end: &str| names.iter().any(|name| name.contains(end));
    assert!(!left(".swap") && !left(".cleaned") && !left(".deleted") && !left("99999."));
}

#[test]
fn segments_roll_as_kafka_rolls_them() {
    let rows: [(TopicConfig, [Timestamp; 3], usize); 6] = [
        (config(), [0, 1, 2], 1),
        (TopicConfig { segment_bytes: 200, ..config() }, [0, 1, 2], 2),
        (TopicConfig { segment_ms: 10, ..config() }, [0, 10, 20], 2), // the age is > segment.ms
        (TopicConfig { segment_ms: 10, ..config() }, [0, 11, 22], 3),
        (TopicConfig { segment_index_bytes: 12, ..config() }, [0, 1, 2], 3),
        (TopicConfig { compact: true, max_compaction_lag_ms: 5, ..config() }, [0, 1, 7], 2),
    ];
    for (n, (config, timestamps, segments)) in rows.into_iter().enumerate() {
        let mut f = Fixture::new(config);
        for timestamp in timestamps {
            let batch = batch(1, NOW + timestamp);
            f.log.append(vec![batch], 0, Origin::Client, NOW).unwrap();
        }
        assert_eq!(f.log.segments.len(), segments, "row {n}");
    }
    let mut f = Fixture::new(TopicConfig { segment_bytes: 80, ..config() });
    let error = f.log.append(vec![batch(9, NOW)], 0, Origin::Client, NOW).unwrap_err();
    assert_eq!(error.code(), ResponseError::RecordListTooLarge);
    // Offsets that would exceed 31 bits begin a new segment.
    let mut f = Fixture::new(config());
    for offset in [0, 5, Offset::from(i32::MAX) + 1] {
        let mut batch = batch(1, NOW);
        batch.set_base_offset(offset);
        f.log.append(vec![batch], -1, Origin::Replication, NOW).unwrap();
    }
    assert_eq!(f.log.segments.len(), 2);
    assert_eq!(f.read(6, 1000, Isolation::LogEnd), [(1 << 31, 1 << 31)]);
}

#[test]
fn a_segment_rolls_in_time_also_if_nothing_comes() {
    let mut f = Fixture::new(TopicConfig { segment_ms: 10, ..config() });
    f.log.clean_up(NOW + 1000).unwrap();
    assert_eq!(f.log.segments.len(), 1, "an empty one need not roll");
    f.append(2);
    for (now, segments) in [(NOW + 10, 1), (NOW + 11, 2), (NOW + 1000, 2)] {
        f.log.clean_up(now).unwrap();
        assert_eq!(f.log.segments.len(), segments, "{}", now - NOW);
    }
    // Now retention can delete it, and the files on disk open unchanged.
    f.log.set_high_watermark(2);
    f.reopen(false);
    assert_eq!((f.log.segments.len(), f.append(1)), (2, 2));
    // Records with old timestamps must not make the log roll again and again.
    f.log.append(vec![batch(1, 5)], 0, Origin::Client, NOW).unwrap();
    f.log.roll(NOW).unwrap();
    f.log.append(vec![batch(1, 5)], 0, Origin::Client, NOW).unwrap();
    f.log.clean_up(NOW + 10).unwrap();
    assert_eq!(f.log.segments.len(), 3);
}

#[test]
fn retention_takes_whole_segments_below_the_high_watermark() {
    const DAY: i64 = 86_400_000;
    // Settings, high watermark, time since the records; how many of 5 segments are deleted.
    let rows = [
        (config(), 10, 100 * DAY, 0),
        (TopicConfig { retention_ms: DAY, ..config() }, 10, DAY, 0),
        (TopicConfig { retention_ms: DAY, ..config() }, 10, DAY + 1, 5),
        (TopicConfig { retention_ms: DAY, ..config() }, 5, DAY + 1, 2),
        (TopicConfig { retention_bytes: 267, ..config() }, 10, 0, 2),
        (TopicConfig { retention_bytes: 0, ..config() }, 10, 0, 5),
        (TopicConfig { retention_bytes: 0, delete: false, ..config() }, 10, 0, 0),
    ];
    for (n, (config, high_watermark, later, gone)) in rows.into_iter().enumerate() {
        let mut f = Fixture::new(TopicConfig { segment_bytes: 160, ..config });
        f.append_many(5);
        let size = f.log.segments[0].size();
        assert!((f.log.segments.len(), size) == (5, 89), "{size}");
        f.log.set_high_watermark(high_watermark);
        assert_eq!(f.log.clean_up(NOW + later).unwrap(), gone, "row {n}");
        assert_eq!(f.log.log_start_offset(), 2 * gone as i64, "row {n}");
        let deleted = |f: &Fixture| {
            let names = Disk::Os.list(&f.path()).unwrap();
            names.iter().filter(|name| name.ends_with(".log.deleted")).count()
        };
        assert_eq!(deleted(&f), gone);
        f.log.set_config(Arc::new(self::config()));
        f.log.clean_up(NOW + later + 60_000).unwrap();
        assert_eq!(deleted(&f), 0);
        assert_eq!(f.append(1), 10);
    }
}

#[test]
fn deleted_records_are_not_read_and_their_segments_go() {
    let mut f = Fixture::new(TopicConfig { segment_bytes: 160, ..config() });
    f.append_many(5);
    f.log.set_high_watermark(7);
    let error = f.log.advance_log_start(8).unwrap_err();
    assert_eq!(error.code(), ResponseError::OffsetOutOfRange);
    // A reader that has the file open can still read it after it is removed.
    let read = f.log.read(0, 1000, Isolation::LogEnd, true).unwrap();
    f.log.advance_log_start(5).unwrap();
    assert_eq!(f.log.clean_up(NOW).unwrap(), 2);
    f.log.clean_up(NOW + 60_000).unwrap();
    assert_eq!(batches(&read), [(0, 1)]);
    assert!(f.log.read(4, 1000, Isolation::LogEnd, true).is_err());
    assert_eq!(f.read(5, 1000, Isolation::LogEnd), [(4, 5)]);
    assert_eq!((f.log.epoch_at(5), f.log.epoch_at(4)), (0, NO_EPOCH));
}

#[test]
fn a_truncated_log_is_as_if_the_rest_had_never_been() {
    let small = TopicConfig { segment_bytes: 400, index_interval_bytes: 90, ..config() };
    for offset in 0..=20 {
        let mut f = Fixture::new(small.clone());
        for n in 0..10 {
            let batch = batch(2, NOW + n);
            f.log.append(vec![batch], n as i32 / 3, Origin::Client, NOW).unwrap();
        }
        f.log.set_high_watermark(20);
        f.log.truncate_to(offset).unwrap();
        assert_eq!((f.log.log_end_offset(), f.log.high_watermark()), (offset, offset));
        let kept: Vec<_> = (0..offset / 2).map(|n| (2 * n, 2 * n + 1)).collect();
        let mut seen = Vec::new();
        while let Some(next) = f.read(2 * seen.len() as i64, 1000, Isolation::LogEnd).get(0..) {
            if next.is_empty() {
                break;
            }
            seen.extend_from_slice(next);
        }
        assert_eq!(seen, kept, "cut at {offset}");
        let latest = f.log.offset_of_max_timestamp().unwrap().map(|found| found.timestamp);
        assert_eq!(latest, (!kept.is_empty()).then_some(NOW + kept.len() as i64 - 1));
        assert_eq!(f.log.latest_epoch(), (offset as i32 - 1).div_euclid(6));
        assert_eq!(f.append(1), offset);
        f.reopen(false);
        assert_eq!(f.log.log_end_offset(), offset + 1);
    }
    let mut f = Fixture::new(small);
    f.append(3);
    f.log.truncate_fully(1000).unwrap();
    assert_eq!((f.log.log_start_offset(), f.log.log_end_offset()), (1000, 1000));
    assert_eq!((f.log.latest_epoch(), f.append(1)), (NO_EPOCH, 1000));
}

#[test]
fn epochs_end_where_the_next_begins() {
    let mut f = Fixture::new(config());
    for (epoch, count) in [(1, 2), (1, 1), (3, 4), (7, 1)] {
        f.log.append(vec![batch(count, NOW)], epoch, Origin::Client, NOW).unwrap();
    }
    f.log.assign_epoch_start(9).unwrap();
    for reopen in [None, Some(true)] {
        reopen.into_iter().for_each(|clean| f.reopen(clean));
        let rows = [
            (-1, None),
            (0, Some((0, 0))),
            (1, Some((1, 3))),
            (2, Some((1, 3))),
            (3, Some((3, 7))),
            (6, Some((3, 7))),
            (7, Some((7, 8))),
            (8, Some((7, 8))),
            (9, Some((9, 8))),
            (10, None),
        ];
        for (epoch, end) in rows {
            // Opening the log forgets an epoch without records.
            if reopen.is_some() && epoch >= 7 {
                continue;
            }
            assert_eq!(f.log.end_offset_for_epoch(epoch), end, "{epoch}");
        }
        let epochs = [0, 2, 3, 6, 7].map(|offset| f.log.epoch_at(offset));
        assert_eq!(epochs, [1, 1, 3, 3, 7]);
    }
}

#[test]
fn a_leader_that_stamps_tells_the_time() {
    let mut f = Fixture::new(TopicConfig { log_append_time: true, ..config() });
    let mut stamped = batch(2, NOW);
    stamped.set_max_timestamp(NOW + 5, true);
    let appended = f.log.append(vec![stamped], 0, Origin::Client, NOW + 5).unwrap();
    assert_eq!((appended.base_offset, appended.last_offset), (0, 1));
    assert_eq!((appended.append_time, appended.log_start_offset), (NOW + 5, 0));
    let found = f.log.offset_for_timestamp(NOW + 1).unwrap().unwrap();
    assert_eq!((found.timestamp, found.offset), (NOW + 5, 0));
}

#[test]
fn a_flush_moves_the_recovery_point_unless_the_end_was_cut() {
    let mut f = Fixture::new(TopicConfig { segment_bytes: 160, ..config() });
    f.append_many(4);
    let sealed = f.log.begin_flush_of_sealed().unwrap().unwrap();
    f.append(2);
    sealed.run().unwrap();
    f.log.end_flush(&sealed);
    assert_eq!(f.log.recovery_point(), 6);
    let all = f.log.begin_flush().unwrap().unwrap();
    f.append(2);
    all.run().unwrap();
    f.log.end_flush(&all);
    assert_eq!(f.log.recovery_point(), 10);
    let late = f.log.begin_flush().unwrap().unwrap();
    f.log.truncate_to(7).unwrap();
    f.append(5);
    late.run().unwrap();
    f.log.end_flush(&late);
    assert_eq!((f.log.recovery_point(), f.log.log_end_offset()), (7, 12));
    f.log.flush().unwrap();
    assert_eq!(f.log.recovery_point(), 12);
    assert!(f.log.begin_flush().unwrap().is_none());
    assert!(f.log.begin_flush_of_sealed().unwrap().is_none());
}

/// Run by hand: `KLAMM_LOG=/tmp/x/t-0 cargo test --lib by_hand -- --ignored`, then
/// `kafka-dump-log --deep-iteration --files ...` on the result. Also prints how long things took.
#[test]
#[ignore]
fn by_hand() {
    let path = PathBuf::from(std::env::var("KLAMM_LOG").unwrap());
    let config = TopicConfig { segment_bytes: 1 << 24, ..config() };
    let mut log = open(&path, &config, 0, true);
    log.set_topic_id(Uuid::from_u128(77)).unwrap();
    let started = std::time::Instant::now();
    for n in 0..100_000 {
        log.append(vec![batch(3, NOW + n)], 0, Origin::Client, NOW).unwrap();
    }
    println!("append {:?}", started.elapsed() / 100_000);
    log.set_high_watermark(300_000);
    for (what, from, spread) in [("old", 0, 200_000), ("tail", 299_940, 60)] {
        let started = std::time::Instant::now();
        for n in 0..100_000 {
            let read = log.read(from + n * 7919 % spread, 1 << 20, Isolation::HighWatermark, true);
            assert!(read.unwrap().bytes > 0);
        }
        println!("read {what} {:?}", started.elapsed() / 100_000);
    }
    let started = std::time::Instant::now();
    log.close().unwrap();
    println!("close {:?}", started.elapsed());
    for (clean, what) in [(true, "clean"), (false, "unclean")] {
        let started = std::time::Instant::now();
        let log = open(&path, &config, if clean { 300_000 } else { 0 }, clean);
        println!("open {what} {:?} for {} bytes", started.elapsed(), log.size());
    }
}

/// Run by hand: opens 2,000 logs after a clean stop.
#[test]
#[ignore]
fn by_hand_many() {
    let dir = TempDir::new().unwrap();
    let path = |n: i32| dir.path().join(format!("t-{n}"));
    let timed = |what: &str, run: &mut dyn FnMut(i32)| {
        let started = std::time::Instant::now();
        (0..2_000).for_each(run);
        println!("{what} {:?}", started.elapsed());
    };
    timed("make and close", &mut |n| {
        let mut log = open(&path(n), &config(), 0, true);
        log.set_topic_id(Uuid::from_u128(77)).unwrap();
        log.append(vec![batch(3, NOW)], 0, Origin::Client, NOW).unwrap();
        log.close().unwrap();
    });
    let mut logs = Vec::new();
    timed("open", &mut |n| logs.push(open(&path(n), &config(), 3, true)));
    timed("lead", &mut |n| logs[n as usize].assign_epoch_start(1).unwrap());
    timed("close", &mut |n| logs[n as usize].close().unwrap());
}
