//! The three offset checkpoints of a log directory: what they say on disk.

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::checkpoint;
use crate::types::{Offset, TopicPartition};
use std::collections::BTreeMap;
use std::path::Path;

/// Below these offsets everything is durable.
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Log start offsets above the first segment's.
const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// High watermarks.
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

type Offsets = BTreeMap<TopicPartition, Offset>;

/// The content of the files.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    pub recovery_points: Offsets,
    pub log_starts: Offsets,
    pub high_watermarks: Offsets,
}

impl Checkpoints {
    /// Reads them. One that cannot be read is worth no more than none: recovery reads more then.
    pub fn read(disk: &Disk, dir: &Path) -> Result<Checkpoints> {
        let read = |name: &str| match checkpoint::read_offsets(disk, &dir.join(name)) {
            Err(Error::Corrupt { what }) => {
                tracing::warn!(what, "ignored a broken checkpoint");
                Ok(Offsets::new())
            }
            result => result,
        };
        Ok(Checkpoints {
            recovery_points: read(RECOVERY_POINTS)?,
            log_starts: read(LOG_STARTS)?,
            high_watermarks: read(HIGH_WATERMARKS)?,
        })
    }

    /// Writes them.
    pub fn write(&self, disk: &Disk, dir: &Path) -> Result<()> {
        for (name, offsets) in [
            (RECOVERY_POINTS, &self.recovery_points),
            (LOG_STARTS, &self.log_starts),
            (HIGH_WATERMARKS, &self.high_watermarks),
        ] {
            checkpoint::write_offsets(disk, &dir.join(name), offsets)?;
        }
        Ok(())
    }

    /// Takes over what `earlier` says of the partitions that `wanted` takes and that are not here.
    pub fn keep(&mut self, earlier: &Checkpoints, wanted: impl Fn(&TopicPartition) -> bool) {
        let keep = |now: &mut Offsets, earlier: &Offsets| {
            for (partition, &offset) in earlier.iter().filter(|(partition, _)| wanted(partition)) {
                now.entry(partition.clone()).or_insert(offset);
            }
        };
        keep(&mut self.recovery_points, &earlier.recovery_points);
        keep(&mut self.log_starts, &earlier.log_starts);
        keep(&mut self.high_watermarks, &earlier.high_watermarks);
    }

    /// Forgets a log; answers whether anything was said of it.
    pub fn remove(&mut self, partition: &TopicPartition) -> bool {
        let maps = [&mut self.recovery_points, &mut self.log_starts, &mut self.high_watermarks];
        maps.into_iter().filter_map(|offsets| offsets.remove(partition)).count() > 0
    }
}
