//! Compaction: keeps the last record of each key (LogCleaner, LogCleanerManager, Cleaner).
//!
//! A pass reads the dirty part of a log into a map from keys to last offsets. It then rewrites
//! sealed segments without the records that a later record with the same key replaces. It holds the
//! log's lock only to look at the log and to swap segments; the files it reads are no longer
//! written. If the log is truncated, closed or deleted in the meantime, the pass ends without
//! effect.

mod checkpoint;
mod filter;
mod groups;
mod offset_map;
mod pass;
mod range;
mod swap;
mod transactions;

#[cfg(test)]
mod tests;

use super::Log;
use crate::config::{Config, LiveConfig};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::sync::lock;
use crate::sync::throttle::Throttle;
use crate::types::{Offset, Timestamp, TopicPartition};
use checkpoint::Checkpoints;
use pass::Pass;
use range::Range;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Locks the log; an error once the log is closed or deleted.
pub type Lock<'a> = dyn Fn() -> Result<MutexGuard<'a, Log>> + 'a;

/// The cleaner of all logs: its limits and its progress.
#[derive(Debug)]
pub struct Cleaner {
    disk: Disk,
    config: LiveConfig,
    throttle: Throttle,
    state: Mutex<Cleanings>,
}

/// The limits of one pass.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Memory for the map, in bytes.
    map_bytes: usize,
    /// How full the map may get, from 0 to 1.
    load_factor: f64,
    /// Bytes read or written at a time.
    buffer_bytes: u64,
}

impl Limits {
    /// The share of one thread.
    fn of(config: &Config) -> Limits {
        let threads = config.log_cleaner_threads;
        Limits {
            map_bytes: (config.log_cleaner_dedupe_buffer_size.max(0) as usize) / threads as usize,
            load_factor: config.log_cleaner_io_buffer_load_factor,
            // Half is for reading, half for writing.
            buffer_bytes: (config.log_cleaner_io_buffer_size.max(0) / threads / 2) as u64,
        }
    }
}

#[derive(Debug)]
struct Cleanings {
    checkpoints: Checkpoints,
    in_progress: HashSet<TopicPartition>,
    /// Logs whose last pass failed, and not because of the disk: somebody must look at them.
    uncleanable: HashSet<TopicPartition>,
}

/// A log that is due for cleaning.
#[derive(Clone, Debug)]
pub struct Candidate {
    partition: TopicPartition,
    log_dir: PathBuf,
    range: Range,
    truncations: u64,
}

impl Candidate {
    /// The dirty part of the log, from 0 to 1. The dirtiest log is cleaned first.
    pub fn dirty_ratio(&self) -> f64 {
        self.range.ratio()
    }
}

impl Cleaner {
    /// Reads the checkpoints in the log directories `dirs`, which must exist.
    pub fn open(
        disk: &Disk,
        config: &LiveConfig,
        dirs: impl Iterator<Item = PathBuf>,
    ) -> Result<Cleaner> {
        Ok(Cleaner {
            disk: disk.clone(),
            config: config.clone(),
            throttle: Throttle::default(),
            state: Mutex::new(Cleanings {
                checkpoints: Checkpoints::open(disk, dirs)?,
                in_progress: HashSet::new(),
                uncleanable: HashSet::new(),
            }),
        })
    }

    /// Whether `log` is due: its dirty part exceeds `min.cleanable.dirty.ratio`, or its oldest
    /// dirty record `max.compaction.lag.ms`.
    pub fn examine(&self, log: &mut Log, now: Timestamp) -> Result<Option<Candidate>> {
        let partition = log.topic_partition().clone();
        let log_dir = log.dir().parent().unwrap_or(Path::new("")).to_owned();
        let mut state = self.state();
        let is_free =
            !state.in_progress.contains(&partition) && !state.uncleanable.contains(&partition);
        if !log.config().compact || !is_free {
            return Ok(None);
        }
        let mut checkpoint = state.checkpoints.get(&log_dir, &partition);
        let cut = std::mem::replace(&mut log.cut_to, Offset::MAX);
        if let Some(offset) = checkpoint.as_mut().filter(|offset| **offset > cut) {
            *offset = cut;
            state.checkpoints.set(&log_dir, &partition, cut)?;
        }
        let range = log.cleanable(checkpoint, now)?;
        if range.is_reset {
            state.checkpoints.set(&log_dir, &partition, range.first_dirty)?;
        }
        let truncations = log.truncations;
        let is_due = range.is_due(log.config().min_cleanable_dirty_ratio);
        Ok(is_due.then_some(Candidate { partition, log_dir, range, truncations }))
    }

    /// Cleans the log as far as the map reaches. Returns false if another thread is cleaning it, or
    /// if it was truncated, closed or deleted. An error other than the disk's makes it uncleanable
    /// until the next start.
    pub fn clean<'a>(
        &self,
        candidate: &Candidate,
        lock: &Lock<'a>,
        now: Timestamp,
    ) -> Result<bool> {
        let partition = &candidate.partition;
        if !self.state().in_progress.insert(partition.clone()) {
            return Ok(false);
        }
        let _done = Done { cleaner: self, partition };
        let mut pass = Pass::new(self, candidate, lock, now);
        let error = match pass.run() {
            Ok(clean_up_to) => {
                let mut state = self.state();
                state.checkpoints.set(&candidate.log_dir, partition, clean_up_to)?;
                return Ok(true);
            }
            Err(error) => error,
        };
        if matches!(error, Error::Closed) || pass.is_obsolete() {
            tracing::info!(%partition, "a pass ended: the log is not what it was");
            return Ok(false);
        }
        if !matches!(error, Error::Disk { .. }) {
            self.state().uncleanable.insert(partition.clone());
        }
        Err(error)
    }

    /// The offset below which the log in the log directory `dir` was cleaned, 0 if none.
    pub fn cleaned_below(&self, dir: &Path, partition: &TopicPartition) -> Offset {
        self.state().checkpoints.get(dir, partition).unwrap_or(0)
    }

    /// Blocks passes over a log until `resume`. Returns false without effect if one is in progress.
    pub fn pause(&self, partition: &TopicPartition) -> bool {
        self.state().in_progress.insert(partition.clone())
    }

    /// Ends a pause begun by `pause`.
    pub fn resume(&self, partition: &TopicPartition) {
        self.state().in_progress.remove(partition);
    }

    /// Carries the checkpoint over when a log moves to another log directory.
    pub fn moved(&self, partition: &TopicPartition, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state();
        let clean_up_to = state.checkpoints.get(from, partition);
        state.checkpoints.remove(partition)?;
        clean_up_to.map_or(Ok(()), |offset| state.checkpoints.set(to, partition, offset))
    }

    /// Forgets a log that was deleted, or that a new one of the same name replaces.
    pub fn forget(&self, partition: &TopicPartition) -> Result<()> {
        let mut state = self.state();
        state.uncleanable.remove(partition);
        state.checkpoints.remove(partition)
    }

    fn state(&self) -> MutexGuard<'_, Cleanings> {
        // Each change is a single call, so a panic cannot leave it half done.
        lock(&self.state)
    }
}

/// Ends a pass in every case.
struct Done<'a> {
    cleaner: &'a Cleaner,
    partition: &'a TopicPartition,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.cleaner.state().in_progress.remove(self.partition);
    }
}
