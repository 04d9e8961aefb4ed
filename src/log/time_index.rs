//! `.timeindex`: the largest timestamp up to some of a segment's batches (TimeIndex).
//!
//! ```text
//! 0 largest timestamp so far i64 | 8 last offset of its batch - base offset i32      (12 bytes)
//! ```

use super::index_file::IndexFile;
use super::offset_index::{be_i32, relative};
use crate::disk::Disk;
use crate::error::Result;
use crate::types::{NO_TIMESTAMP, Offset, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// Size of an entry in bytes.
pub(super) const ENTRY_SIZE: usize = 12;
/// Suffix of the file's name.
pub(super) const SUFFIX: &str = ".timeindex";

/// A timestamp, and the last offset of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimestampEntry {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

#[derive(Debug)]
pub(super) struct TimeIndex {
    base_offset: Offset,
    file: IndexFile<ENTRY_SIZE>,
}

impl TimeIndex {
    pub fn open(disk: &Disk, dir: &Arc<Path>, base_offset: Offset) -> TimeIndex {
        TimeIndex { base_offset, file: IndexFile::open(disk, dir, base_offset, SUFFIX) }
    }

    /// An empty index in a file with this suffix.
    pub fn create(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> TimeIndex {
        TimeIndex { base_offset, file: IndexFile::create(disk, dir, base_offset, suffix) }
    }

    fn decode(&self, entry: &[u8; ENTRY_SIZE]) -> TimestampEntry {
        let (timestamp, offset) = entry.split_at(8);
        TimestampEntry {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("cut at 8")),
            offset: self.base_offset.saturating_add(Offset::from(be_i32(offset))),
        }
    }

    fn none(&self) -> TimestampEntry {
        TimestampEntry { timestamp: NO_TIMESTAMP, offset: self.base_offset }
    }

    pub fn len(&self) -> Result<usize> {
        self.file.len()
    }

    /// Appends `entry` if its timestamp is larger than that of the last entry.
    pub fn maybe_append(&mut self, entry: TimestampEntry) -> Result<()> {
        if entry.timestamp <= self.last()?.timestamp {
            return Ok(());
        }
        let relative = relative(entry.offset, self.base_offset)?;
        let mut bytes = [0; ENTRY_SIZE];
        bytes[..8].copy_from_slice(&entry.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&relative.to_be_bytes());
        self.file.push(bytes)
    }

    /// The last entry; if there is none, no timestamp at the base offset.
    pub fn last(&self) -> Result<TimestampEntry> {
        Ok(self.file.last()?.map_or(self.none(), |entry| self.decode(&entry)))
    }

    /// The last entry not above `timestamp`; if there is none, no timestamp at the base offset.
    pub fn lookup(&self, timestamp: Timestamp) -> Result<TimestampEntry> {
        let count = self.file.partition_point(|e| self.decode(e).timestamp <= timestamp)?;
        let entry = count.checked_sub(1).map(|index| self.file.get(index)).transpose()?;
        Ok(entry.map_or(self.none(), |entry| self.decode(&entry)))
    }

    /// Drops the zeros that Kafka keeps after the entries while it runs.
    pub fn drop_unused(&mut self) -> Result<()> {
        if self.file.last()?.is_some_and(|last| last == [0; ENTRY_SIZE]) {
            let used = self.file.partition_point(|e| *e != [0; ENTRY_SIZE])?;
            self.file.truncate(used)?;
        }
        Ok(())
    }

    /// Keeps the entries below `offset`.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<()> {
        if self.file.last()?.is_none_or(|last| self.decode(&last).offset < offset) {
            return Ok(());
        }
        let keep = self.file.partition_point(|e| self.decode(e).offset < offset)?;
        self.file.truncate(keep)
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}
