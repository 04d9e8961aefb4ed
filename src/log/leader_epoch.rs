//! `leader-epoch-checkpoint`: the offset at which each leader epoch begins (LeaderEpochFileCache).

use super::{checkpoint, put_off};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{LeaderEpoch, Offset};
use std::cmp::Ordering;
use std::path::Path;
use std::sync::Arc;

/// The file's name in the log's directory.
pub(super) const FILE: &str = "leader-epoch-checkpoint";
/// What the file will contain once somebody waits for the disk. It counts only after the process
/// was killed and the machine went on.
pub(super) const SETTLED: &str = "leader-epoch-checkpoint.settled";
const TEMPORARY: &str = "leader-epoch-checkpoint.tmp";

/// The epochs with their start offsets, both ascending.
#[derive(Debug)]
pub(super) struct LeaderEpochs {
    disk: Disk,
    dir: Arc<Path>,
    entries: Vec<(LeaderEpoch, Offset)>,
    /// The file is outdated.
    is_unwritten: bool,
    /// The file is outdated only in the start of its first epoch, which opening the log corrects.
    is_trimmed: bool,
    /// The file `SETTLED` exists.
    is_settled: bool,
    /// The file `SETTLED` is outdated.
    is_unsettled: bool,
    /// The last epoch has no batches yet. No file needs it: the next leader would begin at the same
    /// offset.
    is_empty: bool,
}

impl LeaderEpochs {
    /// Reads the checkpoint of the log in `dir`.
    pub fn open(disk: &Disk, dir: &Arc<Path>) -> Result<LeaderEpochs> {
        let content = disk.read_file(&dir.join(FILE))?.unwrap_or_default();
        LeaderEpochs::parse(disk, dir, &content)
    }

    /// Parses this content of the checkpoint of the log in `dir`.
    pub fn parse(disk: &Disk, dir: &Arc<Path>, content: &[u8]) -> Result<LeaderEpochs> {
        let read = checkpoint::parse(&dir.join(FILE), content, |line| {
            let (epoch, offset) = line.split_once(' ')?;
            let entry: (LeaderEpoch, Offset) = (epoch.parse().ok()?, offset.parse().ok()?);
            (entry.0 >= 0 && entry.1 >= 0).then_some(entry)
        });
        let read = read.map_err(|_| {
            Error::corrupt(format!(
                "checkpoint file {}: it is damaged. Restore it from a copy; or, to do without the \
                 leader epochs of older records, move it away; then start again.",
                dir.join(FILE).display()
            ))
        })?;
        let mut epochs = LeaderEpochs {
            disk: disk.clone(),
            dir: Arc::clone(dir),
            entries: Vec::new(),
            is_unwritten: false,
            is_trimmed: false,
            is_settled: false,
            is_unsettled: false,
            is_empty: false,
        };
        for (epoch, start) in read {
            epochs.enter(epoch, start);
        }
        Ok(epochs)
    }

    /// Takes over the epochs of `other`.
    pub fn succeed(&mut self, other: &LeaderEpochs) {
        self.entries.clone_from(&other.entries);
        self.is_empty = other.is_empty;
        self.changed();
    }

    /// The latest epoch, -1 if there is none.
    pub fn latest(&self) -> LeaderEpoch {
        self.entries.last().map_or(crate::types::NO_EPOCH, |&(epoch, _)| epoch)
    }

    /// Records that a leader begins `epoch` at `start`, without a batch so far. Kafka writes this
    /// at once; here it can wait until the log is closed because no record depends on it.
    pub fn begin(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.enter(epoch, start) {
            (self.is_empty, self.is_unwritten) = (true, true);
        }
    }

