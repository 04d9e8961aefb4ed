//! A group whose members assign their partitions among themselves (ClassicGroup). The log has its
//! last generation. A rebalance that is under way is not in the log and is lost with the broker.
//!
//! ```text
//!  member      one member: the protocols it speaks, what the leader gave it
//!  join        JoinGroup: who comes in, and under which id
//!  membership  SyncGroup, Heartbeat, LeaveGroup
//!  rebalance   everybody joins, the leader assigns, everybody gets a share
//!  write       what an operation wants written, and how the group goes on after it
//!  records     the records, and the group that they make
//!  offsets     who may commit, and which offsets are in use         describe: what is shown
//! ```

mod describe;
mod join;
mod member;
mod membership;
mod offsets;
mod rebalance;
mod records;
mod write;

pub use describe::dead;
pub use join::{Join, join_error};
pub use member::Member;
pub use membership::sync_error;
pub use write::{ClassicThen, Write};

use super::record::Record;
use super::timers::Timer;
use super::{GroupId, MemberId};
use crate::types::{Sample, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The protocol type of consumers. The broker can read their subscriptions.
const CONSUMER_PROTOCOL: &str = "consumer";

/// Where a group is in its life (ClassicGroupState).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// It has no members; perhaps offsets.
    Empty,
    /// It waits for members to join.
    PreparingRebalance,
    /// It waits for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
}

/// As DescribeGroups writes it.
impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// How long the first rebalance of a group still waits for more members, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InitialDelay {
    /// The duration of the timer that runs now.
    pub delay_ms: i32,
    /// By how much the wait may still be extended.
    pub remaining_ms: i32,
    /// Whether a member has joined since the timer was set.
    pub member_added: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClassicGroup {
    /// `group.id`.
    pub id: GroupId,
    state: GroupState,
    /// When it entered its state; None if the record was an old one without that time.
    pub state_timestamp: Option<Timestamp>,
    /// None for a simple group, which has offsets and never had a member.
    pub protocol_type: Option<String>,
    /// The protocol that the members chose by vote.
    pub protocol: Option<String>,
    /// The number of rebalances.
    pub generation: i32,
    /// The member that makes the assignment.
    pub leader: Option<MemberId>,
    /// The topics that the members subscribe to; None if the broker cannot tell.
    pub subscribed_topics: Option<BTreeSet<String>>,
    /// Members that were told their id and have to join again with it.
    pub pending_joins: BTreeSet<MemberId>,
    /// Members that have joined and have to ask for their assignment.
    pub pending_syncs: BTreeSet<MemberId>,
    /// Set while the first rebalance since the group was empty waits for members.
    pub initial_delay: Option<InitialDelay>,
    /// Why the present rebalance began, and what has been added since.
    pub reasons: Sample,
    members: BTreeMap<MemberId, Member>,
    static_members: BTreeMap<Arc<str>, MemberId>,
}

impl ClassicGroup {
    pub fn new(id: GroupId, now: Timestamp) -> ClassicGroup {
        ClassicGroup {
            id,
            state: GroupState::Empty,
            state_timestamp: Some(now),
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            subscribed_topics: None,
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_delay: None,
            reasons: Sample::default(),
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
        }
    }

    /// A group that exists only because offsets were committed in its name.
    pub fn simple(id: GroupId) -> ClassicGroup {
        ClassicGroup { state_timestamp: None, ..ClassicGroup::new(id, 0) }
    }

