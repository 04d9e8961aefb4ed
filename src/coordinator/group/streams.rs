//! Streams groups (KIP-1071): the broker knows the topology of an application, makes its internal
//! topics, and gives each member its tasks (StreamsGroup).
//!
//! ```text
//! heartbeat   a member comes, says what it owns, hears what it is to own     -> records
//!   topology    what the members run
//!   configure   the topology against the topics there are: tasks, missing topics
//!   assignor    who shall have which task: the target assignment
//!   reconcile   one member's next step towards it
//! records     the records, and what they say of the group (replay)
//! describe    the group as StreamsGroupDescribe and ListGroups show it
//! creation    internal topics that are being made
//! ```

mod answer;
mod api;
mod assignor;
mod configure;
mod creation;
mod describe;
mod heartbeat;
mod member;
mod offsets;
mod reconcile;
pub mod records;
mod request;
mod static_member;
mod tasks;
mod topology;

pub use creation::InternalTopics;
use heartbeat::Heartbeat;

use super::commit::not_found;
use super::record::Record;
use super::shard::{Group, Shard};
use super::timers::Timer;
use super::{GroupId, MemberId};
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp};
use configure::Configured;
use kafka_protocol::error::ResponseError;
use member::Member;
use request::Reported;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tasks::{Owners, TaskOffsets, Tasks};
use topology::Topology;

/// Kafka's answer if a group is of another kind.
fn not_streams(id: &str) -> Error {
    let message = format!("Group {id} is not a streams group.");
    Error::Explained(ResponseError::GroupIdNotFound, message)
}

impl Shard {
    /// The streams group `id`.
    fn streams_group(&self, id: &str) -> Result<&StreamsGroup> {
        match self.groups.get(id) {
            Some(Group::Streams(group)) => Ok(group),
            Some(_) => Err(not_streams(id)),
            None => Err(not_found(id)),
        }
    }

    /// Replays a record of the streams group `id`.
    pub(super) fn replay_streams(&mut self, id: &str, record: &Record) {
        if let Some(Group::Streams(group)) = self.groups.get_mut(id) {
            match record {
                Record::StreamsGroupMetadata(_, None) => drop(self.groups.remove(id)),
                record => group.replay(record),
            }
        } else if !record.is_tombstone() {
            // Its offsets may have come before it, and with them a classic group for them.
            let id = GroupId::from(id);
            let mut group = StreamsGroup::new(id.clone());
            group.replay(record);
            self.groups.insert(id, Group::Streams(Box::new(group)));
        }
    }

    fn streams_group_mut(&mut self, id: &str) -> Result<&mut StreamsGroup> {
        match self.groups.get_mut(id) {
            Some(Group::Streams(group)) => Ok(group),
            Some(_) => Err(not_streams(id)),
            None => Err(not_found(id)),
        }
    }
}

/// Settings that an assignment was made with: `num.standby.replicas`.
type Configs = BTreeMap<String, String>;

/// Where a streams group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamsState {
    /// It has no members.
    Empty,
    /// Its topics are not as its topology needs them.
    NotReady,
    /// The target assignment is behind the group.
    Assigning,
    /// Members are behind the target assignment.
    Reconciling,
    /// All have what they are to have.
    Stable,
}

impl fmt::Display for StreamsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A streams group.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroup {
    /// `application.id`.
    pub(super) id: GroupId,
    /// Grows with all that an assignment depends on.
    epoch: i32,
    /// Of the topics that the topology needs, when the epoch was reached.
    metadata_hash: i64,
    /// Epoch of the topology that the topics fit; -1 if they do not.
    validated_topology_epoch: i32,
    /// What the assignment of the epoch is made with.
    last_configs: Configs,
    topology: Option<Arc<Topology>>,
    members: BTreeMap<MemberId, Member>,
    /// The epoch that the target assignment was made for.
    target_epoch: i32,
    /// When it was made.
    target_timestamp: Timestamp,
    target: BTreeMap<MemberId, Tasks>,
    /// Who has, or has yet to give back, which task: what `members` say, the other way round.
    owners: Owners,
    /// What is known besides and not in the log.
    soft: Soft,
}

/// What a group has not in the log; a restart forgets it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Soft {
    /// The topology against the topics.
    configured: Option<Arc<Configured>>,
    /// Offset of the metadata whose topics are as `metadata_hash` says.
    checked_at: Option<Offset>,
    /// The member that wants the application to stop.
    shutdown_requested_by: Option<MemberId>,
    /// Changes with what interactive queries need to know.
    endpoint_epoch: i32,
    /// How far the members' copies of tasks' states are, as they say.
    task_offsets: BTreeMap<MemberId, TaskOffsets>,
    /// Where the changelogs of those end.
    task_end_offsets: BTreeMap<MemberId, TaskOffsets>,
}

