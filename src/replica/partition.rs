//! A partition: its log behind one lock, its role, its high watermark and its waiters.

mod append;
mod common;
mod delete;
mod follow;
mod follower;
mod isr;
mod isr_changes;
mod lead;
mod nearest;
mod settle;
mod state;
mod wait;

use super::purgatory::{Line, Waiters, Watch, WatchId};
use crate::config::TopicConfig;
use crate::disk::Access;
use crate::error::{Error, Result};
use crate::log::manager::{LogDir, LogManager};
use crate::log::{ActiveProducer, Log, Read, TimestampOffset};
use crate::metadata;
use crate::sync::{read, write};
use crate::types::{
    BrokerId, Isolation, LeaderEpoch, NO_EPOCH, Offset, Timestamp, TopicIdPartition, TopicPartition,
};
pub use append::Append;
use arc_swap::{ArcSwap, Guard};
pub(super) use common::Common;
pub use delete::Deleted;
pub(super) use follow::{FromLeader, Position};
pub use isr::{IsrChange, IsrCommitted};
pub(super) use isr_changes::Asked;
use kafka_protocol::error::ResponseError;
pub use lead::FetchingReplica;
pub use nearest::Location;
pub(super) use settle::Unsettled;
use state::{PartitionState, Role};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, Weak};
use uuid::Uuid;

/// A partition on this broker (Partition.scala). Locks are taken in the order state, log, waiters.
#[derive(Debug)]
pub struct Partition {
    this: Weak<Partition>,
    topic_partition: TopicPartition,
    topic_id: Uuid,
    common: Arc<Common>,
    /// Changes only under the log's lock.
    dir: ArcSwap<LogDir>,
    config: RwLock<Arc<TopicConfig>>,
    state: RwLock<PartitionState>,
    log: Arc<Mutex<Log>>,
    /// The log was deleted or closed; set under the log's lock.
    is_closed: AtomicBool,
    /// `settle` has work here, or has to check; changes only under the log's lock.
    is_unsettled: AtomicBool,
    waiters: Waiters,
    flushing: tokio::sync::Mutex<()>,
    last_flush: AtomicI64,
    /// Offset of the last fetch that met unreadable bytes, initially -1. The fetcher will retry for
    /// ever, but it is logged once.
    unreadable: AtomicI64,
}

/// A partition's offsets, all taken at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset that can be read.
    pub log_start: Offset,
    /// The offset after the last record.
    pub log_end: Offset,
    /// All in-sync replicas have the records below this offset.
    pub high_watermark: Offset,
    /// No transaction below this offset is open.
    pub last_stable: Offset,
}

impl Offsets {
    /// The end of the records that `isolation` allows to be read.
    pub fn end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::LogEnd => self.log_end,
            Isolation::HighWatermark => self.high_watermark,
            Isolation::Committed => self.last_stable,
        }
    }
}

/// What a fetch asks of one partition (FetchRequest.PartitionData).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionFetch {
    /// The offset to begin at.
    pub fetch_offset: Offset,
    /// The most bytes to return for this partition.
    pub max_bytes: usize,
    /// The epoch in which the fetcher believes the leader to be, -1 if unknown.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record that the fetcher has, -1 if unknown.
    pub last_fetched_epoch: LeaderEpoch,
    /// The start of the fetcher's own log, -1 unless it is a follower.
    pub log_start: Offset,
}

/// Who reads with a fetch, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    /// What may be done to get at the data.
    pub access: Access,
    /// How far it may read.
    pub isolation: Isolation,
    /// Whether it reads only from the leader. Consumers since Fetch version 11 also read from
    /// followers (KIP-392).
    pub only_leader: bool,
    /// Where a consumer is that wants to read from the nearest replica.
    pub location: Option<&'a Location>,
}

/// The result of fetching one partition.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// What was found at the offset asked for.
    pub read: Read,
    /// The offsets at the time of the read.
    pub offsets: Offsets,
    /// Set if the histories diverge: the largest epoch in common, and where it ends here.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Set if the consumer should read from this replica instead (KIP-392).
    pub preferred: Option<BrokerId>,
    /// It counts against the rate at which replicas are copied from this broker.
    pub is_throttled: bool,
}

/// A timestamp to look up with ListOffsets, or one of its special values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset (-2; also -4, because nothing is tiered).
    Earliest,
    /// The end of the records that the client can read (-1).
    Latest,
    /// The record with the largest timestamp (-3).
    MaxTimestamp,
    /// The first record with at least this timestamp.
    At(Timestamp),
}

