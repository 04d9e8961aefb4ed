//! The groups and offsets of one partition of `__consumer_offsets`, as a state machine that is
//! given the time and does no I/O (GroupCoordinatorShard, GroupMetadataManager).

use super::classic::{ClassicGroup, ClassicThen, Join, Write, join_error, sync_error};
use super::consumer::{ConsumerGroup, ConsumerThen};
use super::kind::{Group, not_of_kind};
use super::offsets::{Committed, Offsets};
use super::record::Record;
use super::share::{self, ShareGroup};
use super::streams::{self, StreamsGroup};
use super::timers::{Timer, Timers};
use super::topic_hash::TopicHashes;
use super::turn::{GroupOutcome, Parked, Turn};
use super::{GroupId, RequestContext, Ticket};
use crate::codec::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, ShareGroupHeartbeatRequest, StreamsGroupHeartbeatRequest,
    SyncGroupRequest,
};
use crate::config::{Compression, LiveConfig};
use crate::coordinator::state_machine::{Completion, StateMachine};
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::types::{NO_PRODUCER_ID, Offset, ProducerId, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::sync::Arc;

/// The result of an operation on a shard.
pub type ShardOutcome<A = ()> = GroupOutcome<ShardThen, A>;

/// What may follow an append besides a replay.
#[derive(Debug)]
pub enum ShardThen {
    /// The JoinGroup of this ticket made the group, perhaps in the place of an empty one. If its
    /// record cannot be written, the group is removed and the former one put back.
    Created(Ticket, Option<Box<Group>>),
    /// A classic group goes on.
    Classic(ClassicThen),
    /// A consumer group goes on.
    Consumer(ConsumerThen),
}

impl<A> From<GroupOutcome<ClassicThen, A>> for ShardOutcome<A> {
    fn from(outcome: GroupOutcome<ClassicThen, A>) -> ShardOutcome<A> {
        outcome.map_then(|(id, then)| (id, ShardThen::Classic(then)))
    }
}

impl<A> From<GroupOutcome<ConsumerThen, A>> for ShardOutcome<A> {
    fn from(outcome: GroupOutcome<ConsumerThen, A>) -> ShardOutcome<A> {
        outcome.map_then(|(id, then)| (id, ShardThen::Consumer(then)))
    }
}

/// The state machine of one partition.
#[derive(Debug)]
pub struct Shard {
    pub(super) config: LiveConfig,
    pub(super) image: Arc<Image>,
    pub(super) groups: HashMap<GroupId, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    pub(super) random: fastrand::Rng,
    /// The hashes of the topics in `image`.
    pub(super) topic_hashes: TopicHashes,
    /// Offset of the first image, or of a later one in which topics were created.
    pub(super) topics_made_at: Offset,
    answers: Vec<(Ticket, Parked)>,
}

impl Shard {
    /// An empty shard. `seed` determines the member ids.
    pub fn new(config: LiveConfig, seed: u64) -> Shard {
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

    /// The groups, and what an operation on one of them needs besides the group.
    pub(super) fn at_hand(&mut self, now: Timestamp) -> (&mut HashMap<GroupId, Group>, Turn<'_>) {
        let turn = Turn {
            now,
            config: self.config.get(),
            image: &self.image,
            topics_made_at: self.topics_made_at,
            topic_hashes: &mut self.topic_hashes,
            timers: &mut self.timers,
            answers: &mut self.answers,
            random: &mut self.random,
        };
        (&mut self.groups, turn)
    }

    /// Handles a JoinGroup. The answers of all members, including this one's, come when the
    /// rebalance is complete.
    pub fn join(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &JoinGroupRequest,
        ticket: Ticket,
    ) -> ShardOutcome {
        let id = GroupId::from(&**request.group_id);
        let join = Join { cx, request, ticket };
        let (groups, mut turn) = self.at_hand(now);
        let unknown = ResponseError::UnknownMemberId;
        // An empty group of another kind makes room for a classic one.
        let (emptied, refusal) = match groups.get_mut(&id) {
            Some(Group::Classic(group)) => {
                let write = group.join(&mut turn, join);
                return Write::outcome(write, &id, ()).into();
            }
            Some(Group::Consumer(group)) if !group.is_empty() => {
                return group.join(&mut turn, join).into();
            }
            Some(Group::Streams(group)) if !group.is_empty() => {
                (None, Some(("", ResponseError::InconsistentGroupProtocol)))
            }
            Some(Group::Share(_)) => (None, Some(("", ResponseError::InconsistentGroupProtocol))),
            _ if !request.member_id.is_empty() => (None, Some((&*request.member_id, unknown))),
            other => (other.map(|group| group.tombstones()), None),
        };
        if let Some((member, error)) = refusal {
            turn.answer_join(ticket, join_error(member, error));
            return ShardOutcome::answer(());
        }
        let mut group = ClassicGroup::new(id.clone(), now);
        let before = groups.remove(&id).map(Box::new);
        turn.cancel_timers(before.iter().flat_map(|group| group.timers()));
        let write = group.join(&mut turn, join);
        assert!(write.is_none(), "the first rebalance waits for its timer");
        let mut records = emptied.unwrap_or_default();
        records.push(Record::new_group(&group));
        groups.insert(id.clone(), Group::Classic(Box::new(group)));
        let then = Completion::Then((id, ShardThen::Created(ticket, before)));
        ShardOutcome { records, then, answer: () }
    }

    /// Handles a SyncGroup, which is answered like a JoinGroup.
    pub fn sync(
        &mut self,
        now: Timestamp,
        request: &SyncGroupRequest,
        ticket: Ticket,
    ) -> ShardOutcome {
        let (groups, mut turn) = self.at_hand(now);
        match groups.get_mut(&**request.group_id) {
            Some(Group::Consumer(group)) if !group.is_empty() => {
                group.sync(&mut turn, request, ticket).into()
            }
            Some(Group::Classic(group)) if !group.is_empty() => {
                let write = group.sync(&mut turn, request, ticket);
                Write::outcome(write, &group.id, ()).into()
            }
            _ => {
                turn.answer_sync(ticket, sync_error(ResponseError::UnknownMemberId));
                ShardOutcome::answer(())
            }
        }
    }

    pub fn heartbeat(
        &mut self,
        now: Timestamp,
        request: &HeartbeatRequest,
    ) -> Result<ShardOutcome> {
        let (groups, mut turn) = self.at_hand(now);
        match groups.get_mut(&**request.group_id) {
            Some(Group::Consumer(group)) => group.classic_heartbeat(&mut turn, request)?,
            Some(Group::Classic(group)) => group.heartbeat(&mut turn, request)?,
            _ => return Err(ResponseError::UnknownMemberId.into()),
        }
        Ok(ShardOutcome::answer(()))
    }

    /// Handles a LeaveGroup. If there is no such group it fails with UNKNOWN_MEMBER_ID.
    pub fn leave(
        &mut self,
        now: Timestamp,
        request: &LeaveGroupRequest,
    ) -> Result<ShardOutcome<Vec<MemberResponse>>> {
        let (groups, mut turn) = self.at_hand(now);
        match groups.get_mut(&**request.group_id) {
            Some(Group::Consumer(group)) => Ok(group.classic_leave(&mut turn, request).into()),
            Some(Group::Classic(group)) => {
                let (answers, write) = group.leave(&mut turn, &request.members);
                Ok(Write::outcome(write, &group.id, answers).into())
            }
            _ => Err(ResponseError::UnknownMemberId.into()),
        }
    }

    /// Handles a ConsumerGroupHeartbeat that is valid by itself. A member that joins creates the
    /// group, or turns a classic group into a consumer group.
    pub fn consumer_heartbeat(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ShardOutcome<ConsumerGroupHeartbeatResponse>> {
        let (id, epoch) = (&**request.group_id, request.member_epoch);
        let (groups, mut turn) = self.at_hand(now);
        let outcome = match groups.get_mut(id) {
            Some(Group::Consumer(group)) if epoch < 0 => group.leave(&mut turn, request)?,
            Some(Group::Consumer(group)) => group.heartbeat(&mut turn, cx, request, Vec::new())?,
            Some(Group::Classic(group)) if epoch == 0 => {
                let (mut group, records) = ConsumerGroup::in_place_of(group, &mut turn)?;
                group.heartbeat(&mut turn, cx, request, records)?
            }
            None if epoch == 0 => {
                let mut group = ConsumerGroup::new(GroupId::from(id));
                group.heartbeat(&mut turn, cx, request, Vec::new())?
            }
            None if epoch > 0 => {
                let message = format!("There is no consumer group {id}.");
                return Err(Error::Explained(ResponseError::GroupIdNotFound, message));
            }
            other => return Err(not_of_kind(other.as_deref(), id, "consumer")),
        };
        Ok(outcome.into())
    }

    /// Handles a StreamsGroupHeartbeat. A member that joins creates the group, in the place of an
    /// empty classic one if there is one.
    pub fn streams_heartbeat(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<ShardOutcome<streams::Heartbeat>> {
        streams::check(request, cx.api_version)?;
        let (id, epoch) = (request.group_id.as_str(), request.member_epoch);
        let (groups, mut turn) = self.at_hand(now);
        let new = |records, was_there, turn: &mut Turn<'_>| {
            StreamsGroup::new(GroupId::from(id)).heartbeat(turn, cx, request, (records, was_there))
        };
        let (records, heard) = match groups.get_mut(id) {
            Some(Group::Streams(group)) if epoch < 0 => group.leave(&mut turn, request)?,
            Some(Group::Streams(group)) => {
                group.heartbeat(&mut turn, cx, request, (Vec::new(), true))?
            }
            Some(Group::Classic(group)) if epoch == 0 && group.is_empty() => {
                new(group.tombstones(), true, &mut turn)?
            }
            None if epoch == 0 => new(Vec::new(), false, &mut turn)?,
            None if epoch > 0 => {
                let message = format!("There is no streams group {id}.");
                return Err(Error::Explained(ResponseError::GroupIdNotFound, message));
            }
            other => return Err(not_of_kind(other.as_deref(), id, "streams")),
        };
        Ok(ShardOutcome::replay(records, heard))
    }

    /// Handles a ShareGroupHeartbeat that is valid by itself. A member that joins creates the group.
    pub fn share_heartbeat(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<ShardOutcome<share::Heartbeat>> {
        let (id, epoch) = (request.group_id.as_str(), request.member_epoch);
        let (groups, mut turn) = self.at_hand(now);
        let (records, heard) = match groups.get_mut(id) {
            Some(Group::Share(group)) if epoch < 0 => group.leave(&mut turn, request)?,
            Some(Group::Share(group)) => group.heartbeat(&mut turn, cx, request)?,
            None if epoch == 0 => {
                ShareGroup::new(GroupId::from(id)).heartbeat(&mut turn, cx, request)?
            }
            None if epoch > 0 => {
                let message = format!("There is no share group {id}.");
                return Err(Error::Explained(ResponseError::GroupIdNotFound, message));
            }
            other => return Err(not_of_kind(other.as_deref(), id, "share")),
        };
        Ok(ShardOutcome::replay(records, heard))
    }

    /// The share group `id`, and what an operation on it needs.
    pub(super) fn share_group(
        &mut self,
        now: Timestamp,
        id: &str,
    ) -> Result<(&mut ShareGroup, Turn<'_>)> {
        let (groups, turn) = self.at_hand(now);
        match groups.get_mut(id) {
            Some(Group::Share(group)) => Ok((group, turn)),
            other => Err(not_of_kind(other.as_deref(), id, "share")),
        }
    }

    /// Lets an empty share group, or a new one, begin at other offsets.
    pub fn alter_share_offsets(
        &mut self,
        now: Timestamp,
        id: &str,
        topics: &[AlterShareGroupOffsetsRequestTopic],
    ) -> Result<ShardOutcome<share::Alteration>> {
        if !self.groups.contains_key(id) {
            let (_, mut turn) = self.at_hand(now);
            let new = ShareGroup::new(GroupId::from(id));
            let (records, asked) = new.alter_offsets(&mut turn, topics)?;
            return Ok(ShardOutcome::replay(records, asked));
        }
        let (group, mut turn) = self.share_group(now, id)?;
        let (records, asked) = group.alter_offsets(&mut turn, topics)?;
        Ok(ShardOutcome::replay(records, asked))
    }

    /// Stops all timers of a group.
    pub(super) fn cancel_timers(&mut self, group: &str) {
        for timer in self.groups.get(group).map(Group::timers).unwrap_or_default() {
            self.timers.cancel(&timer);
        }
    }

    fn set_offset_expiration(&mut self, now: Timestamp) {
        let interval = self.config.get().offsets_retention_check_interval_ms;
        self.timers.set(Timer::OffsetExpiration, now + interval);
    }

    /// Changes a group, other than a classic one, as a record says. A record creates the group if
    /// need be; a tombstone does not. A group of another kind is replaced: it only held offsets, or
    /// the log is not one that Kafka would write.
    fn replay_group(&mut self, record: &Record) {
        let Some((kind, id)) = record.group_named() else { return };
        let is_there = self.groups.get(id).is_some_and(|group| group.is_of(kind));
        if record.is_tombstone() && !is_there {
            return;
        }
        if record.ends_group() {
            self.groups.remove(id);
            return;
        }
        if !is_there {
            self.groups.insert(GroupId::from(id), Group::new(kind, GroupId::from(id)));
        }
        self.groups.get_mut(id).expect("it is there, or was just put there").replay(record);
    }
}

impl StateMachine for Shard {
    const NAME: &'static str = "group coordinator";
    const LOSS: &'static str =
        "the groups in it then begin without members and without committed offsets";
    type Record = Record;
    type Then = (GroupId, ShardThen);
    type Parked = Parked;

    fn compression(&self) -> Compression {
        Compression::of_codec(self.config.get().offsets_topic_compression_codec)
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
    }

    fn expire(&mut self, now: Timestamp) -> Option<ShardOutcome> {
        let timer = self.timers.take_due(now)?;
        let Some(id) = timer.group() else {
            self.set_offset_expiration(now);
            return Some(self.expire_offsets(now));
        };
        let (groups, mut turn) = self.at_hand(now);
        Some(match groups.get_mut(id) {
            Some(Group::Classic(group)) => {
                Write::outcome(group.expire(&mut turn, &timer), id, ()).into()
            }
            Some(Group::Consumer(group)) => group.expire(&mut turn, &timer).into(),
            Some(Group::Streams(group)) => {
                ShardOutcome::replay(group.expire(&mut turn, &timer), ())
            }
            Some(Group::Share(group)) => ShardOutcome::replay(group.expire(&mut turn, &timer), ()),
            None => ShardOutcome::answer(()),
        })
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
            record => self.replay_group(record),
        }
    }

    fn replay_end_transaction(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer, committed);
    }

    fn loaded(&mut self, now: Timestamp) {
        self.set_offset_expiration(now);
        let (groups, mut turn) = self.at_hand(now);
        for group in groups.values_mut() {
            group.loaded(&mut turn);
        }
    }

    fn complete(
        &mut self,
        now: Timestamp,
        (id, then): (GroupId, ShardThen),
        appended: Result<(), ResponseError>,
    ) {
        let (groups, mut turn) = self.at_hand(now);
        match (then, groups.get_mut(&id)) {
            (ShardThen::Classic(then), Some(Group::Classic(group))) => {
                group.complete(&mut turn, then, appended);
            }
            (ShardThen::Consumer(then), Some(Group::Consumer(group))) => {
                if let Some(classic) = group.complete(&mut turn, then, appended) {
                    groups.insert(id, Group::Classic(classic));
                }
            }
            (ShardThen::Created(ticket, before), made) => {
                let Err(error) = appended else { return };
                turn.cancel_timers(made.iter().flat_map(|group| group.timers()));
                groups.remove(&id);
                groups.extend(before.map(|group| (id, *group)));
                turn.answers.retain(|(other, _)| *other != ticket);
                turn.answer_join(ticket, join_error("", error));
            }
            (then, found) => unreachable!("{then:?} is not for {found:?}"),
        }
    }
}
