//! A fetcher: which partitions it copies from one leader, what it asks next, and what an answer
//! does (AbstractFetcherThread, RemoteLeaderEndPoint). Nothing here waits, and the time is an
//! argument; `thread.rs` carries requests and answers.
//!
//! The log alone knows where it ends, so the next fetch is made from it and not from a copy here.
//! A request costs as many partitions as have changed since the last one, not all.

use super::session::{Asked, LeaderSession};
use crate::clock::Clock;
use crate::codec::messages::fetch_request::ReplicaState;
use crate::codec::messages::fetch_response::PartitionData;
use crate::codec::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use crate::config::LiveConfig;
use crate::error::{Error, Result};
use crate::replica::partition::{FromLeader, Partition, Position};
use crate::replica::quota::Quota;
use crate::types::{BrokerId, LeaderEpoch, TopicIdPartition};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the partitions without news are looked at, because retention moves the start of a log.
const SWEEP: Duration = Duration::from_secs(1);
/// The first pause before a partition is asked for again whose leader does not know yet that it is
/// one. Each further pause is twice as long, up to `replica.fetch.backoff.ms`. Until this replica
/// has asked, nothing can be committed in its ISR, so the whole back-off would be seen by producers.
const NOT_YET: Duration = Duration::from_millis(5);

/// What the leader is to be asked next.
#[derive(Debug)]
pub(in crate::replica) enum Ask {
    Fetch(Box<FetchRequest>),
    Offsets(Box<ListOffsetsRequest>),
    /// Nothing before this moment, unless a partition is added; None: not before that.
    Nothing(Option<Instant>),
}

/// What the leader has answered.
#[derive(Debug)]
pub(in crate::replica) enum Answer {
    Fetch(Box<FetchResponse>),
    Offsets(Box<ListOffsetsResponse>),
}

/// A partition that is copied.
#[derive(Debug)]
pub(super) struct Copied {
    pub partition: Arc<Partition>,
    /// The epoch in which the leader leads.
    pub epoch: LeaderEpoch,
    pub phase: Phase,
    /// It is left alone until its entry in `delayed` is due.
    pub is_delayed: bool,
    /// How often in a row the leader has said that it does not lead the partition in this epoch.
    not_yet: u32,
    /// It had everything that the leader had committed when it was last answered.
    pub is_in_sync: bool,
}

/// How the partition goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Fetching,
    /// The leader does not have the offset that was asked for: where does its log end?
    Latest,
    /// It ends behind ours: where does it begin?
    Earliest,
}

/// The state of a fetcher.
#[derive(Debug)]
pub(in crate::replica) struct Fetcher {
    pub(super) leader: BrokerId,
    config: LiveConfig,
    clock: Clock,
    quota: Arc<Quota>,
    pub(super) partitions: BTreeMap<TopicIdPartition, Copied>,
    session: LeaderSession,
    /// Partitions for which the session may not fit any more.
    pub(super) changed: BTreeSet<TopicIdPartition>,
    /// Partitions of which the leader's offsets are asked.
    pub(super) astray: BTreeSet<TopicIdPartition>,
    /// When the delay of a partition ends.
    delayed: BTreeSet<(Instant, TopicIdPartition)>,
    /// The leader could not be asked, and is left alone until then.
    rests_until: Option<Instant>,
    is_cut_off: bool,
    swept: Option<Instant>,
    /// A log was truncated, so the checkpoints must be written before the next append.
    has_truncated: bool,
}

impl Fetcher {
    /// Of `leader`, without partitions so far.
    pub fn new(leader: BrokerId, config: LiveConfig, clock: Clock, quota: Arc<Quota>) -> Fetcher {
        Fetcher {
            leader,
            config,
            clock,
            quota,
            partitions: BTreeMap::new(),
            session: LeaderSession::default(),
            changed: BTreeSet::new(),
            astray: BTreeSet::new(),
            delayed: BTreeSet::new(),
            rests_until: None,
            is_cut_off: false,
            swept: None,
            has_truncated: false,
        }
    }

