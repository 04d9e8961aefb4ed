//! One partition of `__consumer_offsets`: its groups and offsets, as a state machine that takes
//! the time as an argument and does no I/O (GroupCoordinatorShard, GroupMetadataManager).

use super::classic_group::{ClassicGroup, GroupState};
use super::join::{Join, join_error};
use super::membership::sync_error;
use super::offsets::{Committed, Offsets};
use super::outcome::{Outcome, Parked, Then, Turn, Write};
use super::record::{GroupKind, Record};
use super::timers::{Timer, Timers};
use super::{GroupId, RequestContext, Ticket};
use crate::config::{Compression, Config};
use crate::coordinator::state_machine::StateMachine;
use crate::error::Result;
use crate::metadata::Image;
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
    /// The kind that this broker serves.
    Classic(Box<ClassicGroup>),
    /// A kind that it only keeps.
    Other(OtherGroup),
}

/// A group of a protocol that this broker does not serve: it is kept as it is.
#[derive(Debug, PartialEq)]
pub struct OtherGroup {
    /// The protocol.
    pub kind: GroupKind,
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
    timers: Timers,
    answers: Vec<(Ticket, Parked)>,
    random: fastrand::Rng,
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
            answers: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The classic group `id`, with what its operations need.
    fn classic(&mut self, id: &str, now: Timestamp) -> Option<(&mut ClassicGroup, Turn<'_>)> {
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

    /// A JoinGroup; the answer to `ticket` comes with those of all who waited for it.
    pub fn join(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &JoinGroupRequest,
        ticket: Ticket,
    ) -> Outcome {
        let id = GroupId::from(&**request.group_id);
        let is_new = !self.groups.contains_key(&id);
        let refusal = match self.groups.get(&id) {
            None if !request.member_id.is_empty() => {
                Some(join_error(&request.member_id, ResponseError::UnknownMemberId))
            }
            Some(Group::Other(_)) => Some(join_error("", ResponseError::InconsistentGroupProtocol)),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.answers.push((ticket, Parked::Join(refusal)));
            return Outcome::answer(());
        }
        if is_new {
            let group = ClassicGroup::new(id.clone(), now);
            self.groups.insert(id.clone(), Group::Classic(Box::new(group)));
        }
        let (group, mut turn) = self.classic(&id, now).expect("it is there and classic");
        let write = group.join(&mut turn, Join { cx, request, ticket });
        let created = || Write { record: Record::new_group(group), then: Then::Created(ticket) };
        let write = if is_new { write.or_else(|| Some(created())) } else { write };
        Outcome::classic(&id, write, ())
    }

    /// A SyncGroup; answered as JoinGroup is.
    pub fn sync(&mut self, now: Timestamp, request: &SyncGroupRequest, ticket: Ticket) -> Outcome {
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
        if let Some(Group::Classic(group)) = self.groups.get(group) {
            for timer in group.timers() {
                self.timers.cancel(&timer);
            }
        }
    }

    fn set_offset_expiration(&mut self, now: Timestamp) {
        let interval = self.config.offsets_retention_check_interval_ms;
        self.timers.set(Timer::OffsetExpiration, now + interval);
    }

    fn replay_other(&mut self, kind: GroupKind, id: &str, there: bool) {
        match there {
            true => drop(self.other(kind, id)),
            false => drop(self.groups.remove(id)),
        }
    }

    fn replay_other_member(&mut self, kind: GroupKind, id: &str, member: &str, there: bool) {
        if there {
            self.other(kind, id).members.insert(member.to_owned());
        } else if let Some(Group::Other(other)) = self.groups.get_mut(id) {
            other.members.remove(member);
        }
    }

    fn other(&mut self, kind: GroupKind, id: &str) -> &mut OtherGroup {
        let group = self.groups.entry(GroupId::from(id)).or_insert_with(|| Group::new_other(kind));
        if !matches!(group, Group::Other(other) if other.kind == kind) {
            *group = Group::new_other(kind);
        }
        match group {
            Group::Other(other) => other,
            Group::Classic(_) => unreachable!("it has just been made another"),
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
        self.image = image.clone();
    }

    fn expire(&mut self, now: Timestamp) -> Option<Outcome> {
        let timer = self.timers.take_due(now)?;
        let group = match &timer {
            Timer::Session(group, _) | Timer::Join(group) | Timer::Sync(group) => group.clone(),
            Timer::OffsetExpiration => {
                self.set_offset_expiration(now);
                return Some(self.expire_offsets(now));
            }
        };
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
                self.groups.remove(&*key.group);
            }
            Record::ConsumerGroupMetadata(key, value) => {
                self.replay_other(GroupKind::Consumer, &key.group_id, value.is_some());
            }
            Record::ConsumerGroupMemberMetadata(key, value) => {
                let there = value.is_some();
                self.replay_other_member(GroupKind::Consumer, &key.group_id, &key.member_id, there);
            }
            Record::ShareGroupMetadata(key, value) => {
                self.replay_other(GroupKind::Share, &key.group_id, value.is_some());
            }
            Record::ShareGroupMemberMetadata(key, value) => {
                let there = value.is_some();
                self.replay_other_member(GroupKind::Share, &key.group_id, &key.member_id, there);
            }
            Record::StreamsGroupMetadata(key, value) => {
                self.replay_other(GroupKind::Streams, &key.group_id, value.is_some());
            }
            Record::StreamsGroupMemberMetadata(key, value) => {
                let there = value.is_some();
                self.replay_other_member(GroupKind::Streams, &key.group_id, &key.member_id, there);
            }
            _ => {}
        }
    }

    fn replay_end_transaction(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer, committed);
    }

    fn loaded(&mut self, now: Timestamp) {
        self.set_offset_expiration(now);
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        for id in ids {
            let Some((group, mut turn)) = self.classic(&id, now) else { continue };
            for member in group.members() {
                turn.set_session(group, &member.id, member.session_timeout_ms);
            }
            let max_size = usize::try_from(turn.config.group_max_size).unwrap_or(0);
            if group.size() > max_size {
                // The limit was lowered: who joins first may stay.
                let write = group.prepare_rebalance(&mut turn);
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
        if let (Then::Created(ticket), Err(error)) = (&then, appended) {
            self.cancel_timers(&id);
            self.groups.remove(&id);
            self.answers.retain(|(other, _)| other != ticket);
            self.answers.push((*ticket, Parked::Join(join_error("", error))));
        }
        let Some((group, mut turn)) = self.classic(&id, now) else { return };
        match then {
            Then::Created(_) | Then::Emptied => {}
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
    fn new_other(kind: GroupKind) -> Group {
        Group::Other(OtherGroup { kind, members: BTreeSet::new() })
    }
}
