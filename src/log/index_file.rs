//! A file of entries of one size in ascending order, on disk but for a short tail in memory.
//!
//! Kafka maps index files whole. Here a lookup in what is on disk bisects with a few small reads,
//! so that an index costs neither memory nor a descriptor while nobody asks for it.

use super::file_name;
use crate::disk::Disk;
use crate::error::Result;
use crate::types::Offset;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tail is written when it has this many bytes.
const TAIL_BYTES: usize = 4096;
/// A bisection reads the rest in one piece once it is this small.
const WINDOW_BYTES: usize = 4096;

/// Entries of `N` bytes.
#[derive(Debug)]
pub(super) struct IndexFile<const N: usize> {
    disk: Disk,
    dir: Arc<Path>,
    base_offset: Offset,
    suffix: &'static str,
    exists: bool,
    /// Entries in the file.
    stored: usize,
    /// Entries behind those.
    tail: Vec<u8>,
}

impl<const N: usize> IndexFile<N> {
    /// The index as it lies on disk, its last bytes cut if they are no whole entry.
    pub fn open(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> Result<IndexFile<N>> {
        let mut index = IndexFile::create(disk, dir, base_offset, suffix);
        let len = disk.file_len(&index.path())?;
        (index.exists, index.stored) = (len.is_some(), len.unwrap_or(0) as usize / N);
        Ok(index)
    }

    /// An empty index; the file is made by the first `flush`.
    pub fn create(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> IndexFile<N> {
        let (disk, dir) = (disk.clone(), dir.clone());
        IndexFile { disk, dir, base_offset, suffix, exists: false, stored: 0, tail: Vec::new() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(file_name(self.base_offset, self.suffix))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.stored + self.tail.len() / N
    }

    pub fn get(&self, index: usize) -> Result<[u8; N]> {
        assert!(index < self.len(), "entry {index} of {}", self.len());
        let mut entry = [0; N];
        if index >= self.stored {
            let at = (index - self.stored) * N;
            entry.copy_from_slice(&self.tail[at..at + N]);
        } else {
            self.disk.open(&self.path())?.read_exact_at(&mut entry, (index * N) as u64)?;
        }
        Ok(entry)
    }

    pub fn last(&self) -> Result<Option<[u8; N]>> {
        self.len().checked_sub(1).map(|index| self.get(index)).transpose()
    }

    /// How many entries at the front are `below`; they must all lie before those that are not.
    pub fn partition_point(&self, below: impl Fn(&[u8; N]) -> bool) -> Result<usize> {
        let count = |bytes: &[u8]| {
            let (entries, _) = bytes.as_chunks::<N>();
            entries.partition_point(&below)
        };
        let in_tail = count(&self.tail);
        if in_tail > 0 || self.stored == 0 {
            return Ok(self.stored + in_tail);
        }
        let file = self.disk.open(&self.path())?;
        let (mut low, mut high) = (0, self.stored);
        while (high - low) * N > WINDOW_BYTES {
            let middle = low + (high - low) / 2;
            let mut entry = [0; N];
            file.read_exact_at(&mut entry, (middle * N) as u64)?;
            if below(&entry) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut window = [0; WINDOW_BYTES];
        let window = &mut window[..(high - low) * N];
        file.read_exact_at(window, (low * N) as u64)?;
        Ok(low + count(window))
    }

    pub fn push(&mut self, entry: [u8; N]) -> Result<()> {
        self.tail.extend_from_slice(&entry);
        if self.tail.len() + N > TAIL_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the tail, and makes the file if there is none: Kafka takes a segment without
    /// indexes for a broken one.
    pub fn flush(&mut self) -> Result<()> {
        if self.exists && self.tail.is_empty() {
            return Ok(());
        }
        let file = self.disk.open(&self.path())?;
        file.write_at(&self.tail, (self.stored * N) as u64)?;
        self.exists = true;
        self.stored += self.tail.len() / N;
        self.tail = Vec::new();
        Ok(())
    }

    /// Makes what was flushed durable.
    pub fn sync(&self) -> Result<()> {
        self.disk.open(&self.path())?.sync_data()
    }

    /// Keeps the first `entries`.
    pub fn truncate(&mut self, entries: usize) -> Result<()> {
        if entries > self.stored {
            self.tail.truncate((entries - self.stored) * N);
            return Ok(());
        }
        self.stored = entries;
        self.tail.clear();
        if !self.exists {
            return Ok(());
        }
        self.disk.open(&self.path())?.truncate((entries * N) as u64)
    }
}