    /// Copies a partition from now on, led in `epoch`. Nothing changes if it already is.
    pub fn follow(&mut self, partition: Arc<Partition>, epoch: LeaderEpoch) {
        let id = partition.id();
        if self.partitions.get(&id).is_some_and(|known| known.epoch == epoch) {
            return;
        }
        let copied = Copied {
            partition,
            epoch,
            phase: Phase::Fetching,
            is_delayed: false,
            not_yet: 0,
            is_in_sync: false,
        };
        self.partitions.insert(id, copied);
        self.astray.remove(&id);
        self.changed.insert(id);
    }

    /// Copies a partition no more.
    pub fn unfollow(&mut self, id: TopicIdPartition) {
        self.partitions.remove(&id);
        self.astray.remove(&id);
        self.changed.insert(id);
    }

    /// Takes out all partitions, each with the epoch of its leader.
    pub fn take_all(&mut self) -> Vec<(Arc<Partition>, LeaderEpoch)> {
        self.astray.clear();
        self.changed.extend(self.partitions.keys());
        let all = std::mem::take(&mut self.partitions).into_values();
        all.map(|copied| (copied.partition, copied.epoch)).collect()
    }

    pub(super) fn node_id(&self) -> BrokerId {
        self.config.get().node_id
    }

    /// Whether it copies nothing.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// What to ask next. `broker_epoch` is that of this broker.
    pub fn next(&mut self, now: Instant, broker_epoch: i64) -> Ask {
        if self.rests_until.is_some_and(|until| until > now) {
            return Ask::Nothing(self.rests_until);
        }
        self.rests_until = None;
        while let Some((until, id)) = self.delayed.first().copied()
            && until <= now
        {
            self.delayed.pop_first();
            if let Some(copied) = self.partitions.get_mut(&id) {
                copied.is_delayed = false;
                self.changed.insert(id);
            }
        }
        if let Some(request) = self.ask_offsets() {
            return Ask::Offsets(Box::new(request));
        }
        self.renew_session(now);
        if self.session.is_idle() {
            let held = self.quota.has_limit().then(|| now + backoff(&self.config));
            let delayed = self.delayed.first().map(|(until, _)| *until);
            return Ask::Nothing(delayed.into_iter().chain(held).min());
        }
        Ask::Fetch(Box::new(self.fetch_request(now, broker_epoch)))
    }

    /// Brings the session up to date with the partitions.
    fn renew_session(&mut self, now: Instant) {
        let is_sweep_due = self.swept.is_none_or(|swept| now - swept >= SWEEP);
        if self.session.is_new() {
            self.session.clear();
        }
        // What is held back changes with the rate.
        let has_limit = self.quota.has_limit();
        let is_exceeded = has_limit && self.quota.is_exceeded(now);
        if self.session.is_new() || is_sweep_due || has_limit {
            self.swept = Some(now);
            self.changed.extend(self.partitions.keys());
        }
        let max_bytes = self.config.get().replica_fetch_max_bytes;
        for id in std::mem::take(&mut self.changed) {
            let copied = self.partitions.get(&id);
            let is_held = |copied: &Copied| {
                is_exceeded && !copied.is_in_sync && self.quota.is_for(&copied.partition)
            };
            let ready = copied.filter(|copied| {
                copied.phase == Phase::Fetching && !copied.is_delayed && !is_held(copied)
            });
            let asked = match ready.map(|copied| (copied.epoch, copied.partition.position())) {
                Some((epoch, Ok(position))) => Some(Asked { epoch, position, max_bytes }),
                Some((_, Err(error))) => {
                    self.failed_here(id, &error, now);
                    None
                }
                None => None,
            };
            self.session.set(id, asked);
        }
    }

