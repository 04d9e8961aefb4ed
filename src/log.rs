//! The records of one partition: segments, sparse indexes, leader epochs and producer state.
//! Everything here is synchronous; the owner of a `Log` holds its lock.
//!
//! The directory has Kafka's layout (UnifiedLog, LocalLog). `<topic>-<partition>` contains, for
//! each segment, files named after its base offset in 20 digits, with the suffixes `.log`,
//! `.index`, `.timeindex` and sometimes `.txnindex` and `.snapshot`; beside them are
//! `leader-epoch-checkpoint` and `partition.metadata`.
//!
//! Everything below `recovery_point` is durable on disk. Above it only batches need to survive a
//! crash, because all else is rebuilt from them; so nothing but batches is ever waited for.

mod append;
mod checkpoint;
pub mod cleaner;
mod flush;
mod index_file;
mod leader_epoch;
mod leftovers;
mod lookup;
pub mod manager;
mod names;
mod offset_index;
mod partition_metadata;
mod producer_state;
mod read;
mod recall;
mod recovery;
mod replay;
mod retention;
mod scan;
mod segment;
mod sound;
mod succession;
mod time_index;
mod torn;
mod transaction_index;
mod truncation;
mod versions;

#[cfg(test)]
pub(crate) mod tests;

use crate::config::TopicConfig;
use crate::disk::{Access, Disk, FileRange};
use crate::error::{Error, Result};
use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp, TopicPartition};
pub use flush::Flush;
use kafka_protocol::error::ResponseError;
use leader_epoch::LeaderEpochs;
use names::file_name;
use producer_state::ProducerStates;
pub use producer_state::producer_snapshot_offset;
use retention::Trash;
pub use scan::{Header, Headers};
use segment::Segment;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;
pub use versions::ScanEnd;
pub(crate) use versions::scan_log;

/// At most about this much of a log is read again after its process was killed.
const UNSETTLED_BYTES: u64 = 256 << 10;

/// The source of an append. It decides what is checked, and whether offsets are assigned or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: offsets are assigned; sequences and epochs are checked.
    Client,
    /// A coordinator of this broker: offsets are assigned.
    Coordinator,
    /// A transaction coordinator's marker: offsets are assigned. From transaction version 2 on each
    /// transaction ends in an epoch of its own, so a marker with an older epoch is refused.
    Marker {
        /// The transaction version of the client whose transaction the marker ends.
        transaction_version: i16,
    },
    /// A leader on another broker: bytes and offsets are kept unchanged.
    Replication,
    /// The controller: offsets and the quorum's epoch are assigned.
    RaftLeader,
}

/// Why a transactional batch may begin a transaction in this log (VerificationGuard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The coordinator was not asked and need not be.
    NotNeeded,
    /// The batch does not begin a transaction: it is already open here.
    Ongoing,
    /// The coordinator confirmed the partition; holds unless the guard is outdated by now.
    Guard(u64),
}

/// What a producer's coordinator is asked before a transaction begins in this log.
#[derive(Clone, Copy, Debug)]
pub struct VerificationRequest {
    /// Whose transaction it is.
    pub producer_id: ProducerId,
    /// The epoch that the producer sent; a newer one that is known here refuses the question.
    pub producer_epoch: i16,
    /// The sequence number of the transaction's first record here.
    pub sequence: i32,
    /// The coordinator shall also add the partition (transaction version 2).
    pub adds: bool,
}

/// The result of an append.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// The timestamp given to the records under LogAppendTime, otherwise -1.
    pub append_time: Timestamp,
    /// The log start offset.
    pub log_start_offset: Offset,
}

/// The result of a read: ranges of files, not bytes.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Batches from the one that holds the requested offset; they may all be from one segment.
    pub ranges: Vec<FileRange>,
    /// The number of bytes in `ranges`.
    pub bytes: usize,
    /// For read_committed, the aborted transactions in the range: (producer id, first offset).
    pub aborted: Vec<(ProducerId, Offset)>,
    /// Whether more can be read in later segments.
    pub goes_on: bool,
    /// Data that the search needed and that is not in the page cache; if set, nothing was read.
    pub missed: Option<FileRange>,
}

