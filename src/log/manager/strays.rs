//! Logs that belong to no topic: they are renamed, or removed if they are empty and unfinished.

use super::super::names::{DELETE, STRAY};
use super::{Found, LogManager};
use crate::error::Result;
use crate::types::TopicPartition;
use std::path::Path;

impl LogManager {
    /// Keeps a log as it is: opening it fails with `why`.
    pub fn withhold(&self, partition: &TopicPartition, why: String) {
        self.state().withheld.insert(partition.clone(), why);
    }

    /// Whether a log was being created when the process ended: it has no topic id and no records.
    pub fn is_unfinished(&self, found: &Found) -> Result<bool> {
        let path = found.dir.path.join(found.partition.to_string());
        Ok(found.topic_id.is_none() && !self.has_records(&path)?)
    }

    /// Whether the log in this directory has records.
    pub fn has_records(&self, path: &Path) -> Result<bool> {
        for name in self.disk.list(path)?.iter().filter(|name| name.ends_with(".log")) {
            if self.disk.file_len(&path.join(name))?.is_some_and(|len| len > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Renames a log that the metadata does not know to `-stray`.
    pub fn mark_stray(&self, found: &Found) -> Result<()> {
        let path = found.dir.path.join(found.partition.to_string());
        let stray = self.move_away(&path, &found.partition, STRAY)?;
        tracing::warn!(partition = %found.partition, dir = %stray.display(), "marked as stray");
        Ok(())
    }

    /// Removes a log that `is_unfinished`.
    pub fn remove_unfinished(&self, found: &Found) -> Result<()> {
        let path = found.dir.path.join(found.partition.to_string());
        let removed = self.move_away(&path, &found.partition, DELETE)?;
        tracing::info!(
            "removed {}: it was empty, as its creation had been interrupted",
            path.display()
        );
        self.disk.remove_dir_all(&removed)
    }
}
