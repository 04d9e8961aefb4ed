//! The log directories: lock, `meta.properties`, checkpoints, loading, deleting (LogManager).

mod checkpoints;
mod files;
#[cfg(test)]
mod tests;

use super::cleaner::Cleaner;
use super::names::{self, DELETE, STRAY, dir_name_with_suffix, parse_dir_name};
use super::{Log, OpenOptions, partition_metadata, versions};
use crate::config::{Config, TopicConfig};
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp, TopicPartition};
use checkpoints::Checkpoints;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use uuid::Uuid;

/// File whose lock keeps other brokers out.
const LOCK: &str = ".lock";
/// Directory of the metadata log, which is not among the managed ones.
const METADATA_LOG: &str = "__cluster_metadata";

/// `meta.properties` version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster that the directory belongs to, as its text says.
    pub cluster_id: String,
    /// The broker that the directory belongs to.
    pub node_id: i32,
    /// The directory itself.
    pub directory_id: Uuid,
}

/// One log directory, locked while we run.
#[derive(Debug)]
pub struct LogDir {
    /// Where it is.
    pub path: PathBuf,
    /// None if it is not formatted yet.
    pub meta: Option<MetaProperties>,
    /// It held `.kafka_cleanshutdown`, whose broker epoch this is.
    pub clean_shutdown: Option<i64>,
}

/// A log found on disk at start, by its directory's name and `partition.metadata`.
#[derive(Debug)]
pub struct Found {
    /// By the directory's name.
    pub partition: TopicPartition,
    /// None if `partition.metadata` is missing: the log is a stray.
    pub topic_id: Option<Uuid>,
    /// The log directory that it lies in.
    pub dir: Arc<LogDir>,
}

/// Where a log lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Index of the log directory.
    dir: usize,
    /// As `partition.metadata` said.
    topic_id: Option<Uuid>,
}

#[derive(Debug, Default)]
struct State {
    places: HashMap<TopicPartition, Place>,
    /// What lies on disk, by directory.
    checkpoints: Vec<Checkpoints>,
    /// Directories to remove, and when.
    deletes: Vec<(Timestamp, PathBuf)>,
}

/// All log directories of this broker.
#[derive(Debug)]
pub struct LogManager {
    disk: Disk,
    dirs: Vec<Arc<LogDir>>,
    producer_id_expiration_ms: i64,
    state: Mutex<State>,
    cleaner: Cleaner,
    _locks: Vec<Lock>,
}

impl LogManager {
    /// Creates and locks the directories (fcntl `.lock`), reads `meta.properties` and the
    /// checkpoints and `.kafka_cleanshutdown`, and changes nothing. A directory that another
    /// process has locked, or with a file of an unknown version, is an error (Config).
    pub fn open(disk: Disk, config: &Config) -> Result<LogManager> {
        let (mut dirs, mut checkpoints, mut locks) = (Vec::new(), Vec::new(), Vec::new());
        for path in config.log_dirs.iter().map(PathBuf::from) {
            make_dir(&disk, &path)?;
            locks.push(disk.lock(&path.join(LOCK))?.ok_or_else(|| {
                Error::Config(format!(
                    "Failed to acquire lock on file .lock in {}. A Kafka instance in another \
                     process or thread is using this directory.",
                    path.display()
                ))
            })?);
            versions::check_dir(&disk, &path)?;
            checkpoints.push(Checkpoints::read(&disk, &path)?);
            let meta = files::read_meta_properties(&disk, &path)?;
            let clean_shutdown = files::read_clean_shutdown(&disk, &path)?;
            dirs.push(Arc::new(LogDir { path, meta, clean_shutdown }));
        }
        Ok(LogManager {
            cleaner: Cleaner::open(&disk, config)?,
            disk,
            dirs,
            producer_id_expiration_ms: i64::from(config.producer_id_expiration_ms),
            state: Mutex::new(State { checkpoints, ..State::default() }),
            _locks: locks,
        })
    }

