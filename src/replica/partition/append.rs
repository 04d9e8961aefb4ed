//! Appends as the leader.

use super::Partition;
use crate::error::{Error, Result};
use crate::log::{Appended, Log, Origin, Verification, VerificationRequest};
use crate::record::Batch;
use crate::types::{LeaderEpoch, NO_EPOCH, Timestamp};
use kafka_protocol::error::ResponseError;

/// Batches to append, with what decides whether they may be.
#[derive(Clone, Debug)]
pub struct Append {
    /// In the order in which they get their offsets.
    pub batches: Vec<Batch>,
    /// The kind of sender.
    pub origin: Origin,
    /// The state of the check with the transaction coordinator, for transactional batches.
    pub verification: Verification,
}

impl Partition {
    /// Appends as the leader in `leader_epoch` (-1: any), advances the high watermark and wakes
    /// waiters. With `required_acks` -1, fails with NOT_ENOUGH_REPLICAS if the ISR is below
    /// `min.insync.replicas`.
    pub fn append(
        &self,
        batches: Vec<Batch>,
        leader_epoch: LeaderEpoch,
        origin: Origin,
        required_acks: i16,
        now: Timestamp,
    ) -> Result<Appended> {
        let append = Append { batches, origin, verification: Verification::NotNeeded };
        self.append_verified(append, leader_epoch, required_acks, now)
    }

    /// As `append`, but a transactional batch may begin a transaction only if it was verified.
    pub fn append_verified(
        &self,
        append: Append,
        leader_epoch: LeaderEpoch,
        required_acks: i16,
        now: Timestamp,
    ) -> Result<Appended> {
        let state = self.state();
        state.check_leader(leader_epoch)?;
        if required_acks == -1 && state.is_below_min_isr(&self.config()) {
            return Err(Error::Code(ResponseError::NotEnoughReplicas));
        }
        let mut log = self.log()?;
        let appended = self.append_to(&mut log, append, state.leader_epoch, now)?;
        let high_watermark = self.advance_high_watermark(&state, &mut log, now);
        self.note_moved();
        drop(log);
        drop(state);
        self.waiters.moved(high_watermark);
        Ok(appended)
    }

    /// On a full disk a producer is refused, while a coordinator's append uses the reserve.
    fn append_to(
        &self,
        log: &mut Log,
        append: Append,
        leader_epoch: LeaderEpoch,
        now: Timestamp,
    ) -> Result<Appended> {
        let Append { batches, origin, verification } = append;
        let mut append =
            |batches| log.append_verified(batches, leader_epoch, origin, verification, now);
        if origin == Origin::Client {
            self.dir().check_room()?;
            return self.dir().observe(append(batches));
        }
        match append(batches.clone()) {
            Err(error) if error.is_disk_full() && self.dir().release_reserve(&error) => {
                self.dir().observe(append(batches))
            }
            appended => self.dir().observe(appended),
        }
    }

    /// Begins the check of a producer's transaction with its coordinator. Fails unless this broker
    /// leads; otherwise as `Log::start_verification`.
    pub fn start_verification(
        &self,
        asked: VerificationRequest,
        now: Timestamp,
    ) -> Result<Verification> {
        let state = self.state();
        state.check_leader(NO_EPOCH)?;
        self.log()?.start_verification(asked, now)
    }
}