    /// The group that a consumer group turns into; every member has its assignment.
    pub fn stable(
        id: GroupId,
        generation: i32,
        members: Vec<Member>,
        now: Timestamp,
    ) -> ClassicGroup {
        let state = GroupState::Stable;
        let mut group = ClassicGroup { generation, state, ..ClassicGroup::new(id, now) };
        for member in members {
            group.add(CONSUMER_PROTOCOL, member);
        }
        group.protocol = group.select_protocol();
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// Where it is in its life.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Enters the state `to`. A change that the protocol does not allow is a bug.
    pub fn transition(&mut self, to: GroupState, now: Timestamp) {
        use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let valid = match to {
            Empty | CompletingRebalance => self.state == PreparingRebalance,
            PreparingRebalance => self.state != PreparingRebalance,
            Stable => self.state == CompletingRebalance,
        };
        assert!(valid, "group {} cannot go from {} to {to}", self.id, self.state);
        self.state = to;
        self.state_timestamp = Some(now);
    }

    /// The members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The members, by id.
    pub fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    pub fn member_ids(&self) -> Vec<MemberId> {
        self.members.keys().cloned().collect()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.state == GroupState::Empty
    }

    pub fn size(&self) -> usize {
        self.members.len()
    }

    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    /// The id of the present member of the static instance `instance_id`.
    pub fn static_member(&self, instance_id: &str) -> Option<&MemberId> {
        self.static_members.get(instance_id)
    }

    /// Whether `member` is the leader.
    pub fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// Adds a member. The first member brings the protocol type and becomes the leader.
    pub fn add(&mut self, protocol_type: &str, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance) = &member.instance_id {
            let before = self.static_members.insert(instance.clone(), member.id.clone());
            assert!(before.is_none(), "static member {instance} is there already");
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Removes a member, or one that was only told its id. If it was the leader another takes over.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(instance) = removed.as_ref().and_then(|member| member.instance_id.as_ref()) {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
        removed
    }

    /// Puts `member` in the place of `old`, the former member of the same static instance.
    pub fn replace(&mut self, old: &str, member: Member) {
        self.members.remove(old);
        if self.is_leader(old) {
            self.leader = Some(member.id.clone());
        }
        let instance = member.instance_id.clone().expect("only static members are replaced");
        self.static_members.insert(instance, member.id.clone());
        self.members.insert(member.id.clone(), member);
    }

    /// The number of members whose JoinGroup waits.
    pub fn awaiting_join(&self) -> usize {
        self.members().filter(|member| member.awaiting_join.is_some()).count()
    }

    /// Whether all members have joined the present rebalance.
    pub fn has_all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.awaiting_join() == self.size()
    }

    /// The longest rebalance timeout of the members.
    pub fn rebalance_timeout_ms(&self) -> i32 {
        self.members().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Whether a member with this protocol type and these protocols could join.
    pub fn supports<'a>(
        &self,
        protocol_type: &str,
        mut protocols: impl Iterator<Item = &'a str>,
    ) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && protocols.next().is_some();
        }
        let speaks = |member: &Member, name| member.protocols.iter().any(|(n, _)| n == name);
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.any(|name| self.members().all(|member| speaks(member, name)))
    }

    /// The protocol that all members support and most of them prefer.
    pub fn select_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let spoken_by_all = |name: &String| {
            self.members().all(|member| member.protocols.iter().any(|(n, _)| n == name))
        };
        let candidates: Vec<&String> =
            first.protocols.iter().map(|(name, _)| name).filter(|n| spoken_by_all(n)).collect();
        let votes = self.members().filter_map(|member| {
            member.protocols.iter().map(|(name, _)| name).find(|name| candidates.contains(name))
        });
        let mut counts: Vec<(&String, usize)> = candidates.iter().map(|name| (*name, 0)).collect();
        for vote in votes {
            if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == vote) {
                *count += 1;
            }
        }
        // Among those with the most votes the first one, so that a tie is always decided alike.
        let most = counts.iter().map(|(_, count)| *count).max()?;
        counts.iter().find(|(_, count)| *count == most).map(|(name, _)| (*name).clone())
    }

    /// The topics of the members' subscriptions (ConsumerProtocolSubscription, of which version 0
    /// is a prefix of all others). None if the members are not consumers.
    pub fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER_PROTOCOL) {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref()?;
        for member in self.members() {
            topics.extend(member::subscription_topics(member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// Whether the members are consumers.
    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL)
    }

    /// Fails unless `member` belongs to the group and is the present member of its static instance.
    pub fn validate_member(
        &self,
        member: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        if let Some(instance) = instance_id {
            match self.static_member(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(existing) if **existing != *member => {
                    return Err(ResponseError::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        match self.members.contains_key(member) {
            true => Ok(()),
            false => Err(ResponseError::UnknownMemberId),
        }
    }

    /// The records that delete the group, which is empty.
    pub fn tombstones(&self) -> Vec<Record> {
        vec![Record::group_tombstone(&self.id)]
    }

    /// All timers that may run for this group.
    pub fn timers(&self) -> Vec<Timer> {
        let sessions = self.members.keys().chain(&self.pending_joins);
        let mut timers: Vec<Timer> =
            sessions.map(|member| Timer::Session(self.id.clone(), member.clone())).collect();
        timers.push(Timer::Join(self.id.clone()));
        timers.push(Timer::Sync(self.id.clone()));
        timers
    }
}
