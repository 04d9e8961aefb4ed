//! Finds positions in a segment. An index entry is trusted only once the batch that it points to
//! was seen. If it does not match, the segment is read from its first batch on, and its indexes
//! will be rebuilt.

use super::{End, Located, Lookup, Recent, Segment, TimestampEntry};
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::log::offset_index::OffsetPosition;
use crate::log::scan::{Header, Headers};
use crate::types::{NO_TIMESTAMP, Offset, Timestamp};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// If a search reads more than this many bytes, index entries are missing.
const FAR: u64 = 16 << 20;

impl Segment {
    /// The first batch that ends at or after `offset`.
    pub fn locate(&self, offset: Offset, access: Access) -> Result<Lookup<Located>> {
        if self.recent.front().is_some_and(|first| first.base_offset <= offset) {
            let at = self.recent.partition_point(|batch| batch.last_offset < offset);
            return Ok(self.recent.get(at).map_or(Lookup::Nothing, |batch| {
                let end = self.recent.get(at + 1).map_or(self.size, |next| next.position);
                let Recent { base_offset, position, .. } = *batch;
                Lookup::Found(Located { base_offset, position, size: end - position })
            }));
        }
        let entry = self.offset_index.lookup(offset)?;
        self.find(self.headers_by(entry, access)?, |header| header.last_offset >= offset)
    }

    /// The first batch that ends after `position`.
    pub fn locate_position(&self, position: u64, access: Access) -> Result<Lookup<Located>> {
        let headers = match self.recent.front() {
            Some(first) if first.position <= position => {
                let at = self.recent.partition_point(|batch| batch.position <= position);
                Headers::new(self.file()?, self.recent[at - 1].position, self.size).by(access)
            }
            _ => self.headers_by(self.offset_index.lookup_position(position)?, access)?,
        };
        self.find(headers, |header| header.end() > position)
    }

    fn find(
        &self,
        mut headers: Headers,
        wanted: impl Fn(&Header) -> bool,
    ) -> Result<Lookup<Located>> {
        let (from, mut next) = (headers.position(), self.base_offset);
        let found = loop {
            match headers.next_header() {
                Ok(Some(header)) if !wanted(&header) => next = header.last_offset + 1,
                Err(Error::Corrupt { .. }) => break None,
                found => break found?,
            }
        };
        if found.is_some_and(|header| header.position.saturating_sub(from) > FAR) {
            self.note_lie();
        }
        Ok(match found {
            Some(Header { base_offset, position, size, .. }) => {
                Lookup::Found(Located { base_offset, position, size })
            }
            None if headers.missed.is_none() && headers.position() < self.size => {
                return Err(self.damaged(End { offset: next, position: headers.position() }));
            }
            None => headers.missed.map_or(Lookup::Nothing, Lookup::Missed),
        })
    }

    /// The headers from a batch on that is not after the one with `offset`.
    pub fn headers_at(&self, offset: Offset) -> Result<Headers> {
        self.headers_by(self.offset_index.lookup(offset)?, Access::Waiting)
    }

    /// The headers from the batch on that an index entry points to, or from the first batch if no
    /// matching one is there.
    pub(super) fn headers_by(
        &self,
        entry: Option<OffsetPosition>,
        access: Access,
    ) -> Result<Headers> {
        let Some(entry) = entry.filter(|entry| entry.position > 0) else {
            return Ok(Headers::new(self.file()?, 0, self.size).by(access));
        };
        let mut headers = Headers::new(self.file()?, entry.position, self.size).by(access);
        // Brokers before Kafka 4 index each append by the last offset of all its batches.
        let fits = |first: &Header| {
            self.base_offset <= first.base_offset && first.last_offset <= entry.last_offset
        };
        match headers.peek() {
            Ok(first) if first.as_ref().is_some_and(fits) || headers.missed.is_some() => {
                Ok(headers)
            }
            Err(error @ Error::Disk { .. }) => Err(error),
            _ => {
                self.note_lie();
                Ok(Headers::new(self.file()?, 0, self.size))
            }
        }
    }

