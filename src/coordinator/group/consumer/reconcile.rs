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

/// What a step depends on.
#[derive(Clone, Copy, Debug)]
pub struct Reconciliation<'a> {
    /// Who owns what.
    pub group: &'a ConsumerGroup,
    /// The epoch of the target.
    pub target_epoch: i32,
    /// What the member shall own.
    pub target: &'a Partitions,
    /// The topics that it subscribes to now.
    pub subscribed: &'a BTreeSet<Uuid>,
    /// Whether that has just changed.
    pub subscription_changed: bool,
    /// What the member says that it owns; None if it did not say.
    pub owned: Option<&'a Partitions>,
}

impl Reconciliation<'_> {
    /// The member after its next step; the same if it can make none.
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
            // A newer broker put it there. It begins anew, with nothing.
            State::Unknown if self.owned.is_some_and(BTreeMap::is_empty) => {
                self.advance(member, self.target_epoch)
            }
            State::Unknown => return Err(member.is_in_unknown_state()),
        })
    }

    /// Whether it has not yet given all of these back. A heartbeat that does not say counts as yes.
    fn still_owns(&self, revoked: &EpochPartitions) -> bool {
        let Some(owned) = self.owned else { return true };
        let is_revoked =
            |topic, index| revoked.get(topic).is_some_and(|topic| topic.contains_key(index));
        owned.iter().any(|(topic, partitions)| partitions.iter().any(|i| is_revoked(topic, i)))
    }

    /// Takes away partitions of topics that it has just unsubscribed from, target or not.
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

    /// Goes as far towards the target as it can. `epoch` is where it stays if it has to give
    /// something back.
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

    /// Adds what it shall own and nobody else does; answers whether someone else owns some of it.
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
