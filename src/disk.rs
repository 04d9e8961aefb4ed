//! The only way to the file system: files, directories, locks, ranges for sendfile.

mod boot;
mod cached;
mod descriptors;
mod mmap;
mod page_cache;
mod reserve;
#[cfg(test)]
pub(crate) mod sim;
mod system;

pub use cached::Cached;
pub use descriptors::{
    descriptors_for_connections, files_per_answer, momentary_descriptors, raise_descriptor_limit,
};
pub use mmap::Map;
pub use page_cache::Access;

use crate::error::{Error, Result};
use crate::types::Timestamp;
use bytes::Bytes;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, fcntl_lock};
use rustix::io::Errno;
use std::fs;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use system::{Kind, Mode, OpenFile, Os, Stat, System};

/// The file system that everything is read from and written to.
#[derive(Clone, Debug)]
pub enum Disk {
    /// The machine's file system.
    Os,
    /// One in memory that crashes, tears writes, fails and fills up.
    #[cfg(test)]
    Sim(sim::Sim),
}

/// An open file, read and written at given positions. Its path is the one used to open it, for
/// messages only.
#[derive(Debug)]
pub struct File {
    handle: Handle,
    path: PathBuf,
}

/// An open file. In a broker there is one variant, so that calls of its operations are direct.
#[derive(Debug)]
enum Handle {
    Os(fs::File),
    #[cfg(test)]
    Sim(sim::SimFile),
}

impl Deref for Handle {
    type Target = dyn OpenFile;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Handle::Os(file) => file,
            #[cfg(test)]
            Handle::Sim(file) => file,
        }
    }
}

/// A part of a file that belongs to a response and is not read yet. It stays readable even if the
/// file is renamed or deleted.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The segment's file, kept open until the response is sent.
    pub file: Arc<File>,
    /// The position of its first byte.
    pub position: u64,
    /// The number of bytes.
    pub len: usize,
}

/// The lock of a directory, held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl FileRange {
    /// Reads the range into memory, for TLS and for code that inspects records.
    pub fn read(&self) -> Result<Bytes> {
        let mut buffer = vec![0; self.len];
        self.file.read_exact_at(&mut buffer, self.position)?;
        Ok(buffer.into())
    }
}

impl File {
    /// The path used to open it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The machine's file; None for a simulated one.
    fn os(&self) -> Option<&fs::File> {
        self.handle.os()
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::disk(self.path(), source)
    }

    /// Reads from `position` until `buffer` is full or the file ends; returns the number of bytes
    /// read.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let (rest, position) = (&mut buffer[filled..], position + filled as u64);
            match self.handle.read_at(rest, position) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    /// Fills `buffer` from `position`. If the file ends before that, it is a disk error.
    pub fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> Result<()> {
        match self.read_at(buffer, position)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Writes all of `bytes` at `position`.
    pub fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        self.write_vectored_at(&mut [IoSlice::new(bytes)], position)
    }

    /// Writes all of `slices`, one after the other, from `position` on, usually with one `pwritev`.
    pub fn write_vectored_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> Result<()> {
        self.handle.write_at(slices, position).map_err(|error| self.failed(error))
    }

    /// Truncates or extends the file to `len` bytes.
    pub fn truncate(&self, len: u64) -> Result<()> {
        self.handle.set_len(len).map_err(|error| self.failed(error))
    }

