//! One partition: its log behind one lock, its role, its high watermark, its waiters.

mod append;
mod settle;
mod state;

use super::log_dirs::DirHealth;
use super::purgatory::{OffsetWait, Waiters, Watch, WatchId};
use crate::config::TopicConfig;
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::log::manager::LogManager;
use crate::log::{ActiveProducer, Log, Read, TimestampOffset};
use crate::metadata;
use crate::types::{
    BrokerId, Isolation, LeaderEpoch, NO_EPOCH, Offset, Timestamp, TopicIdPartition, TopicPartition,
};
pub use append::Append;
use arc_swap::{ArcSwap, Guard};
use kafka_protocol::error::ResponseError;
use state::{Role, State};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;
use uuid::Uuid;

/// A partition of this broker (Partition.scala). Locks are taken in the order state, log, waiters.
#[derive(Debug)]
pub struct Partition {
    this: Weak<Partition>,
    topic_partition: TopicPartition,
    topic_id: Uuid,
    broker_id: BrokerId,
    /// Changed under the log's lock.
    dir: ArcSwap<DirHealth>,
    config: RwLock<Arc<TopicConfig>>,
    state: RwLock<State>,
    log: Arc<Mutex<Log>>,
    /// The log was deleted or closed; set under its lock.
    is_closed: AtomicBool,
    /// `settle` has something to do, or looks whether it has; changed under the log's lock.
    is_unsettled: AtomicBool,
    waiters: Waiters,
    flushing: tokio::sync::Mutex<()>,
    last_flush: AtomicI64,
    /// Offset of the last fetch that met bytes that are no batch, -1 before: who fetches there
    /// tries for ever, and it is told once.
    unreadable: AtomicI64,
}

/// The offsets an answer shows beside the records, all of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// First offset that may be read.
    pub log_start: Offset,
    /// One past the last record.
    pub log_end: Offset,
    /// Below it, every in-sync replica has the records.
    pub high_watermark: Offset,
    /// Below it, no transaction is open.
    pub last_stable: Offset,
}

impl Offsets {
    /// Where the records that `isolation` may see end.
    pub fn end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::LogEnd => self.log_end,
            Isolation::HighWatermark => self.high_watermark,
            Isolation::Committed => self.last_stable,
        }
    }
}

/// Who reads, from where, and what it believes (FetchRequest.PartitionData).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Offset to begin at.
    pub fetch_offset: Offset,
    /// Most bytes of this partition.
    pub max_bytes: usize,
    /// Epoch the asker believes the leader to be in, -1 if it does not say.
    pub current_leader_epoch: LeaderEpoch,
    /// Epoch of the last record the asker has, -1 if it does not say.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What a fetch of one partition found.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The records.
    pub read: Read,
    /// The offsets before the read.
    pub offsets: Offsets,
    /// The asker's history is not ours: the largest epoch we share with it, and where it ends here.
    pub diverging: Option<(LeaderEpoch, Offset)>,
}

/// A special timestamp of ListOffsets, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first offset that may be read (-2, and -4 as nothing is tiered).
    Earliest,
    /// One past the last record the asker may see (-1).
    Latest,
    /// The record with the largest timestamp (-3).
    MaxTimestamp,
    /// The first record at or after this time.
    At(Timestamp),
}

impl Partition {
    /// A partition whose leader is not known yet, around its open log.
    pub fn new(
        topic_partition: TopicPartition,
        topic_id: Uuid,
        broker_id: BrokerId,
        log: Log,
        dir: Arc<DirHealth>,
    ) -> Arc<Partition> {
        let partition = Arc::new_cyclic(|this| Partition {
            this: Weak::clone(this),
            topic_partition,
            topic_id,
            broker_id,
            dir: ArcSwap::from(Arc::clone(&dir)),
            config: RwLock::new(Arc::clone(log.config())),
            state: RwLock::new(State {
                leader_epoch: NO_EPOCH,
                partition_epoch: -1,
                replicas: Vec::new(),
                role: Role::Follower,
            }),
            log: Arc::new(Mutex::new(log)),
            is_closed: AtomicBool::new(false),
            is_unsettled: AtomicBool::new(true),
            waiters: Waiters::default(),
            flushing: tokio::sync::Mutex::new(()),
            last_flush: AtomicI64::new(0),
            unreadable: AtomicI64::new(-1),
        });
        dir.add(Arc::downgrade(&partition));
        dir.note_unsettled(Arc::downgrade(&partition));
        partition
    }

