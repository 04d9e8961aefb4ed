//! What a log knows of each producer: sequence numbers, epochs, open transactions
//! (ProducerStateManager, ProducerAppendInfo).

mod entry;
mod snapshot;
mod verification;

use super::file_name;
use super::{Origin, Verification, VerificationRequest};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::{Offset, ProducerId, Timestamp};
use entry::{Marker, ProducerEntry};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use verification::Verifications;

/// Suffix of a snapshot's name.
pub(super) const SNAPSHOT: &str = ".snapshot";

/// The offset that a producer snapshot with this file name reaches; None if it is another file.
pub fn producer_snapshot_offset(name: &str) -> Option<Offset> {
    super::names::parse_file_name(name, SNAPSHOT)
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completed {
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its marker.
    pub last_offset: Offset,
    pub aborted: bool,
}

/// The last record of a producer, which compaction must keep (LastRecord).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastRecord {
    /// The last offset of its last batch; None if only a marker of it is known.
    pub data_offset: Option<Offset>,
    pub producer_epoch: i16,
}

/// The changes of an append, to be committed once it is written.
#[derive(Debug, Default)]
pub(super) struct Staged {
    entries: Vec<(ProducerId, ProducerEntry)>,
    started: Vec<(Offset, ProducerId)>,
    completed: Vec<Completed>,
    /// The transactional batches: producer id, producer epoch, whether it is a marker.
    transactional: Vec<(ProducerId, i16, bool)>,
}

/// The state of a log's producers up to an offset.
#[derive(Debug)]
pub(super) struct ProducerStates {
    disk: Disk,
    dir: Arc<Path>,
    expiration_ms: i64,
    entries: HashMap<ProducerId, ProducerEntry>,
    /// Open transactions by first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended transactions whose marker is not yet below the high watermark: first offset -> marker.
    unreplicated: BTreeMap<Offset, Offset>,
    verifications: Verifications,
    /// Offsets of the snapshots on disk.
    snapshots: BTreeSet<Offset>,
    end: Offset,
    snapshot_end: Offset,
    /// Whether the last snapshot was written since the log was opened.
    is_snapshot_new: bool,
    /// Set if the state comes from a snapshot, which has only each producer's last batch, and the
    /// log was not yet searched below this offset for the earlier ones.
    untold: Option<Offset>,
}

impl ProducerStates {
    /// A state without producers; `snapshots` are the offsets of the snapshots in `dir`.
    pub fn new(
        disk: &Disk,
        dir: &Arc<Path>,
        expiration_ms: i64,
        snapshots: BTreeSet<Offset>,
    ) -> ProducerStates {
        ProducerStates {
            disk: disk.clone(),
            dir: dir.clone(),
            expiration_ms,
            entries: HashMap::new(),
            open: BTreeMap::new(),
            unreplicated: BTreeMap::new(),
            verifications: Verifications::default(),
            snapshots,
            end: 0,
            snapshot_end: 0,
            is_snapshot_new: false,
            untold: None,
        }
    }

    /// Sets how long after their last batch producers are forgotten, in milliseconds.
    pub fn set_expiration(&mut self, expiration_ms: i64) {
        self.expiration_ms = expiration_ms;
    }

    /// Takes over everything that `other` knows; both end at the same offset.
    pub fn succeed(&mut self, other: &mut ProducerStates) {
        assert!(self.end == other.end, "{} is not {}", self.end, other.end);
        std::mem::swap(&mut self.entries, &mut other.entries);
        std::mem::swap(&mut self.open, &mut other.open);
        std::mem::swap(&mut self.unreplicated, &mut other.unreplicated);
        std::mem::swap(&mut self.verifications, &mut other.verifications);
        std::mem::swap(&mut self.untold, &mut other.untold);
    }

    /// Checks `batches`, whose offsets are assigned, against the state. Nothing changes before
    /// `commit`. A client's duplicate batch is `Error::Duplicate`. Unless another leader already
    /// accepted them, gaps in sequence numbers, old epochs and fenced coordinators are errors, and
    /// so is a transaction that begins without the right `verification`.
    pub fn check(
        &self,
        batches: &[Batch],
        origin: Origin,
        verification: Verification,
    ) -> Result<Staged> {
        let mut staged = Staged::default();
        for batch in batches.iter().filter(|batch| batch.has_producer_id()) {
            self.check_batch(batch, origin, verification, &mut staged)?;
        }
        Ok(staged)
    }

