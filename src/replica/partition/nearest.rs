//! Which replica a consumer should read from (KIP-392, RackAwareReplicaSelector).

use super::Partition;
use super::follower::Follower;
use super::state::{PartitionState, Role};
use crate::log::Log;
use crate::types::{BrokerId, Offset};
use std::sync::Arc;

/// Where a consumer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its `client.rack`.
    pub rack: String,
    /// The listener it uses; a replica without that listener is out of its reach.
    pub listener: Arc<str>,
}

impl Partition {
    /// The replica from which a consumer at `location` should fetch from `offset` on, if it is
    /// another than this leader: one in its rack that is in the ISR and has the offset. Of several,
    /// the one that is furthest, and was up to date last.
    pub(super) fn nearest(
        &self,
        state: &PartitionState,
        log: &Log,
        location: &Location,
        offset: Offset,
    ) -> Option<BrokerId> {
        let Role::Leader { isr, followers, .. } = &state.role else { return None };
        if offset > log.log_end_offset() || self.is_near(self.common.broker_id, location) {
            return None;
        }
        let is_fit = |follower: &&Follower| {
            isr.members().contains(&follower.id)
                && (follower.log_start..=follower.log_end).contains(&offset)
                && self.is_near(follower.id, location)
        };
        let rank = |follower: &&Follower| (follower.log_end, follower.caught_up, follower.id);
        followers.iter().filter(is_fit).max_by_key(rank).map(|nearest| nearest.id)
    }

    fn is_near(&self, id: BrokerId, location: &Location) -> bool {
        self.common.broker(id).is_some_and(|broker| {
            !broker.fenced
                && broker.rack.as_ref() == Some(&location.rack)
                && broker.listeners.iter().any(|(name, ..)| **name == *location.listener)
        })
    }
}
