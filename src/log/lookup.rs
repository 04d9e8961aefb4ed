//! Looks up offsets by timestamp (ListOffsets).

use super::{Log, Segment, TimestampOffset};
use crate::disk::Access;
use crate::error::Result;
use crate::record::Batch;
use crate::types::{Offset, Timestamp};

/// The largest decompressed batch that is searched, in bytes.
const MAX_DECODED_BYTES: usize = 1 << 30;

impl Log {
    /// The first record with a timestamp of at least `timestamp`; None if there is none.
    pub fn offset_for_timestamp(&self, timestamp: Timestamp) -> Result<Option<TimestampOffset>> {
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.largest_timestamp()? >= timestamp {
                let found = find(segment, timestamp, self.log_start_offset)?;
                if found.is_none() {
                    self.pass(index, Access::Waiting)?;
                }
                return Ok(found);
            }
            self.pass(index, Access::Waiting)?;
        }
        Ok(None)
    }

    /// The record with the largest timestamp (KIP-734); None if the log is empty.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>> {
        let mut latest = &self.segments[0];
        for (before, segment) in self.segments[1..].iter().enumerate() {
            self.pass(before, Access::Waiting)?;
            if segment.max_timestamp()?.timestamp > latest.max_timestamp()?.timestamp {
                latest = segment;
            }
        }
        let max = latest.max_timestamp()?;
        let found = latest.headers_at(max.offset)?.find(|h| h.max_timestamp == max.timestamp)?;
        let Some(header) = found else { return Ok(None) };
        match latest.batches_from(header.position)?.next()? {
            Some(batch) => first_record(&batch, max.timestamp, batch.base_offset()),
            None => Ok(None),
        }
    }
}

/// The first record in `segment` at or after `from` with a timestamp of at least `timestamp`.
fn find(segment: &Segment, timestamp: Timestamp, from: Offset) -> Result<Option<TimestampOffset>> {
    let offset = segment.offset_before(timestamp)?.max(from);
    let mut headers = segment.headers_at(offset)?;
    while let Some(header) =
        headers.find(|h| h.max_timestamp >= timestamp && h.last_offset >= from)?
    {
        if let Some(batch) = segment.batches_from(header.position)?.next()?
            && let Some(found) = first_record(&batch, timestamp, from)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn first_record(
    batch: &Batch,
    timestamp: Timestamp,
    from: Offset,
) -> Result<Option<TimestampOffset>> {
    for record in batch.iter(MAX_DECODED_BYTES)? {
        let record = record?;
        if record.timestamp >= timestamp && record.offset >= from {
            return Ok(Some(TimestampOffset {
                timestamp: record.timestamp,
                offset: record.offset,
                leader_epoch: batch.leader_epoch().max(crate::types::NO_EPOCH),
            }));
        }
    }
    Ok(None)
}
