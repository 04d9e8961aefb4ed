//! Streams groups (KIP-1071, StreamsGroup): the broker knows the topology of an application,
//! creates its internal topics, and assigns tasks to its members. `modern` has what this kind
//! shares with others.
//!
//! ```text
//! heartbeat   a member comes, says what it owns, hears what it is to own     -> records
//! fence       a member leaves, or is made to leave
//!   topology    what the members run
//!   configure   the topology against the topics there are: tasks, missing topics
//!   assignor    who shall have which task: the target assignment
//!   reconcile   one member's next step towards it
//! records     the records, and what they say of the group (replay)
//! describe    the group as StreamsGroupDescribe shows it
//! creation    internal topics that are being made
//! ```

mod answer;
mod assignor;
mod configure;
mod describe;
mod fence;
mod heartbeat;
mod member;
mod offsets;
mod reconcile;
pub mod records;
mod request;
mod tasks;
mod topology;

pub use answer::Heartbeat;
pub use request::check;

use super::MemberId;
use super::modern::{Modern, ModernState};
use super::record::Record;
use configure::Configured;
use request::Reported;
use std::collections::BTreeMap;
use std::sync::Arc;
use tasks::{Owners, TaskOffsets};
use topology::Topology;

/// The settings that an assignment is made with: `num.standby.replicas`.
type Configs = BTreeMap<String, String>;

pub type StreamsGroup = Modern<Streams>;

/// What only a streams group has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Streams {
    /// Epoch of the topology that the existing topics fit; -1 if they do not fit.
    validated_topology_epoch: i32,
    /// The settings that the group's epoch is for.
    last_configs: Configs,
    topology: Option<Arc<Topology>>,
    /// Which process has each task, or still has to give it back; derived from the members.
    owners: Owners,
    /// What is known and not in the log.
    soft: Soft,
}

/// State that is not in the log, so that a restart loses it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Soft {
    /// The topology, matched with the topics.
    configured: Option<Arc<Configured>>,
    /// The member that asked for the application to be stopped.
    shutdown_requested_by: Option<MemberId>,
    /// Increases when interactive queries have to know something new.
    endpoint_epoch: i32,
    /// How far the members' copies of the tasks' states are, as reported by the members.
    task_offsets: BTreeMap<MemberId, TaskOffsets>,
    /// The ends of the changelogs of those states, as reported by the members.
    task_end_offsets: BTreeMap<MemberId, TaskOffsets>,
}

impl StreamsGroup {
    /// Where the group is in its life.
    pub fn state(&self) -> ModernState {
        let epoch = self.own.topology.as_ref().map(|topology| topology.epoch);
        match self.progress() {
            ModernState::Empty => ModernState::Empty,
            _ if epoch != Some(self.own.validated_topology_epoch) => ModernState::NotReady,
            progress => progress,
        }
    }

    /// The records that delete the group, which is empty.
    pub fn tombstones(&self) -> Vec<Record> {
        records::group_tombstones(&self.id)
    }

    /// Remembers what a member reports about its copies, for tasks that exist.
    fn keep_reported(&mut self, member: &MemberId, reported: Reported, configured: &Configured) {
        let Some(subtopologies) = &configured.subtopologies else { return };
        let known = |mut offsets: TaskOffsets| {
            offsets.retain(|(id, partition), _| {
                subtopologies.get(id).is_some_and(|of| (0..of.tasks).contains(partition))
            });
            (member.clone(), offsets)
        };
        self.own.soft.task_offsets.extend(reported.offsets.map(known));
        self.own.soft.task_end_offsets.extend(reported.end_offsets.map(known));
    }

    /// Removes a member and what it reported.
    fn remove_member(&mut self, id: &str) {
        self.forget(id);
        let is_empty = self.is_empty();
        let soft = &mut self.own.soft;
        soft.task_offsets.remove(id);
        soft.task_end_offsets.remove(id);
        if is_empty {
            soft.shutdown_requested_by = None;
        }
    }
}

#[cfg(test)]
impl StreamsGroup {
    /// The group with only what is in the log.
    pub(super) fn kept(&self) -> StreamsGroup {
        let mut kept = self.clone();
        kept.own.soft = Soft::default();
        kept
    }

    /// Checks that no task belongs to two members, and that the owners agree with the members.
    pub(super) fn check(&self) {
        let mut owners = Owners::default();
        let mut active = std::collections::BTreeSet::new();
        for member in self.members() {
            for tasks in [&member.assigned, &member.pending_revocation] {
                owners.add(tasks, &member.own.process_id);
                let of = |(id, set): (&String, &BTreeMap<i32, i32>)| {
                    set.keys().map(|task| (id.clone(), *task)).collect::<Vec<_>>()
                };
                for task in tasks.active.iter().flat_map(of) {
                    assert!(active.insert(task.clone()), "{task:?} is with two members");
                }
            }
        }
        assert_eq!(owners, self.own.owners);
    }
}
