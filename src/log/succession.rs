//! A log that will replace another one from a different log directory (a future replica): how it
//! gets that log's batches, and what else has to be handed over.

use super::{Log, Origin};
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::{Isolation, LeaderEpoch, NO_EPOCH, Offset, Timestamp};
use bytes::Bytes;

impl Log {
    /// Truncates this log to the history that it shares with `current`, which ended at `end` when
    /// it was opened: `current` may have lost in a crash what this log has.
    pub fn agree_with(&mut self, current: &Log, end: Offset) -> Result<()> {
        if end < self.end_offset {
            self.truncate_to(end)?;
        }
        while self.size() > 0 {
            let epoch = self.latest_epoch();
            let shared = match current.end_offset_for_epoch(epoch) {
                Some((floor, end)) if floor == epoch => end,
                Some((floor, end)) => self.end_of_epoch(floor).min(end),
                None => self.segments[0].base_offset(),
            };
            let shared = shared.min(current.log_end_offset());
            if shared >= self.end_offset {
                break;
            }
            self.truncate_to(shared)?;
        }
        self.agree_on_last(current)
    }

    /// Truncates this log until its last batch equals that of `current`. Epochs alone do not show
    /// that `current` lost records in a power loss and its leader wrote others in the same epoch.
    fn agree_on_last(&mut self, current: &Log) -> Result<()> {
        while self.size() > 0
            && self.end_offset > self.log_start_offset.max(current.log_start_offset)
        {
            let last = self.end_offset - 1;
            let (ours, theirs) = (self.batch_at(last)?, current.batch_at(last)?);
            let same = |batch: &Batch| (batch.base_offset(), batch.last_offset(), batch.checksum());
            let Some(batch) = ours.filter(|ours| theirs.as_ref().map(same) != Some(same(ours)))
            else {
                break;
            };
            self.truncate_to(batch.base_offset())?;
        }
        Ok(())
    }

    /// The batch that contains `offset`; None if it was compacted away.
    fn batch_at(&self, offset: Offset) -> Result<Option<Batch>> {
        let read = self.read(offset, 1, Isolation::LogEnd, true)?;
        let Some(range) = read.ranges.first() else { return Ok(None) };
        let batch = Batch::split_stored(&mut range.read()?)?;
        Ok(Some(batch).filter(|batch| batch.base_offset() <= offset))
    }

    fn end_of_epoch(&self, epoch: LeaderEpoch) -> Offset {
        let first = self.segments[0].base_offset();
        self.end_offset_for_epoch(epoch).map_or(first, |(_, end)| end)
    }

    /// The next batches of `current` that this log lacks, about `max_bytes` bytes; None if it has
    /// all. [`Log::take`] appends them, without the lock of `current`.
    pub fn lacks(&mut self, current: &Log, max_bytes: usize) -> Result<Option<super::Read>> {
        if self.end_offset < current.log_start_offset() {
            self.truncate_fully(current.log_start_offset())?;
        }
        if self.end_offset >= current.log_end_offset() {
            return Ok(None);
        }
        let read = current.read(self.end_offset, max_bytes, Isolation::LogEnd, true)?;
        if read.bytes == 0 {
            // Compaction left nothing up to the end.
            self.skip_to(current.log_end_offset())?;
            return Ok(None);
        }
        Ok(Some(read))
    }

    /// Appends batches of the current log unchanged.
    pub fn take(&mut self, mut bytes: Bytes, now: Timestamp) -> Result<()> {
        let (mut batches, mut size) = (Vec::new(), 0);
        while !bytes.is_empty() {
            let batch = Batch::split_stored(&mut bytes)?;
            if !batch.checksum_holds() {
                return Err(Error::corrupt(format!(
                    "batch at offset {} of {}",
                    batch.base_offset(),
                    self.partition
                )));
            }
            if self.size() == 0 && batches.is_empty() && batch.base_offset() < self.end_offset {
                // The log start offset is within this batch.
                self.truncate_fully(batch.base_offset())?;
            }
            if size + batch.size() > self.config.segment_bytes as usize {
                self.append(std::mem::take(&mut batches), NO_EPOCH, Origin::Replication, now)?;
                size = 0;
            }
            size += batch.size();
            batches.push(batch);
        }
        self.append(batches, NO_EPOCH, Origin::Replication, now)?;
        self.set_high_watermark(self.end_offset);
        Ok(())
    }

    /// Moves the log end up to `offset`, without records in between.
    fn skip_to(&mut self, offset: Offset) -> Result<()> {
        if self.size() == 0 {
            return self.truncate_fully(offset);
        }
        self.roll_at(offset)?;
        self.end_offset = offset;
        self.set_high_watermark(offset);
        Ok(())
    }

    /// Takes over the epochs of `current`, makes everything durable and closes this log.
    pub(super) fn close_as_heir(&mut self, current: &Log) -> Result<()> {
        assert!(self.end_offset == current.end_offset, "{} is behind", self.partition);
        self.epochs.succeed(&current.epochs);
        self.close()
    }

    /// Takes over what batches do not contain: producers that only `old` remembers, open
    /// verifications and the high watermark. A flush or cleaner pass that began on `old` does not
    /// count here.
    pub(super) fn succeed(&mut self, old: &mut Log) {
        self.producers.succeed(&mut old.producers);
        self.set_high_watermark(old.high_watermark);
        self.truncations = old.truncations + 1;
        self.cut_to = old.cut_to;
        self.cleaned_below = old.cleaned_below;
    }
}