/// A record found by its timestamp (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The one that the record has, at or after the one asked for.
    pub timestamp: Timestamp,
    /// Where to fetch the record.
    pub offset: Offset,
    /// The leader epoch of its batch, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Given by InitProducerId.
    pub producer_id: ProducerId,
    /// The epoch of its last batch or marker.
    pub producer_epoch: i16,
    /// The sequence number of its last record, -1 if forgotten.
    pub last_sequence: i32,
    /// The timestamp of its last batch or marker.
    pub last_timestamp: Timestamp,
    /// The epoch of the coordinator that wrote its last marker, -1 if none.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction, -1 if none.
    pub current_txn_start_offset: Offset,
}

/// How the process that last had the log open has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It closed the log: nothing needs recovery.
    Cleanly,
    /// It was killed while the machine went on: everything written is still there.
    Killed,
    /// Unknown: whatever was not flushed may be missing or torn.
    Unknown,
}

/// What is known when a log is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The settings of the log's topic.
    pub config: Arc<TopicConfig>,
    /// From `log-start-offset-checkpoint`, 0 if missing there.
    pub log_start_offset: Offset,
    /// From `recovery-point-offset-checkpoint`, 0 if missing there. Everything below it is on disk.
    pub recovery_point: Offset,
    /// From `cleaner-offset-checkpoint`, 0 if missing there: compaction has left gaps below it.
    pub cleaned_below: Offset,
    /// How the last process has ended.
    pub stopped: Stopped,
    /// The content of `leader-epoch-checkpoint`, if it was already read.
    pub leader_epochs: Option<Vec<u8>>,
    /// The time, from which the age of segments is counted.
    pub now: Timestamp,
}

/// The log of one partition (UnifiedLog).
#[derive(Debug)]
pub struct Log {
    disk: Disk,
    dir: Arc<Path>,
    partition: TopicPartition,
    /// None until `partition.metadata` was read or written.
    topic_id: Option<Uuid>,
    config: Arc<TopicConfig>,
    /// In order of base offset; never empty. The last one is active.
    segments: Vec<Segment>,
    epochs: LeaderEpochs,
    producers: ProducerStates,
    log_start_offset: Offset,
    end_offset: Offset,
    high_watermark: Offset,
    recovery_point: Offset,
    /// Base offset of the first segment that is not durable with all its indexes.
    first_unsynced: Offset,
    /// Base offset of the last segment whose directory entry is durable, -1 if unknown.
    durable_name: Offset,
    /// Whether the directory entry of the log itself is durable.
    is_dir_durable: bool,
    /// Whether `partition.metadata` is durable.
    is_id_durable: bool,
    /// How the last process has ended. After a clean stop everything it left is durable.
    stopped: Stopped,
    /// Everything is durable and nothing can be appended any more.
    is_closed: bool,
    /// Random part of `segment.jitter.ms` for the active segment.
    roll_jitter_ms: i64,
    /// Deleted files that are kept for `file.delete.delay.ms`.
    trash: Trash,
    /// Counts truncations. A flush or cleaner pass that began before the latest does not count.
    truncations: u64,
    /// The log end offset at the last call of `settle`.
    seen_end: Offset,
    /// Size of the active segment when it was last settled, in bytes.
    settled_size: u64,
    /// Compaction has left gaps below this offset.
    cleaned_below: Offset,
    /// Where the first records are missing that a power loss took although it left later ones.
    lost_from: Option<Offset>,
    /// The lowest offset truncated to that the cleaner's checkpoint does not reflect yet.
    cut_to: Offset,
    /// The time that the last caller gave.
    now: Timestamp,
}

impl Log {
    /// Opens or creates the log in `dir` (`<log dir>/<topic>-<partition>`), recovering it if
    /// needed.
    pub fn open(disk: &Disk, dir: &Path, options: OpenOptions) -> Result<Log> {
        recovery::open(disk, dir, options)
    }

