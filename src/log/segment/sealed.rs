//! The end of a sealed segment. A start does not read sealed segments, so whoever first comes to
//! the end of one finds out whether it is whole. Nobody goes on to the next segment over records
//! that are damaged or known to be missing.

use super::{Lookup, Segment};
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::log::scan::Headers;
use crate::types::Offset;
use std::sync::atomic::Ordering;

/// Where the valid batches of a segment end.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The offset after the last record.
    pub offset: Offset,
    /// Position in the file, in bytes.
    pub position: u64,
}

impl Segment {
    /// Where the headers after the last index entry cease to be valid, ascending and below `limit`.
    pub fn follow(&self, limit: Offset, access: Access) -> Result<Lookup<End>> {
        let mut headers = self.headers_by(self.offset_index.last()?, access)?;
        let mut offset = self.base_offset;
        loop {
            let position = headers.position();
            match headers.next_header() {
                Ok(Some(h))
                    if (offset..limit).contains(&h.base_offset) && h.last_offset < limit =>
                {
                    offset = h.last_offset + 1;
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                _ => match headers.missed {
                    Some(range) => return Ok(Lookup::Missed(range)),
                    None => return Ok(Lookup::Found(End { offset, position })),
                },
            }
        }
    }

    /// Where the batches of this sealed segment end; the next one begins at `limit`. An error if
    /// there are batches of another segment.
    pub fn end_below(&self, limit: Offset, access: Access) -> Result<Lookup<End>> {
        if let Some(end) = self.end.get() {
            return Ok(Lookup::Found(*end));
        }
        let end = match self.follow(limit, access)? {
            Lookup::Found(end) => end,
            other => return Ok(other),
        };
        for position in [0, end.position] {
            let mut headers = Headers::new(self.file()?, position, self.size).by(access);
            let header = headers.peek();
            if let Some(range) = headers.missed {
                return Ok(Lookup::Missed(range));
            }
            match header {
                Ok(Some(header)) if header.base_offset < self.base_offset => {
                    return Err(self.overlaps(header.base_offset, limit));
                }
                Ok(Some(header)) if header.last_offset >= limit => {
                    return Err(self.overlaps(header.last_offset, limit));
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                _ => {}
            }
        }
        Ok(Lookup::Found(*self.end.get_or_init(|| end)))
    }

    /// As `end_below`, for somebody who goes on to the next segment. An error if the batches do not
    /// reach the end of the file, or if an index tells of later ones.
    pub fn pass(&self, limit: Offset, access: Access) -> Result<Lookup<End>> {
        let end = match self.end_below(limit, access)? {
            Lookup::Found(end) => end,
            other => return Ok(other),
        };
        if end.position < self.size {
            return Err(self.damaged(end));
        }
        if end.offset < limit && !self.is_gap_known.load(Ordering::Relaxed) {
            let last = self.time_index.last()?;
            let indexed = self.offset_index.last()?.map(|entry| entry.last_offset);
            let stamped = Some(last.offset).filter(|_| last.timestamp > 0);
            if indexed.into_iter().chain(stamped).any(|at| (end.offset..limit).contains(&at)) {
                return Err(self.cut_short(end, "its indexes tell"));
            }
        }
        Ok(Lookup::Found(end))
    }
}
