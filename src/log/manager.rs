//! The log directories: their locks, `meta.properties`, checkpoints; finding, opening and deleting
//! logs (LogManager).

mod checkpoints;
mod dirs;
mod files;
mod futures;
mod log_dir;
mod strays;
#[cfg(test)]
mod tests;

use super::cleaner::Cleaner;
use super::names::{self, DELETE, dir_name_with_suffix, parse_dir_name};
use super::versions::SmallFiles;
use super::{Log, OpenOptions, Stopped, partition_metadata};
use crate::config::{LiveConfig, TopicConfig, absolute};
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::sync::lock;
use crate::types::{Offset, Timestamp, TopicPartition};
use checkpoints::Checkpoints;
pub use futures::FoundFuture;
use kafka_protocol::error::ResponseError;
pub use log_dir::LogDir;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use uuid::Uuid;

/// The file whose lock keeps other brokers out.
const LOCK: &str = ".lock";
/// The topic of the metadata log, which is not managed here.
const METADATA_LOG: &str = "__cluster_metadata";
/// Directories that may be present without belonging to a partition: `lost+found` of ext4 file
/// systems, and what Kafka's tiered storage leaves.
const IGNORED: [&str; 2] = ["lost+found", "remote-log-index-cache"];

/// The contents of `meta.properties`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The id of the cluster that the directory belongs to.
    pub cluster_id: String,
    /// The id of the broker that the directory belongs to.
    pub node_id: i32,
    /// The id of the directory itself.
    pub directory_id: Uuid,
    /// Whether the file says all of this. Kafka before 3.7 wrote no directory id.
    pub is_written: bool,
}

/// A log found at start, identified by its directory's name and `partition.metadata`.
#[derive(Debug)]
pub struct Found {
    /// The partition in the directory's name.
    pub partition: TopicPartition,
    /// None if `partition.metadata` is missing; the log is then a stray.
    pub topic_id: Option<Uuid>,
    /// The log directory that contains it.
    pub dir: Arc<LogDir>,
}

/// Where and how a new log is created.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement {
    /// The id of the wanted log directory, if it is online.
    pub dir: Option<Uuid>,
    /// The log is one of many; the caller will call `sync_dirs` for all of them.
    pub one_of_many: bool,
}

/// Where a log is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The index of its log directory.
    dir: usize,
    /// The topic id in `partition.metadata`.
    topic_id: Option<Uuid>,
}

#[derive(Debug, Default)]
struct Registry {
    places: HashMap<TopicPartition, Place>,
    /// One for each log directory.
    checkpoints: Vec<Checkpoints>,
    /// The number of logs in each log directory.
    counts: Vec<usize>,
    /// One for each log directory, until the logs are opened.
    previews: Vec<HashMap<String, SmallFiles>>,
    /// Hashes of the checkpoints that we wrote.
    written: HashMap<PathBuf, u64>,
    /// Log directories with a log that could not be opened.
    failed: BTreeSet<usize>,
    /// Logs that must not be opened, and why.
    withheld: HashMap<TopicPartition, String>,
    /// Deleted logs that the checkpoints on disk may still contain.
    forgotten: BTreeSet<TopicPartition>,
    /// Directories to remove, and when.
    deletes: Vec<(Timestamp, PathBuf)>,
    /// Future logs found by `scan`, which are to replace others.
    futures: Vec<FoundFuture>,
    /// The wanted directories of partitions that are not here yet.
    preferred: HashMap<TopicPartition, PathBuf>,
}

/// All log directories of this broker.
#[derive(Debug)]
pub struct LogManager {
    disk: Disk,
    dirs: Vec<Arc<LogDir>>,
    /// The metadata log's directory, if it is not one of `dirs`.
    apart: Option<Arc<LogDir>>,
    /// The index of the metadata log's directory in `dirs`, if `apart` is None.
    metadata_index: usize,
    failures: Arc<Notify>,
    config: LiveConfig,
    is_unsynced: AtomicBool,
    state: Mutex<Registry>,
    /// Held while checkpoints are written, because several threads create logs.
    checkpointing: Mutex<()>,
    cleaner: Cleaner,
    locks: Vec<Lock>,
}

