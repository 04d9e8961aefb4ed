//! The only door to the file system: files, directories, locks, sendfile ranges.

mod boot;
mod cached;
mod descriptors;
mod mmap;
mod page_cache;
mod reserve;
#[cfg(test)]
pub(crate) mod sim;

pub use cached::Cached;
pub use descriptors::{
    descriptors_for_connections, files_per_answer, momentary_descriptors, raise_descriptor_limit,
};
pub use mmap::Map;
pub use page_cache::Access;

use crate::error::{Error, Result};
use crate::types::Timestamp;
use bytes::Bytes;
use cached::opened;
use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, fcntl_lock};
use rustix::io::Errno;
use std::fs;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Buffers in one vectored write: Linux's IOV_MAX.
const MAX_SLICES: usize = 1024;

/// A file system.
#[derive(Clone, Debug)]
pub enum Disk {
    /// The machine's.
    Os,
    /// One in memory that crashes, tears, fails and fills.
    #[cfg(test)]
    Sim(sim::Sim),
}

/// An open file, read and written at positions. Its path is where it was opened: only for messages.
#[derive(Debug)]
pub enum File {
    /// A file of the machine.
    Os(fs::File, PathBuf),
    /// A simulated one.
    #[cfg(test)]
    Sim(sim::SimFile),
}

/// A part of a file that belongs to an answer, not read yet. It stays readable when the file is
/// renamed or deleted meanwhile.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The segment's file; kept open while the answer is under way.
    pub file: Arc<File>,
    /// First byte.
    pub position: u64,
    /// Number of bytes.
    pub len: usize,
}

/// A directory's lock, held while this lives.
#[derive(Debug)]
pub struct Lock {
    _file: Option<fs::File>,
}

impl FileRange {
    /// Reads the range into memory, for TLS and for whoever looks into records.
    pub fn read(&self) -> Result<Bytes> {
        let mut buffer = vec![0; self.len];
        self.file.read_exact_at(&mut buffer, self.position)?;
        Ok(buffer.into())
    }
}

impl File {
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        match self {
            File::Os(_, path) => path,
            #[cfg(test)]
            File::Sim(file) => &file.path,
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::disk(self.path(), source)
    }

    /// Reads from `position` until `buffer` is full or the file ends; answers the bytes read.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let (rest, position) = (&mut buffer[filled..], position + filled as u64);
            let read = match self {
                File::Os(file, _) => file.read_at(rest, position),
                #[cfg(test)]
                File::Sim(file) => file.read_at(rest, position),
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    /// Fills `buffer` from `position`; a file that ends before that is a disk error.
    pub fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> Result<()> {
        match self.read_at(buffer, position)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Writes all of `bytes` at `position`.
    pub fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let written = match self {
            File::Os(file, _) => file.write_all_at(bytes, position),
            #[cfg(test)]
            File::Sim(file) => file.write_at(bytes, position),
        };
        written.map_err(|error| self.failed(error))
    }

    /// Writes all of `slices`, one behind the other, from `position` on: one `pwritev` as a rule.
    pub fn write_vectored_at(&self, mut slices: &mut [IoSlice<'_>], position: u64) -> Result<()> {
        let mut position = position;
        let file = match self {
            File::Os(file, _) => file,
            #[cfg(test)]
            File::Sim(_) => {
                let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                return self.write_at(&bytes, position);
            }
        };
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let upto = slices.len().min(MAX_SLICES);
            match rustix::io::pwritev(file, &slices[..upto], position) {
                Ok(0) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed(error.into())),
            }
        }
        Ok(())
    }

    /// Cuts or extends the file to `len` bytes.
    pub fn truncate(&self, len: u64) -> Result<()> {
        let cut = match self {
            File::Os(file, _) => file.set_len(len),
            #[cfg(test)]
            File::Sim(file) => file.truncate(len),
        };
        cut.map_err(|error| self.failed(error))
    }

