//! One partition of `__consumer_offsets`: its groups and offsets, as a state machine that takes
//! the time as an argument and does no I/O (GroupCoordinatorShard, GroupMetadataManager).

use super::classic_group::{ClassicGroup, GroupState};
use super::consumer::{ConsumerGroup, TopicHashes};
use super::join::{Join, join_error};
use super::membership::sync_error;
use super::offsets::{Committed, Offsets};
use super::outcome::{Outcome, Parked, Then, Turn};
use super::record::Record;
use super::streams::StreamsGroup;
use super::timers::{Timer, Timers};
use super::{GroupId, RequestContext, Ticket};
use crate::config::{Compression, Config};
use crate::coordinator::state_machine::{Completion, StateMachine};
use crate::error::Result;
use crate::metadata::{BROKER_CONFIG, Image};
use crate::types::{NO_PRODUCER_ID, Offset, ProducerId, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A group, of whatever kind.
#[derive(Debug, PartialEq)]
pub enum Group {
    /// Its members assign their partitions among themselves.
    Classic(Box<ClassicGroup>),
    /// KIP-848. Shared with the operation that looks at it, which ends before it is changed.
    Consumer(Arc<ConsumerGroup>),
    /// KIP-1071.
    Streams(Box<StreamsGroup>),
    /// KIP-932, which this broker only keeps.
    Share(ShareGroup),
}

/// A share group. This broker does not serve it: it is kept as it is.
#[derive(Debug, PartialEq)]
pub struct ShareGroup {
    /// Ids of the members.
    pub members: BTreeSet<String>,
}

/// The state machine.
#[derive(Debug)]
pub struct Shard {
    pub(super) config: Arc<Config>,
    /// The topics that there are.
    pub(super) image: Arc<Image>,
    pub(super) groups: HashMap<GroupId, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    pub(super) random: fastrand::Rng,
    /// Of the topics in `image`.
    pub(super) topic_hashes: TopicHashes,
    /// Offset of the first image, or of a later one that brought topics.
    pub(super) topics_made_at: Offset,
    answers: Vec<(Ticket, Parked)>,
}

impl Shard {
    /// An empty shard; `seed` decides the member ids.
    pub fn new(config: Arc<Config>, seed: u64) -> Shard {
        Shard {
            config,
            image: Arc::default(),
            groups: HashMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            random: fastrand::Rng::with_seed(seed),
            topic_hashes: TopicHashes::default(),
            topics_made_at: -1,
            answers: Vec::new(),
        }
    }

    /// The classic group `id`, with what its operations need.
    pub(super) fn classic(
        &mut self,
        id: &str,
        now: Timestamp,
    ) -> Option<(&mut ClassicGroup, Turn<'_>)> {
        let Group::Classic(group) = self.groups.get_mut(id)? else { return None };
        let turn = Turn {
            now,
            config: &self.config,
            timers: &mut self.timers,
            answers: &mut self.answers,
            random: &mut self.random,
        };
        Some((group, turn))
    }

    /// Answers a request that may have waited.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Parked) {
        self.answers.push((ticket, answer));
    }

    /// A JoinGroup; the answer to `ticket` comes with those of all who waited for it.
    pub fn join(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &JoinGroupRequest,
        ticket: Ticket,
    ) -> Outcome {
        let id = GroupId::from(&**request.group_id);
        let join = Join { cx, request, ticket };
        // An empty group of another kind makes room for a classic one.
        let emptied = match self.groups.get(&id) {
            Some(Group::Consumer(group)) if !group.is_empty() => {
                let group = group.clone();
                return self.join_consumer(now, join, group);
            }
            Some(Group::Consumer(group)) if request.member_id.is_empty() => {
                Some(Record::consumer_group_gone(group, &[]))
            }
            Some(Group::Streams(group)) if group.is_empty() => Some(group.tombstones().into()),
            _ => None,
        };
        let is_new = emptied.is_some() || !self.groups.contains_key(&id);
        let refusal = match self.groups.get(&id) {
            _ if is_new && !request.member_id.is_empty() => {
                Some(join_error(&request.member_id, ResponseError::UnknownMemberId))
            }
            Some(Group::Consumer(_)) if emptied.is_none() => {
                Some(join_error(&request.member_id, ResponseError::UnknownMemberId))
            }
            Some(Group::Share(_) | Group::Streams(_)) if !is_new => {
                Some(join_error("", ResponseError::InconsistentGroupProtocol))
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.answers.push((ticket, Parked::Join(refusal)));
            return Outcome::answer(());
        }
        let mut before = None;
        if is_new {
            self.cancel_timers(&id);
            let group = ClassicGroup::new(id.clone(), now);
            before = self.groups.insert(id.clone(), Group::Classic(Box::new(group))).map(Box::new);
        }
        let (group, mut turn) = self.classic(&id, now).expect("it is there and classic");
        let write = group.join(&mut turn, join);
        if !is_new {
            return Outcome::classic(&id, write, ());
        }
        assert!(write.is_none(), "the first rebalance waits for its timer");
        let mut records = emptied.unwrap_or_default();
        records.push(Record::new_group(group));
        let then = Completion::Then((id, Then::Created(ticket, before)));
        Outcome { records, then, answer: () }
    }

    /// A SyncGroup; answered as JoinGroup is.
    pub fn sync(&mut self, now: Timestamp, request: &SyncGroupRequest, ticket: Ticket) -> Outcome {
        if let Some(Group::Consumer(group)) = self.groups.get(&**request.group_id)
            && !group.is_empty()
        {
            let group = group.clone();
            return self.sync_consumer(now, request, ticket, &group);
        }
        match self.classic(&request.group_id, now) {
            Some((group, mut turn)) if group.state() != GroupState::Empty => {
                let write = group.sync(&mut turn, request, ticket);
                let id = group.id.clone();
                Outcome::classic(&id, write, ())
            }
            _ => {
                let refusal = sync_error(ResponseError::UnknownMemberId);
                self.answers.push((ticket, Parked::Sync(refusal)));
                Outcome::answer(())
            }
        }
    }

    /// A Heartbeat.
    pub fn heartbeat(&mut self, now: Timestamp, request: &HeartbeatRequest) -> Result<Outcome> {
        if let Some(Group::Consumer(group)) = self.groups.get(&**request.group_id) {
            let group = group.clone();
            return self.heartbeat_consumer(now, request, &group);
        }
        let found = self.classic(&request.group_id, now);
        let (group, mut turn) = found.ok_or(ResponseError::UnknownMemberId)?;
        group.heartbeat(&mut turn, request)?;
        Ok(Outcome::answer(()))
    }

    /// A LeaveGroup; UNKNOWN_MEMBER_ID stands for all members if there is no such group.
    pub fn leave(
        &mut self,
        now: Timestamp,
        request: &LeaveGroupRequest,
    ) -> Result<Outcome<Vec<MemberResponse>>> {
        if let Some(Group::Consumer(group)) = self.groups.get(&**request.group_id) {
            let group = group.clone();
            return Ok(self.leave_consumer(now, request, group));
        }
        let found = self.classic(&request.group_id, now);
        let (group, mut turn) = found.ok_or(ResponseError::UnknownMemberId)?;
        let (answers, write) = group.leave(&mut turn, &request.members);
        let id = group.id.clone();
        Ok(Outcome::classic(&id, write, answers))
    }

    /// Starts the session of a member anew, because it committed offsets.
    pub(super) fn keep_alive(&mut self, now: Timestamp, group: &str, member: &str) {
        if let Some((group, mut turn)) = self.classic(group, now) {
            group.keep_alive(&mut turn, member);
        }
    }

    pub(super) fn cancel_timers(&mut self, group: &str) {
        let timers = match self.groups.get(group) {
            Some(Group::Classic(group)) => group.timers(),
            Some(Group::Consumer(group)) => group.timers(),
            Some(Group::Streams(group)) => group.timers(),
            _ => Vec::new(),
        };
        for timer in timers {
            self.timers.cancel(&timer);
        }
    }

    fn set_offset_expiration(&mut self, now: Timestamp) {
        let interval = self.config.offsets_retention_check_interval_ms;
        self.timers.set(Timer::OffsetExpiration, now + interval);
    }

    fn replay_share_member(&mut self, id: &str, member: &str, there: bool) {
        if there {
            self.share(id).members.insert(member.to_owned());
        } else if let Some(Group::Share(share)) = self.groups.get_mut(id) {
            share.members.remove(member);
        }
    }

    /// Tells of the share groups that were loaded: nobody here serves them.
    fn warn_of_share_groups(&self) {
        let (mut groups, mut members) = (0, 0);
        for group in self.groups.values() {
            if let Group::Share(share) = group {
                (groups, members) = (groups + 1, members + share.members.len());
            }
        }
        if groups > 0 {
            tracing::warn!(
                groups,
                members,
                "share groups are in __consumer_offsets, which klamm does not serve yet: their \
                 records are kept untouched, and Apache Kafka finds them as they were"
            );
        }
    }

    fn share(&mut self, id: &str) -> &mut ShareGroup {
        let group = self.groups.entry(GroupId::from(id)).or_insert_with(Group::new_share);
        if !matches!(group, Group::Share(_)) {
            *group = Group::new_share();
        }
        match group {
            Group::Share(share) => share,
            _ => unreachable!("it has just been made one"),
        }
    }
}

impl StateMachine for Shard {
    const NAME: &'static str = "group coordinator";
    type Record = Record;
    type Then = (GroupId, Then);
    type Parked = Parked;

    /// `offsets.topic.compression.codec`, by the codecs' ids and at their default levels.
    fn compression(&self) -> Compression {
        match self.config.offsets_topic_compression_codec {
            1 => Compression::Gzip { level: -1 },
            2 => Compression::Snappy,
            3 => Compression::Lz4 { level: 9 },
            4 => Compression::Zstd { level: 3 },
            _ => Compression::Uncompressed,
        }
    }

    fn encode(record: &Record) -> Result<(Bytes, Option<Bytes>)> {
        record.encode()
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>> {
        Ok(match Record::decode(key, value)? {
            Record::Other { record_type } if !Record::is_known(record_type) => None,
            decoded => Some(decoded),
        })
    }

    fn apply(&mut self, image: &Arc<Image>) {
        let before = std::mem::replace(&mut self.image, image.clone());
        if before.offset == -1 || image.topics.has_new_since(&before.topics) {
            self.topics_made_at = image.offset;
        }
        self.topic_hashes.clear();
        let node = self.config.node_id.to_string();
        let of_brokers = |image: &Image| ["", &node].map(|n| image.configs_of(BROKER_CONFIG, n));
        if of_brokers(&before) != of_brokers(image) {
            self.config = Arc::new(image.broker_config(&self.config).0);
        }
    }

    fn expire(&mut self, now: Timestamp) -> Option<Outcome> {
        let timer = self.timers.take_due(now)?;
        let group = match &timer {
            Timer::OffsetExpiration => {
                self.set_offset_expiration(now);
                return Some(self.expire_offsets(now));
            }
            Timer::Regexes(group) => return Some(self.resolve_regexes(now, group)),
            Timer::FirstAssignment(group) => return Some(self.make_first_assignment(now, group)),
            Timer::Join(group) | Timer::Sync(group) => group.clone(),
            Timer::Session(group, _)
            | Timer::Rebalance(group, _)
            | Timer::MemberJoin(group, _)
            | Timer::MemberSync(group, _) => group.clone(),
        };
        // Of what the group was before it may have become another kind.
        let is_classic = matches!(timer, Timer::Join(_) | Timer::Sync(_));
        match self.groups.get(&group) {
            Some(Group::Consumer(_)) if !is_classic => {
                return Some(self.consumer_timer(now, &timer));
            }
            Some(Group::Streams(_)) if !is_classic => {
                return Some(self.expire_streams_member(&timer));
            }
            _ => {}
        }
        let Some((classic, mut turn)) = self.classic(&group, now) else {
            return Some(Outcome::answer(()));
        };
        let write = match timer {
            Timer::Session(_, member) => classic.session_expired(&mut turn, &member),
            Timer::Join(_) => classic.join_expired(&mut turn),
            _ => classic.sync_expired(&mut turn),
        };
        Some(Outcome::classic(&group, write, ()))
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next_deadline()
    }

    fn take_answers(&mut self) -> Vec<(Ticket, Parked)> {
        std::mem::take(&mut self.answers)
    }

    fn replay(&mut self, offset: Offset, producer: ProducerId, record: &Record) {
        match record {
            Record::OffsetCommit(key, Some(value)) => {
                let group = GroupId::from(&*key.group);
                let simple = || Group::Classic(Box::new(ClassicGroup::simple(group.clone())));
                self.groups.entry(group.clone()).or_insert_with(simple);
                let (topic, committed) =
                    (Arc::from(&*key.topic), Committed::from_record(offset, value));
                match producer {
                    NO_PRODUCER_ID => self.offsets.put(group, topic, key.partition, committed),
                    _ => {
                        let key = (group, topic, key.partition);
                        self.offsets.put_pending(producer, key, committed);
                    }
                }
            }
            Record::OffsetCommit(key, None) => {
                self.offsets.remove(&key.group, &key.topic, key.partition);
            }
            Record::GroupMetadata(key, Some(value)) => {
                let group = ClassicGroup::from_record(&key.group, value);
                self.groups.insert(group.id.clone(), Group::Classic(Box::new(group)));
            }
            Record::GroupMetadata(key, None) => {
                let id = GroupId::from(&*key.group);
                // It may have been in a rebalance when it became a consumer group.
                self.timers.cancel(&Timer::Join(id.clone()));
                self.timers.cancel(&Timer::Sync(id));
                self.groups.remove(&*key.group);
            }
            Record::ConsumerGroupMetadata(..)
            | Record::ConsumerGroupPartitionMetadata(..)
            | Record::ConsumerGroupMemberMetadata(..)
            | Record::ConsumerGroupTargetAssignmentMetadata(..)
            | Record::ConsumerGroupTargetAssignmentMember(..)
            | Record::ConsumerGroupCurrentMemberAssignment(..)
            | Record::ConsumerGroupRegularExpression(..) => self.replay_consumer(record),
            Record::ShareGroupMetadata(key, Some(_)) => drop(self.share(&key.group_id)),
            Record::ShareGroupMetadata(key, None) => drop(self.groups.remove(&*key.group_id)),
            Record::ShareGroupMemberMetadata(key, value) => {
                self.replay_share_member(&key.group_id, &key.member_id, value.is_some());
            }
            record => {
                if let Some(group) = record.streams_group() {
                    self.replay_streams(group, record);
                }
            }
        }
    }

    fn replay_end_transaction(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer, committed);
    }

    fn loaded(&mut self, now: Timestamp) {
        self.warn_of_share_groups();
        self.set_offset_expiration(now);
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        for id in ids {
            if let Some(Group::Consumer(group)) = self.groups.get(&id) {
                let group = group.clone();
                self.loaded_consumer(now, &group);
            }
            self.load_streams_timers(now, &id);
            let Some((group, mut turn)) = self.classic(&id, now) else { continue };
            for member in group.members() {
                turn.set_session(group, &member.id, member.session_timeout_ms);
            }
            let max_size = usize::try_from(turn.config.group_max_size).unwrap_or(0);
            if group.size() > max_size {
                // The limit was lowered: who joins first may stay.
                let reason = || format!("more than group.max.size={max_size} members were loaded");
                let write = group.prepare_rebalance(&mut turn, reason);
                assert!(write.is_none(), "nobody has joined yet");
            }
        }
    }
    fn complete(
        &mut self,
        now: Timestamp,
        (id, then): (GroupId, Then),
        appended: Result<(), ResponseError>,
    ) {
        let then = match (then, appended) {
            (Then::Created(ticket, before), Err(error)) => {
                self.cancel_timers(&id);
                self.groups.remove(&id);
                self.groups.extend(before.map(|group| (id, *group)));
                self.answers.retain(|(other, _)| *other != ticket);
                return self.answer(ticket, Parked::Join(join_error("", error)));
            }
            (Then::Downgraded { joined, .. }, Err(error)) => {
                if let Some((ticket, answer)) = joined {
                    self.answer(ticket, Parked::Join(join_error(&answer.member_id, error)));
                }
                return;
            }
            (Then::Downgraded { group, rebalance, joined }, Ok(())) => {
                self.finish_downgrade(now, &id, *group, rebalance);
                if let Some((ticket, answer)) = joined {
                    self.answer(ticket, Parked::Join(*answer));
                }
                return;
            }
            (Then::JoinedConsumer { ticket, answer, .. }, Err(error)) => {
                return self.answer(ticket, Parked::Join(join_error(&answer.member_id, error)));
            }
            (
                Then::JoinedConsumer { ticket, answer, session_timeout_ms, rebalance_timeout_ms },
                Ok(()),
            ) => {
                let timeouts = (session_timeout_ms, rebalance_timeout_ms);
                return self.finish_join(now, &id, ticket, *answer, timeouts);
            }
            (then, _) => then,
        };
        let Some((group, mut turn)) = self.classic(&id, now) else { return };
        match then {
            Then::Created(..)
            | Then::Emptied
            | Then::Downgraded { .. }
            | Then::JoinedConsumer { .. } => {}
            Then::Assigned(assignments) => {
                group.finish_assignment(&mut turn, assignments, appended)
            }
            Then::KeepStatic { id, old, leader_before, skip } => {
                group.finish_replacement(&mut turn, (id, *old, leader_before, skip), appended);
            }
        }
    }
}

impl Group {
    fn new_share() -> Group {
        Group::Share(ShareGroup { members: BTreeSet::new() })
    }
}