impl LogManager {
    /// Locks the directories that are formatted (`.lock`, fcntl), and reads `meta.properties`, the
    /// checkpoints and `.kafka_cleanshutdown`, without changing anything; `claim` does the rest. A
    /// directory that is locked by another process, or has a file of an unknown version, is an
    /// error (Config). An unusable directory goes offline, unless it is the metadata log's.
    pub fn open(disk: Disk, live: &LiveConfig) -> Result<LogManager> {
        let config = live.get();
        let paths: Vec<PathBuf> = config.log_dirs.iter().map(absolute).collect();
        let threads = dirs::recovery_threads(&disk, &config);
        let metadata_dir = &absolute(config.metadata_dir());
        dirs::refuse_overlaps(&disk, &paths, metadata_dir)?;
        let is_metadata_dir =
            |path: &Path| path == metadata_dir || disk.is_same(path, metadata_dir).unwrap_or(false);
        let (mut dirs, mut locks, mut state) = (Vec::new(), Vec::new(), Registry::default());
        let failures = Arc::default();
        for path in &paths {
            let (dir, checkpoints, previews) = match dirs::open(&disk, path, threads, &failures) {
                Ok(opened) => {
                    locks.extend(opened.lock);
                    (opened.dir, opened.checkpoints, opened.previews)
                }
                Err(error @ Error::Disk { .. }) if !is_metadata_dir(path) => {
                    let dir = LogDir::new(&disk, path, &failures);
                    dir.fail(&error);
                    (dir, Checkpoints::default(), HashMap::new())
                }
                Err(error) => return Err(error),
            };
            dirs.push(Arc::new(dir));
            state.checkpoints.push(checkpoints);
            state.previews.push(previews);
            state.counts.push(0);
        }
        let metadata_index = paths.iter().position(|path| is_metadata_dir(path));
        let apart = match metadata_index {
            Some(_) => None,
            None => {
                let opened = dirs::open(&disk, metadata_dir, threads, &failures)?;
                locks.extend(opened.lock);
                Some(Arc::new(opened.dir))
            }
        };
        let online = dirs.iter().filter(|dir| !dir.is_offline()).map(|dir| dir.path.clone());
        let is_unsynced = AtomicBool::new(dirs.iter().any(|dir| dir.stopped == Stopped::Killed));
        Ok(LogManager {
            is_unsynced,
            cleaner: Cleaner::open(&disk, live, online)?,
            disk,
            dirs,
            apart,
            metadata_index: metadata_index.unwrap_or(0),
            failures,
            config: live.clone(),
            state: Mutex::new(state),
            checkpointing: Mutex::default(),
            locks,
        })
    }

    /// The number of threads that may open logs at once.
    pub fn threads(&self) -> usize {
        dirs::recovery_threads(&self.disk, &self.config.get())
    }

