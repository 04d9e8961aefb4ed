//! Moves partitions from one log directory of this broker to another without interrupting their use
//! (AlterReplicaLogDirs, KIP-113; ReplicaAlterLogDirsThread).
//!
//! Batches are copied from the current log to a future log until it has all of them. Then the
//! controller is told (KIP-858), and once the metadata log confirms the new directory, the future
//! log replaces the current one under the partition's lock, which delays users only briefly.
//! Whenever the process ends, the next start finds either the current log or a complete future log.

use super::partition::Partition;
use super::{Hosted, Replicas};
use crate::config::MOVE_RATE;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::log::manager::{FoundFuture, LogDir, LogManager};
use crate::metadata::Image;
use crate::sync::lock;
use crate::sync::throttle::Throttle;
use crate::types::{Offset, TopicIdPartition, TopicPartition};
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;

/// The moves in progress.
#[derive(Debug)]
pub(super) struct Moves {
    under_way: Mutex<HashMap<TopicIdPartition, Arc<Move>>>,
    begun: Notify,
    throttle: Throttle,
    is_closed: AtomicBool,
}

/// A move. Locks are taken in the order state, `Replicas::checkpointing`, the partition's log.
#[derive(Debug)]
struct Move {
    partition: Arc<Partition>,
    /// The directory it moves to.
    dir: Arc<LogDir>,
    state: Mutex<Progress>,
    size: AtomicI64,
    end: AtomicI64,
}

#[derive(Debug)]
struct Progress {
    future: Future,
    /// The cleaner is not working on the current log and will not begin to.
    is_paused: bool,
    /// The controller was told the new directory.
    is_told: bool,
    /// How often the current log had been truncated when the future log last agreed with it; None
    /// if it has not yet.
    agreed: Option<u64>,
}

#[derive(Debug)]
enum Future {
    /// Not open; it was left by the last process or by a failed attempt.
    Closed {
        path: PathBuf,
        /// Where the current log ended at that time.
        end: Offset,
    },
    Open(Box<Log>),
    /// The move is over.
    Gone,
}

/// A future log as DescribeLogDirs shows it.
#[derive(Clone, Debug)]
pub struct FutureReplica {
    /// Which partition moves.
    pub partition: TopicPartition,
    /// The directory it moves to.
    pub dir: Arc<LogDir>,
    /// Its size in bytes.
    pub size: i64,
    /// How many offsets its end is behind that of the current log.
    pub offset_lag: i64,
}

enum Step {
    Copied(usize),
    Waits,
    Done,
}

impl Default for Moves {
    fn default() -> Moves {
        Moves {
            under_way: Mutex::default(),
            begun: Notify::new(),
            throttle: Throttle::default(),
            is_closed: AtomicBool::new(false),
        }
    }
}

impl Moves {
    // Each change of the map is a single call, so a panic cannot leave it half done.
    fn under_way(&self) -> MutexGuard<'_, HashMap<TopicIdPartition, Arc<Move>>> {
        lock(&self.under_way)
    }

    fn add(&self, id: TopicIdPartition, one: Arc<Move>) {
        self.under_way().insert(id, one);
        self.begun.notify_one();
    }
}

