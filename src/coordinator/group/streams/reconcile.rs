//! Brings a member step by step to its target assignment: it gives back what it is to lose, then
//! gets what others have given back (CurrentAssignmentBuilder).

use super::member::StreamsMember;
use super::tasks::{Assigned, Owners, TaskIds, Tasks};
use crate::coordinator::group::modern::MemberState;
use crate::error::Result;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a step depends on, besides the member.
#[derive(Debug)]
pub struct Reconciliation<'a> {
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// What the target assignment gives the member.
    pub target: &'a Tasks,
    /// Which process has each task.
    pub owners: &'a Owners,
    /// What the member says it owns; None if it does not say.
    pub owned: Option<&'a Tasks>,
}

#[derive(Default)]
struct Next {
    assigned: Assigned,
    pending_revocation: Assigned,
    pending_assignment: Assigned,
    /// Whether some of its tasks still belong to others.
    unreleased: bool,
}

impl Reconciliation<'_> {
    /// The member after one step, which may leave it unchanged.
    pub fn step(&self, member: &StreamsMember) -> Result<StreamsMember> {
        match member.state {
            MemberState::Stable if member.epoch == self.target_epoch => Ok(member.clone()),
            MemberState::Stable | MemberState::Unreleased => Ok(self.next(member, member.epoch)),
            MemberState::Unrevoked => {
                let has_revoked = |owned: &Tasks| !owned.contains_any(&member.pending_revocation);
                match self.owned.is_some_and(has_revoked) {
                    true => Ok(self.next(member, member.epoch + 1)),
                    false => Ok(member.clone()),
                }
            }
            MemberState::Unknown if self.owned.is_none_or(|owned| !owned.is_empty()) => {
                Err(member.is_in_unknown_state())
            }
            MemberState::Unknown => Ok(self.next(member, self.target_epoch)),
        }
    }

    fn next(&self, member: &StreamsMember, epoch: i32) -> StreamsMember {
        let mut next = Next::default();
        let process = member.own.process_id.as_str();
        self.split_active(member, &mut next);
        let is_unreleased = |subtopology: &str, task: i32| {
            self.owners.active(subtopology, task) == Some(process)
                || self.owners.is_kept_by(subtopology, task, process)
        };
        let standby = split(&member.assigned.standby, &self.target.standby, is_unreleased);
        let warmup = split(&member.assigned.warmup, &self.target.warmup, is_unreleased);
        next.unreleased |= standby.unreleased || warmup.unreleased;
        (next.assigned.standby, next.assigned.warmup) = (standby.keep, warmup.keep);
        (next.pending_revocation.standby, next.pending_revocation.warmup) =
            (standby.revoke, warmup.revoke);
        (next.pending_assignment.standby, next.pending_assignment.warmup) =
            (standby.assign, warmup.assign);
        self.conclude(member, epoch, next)
    }

    /// Splits the active tasks, and keeps the epochs of those that the member keeps. An active task
    /// is free if no process has it and the member's own process has no copy of it.
    fn split_active(&self, member: &StreamsMember, next: &mut Next) {
        let assigned = &member.assigned.active;
        let parts =
            split(&member.assigned.active_ids(), &self.target.active, |subtopology, task| {
                self.owners.active(subtopology, task).is_some()
                    || self.owners.is_kept_by(subtopology, task, &member.own.process_id)
            });
        let with_epochs = |ids: TaskIds| {
            let of = |(id, set): (String, BTreeSet<i32>)| {
                let had = assigned.get(&id);
                let epoch = |task: i32| had.and_then(|had| had.get(&task)).copied();
                let with = |task| (task, epoch(task).unwrap_or(self.target_epoch));
                let tasks = set.into_iter().map(with).collect();
                (id, tasks)
            };
            ids.into_iter().map(of).collect()
        };
        next.assigned.active = with_epochs(parts.keep);
        next.pending_revocation.active = with_epochs(parts.revoke);
        next.pending_assignment.active = with_epochs(parts.assign);
        next.unreleased = parts.unreleased;
    }

    fn conclude(&self, member: &StreamsMember, epoch: i32, next: Next) -> StreamsMember {
        let must_revoke = !next.pending_revocation.is_empty()
            && self.owned.is_none_or(|owned| owned.contains_any(&next.pending_revocation));
        let (state, epoch, assigned, pending_revocation) = if must_revoke {
            (MemberState::Unrevoked, epoch, next.assigned, next.pending_revocation)
        } else {
            let state = match next.unreleased {
                true => MemberState::Unreleased,
                false => MemberState::Stable,
            };
            let assigned = next.assigned.merged(next.pending_assignment);
            (state, self.target_epoch, assigned, Assigned::default())
        };
        StreamsMember {
            previous_epoch: member.epoch,
            epoch,
            state,
            assigned: Arc::new(assigned),
            pending_revocation: Arc::new(pending_revocation),
            ..member.clone()
        }
    }
}

#[derive(Default)]
struct Parts {
    keep: TaskIds,
    revoke: TaskIds,
    assign: TaskIds,
    unreleased: bool,
}

/// Divides tasks into those of `current` that stay, those that have to go, and those of `target`
/// that can be added.
fn split(current: &TaskIds, target: &TaskIds, is_unreleased: impl Fn(&str, i32) -> bool) -> Parts {
    let none = BTreeSet::new();
    let mut parts = Parts::default();
    let ids: BTreeSet<&String> = current.keys().chain(target.keys()).collect();
    for id in ids {
        let (has, wants) = (current.get(id).unwrap_or(&none), target.get(id).unwrap_or(&none));
        let (unreleased, assign): (BTreeSet<i32>, BTreeSet<i32>) =
            wants.difference(has).partition(|task| is_unreleased(id, **task));
        parts.unreleased |= !unreleased.is_empty();
        let sets = [
            (&mut parts.keep, has & wants),
            (&mut parts.revoke, has - wants),
            (&mut parts.assign, assign),
        ];
        for (ids, set) in sets {
            if !set.is_empty() {
                ids.insert(id.clone(), set);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests;
