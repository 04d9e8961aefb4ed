//! The offset checkpoints of the log directories.

use super::{LogDir, LogManager, Registry};
use crate::error::Result;
use crate::log::Log;
use crate::log::checkpoint::{self, RECOVERY_POINTS};
use crate::sync::lock;
use crate::types::{Offset, TopicPartition};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// Log start offsets, where they are above the first segment's base offset.
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// High watermarks.
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// The checkpoints of a log directory at start, kept until the logs are opened.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    pub recovery_points: BTreeMap<TopicPartition, Offset>,
    pub log_starts: BTreeMap<TopicPartition, Offset>,
    pub high_watermarks: BTreeMap<TopicPartition, Offset>,
}

impl Checkpoints {
    /// From where on a log is recovered. A follower may have been killed when it had truncated what
    /// its leader does not have, and before its checkpoint said so; but what is committed is never
    /// truncated.
    pub(super) fn recovery_point(&self, partition: &TopicPartition) -> Offset {
        let maps = [&self.recovery_points, &self.high_watermarks];
        let offsets = maps.map(|offsets| offsets.get(partition).copied().unwrap_or(0));
        offsets[0].min(offsets[1])
    }
}

impl Registry {
    /// Forgets what the checkpoints contained for a log at start. Returns whether there was
    /// anything.
    pub fn forget_start(&mut self, partition: &TopicPartition) -> bool {
        let names = |known: &mut Checkpoints| {
            let Checkpoints { recovery_points, log_starts, high_watermarks } = known;
            let maps = [recovery_points, log_starts, high_watermarks];
            maps.into_iter().filter_map(|offsets| offsets.remove(partition)).count() > 0
        };
        self.checkpoints.iter_mut().map(names).fold(false, |a, b| a | b)
    }
}

impl LogManager {
    /// Writes the offsets of `log` to the checkpoints of a log directory, as if the log were there.
    pub(super) fn checkpoint_in(&self, dir: &Path, log: &Log, point: Offset) -> Result<()> {
        let _writing = self.write_checkpoints();
        let offsets = [
            (RECOVERY_POINTS, point),
            (LOG_STARTS, log.log_start_offset),
            (HIGH_WATERMARKS, log.high_watermark),
        ];
        for (name, offset) in offsets {
            self.change(&dir.join(name), |known| {
                known.insert(log.partition.clone(), offset);
            })?;
        }
        Ok(())
    }

    /// The offset that a log had reached according to the checkpoints, and their directory; None if
    /// it is 0.
    pub fn checkpointed_end(&self, partition: &TopicPartition) -> Option<(&LogDir, Offset)> {
        let state = self.state();
        let ends = self.dirs.iter().zip(&state.checkpoints).filter_map(|(dir, known)| {
            let maps = [&known.recovery_points, &known.log_starts, &known.high_watermarks];
            let end = maps.into_iter().filter_map(|offsets| offsets.get(partition)).max()?;
            Some((&**dir, *end))
        });
        ends.max_by_key(|(_, end)| *end).filter(|(_, end)| *end > 0)
    }

    /// Removes a deleted log of the same name from the checkpoints before a log is created, so that
    /// its offsets are not applied to the new one, not even after a crash.
    pub(super) fn forget_checkpoints(&self, partition: &TopicPartition) -> Result<()> {
        let gone = {
            let state = &mut *self.state();
            if state.forget_start(partition) {
                state.forgotten.insert(partition.clone());
            }
            if !state.forgotten.contains(partition) {
                return Ok(());
            }
            state.forgotten.clone()
        };
        let _writing = self.write_checkpoints();
        for dir in self.online_dirs() {
            self.survive(self.forget_in(&dir.path, &gone))?;
        }
        self.state().forgotten.retain(|partition| !gone.contains(partition));
        Ok(())
    }

    fn forget_in(&self, dir: &Path, gone: &BTreeSet<TopicPartition>) -> Result<()> {
        for name in [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS] {
            self.change(&dir.join(name), |offsets| offsets.retain(|of, _| !gone.contains(of)))?;
        }
        Ok(())
    }

