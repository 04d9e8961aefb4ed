//! The operations that the machine's file system and a simulated one implement. Everything else
//! about files is written once, on top of them.

use super::cached::opened;
use super::{Handle, boot};
use crate::types::Timestamp;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most buffers in one vectored write: Linux's IOV_MAX.
const MAX_SLICES: usize = 1024;

/// Operations on paths.
pub(super) trait System {
    /// Opens a file; fails for directories, pipes and devices.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Handle>;
    /// Follows links.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Lists a directory, in any order.
    fn entries(&self, path: &Path) -> io::Result<Vec<(String, Kind)>>;
    /// The path without links and `..`.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_empty_dir(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes everything durable in the file system of `path`.
    fn sync_all(&self, path: &Path) -> io::Result<()>;
    /// Total and usable bytes of the file system of `path`, each at most i64::MAX.
    fn space(&self, path: &Path) -> io::Result<(i64, i64)>;
    /// A text that changes after a power loss and differs for a copy of the file; None if the
    /// system cannot provide one.
    fn boot_mark(&self, path: &Path) -> io::Result<Option<String>>;
}

/// Operations on an open file.
pub(super) trait OpenFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of `slices`, one after the other.
    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn sync_data(&self) -> io::Result<()>;
    /// The machine's file; None for a simulated one, which has no page cache, locks or maps.
    fn os(&self) -> Option<&fs::File> {
        None
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it is created if it does not exist.
    Create,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub len: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// Device and inode.
    pub identity: (u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, or a link to one.
    File,
    /// A directory, or a link to anything but a file.
    Dir,
    /// A pipe or device.
    Other,
}

/// The machine's file system.
pub(super) struct Os;

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
impl System for Os {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Handle> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(mode != Mode::Read).create(mode == Mode::Create).truncate(false);
        // Opening a pipe would otherwise wait until somebody writes to it.
        options.custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = opened(|| options.open(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => Errno::LOOP.into(),
            _ => error,
        })?;
        match file.metadata()?.file_type() {
            kind if kind.is_file() => Ok(Handle::Os(file)),
            kind if kind.is_dir() => Err(Errno::ISDIR.into()),
            _ => Err(Errno::NXIO.into()),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let found = fs::metadata(path)?;
        Ok(Stat {
            len: found.len(),
            modified: (found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000).max(0),
            identity: (found.dev(), found.ino()),
        })
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        let entries = opened(|| fs::read_dir(path))?.map(|entry| {
            let entry = entry?;
            let kind = match entry.file_type()? {
                kind if kind.is_symlink() && !entry.path().is_file() => Kind::Dir,
                kind if kind.is_dir() => Kind::Dir,
                kind if kind.is_file() || kind.is_symlink() => Kind::File,
                _ => Kind::Other,
            };
            Ok((entry.file_name().to_string_lossy().into_owned(), kind))
        });
        entries.collect()
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_empty_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        opened(|| fs::remove_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        opened(|| fs::File::open(path))?.sync_all()
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(opened(|| fs::File::open(path))?)?)
    }

    fn space(&self, path: &Path) -> io::Result<(i64, i64)> {
        let stat = rustix::fs::statvfs(path)?;
        let bytes =
            |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
        Ok((bytes(stat.f_blocks), bytes(stat.f_bavail)))
    }

    fn boot_mark(&self, path: &Path) -> io::Result<Option<String>> {
        boot::mark_of(path)
    }
}

impl OpenFile for fs::File {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, position)
    }

    fn write_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let upto = slices.len().min(MAX_SLICES);
            match rustix::io::pwritev(self, &slices[..upto], position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }

    #[inline]
    fn os(&self) -> Option<&fs::File> {
        Some(self)
    }
}