    /// Sets room for `len` bytes aside, without making the file longer: a process that dies leaves
    /// nothing behind the bytes that it wrote. Truncating gives back what was not used. A file
    /// system that cannot do it does not.
    pub fn set_room_aside(&self, len: u64) -> Result<()> {
        let file = match self {
            File::Os(file, _) => file,
            #[cfg(test)]
            File::Sim(_) => return Ok(()),
        };
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> Result<u64> {
        let len = match self {
            File::Os(file, _) => file.metadata().map(|metadata| metadata.len()),
            #[cfg(test)]
            File::Sim(file) => file.len(),
        };
        len.map_err(|error| self.failed(error))
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Sets when it was last written.
    pub fn set_modified(&self, time: Timestamp) -> Result<()> {
        let since = std::time::Duration::from_millis(time.max(0) as u64);
        let time = std::time::UNIX_EPOCH + since;
        match self {
            File::Os(file, _) => file.set_modified(time).map_err(|error| self.failed(error)),
            #[cfg(test)]
            File::Sim(_) => Ok(()),
        }
    }

    /// Makes the bytes durable (fdatasync).
    pub fn sync_data(&self) -> Result<()> {
        let synced = match self {
            File::Os(file, _) => file.sync_data(),
            #[cfg(test)]
            File::Sim(file) => file.sync(),
        };
        synced.map_err(|error| unsynced(self.path(), error))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            File::Os(file, _) => file.as_fd(),
            #[cfg(test)]
            File::Sim(_) => unreachable!("nothing is sent from a simulated disk"),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
impl Disk {
    /// Opens or makes a file for reading and writing. What is there and is no file is an error
    /// (Corrupt): it concerns whoever it belongs to, not the disk.
    pub fn open(&self, path: &Path) -> Result<File> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.open(path).map(File::Sim);
        }
        let mut how = fs::OpenOptions::new();
        let file = open_file(how.read(true).write(true).create(true).truncate(false), path)?;
        Ok(File::Os(file, path.to_owned()))
    }

    /// Opens a file for reading and writing that must be there.
    pub fn open_existing(&self, path: &Path) -> Result<File> {
        #[cfg(test)]
        if let Disk::Sim(_) = self {
            return match self.file_len(path)? {
                Some(_) => self.open(path),
                None => Err(Error::disk(path, io::ErrorKind::NotFound.into())),
            };
        }
        let file = open_file(fs::OpenOptions::new().read(true).write(true), path)?;
        Ok(File::Os(file, path.to_owned()))
    }

    /// Reads a small file whole; None if there is none. What is there and is no file is an error
    /// (Corrupt).
    pub fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return absent_is_none(path, sim.read_file(path));
        }
        let Some(mut file) = read_only(path)? else { return Ok(None) };
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| Error::disk(path, error))?;
        Ok(Some(content))
    }

    /// Length of a file in bytes; None if there is none.
    pub fn file_len(&self, path: &Path) -> Result<Option<u64>> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return absent_is_none(path, sim.file_len(path));
        }
        Ok(absent_is_none(path, fs::metadata(path))?.map(|metadata| metadata.len()))
    }

    /// When a file was last written; None if there is none.
    pub fn modified(&self, path: &Path) -> Result<Option<Timestamp>> {
        #[cfg(test)]
        if matches!(self, Disk::Sim(_)) {
            return Ok(self.file_len(path)?.map(|_| sim::MODIFIED));
        }
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH);
        Ok(absent_is_none(path, modified)?
            .map(|time| since(time).map_or(0, |age| age.as_millis() as Timestamp)))
    }

    /// Replaces a small file: `.tmp`, fsync, rename, fsync of the directory.
    pub fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.replace_file_unsynced(path, content)?;
        path.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// Replaces a small file; after a crash it has the old or the new content, whole.
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
        // On a full disk a half-written file would take room and be of no use.
        write().inspect_err(|_| drop(self.remove_file(&temporary)))
    }

    /// Makes a file of `bytes` that the file system has really set aside.
    fn allocate(&self, path: &Path, bytes: u64) -> Result<()> {
        let file = self.open(path)?;
        let os = match &file {
            File::Os(os, _) => os,
            #[cfg(test)]
            File::Sim(_) => return file.truncate(bytes),
        };
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

    /// Total and usable bytes of the file system that `path` lies in, each at most i64::MAX.
    pub fn space(&self, path: &Path) -> Result<(i64, i64)> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return Ok(sim.space());
        }
        space(path)
    }

    /// Makes a directory and those above it.
    pub fn create_dir_all(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.create_dir_all(path).map_err(|error| Error::disk(path, error));
        }
        fs::create_dir_all(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => misplaced(path, "no directory, where one belongs"),
            _ => Error::disk(path, error),
        })
    }

    /// Whether two names lead to one file or directory: by `..`, a link, a bind mount.
    pub fn is_same(&self, one: &Path, other: &Path) -> Result<bool> {
        #[cfg(test)]
        if matches!(self, Disk::Sim(_)) {
            return Ok(one == other);
        }
        let identity = |path: &Path| -> Result<Option<(u64, u64)>> {
            let metadata = absent_is_none(path, fs::metadata(path))?;
            Ok(metadata.map(|metadata| (metadata.dev(), metadata.ino())))
        };
        Ok(match (identity(one)?, identity(other)?) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        })
    }

    /// The names in a directory, sorted.
    pub fn list(&self, path: &Path) -> Result<Vec<String>> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.names(path, false).map_err(|error| Error::disk(path, error));
        }
        self.names(path, |_, _| Ok(true))
    }

    /// As `list`; where a name `is_of_file`, and something else has it, it is an error (Corrupt).
    pub fn list_files(
        &self,
        path: &Path,
        is_of_file: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        #[cfg(test)]
        if let Disk::Sim(_) = self {
            return self.list(path);
        }
        self.names(path, |name, kind| {
            let path = path.join(name);
            let is_file = kind.is_file() || (kind.is_symlink() && path.is_file());
            if is_file || !is_of_file(name) {
                return Ok(true);
            }
            Err(misplaced(&path, "no file, where one belongs"))
        })
    }

    /// The names of the directories in a directory, sorted.
    pub fn list_dirs(&self, path: &Path) -> Result<Vec<String>> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.names(path, true).map_err(|error| Error::disk(path, error));
        }
        self.names(path, |_, kind| Ok(kind.is_dir() || kind.is_symlink()))
    }

    fn names(
        &self,
        path: &Path,
        wanted: impl Fn(&str, fs::FileType) -> Result<bool>,
    ) -> Result<Vec<String>> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotADirectory => misplaced(path, "no directory, where one belongs"),
            _ => failed(path, error),
        };
        let mut names = Vec::new();
        for entry in opened(|| fs::read_dir(path)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if wanted(&name, entry.file_type().map_err(failed)?)? {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Renames a file or directory, and syncs the directory above.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename_unsynced(from, to)?;
        to.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// Renames a file or directory; a crash may undo it.
    pub fn rename_unsynced(&self, from: &Path, to: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.rename(from, to).map_err(|error| Error::disk(from, error));
        }
        fs::rename(from, to).map_err(|error| Error::disk(from, error))
    }

    /// Removes a file if it is there.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return absent_is_none(path, sim.remove(path)).map(|_| ());
        }
        absent_is_none(path, fs::remove_file(path)).map(|_| ())
    }

    /// Removes a directory and all in it, if it is there.
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return absent_is_none(path, sim.remove(path)).map(|_| ());
        }
        absent_is_none(path, opened(|| fs::remove_dir_all(path))).map(|_| ())
    }

    /// Makes a file's bytes durable, if it is there.
    pub fn sync_file(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return match self.file_len(path)? {
                Some(_) => sim.sync(path).map_err(|error| unsynced(path, error)),
                None => Ok(()),
            };
        }
        match read_only(path)? {
            Some(file) => file.sync_data().map_err(|error| unsynced(path, error)),
            None => Ok(()),
        }
    }

    /// Makes a directory's entries durable.
    pub fn sync_dir(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.sync(path).map_err(|error| unsynced(path, error));
        }
        let directory =
            opened(|| fs::File::open(path)).map_err(|error| Error::disk(path, error))?;
        directory.sync_all().map_err(|error| unsynced(path, error))
    }

    /// Makes everything durable that lies in the file system of `path`, at once (syncfs).
    pub fn sync_file_system(&self, path: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.sync_all(path).map_err(|error| unsynced(path, error));
        }
        let directory =
            opened(|| fs::File::open(path)).map_err(|error| Error::disk(path, error))?;
        rustix::fs::syncfs(directory).map_err(|error| unsynced(path, error.into()))
    }

    /// Locks `path` against other processes as Java's `FileChannel.tryLock` does (fcntl F_SETLK);
    /// None if another process holds it. The system drops the lock when this process closes any
    /// descriptor of the file, so nothing else may open it.
    pub fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        let file = match self.open(path)? {
            File::Os(file, _) => file,
            #[cfg(test)]
            File::Sim(_) => return Ok(Some(Lock { _file: None })),
        };
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: Some(file) })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(Error::disk(path, error.into())),
        }
    }
}