impl Partition {
    /// A partition around its open log. Its leader is not known yet.
    pub(super) fn new(
        topic_partition: TopicPartition,
        topic_id: Uuid,
        log: Log,
        dir: Arc<LogDir>,
        common: &Arc<Common>,
    ) -> Arc<Partition> {
        let partition = Arc::new_cyclic(|this| Partition {
            this: Weak::clone(this),
            topic_partition,
            topic_id,
            common: Arc::clone(common),
            dir: ArcSwap::from(dir),
            config: RwLock::new(Arc::clone(log.config())),
            state: RwLock::new(PartitionState::unknown()),
            log: Arc::new(Mutex::new(log)),
            is_closed: AtomicBool::new(false),
            is_unsettled: AtomicBool::new(false),
            waiters: Waiters::default(),
            flushing: tokio::sync::Mutex::new(()),
            last_flush: AtomicI64::new(0),
            unreadable: AtomicI64::new(-1),
        });
        partition.note_moved();
        partition
    }

    /// The name of the topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic_partition.topic
    }

    /// The id of the topic.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Its number in the topic, from 0.
    pub fn index(&self) -> i32 {
        self.topic_partition.partition
    }

    /// The partition by name, as its log directory is called.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The partition by topic id.
    pub fn id(&self) -> TopicIdPartition {
        TopicIdPartition { topic_id: self.topic_id, partition: self.index() }
    }

    /// The latest leader epoch in the metadata log.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.state().leader_epoch
    }

    /// The leader that the metadata log names, if there is one, and its epoch.
    pub fn leader(&self) -> (Option<BrokerId>, LeaderEpoch) {
        let state = self.state();
        let leader = match state.role {
            Role::Leader { .. } => Some(self.common.broker_id),
            Role::Follower { leader, .. } => leader,
        };
        (leader, state.leader_epoch)
    }

    /// The log directory that holds the log.
    pub fn dir(&self) -> Guard<Arc<LogDir>> {
        self.dir.load()
    }

    /// The topic's effective settings.
    pub fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&read(&self.config))
    }

    /// Locks the log. The lock is never held across an await or slow I/O. KAFKA_STORAGE_ERROR if
    /// the directory is offline, or if a panic may have left the log inconsistent;
    /// NOT_LEADER_OR_FOLLOWER if the log was deleted or closed.
    pub fn log(&self) -> Result<MutexGuard<'_, Log>> {
        self.dir().check()?;
        let log = self.log.lock().map_err(|_| Error::Code(ResponseError::KafkaStorageError))?;
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::Code(ResponseError::NotLeaderOrFollower));
        }
        Ok(log)
    }

    /// The log with its lock, for the checkpoints.
    pub(super) fn shared_log(&self) -> Arc<Mutex<Log>> {
        Arc::clone(&self.log)
    }

    /// Where the log begins and ends now, and what is committed.
    pub fn offsets(&self) -> Result<Offsets> {
        Ok(offsets_of(&*self.log()?))
    }

    /// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH unless this broker leads
    /// in `epoch` (-1: any epoch).
    pub fn check_leader(&self, epoch: LeaderEpoch) -> Result<()> {
        self.state().check_leader(epoch)
    }

    /// Reads in any role. With `at_least_one`, the first batch may exceed `max_bytes`.
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

    /// Reads for a Fetch request: checks epochs and reports a diverging history.
    pub fn fetch(
        &self,
        reader: Reader<'_>,
        asked: &PartitionFetch,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Fetched> {
        let state = self.state();
        if reader.only_leader {
            state.check_leader(asked.current_leader_epoch)?;
        } else {
            state.check_epoch(asked.current_leader_epoch)?;
        }
        let log = self.log()?;
        let offsets = offsets_of(&log);
        if let Some(location) = reader.location
            && let preferred @ Some(_) = self.nearest(&state, &log, location, asked.fetch_offset)
        {
            return Ok(Fetched { offsets, preferred, ..Fetched::default() });
        }
        if asked.last_fetched_epoch != NO_EPOCH
            && let Some(diverging) = divergence(&log, asked)?
        {
            return Ok(Fetched { offsets, diverging: Some(diverging), ..Fetched::default() });
        }
        drop(state);
        let max_bytes = max_bytes.min(asked.max_bytes);
        let from = asked.fetch_offset;
        let Reader { access, isolation, .. } = reader;
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
        Ok(Fetched { read, offsets, ..Fetched::default() })
    }

    /// Flushes the log if the topic's `flush.ms` has passed since the last such flush.
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

    /// Looks up an offset (Partition.fetchOffsetForTimestamp); None if there is no such record.
    /// `isolation` is `LogEnd` for clients other than consumers. OFFSET_NOT_AVAILABLE while a new
    /// leader's high watermark is below the start of its epoch.
    pub fn offset_for(
        &self,
        spec: OffsetSpec,
        isolation: Isolation,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<Option<TimestampOffset>> {
        let state = self.state();
        state.check_leader(current_leader_epoch)?;
        self.find_offset(state, spec, isolation)
    }

    /// As `offset_for`, in any role: for debuggers, who see the whole log of each replica.
    pub fn offset_in_any_role(
        &self,
        spec: OffsetSpec,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<Option<TimestampOffset>> {
        let state = self.state();
        state.check_epoch(current_leader_epoch)?;
        self.find_offset(state, spec, Isolation::LogEnd)
    }

    fn find_offset(
        &self,
        state: RwLockReadGuard<'_, PartitionState>,
        spec: OffsetSpec,
        isolation: Isolation,
    ) -> Result<Option<TimestampOffset>> {
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

    /// The largest epoch that is not above `epoch`, and its end; None if unknown.
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

    /// The idempotent and transactional producers that the log knows.
    pub fn active_producers(&self) -> Result<Vec<ActiveProducer>> {
        Ok(self.log()?.active_producers())
    }

    /// Lets every change of the partition mark `slot` of `watch`, until `unwatch`.
    pub(super) fn watch(&self, watch: &Arc<Watch>, slot: usize) -> WatchId {
        self.waiters.watch(watch, slot)
    }

    /// Lets every change of the partition call the first of `line`, until `unwatch`.
    pub fn watch_for(&self, line: &Arc<Line>) -> WatchId {
        self.waiters.watch_for(line)
    }

    /// Ends a registration.
    pub fn unwatch(&self, id: WatchId) {
        self.waiters.unwatch(id);
    }

    /// The numbers of waiting produces and of waiting fetches.
    #[cfg(test)]
    pub(super) fn waiter_count(&self) -> (usize, usize) {
        self.waiters.count()
    }

    /// Ends every wait: produces fail with `error`, fetches look again.
    pub(super) fn fail_waiters(&self, error: ResponseError) {
        self.waiters.fail(error);
    }

    /// Applies changed settings of the topic.
    pub(super) fn set_config(&self, config: Arc<TopicConfig>) -> Result<()> {
        self.log()?.set_config(Arc::clone(&config));
        *write(&self.config) = config;
        Ok(())
    }

    /// Takes the role given by the metadata log (Partition.makeLeader, makeFollower). A new leader
    /// records where its epoch begins before anything is appended. An older partition epoch is
    /// ignored: the controller's answers may be ahead of the metadata log.
    pub(super) fn apply(&self, registration: &metadata::Partition, now: Timestamp) -> Result<()> {
        let mut state = write(&self.state);
        if registration.partition_epoch < state.partition_epoch {
            return Ok(());
        }
        let id = self.common.broker_id;
        let leads = registration.leader == id;
        let mut log = self.log()?;
        if leads && registration.leader_epoch > state.leader_epoch {
            self.dir().observe(log.assign_epoch_start(registration.leader_epoch))?;
        }
        let role = if leads {
            state.lead(id, registration, log.log_end_offset(), now)
        } else {
            state.role.follow(registration.leader, log.high_watermark())
        };
        *state = PartitionState {
            leader_epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            replicas: registration.replicas.clone(),
            role,
        };
        let high_watermark = self.advance_high_watermark(&state, &mut log, now);
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

    /// Applies retention and rolls by age; returns the number of deleted segments.
    pub(super) fn clean_up(&self, now: Timestamp) -> Result<usize> {
        self.remove_trash(now)?;
        let mut log = self.log()?;
        let deleted = self.dir().observe(log.clean_up(now))?;
        let high_watermark = log.high_watermark();
        drop(log);
        if deleted > 0 {
            // Waiting fetches learn the new log start offset.
            self.waiters.moved(high_watermark);
        }
        Ok(deleted)
    }

    /// Forgets producers that were idle for `producer.id.expiration.ms`.
    pub(super) fn expire_producers(&self, now: Timestamp) -> Result<()> {
        self.log()?.expire_producers(now);
        Ok(())
    }

    /// Removes the files of deleted segments without delay.
    pub(super) fn empty_trash(&self) -> Result<()> {
        self.remove_trash(Timestamp::MAX)
    }

    fn remove_trash(&self, now: Timestamp) -> Result<()> {
        let remove = self.log()?.take_trash(now);
        self.dir().observe(remove())
    }

    /// Deletes the log of a deleted topic; ends every wait.
    pub(super) fn delete(&self, logs: &LogManager, now: Timestamp) -> Result<()> {
        self.waiters.fail(ResponseError::UnknownTopicOrPartition);
        let log = self.log()?;
        self.is_closed.store(true, Ordering::Relaxed);
        self.dir().observe(logs.delete_log(&log, now))
    }

    /// Flushes and closes the log; the partition serves no more requests.
    pub(super) fn close(&self) -> Result<()> {
        self.waiters.fail(ResponseError::NotLeaderOrFollower);
        let mut log = self.log()?;
        self.is_closed.store(true, Ordering::Relaxed);
        self.dir().observe(log.close())
    }

    fn state(&self) -> RwLockReadGuard<'_, PartitionState> {
        // Each change of the state is complete when a call can panic.
        read(&self.state)
    }
}

/// Where the fetcher's history diverges from ours, if it does (KIP-595).
fn divergence(log: &Log, asked: &PartitionFetch) -> Result<Option<(LeaderEpoch, Offset)>> {
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