    fn check_batch(
        &self,
        batch: &Batch,
        origin: Origin,
        verification: Verification,
        staged: &mut Staged,
    ) -> Result<()> {
        let producer_id = batch.producer_id();
        let known = self.entries.get(&producer_id);
        if origin == Origin::Client
            && let Some(earlier) = known.and_then(|entry| entry.duplicate_of(batch))
        {
            return Err(Error::Duplicate {
                base_offset: earlier.last_offset.saturating_sub(earlier.offset_delta.into()),
                append_time: earlier.timestamp,
            });
        }
        if batch.is_transactional() {
            let (epoch, is_marker) = (batch.producer_epoch(), batch.is_control());
            if !is_marker && !known.is_some_and(|entry| entry.has_open_transaction(epoch)) {
                entry::check_epoch(known, producer_id, epoch, origin)?;
                self.verifications.check(batch, verification)?;
            }
            staged.transactional.push((producer_id, epoch, is_marker));
        }
        let at = match staged.entries.iter().position(|(id, _)| *id == producer_id) {
            Some(at) => at,
            None => {
                staged.entries.push((producer_id, known.cloned().unwrap_or_default()));
                staged.entries.len() - 1
            }
        };
        let entry = &mut staged.entries[at].1;
        if batch.is_control() {
            let Some(marker) = Marker::decode(batch)? else { return Ok(()) };
            let first_offset = entry.end_transaction(&marker, batch, origin)?;
            staged.completed.extend(first_offset.map(|first_offset| Completed {
                producer_id,
                first_offset,
                last_offset: batch.base_offset(),
                aborted: marker.abort,
            }));
            return Ok(());
        }
        if origin == Origin::Client
            && let Some(asked) = self.verifications.get(producer_id)
        {
            asked.check_sequence(batch, known.is_some_and(|entry| entry.last_batch().is_some()))?;
        }
        if let Some(first_offset) = entry.append(batch, origin)? {
            staged.started.push((first_offset, producer_id));
        }
        Ok(())
    }

    /// Applies what `check` staged. Returns the transactions that ended; call `complete` for each.
    pub fn commit(&mut self, staged: Staged) -> Vec<Completed> {
        self.entries.extend(staged.entries);
        self.open.extend(staged.started);
        for (producer_id, epoch, is_marker) in staged.transactional {
            self.verifications.appended(producer_id, epoch, is_marker);
        }
        staged.completed
    }

    /// See `Log::start_verification`.
    pub fn start_verification(
        &mut self,
        asked: VerificationRequest,
        now: Timestamp,
    ) -> Result<Verification> {
        let known = self.entries.get(&asked.producer_id);
        entry::check_epoch(known, asked.producer_id, asked.producer_epoch, Origin::Client)?;
        if known.is_some_and(|entry| entry.has_open_transaction(asked.producer_epoch)) {
            return Ok(Verification::Ongoing);
        }
        Ok(Verification::Guard(self.verifications.start(asked, now)))
    }

    /// Moves an ended transaction from the open ones to the unreplicated ones. Returns the last
    /// stable offset, which goes into the transaction index.
    pub fn complete(&mut self, completed: &Completed) -> Offset {
        // Later batches of the same append may have begun transactions after the marker.
        let mut before = self.open.range(..completed.last_offset);
        let other = before.find(|(_, id)| **id != completed.producer_id);
        let stable = other
            .map_or(completed.last_offset.saturating_add(1), |(&first_offset, _)| first_offset);
        self.open.remove(&completed.first_offset);
        self.unreplicated.insert(completed.first_offset, completed.last_offset);
        stable
    }

