//! `cleaner-offset-checkpoint` of every log directory: below these offsets the logs are clean
//! (LogCleanerManager, OffsetCheckpointFile).

use crate::disk::Disk;
use crate::error::Result;
use crate::log::checkpoint;
use crate::types::{Offset, TopicPartition};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Name of the file in a log directory.
const FILE: &str = "cleaner-offset-checkpoint";

/// All of them, in memory and on disk.
#[derive(Debug)]
pub(super) struct Checkpoints {
    disk: Disk,
    dirs: HashMap<PathBuf, BTreeMap<TopicPartition, Offset>>,
}

impl Checkpoints {
    /// Reads those of `dirs`. A broken one counts for nothing: all its logs are cleaned anew.
    pub fn open(disk: &Disk, dirs: impl Iterator<Item = PathBuf>) -> Result<Checkpoints> {
        let mut checkpoints = Checkpoints { disk: disk.clone(), dirs: HashMap::new() };
        for dir in dirs {
            let offsets = checkpoint::read_offsets_or_none(disk, &dir.join(FILE))?;
            checkpoints.dirs.insert(dir, offsets);
        }
        Ok(checkpoints)
    }

    /// Up to where the log in `dir` (a log directory) is clean.
    pub fn get(&self, dir: &Path, partition: &TopicPartition) -> Option<Offset> {
        self.dirs.get(dir)?.get(partition).copied()
    }

    /// Notes and writes up to where the log in `dir` is clean.
    pub fn set(&mut self, dir: &Path, partition: &TopicPartition, offset: Offset) -> Result<()> {
        let Some(offsets) = self.dirs.get_mut(dir) else { return Ok(()) };
        if offsets.insert(partition.clone(), offset) == Some(offset) {
            return Ok(());
        }
        checkpoint::write_offsets(&self.disk, &dir.join(FILE), offsets)
    }

    /// The log is gone, or is not the one that it was.
    pub fn remove(&mut self, partition: &TopicPartition) -> Result<()> {
        for (dir, offsets) in &mut self.dirs {
            if offsets.remove(partition).is_some() {
                checkpoint::write_offsets(&self.disk, &dir.join(FILE), offsets)?;
            }
        }
        Ok(())
    }
}
