//! Files as memory, for index lookups. The only `unsafe` of the disk.
#![allow(unsafe_code)]

use super::File;
use crate::error::Result;
use memmap2::{Mmap, MmapMut, MmapOptions};
use std::ops::Deref;

/// The first bytes of a file.
#[derive(Debug)]
pub struct Map(Mmap);

impl File {
    /// Maps the first `len` bytes, which must be there and must not be cut off or written over
    /// while the map lives: whoever maps a file owns its log directory, which is locked, and cuts
    /// a file only when it has dropped its map.
    pub fn map(&self, len: usize) -> Result<Map> {
        let Some(file) = self.os() else { return self.copied(len) };
        // SAFETY: the file is only changed under the conditions above, by this process, which
        // holds the log directory's lock against others that know of it.
        let map = unsafe { MmapOptions::new().len(len).map(file) };
        map.map(Map).map_err(|error| self.failed(error))
    }

    fn copied(&self, len: usize) -> Result<Map> {
        let mut map = MmapMut::map_anon(len).map_err(|error| self.failed(error))?;
        self.read_exact_at(&mut map, 0)?;
        map.make_read_only().map(Map).map_err(|error| self.failed(error))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
