//! How a log moves from one directory to another.

use super::Model;
use crate::error::{Error, Result};
use crate::log::manager::LogManager;
use crate::types::Timestamp;
use fastrand::Rng;
use std::path::Path;

impl Model {
    /// Begins a move, or ends the one in progress.
    pub fn begin_move(&mut self, manager: &LogManager, to: &Path, now: Timestamp) -> Result<()> {
        if self.future.is_some() {
            return self.end_move(manager, now);
        }
        // If a directory is offline, it may contain another copy.
        if to != self.home && manager.check_all_online(&self.partition).is_ok() {
            let (id, config) = (self.topic_id, self.config.clone());
            self.future = Some(manager.create_future(to, &self.partition, id, config, now)?);
        }
        Ok(())
    }

    /// Ends the move in progress, if there is one.
    pub fn end_move(&mut self, manager: &LogManager, now: Timestamp) -> Result<()> {
        let Some(future) = self.future.take() else { return Ok(()) };
        manager.discard_future(future.dir(), &self.partition, now)
    }

    /// Resumes a move that the last process had begun.
    pub fn resume_move(&mut self, manager: &LogManager, at: &Path, now: Timestamp) -> Result<()> {
        let (partition, config) = (&self.partition, self.config.clone());
        let mut future = manager.reopen_future(at, partition, self.topic_id, config, now)?;
        self.with_log(|log| future.agree_with(log, log.log_end_offset()))?;
        self.future = Some(future);
        Ok(())
    }

    /// Copies a little; returns whether there may be more.
    pub fn copy(&mut self, random: &mut Rng, now: Timestamp) -> Result<bool> {
        let Some(mut future) = self.future.take() else { return Ok(false) };
        let most = random.usize(0..3000);
        let lacking = self.with_log(|log| future.lacks(log, most));
        let copied = lacking.and_then(|read| {
            let Some(read) = read else { return Ok(false) };
            for range in &read.ranges {
                future.take(range.read()?, now)?;
            }
            Ok(true)
        });
        self.future = Some(future);
        copied
    }

    /// Lets the future log replace the current one.
    pub fn land(&mut self, manager: &LogManager, random: &mut Rng, now: Timestamp) -> Result<()> {
        while self.copy(random, now)? {}
        let Some(mut future) = self.future.take() else { return Ok(()) };
        let to = future.dir().parent().unwrap().to_owned();
        self.registered.clone_from(&to);
        let replaced = manager.replace(&mut self.log.lock().unwrap(), &mut future, now);
        if replaced.is_ok() {
            self.home = to;
            self.learn();
            self.check();
        } else if replaced.as_ref().is_err_and(Error::is_disk_full) {
            manager.discard_future(future.dir(), &self.partition, now)?;
        }
        replaced
    }

    /// Handles the failure of a directory.
    pub fn lose(&mut self, dir: &Path) {
        self.is_here &= self.home != dir;
        if self.future.as_ref().is_some_and(|future| future.dir().starts_with(dir)) {
            self.future = None;
        }
    }
}