    /// Name of the topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic_partition.topic
    }

    /// Id of the topic.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Index of the partition, from 0.
    pub fn index(&self) -> i32 {
        self.topic_partition.partition
    }

    /// The partition as its log directory is named.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The key of this partition.
    pub fn id(&self) -> TopicIdPartition {
        TopicIdPartition { topic_id: self.topic_id, partition: self.index() }
    }

    /// The leader epoch that the metadata log gave last.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.state().leader_epoch
    }

    /// The log directory the log lies in.
    pub fn dir(&self) -> Guard<Arc<DirHealth>> {
        self.dir.load()
    }

    /// The topic's settings in effect.
    pub fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log; never held across an await, never while doing slow I/O. KAFKA_STORAGE_ERROR if its
    /// directory is offline, or if a broken invariant has left it in doubt; NOT_LEADER_OR_FOLLOWER
    /// if it was deleted or closed.
    pub fn log(&self) -> Result<MutexGuard<'_, Log>> {
        self.dir().check()?;
        let log = self.log.lock().map_err(|_| Error::Code(ResponseError::KafkaStorageError))?;
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::Code(ResponseError::NotLeaderOrFollower));
        }
        Ok(log)
    }

    /// The log and its lock, for the checkpoints.
    pub(super) fn shared_log(&self) -> Arc<Mutex<Log>> {
        Arc::clone(&self.log)
    }

    /// The offsets of this moment.
    pub fn offsets(&self) -> Result<Offsets> {
        Ok(offsets_of(&*self.log()?))
    }

    /// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH unless this broker leads
    /// in `epoch` (-1: any).
    pub fn check_leader(&self, epoch: LeaderEpoch) -> Result<()> {
        self.state().check_leader(epoch)
    }

    /// Reads whatever the role; `at_least_one` gives a first batch larger than `max_bytes`.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<(Read, Offsets)> {
        let log = self.log()?;
        let offsets = offsets_of(&log);
        let read = self.dir().observe(log.read(from, max_bytes, isolation, at_least_one))?;
        Ok((read, offsets))
    }

    /// Reads for a Fetch from the leader: epochs are checked, a history that is not ours is told.
    pub fn fetch(
        &self,
        access: Access,
        asked: &Asked,
        isolation: Isolation,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Fetched> {
        let state = self.state();
        state.check_leader(asked.current_leader_epoch)?;
        let log = self.log()?;
        let offsets = offsets_of(&log);
        if asked.last_fetched_epoch != NO_EPOCH
            && let Some(diverging) = divergence(&log, asked)?
        {
            return Ok(Fetched { offsets, diverging: Some(diverging), ..Fetched::default() });
        }
        drop(state);
        let max_bytes = max_bytes.min(asked.max_bytes);
        let from = asked.fetch_offset;
        let read = log.read_by(access, from, max_bytes, isolation, at_least_one);
        if log.has_lying_index(from) {
            self.note_moved();
        }
        if let Err(error @ Error::Corrupt { .. }) = &read
            && self.unreadable.swap(from, Ordering::Relaxed) != from
        {
            let name = &self.topic_partition;
            tracing::error!("{name} cannot be read at offset {from}: {error}");
        }
        let read = self.dir().observe(read)?;
        Ok(Fetched { read, offsets, diverging: None })
    }

    /// Whether `follower` may fetch. No other broker is a replica of what we lead yet, so the
    /// answer is Kafka's for a replica that is not assigned (Partition.followerReplicaOrThrow).
    pub fn check_follower(&self, follower: BrokerId, asked: &Asked) -> Result<()> {
        self.check_leader(asked.current_leader_epoch)?;
        let state = self.state();
        if follower != self.broker_id && state.replicas.contains(&follower) {
            return Ok(());
        }
        Err(Error::Code(if asked.current_leader_epoch == NO_EPOCH {
            ResponseError::NotLeaderOrFollower
        } else {
            ResponseError::UnknownLeaderEpoch
        }))
    }

    /// Resolves when the high watermark reaches `offset` and, under `flush.messages`, the records
    /// are on the disk. REQUEST_TIMED_OUT after `timeout_ms`, NOT_ENOUGH_REPLICAS_AFTER_APPEND if
    /// the ISR shrank meanwhile, NOT_LEADER_OR_FOLLOWER if leadership goes.
    pub async fn wait_for_high_watermark(
        self: &Arc<Self>,
        offset: Offset,
        timeout_ms: i32,
    ) -> Result<()> {
        self.flush_if_due(offset).await?;
        if let Some(mut wait) = self.begin_wait(offset)? {
            let limit = Duration::from_millis(timeout_ms.max(0) as u64);
            match tokio::time::timeout(limit, wait.reached()).await {
                Ok(outcome) => outcome?,
                Err(_) => return Err(Error::Code(ResponseError::RequestTimedOut)),
            }
        }
        if !self.state().has_min_isr(&self.config()) {
            return Err(Error::Code(ResponseError::NotEnoughReplicasAfterAppend));
        }
        Ok(())
    }

    /// None if the high watermark is there already. Registers before it looks, so that no move
    /// falls between.
    fn begin_wait(&self, offset: Offset) -> Result<Option<OffsetWait<'_>>> {
        let wait = self.waiters.wait_for(offset);
        self.check_leader(NO_EPOCH)?;
        let reached = self.log()?.high_watermark() >= offset;
        Ok((!reached).then_some(wait))
    }

    /// Waits until everything below `offset` is on the disk, if the topic's `flush.messages` says
    /// that so much may not stay unflushed. One flush serves all that wait for it.
    pub async fn flush_if_due(self: &Arc<Self>, offset: Offset) -> Result<()> {
        let interval = self.config().flush_messages;
        let is_due = |log: &Log| {
            log.recovery_point() < offset && log.log_end_offset() - log.recovery_point() >= interval
        };
        // Kafka's default is "never"; it must not cost a lock.
        if interval == i64::MAX || !is_due(&*self.log()?) {
            return Ok(());
        }
        let _turn = self.flushing.lock().await;
        if !is_due(&*self.log()?) {
            return Ok(());
        }
        let dir = self.dir.load_full();
        let _turn_of_dir = dir.flush_turn().await;
        let partition = Arc::clone(self);
        let flush = tokio::task::spawn_blocking(move || partition.flush());
        flush.await.unwrap_or(Err(Error::Closed))
    }

    /// fsyncs the log up to its end, while others append.
    pub fn flush(&self) -> Result<()> {
        let (dir, begun) = {
            let log = self.log()?;
            (self.dir.load_full(), log.begin_flush())
        };
        if let Some(flush) = dir.observe(begun)? {
            let run = flush.run();
            dir.observe(self.log()?.conclude_flush(&flush, run))?;
        }
        Ok(())
    }

    /// fsyncs the log if the topic's `flush.ms` has passed since the last time.
    pub(super) fn flush_if_late(&self, now: Timestamp) -> Result<()> {
        let config = self.config();
        if now - self.last_flush.load(Ordering::Relaxed) < config.flush_ms {
            return Ok(());
        }
        self.last_flush.store(now, Ordering::Relaxed);
        let is_behind = {
            let log = self.log()?;
            log.recovery_point() < log.log_end_offset()
        };
        if is_behind { self.flush() } else { Ok(()) }
    }

    /// Where a record lies by time or name (Partition.fetchOffsetForTimestamp). `isolation` is
    /// `LogEnd` for whoever is not a consumer. OFFSET_NOT_AVAILABLE while a new leader's high
    /// watermark is behind the start of its epoch; None if there is no such record.
    pub fn offset_for(
        &self,
        spec: OffsetSpec,
        isolation: Isolation,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<Option<TimestampOffset>> {
        let state = self.state();
        state.check_leader(current_leader_epoch)?;
        let leader_epoch = state.leader_epoch;
        let log = self.log()?;
        let offsets = offsets_of(&log);
        let is_lagging =
            isolation != Isolation::LogEnd && state.epoch_start() > offsets.high_watermark;
        drop(state);
        let not_available = || Err(Error::Code(ResponseError::OffsetNotAvailable));
        let found = match spec {
            OffsetSpec::Earliest => {
                let (offset, leader_epoch) = (offsets.log_start, log.epoch_at(offsets.log_start));
                return Ok(Some(TimestampOffset { timestamp: -1, offset, leader_epoch }));
            }
            OffsetSpec::Latest if is_lagging => return not_available(),
            OffsetSpec::Latest => {
                let offset = offsets.end(isolation);
                return Ok(Some(TimestampOffset { timestamp: -1, offset, leader_epoch }));
            }
            OffsetSpec::MaxTimestamp => self.dir().observe(log.offset_of_max_timestamp())?,
            OffsetSpec::At(timestamp) => self.dir().observe(log.offset_for_timestamp(timestamp))?,
        };
        match found {
            Some(found) if found.offset < offsets.end(isolation) => Ok(Some(found)),
            _ if is_lagging => not_available(),
            _ => Ok(None),
        }
    }

    /// Where the greatest epoch <= `epoch` ends: (that epoch, its end); None if unknown.
    pub fn end_offset_for_epoch(
        &self,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>> {
        let state = self.state();
        state.check_leader(current_leader_epoch)?;
        let log = self.log()?;
        Ok(log.end_offset_for_epoch(epoch))
    }

    /// Moves the log start up to `offset` (-1: the high watermark), and answers the low watermark.
    /// POLICY_VIOLATION for a topic that is only compacted, OFFSET_OUT_OF_RANGE above the high
    /// watermark.
    pub fn delete_records(&self, offset: Offset) -> Result<Offset> {
        let state = self.state();
        state.check_leader(NO_EPOCH)?;
        let mut log = self.log()?;
        if log.config().compact && !log.config().delete {
            return Err(Error::Code(ResponseError::PolicyViolation));
        }
        let high_watermark = log.high_watermark();
        let offset = if offset == -1 { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            return Err(Error::Code(ResponseError::OffsetOutOfRange));
        }
        if offset > log.log_start_offset() {
            self.dir().observe(log.advance_log_start(offset))?;
        }
        let low_watermark = log.log_start_offset();
        drop(log);
        drop(state);
        self.waiters.moved(high_watermark);
        Ok(low_watermark)
    }

    /// The idempotent and transactional producers that the log knows.
    pub fn active_producers(&self) -> Result<Vec<ActiveProducer>> {
        Ok(self.log()?.active_producers())
    }

    /// From now on every move marks `slot` of `watch`; ends with `unwatch`.
    pub(super) fn watch(&self, watch: &Arc<Watch>, slot: usize) -> WatchId {
        self.waiters.watch(watch, slot)
    }

    /// Ends what `watch` began.
    pub(super) fn unwatch(&self, id: WatchId) {
        self.waiters.unwatch(id);
    }

    /// How many produces and fetches wait.
    #[cfg(test)]
    pub(super) fn waiter_count(&self) -> (usize, usize) {
        self.waiters.count()
    }

    /// Ends every wait: produces get `error`, fetches look anew.
    pub(super) fn fail_waiters(&self, error: ResponseError) {
        self.waiters.fail(error);
    }

    /// The topic's settings changed.
    pub(super) fn set_config(&self, config: Arc<TopicConfig>) -> Result<()> {
        self.log()?.set_config(Arc::clone(&config));
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Takes the role that the metadata log gives (Partition.makeLeader, makeFollower). A leader
    /// notes where its epoch begins before anything is appended in it. What an older partition
    /// epoch says is skipped.
    pub(super) fn apply(&self, registration: &metadata::Partition) -> Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if registration.partition_epoch < state.partition_epoch {
            return Ok(());
        }
        let leads = registration.leader == self.broker_id;
        let mut log = self.log()?;
        let epoch_start = match &state.role {
            Role::Leader { epoch_start, .. } if registration.leader_epoch <= state.leader_epoch => {
                *epoch_start
            }
            _ => log.log_end_offset(),
        };
        if leads && registration.leader_epoch > state.leader_epoch {
            self.dir().observe(log.assign_epoch_start(registration.leader_epoch))?;
        }
        *state = State {
            leader_epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            replicas: registration.replicas.clone(),
            role: if leads {
                Role::Leader { isr: registration.isr.clone(), epoch_start }
            } else {
                Role::Follower
            },
        };
        let high_watermark = self.advance_high_watermark(&state, &mut log);
        self.note_moved();
        drop(log);
        drop(state);
        if leads {
            self.waiters.moved(high_watermark);
        } else {
            self.waiters.fail(ResponseError::NotLeaderOrFollower);
        }
        Ok(())
    }

    /// Retention, and the roll by time; answers how many segments went.
    pub(super) fn clean_up(&self, now: Timestamp) -> Result<usize> {
        self.remove_trash(now)?;
        let mut log = self.log()?;
        let deleted = self.dir().observe(log.clean_up(now))?;
        let high_watermark = log.high_watermark();
        drop(log);
        if deleted > 0 {
            // Whoever reads learns of the new log start offset.
            self.waiters.moved(high_watermark);
        }
        Ok(deleted)
    }

    /// Forgets silent producers.
    pub(super) fn expire_producers(&self, now: Timestamp) -> Result<()> {
        self.log()?.expire_producers(now);
        Ok(())
    }

    /// Removes the files of deleted segments at once.
    pub(super) fn empty_trash(&self) -> Result<()> {
        self.remove_trash(Timestamp::MAX)
    }

    fn remove_trash(&self, now: Timestamp) -> Result<()> {
        let remove = self.log()?.take_trash(now);
        self.dir().observe(remove())
    }

    /// The topic was deleted: ends every wait, and lets `logs` take the log away.
    pub(super) fn delete(&self, logs: &LogManager, now: Timestamp) -> Result<()> {
        self.waiters.fail(ResponseError::UnknownTopicOrPartition);
        let log = self.log()?;
        self.is_closed.store(true, Ordering::Relaxed);
        self.dir().observe(logs.delete_log(&log, now))
    }

    /// Flushes and closes the log; the partition serves nothing any more.
    pub(super) fn close(&self) -> Result<()> {
        self.waiters.fail(ResponseError::NotLeaderOrFollower);
        let mut log = self.log()?;
        self.is_closed.store(true, Ordering::Relaxed);
        self.dir().observe(log.close())
    }

    /// Sets the high watermark to what all in-sync replicas have, and answers it.
    fn advance_high_watermark(&self, state: &State, log: &mut Log) -> Offset {
        let current = log.high_watermark();
        if let Role::Leader { isr, .. } = &state.role
            && state.has_min_isr(log.config())
        {
            let log_end = log.log_end_offset();
            // Of a follower that has not fetched we know no more than the high watermark.
            let end_of = |id: &BrokerId| if *id == self.broker_id { log_end } else { current };
            let reached = isr.iter().map(end_of).min().unwrap_or(current);
            if reached > current {
                log.set_high_watermark(reached);
            }
        }
        log.high_watermark()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // The state is replaced in one assignment, so it is whole even after a panic.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The point from which the asker's history is not ours (KIP-595), if there is one.
fn divergence(log: &Log, asked: &Asked) -> Result<Option<(LeaderEpoch, Offset)>> {
    let Some((epoch, end)) = log.end_offset_for_epoch(asked.last_fetched_epoch) else {
        return Err(Error::Code(ResponseError::OffsetOutOfRange));
    };
    if asked.fetch_offset < log.log_start_offset() {
        return Err(Error::Code(ResponseError::OffsetOutOfRange));
    }
    let diverges = epoch < asked.last_fetched_epoch || end < asked.fetch_offset;
    Ok(diverges.then_some((epoch, end)))
}

fn offsets_of(log: &Log) -> Offsets {
    Offsets {
        log_start: log.log_start_offset(),
        log_end: log.log_end_offset(),
        high_watermark: log.high_watermark(),
        last_stable: log.last_stable_offset(),
    }
}