    /// The disk with the directories.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The cleaner, which compacts logs.
    pub fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }

    /// The directories, in the order of `log.dirs`.
    pub fn dirs(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// The directories that work.
    pub fn online_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| !dir.is_offline())
    }

    /// Whether a directory has failed.
    pub fn has_offline_dir(&self) -> bool {
        self.dirs.iter().any(|dir| dir.is_offline())
    }

    /// The metadata log's directory, which may be one of `dirs`.
    pub fn metadata_dir(&self) -> &LogDir {
        self.apart.as_ref().unwrap_or(&self.dirs[self.metadata_index])
    }

    /// All directories: those of `log.dirs`, and the metadata log's.
    pub fn all_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().chain(&self.apart)
    }

    /// Notified when a log directory goes offline; one task may wait for it.
    pub fn failures(&self) -> &Notify {
        &self.failures
    }

    /// Writes `meta.properties` with a new directory id to each directory that lacks it.
    pub fn format(&self, cluster_id: &str, node_id: i32) -> Result<()> {
        for dir in self.all_dirs().filter(|dir| !dir.is_offline()) {
            if let Some(meta) = dir.meta() {
                if !meta.is_written {
                    files::write_meta_properties(&self.disk, &dir.path, meta)?;
                }
                continue;
            }
            let meta = MetaProperties {
                cluster_id: cluster_id.to_owned(),
                node_id,
                directory_id: files::new_directory_id(),
                is_written: true,
            };
            files::write_meta_properties(&self.disk, &dir.path, &meta)?;
            dir.set_meta(meta);
        }
        Ok(())
    }

    /// Creates missing directories and locks the new ones. One that fails goes offline, unless it
    /// is the metadata log's or all are new; then what was created is removed. `unmark` follows.
    pub fn claim(&mut self) -> Result<()> {
        let (mut locks, mut made) = (Vec::new(), Vec::new());
        let are_all_new = self.all_dirs().all(|dir| dir.meta().is_none());
        for dir in self.all_dirs().filter(|dir| dir.meta().is_none() && !dir.is_offline()) {
            match dirs::claim(&self.disk, &dir.path, &mut made) {
                Ok(lock) => locks.push(lock),
                Err(error @ Error::Disk { .. })
                    if !are_all_new && !std::ptr::eq(&**dir, self.metadata_dir()) =>
                {
                    dir.fail(&error);
                }
                Err(error) => {
                    dirs::unmake(&self.disk, &made);
                    return Err(error);
                }
            }
        }
        self.locks.extend(locks);
        Ok(())
    }

    /// Deletes `.kafka_cleanshutdown`, so that until `mark_clean_shutdown` a stop counts as unclean.
    /// If the disk is full, the reserve is released for what follows (`disk/reserve.rs`).
    pub fn unmark(&self) -> Result<()> {
        let unmark = |dir: &LogDir| {
            files::make_room(&self.disk, &dir.path)?;
            files::remove_clean_shutdown(&self.disk, &dir.path)
        };
        for dir in self.online_dirs() {
            self.survive(unmark(dir))?;
        }
        self.apart.as_ref().map_or(Ok(()), |dir| unmark(dir))
    }

    /// Records that all logs are open or refused. If only the process is killed from now on, the
    /// next start trusts what was written in these directories, and refuses what was refused here.
    pub fn note_recovered(&self) -> Result<()> {
        self.recovered().into_iter().try_for_each(|dir| self.disk.note_recovered(&dir.path))
    }

    /// The directories that need no recovery any more. A log that could not be opened still needs
    /// the recovery that it needed before: none after a clean stop.
    fn recovered(&self) -> Vec<&LogDir> {
        let failed = self.state().failed.clone();
        let is_recovered = |(index, dir): &(usize, &Arc<LogDir>)| {
            !dir.is_offline() && (dir.stopped == Stopped::Cleanly || !failed.contains(index))
        };
        let recovered = self.dirs.iter().enumerate().filter(is_recovered);
        recovered.map(|(_, dir)| &**dir).collect()
    }

    /// Finds the logs in the directories, without `__cluster_metadata-0`. Nothing is changed, so a
    /// start may call it twice. `-delete` directories are kept for `run_deletes` and `-future` ones
    /// for `take_futures`; `-stray` ones are left alone. A directory that is not Kafka's, or a
    /// partition in two log directories, is an error (Config). A directory that fails goes offline.
    pub fn scan(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        {
            let mut state = self.state();
            state.futures.clear();
            state.deletes.clear();
        }
        for (index, dir) in self.dirs.iter().enumerate().filter(|(_, dir)| !dir.is_offline()) {
            self.survive(self.scan_dir(index, dir, &mut found))?;
        }
        Ok(found)
    }

    fn scan_dir(&self, index: usize, dir: &Arc<LogDir>, found: &mut Vec<Found>) -> Result<()> {
        if dir.meta().is_none() && self.disk.file_len(&dir.path)?.is_none() {
            // The directory will be created.
            return Ok(());
        }
        for name in self.disk.list_dirs(&dir.path)? {
            if IGNORED.contains(&name.as_str()) {
                continue;
            }
            let path = dir.path.join(&name);
            let Some((partition, suffix)) = parse_dir_name(&name) else {
                return Err(foreign_directory(&path));
            };
            match suffix {
                Some(names::DELETE) => self.state().deletes.push((Timestamp::MIN, path)),
                Some(names::FUTURE) => {
                    let topic_id = self.topic_id(index, &name, &path)?;
                    let dir = Arc::clone(dir);
                    self.note_future(FoundFuture { partition, topic_id, dir, path })?;
                }
                Some(_) => {}
                None if &*partition.topic == METADATA_LOG => {}
                None if self.state().withheld.contains_key(&partition) => {
                    self.place(&partition, Place { dir: index, topic_id: None })?;
                }
                None => {
                    let topic_id = self.topic_id(index, &name, &path);
                    self.place(
                        &partition,
                        Place { dir: index, topic_id: *topic_id.as_ref().unwrap_or(&None) },
                    )?;
                    match topic_id {
                        Ok(topic_id) => found.push(Found { partition, topic_id, dir: dir.clone() }),
                        // Opening the log will fail in the same way, and only this partition goes
                        // offline.
                        Err(error @ Error::Corrupt { .. }) => tracing::error!(%error),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    fn topic_id(&self, dir: usize, name: &str, path: &Path) -> Result<Option<Uuid>> {
        let state = self.state();
        let partition = parse_dir_name(name).map(|(partition, _)| partition);
        let points = &state.checkpoints[dir].recovery_points;
        let point = partition.and_then(|partition| points.get(&partition).copied()).unwrap_or(0);
        let may_be_torn = partition_metadata::may_be_torn(self.dirs[dir].stopped, point);
        match state.previews[dir].get(name).map(|preview| &preview.partition_metadata) {
            Some(Some(content)) => {
                partition_metadata::parse(&self.disk, path, content, may_be_torn)
            }
            _ if self.disk.file_len(path)?.is_none() => {
                let path = path.display();
                Err(Error::corrupt(format!("log directory: {path} is a link that leads nowhere")))
            }
            Some(None) => Ok(None),
            None => partition_metadata::read(&self.disk, path, may_be_torn),
        }
    }

    fn place(&self, partition: &TopicPartition, place: Place) -> Result<()> {
        let mut state = self.state();
        match state.places.get(partition) {
            Some(other) if other.dir == place.dir => {}
            Some(Place { topic_id: Some(other), .. })
                if place.topic_id.is_some_and(|id| id != *other) =>
            {
                // At most one of them belongs to a topic; the other one will be a stray.
                return Ok(());
            }
            Some(other) => {
                return Err(Error::Config(format!(
                    "{partition} is in {} and in {}. Nobody knows which one counts: look into \
                     them, and move the other one away.",
                    self.dirs[other.dir].path.display(),
                    self.dirs[place.dir].path.display(),
                )));
            }
            None => state.counts[place.dir] += 1,
        }
        state.places.insert(partition.clone(), place);
        Ok(())
    }

    /// Whether an online directory has a log of this partition.
    pub fn has_log(&self, partition: &TopicPartition) -> bool {
        self.state().places.contains_key(partition)
    }

    /// Whether an online directory has something under the name of this partition.
    pub fn is_name_taken(&self, partition: &TopicPartition) -> bool {
        let name = partition.to_string();
        let is_taken = |dir: &Arc<LogDir>| {
            self.disk.file_len(&dir.path.join(&name)).is_ok_and(|len| len.is_some())
        };
        self.online_dirs().any(is_taken)
    }

    /// Finds the online directory with this id.
    pub fn online_dir(&self, id: Uuid) -> Option<&Arc<LogDir>> {
        self.online_dirs().find(|dir| dir.id() == Some(id))
    }

    /// Opens a partition's log, or creates it as `placement` says, otherwise in the online
    /// directory with the fewest logs. Recovery runs here; several threads may call it for
    /// different partitions.
    pub fn open_log_in(
        &self,
        placement: Placement,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        let (place, is_new) = self.find_place(partition, placement.dir)?;
        if is_new {
            self.survive(self.cleaner.forget(partition))?;
            self.forget_checkpoints(partition)?;
        }
        let dir = &self.dirs[place.dir];
        let name = partition.to_string();
        let options = {
            let state = &mut *self.state();
            let known = &state.checkpoints[place.dir];
            // A checkpoint may still contain a deleted log of the same name.
            let offset_in = |offsets: &BTreeMap<TopicPartition, Offset>| {
                offsets.get(partition).copied().filter(|_| !is_new).unwrap_or(0)
            };
            OpenOptions {
                config,
                log_start_offset: offset_in(&known.log_starts),
                recovery_point: if is_new { 0 } else { known.recovery_point(partition) },
                cleaned_below: self.cleaner.cleaned_below(&dir.path, partition),
                stopped: if is_new { Stopped::Cleanly } else { dir.stopped },
                leader_epochs: state.previews[place.dir].remove(&name).map(|p| p.leader_epochs),
                now,
            }
        };
        let withheld = self.state().withheld.get(partition).map(Error::corrupt);
        let opened =
            withheld.map_or_else(|| Log::open(&self.disk, &dir.path.join(name), options), Err);
        if opened.is_err() {
            self.state().failed.insert(place.dir);
        }
        let mut log = opened?;
        log.topic_id = place.topic_id;
        log.put_topic_id(topic_id, !placement.one_of_many)?;
        if is_new && placement.one_of_many {
            self.is_unsynced.store(true, Ordering::Release);
        }
        let place = Place { topic_id: Some(topic_id), ..place };
        let state = &mut *self.state();
        let known = &mut state.checkpoints[place.dir];
        known.log_starts.remove(partition);
        known.recovery_points.remove(partition);
        // From now on the map's key shares the caller's copy of the topic name.
        state.places.remove(partition);
        state.places.insert(partition.clone(), place);
        Ok(log)
    }

    /// Where a log is or shall be, and whether it must be created.
    fn find_place(
        &self,
        partition: &TopicPartition,
        wanted_id: Option<Uuid>,
    ) -> Result<(Place, bool)> {
        let mut state = self.state();
        if let Some(place) = state.places.get(partition) {
            return Ok((*place, false));
        }
        let preferred = state.preferred.remove(partition);
        let preferred = preferred.and_then(|path| self.dirs.iter().find(|dir| dir.path == path));
        let wanted = preferred.filter(|dir| !dir.is_offline());
        let wanted = wanted.or_else(|| wanted_id.and_then(|id| self.online_dir(id)));
        let config = self.config.get();
        let online = || self.dirs.iter().enumerate().filter(|(_, dir)| !dir.is_offline());
        let are_all_cordoned = online().all(|(_, dir)| config.is_cordoned(&dir.path));
        let (mut dir, mut is_new) = (None, true);
        for (index, known) in online() {
            // The directories may not have been scanned yet.
            if self.disk.file_len(&known.path.join(partition.to_string()))?.is_some() {
                (dir, is_new) = (Some(index), false);
                break;
            }
            let is_wanted = match wanted {
                Some(wanted) => Arc::ptr_eq(wanted, known),
                None => are_all_cordoned || !config.is_cordoned(&known.path),
            };
            if is_wanted && dir.is_none_or(|dir| state.counts[index] < state.counts[dir]) {
                dir = Some(index);
            }
        }
        let dir = dir.ok_or(Error::Code(ResponseError::KafkaStorageError))?;
        let place = Place { dir, topic_id: None };
        state.counts[dir] += 1;
        state.places.insert(partition.clone(), place);
        Ok((place, is_new))
    }

    /// Makes everything in the online directories durable, if that is needed: for new logs, or for
    /// files of a killed process, some of which the disk may have failed to write.
    pub fn sync_dirs(&self) -> Result<()> {
        if !self.is_unsynced.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.online_dirs().try_for_each(|dir| self.disk.sync_file_system(&dir.path))
    }

    /// The high watermark in `replication-offset-checkpoint` at start, 0 if missing; returned once.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Offset {
        let state = &mut *self.state();
        let place = state.places.get(partition);
        let known = place.map(|place| &mut state.checkpoints[place.dir].high_watermarks);
        known.and_then(|offsets| offsets.remove(partition)).unwrap_or(0)
    }

    /// Renames the log's directory to `-delete`; `run_deletes` removes it `file.delete.delay.ms`
    /// later.
    pub fn delete_log(&self, log: &Log, now: Timestamp) -> Result<()> {
        let due = now.saturating_add(log.config().file_delete_delay_ms);
        let deleted = self.move_away(log.dir(), log.topic_partition(), DELETE)?;
        self.state().deletes.push((due, deleted));
        Ok(())
    }

    fn move_away(&self, from: &Path, partition: &TopicPartition, suffix: &str) -> Result<PathBuf> {
        let to = from.with_file_name(dir_name_with_suffix(partition, suffix));
        self.disk.rename(from, &to)?;
        self.state().forgotten.insert(partition.clone());
        self.forget(partition);
        self.cleaner.forget(partition)?;
        Ok(to)
    }

    /// Undoes `find_place` for a log that is no longer there.
    fn forget(&self, partition: &TopicPartition) {
        let mut state = self.state();
        if let Some(place) = state.places.remove(partition) {
            state.counts[place.dir] -= 1;
        }
    }

    /// Removes the directories whose `file.delete.delay.ms` has passed.
    pub fn run_deletes(&self, now: Timestamp) -> Result<()> {
        let due: Vec<_> = self.state().deletes.extract_if(.., |(due, _)| *due <= now).collect();
        let removed = due.iter().map(|(_, path)| self.disk.remove_dir_all(path));
        // A directory that cannot be removed must not stop the others.
        removed.collect::<Vec<_>>().into_iter().collect()
    }

    /// Writes `.kafka_cleanshutdown` with `broker_epoch` to each directory that is online and
    /// `is_clean`, after all logs were closed and checkpointed. A directory that fails goes offline.
    pub fn mark_clean_shutdown(
        &self,
        broker_epoch: i64,
        is_clean: impl Fn(&Path) -> bool,
    ) -> Result<()> {
        let mut clean = self.recovered().into_iter().filter(|dir| is_clean(&dir.path));
        clean.try_for_each(|dir| {
            self.survive(files::write_clean_shutdown(&self.disk, &dir.path, broker_epoch))
        })
    }

    fn state(&self) -> MutexGuard<'_, Registry> {
        lock(&self.state)
    }
}

fn foreign_directory(path: &Path) -> Error {
    Error::Config(format!(
        "{} is no partition's directory (topic-0, or topic-0.<id>-delete). Nothing else belongs \
         in a log directory: move it away.",
        path.display()
    ))
}