    /// Writes `partition.metadata` if it is missing. INCONSISTENT_TOPIC_ID if it has another id.
    pub fn set_topic_id(&mut self, topic_id: Uuid) -> Result<()> {
        self.put_topic_id(topic_id, true)
    }

    /// As `set_topic_id`. Unless `durable`, the caller or the first flush makes the file durable.
    fn put_topic_id(&mut self, topic_id: Uuid, durable: bool) -> Result<()> {
        let known = match self.topic_id {
            Some(known) => Some(known),
            None => {
                let torn = partition_metadata::may_be_torn(self.stopped, self.recovery_point);
                partition_metadata::read(&self.disk, &self.dir, torn)?
            }
        };
        match known {
            None => {
                partition_metadata::write(&self.disk, &self.dir, topic_id, durable)?;
                self.is_id_durable = durable;
            }
            Some(known) if known == topic_id => {}
            Some(known) => {
                let what = partition_metadata::mismatch(&self.dir, known, topic_id);
                return Err(Error::Explained(ResponseError::InconsistentTopicId, what));
            }
        }
        self.topic_id = Some(topic_id);
        Ok(())
    }

    /// The partition, after which the directory is named.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The directory that has the segments.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The topic's effective settings.
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// Sets the settings, from the next operation on.
    pub fn set_config(&mut self, config: Arc<TopicConfig>) {
        self.producers.set_expiration(config.producer_id_expiration_ms);
        self.config = config;
    }

    /// The first offset that can be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// The offset after the last record.
    pub fn log_end_offset(&self) -> Offset {
        self.end_offset
    }

