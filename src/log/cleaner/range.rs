//! How dirty a log is, and which part of it can be cleaned (LogCleanerManager.cleanableOffsets,
//! LogToClean).

use crate::error::Result;
use crate::log::Log;
use crate::log::segment::Segment;
use crate::types::{Offset, Timestamp};

/// The part of a log whose keys a pass would read: `first_dirty..end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    /// Everything below this offset was cleaned before.
    pub first_dirty: Offset,
    /// The base offset of the first segment that must not be cleaned.
    pub end: Offset,
    /// Size of the segments below `first_dirty`, in bytes.
    pub clean_bytes: u64,
    /// Size of the segments in the range, in bytes.
    pub dirty_bytes: u64,
    /// A dirty record is older than `max.compaction.lag.ms`.
    pub is_overdue: bool,
    /// The checkpoint did not match this log.
    pub is_reset: bool,
}

impl Range {
    /// The dirty part of the bytes, from 0 to 1.
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// Whether a pass is due.
    pub fn is_due(&self, min_ratio: f64) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.ratio() > min_ratio)
    }
}

impl Log {
    /// What can be cleaned now, if the log is clean below `checkpoint`.
    pub(super) fn cleanable(&self, checkpoint: Option<Offset>, now: Timestamp) -> Result<Range> {
        let known = self.log_start_offset..=self.end_offset;
        let checkpoint = checkpoint.unwrap_or(self.log_start_offset);
        let is_reset = !known.contains(&checkpoint);
        let first_dirty = if is_reset { self.log_start_offset } else { checkpoint };
        let mut bound = self.last_stable_offset().min(self.active_base());
        if let Some(offset) = self.first_too_young(first_dirty, now)? {
            bound = bound.min(offset);
        }
        let end = self.base_of_uncleanable(bound.max(first_dirty));
        Ok(Range {
            first_dirty,
            end,
            clean_bytes: bytes(self.segments_in(Offset::MIN, first_dirty)),
            dirty_bytes: bytes(self.segments_in(first_dirty, end)),
            is_overdue: self.is_overdue(first_dirty, now)?,
            is_reset,
        })
    }

    /// The segments from the one that contains `from` on that begin below `to`.
    pub(super) fn segments_in(&self, from: Offset, to: Offset) -> &[Segment] {
        let first = self.floor_segment(from).unwrap_or(0);
        let end = self.segments.partition_point(|segment| segment.base_offset() < to);
        if from < to { &self.segments[first.min(end)..end] } else { &[] }
    }

    /// The sealed segments from the one that contains `from` on.
    fn sealed_from(&self, from: Offset) -> &[Segment] {
        self.segments_in(from, self.active_base())
    }

    /// The base offset of the segment that contains `bound`, because segments are cleaned whole.
    fn base_of_uncleanable(&self, bound: Offset) -> Offset {
        self.sealed_from(bound).first().map_or(self.active_base(), Segment::base_offset)
    }

    /// The base offset of the first dirty segment with a record that `min.compaction.lag.ms`
    /// protects.
    fn first_too_young(&self, first_dirty: Offset, now: Timestamp) -> Result<Option<Offset>> {
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms <= 0 {
            return Ok(None);
        }
        for segment in self.sealed_from(first_dirty) {
            if segment.largest_timestamp()? > now.saturating_sub(lag_ms) {
                return Ok(Some(segment.base_offset()));
            }
        }
        Ok(None)
    }

    fn is_overdue(&self, first_dirty: Offset, now: Timestamp) -> Result<bool> {
        let oldest_allowed = now.saturating_sub(self.config.max_compaction_lag_ms.max(0));
        if oldest_allowed <= 0 {
            // By default nothing is ever overdue, and that must not cost a look at each segment.
            return Ok(false);
        }
        for segment in self.sealed_from(first_dirty) {
            let first = segment.first_timestamp()?;
            if first.is_some_and(|timestamp| timestamp > 0 && timestamp < oldest_allowed) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn bytes(segments: &[Segment]) -> u64 {
    segments.iter().map(Segment::size).sum()
}
