//! One partition's records: segments, sparse indexes, leader epochs, producer state. Synchronous;
//! whoever owns a `Log` holds its lock.
//!
//! The directory is Kafka's (UnifiedLog, LocalLog): `<topic>-<partition>` with, for each segment,
//! `<20 digits of the base offset>` and `.log`, `.index`, `.timeindex`, sometimes `.txnindex` and
//! `.snapshot`, and beside them `leader-epoch-checkpoint` and `partition.metadata`.
//!
//! What is on disk below `recovery_point` is durable. Above it everything but the batches
//! themselves is rebuilt after a crash, so nothing but the batches is ever waited for.

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
pub(crate) mod parallel;
mod partition_metadata;
mod producer_state;
mod read;
mod recall;
mod recovery;
mod replay;
mod retention;
mod scan;
mod segment;
mod succession;
pub mod throttle;
mod time_index;
mod torn;
mod transaction_index;
mod truncation;
mod versions;

#[cfg(test)]
pub(crate) mod tests;

use crate::config::TopicConfig;
use crate::disk::{Disk, FileRange};
use crate::error::{Error, Result};
use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp, TopicPartition};
pub use flush::Flush;
use kafka_protocol::error::ResponseError;
use leader_epoch::LeaderEpochs;
use names::file_name;
use producer_state::ProducerStates;
use retention::Trash;
use segment::Segment;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;
pub use versions::ScanEnd;
pub(crate) use versions::scan_log;

/// So much of a log is read again, at most, when its process was killed.
const UNSETTLED_BYTES: u64 = 256 << 10;

/// Who appends: it decides what is checked and whether offsets are given or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: offsets are given, sequences and epochs are checked.
    Client,
    /// A coordinator of this broker: offsets are given.
    Coordinator,
    /// A transaction coordinator's marker: offsets are given. Since transaction version 2 each
    /// transaction ends in an epoch of its own, so an older marker than that is refused.
    Marker {
        /// Of the client whose transaction it ends.
        transaction_version: i16,
    },
    /// A leader elsewhere: bytes and offsets are kept as they are.
    Replication,
    /// The controller: offsets and epoch are given, the batch's epoch is the quorum's.
    RaftLeader,
}

/// Why a transactional batch may begin a transaction in this log (VerificationGuard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nobody asked the coordinator, nor should.
    NotNeeded,
    /// It may not: the transaction is open here already.
    Ongoing,
    /// The coordinator has the partition in the transaction, unless this guard is outdated.
    Guard(u64),
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Time stamped on the records under LogAppendTime, else -1.
    pub append_time: Timestamp,
    /// Where the log begins.
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
    /// Whether what may be read reaches into later segments.
    pub goes_on: bool,
    /// What was to be looked at on the way and is not in the page cache; then nothing is found.
    pub missed: Option<FileRange>,
}

/// Where the last record at or after a timestamp lies (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp.
    pub timestamp: Timestamp,
    /// The record's offset.
    pub offset: Offset,
    /// The epoch of its batch, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

/// One producer as DescribeProducers shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch in its last batch or marker.
    pub producer_epoch: i16,
    /// Sequence of its last record, -1 if forgotten.
    pub last_sequence: i32,
    /// When it was last heard of.
    pub last_timestamp: Timestamp,
    /// Epoch of the coordinator that wrote its last marker, -1 if none.
    pub coordinator_epoch: i32,
    /// First offset of the open transaction, -1 if none.
    pub current_txn_start_offset: Offset,
}

/// How the process ended that had the log open before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It closed the log: nothing is to be recovered.
    Cleanly,
    /// It was killed, but the machine has run on: whatever was written is there.
    Killed,
    /// Nobody knows: what was not flushed may be gone or torn.
    Unknown,
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The topic's settings.
    pub config: Arc<TopicConfig>,
    /// From `log-start-offset-checkpoint`, 0 if absent.
    pub log_start_offset: Offset,
    /// From `recovery-point-offset-checkpoint`, 0 if absent: below it everything is on disk.
    pub recovery_point: Offset,
    /// What is known of the end of the last process.
    pub stopped: Stopped,
    /// What lies in `leader-epoch-checkpoint`, if it was read already.
    pub leader_epochs: Option<Vec<u8>>,
    /// The time.
    pub now: Timestamp,
}

