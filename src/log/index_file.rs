//! A file of ascending entries of one size; a short tail of them is kept in memory.
//!
//! Nothing is read until the first lookup. The file is mapped for lookups only while there are not
//! too many maps. An unused index therefore takes neither memory for its entries nor a file
//! descriptor.

use super::{file_name, put_off};
use crate::disk::{Cached, Disk, Map};
use crate::error::Result;
use crate::types::Offset;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The tail is written once it has this many bytes.
const TAIL_BYTES: usize = 4096;

/// An index with entries of `N` bytes.
#[derive(Debug)]
pub(super) struct IndexFile<const N: usize> {
    disk: Disk,
    dir: Arc<Path>,
    base_offset: Offset,
    suffix: &'static str,
    exists: bool,
    /// The number of entries in the file, once known.
    stored: OnceLock<usize>,
    map: OnceLock<Arc<Cached<Map>>>,
    /// The entries that follow those in the file.
    tail: Vec<u8>,
}

impl<const N: usize> IndexFile<N> {
    /// An index on disk, if the file exists. A partial entry at its end does not count.
    pub fn open(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> IndexFile<N> {
        let index = IndexFile::create(disk, dir, base_offset, suffix);
        IndexFile { exists: true, stored: OnceLock::new(), ..index }
    }

    /// An empty index; the first `flush` creates the file.
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
            stored: OnceLock::from(0),
            map: OnceLock::new(),
            tail: Vec::new(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(file_name(self.base_offset, self.suffix))
    }

    fn stored(&self) -> Result<usize> {
        if let Some(stored) = self.stored.get() {
            return Ok(*stored);
        }
        let stored = self.disk.file_len(&self.path())?.unwrap_or(0) as usize / N;
        Ok(*self.stored.get_or_init(|| stored))
    }

    /// The number of entries.
    pub fn len(&self) -> Result<usize> {
        Ok(self.stored()? + self.tail.len() / N)
    }

    pub fn get(&self, index: usize) -> Result<[u8; N]> {
        let (stored, len) = (self.stored()?, self.len()?);
        assert!(index < len, "entry {index} of {len}");
        let mut entry = [0; N];
        if index >= stored {
            let at = (index - stored) * N;
            entry.copy_from_slice(&self.tail[at..at + N]);
        } else if let Some(map) = self.map.get().and_then(|map| map.peek()) {
            entry.copy_from_slice(&map[index * N..(index + 1) * N]);
        } else {
            let file = self.disk.open_existing(&self.path())?;
            file.read_exact_at(&mut entry, (index * N) as u64)?;
        }
        Ok(entry)
    }

    pub fn last(&self) -> Result<Option<[u8; N]>> {
        self.len()?.checked_sub(1).map(|index| self.get(index)).transpose()
    }

    /// The number of leading entries that are `below`; they must precede all others.
    pub fn partition_point(&self, below: impl Fn(&[u8; N]) -> bool) -> Result<usize> {
        let count = |bytes: &[u8]| {
            let (entries, _) = bytes.as_chunks::<N>();
            entries.partition_point(&below)
        };
        let (stored, in_tail) = (self.stored()?, count(&self.tail));
        if in_tail > 0 || stored == 0 {
            return Ok(stored + in_tail);
        }
        let map = self.map.get_or_init(Arc::default);
        let map = map.get(|| self.disk.open_existing(&self.path())?.map(stored * N))?;
        Ok(count(&map))
    }

    /// Drops the map because the file changes. We own the index, so nobody else maps it now.
    fn set_stored(&mut self, entries: usize) {
        self.stored = OnceLock::from(entries);
        if let Some(map) = self.map.take() {
            map.close();
        }
    }

    /// Appends an entry. If the disk is full, the tail stays in memory, because entries must not be
    /// skipped; sealing the index then reports the error.
    pub fn push(&mut self, entry: [u8; N]) -> Result<()> {
        self.tail.extend_from_slice(&entry);
        if self.tail.len() + N > TAIL_BYTES { put_off(self.flush()) } else { Ok(()) }
    }

    /// Writes the tail. Creates the file if it is missing, because Kafka considers a segment
    /// without indexes broken.
    pub fn flush(&mut self) -> Result<()> {
        if self.exists && self.tail.is_empty() {
            return Ok(());
        }
        let stored = self.stored()?;
        let file = self.disk.open(&self.path())?;
        file.write_at(&self.tail, (stored * N) as u64)?;
        self.exists = true;
        self.set_stored(stored + self.tail.len() / N);
        self.tail = Vec::new();
        Ok(())
    }

    /// Keeps the first `entries` entries.
    pub fn truncate(&mut self, entries: usize) -> Result<()> {
        let stored = self.stored()?;
        if entries >= stored {
            self.tail.truncate((entries - stored) * N);
            return Ok(());
        }
        self.set_stored(entries);
        self.tail.clear();
        if !self.exists {
            return Ok(());
        }
        self.disk.open(&self.path())?.truncate((entries * N) as u64)
    }
}
