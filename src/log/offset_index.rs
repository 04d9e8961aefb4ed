//! `.index`: the positions of some of a segment's batches (OffsetIndex).
//!
//! ```text
//! 0 last offset of the batch - base offset i32 | 4 position of the batch i32      (8 bytes)
//! ```

use super::index_file::IndexFile;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::Offset;
use std::path::Path;
use std::sync::Arc;

/// Size of an entry in bytes.
pub(super) const ENTRY_SIZE: usize = 8;
/// Suffix of the file's name.
pub(super) const SUFFIX: &str = ".index";

/// The last offset of a batch, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetPosition {
    pub last_offset: Offset,
    pub position: u64,
}

#[derive(Debug)]
pub(super) struct OffsetIndex {
    base_offset: Offset,
    file: IndexFile<ENTRY_SIZE>,
}

impl OffsetIndex {
    pub fn open(disk: &Disk, dir: &Arc<Path>, base_offset: Offset) -> OffsetIndex {
        OffsetIndex { base_offset, file: IndexFile::open(disk, dir, base_offset, SUFFIX) }
    }

    /// An empty index in a file with this suffix.
    pub fn create(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> OffsetIndex {
        OffsetIndex { base_offset, file: IndexFile::create(disk, dir, base_offset, suffix) }
    }

    fn decode(&self, entry: &[u8; ENTRY_SIZE]) -> OffsetPosition {
        let (offset, position) = entry.split_at(4);
        OffsetPosition {
            last_offset: self.base_offset.saturating_add(Offset::from(be_i32(offset))),
            // A negative position, which only a damaged file has, becomes too large for any
            // segment.
            position: be_i32(position) as u64,
        }
    }

    pub fn len(&self) -> Result<usize> {
        self.file.len()
    }

    pub fn append(&mut self, entry: OffsetPosition) -> Result<()> {
        let relative = relative(entry.last_offset, self.base_offset)?;
        let position = i32::try_from(entry.position)
            .map_err(|_| Error::corrupt(format!("segment at {}: over 2 GiB", self.base_offset)))?;
        let mut bytes = [0; ENTRY_SIZE];
        bytes[..4].copy_from_slice(&relative.to_be_bytes());
        bytes[4..].copy_from_slice(&position.to_be_bytes());
        self.file.push(bytes)
    }

    pub fn last(&self) -> Result<Option<OffsetPosition>> {
        Ok(self.file.last()?.map(|entry| self.decode(&entry)))
    }

    /// The last entry whose offset is not above `offset`.
    pub fn lookup(&self, offset: Offset) -> Result<Option<OffsetPosition>> {
        self.before(self.file.partition_point(|e| self.decode(e).last_offset <= offset)?)
    }

    /// The last entry whose position is not above `position`.
    pub fn lookup_position(&self, position: u64) -> Result<Option<OffsetPosition>> {
        self.before(self.file.partition_point(|e| self.decode(e).position <= position)?)
    }

    fn before(&self, count: usize) -> Result<Option<OffsetPosition>> {
        let entry = count.checked_sub(1).map(|index| self.file.get(index)).transpose()?;
        Ok(entry.map(|entry| self.decode(&entry)))
    }

    /// Drops the zeros that Kafka keeps after the entries while it runs.
    pub fn drop_unused(&mut self) -> Result<()> {
        if self.last()?.is_some_and(|last| last.position == 0) {
            let used = self.file.partition_point(|e| self.decode(e).position > 0)?;
            self.file.truncate(used)?;
        }
        Ok(())
    }

    /// Keeps the entries below `offset`.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<()> {
        if self.last()?.is_none_or(|last| last.last_offset < offset) {
            return Ok(());
        }
        let keep = self.file.partition_point(|e| self.decode(e).last_offset < offset)?;
        self.file.truncate(keep)
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

/// An offset as stored in indexes. Segments roll or are split before this exceeds 31 bits.
pub(super) fn relative(offset: Offset, base_offset: Offset) -> Result<i32> {
    let relative = offset.checked_sub(base_offset).and_then(|offset| i32::try_from(offset).ok());
    relative.ok_or_else(|| Error::corrupt(format!("offset {offset} in segment {base_offset}")))
}

pub(super) fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().expect("the caller cut four bytes"))
}