    /// The disk that the directories lie on.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Compaction of the logs.
    pub fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }

    /// The directories, in the order of `log.dirs`.
    pub fn dirs(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// Writes `meta.properties` into the directories that lack it, with new directory ids.
    pub fn format(&mut self, cluster_id: &str, node_id: i32) -> Result<()> {
        for dir in &mut self.dirs {
            if dir.meta.is_some() {
                continue;
            }
            let meta = MetaProperties {
                cluster_id: cluster_id.to_owned(),
                node_id,
                directory_id: files::new_directory_id(),
            };
            files::write_meta_properties(&self.disk, &dir.path, &meta)?;
            let (path, clean_shutdown) = (dir.path.clone(), dir.clean_shutdown);
            *dir = Arc::new(LogDir { path, meta: Some(meta), clean_shutdown });
        }
        Ok(())
    }

    /// Deletes `.kafka_cleanshutdown`, before anything else is changed: from now on a stop is
    /// unclean until `mark_clean_shutdown`. A full disk's reserve gives its room for all that
    /// follows (`disk/reserve.rs`).
    pub fn unmark_clean_shutdown(&self) -> Result<()> {
        for dir in &self.dirs {
            files::make_room(&self.disk, &dir.path)?;
            if dir.clean_shutdown.is_some() {
                files::remove_clean_shutdown(&self.disk, &dir.path)?;
            }
        }
        Ok(())
    }

    /// What lies in the directories, but `__cluster_metadata-0`. `-delete` directories are removed,
    /// `-stray` and `-future` ones left alone. A directory that is none of Kafka's, or a partition
    /// in two log directories, is an error (Config).
    pub fn scan(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (index, dir) in self.dirs.iter().enumerate() {
            for name in self.disk.list_dirs(&dir.path)? {
                let path = dir.path.join(&name);
                let Some((partition, suffix)) = parse_dir_name(&name) else {
                    return Err(foreign_directory(&path));
                };
                match suffix {
                    Some(names::DELETE) => self.disk.remove_dir_all(&path)?,
                    Some(_) => {}
                    None if &*partition.topic == METADATA_LOG => {}
                    None => {
                        let topic_id = partition_metadata::read(&self.disk, &path)?;
                        self.place(&partition, Place { dir: index, topic_id })?;
                        found.push(Found { partition, topic_id, dir: dir.clone() });
                    }
                }
            }
        }
        Ok(found)
    }

    fn place(&self, partition: &TopicPartition, place: Place) -> Result<()> {
        match self.state().places.insert(partition.clone(), place) {
            Some(other) if other.dir != place.dir => Err(Error::Config(format!(
                "Duplicate log directories for {partition} are found in both {} and {}",
                self.dirs[other.dir].path.display(),
                self.dirs[place.dir].path.display(),
            ))),
            _ => Ok(()),
        }
    }

    /// Opens the log of a partition where it lies, or makes it in the directory with the fewest.
    /// Recovery runs here; several threads may call it for several partitions.
    pub fn open_log(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        let (place, is_new) = self.find_place(partition)?;
        let dir = &self.dirs[place.dir];
        if is_new {
            self.forget(partition)?;
        }
        let (log_start_offset, recovery_point) = {
            let known = &self.state().checkpoints[place.dir];
            let offset_in = |offsets: &BTreeMap<_, _>| offsets.get(partition).copied().unwrap_or(0);
            (offset_in(&known.log_starts), offset_in(&known.recovery_points))
        };
        let options = OpenOptions {
            config,
            log_start_offset,
            recovery_point,
            clean: dir.clean_shutdown.is_some() || is_new,
            producer_id_expiration_ms: self.producer_id_expiration_ms,
            now,
        };
        let mut log = Log::open(&self.disk, &dir.path.join(partition.to_string()), options)?;
        log.topic_id = place.topic_id;
        log.set_topic_id(topic_id)?;
        self.state().places.insert(partition.clone(), Place { topic_id: Some(topic_id), ..place });
        Ok(log)
    }

    /// Before a log is made: what the checkpoints say of a deleted one of the same name must not be
    /// taken for this one's, also after a crash.
    fn forget(&self, partition: &TopicPartition) -> Result<()> {
        self.cleaner.forget(partition)?;
        for (dir, known) in self.dirs.iter().zip(&mut self.state().checkpoints) {
            if known.remove(partition) {
                known.write(&self.disk, &dir.path)?;
            }
        }
        Ok(())
    }

    /// Where a log lies or shall lie, and whether it is to be made.
    fn find_place(&self, partition: &TopicPartition) -> Result<(Place, bool)> {
        let mut state = self.state();
        if let Some(place) = state.places.get(partition) {
            return Ok((*place, false));
        }
        let mut place = Place { dir: 0, topic_id: None };
        let mut counts = vec![0; self.dirs.len()];
        for place in state.places.values() {
            counts[place.dir] += 1;
        }
        place.dir = (0..counts.len()).min_by_key(|&dir| counts[dir]).expect("there is a log.dir");
        let mut is_new = true;
        for (index, dir) in self.dirs.iter().enumerate() {
            // Nobody may have scanned yet.
            if self.disk.file_len(&dir.path.join(partition.to_string()))?.is_some() {
                (place.dir, is_new) = (index, false);
            }
        }
        state.places.insert(partition.clone(), place);
        Ok((place, is_new))
    }

    /// High watermark from `replication-offset-checkpoint`, 0 if absent.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Offset {
        let state = self.state();
        let place = state.places.get(partition);
        let offsets = place.map(|place| &state.checkpoints[place.dir].high_watermarks);
        offsets.and_then(|offsets| offsets.get(partition)).copied().unwrap_or(0)
    }

    /// Renames the directory to `-delete`; removed after `file.delete.delay.ms` by `run_deletes`.
    pub fn delete_log(&self, log: &Log, now: Timestamp) -> Result<()> {
        let due = now.saturating_add(log.config().file_delete_delay_ms);
        let deleted = self.move_away(log.dir(), log.topic_partition(), DELETE)?;
        self.state().deletes.push((due, deleted));
        Ok(())
    }

    /// Renames a log that metadata no longer knows to `-stray`.
    pub fn mark_stray(&self, found: &Found) -> Result<()> {
        let path = found.dir.path.join(found.partition.to_string());
        let stray = self.move_away(&path, &found.partition, STRAY)?;
        tracing::warn!(partition = %found.partition, dir = %stray.display(), "marked as stray");
        Ok(())
    }

    fn move_away(&self, from: &Path, partition: &TopicPartition, suffix: &str) -> Result<PathBuf> {
        let to = from.with_file_name(dir_name_with_suffix(partition, suffix));
        self.disk.rename(from, &to)?;
        self.state().places.remove(partition);
        self.cleaner.forget(partition)?;
        Ok(to)
    }

    /// Removes the directories that were deleted `file.delete.delay.ms` ago.
    pub fn run_deletes(&self, now: Timestamp) -> Result<()> {
        let due: Vec<_> = self.state().deletes.extract_if(.., |(due, _)| *due <= now).collect();
        for (_, path) in due {
            self.disk.remove_dir_all(&path)?;
        }
        Ok(())
    }

    /// Flushes the segments that were rolled since the last time, then writes recovery-point,
    /// log-start-offset and replication-offset checkpoints of every dir that `is_online`.
    pub fn checkpoint(
        &self,
        logs: &HashMap<TopicPartition, Arc<Mutex<Log>>>,
        is_online: impl Fn(&Path) -> bool,
    ) -> Result<()> {
        let mut now: Vec<Checkpoints> = self.dirs.iter().map(|_| Checkpoints::default()).collect();
        let mut owners = Vec::with_capacity(logs.len());
        let mut sorted: Vec<_> = logs.iter().collect();
        sorted.sort_unstable_by_key(|(partition, _)| *partition);
        for (partition, log) in sorted {
            let Some(dir) = self.state().places.get(partition).map(|place| place.dir) else {
                continue;
            };
            flush_sealed(log)?;
            let log = lock(log);
            owners.push((partition.clone(), log.topic_id));
            let Checkpoints { recovery_points, log_starts, high_watermarks } = &mut now[dir];
            recovery_points.insert(partition.clone(), log.recovery_checkpoint());
            high_watermarks.insert(partition.clone(), log.high_watermark());
            if log.log_start_offset() > log.segments[0].base_offset() {
                log_starts.insert(partition.clone(), log.log_start_offset());
            }
        }
        for (index, (dir, mut now)) in self.dirs.iter().zip(now).enumerate() {
            if !is_online(&dir.path) {
                continue;
            }
            let state = &mut *self.state();
            // A log may have been deleted meanwhile, and there may be a new one of its name.
            for (partition, topic_id) in &owners {
                if state.places.get(partition).is_none_or(|place| place.topic_id != *topic_id) {
                    now.remove(partition);
                }
            }
            // Logs that could not be opened yet lie there as they did.
            let is_here = |partition: &TopicPartition| {
                let place = state.places.get(partition);
                place.is_some_and(|place| place.dir == index) && !logs.contains_key(partition)
            };
            now.keep(&state.checkpoints[index], is_here);
            state.checkpoints[index] = now;
            state.checkpoints[index].write(&self.disk, &dir.path)?;
        }
        Ok(())
    }

    /// After all logs are closed and checkpointed: `.kafka_cleanshutdown` with `broker_epoch` in
    /// every dir that `is_clean`.
    pub fn mark_clean_shutdown(
        &self,
        broker_epoch: i64,
        is_clean: impl Fn(&Path) -> bool,
    ) -> Result<()> {
        let mut clean = self.dirs.iter().filter(|dir| is_clean(&dir.path));
        clean.try_for_each(|dir| files::write_clean_shutdown(&self.disk, &dir.path, broker_epoch))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Makes a log directory, and those above it, that a power loss leaves where they are.
fn make_dir(disk: &Disk, path: &Path) -> Result<()> {
    if disk.file_len(path)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(disk, parent)?;
        disk.create_dir_all(path)?;
        return disk.sync_dir(parent);
    }
    disk.create_dir_all(path)
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn flush_sealed(log: &Mutex<Log>) -> Result<()> {
    let flush = lock(log).begin_flush_of_sealed()?;
    if let Some(flush) = flush {
        flush.run()?;
        lock(log).end_flush(&flush);
    }
    Ok(())
}

fn foreign_directory(path: &Path) -> Error {
    Error::Config(format!(
        "Found directory {}, which is not in the form of topic-partition or \
         topic-partition.uniqueId-delete (if marked for deletion). Log directories should only \
         contain Kafka topic data.",
        path.display()
    ))
}
