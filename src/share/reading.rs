//! The batches of a read: which offsets they have, where they are, and which were aborted.

use super::partition::{Acquired, BatchHead, aborted_batches};
use crate::disk::{Access, FileRange};
use crate::error::Result;
use crate::log::{Header, Headers, Read};
use crate::record::Batch;
use crate::types::Offset;

/// The most bytes that a marker's record may have when it is decompressed.
const MARKER_BYTES: usize = 4096;

/// The batches of a read, as far as they are needed.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// The file of the read; None if nothing was read.
    range: Option<FileRange>,
    /// The position in the file and the size of each.
    places: Vec<(u64, u64)>,
    /// The first and last offset of each.
    pub(super) offsets: Vec<(Offset, Offset)>,
    /// The first and last offsets of those that a group with `read_committed` must not see.
    pub(super) aborted: Vec<(Offset, Offset)>,
}

/// The batches of a read, or what has to be brought into memory first.
pub(super) enum Scan {
    Found(Batches),
    Missed(FileRange),
}

impl Batches {
    /// Looks at the batches of a read from `from` up to the one with `until`.
    pub(super) fn scan(read: &Read, from: Offset, until: Offset, access: Access) -> Result<Scan> {
        let Some(range) = read.ranges.first() else { return Ok(Scan::Found(Batches::default())) };
        let end = range.position + range.len as u64;
        let mut headers = Headers::new(range.file.clone(), range.position, end).by(access);
        let mut batches = Batches { range: Some(range.clone()), ..Batches::default() };
        let (mut heads, mut next) = (Vec::new(), from);
        while next <= until
            && let Some(header) = headers.next_header()?
        {
            // Only the last offset of an old batch is known for sure.
            let first = if header.is_legacy() { next } else { header.base_offset };
            batches.places.push((header.position, header.size));
            batches.offsets.push((first, header.last_offset));
            if !read.aborted.is_empty() {
                heads.push(batches.head(first, &header));
            }
            next = header.last_offset + 1;
        }
        if let Some(missed) = headers.missed {
            return Ok(Scan::Missed(missed));
        }
        batches.aborted = aborted_batches(&heads, &read.aborted);
        Ok(Scan::Found(batches))
    }

    fn head(&self, first: Offset, header: &Header) -> BatchHead {
        BatchHead {
            first,
            last: header.last_offset,
            producer_id: header.producer_id,
            is_transactional: header.is_transactional(),
            is_abort: header.is_control() && self.is_abort(header),
        }
    }

    /// Whether the marker in a control batch says that its transaction was aborted.
    fn is_abort(&self, header: &Header) -> bool {
        let range = self.range.as_ref().map(|range| FileRange {
            position: header.position,
            len: header.size as usize,
            ..range.clone()
        });
        let key = || {
            let batch = Batch::split_from(&mut range?.read().ok()?).ok()?;
            batch.records(MARKER_BYTES).ok()?.into_iter().next()?.key
        };
        key().is_some_and(|key| key.get(2..4) == Some(&[0, 0]))
    }

    /// The part of the file with the batches that `acquired` begins and ends in. It may have records
    /// that were not acquired.
    pub(super) fn part(&self, acquired: &[Acquired]) -> Option<FileRange> {
        let (first, last) = (acquired.first()?.first, acquired.last()?.last);
        let from = self.offsets.partition_point(|(_, end)| *end < first);
        let to = self.offsets.partition_point(|(base, _)| *base <= last).checked_sub(1)?;
        let ((position, _), (end, size)) = (self.places.get(from)?, self.places.get(to)?);
        let len = (end + size - position) as usize;
        Some(FileRange { position: *position, len, ..self.range.clone()? })
    }
}
