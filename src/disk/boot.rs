//! Whether the machine has run on since the logs of a directory were recovered.
//!
//! A process that is killed loses nothing that it had written: the page cache has it. Only when the
//! machine stops may a file lack its end or have holes. `.klamm-boot` in a log directory names the
//! boot in which all of its logs were recovered, and by its device and inode itself, so that it says
//! nothing in a copy of the directory. (Kafka does not look at it, and what Kafka writes meanwhile
//! is in the same page cache.)

use super::{Disk, File};
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Name of the file in a log directory.
const NAME: &str = ".klamm-boot";
/// Where Linux names its boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
impl Disk {
    /// Whether `note_recovered` was called in this boot of the machine.
    pub fn is_recovered_since_boot(&self, dir: &Path) -> Result<bool> {
        #[cfg(test)]
        if let Disk::Sim(_) = self {
            return Ok(false);
        }
        let path = dir.join(NAME);
        let Some(content) = self.read_file(&path)? else { return Ok(false) };
        let metadata = fs::metadata(&path).map_err(|error| Error::disk(&path, error))?;
        Ok(mark_of(&metadata).is_some_and(|mark| mark.as_bytes() == content))
    }

    /// All logs of `dir` are recovered: what is written from now on is there until the machine
    /// stops. Without Linux's name of its boot nothing is noted.
    pub fn note_recovered(&self, dir: &Path) -> Result<()> {
        #[cfg(test)]
        if let Disk::Sim(_) = self {
            return Ok(());
        }
        let path = dir.join(NAME);
        let file = self.open(&path)?;
        let os = match &file {
            File::Os(os, _) => os,
            #[cfg(test)]
            File::Sim(_) => return Ok(()),
        };
        let metadata = os.metadata().map_err(|error| Error::disk(&path, error))?;
        let Some(mark) = mark_of(&metadata) else { return Ok(()) };
        file.write_at(mark.as_bytes(), 0)?;
        file.truncate(mark.len() as u64)
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the disk")]
fn mark_of(metadata: &fs::Metadata) -> Option<String> {
    let boot = fs::read_to_string(BOOT_ID).ok()?;
    Some(format!("{} {}:{}\n", boot.trim(), metadata.dev(), metadata.ino()))
}