    /// Records that `epoch` begins with the batch at `start`, unless that is known. Entries that
    /// contradict it are removed: the newer leader is right. The file is written when the log is
    /// settled, rolled or closed; until then recovery would find the epoch in its batches.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.enter(epoch, start) || self.is_empty {
            self.is_empty = false;
            self.changed();
        }
    }

    /// Marks both files as outdated.
    pub fn changed(&mut self) {
        (self.is_unwritten, self.is_unsettled) = (true, true);
    }

    /// `assign` without a file.
    fn enter(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        assert!(epoch >= 0 && start >= 0, "epoch {epoch} from {start}");
        if self.entries.last().is_some_and(|&(e, s)| e == epoch && s <= start) {
            return false;
        }
        while self.entries.pop_if(|(e, s)| *e >= epoch || *s >= start).is_some() {}
        self.entries.push((epoch, start));
        true
    }

    /// Records for recovery that there is a batch of `epoch` at `offset`. Only entries that contradict
    /// it are removed: they are of records that were truncated.
    pub fn found(&mut self, epoch: LeaderEpoch, offset: Offset) -> bool {
        if epoch < 0 || self.epoch_at(offset) == Some(epoch) {
            return false;
        }
        self.entries.retain(|&(e, s)| match e.cmp(&epoch) {
            Ordering::Less => s < offset,
            Ordering::Equal => s <= offset,
            Ordering::Greater => s > offset,
        });
        let at = self.entries.partition_point(|&(e, _)| e < epoch);
        if self.entries.get(at).is_none_or(|&(e, _)| e > epoch) {
            self.entries.insert(at, (epoch, offset));
        }
        true
    }

    /// The largest epoch that is not above `epoch`, and its end; None if unknown.
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if epoch < 0 {
            return None;
        }
        if epoch == self.latest() {
            return Some((epoch, log_end_offset));
        }
        let higher = self.entries.partition_point(|&(e, _)| e <= epoch);
        let &(_, end) = self.entries.get(higher)?;
        let floor = higher.checked_sub(1).map_or(epoch, |index| self.entries[index].0);
        Some((floor, end))
    }

    /// The epoch of the record at `offset`; None if unknown.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let count = self.entries.partition_point(|&(_, start)| start <= offset);
        count.checked_sub(1).map(|index| self.entries[index].0)
    }

    /// Forgets epochs that begin at or after `end`.
    pub fn truncate_from_end(&mut self, end: Offset) {
        let keep = self.entries.partition_point(|&(_, start)| start < end);
        if keep < self.entries.len() {
            self.entries.truncate(keep);
            // If the file is outdated after a crash, opening the log forgets them again.
            self.changed();
        }
    }

    /// Forgets epochs that end at or before `start`; the one that contains it then begins there.
    /// The file is written at the next opportunity, so that deleting segments does not wait for the
    /// disk.
    pub fn truncate_from_start(&mut self, start: Offset) {
        let count = self.entries.partition_point(|&(_, s)| s <= start);
        if count > 0 && (count > 1 || self.entries[0].1 != start) {
            self.entries.drain(..count - 1);
            self.entries[0].1 = start;
            self.is_trimmed = true;
        }
    }

    pub fn clear(&mut self) -> Result<()> {
        self.entries.clear();
        self.changed();
        // An entry that reappears after a crash is corrected by the batches, so a full disk may
        // delay this.
        put_off(self.write())
    }

    /// Writes the entries to `SETTLED`, without waiting for the disk.
    pub fn settle(&mut self) -> Result<()> {
        if self.is_unsettled {
            let (temporary, path) = (self.dir.join(TEMPORARY), self.dir.join(SETTLED));
            let file = self.disk.open(&temporary)?;
            file.truncate(0)?;
            file.write_at(self.text().as_bytes(), 0)?;
            self.disk.rename_unsynced(&temporary, &path)?;
            (self.is_settled, self.is_unsettled) = (true, false);
        }
        Ok(())
    }

    /// Takes over the entries that a killed process had settled.
    pub fn read_settled(&mut self) -> Result<()> {
        let content = self.disk.read_file(&self.dir.join(SETTLED))?.unwrap_or_default();
        let settled = LeaderEpochs::parse(&self.disk, &self.dir, &content)?;
        self.is_settled = true;
        // Apache Kafka may have led since then; it writes only the checkpoint.
        if settled.latest() > self.latest() {
            *self = LeaderEpochs { is_unwritten: true, is_settled: true, ..settled };
        }
        Ok(())
    }

    /// Writes the file if it is outdated.
    pub fn close(&mut self) -> Result<()> {
        self.is_unwritten |= self.is_trimmed;
        self.write()
    }

    /// Writes the file if it is outdated in more than opening the log would correct.
    pub fn write(&mut self) -> Result<()> {
        if self.is_unwritten {
            self.disk.replace_file_unsynced(&self.dir.join(FILE), self.text().as_bytes())?;
            (self.is_unwritten, self.is_unsettled) = (false, false);
            self.is_trimmed = false;
        }
        if std::mem::take(&mut self.is_settled) {
            self.disk.remove_file(&self.dir.join(SETTLED))?;
        }
        Ok(())
    }

    fn text(&self) -> String {
        checkpoint::text(self.entries.iter().map(|(epoch, start)| format!("{epoch} {start}")))
    }
}
