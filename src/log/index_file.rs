//! A file of entries of one size in ascending order, on disk but for a short tail in memory.
//!
//! What is on disk is mapped when somebody looks something up in it, so that an index costs
//! neither memory nor a descriptor while nobody does.

use super::{file_name, put_off};
use crate::disk::{Disk, Map};
use crate::error::Result;
use crate::types::Offset;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The tail is written when it has this many bytes.
const TAIL_BYTES: usize = 4096;

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
    /// Those, if somebody has looked.
    map: OnceLock<Map>,
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
        IndexFile {
            disk,
            dir,
            base_offset,
            suffix,
            exists: false,
            stored: 0,
            map: OnceLock::new(),
            tail: Vec::new(),
        }
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
        } else if let Some(map) = self.map.get() {
            entry.copy_from_slice(&map[index * N..(index + 1) * N]);
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
        Ok(count(self.map()?))
    }

    fn map(&self) -> Result<&Map> {
        if let Some(map) = self.map.get() {
            return Ok(map);
        }
        let map = self.disk.open(&self.path())?.map(self.stored * N)?;
        Ok(self.map.get_or_init(|| map))
    }

    /// Appends an entry. If a full disk does not take the tail, it waits in memory: the entries
    /// must follow each other, and whoever seals the index learns of it.
    pub fn push(&mut self, entry: [u8; N]) -> Result<()> {
        self.tail.extend_from_slice(&entry);
        if self.tail.len() + N > TAIL_BYTES { put_off(self.flush()) } else { Ok(()) }
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
        self.map = OnceLock::new();
        self.stored += self.tail.len() / N;
        self.tail = Vec::new();
        Ok(())
    }

    /// Keeps the first `entries`.
    pub fn truncate(&mut self, entries: usize) -> Result<()> {
        if entries > self.stored {
            self.tail.truncate((entries - self.stored) * N);
            return Ok(());
        }
        self.stored = entries;
        self.map = OnceLock::new();
        self.tail.clear();
        if !self.exists {
            return Ok(());
        }
        self.disk.open(&self.path())?.truncate((entries * N) as u64)
    }
}
