//! Whether the machine has run on, with the same mount, since the logs of a directory were recovered.
//!
//! A process that is killed loses nothing that it had written: the page cache has it. Only when the
//! machine stops, or the disk is taken away and mounted anew, may a file lack its end or have holes.
//! `.klamm-boot` in a log directory names the boot and the mount in which all of its logs were
//! recovered, and by device and inode itself, so that it says nothing in a copy of the directory.
//! (Kafka does not look at it, and what Kafka writes meanwhile is in the same page cache.) Without
//! Linux's unique ids of mounts (6.8) nobody can tell, and nothing is noted.

use super::Disk;
use super::descriptors::opened;
use crate::error::{Error, Result};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::fs;
use std::path::Path;

/// Name of the file in a log directory.
const NAME: &str = ".klamm-boot";
/// STATX_MNT_ID_UNIQUE: an id that no other mount of this boot had or will have.
const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// Where Linux names its boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
impl Disk {
    /// Whether `note_recovered` was called in this boot of the machine.
    pub fn is_recovered_since_boot(&self, dir: &Path) -> Result<bool> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return Ok(sim.is_recovered_since_boot(dir));
        }
        let path = dir.join(NAME);
        let Some(content) = self.read_file(&path)? else { return Ok(false) };
        Ok(mark_of(&path)?.is_some_and(|mark| mark.as_bytes() == content))
    }

    /// All logs of `dir` are recovered: what is written from now on is there until the machine
    /// stops. Without Linux's name of its boot nothing is noted.
    pub fn note_recovered(&self, dir: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(sim) = self {
            return sim.note_recovered(dir).map_err(|error| Error::disk(dir, error));
        }
        let path = dir.join(NAME);
        let file = self.open(&path)?;
        let Some(mark) = mark_of(&path)? else { return Ok(()) };
        file.write_at(mark.as_bytes(), 0)?;
        file.truncate(mark.len() as u64)
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
fn mark_of(path: &Path) -> Result<Option<String>> {
    let Ok(boot) = opened(|| fs::read_to_string(BOOT_ID)) else { return Ok(None) };
    let file = statx(CWD, path, AtFlags::empty(), StatxFlags::INO | UNIQUE_MOUNT)
        .map_err(|error| Error::disk(path, error.into()))?;
    if file.stx_mask & UNIQUE_MOUNT.bits() == 0 {
        return Ok(None);
    }
    let (major, minor, mount) = (file.stx_dev_major, file.stx_dev_minor, file.stx_mnt_id);
    let boot = boot.trim();
    Ok(Some(format!("{boot} mount {mount} device {major}:{minor} inode {}\n", file.stx_ino)))
}
