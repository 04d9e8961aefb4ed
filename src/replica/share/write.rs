//! What the share coordinator is to keep of a share partition.

use super::runs::State;
use crate::types::Offset;

/// Records in the same state (PersisterStateBatch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBatch {
    /// The offset of the first one.
    pub first: Offset,
    /// The offset of the last one.
    pub last: Offset,
    /// Their state.
    pub state: State,
    /// How often they were delivered.
    pub deliveries: i16,
}

/// Why a record is not delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A member has rejected it.
    Rejected,
    /// It was delivered as often as the group allows, and not processed.
    TooManyDeliveries,
}

/// Records that are not delivered again although nobody has processed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The offset of the first one.
    pub first: Offset,
    /// The offset of the last one.
    pub last: Offset,
    /// How often they were delivered.
    pub deliveries: i16,
    /// Why they are given up.
    pub reason: Reason,
}

/// A change of a share partition, for the share coordinator. StateChanges are written in the order in
/// which they were made, and each one's result is told to
/// [`SharePartition::written`](super::SharePartition::written).
#[must_use]
#[derive(Debug)]
pub struct StateWrite {
    /// The epoch of the state, as it was read.
    pub state_epoch: i32,
    /// Everything before this offset is finished.
    pub start_offset: Offset,
    /// The number of records from `start_offset` on that are finished.
    pub delivery_complete_count: i32,
    /// What has changed.
    pub batches: Vec<StateBatch>,
    pub(super) given_up: Vec<GivenUp>,
    /// The change is made even if it cannot be written.
    pub(super) is_certain: bool,
}

/// The changes that one operation has made.
#[derive(Debug, Default)]
pub(super) struct StateChanges {
    pub(super) batches: Vec<StateBatch>,
    pub(super) given_up: Vec<GivenUp>,
}

impl StateChanges {
    /// Notes the new state of some records, and why they are given up, if they are.
    pub(super) fn add(&mut self, batch: StateBatch, reason: Option<Reason>) {
        let StateBatch { first, last, state, deliveries } = batch;
        match self.batches.last_mut() {
            Some(left)
                if left.last + 1 == first
                    && (left.state, left.deliveries) == (state, deliveries) =>
            {
                left.last = last;
            }
            _ => self.batches.push(batch),
        }
        let Some(reason) = reason else { return };
        match self.given_up.last_mut() {
            Some(left)
                if left.last + 1 == first
                    && (left.reason, left.deliveries) == (reason, deliveries) =>
            {
                left.last = last;
            }
            _ => self.given_up.push(GivenUp { first, last, deliveries, reason }),
        }
    }
}
