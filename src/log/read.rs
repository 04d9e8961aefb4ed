//! Reading: from an offset to file ranges.

use super::segment::{Located, Segment};
use super::{Log, Read};
use crate::disk::FileRange;
use crate::error::{Error, Result};
use crate::types::{Isolation, Offset, ProducerId};
use kafka_protocol::error::ResponseError;

impl Log {
    /// File ranges of batches from the one that holds `from`, below the bound `isolation` gives,
    /// at most `max_bytes` (but the first batch whole if `at_least_one`; nothing if it does not
    /// fit). Consumers get exactly `max_bytes` and with it, as of Kafka, a part of a batch in the
    /// end; readers to the log's end get whole batches. An offset outside of [log start, log end]
    /// is OFFSET_OUT_OF_RANGE.
    pub fn read(
        &self,
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
        // A segment may end before `from` when records behind its last batch are gone.
        for index in floor..self.segments.len() {
            let Some(first) = self.segments[index].locate(from)? else { continue };
            let most =
                if at_least_one { first.size.max(max_bytes as u64) } else { max_bytes as u64 };
            let whole = isolation == Isolation::LogEnd;
            let range = self.cut(index, first, bound, most, whole)?;
            let Some((range, upper)) = range else { break };
            let aborted = match isolation {
                Isolation::Committed => self.aborted(index, from, upper)?,
                _ => Vec::new(),
            };
            let goes_on = self.end_of(index) < bound;
            return Ok(Read { bytes: range.len, ranges: vec![range], aborted, goes_on });
        }
        Ok(Read::default())
    }

    /// The batches of a segment from `first` on that lie below `bound` and within `most` bytes, and
    /// the offset that they end before. None if not even `first` does.
    fn cut(
        &self,
        index: usize,
        first: Located,
        bound: Offset,
        most: u64,
        whole: bool,
    ) -> Result<Option<(FileRange, Offset)>> {
        let segment = &self.segments[index];
        let segment_end = self.end_of(index);
        let (mut end, mut upper) = (segment.size(), segment_end.min(bound));
        if segment_end > bound
            && let Some(above) = segment.locate(bound)?
        {
            // The batch that holds the bound is not below it.
            (end, upper) = (above.position, above.base_offset);
        }
        let most_end = first.position + most;
        if end > most_end
            && let Some(last) = segment.locate_position(most_end)?
        {
            let is_first = last.position <= first.position;
            end = if whole || is_first { last.position } else { most_end };
            upper = last.base_offset;
        }
        if end <= first.position {
            return Ok(None);
        }
        let len = (end - first.position) as usize;
        let file = segment.file()?;
        Ok(Some((FileRange { file, position: first.position, len }, upper)))
    }

    /// One past the last offset that a segment can hold.
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
