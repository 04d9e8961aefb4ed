//! What a log knows of each producer: sequences, epochs, open transactions
//! (ProducerStateManager, ProducerAppendInfo).

mod entry;
mod snapshot;
mod verification;

use super::file_name;
use super::{Origin, Verification};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::{Offset, ProducerId, Timestamp};
use entry::{Entry, Marker};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use verification::Verifications;

/// End of a snapshot's name.
pub(super) const SNAPSHOT: &str = ".snapshot";

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

/// The last record of a producer, as compaction must keep it (LastRecord).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastRecord {
    /// Last offset of its last batch; None if only a marker of it is known.
    pub data_offset: Option<Offset>,
    pub producer_epoch: i16,
}

/// What an append will change, once it is written.
#[derive(Debug, Default)]
pub(super) struct Staged {
    entries: Vec<(ProducerId, Entry)>,
    started: Vec<(Offset, ProducerId)>,
    completed: Vec<Completed>,
    /// Of transactional batches: producer, epoch, and whether it is a marker.
    transactional: Vec<(ProducerId, i16, bool)>,
}

/// The producers of one log up to an offset.
#[derive(Debug)]
pub(super) struct ProducerStates {
    disk: Disk,
    dir: Arc<Path>,
    expiration_ms: i64,
    entries: HashMap<ProducerId, Entry>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended ones whose marker is not below the high watermark yet: first offset to marker.
    unreplicated: BTreeMap<Offset, Offset>,
    verifications: Verifications,
    /// Offsets of the snapshots on disk.
    snapshots: BTreeSet<Offset>,
    end: Offset,
    snapshot_end: Offset,
    /// The last snapshot was written since the log was opened.
    is_snapshot_new: bool,
    /// Below here a snapshot has told of each producer's last batch, and nobody has read the log for
    /// those before.
    untold: Option<Offset>,
}

impl ProducerStates {
    /// No producers; `snapshots` are those that lie in `dir`.
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

    /// Producers are forgotten that long after their last batch, in milliseconds.
    pub fn set_expiration(&mut self, expiration_ms: i64) {
        self.expiration_ms = expiration_ms;
    }

    /// Takes over all that `other` knows; both end at the same offset.
    pub fn succeed(&mut self, other: &mut ProducerStates) {
        assert!(self.end == other.end, "{} is not {}", self.end, other.end);
        std::mem::swap(&mut self.entries, &mut other.entries);
        std::mem::swap(&mut self.open, &mut other.open);
        std::mem::swap(&mut self.unreplicated, &mut other.unreplicated);
        std::mem::swap(&mut self.verifications, &mut other.verifications);
        std::mem::swap(&mut self.untold, &mut other.untold);
    }

    /// Checks `batches`, whose offsets are given, against what is known. Nothing changes before
    /// `commit`. A client's repeated batch is `Error::Duplicate`; gaps in sequences, old epochs
    /// and fenced coordinators are errors unless a leader elsewhere has accepted them, and so is
    /// a transaction that begins without the right `verification`.
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