/// After a failed fsync nobody knows what is on the disk, and the next one may say that all is well
/// (fsyncgate). So it never counts as a full disk, which would go on.
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

/// Opens a file, and nothing else: a FIFO has whoever opens it wait for somebody who writes.
#[allow(clippy::disallowed_methods, reason = "this is the disk")]
fn open_file(how: &mut fs::OpenOptions, path: &Path) -> Result<fs::File> {
    how.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = opened(|| how.open(path)).map_err(|error| failed(path, error))?;
    let kind = file.metadata().map_err(|error| Error::disk(path, error))?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(misplaced(path, "a directory, where a file belongs")),
        false => Err(misplaced(path, "a pipe or device, where a file belongs")),
    }
}

/// Opens a file for reading; None if there is none.
fn read_only(path: &Path) -> Result<Option<fs::File>> {
    match open_file(fs::OpenOptions::new().read(true), path) {
        Err(Error::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// What a person has put there is no fault of the disk.
fn failed(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ISDIR) => misplaced(path, "a directory, where a file belongs"),
        Some(Errno::NXIO) => misplaced(path, "a pipe or device, where a file belongs"),
        Some(Errno::LOOP) => misplaced(path, "a symbolic link that leads to itself"),
        _ => Error::disk(path, error),
    }
}

fn misplaced(path: &Path, what: &str) -> Error {
    Error::corrupt(format!("log directory: {} is {what}: move it away", path.display()))
}

/// Total and usable bytes of the file system that `path` lies in, each at most i64::MAX.
pub fn space(path: &Path) -> Result<(i64, i64)> {
    let stat = rustix::fs::statvfs(path).map_err(|error| Error::disk(path, error.into()))?;
    let bytes =
        |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
    Ok((bytes(stat.f_blocks), bytes(stat.f_bavail)))
}