    /// The first offset of the earliest transaction that is open or not yet replicated.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        open.into_iter().chain(unreplicated).min().copied()
    }

    /// Forgets ended transactions whose marker is below the high watermark.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// The producers as DescribeProducers shows them.
    pub fn active(&self) -> Vec<super::ActiveProducer> {
        self.entries.iter().map(|(&id, entry)| entry.describe(id)).collect()
    }

    /// The last record of each producer.
    pub fn last_records(&self) -> HashMap<ProducerId, LastRecord> {
        let last = |entry: &ProducerEntry| LastRecord {
            data_offset: entry.last_batch().map(|batch| batch.last_offset),
            producer_epoch: entry.epoch,
        };
        self.entries.iter().map(|(&id, entry)| (id, last(entry))).collect()
    }

    /// The offset up to which the log's batches are included.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Sets the offset up to which the log's batches are included.
    pub fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unreplicated.is_empty()
    }

    /// Whether there are snapshots on disk.
    pub fn has_snapshots(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// The offset of the newest snapshot on disk, 0 if there is none.
    pub fn newest_snapshot(&self) -> Offset {
        self.snapshots.last().copied().unwrap_or(0)
    }

    /// Forgets producers without an open transaction that were idle for
    /// `producer.id.expiration.ms`.
    pub fn expire(&mut self, now: Timestamp) {
        let expiration_ms = self.expiration_ms;
        self.entries.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        self.verifications.expire(now, expiration_ms);
    }

    /// The offset of the last snapshot.
    pub fn snapshot_end(&self) -> Offset {
        self.snapshot_end
    }

    /// Whether a snapshot taken now would be newer than the last one.
    pub fn is_ahead(&self) -> bool {
        self.end > self.snapshot_end
    }

    /// Whether a power loss may remove the last snapshot.
    pub fn is_snapshot_new(&self) -> bool {
        self.is_snapshot_new
    }

    /// Makes the content of the last snapshot durable, but not its name.
    pub fn sync_snapshot(&self) -> Result<()> {
        let last = self.snapshots.last();
        last.map_or(Ok(()), |&at| self.disk.sync_file(&self.dir.join(file_name(at, SNAPSHOT))))
    }

    /// Writes a snapshot, unless there is one at this offset or above.
    pub fn take_snapshot(&mut self) -> Result<()> {
        if !self.is_ahead() {
            return Ok(());
        }
        let path = self.dir.join(file_name(self.end, SNAPSHOT));
        let write = || {
            let file = self.disk.open(&path)?;
            file.truncate(0)?;
            file.write_at(&snapshot::encode(&self.entries), 0)
        };
        write().inspect_err(|_| drop(self.disk.remove_file(&path)))?;
        self.snapshots.insert(self.end);
        (self.snapshot_end, self.is_snapshot_new) = (self.end, true);
        Ok(())
    }

    /// Loads the latest valid snapshot above the log start offset and not above `end`. The caller then
    /// replays the log from `end()` on.
    pub fn reload(&mut self, log_start_offset: Offset, end: Offset, now: Timestamp) -> Result<()> {
        self.remove_snapshots(..=log_start_offset)?;
        if end == self.end {
            self.advance_log_start(log_start_offset);
            return Ok(());
        }
        self.clear();
        while let Some(&offset) = self.snapshots.range(..=end).next_back() {
            let path = self.dir.join(file_name(offset, SNAPSHOT));
            let bytes = self.disk.read_file(&path)?.unwrap_or_default();
            let Some(entries) = snapshot::decode(&bytes) else {
                tracing::warn!(path = %path.display(), "dropped a broken producer snapshot");
                self.remove_snapshot(offset)?;
                continue;
            };
            let expiration_ms = self.expiration_ms;
            self.entries
                .extend(entries.into_iter().filter(|(_, e)| !e.is_expired(now, expiration_ms)));
            let open =
                self.entries.iter().filter_map(|(id, e)| Some((e.transaction_start()?, *id)));
            self.open.extend(open);
            (self.end, self.snapshot_end) = (offset, offset);
            self.untold = Some(offset);
            return Ok(());
        }
        (self.end, self.snapshot_end) = (log_start_offset, log_start_offset);
        Ok(())
    }

    /// Returns, once, the offset below which the log has batches that the snapshot lacked.
    pub fn take_untold(&mut self) -> Option<Offset> {
        self.untold.take()
    }

    /// Enters a batch that the snapshot lacked. Later batches must come first.
    pub fn recall(&mut self, batch: &Batch) {
        if let Some(entry) = self.entries.get_mut(&batch.producer_id()) {
            entry.recall(batch);
        }
    }

    fn clear(&mut self) {
        self.untold = None;
        self.entries.clear();
        self.open.clear();
        self.unreplicated.clear();
    }

    /// Forgets everything; the log begins again at `offset`.
    pub fn truncate_fully(&mut self, offset: Offset) -> Result<()> {
        self.clear();
        for offset in std::mem::take(&mut self.snapshots) {
            self.disk.remove_file(&self.dir.join(file_name(offset, SNAPSHOT)))?;
        }
        (self.end, self.snapshot_end) = (offset, 0);
        Ok(())
    }

    /// Adapts the state to a higher log start offset.
    pub fn advance_log_start(&mut self, log_start_offset: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= log_start_offset);
        self.end = self.end.max(log_start_offset);
        self.snapshot_end = self.snapshots.last().copied().unwrap_or(log_start_offset);
    }

    /// Removes the snapshot at `offset`, if there is one.
    pub fn remove_snapshot(&mut self, offset: Offset) -> Result<()> {
        if self.snapshots.remove(&offset) {
            self.disk.remove_file(&self.dir.join(file_name(offset, SNAPSHOT)))?;
        }
        Ok(())
    }

    /// Forgets a snapshot; the caller deals with its file.
    pub fn forget_snapshot(&mut self, offset: Offset) {
        self.snapshots.remove(&offset);
    }

    /// Removes the snapshots in a range of offsets.
    pub fn remove_snapshots(&mut self, range: impl RangeBounds<Offset>) -> Result<()> {
        let outdated: Vec<Offset> = self.snapshots.range(range).copied().collect();
        outdated.into_iter().try_for_each(|offset| self.remove_snapshot(offset))
    }

    /// Removes the snapshots above `offset`.
    pub fn remove_snapshots_above(&mut self, offset: Offset) -> Result<()> {
        self.remove_snapshots((Bound::Excluded(offset), Bound::Unbounded))
    }

    /// Removes snapshots that are not at the beginning of a segment, except the latest one if it
    /// follows all segment beginnings: it was taken at the end of the log.
    pub fn remove_stray_snapshots(&mut self, base_offsets: &BTreeSet<Offset>) -> Result<()> {
        let last_base = base_offsets.last().copied().unwrap_or(Offset::MAX);
        let strays: Vec<Offset> = self.snapshots.difference(base_offsets).copied().collect();
        for &offset in &strays {
            if Some(&offset) != strays.last() || offset < last_base {
                self.remove_snapshot(offset)?;
            }
        }
        Ok(())
    }
}

fn refused(code: ResponseError, message: String) -> Error {
    Error::Explained(code, message)
}
