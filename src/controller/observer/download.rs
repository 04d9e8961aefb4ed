//! A snapshot on its way from the leader.

use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::metadata::snapshot::{self, SnapshotId};
use std::path::{Path, PathBuf};

/// A snapshot of which the first `size` bytes are here.
#[derive(Debug)]
pub(super) struct Download {
    pub id: SnapshotId,
    pub size: u64,
    file: File,
    part: PathBuf,
}

impl Download {
    /// Begins anew.
    pub fn begin(disk: &Disk, dir: &Path, id: SnapshotId) -> Result<Download> {
        let part = dir.join(snapshot::part_name(id));
        disk.remove_file(&part)?;
        Ok(Download { id, size: 0, file: disk.open(&part)?, part })
    }

    /// Appends the next bytes.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(bytes, self.size)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Checks the whole file and gives it its name. Returns false if it is damaged; it is gone
    /// then. An error is one of the disk or about something in it that we do not know.
    pub fn finish(self, disk: &Disk, dir: &Path) -> Result<bool> {
        self.file.sync_data()?;
        match snapshot::read(disk, &self.part) {
            Ok(Some(_)) => {
                disk.rename(&self.part, &dir.join(self.id.file_name()))?;
                Ok(true)
            }
            Ok(None) | Err(Error::Config(_)) => {
                disk.remove_file(&self.part)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives up.
    pub fn discard(self, disk: &Disk) -> Result<()> {
        drop(self.file);
        disk.remove_file(&self.part)
    }
}
