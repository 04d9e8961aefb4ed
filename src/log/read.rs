//! Reads: from an offset to ranges of files.

use super::segment::{Located, Lookup, SUFFIX, Segment};
use super::{Log, Read};
use crate::disk::{Access, FileRange};
use crate::error::{Error, Result};
use crate::types::{Isolation, Offset, ProducerId};
use kafka_protocol::error::ResponseError;
use std::sync::atomic::Ordering;

impl Log {
    /// Reads from the batch that contains `from`, up to the limit of `isolation`, at most
    /// `max_bytes`. A first batch that does not fit is returned whole if `at_least_one`, otherwise
    /// nothing is. As in Kafka, consumers get exactly `max_bytes`, which may end with a partial
    /// batch; reads up to the log end get whole batches. OFFSET_OUT_OF_RANGE if `from` is outside
    /// of the log.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<Read> {
        self.read_by(Access::Waiting, from, max_bytes, isolation, at_least_one)
    }

    /// As `read`, with `access` for the data that is looked at on the way.
    pub fn read_by(
        &self,
        access: Access,
        from: Offset,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<Read> {
        if from < self.log_start_offset || from > self.end_offset {
            return Err(Error::Code(ResponseError::OffsetOutOfRange));
        }
        let bound = match isolation {
            Isolation::LogEnd => self.end_offset,
            Isolation::HighWatermark => self.high_watermark,
            Isolation::Committed => self.last_stable_offset(),
        };
        let Some(floor) = self.floor_segment(from) else { return Ok(Read::default()) };
        if from >= bound {
            return Ok(Read::default());
        }
        // A segment may end before `from` if records after its last batch are gone.
        for index in floor..self.segments.len() {
            let first = match self.segments[index].locate(from, access) {
                Ok(Lookup::Found(first)) => first,
                Ok(Lookup::Missed(range)) => return Ok(Read::missed(range)),
                nothing => {
                    if let Some(range) = self.pass(index, access)? {
                        return Ok(Read::missed(range));
                    }
                    nothing?;
                    continue;
                }
            };
            if first.base_offset >= self.end_of(index) {
                return Err(self.segments[index].overlaps(first.base_offset, self.end_of(index)));
            }
            let most =
                if at_least_one { first.size.max(max_bytes as u64) } else { max_bytes as u64 };
            let whole = isolation == Isolation::LogEnd;
            let (range, upper) = match self.cut(index, first, bound, most, whole, access)? {
                Lookup::Found(cut) => cut,
                Lookup::Nothing => break,
                Lookup::Missed(range) => return Ok(Read::missed(range)),
            };
            let aborted = match isolation {
                Isolation::Committed => self.aborted(index, from, upper)?,
                _ => Vec::new(),
            };
            let goes_on = self.end_of(index) < bound;
            let bytes = range.len;
            return Ok(Read { bytes, ranges: vec![range], aborted, goes_on, missed: None });
        }
        Ok(Read::default())
    }

    /// The batches of a segment from `first` on that are below `bound` and within `most` bytes, and
    /// an offset below which all of their transactions begin. Nothing if not even `first` qualifies.
    fn cut(
        &self,
        index: usize,
        first: Located,
        bound: Offset,
        most: u64,
        whole: bool,
        access: Access,
    ) -> Result<Lookup<(FileRange, Offset)>> {
        let segment = &self.segments[index];
        let segment_end = self.end_of(index);
        let (mut end, mut upper) = (segment.size(), segment_end.min(bound));
        if index + 1 < self.segments.len() {
            match segment.end_below(segment_end, access)? {
                Lookup::Missed(range) => return Ok(Lookup::Missed(range)),
                Lookup::Found(sound) if sound.position <= first.position => {
                    return Err(segment.damaged(sound));
                }
                // What is damaged behind the last batch is not sent.
                Lookup::Found(sound) => end = sound.position,
                Lookup::Nothing => {}
            }
        }
        if segment_end > bound {
            match segment.locate(bound, access)? {
                // The batch that contains the bound is not below it.
                Lookup::Found(above) => (end, upper) = (above.position, above.base_offset),
                Lookup::Nothing => {}
                Lookup::Missed(range) => return Ok(Lookup::Missed(range)),
            }
        }
        let most_end = first.position + most;
        if end > most_end && most == first.size {
            // No transaction begins in the middle of a batch.
            (end, upper) = (most_end, first.base_offset + 1);
        } else if end > most_end {
            match segment.locate_position(most_end, access)? {
                Lookup::Found(last) => {
                    let is_first = last.position <= first.position;
                    end = if whole || is_first { last.position } else { most_end };
                    upper = last.base_offset;
                }
                Lookup::Nothing => {}
                Lookup::Missed(range) => return Ok(Lookup::Missed(range)),
            }
        }
        if end <= first.position {
            return Ok(Lookup::Nothing);
        }
        let len = (end - first.position) as usize;
        let file = segment.file()?;
        Ok(Lookup::Found((FileRange { file, position: first.position, len }, upper)))
    }

    /// Goes on behind the last batch of a sealed segment, of which a reader wants more. Returns data
    /// that `access` does not allow to be read. An error if later batches are damaged or known to be
    /// gone. Offsets that are missing without a trace are named once.
    pub(super) fn pass(&self, index: usize, access: Access) -> Result<Option<FileRange>> {
        let Some(next) = self.segments.get(index + 1) else { return Ok(None) };
        let (segment, limit) = (&self.segments[index], next.base_offset());
        let end = match segment.pass(limit, access)? {
            Lookup::Missed(range) => return Ok(Some(range)),
            Lookup::Found(end) => end.offset,
            Lookup::Nothing => return Ok(None),
        };
        let is_new = end < limit && !segment.is_gap_known.swap(true, Ordering::Relaxed);
        if is_new && segment.base_offset() >= self.cleaned_below {
            let (path, last) = (segment.path(SUFFIX), limit - 1);
            tracing::warn!(segment = %path.display(),
                "{} has no records with the offsets {end} to {last}, and compaction is not the cause",
                self.partition);
        }
        Ok(None)
    }

    /// The offset after the last one that the segment can hold.
    pub(super) fn end_of(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.end_offset, Segment::base_offset)
    }

    fn aborted(
        &self,
        index: usize,
        from: Offset,
        upper: Offset,
    ) -> Result<Vec<(ProducerId, Offset)>> {
        let mut found = Vec::new();
        for segment in &self.segments[index..] {
            if segment.transaction_index.collect(from, upper, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}

impl Read {
    fn missed(range: FileRange) -> Read {
        Read { missed: Some(range), ..Read::default() }
    }
}