    fn fetch_request(&mut self, now: Instant, broker_epoch: i64) -> FetchRequest {
        let (topics, forgotten) = self.session.take_news();
        let config = self.config.get();
        // The leader must not hold the answer until a partition is late.
        let due = self.delayed.first().map(|(until, _)| (*until - now).as_millis() as i32);
        let max_wait = config.replica_fetch_wait_max_ms;
        let us = ReplicaState::default()
            .with_replica_id(config.node_id.into())
            .with_replica_epoch(broker_epoch);
        FetchRequest::default()
            .with_replica_state(us)
            .with_max_wait_ms(due.map_or(max_wait, |due| max_wait.min(due)))
            .with_min_bytes(config.replica_fetch_min_bytes)
            .with_max_bytes(config.replica_fetch_response_max_bytes)
            .with_session_id(self.session.id)
            .with_session_epoch(self.session.epoch)
            .with_topics(topics)
            .with_forgotten_topics_data(forgotten)
    }

    /// Takes in what came of the last question; an error if it could not be asked or was not
    /// answered.
    pub fn take_in(&mut self, answer: Result<Answer>, now: Instant) {
        match answer {
            Ok(Answer::Fetch(response)) => self.fetched(*response, now),
            Ok(Answer::Offsets(response)) => self.told_offsets(*response, now),
            Err(error) => self.unanswered(&error, now),
        }
    }

