//! Files as memory, for index lookups. The only `unsafe` of the disk.
#![allow(unsafe_code)]

use super::File;
use crate::error::Result;
use std::ops::Deref;

/// The first bytes of a file.
#[derive(Debug)]
pub enum Map {
    /// As they are in the page cache.
    Mapped(memmap2::Mmap),
    /// Of a simulated disk.
    #[cfg(test)]
    Copied(Vec<u8>),
}

impl File {
    /// Maps the first `len` bytes, which must be there and must not be cut off or written over
    /// while the map lives: whoever maps a file owns its log directory, which is locked, and cuts
    /// a file only when it has dropped its map.
    pub fn map(&self, len: usize) -> Result<Map> {
        let file = match self {
            File::Os(file, _) => file,
            #[cfg(test)]
            File::Sim(_) => {
                let mut bytes = vec![0; len];
                return self.read_exact_at(&mut bytes, 0).map(|()| Map::Copied(bytes));
            }
        };
        let mut options = memmap2::MmapOptions::new();
        // SAFETY: the file is only changed under the conditions above, by this process, which
        // holds the log directory's lock against others that know of it.
        let map = unsafe { options.len(len).map(file) };
        map.map(Map::Mapped).map_err(|error| self.failed(error))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Map::Mapped(map) => map,
            #[cfg(test)]
            Map::Copied(bytes) => bytes,
        }
    }
}