impl Move {
    fn new(partition: &Arc<Partition>, dir: &Arc<LogDir>, future: Future) -> Arc<Move> {
        Arc::new(Move {
            partition: Arc::clone(partition),
            dir: Arc::clone(dir),
            state: Mutex::new(Progress { future, is_paused: false, is_told: false, agreed: None }),
            size: AtomicI64::new(0),
            end: AtomicI64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        lock(&self.state)
    }
}

impl Replicas {
    /// Finds the log directory at `path`.
    pub fn dir_at(&self, path: &str) -> Option<&Arc<LogDir>> {
        self.logs.dirs().iter().find(|dir| dir.path == Path::new(path))
    }

    /// Moves a partition to the log directory `to`. For a partition that this broker does not host,
    /// only notes that its log shall be created there. A move in progress to another directory is
    /// cancelled. Fails as in Kafka with LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR,
    /// INVALID_REPLICA_ASSIGNMENT (the directory is cordoned), REPLICA_NOT_AVAILABLE or
    /// UNKNOWN_TOPIC_OR_PARTITION. Blocks.
    pub fn alter_dir(
        &self,
        image: &Image,
        name: &TopicPartition,
        to: Option<&Arc<LogDir>>,
    ) -> Result<()> {
        let is_closed = lock(&self.applying);
        if *is_closed {
            return Err(Error::Closed);
        }
        if !LogManager::can_have_future(name) {
            return Err(ResponseError::InvalidTopicException.into());
        }
        let dir = to.ok_or(ResponseError::LogDirNotFound)?;
        dir.check()?;
        if self.config.get().is_cordoned(&dir.path) {
            return Err(ResponseError::InvalidReplicaAssignment.into());
        }
        let index = name.partition;
        let known = image.topics.by_name(&name.topic);
        let known = known.filter(|topic| topic.partition(index).is_some());
        let id = known.map(|topic| TopicIdPartition { topic_id: topic.id, partition: index });
        match id.and_then(|id| self.hosted().get(&id).cloned()) {
            Some(Hosted::Online(partition)) => self.begin_move(&partition, dir),
            Some(Hosted::Offline | Hosted::NoRoom) => Err(ResponseError::KafkaStorageError.into()),
            None => {
                self.logs.prefer(name, &dir.path);
                Err(match id {
                    Some(_) => ResponseError::ReplicaNotAvailable.into(),
                    None => ResponseError::UnknownTopicOrPartition.into(),
                })
            }
        }
    }

    fn begin_move(&self, partition: &Arc<Partition>, dir: &Arc<LogDir>) -> Result<()> {
        partition.dir().check()?;
        let id = partition.id();
        let other = self.moves.under_way().get(&id).cloned();
        if other.is_some_and(|other| Arc::ptr_eq(&other.dir, dir)) {
            return Ok(());
        }
        self.cancel_move(id);
        if Arc::ptr_eq(&partition.dir(), dir) {
            return Ok(());
        }
        let (name, now) = (partition.topic_partition(), self.clock.now());
        self.logs.check_all_online(name)?;
        let (topic_id, config) = (partition.topic_id(), partition.config());
        let future = self.logs.create_future(&dir.path, name, topic_id, config, now);
        let future = Future::Open(Box::new(self.logs.observe(future)?));
        self.moves.add(id, Move::new(partition, dir, future));
        tracing::info!(partition = %name, to = %dir.path.display(), "moves");
        Ok(())
    }

    /// Cancels a partition's move, if there is one, and deletes its copy.
    pub(super) fn cancel_move(&self, id: TopicIdPartition) {
        let removed = self.moves.under_way().remove(&id);
        if let Some(one) = removed {
            let mut state = one.lock();
            self.give_up(&one, &mut state);
        }
    }

    /// The future logs of the moves in progress.
    pub fn futures(&self) -> Vec<FutureReplica> {
        let under_way: Vec<_> = self.moves.under_way().values().cloned().collect();
        let shown = |one: Arc<Move>| {
            let end = one.partition.log().map_or(-1, |log| log.log_end_offset());
            FutureReplica {
                partition: one.partition.topic_partition().clone(),
                dir: Arc::clone(&one.dir),
                size: one.size.load(Ordering::Relaxed),
                offset_lag: end - one.end.load(Ordering::Relaxed),
            }
        };
        under_way.into_iter().map(shown).collect()
    }

    /// Resolves when there are moves in progress. Only one task may wait here.
    pub async fn has_moves(&self) {
        while self.moves.under_way().is_empty() {
            self.moves.begun.notified().await;
        }
    }

    /// Advances the moves until all of them wait for something. Called a few times a second.
    pub fn move_logs(&self, images: &ArcSwap<Image>) {
        loop {
            let under_way: Vec<_> = self.moves.under_way().values().cloned().collect();
            let mut is_busy = false;
            for one in under_way {
                is_busy |= self.take_on(&one, &images.load());
            }
            if !is_busy {
                return;
            }
        }
    }

    /// Takes one step of a move; returns whether the next one may follow at once.
    fn take_on(&self, one: &Arc<Move>, image: &Image) -> bool {
        let mut state = one.lock();
        match self.logs.observe(self.step(one, &mut state, image)) {
            Ok(Step::Copied(bytes)) => {
                drop(state);
                let rate =
                    || self.config.get().dynamic_number(MOVE_RATE).unwrap_or(i64::MAX) as f64;
                let is_wanted = || {
                    let is_closed = self.moves.is_closed.load(Ordering::Relaxed);
                    if is_closed { Err(Error::Closed) } else { Ok(()) }
                };
                self.moves.throttle.wait(bytes as u64, rate, is_wanted).is_ok()
            }
            Ok(Step::Waits) => false,
            Ok(Step::Done) => {
                self.end_move(one, &mut state);
                false
            }
            // It goes on when there is room.
            Err(error) if error.is_disk_full() => false,
            Err(error) => {
                let partition = one.partition.topic_partition();
                tracing::warn!(%partition, to = %one.dir.path.display(), %error, "move ended");
                self.give_up(one, &mut state);
                false
            }
        }
    }

    fn step(&self, one: &Move, state: &mut Progress, image: &Image) -> Result<Step> {
        if matches!(state.future, Future::Gone) {
            // It was cancelled in the meantime, and the partition may already have another move.
            return Ok(Step::Waits);
        }
        one.dir.check()?;
        let name = one.partition.topic_partition();
        state.is_paused = state.is_paused || self.logs.cleaner().pause(name);
        if !state.is_paused || one.dir.is_full() {
            return Ok(Step::Waits);
        }
        let future = self.open_future(one, &mut state.future)?;
        future.set_config(one.partition.config());
        let lacking = {
            let current = one.partition.log()?;
            agree(future, &current, &mut state.agreed)?;
            future.lacks(&current, CHUNK)?
        };
        if let Some(read) = lacking {
            for range in &read.ranges {
                future.take(range.read()?, self.clock.now())?;
            }
            one.size.store(future.size() as i64, Ordering::Relaxed);
            one.end.store(future.log_end_offset(), Ordering::Relaxed);
            if read.bytes > CHUNK / 2 || read.goes_on {
                return Ok(Step::Copied(read.bytes));
            }
        }
        if !self.is_assigned(one, image) {
            if !std::mem::replace(&mut state.is_told, true)
                && let Some(directory) = one.dir.id()
            {
                self.note_assignment(one.partition.id(), directory);
            }
            return Ok(Step::Waits);
        }
        // Writes most of it to disk before the partition is locked.
        future.flush()?;
        let path = future.dir().to_owned();
        let replaced = self.replace(one, future, &mut state.agreed);
        // `replace` has closed it.
        state.future = Future::Closed { path, end: Offset::MAX };
        replaced?;
        if !state.is_told
            && let Some(directory) = one.dir.id()
        {
            // The metadata log named this directory before the start. The old one, reported since
            // then, may be about to overwrite that.
            self.note_assignment(one.partition.id(), directory);
        }
        Ok(Step::Done)
    }

    fn open_future<'a>(&self, one: &Move, future: &'a mut Future) -> Result<&'a mut Log> {
        if let Future::Closed { path, end } = future {
            let (topic_id, config) = (one.partition.topic_id(), one.partition.config());
            let (id, now) = (one.partition.topic_partition(), self.clock.now());
            let mut log = self.logs.reopen_future(path, id, topic_id, config, now)?;
            log.agree_with(&*one.partition.log()?, *end)?;
            *future = Future::Open(Box::new(log));
        }
        match future {
            Future::Open(log) => Ok(log),
            Future::Closed { .. } | Future::Gone => Err(Error::Closed),
        }
    }