    fn fetched(&mut self, response: FetchResponse, now: Instant) {
        self.was_answered();
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            let was_new = self.session.is_new();
            self.session.restart(error != ResponseError::FetchSessionIdNotFound);
            let is_of_session = matches!(
                error,
                ResponseError::FetchSessionIdNotFound | ResponseError::InvalidFetchSessionEpoch
            );
            if was_new || !is_of_session {
                tracing::warn!("broker {} refuses to be copied from: {error}", self.leader);
                self.rest(now);
            }
            return;
        }
        if !self.session.accept(&response) {
            tracing::debug!("broker {} has answered what it was not asked", self.leader);
            return;
        }
        for topic in response.responses {
            for data in topic.partitions {
                let (topic_id, partition) = (topic.topic_id, data.partition_index);
                self.partition_fetched(TopicIdPartition { topic_id, partition }, data, now);
            }
        }
    }

    fn partition_fetched(&mut self, id: TopicIdPartition, data: PartitionData, now: Instant) {
        // The partition may have got another leader or epoch since it was asked for.
        let (Some(asked), Some(copied)) = (self.session.asked(&id), self.partitions.get_mut(&id))
        else {
            return;
        };
        if copied.epoch != asked.epoch || copied.phase != Phase::Fetching || copied.is_delayed {
            return;
        }
        if let Some(error) = ResponseError::try_from_code(data.error_code) {
            self.refused(id, error, now);
            return;
        }
        copied.not_yet = 0;
        let partition = Arc::clone(&copied.partition);
        let diverging = &data.diverging_epoch;
        let done = if diverging.epoch >= 0 {
            let leaders = (diverging.epoch, diverging.end_offset);
            partition.truncate_to_shared(asked.epoch, leaders)
        } else {
            let records = data.records.unwrap_or_default();
            if self.quota.is_for(&partition) {
                self.quota.record(records.len(), now);
            }
            let sent = FromLeader {
                from: asked.position.offset,
                records,
                high_watermark: data.high_watermark,
                log_start: data.log_start_offset,
            };
            let appended = partition.append_from_leader(asked.epoch, sent, self.clock.now());
            if let (Ok(position), Some(copied)) = (&appended, self.partitions.get_mut(&id)) {
                copied.is_in_sync = position.offset >= data.high_watermark;
            }
            appended
        };
        self.done(id, asked.position, done, now);
    }

    /// Notes the outcome of a change of the log.
    pub(super) fn done(
        &mut self,
        id: TopicIdPartition,
        before: Position,
        done: Result<Position>,
        now: Instant,
    ) {
        self.changed.insert(id);
        match done {
            Ok(after) => self.has_truncated |= after.truncations != before.truncations,
            Err(error) => self.failed_here(id, &error, now),
        }
    }

    /// The leader refuses a partition.
    pub(super) fn refused(&mut self, id: TopicIdPartition, error: ResponseError, now: Instant) {
        let Some(copied) = self.partitions.get_mut(&id) else { return };
        let (name, leader) = (copied.partition.topic_partition(), self.leader);
        match error {
            ResponseError::OffsetOutOfRange => {
                copied.phase = Phase::Latest;
                self.astray.insert(id);
                self.changed.insert(id);
            }
            ResponseError::FencedLeaderEpoch => {
                let epoch = copied.epoch;
                tracing::info!(
                    "{name} is not copied until the metadata has a later epoch than {epoch}, as \
                     broker {leader} has"
                );
                self.unfollow(id);
            }
            // As expected while a topic is created, moved or deleted.
            ResponseError::UnknownLeaderEpoch
            | ResponseError::NotLeaderOrFollower
            | ResponseError::UnknownTopicId
            | ResponseError::UnknownTopicOrPartition => {
                tracing::debug!("{name} cannot be copied from broker {leader} yet: {error}");
                let pause = NOT_YET.saturating_mul(2_u32.saturating_pow(copied.not_yet));
                copied.not_yet += 1;
                self.delay_for(id, pause.min(backoff(&self.config)), now);
            }
            _ => {
                tracing::warn!("{name} cannot be copied from broker {leader}: {error}");
                self.delay(id, now);
            }
        }
    }

    /// Our own log fails. A disk error ends the copying of the partition: its directory is offline.
    fn failed_here(&mut self, id: TopicIdPartition, error: &Error, now: Instant) {
        let Some(copied) = self.partitions.get(&id) else { return };
        let name = copied.partition.topic_partition();
        match error.code() {
            // It has been given another epoch or was closed, and whoever did that goes on.
            ResponseError::FencedLeaderEpoch | ResponseError::NotLeaderOrFollower => {
                self.unfollow(id);
            }
            _ if copied.partition.dir().is_offline() => {
                tracing::error!("{name} is not copied any more: {error}");
                self.unfollow(id);
            }
            // The directory has told of it.
            _ if copied.partition.dir().is_full() => self.delay(id, now),
            _ => {
                tracing::error!("{name}: what broker {} sent is not used: {error}", self.leader);
                self.delay(id, now);
            }
        }
    }

    /// Leaves a partition alone for `replica.fetch.backoff.ms`.
    pub(super) fn delay(&mut self, id: TopicIdPartition, now: Instant) {
        self.delay_for(id, backoff(&self.config), now);
    }

    fn delay_for(&mut self, id: TopicIdPartition, pause: Duration, now: Instant) {
        if let Some(copied) = self.partitions.get_mut(&id) {
            copied.is_delayed = true;
            self.delayed.insert((now + pause, id));
            self.changed.insert(id);
        }
    }

    fn unanswered(&mut self, error: &Error, now: Instant) {
        if !std::mem::replace(&mut self.is_cut_off, true) {
            tracing::warn!("broker {} cannot be copied from: {error}", self.leader);
        }
        self.session.restart(true);
        self.rest(now);
    }

    pub(super) fn was_answered(&mut self) {
        if std::mem::take(&mut self.is_cut_off) {
            tracing::info!("broker {} can be copied from again", self.leader);
        }
    }

    fn rest(&mut self, now: Instant) {
        self.rests_until = Some(now + backoff(&self.config));
    }

    /// Whether a log was truncated since the last call.
    pub fn take_truncated(&mut self) -> bool {
        std::mem::take(&mut self.has_truncated)
    }
}

fn backoff(config: &LiveConfig) -> Duration {
    Duration::from_millis(config.get().replica_fetch_backoff_ms.max(0) as u64)
}