    /// An offset that is not after the first record with a timestamp of at least `timestamp`.
    pub fn offset_before(&self, timestamp: Timestamp) -> Result<Offset> {
        let entry = self.time_index.lookup(timestamp)?;
        if entry.timestamp == NO_TIMESTAMP || self.is_true(entry)? {
            return Ok(entry.offset);
        }
        self.note_lie();
        Ok(self.base_offset)
    }

    /// Whether an entry of the time index matches a batch with its timestamp.
    pub(super) fn is_true(&self, entry: TimestampEntry) -> Result<bool> {
        if entry == self.no_timestamp() {
            return Ok(true);
        }
        let found = self.headers_at(entry.offset)?.find(|h| h.last_offset >= entry.offset);
        match found {
            Err(error @ Error::Disk { .. }) => Err(error),
            Err(_) => Ok(false),
            Ok(header) => Ok(header.is_some_and(|h| h.max_timestamp == entry.timestamp)),
        }
    }

    /// The largest timestamp: the last entry of the time index if no batch after the last entry of
    /// the offset index has a larger one. If the index does not match, all batches are read.
    pub(super) fn read_max_timestamp(&self) -> Result<TimestampEntry> {
        let last = self.time_index.last()?;
        if self.is_true(last)? && (last != self.no_timestamp() || self.size == 0) {
            let tail = self.headers_by(self.offset_index.last()?, Access::Waiting)?;
            if greatest(last, tail)? == last {
                return Ok(last);
            }
        }
        let max = self.max_timestamp_behind(self.no_timestamp())?;
        if max != last {
            self.note_lie();
        }
        Ok(max)
    }

    /// The largest timestamp, given that `known` is that of the batches up to its offset.
    pub(super) fn max_timestamp_behind(&self, known: TimestampEntry) -> Result<TimestampEntry> {
        greatest(known, self.headers_at(known.offset)?)
    }

    fn note_lie(&self) {
        if !self.is_mended && !self.lies.swap(true, Ordering::Relaxed) {
            tracing::warn!(segment = %self.path(self.suffix).display(),
                "an index does not fit its segment, and is not used");
        }
    }

    /// Whether an index was seen not to match the batches.
    pub fn lies(&self) -> bool {
        self.lies.load(Ordering::Relaxed)
    }

    /// Leaves the indexes as they are, although they do not match the batches.
    pub fn keep_indexes(&mut self) {
        (self.lies, self.is_mended) = (AtomicBool::new(false), true);
    }

    /// Rebuilds the indexes from the headers of the batches.
    pub fn mend(&mut self, index_interval_bytes: u64) -> Result<()> {
        let (size, mut headers) = (self.size, Headers::new(self.file()?, 0, self.size));
        self.offset_index.truncate_to(Offset::MIN)?;
        self.time_index.truncate_to(Offset::MIN)?;
        self.reset_max_timestamp(self.no_timestamp());
        self.first_timestamp = OnceLock::new();
        (self.size, self.unindexed_bytes) = (0, 0);
        let mut entered = Ok(());
        while let (Ok(()), Ok(Some(header))) = (&entered, headers.next_header()) {
            if !self.can_hold(header.last_offset) {
                break;
            }
            entered = self.enter(&header, index_interval_bytes);
        }
        self.size = size;
        self.recent.clear();
        self.lies.store(false, Ordering::Relaxed);
        self.is_mended = true;
        entered
    }
}

/// The largest timestamp of `known` and of the readable batches in `headers`.
fn greatest(known: TimestampEntry, mut headers: Headers) -> Result<TimestampEntry> {
    let mut max = known;
    loop {
        match headers.next_header() {
            Ok(Some(header)) if header.max_timestamp > max.timestamp => {
                let (timestamp, offset) = (header.max_timestamp, header.last_offset);
                max = TimestampEntry { timestamp, offset };
            }
            Ok(Some(_)) => {}
            Err(error @ Error::Disk { .. }) => return Err(error),
            _ => return Ok(max),
        }
    }
}
