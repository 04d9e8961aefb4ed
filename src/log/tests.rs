//! The log as its callers see it; the parts' own tests are beside them.
#![allow(clippy::unwrap_used)]

mod fixtures;
mod transactions;

use super::*;
use crate::config::Compression;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{Isolation, NO_EPOCH, NO_PRODUCER_ID};
use tempfile::TempDir;

/// A time to write records at.
pub(super) const NOW: Timestamp = 1_700_000_000_000;

/// Kafka's defaults, with segments small enough to see several.
pub(super) fn config() -> TopicConfig {
    TopicConfig {
        segment_bytes: 1 << 30,
        segment_ms: 7 * 24 * 3600 * 1000,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        flush_messages: i64::MAX,
        flush_ms: i64::MAX,
        retention_bytes: -1,
        retention_ms: -1,
        max_message_bytes: 1 << 20,
        file_delete_delay_ms: 60_000,
        delete_retention_ms: 86_400_000,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.5,
        compact: false,
        delete: true,
        min_insync_replicas: 1,
        compression: None,
        log_append_time: false,
        message_timestamp_before_max_ms: i64::MAX,
        message_timestamp_after_max_ms: 3_600_000,
        preallocate: false,
        unclean_leader_election_enable: false,
    }
}

/// A batch of `count` records of one timestamp.
pub(super) fn batch(count: usize, timestamp: Timestamp) -> Batch {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    for n in 0..count {
        builder.append(timestamp, None, Some(format!("value {n}").as_bytes()), &[]);
    }
    builder.build()
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

    /// Opens the directory anew, as after `kill -9` or a clean stop.
    pub fn reopen(&mut self, clean: bool) {
        if clean {
            self.log.close().unwrap();
        }
        let point = if clean { self.log.end_offset } else { self.log.recovery_point };
        self.log = open(&self.path(), &self.config, point, clean);
    }

    /// The offsets that a reader from `from` sees, batch by batch: (base, last).
    pub fn read(&self, from: Offset, max_bytes: usize, isolation: Isolation) -> Vec<(i64, i64)> {
        let read = self.log.read(from, max_bytes, isolation, true).unwrap();
        batches(&read)
    }
}

pub(super) fn open(dir: &Path, config: &TopicConfig, recovery_point: Offset, clean: bool) -> Log {
    let options = OpenOptions {
        config: Arc::new(config.clone()),
        log_start_offset: 0,
        recovery_point,
        clean,
        producer_id_expiration_ms: 86_400_000,
        now: NOW,
    };
    Log::open(&Disk::Os, dir, options).unwrap()
}

pub(super) fn batches(read: &Read) -> Vec<(i64, i64)> {
    let mut offsets = Vec::new();
    for range in &read.ranges {
        let mut bytes = range.read().unwrap();
        while !bytes.is_empty() {
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
    // From within a batch the batch comes whole.
    assert_eq!(f.read(1, 1 << 20, Isolation::LogEnd), [(0, 2), (3, 3), (4, 8)]);
    assert_eq!(f.read(3, 1 << 20, Isolation::LogEnd), [(3, 3), (4, 8)]);
    assert_eq!(f.read(9, 1 << 20, Isolation::LogEnd), []);
    // The bound: whole batches below the high watermark.
    for (high_watermark, seen) in [(0, 0), (1, 0), (3, 1), (4, 2), (8, 2), (9, 3), (100, 3)] {
        f.log.set_high_watermark(high_watermark);
        assert_eq!(f.read(0, 1 << 20, Isolation::HighWatermark).len(), seen, "{high_watermark}");
    }
    // At most so many bytes, but one batch.
    assert_eq!(f.read(0, 1, Isolation::LogEnd), [(0, 2)]);
    let two = f.log.read(0, 250, Isolation::LogEnd, true).unwrap();
    assert!(batches(&two).len() == 2 && two.bytes <= 250);
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
