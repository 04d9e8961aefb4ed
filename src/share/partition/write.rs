//! What the share coordinator is to keep of a share partition.

use crate::coordinator::share::{DeliveryBatch, ShareWrite};
use crate::types::Offset;

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

/// A change of a share partition. Changes are written in the order in which they were made, and
/// each one's result is told to [`SharePartition::written`](super::SharePartition::written).
#[must_use]
#[derive(Debug)]
pub struct StateWrite {
    /// What the share coordinator is to keep.
    pub change: ShareWrite,
    pub(super) given_up: Vec<GivenUp>,
    /// The change is made even if it cannot be written.
    pub(super) is_certain: bool,
}

/// The changes that one operation has made.
#[derive(Debug, Default)]
pub(super) struct StateChanges {
    pub(super) batches: Vec<DeliveryBatch>,
    pub(super) given_up: Vec<GivenUp>,
}

impl StateChanges {
    /// Notes the new state of some records, and why they are given up, if they are.
    pub(super) fn add(&mut self, batch: DeliveryBatch, reason: Option<Reason>) {
        let DeliveryBatch { first, last, state, count: deliveries } = batch;
        match self.batches.last_mut() {
            Some(left)
                if left.last + 1 == first && (left.state, left.count) == (state, deliveries) =>
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
