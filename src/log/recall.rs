//! Finds the batches that a producer snapshot lacks. Kafka's format holds only each producer's last
//! batch, but a client that got no answers may send up to five again. The log has all of them. It
//! is read only when a client's batch is out of order, so that a start costs nothing.

use super::Log;
use super::segment::{Lookup, Segment};
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::Offset;

/// How much of the log before the snapshot is read, in bytes. Batches in flight at a stop are
/// there.
const TAIL_BYTES: u64 = 16 << 20;

impl Log {
    /// Learns the earlier batches of the producers that came from a snapshot. Returns whether
    /// anything new may have been found.
    pub(super) fn recall_producers(&mut self) -> Result<bool> {
        let Some(end) = self.producers.take_untold() else { return Ok(false) };
        let mut left = TAIL_BYTES;
        for segment in self.segments.iter().rev().filter(|segment| segment.base_offset() < end) {
            let (read, batches) = match tail_of(segment, end, left) {
                Ok(found) => found,
                // Readers of these records will get the error.
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

/// The batches of producers in about the last `bytes` bytes of a segment before offset `end`, with
/// the number of bytes read.
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