    /// Reserves space for `len` bytes without making the file longer, so that a process that dies
    /// leaves nothing after the bytes it wrote. Truncating frees what was not used. Does nothing if
    /// the file system does not support it.
    pub fn set_room_aside(&self, len: u64) -> Result<()> {
        let Some(file) = self.os() else { return Ok(()) };
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// The length in bytes.
    pub fn len(&self) -> Result<u64> {
        self.handle.len().map_err(|error| self.failed(error))
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Sets the time of the last write.
    pub fn set_modified(&self, time: Timestamp) -> Result<()> {
        let since = std::time::Duration::from_millis(time.max(0) as u64);
        let time = std::time::UNIX_EPOCH + since;
        let set = self.os().map_or(Ok(()), |file| file.set_modified(time));
        set.map_err(|error| self.failed(error))
    }

    /// Makes the file's content durable (fdatasync).
    pub fn sync_data(&self) -> Result<()> {
        self.handle.sync_data().map_err(|error| unsynced(&self.path, error))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.os().expect("nothing is sent from a simulated disk").as_fd()
    }
}

impl Disk {
    /// Whether it is one of the tests' in memory.
    pub fn is_simulated(&self) -> bool {
        !matches!(self, Disk::Os)
    }

    fn system(&self) -> &dyn System {
        match self {
            Disk::Os => &Os,
            #[cfg(test)]
            Disk::Sim(sim) => sim,
        }
    }

    fn open_for(&self, mode: Mode, path: &Path) -> Result<File> {
        let handle = self.system().open(path, mode).map_err(|error| failed(path, error))?;
        Ok(File { handle, path: path.to_owned() })
    }

    /// Opens a file for reading and writing, creating it if it is missing. Something else than a
    /// file is an error (Corrupt), which concerns what the file belongs to, not the disk.
    pub fn open(&self, path: &Path) -> Result<File> {
        self.open_for(Mode::Create, path)
    }

    /// Opens an existing file for reading and writing.
    pub fn open_existing(&self, path: &Path) -> Result<File> {
        self.open_for(Mode::Write, path)
    }

    /// Opens a file for reading; None if it does not exist.
    fn open_to_read(&self, path: &Path) -> Result<Option<File>> {
        match self.open_for(Mode::Read, path) {
            Err(Error::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Reads all of a small file; None if it does not exist. Something else than a file is an error
    /// (Corrupt).
    pub fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.open_to_read(path)? else { return Ok(None) };
        let mut content = vec![0; file.len()? as usize];
        let read = file.read_at(&mut content, 0)?;
        content.truncate(read);
        Ok(Some(content))
    }

    /// Describes what is at `path`; None if there is nothing.
    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        absent_is_none(path, self.system().stat(path))
    }

    /// The length of a file in bytes; None if it does not exist.
    pub fn file_len(&self, path: &Path) -> Result<Option<u64>> {
        Ok(self.stat(path)?.map(|stat| stat.len))
    }

    /// When a file was last written; None if it does not exist.
    pub fn modified(&self, path: &Path) -> Result<Option<Timestamp>> {
        Ok(self.stat(path)?.map(|stat| stat.modified))
    }

    /// Replaces a small file durably: `.tmp`, fsync, rename, fsync of the directory.
    pub fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.replace_file_unsynced(path, content)?;
        path.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// Replaces a small file. After a crash it has either the old or the new content.
    pub fn replace_file_unsynced(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let write = || {
            let file = self.open(&temporary)?;
            file.truncate(0)?;
            file.write_at(content, 0)?;
            file.sync_data()?;
            self.rename_unsynced(&temporary, path)
        };
        // A partial file is useless, and after a full disk its space is needed.
        write().inspect_err(|_| drop(self.remove_file(&temporary)))
    }

    /// Creates a file of `bytes` bytes that the file system has really allocated.
    fn allocate(&self, path: &Path, bytes: u64) -> Result<()> {
        let file = self.open(path)?;
        let Some(os) = file.os() else { return file.truncate(bytes) };
        match fallocate(os, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP) => {
                let zeros = vec![0; 1 << 16];
                let positions = (0..bytes).step_by(zeros.len());
                positions.into_iter().try_for_each(|position| {
                    let len = (bytes - position).min(zeros.len() as u64) as usize;
                    file.write_at(&zeros[..len], position)
                })
            }
            allocated => allocated.map_err(|error| Error::disk(path, error.into())),
        }
    }

    /// Total and usable bytes of the file system that contains `path`, each at most i64::MAX.
    pub fn space(&self, path: &Path) -> Result<(i64, i64)> {
        self.system().space(path).map_err(|error| Error::disk(path, error))
    }

    /// Creates a directory in one that exists.
    pub fn create_dir(&self, path: &Path) -> Result<()> {
        self.system().create_dir(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => misplaced(path, "no directory, where one belongs"),
            _ => Error::disk(path, error),
        })
    }

    /// Whether two paths lead to the same file or directory, by way of `..`, a link or a bind
    /// mount.
    pub fn is_same(&self, one: &Path, other: &Path) -> Result<bool> {
        Ok(match (self.stat(one)?, self.stat(other)?) {
            (Some(one), Some(other)) => one.identity == other.identity,
            _ => self.resolve(one) == self.resolve(other),
        })
    }

    /// A path without links and `..`, as far as it exists.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match (self.system().resolve(path), path.parent(), path.file_name()) {
            (Err(_), Some(parent), Some(name)) => self.resolve(parent).join(name),
            (resolved, ..) => resolved.unwrap_or_else(|_| path.to_owned()),
        }
    }

    /// The names in a directory, sorted.
    pub fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.names(path, |_, _| Ok(true))
    }

    /// As `list`, but anything else than a file under a name that `is_of_file` is an error
    /// (Corrupt).
    pub fn list_files(
        &self,
        path: &Path,
        is_of_file: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        self.names(path, |name, kind| {
            if kind == Kind::File || !is_of_file(name) {
                return Ok(true);
            }
            Err(misplaced(&path.join(name), "no file, where one belongs"))
        })
    }

    /// The names of the directories in a directory, sorted.
    pub fn list_dirs(&self, path: &Path) -> Result<Vec<String>> {
        self.names(path, |_, kind| Ok(kind == Kind::Dir))
    }

    fn names(
        &self,
        path: &Path,
        wanted: impl Fn(&str, Kind) -> Result<bool>,
    ) -> Result<Vec<String>> {
        let entries = self.system().entries(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => misplaced(path, "no directory, where one belongs"),
            _ => failed(path, error),
        })?;
        let mut names = Vec::new();
        for (name, kind) in entries {
            if wanted(&name, kind)? {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Renames a file or directory, and makes that durable.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename_unsynced(from, to)?;
        to.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// Renames a file or directory; a crash may undo this.
    pub fn rename_unsynced(&self, from: &Path, to: &Path) -> Result<()> {
        self.system().rename(from, to).map_err(|error| Error::disk(from, error))
    }

    /// Removes a file if it exists.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        absent_is_none(path, self.system().remove_file(path)).map(drop)
    }

    /// Removes a directory unless something is in it.
    pub fn remove_empty_dir(&self, path: &Path) -> Result<()> {
        self.system().remove_empty_dir(path).map_err(|error| Error::disk(path, error))
    }

    /// Removes a directory with everything in it, if it exists.
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        absent_is_none(path, self.system().remove_dir_all(path)).map(drop)
    }

    /// Makes a file's content durable, if it exists.
    pub fn sync_file(&self, path: &Path) -> Result<()> {
        self.open_to_read(path)?.map_or(Ok(()), |file| file.sync_data())
    }

    /// Makes a directory's entries durable.
    pub fn sync_dir(&self, path: &Path) -> Result<()> {
        self.system().sync_dir(path).map_err(|error| unsynced(path, error))
    }

    /// Makes everything on the file system of `path` durable at once (syncfs).
    pub fn sync_file_system(&self, path: &Path) -> Result<()> {
        self.system().sync_all(path).map_err(|error| unsynced(path, error))
    }

    /// Locks `path` against other processes as Java's `FileChannel.tryLock` does (fcntl F_SETLK);
    /// None if another process holds the lock. The system drops the lock when this process closes
    /// any descriptor of the file, so nothing else may open it.
    pub fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        let file = self.open(path)?;
        let lock = |os| fcntl_lock(os, FlockOperation::NonBlockingLockExclusive);
        match file.os().map_or(Ok(()), lock) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(Error::disk(path, error.into())),
        }
    }
}

/// The error of a failed fsync. Nobody knows what is on disk then, and the next fsync may report
/// success (fsyncgate), so this never counts as a full disk, after which work continues.
fn unsynced(path: &Path, error: io::Error) -> Error {
    Error::disk(path, io::Error::other(format!("fsync: {error}")))
}

fn absent_is_none<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// The error of a failed open. Something else in the place of a file is not a failure of the disk.
fn failed(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ISDIR) => misplaced(path, "a directory, where a file belongs"),
        Some(Errno::NXIO) => misplaced(path, "a pipe or device, where a file belongs"),
        Some(Errno::LOOP) => misplaced(path, "a symbolic link that leads nowhere"),
        _ => Error::disk(path, error),
    }
}

fn misplaced(path: &Path, what: &str) -> Error {
    Error::corrupt(format!("log directory: {} is {what}: move it away", path.display()))
}
