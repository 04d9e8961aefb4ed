//! Files mapped into memory, for index lookups. This is the only `unsafe` code of the disk.
#![allow(unsafe_code)]

use super::File;
use crate::error::Result;
use memmap2::{Mmap, MmapMut, MmapOptions};
use std::ops::Deref;

/// The first bytes of a file, in memory.
#[derive(Debug)]
pub struct Map(Mmap);

impl File {
    /// Maps the first `len` bytes, which must exist and must not be truncated or overwritten while
    /// the map lives. The owner of the map owns the log directory, which is locked, and drops the
    /// map before it truncates the file.
    pub fn map(&self, len: usize) -> Result<Map> {
        let Some(file) = self.os() else { return self.copied(len) };
        // SAFETY: the file changes only under the conditions above, by this process, which holds
        // the log directory's lock against other processes that respect it.
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
