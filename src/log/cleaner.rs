//! Compaction: of every key the last record stays (LogCleaner, LogCleanerManager, Cleaner).
//!
//! A pass reads the dirty part of a log into a map from keys to last offsets, then writes the
//! sealed segments anew without the records that a later one of the same key has replaced. It holds
//! the log's lock only to look and to swap segments; it reads files that nobody writes any more.
//! A log that is cut, closed or deleted meanwhile ends the pass, and nothing has happened.

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
use super::throttle::Throttle;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp, TopicPartition};
use checkpoint::Checkpoints;
use pass::Pass;
use range::Range;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Gives the log under its lock; an error once the log is closed or deleted.
pub type Lock<'a> = dyn Fn() -> Result<MutexGuard<'a, Log>> + 'a;

/// The passes over all logs: what they may use, and how far they have come.
#[derive(Debug)]
pub struct Cleaner {
    disk: Disk,
    limits: Mutex<Limits>,
    throttle: Throttle,
    state: Mutex<State>,
}

/// What one pass may use.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Memory of its map.
    map_bytes: usize,
    /// How full the map may get, 0 to 1.
    load_factor: f64,
    /// Bytes that are read or written at a time.
    buffer_bytes: u64,
}

impl Limits {
    /// The part of one thread.
    fn of(config: &Config) -> Limits {
        let threads = config.log_cleaner_threads.max(1);
        Limits {
            map_bytes: (config.log_cleaner_dedupe_buffer_size.max(0) as usize) / threads as usize,
            load_factor: config.log_cleaner_io_buffer_load_factor,
            // Half is for what is read, half for what is written.
            buffer_bytes: (config.log_cleaner_io_buffer_size.max(0) / threads / 2) as u64,
        }
    }
}

#[derive(Debug)]
struct State {
    checkpoints: Checkpoints,
    in_progress: HashSet<TopicPartition>,
    /// Their last pass failed for other reasons than the disk: a person must look at them.
    uncleanable: HashSet<TopicPartition>,
}

/// A log that is to be cleaned.
#[derive(Clone, Debug)]
pub struct Candidate {
    partition: TopicPartition,
    log_dir: PathBuf,
    range: Range,
    truncations: u64,
}

impl Candidate {
    /// Part of the log that is dirty, 0 to 1: the dirtiest goes first.
    pub fn dirty_ratio(&self) -> f64 {
        self.range.ratio()
    }
}

impl Cleaner {
    /// Reads the checkpoints of the log directories `dirs`, which must exist.
    pub fn open(
        disk: &Disk,
        config: &Config,
        dirs: impl Iterator<Item = PathBuf>,
    ) -> Result<Cleaner> {
        Ok(Cleaner {
            disk: disk.clone(),
            limits: Mutex::new(Limits::of(config)),
            throttle: Throttle::new(config.log_cleaner_io_max_bytes_per_second),
            state: Mutex::new(State {
                checkpoints: Checkpoints::open(disk, dirs)?,
                in_progress: HashSet::new(),
                uncleanable: HashSet::new(),
            }),
        })
    }

    /// The settings `log.cleaner.*` were changed: the rate counts at once, the rest from the next
    /// pass on.
    pub fn reconfigure(&self, config: &Config) {
        self.throttle.set_rate(config.log_cleaner_io_max_bytes_per_second);
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Limits::of(config);
    }

    fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `log` is due: dirty above `min.cleanable.dirty.ratio`, or for longer than
    /// `max.compaction.lag.ms`.
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

    /// Cleans the log, as far as the map reaches. False if another thread does, or if the log was
    /// cut, closed or deleted. An error that is not the disk's makes it uncleanable until restart.
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

    /// Keeps passes away from a log until `resume`; false, and nothing is done, while there is one.
    pub fn pause(&self, partition: &TopicPartition) -> bool {
        self.state().in_progress.insert(partition.clone())
    }

    /// Ends what `pause` began.
    pub fn resume(&self, partition: &TopicPartition) {
        self.state().in_progress.remove(partition);
    }

    /// The log lies in another log directory now.
    pub fn moved(&self, partition: &TopicPartition, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state();
        let clean_up_to = state.checkpoints.get(from, partition);
        state.checkpoints.remove(partition)?;
        clean_up_to.map_or(Ok(()), |offset| state.checkpoints.set(to, partition, offset))
    }

    /// The log is gone, or there is a new one of this name.
    pub fn forget(&self, partition: &TopicPartition) -> Result<()> {
        let mut state = self.state();
        state.uncleanable.remove(partition);
        state.checkpoints.remove(partition)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one call on one of the parts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a pass, whichever way it goes.
struct Done<'a> {
    cleaner: &'a Cleaner,
    partition: &'a TopicPartition,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.cleaner.state().in_progress.remove(self.partition);
    }
}
