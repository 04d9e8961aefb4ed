//! Truncation: a follower removes what is not in its leader's history.

use super::{Log, Segment, replay};
use crate::disk::Access;
use crate::error::Result;
use crate::types::Offset;

impl Log {
    /// Removes everything from `offset` on. The caller must then write the checkpoints, because a
    /// recovery point above `offset` would exempt later appends from recovery.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<()> {
        assert!(offset >= 0, "{} truncated to {offset}", self.partition);
        if offset >= self.end_offset {
            self.epochs.truncate_from_end(self.end_offset);
            return Ok(());
        }
        let Some(last) = self.floor_segment(offset) else { return self.truncate_fully(offset) };
        // The producer snapshots that are written below tell that the epochs are, too.
        self.epochs.settle()?;
        self.pass(last, Access::Waiting)?;
        // If the process is killed now, they must not tell of what was truncated.
        self.producers.remove_snapshots_above(offset)?;
        let gone = self.segments.drain(last + 1..).collect();
        self.discard_for_good(gone)?;
        let now = self.now;
        self.active_mut().truncate_to(offset, now)?;
        // The recovery point may end up here, and nothing below it is checked.
        self.active().sync()?;
        self.end_at(offset);
        self.epochs.truncate_from_end(offset);
        self.log_start_offset = self.log_start_offset.min(offset);
        replay::rebuild_producers(
            &mut self.producers,
            &self.segments,
            self.log_start_offset,
            offset,
            now,
            false,
        )?;
        self.set_high_watermark(self.high_watermark);
        Ok(())
    }

    /// How often the log was truncated since it was opened.
    pub fn truncations(&self) -> u64 {
        self.truncations
    }

    /// Removes everything and begins again at `offset`.
    pub fn truncate_fully(&mut self, offset: Offset) -> Result<()> {
        let gone = std::mem::take(&mut self.segments);
        self.discard(gone)?;
        self.push_segment(offset)?;
        // Only the name of the new segment says where the log begins.
        self.disk.sync_dir(&self.dir)?;
        self.log_start_offset = offset;
        self.end_at(offset);
        self.epochs.clear()?;
        self.producers.truncate_fully(offset)?;
        self.set_high_watermark(offset);
        Ok(())
    }

    /// Removes segments durably: after a power loss they could reappear among what is appended now.
    fn discard_for_good(&mut self, segments: Vec<Segment>) -> Result<()> {
        if segments.is_empty() {
            return Ok(());
        }
        self.discard(segments)?;
        self.disk.sync_dir(&self.dir)
    }

    fn end_at(&mut self, offset: Offset) {
        self.end_offset = offset;
        self.lost_from = self.lost_from.filter(|lost| *lost < offset);
        self.truncations += 1;
        self.cut_to = self.cut_to.min(offset);
        self.recovery_point = self.recovery_point.min(offset);
        self.first_unsynced = self.first_unsynced.min(self.active_base());
        self.durable_name = self.durable_name.min(self.active_base() - 1);
    }
}