    /// Flushes the segments rolled since the last call, then writes the checkpoints of recovery
    /// points, log start offsets and high watermarks in each directory that is online.
    pub fn checkpoint(&self, logs: &HashMap<TopicPartition, Arc<Mutex<Log>>>) -> Result<()> {
        let gone = self.state().forgotten.clone();
        let mut now = self.unopened();
        let mut owners = Vec::with_capacity(logs.len());
        let mut sorted: Vec<_> = logs.iter().collect();
        sorted.sort_unstable_by_key(|(partition, _)| *partition);
        for (partition, log) in sorted {
            let Some(dir) = self.state().places.get(partition).map(|place| place.dir) else {
                continue;
            };
            flush_sealed(log)?;
            let log = lock(log);
            let Checkpoints { recovery_points, log_starts, high_watermarks } = &mut now[dir];
            recovery_points.insert(partition.clone(), log.recovery_checkpoint());
            owners.push((partition, dir, log.topic_id));
            high_watermarks.insert(partition.clone(), log.high_watermark());
            if log.log_start_offset() > log.segments[0].base_offset() {
                log_starts.insert(partition.clone(), log.log_start_offset());
            }
        }
        let _writing = self.write_checkpoints();
        {
            // A log may have been deleted in the meantime, and replaced by a new one of the same
            // name.
            let state = self.state();
            for (partition, dir, topic_id) in owners {
                if state.places.get(partition).is_none_or(|place| place.topic_id != topic_id) {
                    now[dir].recovery_points.remove(partition);
                    now[dir].log_starts.remove(partition);
                    now[dir].high_watermarks.remove(partition);
                }
            }
        }
        let mut written = Ok(());
        for (dir, checkpoints) in self.dirs.iter().zip(&now) {
            // The checkpoints of a directory that failed are left alone: its logs may be repaired.
            if !dir.is_offline() {
                // A failure must not stop the others.
                written = written.and(dir.observe(self.write_all(&dir.path, checkpoints)));
            }
        }
        written?;
        self.state().forgotten.retain(|partition| !gone.contains(partition));
        Ok(())
    }

    fn write_all(&self, dir: &Path, checkpoints: &Checkpoints) -> Result<()> {
        for (name, offsets) in [
            (RECOVERY_POINTS, &checkpoints.recovery_points),
            (LOG_STARTS, &checkpoints.log_starts),
            (HIGH_WATERMARKS, &checkpoints.high_watermarks),
        ] {
            self.write_changed(&dir.join(name), &checkpoint::text_of(offsets.iter()))?;
        }
        Ok(())
    }

    /// Writes the checkpoint of high watermarks in one log directory.
    pub fn checkpoint_high_watermarks(
        &self,
        dir: &Path,
        high_watermarks: &[(&TopicPartition, Offset)],
    ) -> Result<()> {
        let text = checkpoint::text_of(high_watermarks.iter().map(|(tp, offset)| (*tp, offset)));
        let _writing = self.write_checkpoints();
        self.write_changed(&dir.join(HIGH_WATERMARKS), &text)
    }

    fn write_checkpoints(&self) -> MutexGuard<'_, ()> {
        lock(&self.checkpointing)
    }

    /// Reads, changes and writes a checkpoint.
    fn change(
        &self,
        path: &Path,
        change: impl FnOnce(&mut BTreeMap<TopicPartition, Offset>),
    ) -> Result<()> {
        let mut offsets = checkpoint::read_offsets_or_none(&self.disk, path)?;
        change(&mut offsets);
        self.write_changed(path, &checkpoint::text_of(offsets.iter()))
    }

    /// Replaces a checkpoint, unless we last wrote the same content.
    fn write_changed(&self, path: &Path, text: &str) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if self.state().written.get(path) == Some(&hash) {
            return Ok(());
        }
        self.disk.replace_file(path, text.as_bytes())?;
        self.state().written.insert(path.to_owned(), hash);
        Ok(())
    }

    /// The offsets found at start for logs that are here but were not opened so far.
    fn unopened(&self) -> Vec<Checkpoints> {
        let state = self.state();
        let is_here = |(log, _): &(&TopicPartition, &Offset)| state.places.contains_key(*log);
        let here = |offsets: &BTreeMap<TopicPartition, Offset>| {
            offsets.iter().filter(is_here).map(|(log, offset)| (log.clone(), *offset)).collect()
        };
        let unopened = state.checkpoints.iter().map(|known| Checkpoints {
            recovery_points: here(&known.recovery_points),
            log_starts: here(&known.log_starts),
            high_watermarks: here(&known.high_watermarks),
        });
        unopened.collect()
    }
}

fn flush_sealed(log: &Mutex<Log>) -> Result<()> {
    let flush = lock(log).begin_flush_of_sealed()?;
    if let Some(flush) = flush {
        let run = flush.run();
        lock(log).conclude_flush(&flush, run)?;
    }
    Ok(())
}
