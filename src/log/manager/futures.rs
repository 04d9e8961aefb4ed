//! Logs that will replace others in a different log directory (`-future`, KIP-113).
//!
//! A replacement takes two renames, the old log's first. If the process ends between them, the
//! future log is left, its place is free, and the metadata log names its directory. The next start
//! then renames it, and so would Kafka's (LogManager.recoverAbandonedFutureLogs).

use super::{LogDir, LogManager, Place, names};
use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::log::names::{DELETE, FUTURE, STRAY, dir_name_with_suffix};
use crate::log::{Log, OpenOptions, Stopped};
use crate::types::{Offset, Timestamp, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// The most partitions whose wanted directory is remembered.
const MAX_PREFERRED: usize = 10_000;

/// A `-future` directory found at start.
#[derive(Clone, Debug)]
pub struct FoundFuture {
    /// The partition in the directory's name.
    pub partition: TopicPartition,
    /// The topic id in `partition.metadata`; None if that is missing.
    pub topic_id: Option<Uuid>,
    /// The log directory that contains it.
    pub dir: Arc<LogDir>,
    /// The path of the directory itself.
    pub path: PathBuf,
}

impl LogManager {
    /// The future logs found by `scan`.
    pub fn futures(&self) -> Vec<FoundFuture> {
        self.state().futures.clone()
    }

    /// Takes the future logs found by `scan`.
    pub fn take_futures(&self) -> Vec<FoundFuture> {
        std::mem::take(&mut self.state().futures)
    }

    pub(super) fn note_future(&self, future: FoundFuture) -> Result<()> {
        let mut state = self.state();
        if let Some(other) = state.futures.iter().find(|f| f.partition == future.partition) {
            return Err(Error::Config(format!(
                "{} and {} are future logs of the same partition: remove one",
                future.path.display(),
                other.path.display()
            )));
        }
        state.futures.push(future);
        Ok(())
    }

    /// Creates an empty future log in `dir` for a partition. INVALID_TOPIC_EXCEPTION if its name
    /// would be too long (KAFKA-4893).
    pub fn create_future(
        &self,
        dir: &Path,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        let path = dir.join(dir_name_with_suffix(partition, FUTURE));
        let make = || {
            let mut future = self.open_future(&path, config, Stopped::Cleanly, now)?;
            future.put_topic_id(topic_id, true)?;
            Ok(future)
        };
        make().inspect_err(|_| drop(self.disk.remove_dir_all(&path)))
    }

    /// Opens a future log found at start. It is fully checked, because the last process may have
    /// ended in any way. After a power loss it is begun anew: whole batches may be missing anywhere,
    /// and as it has the gaps of its original, nothing would show that.
    pub fn reopen_future(
        &self,
        path: &Path,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        let dir = path.parent().unwrap_or(path);
        if self.dirs[self.index_of(dir)?].stopped == Stopped::Unknown {
            tracing::info!(path = %path.display(), "the copy begins anew after a power loss");
            if self.disk.file_len(path)?.is_some() {
                self.discard_future(path, partition, now)?;
            }
            return self.create_future(dir, partition, topic_id, config, now);
        }
        let mut future = self.open_future(path, config, Stopped::Unknown, now)?;
        future.put_topic_id(topic_id, true)?;
        Ok(future)
    }

    fn open_future(
        &self,
        path: &Path,
        config: Arc<TopicConfig>,
        stopped: Stopped,
        now: Timestamp,
    ) -> Result<Log> {
        let options = OpenOptions {
            config,
            log_start_offset: 0,
            recovery_point: 0,
            // A copy has the gaps that its original has.
            cleaned_below: Offset::MAX,
            stopped,
            leader_epochs: None,
            now,
        };
        Log::open(&self.disk, path, options)
    }

    /// Whether the directory of a future log could be named, as file systems limit the length.
    pub fn can_have_future(partition: &TopicPartition) -> bool {
        names::can_have_suffix(partition, FUTURE)
    }

    /// Deletes a future log that is no longer wanted: renames it now; its files are removed later.
    pub fn discard_future(
        &self,
        path: &Path,
        partition: &TopicPartition,
        due: Timestamp,
    ) -> Result<()> {
        let gone = path.with_file_name(dir_name_with_suffix(partition, DELETE));
        self.disk.rename(path, &gone)?;
        self.state().deletes.push((due, gone));
        Ok(())
    }

    /// Renames a future log of a partition that this broker does not host.
    pub fn mark_future_stray(&self, future: &FoundFuture) -> Result<()> {
        let stray = dir_name_with_suffix(&future.partition, STRAY);
        self.disk.rename(&future.path, &future.path.with_file_name(stray))
    }

    /// Renames a future log whose current log was already taken away by the last process.
    pub fn promote(&self, future: &FoundFuture) -> Result<()> {
        let home = future.dir.path.join(future.partition.to_string());
        self.disk.rename(&future.path, &home)?;
        let dir = self.index_of(&future.dir.path)?;
        self.place(&future.partition, Place { dir, topic_id: future.topic_id })
    }

    fn index_of(&self, log_dir: &Path) -> Result<usize> {
        let index = self.dirs.iter().position(|dir| dir.path == log_dir);
        index.ok_or_else(|| Error::Config(format!("no log directory {}", log_dir.display())))
    }

    /// Replaces `current` with `future`, which already holds the same records, on disk and in the
    /// manager. The caller holds both logs and prevents checkpoints from being written. After an
    /// error everything is as before, as far as the disks allow, and `future` is closed.
    pub fn replace(&self, current: &mut Log, future: &mut Log, now: Timestamp) -> Result<()> {
        let partition = current.topic_partition().clone();
        let (old, new) = (parent(current), parent(future));
        let (old_index, new_index) = (self.index_of(&old)?, self.index_of(&new)?);
        future.close_as_heir(current)?;
        self.checkpoint_in(&new, current, point(future))?;
        let gone = old.join(dir_name_with_suffix(&partition, DELETE));
        let home = new.join(partition.to_string());
        let renamed = [(current.dir(), gone.as_path()), (future.dir(), home.as_path())];
        let opened = renamed
            .iter()
            .try_for_each(|(from, to)| self.disk.rename(from, to))
            .and_then(|()| self.open_heir(&home, current, point(future), now));
        let mut log = match opened {
            Ok(log) => log,
            Err(error) => {
                for (from, to) in renamed.iter().rev() {
                    if self.disk.file_len(to)?.is_some() {
                        self.disk.rename(to, from)?;
                    }
                }
                return Err(error);
            }
        };
        log.topic_id = current.topic_id;
        log.succeed(current);
        *current = log;
        let due = now.saturating_add(current.config().file_delete_delay_ms);
        {
            let mut state = self.state();
            state.forget_start(&partition);
            state.counts[old_index] -= 1;
            state.counts[new_index] += 1;
            let place = Place { dir: new_index, topic_id: current.topic_id };
            state.places.insert(partition.clone(), place);
            state.deletes.push((due, gone));
        }
        if let Err(error) = self.cleaner.moved(&partition, &old, &new) {
            tracing::warn!(%partition, %error, "the log is cleaned anew");
        }
        Ok(())
    }

    fn open_heir(&self, home: &Path, old: &Log, point: Offset, now: Timestamp) -> Result<Log> {
        let options = OpenOptions {
            config: Arc::clone(old.config()),
            log_start_offset: old.log_start_offset(),
            recovery_point: point,
            cleaned_below: old.cleaned_below,
            stopped: Stopped::Cleanly,
            leader_epochs: None,
            now,
        };
        Log::open(&self.disk, home, options)
    }

    /// Remembers to create the partition in that directory if it comes to this broker.
    pub fn prefer(&self, partition: &TopicPartition, log_dir: &Path) {
        let mut state = self.state();
        if state.preferred.len() < MAX_PREFERRED || state.preferred.contains_key(partition) {
            state.preferred.insert(partition.clone(), log_dir.to_owned());
        }
    }

    /// KAFKA_STORAGE_ERROR while a log directory is offline, because it may hold a log of the
    /// partition.
    pub fn check_all_online(&self, partition: &TopicPartition) -> Result<()> {
        let offline = self.dirs.iter().filter(|dir| dir.is_offline());
        let offline: Vec<_> = offline.map(|dir| dir.path.display().to_string()).collect();
        if offline.is_empty() {
            return Ok(());
        }
        Err(Error::Explained(
            ResponseError::KafkaStorageError,
            format!(
                "{partition} may lie in a log directory that is offline ({}), so it gets no new \
                 log",
                offline.join(",")
            ),
        ))
    }
}

fn parent(log: &Log) -> PathBuf {
    log.dir().parent().unwrap_or(Path::new("")).to_owned()
}

/// The recovery point of a closed log that will be opened under another name. It makes recovery
/// check the last segment again.
fn point(future: &Log) -> Offset {
    future.end_offset - Offset::from(future.end_offset > future.active_base())
}