/// The log of one partition (UnifiedLog).
#[derive(Debug)]
pub struct Log {
    disk: Disk,
    dir: Arc<Path>,
    partition: TopicPartition,
    /// None while `partition.metadata` is not known to be there.
    topic_id: Option<Uuid>,
    config: Arc<TopicConfig>,
    /// By base offset; never empty, the last one is active.
    segments: Vec<Segment>,
    epochs: LeaderEpochs,
    producers: ProducerStates,
    log_start_offset: Offset,
    end_offset: Offset,
    high_watermark: Offset,
    recovery_point: Offset,
    /// Base offset of the first segment that is not durable with all its indexes.
    first_unsynced: Offset,
    /// Base offset of the last segment whose name in the directory is durable, -1 if unknown.
    durable_name: Offset,
    /// Whether a power loss leaves the log's directory where it is.
    is_dir_durable: bool,
    /// Whether it leaves `partition.metadata` as it is.
    is_id_durable: bool,
    /// How the last process ended: after a clean stop what was there then is durable.
    stopped: Stopped,
    /// Nothing is appended any more, and everything is durable.
    is_closed: bool,
    /// `segment.jitter.ms` of the active segment.
    roll_jitter_ms: i64,
    /// Deleted files that wait for `file.delete.delay.ms`.
    trash: Trash,
    /// How often the end was cut: a flush or a pass of the cleaner that began before does not count.
    truncations: u64,
    /// Where the log ended when `settle` looked last.
    seen_end: Offset,
    /// Bytes of the active segment when it was settled last.
    settled_size: u64,
    /// The lowest cut that the cleaner's checkpoint does not know of.
    cut_to: Offset,
    /// The last time that a caller told.
    now: Timestamp,
}

impl Log {
    /// Opens or makes the log in `dir` (`<log dir>/<topic>-<partition>`), recovering it if needed.
    pub fn open(disk: &Disk, dir: &Path, options: OpenOptions) -> Result<Log> {
        recovery::open(disk, dir, options)
    }

    /// Writes `partition.metadata` if absent; an id that differs is INCONSISTENT_TOPIC_ID.
    pub fn set_topic_id(&mut self, topic_id: Uuid) -> Result<()> {
        self.put_topic_id(topic_id, true)
    }

