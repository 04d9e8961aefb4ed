//! Room kept back in each log directory for the hour in which the disk is full.
//!
//! `.klamm-reserve` is a file of allocated blocks. (Kafka's LogManager looks at directories only,
//! so it does not mind a plain file.) When a write first finds no room, the file is removed: what
//! it held is for deletes, group commits, settings and checkpoints, while producers are refused.
//! It is made again once twice its size is free.

use super::Disk;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Name of the file in a log directory.
const NAME: &str = ".klamm-reserve";
/// Bytes kept back at most.
const MAX_BYTES: i64 = 16 << 20;
/// Of a small file system this part is kept back.
const SHARE: i64 = 32;

impl Disk {
    /// Makes the reserve of a log directory unless it is there or not twice its size is free.
    /// Answers whether it is there, which means that there is room for producers.
    pub fn keep_reserve(&self, dir: &Path) -> Result<bool> {
        let path = path_in(dir);
        if self.file_len(&path)?.is_some() {
            return Ok(true);
        }
        let (total, usable) = self.space(dir)?;
        let bytes = size_of(total);
        // A file system that does not tell its size cannot be watched.
        if bytes == 0 {
            return Ok(true);
        }
        if usable < 2 * bytes {
            return Ok(false);
        }
        match self.allocate(&path, bytes as u64) {
            Ok(()) => Ok(true),
            Err(error) if error.is_disk_full() => self.remove_file(&path).map(|()| false),
            Err(error) => Err(error),
        }
    }

    /// Gives the reserve of a log directory back to the file system; answers whether there was one.
    pub fn release_reserve(&self, dir: &Path) -> Result<bool> {
        let path = path_in(dir);
        let was_there = self.file_len(&path)?.is_some();
        self.remove_file(&path)?;
        Ok(was_there)
    }

    /// At start: gives the reserve back if nearly nothing else is free, else makes it. Answers as
    /// `keep_reserve`.
    pub fn settle_reserve(&self, dir: &Path) -> Result<bool> {
        let (total, usable) = self.space(dir)?;
        if usable < size_of(total) / 2 {
            self.release_reserve(dir)?;
            return Ok(false);
        }
        self.keep_reserve(dir)
    }
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

fn size_of(total: i64) -> i64 {
    (total / SHARE).min(MAX_BYTES)
}
