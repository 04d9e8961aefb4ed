//! Which parts of a file are in the page cache. Code that must not wait for the disk checks this
//! first, and lets a thread that may wait read in what is missing.

use super::{File, FileRange};
use crate::error::Result;
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::io::IoSliceMut;
use std::num::NonZeroU64;

/// How much is read ahead after the range, in bytes, because readers usually go on.
const AHEAD: u64 = 4 << 20;
/// One byte is read in each of these strides; the system reads at least this much at once.
const STRIDE: usize = 64 << 10;

/// The smallest page size, in bytes.
const PAGE: u64 = 4096;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may wait.
    Waiting,
    /// It takes only what is in the page cache.
    Cached,
}

impl File {
    /// As `read_at`. None if `access` is `Cached` and not all of the data is in the page cache.
    pub fn read_by(
        &self,
        access: Access,
        buffer: &mut [u8],
        position: u64,
    ) -> Result<Option<usize>> {
        let Some(file) = self.os().filter(|_| access == Access::Cached) else {
            return self.read_at(buffer, position).map(Some);
        };
        let mut filled = 0;
        while filled < buffer.len() {
            let mut rest = [IoSliceMut::new(&mut buffer[filled..])];
            match preadv2(file, &mut rest, position + filled as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                // Not every file system supports this.
                Err(_) => return self.read_at(buffer, position).map(Some),
            }
        }
        Ok(Some(filled))
    }
}

impl FileRange {
    /// Whether the range is in the page cache, judged by its two ends.
    pub fn is_cached(&self) -> bool {
        let last = self.position + self.len.saturating_sub(1) as u64;
        // A read error counts as cached: the reader will get it.
        let is_here =
            |position| !matches!(self.file.read_by(Access::Cached, &mut [0], position), Ok(None));
        let is_one_page = self.position / PAGE == last / PAGE;
        is_here(last) && (is_one_page || is_here(self.position))
    }

    /// Reads the range into the page cache, and requests what follows. Waits for the disk.
    pub fn bring_in(&self) -> Result<()> {
        if let Some(file) = self.file.os() {
            // If this is not supported, the reads below take longer.
            let len = NonZeroU64::new(self.len as u64 + AHEAD);
            let _ = fadvise(file, self.position, len, Advice::WillNeed);
        }
        let steps = (0..self.len).step_by(STRIDE).chain(self.len.checked_sub(1));
        for step in steps {
            self.file.read_at(&mut [0], self.position + step as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;
    use crate::disk::Disk;
    use std::sync::Arc;

    #[test]
    fn what_is_not_in_memory_is_told_and_brought_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(Disk::Os.open(&dir.path().join("file")).unwrap());
        let content: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
        file.write_at(&content, 0).unwrap();
        let range = FileRange { file: file.clone(), position: 5000, len: 1 << 20 };
        assert!(range.is_cached(), "it was just written");
        file.sync_data().unwrap();
        let _ = fadvise(&*file, 0, None, Advice::DontNeed);
        let mut buffer = [0; 100];
        // Not every file system drops its cache; those that do must not wait now.
        let read = file.read_by(Access::Cached, &mut buffer, 2 << 20).unwrap();
        assert!(read.is_none_or(|read| read == buffer.len()));
        range.bring_in().unwrap();
        assert!(range.is_cached());
        let read = file.read_by(Access::Cached, &mut buffer, 5000).unwrap();
        assert_eq!((read, &buffer[..]), (Some(100), &content[5000..5100]));
        FileRange { position: 2 << 20, ..range }.bring_in().unwrap();
        let behind = file.read_by(Access::Cached, &mut buffer, (3 << 20) - 40).unwrap();
        assert_eq!(behind, Some(40), "the file ends there");
    }
}