    /// The offset after the last record that all in-sync replicas have.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Sets the high watermark, clamped to the log. The partition, which knows the ISR, calls this.
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset.clamp(self.log_start_offset, self.end_offset);
        self.producers.on_high_watermark(self.high_watermark);
    }

    /// The offset below which every transaction is decided; at most the high watermark.
    pub fn last_stable_offset(&self) -> Offset {
        let unstable = self.producers.first_unstable_offset().unwrap_or(Offset::MAX);
        unstable.max(self.log_start_offset).min(self.high_watermark)
    }

    /// The size of all segments in bytes.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(Segment::size).sum()
    }

    /// Where the first records are missing that the last power loss took although it left later
    /// ones; None if it took none, or once they count as durable.
    pub fn lost_from(&self) -> Option<Offset> {
        self.lost_from.filter(|offset| *offset >= self.recovery_point)
    }

    /// The leader epoch of the last record, -1 if there is none.
    pub fn latest_epoch(&self) -> LeaderEpoch {
        self.epochs.latest()
    }

    /// The largest epoch that is not above `epoch`, and its end; None if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.end_offset)
    }

    /// The leader epoch of the record at `offset`, -1 if unknown (ListOffsets).
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.epoch_at(offset).unwrap_or(crate::types::NO_EPOCH)
    }

    /// Records that a new leader's epoch begins at the log end, even if it never appends.
    pub fn assign_epoch_start(&mut self, epoch: LeaderEpoch) -> Result<()> {
        self.epochs.begin(epoch, self.end_offset);
        Ok(())
    }

    /// Notes that a producer's coordinator is about to be asked whether this partition is in the
    /// producer's transaction. The result goes with the append. INVALID_PRODUCER_EPOCH if a newer
    /// epoch of the producer is known.
    pub fn start_verification(
        &mut self,
        asked: VerificationRequest,
        now: Timestamp,
    ) -> Result<Verification> {
        self.producers.start_verification(asked, now)
    }

    /// The producers that the log remembers.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        self.producers.active()
    }

    /// The offset below which everything is durable.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// The recovery point for the checkpoint. At the log end it is lowered by one: if the next
    /// append rolls, the indexes of the segment that ends there are not durable yet, and after a
    /// crash that segment must be among those recovered.
    fn recovery_checkpoint(&self) -> Offset {
        let is_end = self.recovery_point == self.end_offset;
        let is_open = is_end && self.end_offset > self.active_base() && !self.is_closed;
        self.recovery_point - Offset::from(is_open)
    }

    /// Flushes, writes the producer snapshot and the indexes, and removes deleted files. Nothing
    /// can be appended afterwards.
    pub fn close(&mut self) -> Result<()> {
        self.release_room()?;
        self.flush()?;
        self.active_mut().seal()?;
        self.epochs.close()?;
        // If the process is killed here, the snapshot tells that all else was written.
        self.producers.take_snapshot()?;
        if self.stopped != Stopped::Cleanly || self.producers.is_snapshot_new() {
            // After a clean stop nobody checks these, so they must be durable.
            self.producers.sync_snapshot()?;
            self.active().sync()?;
            self.disk.sync_dir(&self.dir)?;
        }
        self.is_closed = true;
        self.trash.take_due(&self.disk, Timestamp::MAX)()
    }

    /// Writes indexes, epochs and then a producer snapshot to their files without waiting for the
    /// disk. It does so if nothing was appended since the last call, or much since the last
    /// writing. Then little has to be rebuilt after a kill, and an idle log keeps little in memory.
    /// Also rebuilds indexes that were seen not to match the batches.
    pub fn settle(&mut self) -> Result<()> {
        self.mend_indexes()?;
        let is_silent = std::mem::replace(&mut self.seen_end, self.end_offset) == self.end_offset;
        let size = self.active().size();
        let is_much = size.saturating_sub(self.settled_size) >= UNSETTLED_BYTES;
        if !self.producers.is_ahead() || !(is_silent || is_much) {
            return Ok(());
        }
        self.settled_size = size;
        self.active_mut().flush_indexes()?;
        self.epochs.settle()?;
        self.take_snapshot()?;
        if is_silent {
            self.active_mut().retire();
        }
        Ok(())
    }

    /// Whether `settle` has nothing to do until the next append.
    pub fn is_settled(&self) -> bool {
        !self.producers.is_ahead() && !self.segments.iter().any(Segment::lies)
    }

    /// Whether an index of the segment that may hold `offset` was seen not to match its batches;
    /// `settle` will rebuild it.
    pub fn has_lying_index(&self, offset: Offset) -> bool {
        self.floor_segment(offset).is_some_and(|at| self.segments[at].lies())
    }

    fn mend_indexes(&mut self) -> Result<()> {
        let (count, interval) = (self.segments.len(), self.config.index_interval_bytes as u64);
        for at in 0..count {
            if !self.segments[at].lies() {
                continue;
            }
            let passed = self.pass(at, Access::Waiting);
            let segment = &mut self.segments[at];
            if let Err(Error::Corrupt { .. }) = passed {
                // They tell what is missing.
                segment.keep_indexes();
                continue;
            }
            passed?;
            segment.mend(interval)?;
            if at + 1 < count {
                put_off(segment.seal())?;
            }
        }
        Ok(())
    }

    /// Writes a producer snapshot, and removes the previous one if it was written by `settle`.
    fn take_snapshot(&mut self) -> Result<()> {
        let before = self.producers.snapshot_end();
        self.producers.take_snapshot()?;
        if self.segments.binary_search_by_key(&before, Segment::base_offset).is_err() {
            self.producers.remove_snapshot(before)?;
        }
        Ok(())
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has an active segment")
    }

    fn active_base(&self) -> Offset {
        self.active().base_offset()
    }

    /// The index of the segment that may hold `offset`: the last whose base offset is not above it.
    fn floor_segment(&self, offset: Offset) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base_offset() <= offset).checked_sub(1)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// For writes from memory that will be repeated later: a full disk only delays them.
fn put_off(written: Result<()>) -> Result<()> {
    match written {
        Err(error) if error.is_disk_full() => {
            tracing::warn!(%error, "waits in memory");
            Ok(())
        }
        written => written,
    }
}
