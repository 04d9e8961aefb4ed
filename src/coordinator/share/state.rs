//! What is kept of a share partition (ShareGroupOffset).

use super::batches::{DeliveryBatch, DeliveryBatches};
use crate::types::{LeaderEpoch, NO_EPOCH, Offset, Timestamp};
use std::cmp::Ordering;

/// The start offset of a group that has not begun.
pub const NO_START: Offset = -1;
/// The number of records that are done, if nobody has counted them.
pub const NOT_COUNTED: i32 = -1;

/// All that is kept of a share partition, as a snapshot has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// How many snapshots there were before.
    pub snapshot_epoch: i32,
    /// The epoch of the group that initialized it.
    pub state_epoch: i32,
    /// The epoch of the leader that read it.
    pub leader_epoch: LeaderEpoch,
    /// The first offset that is not done; -1 if the group has not begun.
    pub start_offset: Offset,
    /// How many records from there on are done; -1 if it is not known.
    pub delivery_complete_count: i32,
    /// When it was written because of a request.
    pub created: Timestamp,
    /// When it was written last. It is later than `created` if it was written again when idle.
    pub written: Timestamp,
    /// The records from the start offset on that are not as new.
    pub batches: DeliveryBatches,
}

/// What changes in the state of a share partition. Fields that are -1 do not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareUpdate {
    /// The epoch of the snapshot that it changes.
    pub snapshot_epoch: i32,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The start offset.
    pub start_offset: Offset,
    /// The number of records from there on that are done; here -1 says that it is not known.
    pub delivery_complete_count: i32,
    /// The records whose state has changed.
    pub batches: DeliveryBatches,
}

/// What a leader writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareWrite {
    /// The group's epoch, as the leader has read it.
    pub state_epoch: i32,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The first offset that is not done; -1 does not change it.
    pub start_offset: Offset,
    /// How many records from there on are done; -1 if it is not known.
    pub delivery_complete_count: i32,
    /// The records whose state has changed.
    pub batches: Vec<DeliveryBatch>,
}

impl ShareWrite {
    /// Joins it with a later write of the same leader; a write in other epochs takes its place.
    pub fn join(&mut self, later: ShareWrite) {
        let is_same_leader =
            (self.state_epoch, self.leader_epoch) == (later.state_epoch, later.leader_epoch);
        if !is_same_leader {
            *self = later;
            return;
        }
        let start = self.start_offset.cmp(&later.start_offset);
        let count = self.delivery_complete_count;
        self.delivery_complete_count = newer_count(start, count, later.delivery_complete_count);
        self.start_offset = self.start_offset.max(later.start_offset);
        self.batches.extend(later.batches);
    }
}

/// The number of records that are done, of two that belong to start offsets in this order.
fn newer_count(starts: Ordering, one: i32, other: i32) -> i32 {
    match starts {
        Ordering::Less => other,
        Ordering::Equal => one.max(other),
        Ordering::Greater => one,
    }
}

impl ShareState {
    /// The state that a group begins with.
    pub fn new(
        snapshot_epoch: i32,
        state_epoch: i32,
        start_offset: Offset,
        now: Timestamp,
    ) -> ShareState {
        ShareState {
            snapshot_epoch,
            state_epoch,
            leader_epoch: 0,
            start_offset,
            delivery_complete_count: if start_offset == NO_START { NOT_COUNTED } else { 0 },
            created: now,
            written: now,
            batches: DeliveryBatches::default(),
        }
    }

    /// The state of a partition whose snapshot is missing.
    pub fn without_snapshot(update: &ShareUpdate) -> ShareState {
        ShareState { snapshot_epoch: update.snapshot_epoch, ..ShareState::new(0, 0, NO_START, 0) }
    }

    /// What a leader's write changes. A write that is late does not bring back what is done.
    pub fn update(&self, write: &ShareWrite) -> ShareUpdate {
        let start_offset = self.start_offset.max(write.start_offset);
        let delivery_complete_count = newer_count(
            self.start_offset.cmp(&write.start_offset),
            self.delivery_complete_count,
            write.delivery_complete_count,
        );
        let mut batches = DeliveryBatches::combine(&write.batches);
        batches.forget_before(start_offset);
        ShareUpdate { start_offset, delivery_complete_count, batches, ..self.unchanged() }
    }

    /// That a new leader has read the state.
    pub fn led_by(&self, leader_epoch: LeaderEpoch) -> ShareUpdate {
        ShareUpdate { leader_epoch, ..self.unchanged() }
    }

    fn unchanged(&self) -> ShareUpdate {
        ShareUpdate {
            snapshot_epoch: self.snapshot_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: self.start_offset,
            delivery_complete_count: self.delivery_complete_count,
            batches: DeliveryBatches::default(),
        }
    }

    /// Changes it as `update` says.
    pub fn apply(&mut self, update: &ShareUpdate) {
        if update.leader_epoch != NO_EPOCH {
            self.leader_epoch = update.leader_epoch;
        }
        if update.start_offset != NO_START {
            self.start_offset = update.start_offset;
        }
        self.delivery_complete_count = update.delivery_complete_count;
        self.batches = self.batches.merge(&update.batches);
        self.batches.forget_before(self.start_offset);
    }

    /// The next snapshot, written at `now` although nobody has asked for it.
    pub fn again(&self, now: Timestamp) -> ShareState {
        ShareState {
            snapshot_epoch: self.snapshot_epoch.wrapping_add(1),
            written: now,
            ..self.clone()
        }
    }

    /// The next snapshot, with a change.
    pub fn with(&self, update: &ShareUpdate, now: Timestamp) -> ShareState {
        let mut next = ShareState { created: now, ..self.again(now) };
        next.apply(update);
        next
    }
}
