//! The only door to the file system: files, directories, locks, sendfile ranges.
//! (Stub: the log engineer replaces the bodies; signatures are what others use.)

use crate::error::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file system. (`Sim`, which crashes, tears, fails and fills, comes with the log's tests.)
#[derive(Clone, Debug)]
pub enum Disk {
    /// The machine's.
    Os,
}

/// An open file, read and written at positions.
#[derive(Debug)]
pub enum File {
    /// A file of the machine.
    Os(std::fs::File, PathBuf),
}

/// A part of a file that an answer sends without reading it (sendfile).
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The segment's file; kept open while the answer is under way.
    pub file: Arc<File>,
    /// First byte.
    pub position: u64,
    /// Number of bytes.
    pub len: usize,
}

impl FileRange {
    /// Reads the range into memory, for TLS and for whoever looks into records.
    pub fn read(&self) -> Result<bytes::Bytes> {
        todo!("log engineer")
    }
}

impl Disk {
    /// Opens or makes a file for reading and writing.
    pub fn open(&self, path: &Path) -> Result<File> {
        let _ = path;
        todo!("log engineer")
    }
    /// Reads a small file whole; None if there is none.
    pub fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let _ = path;
        todo!("log engineer")
    }
    /// Replaces a small file: `.tmp`, fsync, rename, fsync of the directory.
    pub fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        let _ = (path, content);
        todo!("log engineer")
    }
    /// Makes a directory and those above it.
    pub fn create_dir_all(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!("log engineer")
    }
    /// The names in a directory, sorted.
    pub fn list(&self, path: &Path) -> Result<Vec<String>> {
        let _ = path;
        todo!("log engineer")
    }
    /// Renames a file or directory, and syncs the directory above.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let _ = (from, to);
        todo!("log engineer")
    }
    /// Removes a file if it is there.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!("log engineer")
    }
    /// Removes a directory and all in it.
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!("log engineer")
    }
    /// Makes a directory's entries durable.
    pub fn sync_dir(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!("log engineer")
    }
}