    /// Takes over what `check` staged. Answers the transactions that ended; `complete` each.
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
        producer: ProducerId,
        epoch: i16,
        sequence: i32,
        adds: bool,
        now: Timestamp,
    ) -> Result<Verification> {
        let known = self.entries.get(&producer);
        entry::check_epoch(known, producer, epoch, Origin::Client)?;
        if known.is_some_and(|entry| entry.has_open_transaction(epoch)) {
            return Ok(Verification::Ongoing);
        }
        let guard = self.verifications.start(producer, epoch, sequence, adds, now);
        Ok(Verification::Guard(guard))
    }

    /// Moves an ended transaction from the open to the unreplicated ones. Answers the offset below
    /// which everything is decided now, as the transaction index notes it.
    pub fn complete(&mut self, completed: &Completed) -> Offset {
        // What came with the same append may have begun others behind the marker.
        let mut before = self.open.range(..completed.last_offset);
        let other = before.find(|(_, id)| **id != completed.producer_id);
        let stable = other
            .map_or(completed.last_offset.saturating_add(1), |(&first_offset, _)| first_offset);
        self.open.remove(&completed.first_offset);
        self.unreplicated.insert(completed.first_offset, completed.last_offset);
        stable
    }

    /// First offset of the earliest transaction that is open or whose end is not replicated.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        open.into_iter().chain(unreplicated).min().copied()
    }

    /// Markers below the high watermark count from now on.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// Every producer as DescribeProducers shows it.
    pub fn active(&self) -> Vec<super::ActiveProducer> {
        self.entries.iter().map(|(&id, entry)| entry.describe(id)).collect()
    }

    /// The last record of every producer.
    pub fn last_records(&self) -> HashMap<ProducerId, LastRecord> {
        let last = |entry: &Entry| LastRecord {
            data_offset: entry.last_batch().map(|batch| batch.last_offset),
            producer_epoch: entry.epoch,
        };
        self.entries.iter().map(|(&id, entry)| (id, last(entry))).collect()
    }

    /// Up to which offset the batches are known.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The batches up to `end` are known.
    pub fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unreplicated.is_empty()
    }

    /// Whether there is any snapshot.
    pub fn has_snapshots(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// Forgets producers without an open transaction that were silent for
    /// `producer.id.expiration.ms`.
    pub fn expire(&mut self, now: Timestamp) {
        let expiration_ms = self.expiration_ms;
        self.entries.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        self.verifications.expire(now, expiration_ms);
    }

    /// Offset of the last snapshot.
    pub fn snapshot_end(&self) -> Offset {
        self.snapshot_end
    }

    /// Whether a snapshot would tell more than the last one.
    pub fn is_ahead(&self) -> bool {
        self.end > self.snapshot_end
    }

    /// Whether the last snapshot may be gone after a power loss.
    pub fn is_snapshot_new(&self) -> bool {
        self.is_snapshot_new
    }

    /// Makes the bytes of the last snapshot durable, not its name.
    pub fn sync_snapshot(&self) -> Result<()> {
        let last = self.snapshots.last();
        last.map_or(Ok(()), |&at| self.disk.sync_file(&self.dir.join(file_name(at, SNAPSHOT))))
    }

    /// Writes a snapshot of what is known, unless there is one at this offset or later.
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

    /// Loads the latest good snapshot in (log start, `end`]; later and earlier ones are removed.
    /// The caller replays the log from `end()` on.
    pub fn truncate_and_reload(
        &mut self,
        log_start_offset: Offset,
        end: Offset,
        now: Timestamp,
    ) -> Result<()> {
        for &offset in self.snapshots.clone().iter() {
            if offset > end || offset <= log_start_offset {
                self.remove_snapshot(offset)?;
            }
        }
        if end == self.end {
            self.advance_log_start(log_start_offset);
            return Ok(());
        }
        self.clear();
        while let Some(&offset) = self.snapshots.last() {
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

    /// Where the log is to be read for what a snapshot did not tell; asked once.
    pub fn take_untold(&mut self) -> Option<Offset> {
        self.untold.take()
    }

    /// Enters a batch that the log has and a snapshot did not tell of, the later ones first.
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

    /// Forgets everything; the log begins anew at `offset`.
    pub fn truncate_fully(&mut self, offset: Offset) -> Result<()> {
        self.clear();
        for offset in std::mem::take(&mut self.snapshots) {
            self.disk.remove_file(&self.dir.join(file_name(offset, SNAPSHOT)))?;
        }
        (self.end, self.snapshot_end) = (offset, 0);
        Ok(())
    }

    /// The log begins at `log_start_offset` now.
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

    /// The caller takes care of the snapshot's file.
    pub fn forget_snapshot(&mut self, offset: Offset) {
        self.snapshots.remove(&offset);
    }

    /// Removes the snapshots below `first`, where the log begins: of producers that wrote in between
    /// they tell what is no longer true.
    pub fn remove_outdated_snapshots(&mut self, first: Offset) -> Result<()> {
        let outdated: Vec<Offset> = self.snapshots.range(..first).copied().collect();
        outdated.into_iter().try_for_each(|offset| self.remove_snapshot(offset))
    }

    /// Removes the snapshots that belong to no segment's begin, but for the latest if it lies
    /// behind all of them: that one was taken at the end of the log.
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
