//! Whether the machine has run on, with the same mount, since the logs in a directory were
//! recovered.
//!
//! A killed process loses nothing that it wrote, because the page cache still has it. Files can
//! lack their end or have holes only after the machine has stopped or the disk was mounted again.
//! `.klamm-boot` in a log directory names the boot and the mount in which all of its logs were
//! recovered. It also names its own device and inode, so that a copy of it means nothing. (Kafka
//! ignores the file, and what Kafka writes in the meantime is in the same page cache.) Without
//! Linux's unique mount ids (6.8) the mount cannot be recognized, and nothing is noted.

use super::Disk;
use super::cached::opened;
use crate::error::{Error, Result};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::fs;
use std::io;
use std::path::Path;

/// The file's name in a log directory.
const NAME: &str = ".klamm-boot";
/// STATX_MNT_ID_UNIQUE: a mount id that is never used again until the next boot.
const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// Linux puts the id of its boot here.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Disk {
    /// Whether `note_recovered` was called since the machine booted.
    pub fn is_recovered_since_boot(&self, dir: &Path) -> Result<bool> {
        let path = dir.join(NAME);
        let Some(content) = self.read_file(&path)? else { return Ok(false) };
        Ok(self.mark_of(&path)?.is_some_and(|mark| mark.as_bytes() == content))
    }

    /// Notes that all logs in `dir` are recovered: what is written from now on is safe until the
    /// machine stops. Notes nothing if boot or mount cannot be identified.
    pub fn note_recovered(&self, dir: &Path) -> Result<()> {
        let path = dir.join(NAME);
        let file = self.open(&path)?;
        let Some(mark) = self.mark_of(&path)? else { return Ok(()) };
        file.write_at(mark.as_bytes(), 0)?;
        file.truncate(mark.len() as u64)
    }

    fn mark_of(&self, path: &Path) -> Result<Option<String>> {
        self.system().boot_mark(path).map_err(|error| Error::disk(path, error))
    }
}

/// The machine's boot and mount, and the file's device and inode; None if Linux does not provide
/// them.
pub(super) fn mark_of(path: &Path) -> io::Result<Option<String>> {
    let Ok(boot) = opened(|| fs::read_to_string(BOOT_ID)) else { return Ok(None) };
    let file = statx(CWD, path, AtFlags::empty(), StatxFlags::INO | UNIQUE_MOUNT)?;
    if file.stx_mask & UNIQUE_MOUNT.bits() == 0 {
        return Ok(None);
    }
    let (major, minor, mount) = (file.stx_dev_major, file.stx_dev_minor, file.stx_mnt_id);
    let boot = boot.trim();
    Ok(Some(format!("{boot} mount {mount} device {major}:{minor} inode {}\n", file.stx_ino)))
}