impl StreamsGroup {
    /// A group that nobody has joined yet.
    pub fn new(id: GroupId) -> StreamsGroup {
        StreamsGroup {
            id,
            epoch: 1,
            metadata_hash: 0,
            validated_topology_epoch: 0,
            last_configs: Configs::new(),
            topology: None,
            members: BTreeMap::new(),
            target_epoch: 1,
            target_timestamp: 0,
            target: BTreeMap::new(),
            owners: Owners::default(),
            soft: Soft::default(),
        }
    }

    /// Where the group is.
    pub fn state(&self) -> StreamsState {
        let epoch = self.topology.as_ref().map(|topology| topology.epoch);
        let is_reconciled = |member: &Member| member.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            StreamsState::Empty
        } else if epoch != Some(self.validated_topology_epoch) {
            StreamsState::NotReady
        } else if self.epoch > self.target_epoch {
            StreamsState::Assigning
        } else if !self.members.values().all(is_reconciled) {
            StreamsState::Reconciling
        } else {
            StreamsState::Stable
        }
    }

    /// The timers that it may have.
    pub(super) fn timers(&self) -> Vec<Timer> {
        let of = |id: &MemberId| {
            let session = Timer::Session(self.id.clone(), id.clone());
            [session, Timer::Rebalance(self.id.clone(), id.clone())]
        };
        let first = Timer::FirstAssignment(self.id.clone());
        self.members.keys().flat_map(of).chain([first]).collect()
    }

    /// Tombstones of all that is in the log of it, its members aside: it has none.
    pub(super) fn tombstones(&self) -> [Record; 3] {
        records::group_tombstones(&self.id)
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn member(&self, id: &str) -> Result<&Member> {
        self.members.get(id).ok_or_else(|| {
            let message = format!("Member {id} is not a member of group {}.", self.id);
            Error::Explained(ResponseError::UnknownMemberId, message)
        })
    }

    fn put_member(&mut self, member: Member) {
        if let Some(old) = self.members.get(&member.id) {
            self.owners.remove(&old.assigned, &old.process_id);
            self.owners.remove(&old.pending_revocation, &old.process_id);
        }
        self.owners.add(&member.assigned, &member.process_id);
        self.owners.add(&member.pending_revocation, &member.process_id);
        self.members.insert(member.id.clone(), member);
    }

    /// Remembers what a member says of its copies, as far as it is of tasks that there are.
    fn keep_reported(&mut self, member: &MemberId, reported: Reported, configured: &Configured) {
        let Some(subtopologies) = &configured.subtopologies else { return };
        let known = |mut offsets: TaskOffsets| {
            offsets.retain(|(id, partition), _| {
                subtopologies.get(id).is_some_and(|of| (0..of.tasks).contains(partition))
            });
            (member.clone(), offsets)
        };
        self.soft.task_offsets.extend(reported.offsets.map(known));
        self.soft.task_end_offsets.extend(reported.end_offsets.map(known));
    }

    fn remove_member(&mut self, id: &str) {
        self.soft.task_offsets.remove(id);
        self.soft.task_end_offsets.remove(id);
        let Some(old) = self.members.remove(id) else { return };
        self.owners.remove(&old.assigned, &old.process_id);
        self.owners.remove(&old.pending_revocation, &old.process_id);
        if self.members.is_empty() {
            self.soft.shutdown_requested_by = None;
        }
    }
}

#[cfg(test)]
impl StreamsGroup {
    /// What of the group is in the log.
    pub(super) fn kept(&self) -> StreamsGroup {
        StreamsGroup { soft: Soft::default(), ..self.clone() }
    }

    /// No task is with two members, and the owners are those that the members say.
    pub(super) fn check(&self) {
        let mut owners = Owners::default();
        let mut active = std::collections::BTreeSet::new();
        for member in self.members.values() {
            for tasks in [&member.assigned, &member.pending_revocation] {
                owners.add(tasks, &member.process_id);
                let of = |(id, set): (&String, &BTreeMap<i32, i32>)| {
                    set.keys().map(|task| (id.clone(), *task)).collect::<Vec<_>>()
                };
                for task in tasks.active.iter().flat_map(of) {
                    assert!(active.insert(task.clone()), "{task:?} is with two members");
                }
            }
        }
        assert_eq!(owners, self.owners);
    }
}
