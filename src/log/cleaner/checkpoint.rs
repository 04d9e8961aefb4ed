//! `cleaner-offset-checkpoint` of each log directory: the logs are clean below these offsets
//! (LogCleanerManager, OffsetCheckpointFile).

use crate::disk::Disk;
use crate::error::Result;
use crate::log::checkpoint;
use crate::types::{Offset, TopicPartition};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The file's name in a log directory.
const FILE: &str = "cleaner-offset-checkpoint";

/// The checkpoints of all log directories, in memory and on disk.
#[derive(Debug)]
pub(super) struct Checkpoints {
    disk: Disk,
    dirs: HashMap<PathBuf, BTreeMap<TopicPartition, Offset>>,
}

impl Checkpoints {
    /// Reads the checkpoints in `dirs`. A damaged one counts as empty: all its logs are cleaned
    /// again.
    pub fn open(disk: &Disk, dirs: impl Iterator<Item = PathBuf>) -> Result<Checkpoints> {
        let mut checkpoints = Checkpoints { disk: disk.clone(), dirs: HashMap::new() };
        for dir in dirs {
            let offsets = checkpoint::read_offsets_or_none(disk, &dir.join(FILE))?;
            checkpoints.dirs.insert(dir, offsets);
        }
        Ok(checkpoints)
    }

    /// The offset below which the log in the log directory `dir` is clean.
    pub fn get(&self, dir: &Path, partition: &TopicPartition) -> Option<Offset> {
        self.dirs.get(dir)?.get(partition).copied()
    }

    /// Sets the offset below which the log in `dir` is clean, and writes the file.
    pub fn set(&mut self, dir: &Path, partition: &TopicPartition, offset: Offset) -> Result<()> {
        let Some(offsets) = self.dirs.get_mut(dir) else { return Ok(()) };
        if offsets.insert(partition.clone(), offset) == Some(offset) {
            return Ok(());
        }
        checkpoint::write_offsets(&self.disk, &dir.join(FILE), offsets)
    }

    /// Forgets a log that was deleted or replaced.
    pub fn remove(&mut self, partition: &TopicPartition) -> Result<()> {
        for (dir, offsets) in &mut self.dirs {
            if offsets.remove(partition).is_some() {
                checkpoint::write_offsets(&self.disk, &dir.join(FILE), offsets)?;
            }
        }
        Ok(())
    }
}
