//! One partition's records: segments, sparse indexes, leader epochs, producer state. Synchronous;
//! whoever owns a `Log` holds its lock. (Stub: the log engineer replaces the bodies.)

pub mod manager;

use crate::config::TopicConfig;
use crate::disk::{Disk, FileRange};
use crate::error::Result;
use crate::record::Batch;
use crate::types::{Isolation, LeaderEpoch, Offset, ProducerId, Timestamp, TopicPartition};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Who appends: it decides what is checked and whether offsets are given or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: offsets are given, sequences and epochs are checked.
    Client,
    /// A coordinator of this broker: offsets are given.
    Coordinator,
    /// A leader elsewhere: bytes and offsets are kept as they are.
    Replication,
    /// The controller: offsets and epoch are given, the batch's epoch is the quorum's.
    RaftLeader,
}

/// What an append did.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Time stamped on the records under LogAppendTime, else -1.
    pub append_time: Timestamp,
    pub log_start_offset: Offset,
}

/// What a read found: file ranges, not bytes.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Whole batches from the one that holds the offset asked for; possibly of one segment only.
    pub ranges: Vec<FileRange>,
    /// Bytes in `ranges`.
    pub bytes: usize,
    /// Aborted transactions in the range, for read_committed: (producer id, first offset).
    pub aborted: Vec<(ProducerId, Offset)>,
}

/// Where the last record at or after a timestamp lies (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TimestampOffset {
    pub timestamp: Timestamp,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

/// One producer as DescribeProducers shows it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ActiveProducer {
    pub producer_id: ProducerId,
    pub producer_epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: Timestamp,
    pub coordinator_epoch: i32,
    /// First offset of the open transaction, -1 if none.
    pub current_txn_start_offset: Offset,
}

/// How a log is opened.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct OpenOptions {
    pub config: Arc<TopicConfig>,
    /// From `log-start-offset-checkpoint`, 0 if absent.
    pub log_start_offset: Offset,
    /// From `recovery-point-offset-checkpoint`, 0 if absent: below it everything is on disk.
    pub recovery_point: Offset,
    /// Whether the directory was closed cleanly.
    pub clean: bool,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    pub now: Timestamp,
}

/// The log of one partition (UnifiedLog).
#[derive(Debug)]
pub struct Log {}

#[allow(missing_docs)]
impl Log {
    /// Opens or makes the log in `dir` (`<log dir>/<topic>-<partition>`), recovering it if needed.
    pub fn open(disk: &Disk, dir: &Path, options: OpenOptions) -> Result<Log> {
        let _ = (disk, dir, options);
        todo!("log engineer")
    }
    /// Writes `partition.metadata` if absent; an id that differs is an error (INCONSISTENT_TOPIC_ID).
    pub fn set_topic_id(&mut self, topic_id: Uuid) -> Result<()> {
        let _ = topic_id;
        todo!()
    }
    /// Appends checked batches: producer state is checked (Origin::Client), offsets and epoch are
    /// given, the segment rolls when needed. A batch appended before is `Error::Duplicate`.
    pub fn append(
        &mut self,
        batches: Vec<Batch>,
        leader_epoch: LeaderEpoch,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Appended> {
        let _ = (batches, leader_epoch, origin, now);
        todo!()
    }
    /// File ranges of whole batches from the one that holds `from`, below the bound `isolation`
    /// gives, at most `max_bytes` (but the first batch whole if `at_least_one`). An offset outside
    /// of [log start, log end] is OFFSET_OUT_OF_RANGE.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<Read> {
        let _ = (from, max_bytes, isolation, at_least_one);
        todo!()
    }
    pub fn dir(&self) -> &Path {
        todo!()
    }
    pub fn topic_partition(&self) -> &TopicPartition {
        todo!()
    }
    pub fn config(&self) -> &Arc<TopicConfig> {
        todo!()
    }
    pub fn set_config(&mut self, config: Arc<TopicConfig>) {
        let _ = config;
        todo!()
    }
    pub fn log_start_offset(&self) -> Offset {
        todo!()
    }
    /// One past the last record.
    pub fn log_end_offset(&self) -> Offset {
        todo!()
    }
    pub fn high_watermark(&self) -> Offset {
        todo!()
    }
    /// Set by the partition, which knows the ISR; kept within [log start, log end].
    pub fn set_high_watermark(&mut self, offset: Offset) {
        let _ = offset;
        todo!()
    }
    /// Below it no transaction is open or undecided; at most the high watermark.
    pub fn last_stable_offset(&self) -> Offset {
        todo!()
    }
    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        todo!()
    }
    /// First offset with a timestamp >= `timestamp`; None if there is none.
    pub fn offset_for_timestamp(&self, timestamp: Timestamp) -> Result<Option<TimestampOffset>> {
        let _ = timestamp;
        todo!()
    }
    /// The record with the largest timestamp (KIP-734); None if the log is empty.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>> {
        todo!()
    }
    /// Epoch of the last record, -1 if none.
    pub fn latest_epoch(&self) -> LeaderEpoch {
        todo!()
    }
    /// Where the greatest epoch <= `epoch` ends: (that epoch, its end); None if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let _ = epoch;
        todo!()
    }
    /// Epoch of the record at `offset`, for ListOffsets.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        let _ = offset;
        todo!()
    }
    /// A new leader begins at the log's end, data or not.
    pub fn assign_epoch_start(&mut self, epoch: LeaderEpoch) -> Result<()> {
        let _ = epoch;
        todo!()
    }
    /// Moves the log start offset up (DeleteRecords); segments below it are deleted later.
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<()> {
        let _ = offset;
        todo!()
    }
    /// Cuts everything from `offset` on.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<()> {
        let _ = offset;
        todo!()
    }
    /// Throws everything away and begins anew at `offset`.
    pub fn truncate_fully(&mut self, offset: Offset) -> Result<()> {
        let _ = offset;
        todo!()
    }
    /// Starts a new active segment if the current one has data.
    pub fn roll(&mut self, now: Timestamp) -> Result<()> {
        let _ = now;
        todo!()
    }
    /// Retention by time, size and log start offset; rolls the active segment by `segment.ms`.
    /// Answers how many segments went.
    pub fn clean_up(&mut self, now: Timestamp) -> Result<usize> {
        let _ = now;
        todo!()
    }
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        todo!()
    }
    /// fsyncs up to the end; then `recovery_point` is the end.
    pub fn flush(&mut self) -> Result<()> {
        todo!()
    }
    pub fn recovery_point(&self) -> Offset {
        todo!()
    }
    /// Flushes, writes the producer snapshot, trims the indexes.
    pub fn close(&mut self) -> Result<()> {
        todo!()
    }
}
