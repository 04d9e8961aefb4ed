//! Space that is reserved in each log directory for the time when the disk is full.
//!
//! `.klamm-reserve` is a file of allocated blocks. (Kafka's LogManager looks only at directories,
//! so it ignores the file.) When a write first finds no space, the file is removed. Its space then
//! serves deletions, group commits, settings and checkpoints, while producers are refused. The file
//! is created again once twice its size is free.

use super::Disk;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// The file's name in a log directory.
const NAME: &str = ".klamm-reserve";
/// The largest reserve in bytes.
const MAX_BYTES: i64 = 16 << 20;
/// The reserve is at most this fraction of the file system (1/32).
const SHARE: i64 = 32;

impl Disk {
    /// Creates the reserve of a log directory unless it exists or less than twice its size is free.
    /// Returns whether it exists, which means that there is room for producers.
    pub fn keep_reserve(&self, dir: &Path) -> Result<bool> {
        let path = path_in(dir);
        if self.file_len(&path)?.is_some() {
            return Ok(true);
        }
        let (total, usable) = self.space(dir)?;
        let bytes = size_of(total);
        // A file system that does not report its size cannot be watched.
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

    /// Removes the reserve of a log directory to free its space; returns whether there was one.
    pub fn release_reserve(&self, dir: &Path) -> Result<bool> {
        let path = path_in(dir);
        let was_there = self.file_len(&path)?.is_some();
        self.remove_file(&path)?;
        Ok(was_there)
    }

    /// At start: removes the reserve if hardly anything else is free, otherwise creates it. Returns
    /// whether it exists.
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
