//! What a snapshot of producers does not tell: Kafka's format has the last batch of each, and a
//! client that saw no answers sends up to five again. The log has them all. It is read when a
//! client's batch does not follow, so that a start costs nothing.

use super::Log;
use super::segment::{Lookup, Segment};
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::Offset;

/// So much of the log before the snapshot is read: what was on its way at a stop lies there.
const TAIL_BYTES: u64 = 16 << 20;

impl Log {
    /// Learns of the earlier batches of the producers whose last one a snapshot told. Answers
    /// whether there may be something new.
    pub(super) fn recall_producers(&mut self) -> Result<bool> {
        let Some(end) = self.producers.take_untold() else { return Ok(false) };
        let mut left = TAIL_BYTES;
        for segment in self.segments.iter().rev().filter(|segment| segment.base_offset() < end) {
            let (read, batches) = match tail_of(segment, end, left) {
                Ok(found) => found,
                // Whoever reads the records is told.
                Err(Error::Corrupt { .. }) => break,
                Err(error) => return Err(error),
            };
            batches.iter().rev().for_each(|batch| self.producers.recall(batch));
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
        Ok(true)
    }
}

/// The producers' batches in about the last `bytes` of a segment before the offset `end`, and how
/// many bytes that were.
fn tail_of(segment: &Segment, end: Offset, bytes: u64) -> Result<(u64, Vec<Batch>)> {
    let until = match segment.locate(end, Access::Waiting)? {
        Lookup::Found(behind) => behind.position,
        _ => segment.size(),
    };
    let from = until.saturating_sub(bytes);
    let Lookup::Found(first) = segment.locate_position(from, Access::Waiting)? else {
        return Ok((0, Vec::new()));
    };
    let (mut found, mut batches) = (Vec::new(), segment.batches_from(first.position)?);
    while let Some(batch) = batches.next()?
        && batch.last_offset() < end
    {
        if batch.has_producer_id() && !batch.is_control() {
            found.push(batch);
        }
    }
    Ok((until - from, found))
}