    /// `set_topic_id`; unless `durable`, the caller or the first flush makes the file durable.
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
                return Err(Error::Explained(
                    ResponseError::InconsistentTopicId,
                    format!("{} holds topic id {known}, not {topic_id}", self.partition),
                ));
            }
        }
        self.topic_id = Some(topic_id);
        Ok(())
    }

    /// The partition, by the directory's name.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The log's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The topic's settings.
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// New settings take effect from the next operation on.
    pub fn set_config(&mut self, config: Arc<TopicConfig>) {
        self.producers.set_expiration(config.producer_id_expiration_ms);
        self.config = config;
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// One past the last record.
    pub fn log_end_offset(&self) -> Offset {
        self.end_offset
    }

    /// One past the last record that all in-sync replicas have.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Set by the partition, which knows the ISR; kept within [log start, log end].
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset.clamp(self.log_start_offset, self.end_offset);
        self.producers.on_high_watermark(self.high_watermark);
    }

    /// Below it no transaction is open or undecided; at most the high watermark.
    pub fn last_stable_offset(&self) -> Offset {
        let unstable = self.producers.first_unstable_offset().unwrap_or(Offset::MAX);
        unstable.max(self.log_start_offset).min(self.high_watermark)
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(Segment::size).sum()
    }

    /// Epoch of the last record, -1 if none.
    pub fn latest_epoch(&self) -> LeaderEpoch {
        self.epochs.latest()
    }

    /// Where the greatest epoch <= `epoch` ends: (that epoch, its end); None if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.end_offset)
    }

    /// Epoch of the record at `offset`, -1 if unknown, for ListOffsets.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.epoch_at(offset).unwrap_or(crate::types::NO_EPOCH)
    }

    /// A new leader begins at the log's end, data or not.
    pub fn assign_epoch_start(&mut self, epoch: LeaderEpoch) -> Result<()> {
        self.epochs.begin(epoch, self.end_offset);
        Ok(())
    }

    /// A producer is about to ask its coordinator whether this partition is in its transaction, of
    /// which `sequence` is the first record here; `adds` if the coordinator is to add it. The
    /// answer goes with the append. INVALID_PRODUCER_EPOCH if there is a newer producer.
    pub fn start_verification(
        &mut self,
        producer: ProducerId,
        epoch: i16,
        sequence: i32,
        adds: bool,
        now: Timestamp,
    ) -> Result<Verification> {
        self.producers.start_verification(producer, epoch, sequence, adds, now)
    }

    /// The producers that are remembered.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        self.producers.active()
    }

    /// Below it everything is durable.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// The recovery point as the checkpoint has it. While the log's end is durable it stays one
    /// below: if the next append rolls, the indexes of the segment that ends there are not yet, and
    /// a crash must find that segment to be one that is looked at.
    fn recovery_checkpoint(&self) -> Offset {
        let is_end = self.recovery_point == self.end_offset;
        let is_open = is_end && self.end_offset > self.active_base() && !self.is_closed;
        self.recovery_point - Offset::from(is_open)
    }

    /// Flushes, writes the producer snapshot and the indexes, removes deleted files. Nothing may
    /// be appended after it.
    pub fn close(&mut self) -> Result<()> {
        self.release_room()?;
        self.flush()?;
        self.producers.take_snapshot()?;
        self.active_mut().seal()?;
        self.epochs.close()?;
        if self.stopped != Stopped::Cleanly || self.producers.is_snapshot_new() {
            // A clean stop says that none of this needs to be looked at.
            self.producers.sync_snapshot()?;
            self.active().sync()?;
            self.disk.sync_dir(&self.dir)?;
        }
        self.is_closed = true;
        self.trash.empty(&self.disk)
    }

    /// Writes into their files, without waiting for the disk, the indexes, the epochs and, as a
    /// sign that the rest is there, a snapshot of the producers, if nothing was appended since the
    /// last call or much since the last writing. A process that is killed leaves little to be
    /// rebuilt then, and a silent log keeps little in memory. Indexes that were seen to lie are made
    /// anew.
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

    /// Whether `settle` has nothing to do before something is appended.
    pub fn is_settled(&self) -> bool {
        !self.producers.is_ahead() && !self.segments.iter().any(Segment::lies)
    }

    /// Whether an index of the segment that may hold `offset` was seen not to fit it, and is to be
    /// made anew by `settle`.
    pub fn has_lying_index(&self, offset: Offset) -> bool {
        self.floor_segment(offset).is_some_and(|at| self.segments[at].lies())
    }

    fn mend_indexes(&mut self) -> Result<()> {
        let (count, interval) = (self.segments.len(), self.config.index_interval_bytes as u64);
        for (at, segment) in self.segments.iter_mut().enumerate().filter(|(_, s)| s.lies()) {
            segment.mend(interval)?;
            if at + 1 < count {
                put_off(segment.seal())?;
            }
        }
        Ok(())
    }

    /// Writes a snapshot of the producers; the one before goes if it was `settle`'s.
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

    /// Index of the segment that may hold `offset`: the last one that begins at or below it.
    fn floor_segment(&self, offset: Offset) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base_offset() <= offset).checked_sub(1)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// For what is in memory and is written again later: a full disk only delays it.
fn put_off(written: Result<()>) -> Result<()> {
    match written {
        Err(error) if error.is_disk_full() => {
            tracing::warn!(%error, "waits in memory");
            Ok(())
        }
        written => written,
    }
}
