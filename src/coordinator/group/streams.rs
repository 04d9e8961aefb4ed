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

pub use answer::Heartbeat;
pub use creation::InternalTopics;
pub use request::check;

use super::record::Record;
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

    /// What is written when the group, which is empty, is no more.
    pub fn tombstones(&self) -> Vec<Record> {
        records::group_tombstones(&self.id).into()
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
