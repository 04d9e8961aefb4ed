//! The next step of a member towards its target (CurrentAssignmentBuilder).
//!
//! ```text
//!             target lacks what it owns            all given back
//!   Stable  ----------------------------> Unrevoked ----> Stable, or
//!     ^  `--------------------------------------------------------> Unreleased
//!     `------- others have given back what it waits for ----------------'
//! ```

use super::ConsumerGroup;
use super::member::{ConsumerMember, EpochPartitions};
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::modern::MemberState as State;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// What a step depends on, besides the member.
#[derive(Clone, Copy, Debug)]
pub struct Reconciliation<'a> {
    /// The group, which knows who owns what.
    pub group: &'a ConsumerGroup,
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// What the target assignment gives the member.
    pub target: &'a Partitions,
    /// The topics that the member subscribes to now.
    pub subscribed: &'a BTreeSet<Uuid>,
    /// Whether they have just changed.
    pub subscription_changed: bool,
    /// What the member says it owns; None if it does not say.
    pub owned: Option<&'a Partitions>,
}

impl Reconciliation<'_> {
    /// The member after one step, which may leave it unchanged.
    pub fn step(&self, member: &ConsumerMember) -> Result<ConsumerMember> {
        Ok(match member.state {
            State::Stable if member.epoch != self.target_epoch => {
                self.advance(member, member.epoch)
            }
            State::Stable => self.follow_subscription(member),
            State::Unrevoked if self.still_owns(&member.pending_revocation) => {
                self.follow_subscription(member)
            }
            State::Unrevoked | State::Unreleased => self.advance(member, member.epoch),
            // A newer broker put it into this state. It has to begin again, with nothing.
            State::Unknown if self.owned.is_some_and(BTreeMap::is_empty) => {
                self.advance(member, self.target_epoch)
            }
            State::Unknown => return Err(member.is_in_unknown_state()),
        })
    }

    /// Whether the member still has some of these partitions. If it does not say, it counts as
    /// having them.
    fn still_owns(&self, revoked: &EpochPartitions) -> bool {
        let Some(owned) = self.owned else { return true };
        let is_revoked =
            |topic, index| revoked.get(topic).is_some_and(|topic| topic.contains_key(index));
        owned.iter().any(|(topic, partitions)| partitions.iter().any(|i| is_revoked(topic, i)))
    }

    /// Takes away the partitions of topics that the member has just unsubscribed from, whatever the
    /// target.
    fn follow_subscription(&self, member: &ConsumerMember) -> ConsumerMember {
        let (kept, lost): (EpochPartitions, EpochPartitions) = (member.assigned.iter())
            .map(|(topic, partitions)| (*topic, partitions.clone()))
            .partition(|(topic, _)| self.subscribed.contains(topic));
        let mut next = member.clone();
        if !self.subscription_changed || lost.is_empty() {
            return next;
        }
        let mut revoked = EpochPartitions::clone(&member.pending_revocation);
        for (topic, partitions) in lost {
            revoked.entry(topic).or_default().extend(partitions);
        }
        next.move_to(member.epoch);
        next.assigned = Arc::new(kept);
        if self.still_owns(&revoked) {
            next.state = State::Unrevoked;
            next.pending_revocation = Arc::new(revoked);
        }
        next
    }

    /// Moves as far towards the target as possible. `epoch` is where the member stays if it has to
    /// give something back.
    fn advance(&self, member: &ConsumerMember, epoch: i32) -> ConsumerMember {
        let mut kept = EpochPartitions::new();
        let mut revoked = EpochPartitions::new();
        for (topic, partitions) in member.assigned.iter() {
            for (index, assigned_at) in partitions {
                let into = if self.wants(topic, *index) { &mut kept } else { &mut revoked };
                into.entry(*topic).or_default().insert(*index, *assigned_at);
            }
        }
        let mut next = member.clone();
        if !revoked.is_empty() && self.still_owns(&revoked) {
            next.move_to(epoch);
            next.state = State::Unrevoked;
            next.assigned = Arc::new(kept);
            next.pending_revocation = Arc::new(revoked);
            return next;
        }
        let is_waiting = self.take_free(member, &mut kept);
        next.move_to(self.target_epoch);
        next.state = if is_waiting { State::Unreleased } else { State::Stable };
        next.assigned = Arc::new(kept);
        next.pending_revocation = Arc::default();
        next
    }

    fn wants(&self, topic: &Uuid, index: i32) -> bool {
        self.subscribed.contains(topic)
            && self.target.get(topic).is_some_and(|partitions| partitions.contains(&index))
    }

    /// Adds the partitions of the target that are free. Returns whether others still own some of
    /// them.
    fn take_free(&self, member: &ConsumerMember, assigned: &mut EpochPartitions) -> bool {
        let mut is_waiting = false;
        let wanted = self.target.iter().filter(|(topic, _)| self.subscribed.contains(topic));
        for (topic, partitions) in wanted {
            let revoked = member.pending_revocation.get(topic);
            for index in partitions {
                if assigned.get(topic).is_some_and(|of_topic| of_topic.contains_key(index)) {
                    continue;
                }
                // It may have what it has itself just given back.
                let was_its_own = revoked.is_some_and(|revoked| revoked.contains_key(index));
                if self.group.is_owned(*topic, *index) && !was_its_own {
                    is_waiting = true;
                } else {
                    let of_topic = assigned.entry(*topic).or_default();
                    of_topic.insert(*index, self.target_epoch);
                }
            }
        }
        is_waiting
    }
}