    /// Whether the metadata log already names the new directory.
    fn is_assigned(&self, one: &Move, image: &Image) -> bool {
        let id = one.partition.id();
        let registration = image.topics.partition(id.topic_id, id.partition);
        let directory =
            registration.and_then(|known| known.directory_of(self.config.get().node_id));
        one.dir.id().is_none() || directory == one.dir.id()
    }

    /// Makes the future log the partition's log.
    fn replace(&self, one: &Move, future: &mut Log, agreed: &mut Option<u64>) -> Result<()> {
        let is_closed = lock(&self.checkpointing);
        if *is_closed {
            return Err(Error::Closed);
        }
        let now = self.clock.now();
        let mut current = one.partition.log()?;
        agree(future, &current, agreed)?;
        while let Some(read) = future.lacks(&current, CHUNK)? {
            read.ranges.iter().try_for_each(|range| future.take(range.read()?, now))?;
        }
        self.logs.replace(&mut current, future, now)?;
        one.partition.set_dir(&one.dir);
        Ok(())
    }

    fn end_move(&self, one: &Move, state: &mut Progress) {
        state.future = Future::Gone;
        let mut under_way = self.moves.under_way();
        if under_way.get(&one.partition.id()).is_some_and(|known| std::ptr::eq(&**known, one)) {
            under_way.remove(&one.partition.id());
        }
        drop(under_way);
        if std::mem::take(&mut state.is_paused) {
            self.logs.cleaner().resume(one.partition.topic_partition());
        }
        let partition = one.partition.topic_partition();
        tracing::info!(%partition, dir = %one.partition.dir().path.display(), "lies here now");
    }

