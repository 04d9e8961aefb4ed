//! One partition: its log behind one lock, its role, its high watermark, its waiters.

use crate::error::Result;
use crate::log::{Appended, Log, Origin, Read};
use crate::record::Batch;
use crate::types::{Isolation, LeaderEpoch, Offset, Timestamp};
use std::sync::{Arc, MutexGuard};
use uuid::Uuid;

/// A partition of this broker.
#[derive(Debug)]
pub struct Partition {}

/// The offsets an answer shows beside the records, all of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Offsets {
    pub log_start: Offset,
    pub log_end: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
}

#[allow(missing_docs)]
impl Partition {
    pub fn topic(&self) -> &Arc<str> {
        todo!("replica engineer")
    }
    pub fn topic_id(&self) -> Uuid {
        todo!()
    }
    pub fn index(&self) -> i32 {
        todo!()
    }
    pub fn leader_epoch(&self) -> LeaderEpoch {
        todo!()
    }
    /// The log; never held across an await, never while doing slow I/O.
    pub fn log(&self) -> Result<MutexGuard<'_, Log>> {
        todo!()
    }
    pub fn offsets(&self) -> Result<Offsets> {
        todo!()
    }
    /// Appends as the leader of `leader_epoch` (-1: any), moves the high watermark and wakes who
    /// waited. `required_acks` -1 asks for min.insync.replicas first.
    pub fn append(
        &self,
        batches: Vec<Batch>,
        leader_epoch: LeaderEpoch,
        origin: Origin,
        required_acks: i16,
        now: Timestamp,
    ) -> Result<Appended> {
        let _ = (batches, leader_epoch, origin, required_acks, now);
        todo!()
    }
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<(Read, Offsets)> {
        let _ = (from, max_bytes, isolation, at_least_one);
        todo!()
    }
    /// Resolves when the high watermark reaches `offset`; REQUEST_TIMED_OUT after `timeout_ms`,
    /// NOT_LEADER_OR_FOLLOWER if leadership goes.
    pub async fn wait_for_high_watermark(&self, offset: Offset, timeout_ms: i32) -> Result<()> {
        let _ = (offset, timeout_ms);
        todo!()
    }
}