    /// Leaves the partition where it is and deletes the copy, unless a directory is offline: then
    /// the next start may continue the move.
    fn give_up(&self, one: &Move, state: &mut Progress) {
        let path = match std::mem::replace(&mut state.future, Future::Gone) {
            Future::Open(log) => log.dir().to_owned(),
            Future::Closed { path, .. } => path,
            Future::Gone => return,
        };
        let (partition, current) = (one.partition.topic_partition(), one.partition.dir());
        if std::mem::take(&mut state.is_told)
            && let Some(directory) = current.id()
        {
            self.note_assignment(one.partition.id(), directory);
        }
        let is_closed = self.moves.is_closed.load(Ordering::Relaxed);
        if !is_closed && !one.dir.is_offline() && !current.is_offline() {
            let due = self.clock.now() + one.partition.config().file_delete_delay_ms;
            if let Err(error) = self.logs.observe(self.logs.discard_future(&path, partition, due)) {
                tracing::warn!(%partition, %error, "a future log stays");
            }
        }
        self.end_move(one, state);
    }

    /// Sorts out the future logs that the last process left, before partitions are opened. Where it
    /// had already taken the current log away, the move is completed. Returns the moves to be
    /// resumed.
    pub(super) fn promote_futures(&self, image: &Image) -> Result<Vec<FoundFuture>> {
        let mut others = Vec::new();
        for found in self.logs.take_futures() {
            let topic = found.topic_id.and_then(|id| image.topics.by_id(id));
            let registration = topic
                .filter(|topic| *topic.name == *found.partition.topic)
                .and_then(|topic| topic.partition(found.partition.partition))
                .filter(|known| known.replicas.contains(&self.config.get().node_id));
            let Some(registration) = registration else {
                tracing::warn!(log = %found.path.display(), "the cluster does not know it: stray");
                self.logs.survive(self.logs.mark_future_stray(&found))?;
                continue;
            };
            let directory = registration.directory_of(self.config.get().node_id);
            let here = found.dir.id();
            let is_registered = here.is_some() && directory == here;
            let log = found.path.display();
            if self.logs.has_log(&found.partition) {
                others.push(found);
            } else if self.logs.has_offline_dir() {
                // The current log may be in a directory that is offline, and have more records.
                if is_registered {
                    tracing::error!(%log, "waits until all log directories are there");
                    let topic_id = found.topic_id.unwrap_or_default();
                    let id = TopicIdPartition { topic_id, partition: found.partition.partition };
                    self.hosted_mut().insert(id, Hosted::Offline);
                }
            } else if is_registered {
                tracing::info!(%log, "takes its place");
                self.logs.survive(self.logs.promote(&found))?;
            } else {
                tracing::warn!(%log, "nothing is left of what it was to replace: stray");
                self.logs.survive(self.logs.mark_future_stray(&found))?;
            }
        }
        Ok(others)
    }

    /// Resumes the moves that the last process had begun, once the partitions are open.
    pub(super) fn resume_moves(&self, found: Vec<FoundFuture>) {
        for FoundFuture { partition, topic_id, dir, path } in found {
            let topic_id = topic_id.unwrap_or_default();
            let id = TopicIdPartition { topic_id, partition: partition.partition };
            let hosted = self.hosted().get(&id).cloned();
            if let Some(Hosted::Online(partition)) = hosted
                && let Ok(end) = partition.log().map(|log| log.log_end_offset())
            {
                let one = Move::new(&partition, &dir, Future::Closed { path, end });
                // From now on nothing is compacted that was already copied.
                one.lock().is_paused = self.logs.cleaner().pause(partition.topic_partition());
                self.moves.add(id, one);
            }
        }
    }

    /// Stops all moves; the next start resumes them.
    pub(super) fn close_moves(&self) {
        self.moves.is_closed.store(true, Ordering::Relaxed);
        let under_way: Vec<_> = self.moves.under_way().drain().map(|(_, one)| one).collect();
        for one in under_way {
            one.lock().future = Future::Gone;
        }
    }
}

/// If the current log was truncated since the last call, as its leader said, the future log is, too.
fn agree(future: &mut Log, current: &Log, agreed: &mut Option<u64>) -> Result<()> {
    if agreed.replace(current.truncations()) == Some(current.truncations()) {
        return Ok(());
    }
    future.agree_with(current, current.log_end_offset())
}
