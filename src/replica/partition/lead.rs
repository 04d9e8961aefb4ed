//! What a leader does with its followers: it notes how far they are, advances the high watermark,
//! and decides who should join the ISR and who should leave it. The controller has the last word.

use super::follower::Follower;
use super::isr::{Isr, IsrChange, IsrCommitted};
use super::state::{PartitionState, Role};
use super::{Partition, PartitionFetch};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::metadata::Broker;
use crate::sync::write;
use crate::types::{BrokerId, NO_EPOCH, Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// The broker that replicates with a fetch (ReplicaState in the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchingReplica {
    /// Its id.
    pub id: BrokerId,
    /// The epoch of its registration, -1 if it does not tell.
    pub broker_epoch: i64,
}

impl Partition {
    /// Whether `follower` may fetch. The error for a broker that is not a replica makes it try
    /// again, because it may have heard earlier of a reassignment
    /// (Partition.followerReplicaOrThrow).
    pub fn check_follower(&self, follower: BrokerId, asked: &PartitionFetch) -> Result<()> {
        let state = self.state();
        state.check_leader(asked.current_leader_epoch)?;
        if state.follower(follower).is_some() {
            return Ok(());
        }
        Err(Error::Code(if asked.current_leader_epoch == NO_EPOCH {
            ResponseError::NotLeaderOrFollower
        } else {
            ResponseError::UnknownLeaderEpoch
        }))
    }

    /// Whether `follower` is in the committed ISR.
    pub(in crate::replica) fn is_in_sync(&self, follower: BrokerId) -> bool {
        match &self.state().role {
            Role::Leader { isr, .. } => isr.members().contains(&follower),
            Role::Follower { .. } => false,
        }
    }

    /// Takes note of a follower's fetch, when the log ended at `leader_end`
    /// (Partition.updateFollowerFetchState). NOT_LEADER_OR_FOLLOWER if the follower has registered
    /// again since it sent the fetch.
    pub(in crate::replica) fn followed(
        &self,
        by: FetchingReplica,
        asked: &PartitionFetch,
        leader_end: Offset,
        now: Timestamp,
    ) -> Result<()> {
        let registered = self.broker(by.id).filter(|broker| !broker.fenced);
        if by.broker_epoch != -1 && registered.is_some_and(|broker| broker.epoch > by.broker_epoch)
        {
            return Err(Error::Code(ResponseError::NotLeaderOrFollower));
        }
        let mut state = write(&self.state);
        // The epoch may have changed since the read.
        if state.check_leader(asked.current_leader_epoch).is_err() {
            return Ok(());
        }
        let Some(follower) = state.follower_mut(by.id) else { return Ok(()) };
        let before = (follower.log_end, follower.log_start);
        let (end, start) = (asked.fetch_offset, asked.log_start);
        follower.fetched(end, start, by.broker_epoch, leader_end, now);
        let has_moved = before != (end, start);
        if !has_moved && !state.is_outside_isr(by.id) {
            return Ok(());
        }
        let mut log = self.log()?;
        self.propose_to_join(&mut state, by.id, log.high_watermark());
        if has_moved {
            let before_it = log.high_watermark();
            let high_watermark = self.advance_high_watermark(&state, &mut log, now);
            self.note_moved();
            drop(log);
            drop(state);
            if high_watermark > before_it || start != before.1 {
                self.waiters.moved(high_watermark);
            }
        }
        Ok(())
    }

    /// Asks the controller to add a follower that has all committed records to the ISR. It must
    /// have reached the leader's epoch: before, records above the high watermark may be committed
    /// that it does not have (Partition.maybeExpandIsr).
    fn propose_to_join(&self, state: &mut PartitionState, id: BrokerId, high_watermark: Offset) {
        let epoch_start = state.epoch_start();
        let may_join = state.follower(id).is_some_and(|follower| {
            follower.log_end >= high_watermark.max(epoch_start) && self.is_eligible(follower)
        });
        let Role::Leader { isr, .. } = &state.role else { return };
        if may_join && !isr.is_pending() && !isr.members().contains(&id) {
            let members = isr.members().iter().copied().chain([id]).collect();
            self.ask(state, members, Some(id));
        }
    }

    /// Asks the controller to remove those from the ISR that have not been up to date for
    /// `replica.lag.time.max.ms` (Partition.maybeShrinkIsr).
    pub(in crate::replica) fn shrink_isr(&self, now: Timestamp) -> Result<()> {
        if !self.state().may_shrink() {
            return Ok(());
        }
        let mut state = write(&self.state);
        let log = self.log()?;
        let (log_end, lag_max_ms) = (log.log_end_offset(), self.lag_max_ms());
        let Role::Leader { isr, followers, .. } = &state.role else { return Ok(()) };
        let stays = |id: &BrokerId| {
            let follower = followers.iter().find(|follower| follower.id == *id);
            *id == self.common.broker_id
                || follower.is_some_and(|follower| follower.is_caught_up(log_end, now, lag_max_ms))
        };
        let members: Vec<BrokerId> = isr.members().iter().copied().filter(stays).collect();
        if isr.is_pending() || members.len() == isr.members().len() {
            return Ok(());
        }
        let late: Vec<String> = followers
            .iter()
            .filter(|follower| isr.members().contains(&follower.id) && !stays(&follower.id))
            .map(|late| format!("{} at {}, {} ms late", late.id, late.log_end, late.lag_ms(now)))
            .collect();
        let (name, from, late) = (&self.topic_partition, isr.members(), late.join("; "));
        tracing::info!("{name} ends at {log_end}: ISR {from:?} to become {members:?}: {late}");
        self.ask(&mut state, members, None);
        Ok(())
    }

    fn ask(&self, state: &mut PartitionState, members: Vec<BrokerId>, joining: Option<BrokerId>) {
        let (leader_epoch, partition_epoch) = (state.leader_epoch, state.partition_epoch);
        let Role::Leader { isr, followers, .. } = &mut state.role else { return };
        let broker_epoch = |id| {
            let follower = followers.iter().find(|follower| follower.id == id);
            follower.and_then(|follower| follower.broker_epoch).unwrap_or(-1)
        };
        let members = members.into_iter().map(|id| (id, broker_epoch(id))).collect();
        isr.ask(IsrChange { isr: members, leader_epoch, partition_epoch }, joining);
        self.common.isr_changes.add(self.id(), &self.this);
    }

    /// The change of the ISR that the controller is asked for.
    pub(in crate::replica) fn isr_change(&self) -> Option<IsrChange> {
        match &self.state().role {
            Role::Leader { isr, .. } => isr.asked().cloned(),
            Role::Follower { .. } => None,
        }
    }

    /// Takes the controller's answer to `asked`; returns whether it has to be asked again. After
    /// errors that say that it knows more, the change stays pending until the metadata log tells
    /// (Partition.submitAlterPartition).
    pub(in crate::replica) fn conclude_isr_change(
        &self,
        asked: &IsrChange,
        answer: Result<IsrCommitted, ResponseError>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut state = write(&self.state);
        let (leader_epoch, partition_epoch) = (state.leader_epoch, state.partition_epoch);
        let name = &self.topic_partition;
        let isr = match &mut state.role {
            Role::Leader { isr, .. } if isr.asked() == Some(asked) => isr,
            _ => return Ok(false),
        };
        let committed = match answer {
            Ok(committed) => committed,
            Err(error) => {
                tracing::debug!("{name}: ISR {:?} not committed: {error}", asked.isr);
                if matches!(
                    error,
                    ResponseError::OperationNotAttempted | ResponseError::IneligibleReplica
                ) {
                    isr.revert();
                }
                return Ok(!is_final(error));
            }
        };
        if committed.leader_epoch != leader_epoch || committed.partition_epoch < partition_epoch {
            return Ok(false);
        }
        tracing::info!("{name}: ISR {:?} from {:?}", committed.isr, isr.members());
        *isr = Isr::committed(committed.isr);
        state.partition_epoch = committed.partition_epoch;
        let mut log = self.log()?;
        let high_watermark = self.advance_high_watermark(&state, &mut log, now);
        self.note_moved();
        drop(log);
        drop(state);
        self.waiters.moved(high_watermark);
        Ok(false)
    }

    /// Advances the high watermark to what all in-sync replicas have, and returns it. It waits for
    /// those that may be in the ISR and for those about to join, which could never reach it
    /// otherwise; and it stays where it is while the ISR is too small
    /// (Partition.maybeIncrementLeaderHW). The caller notes that the partition has moved.
    pub(super) fn advance_high_watermark(
        &self,
        state: &PartitionState,
        log: &mut Log,
        now: Timestamp,
    ) -> Offset {
        let current = log.high_watermark();
        let Role::Leader { isr, followers, .. } = &state.role else { return current };
        if state.is_below_min_isr(log.config()) {
            return current;
        }
        let log_end = log.log_end_offset();
        let mut reached = log_end;
        for follower in followers {
            if follower.log_end < reached
                && (isr.may_contain(follower.id) || self.is_joining(follower, log_end, now))
            {
                reached = follower.log_end;
            }
        }
        if reached > current {
            log.set_high_watermark(reached);
        }
        log.high_watermark()
    }

    fn is_joining(&self, follower: &Follower, log_end: Offset, now: Timestamp) -> bool {
        follower.is_caught_up(log_end, now, self.lag_max_ms()) && self.is_eligible(follower)
    }

    /// Whether the controller would accept the follower in the ISR: the metadata says that it runs,
    /// and it has fetched since it registered (Partition.isReplicaIsrEligible).
    fn is_eligible(&self, follower: &Follower) -> bool {
        let Some(broker_epoch) = follower.broker_epoch else { return false };
        self.broker(follower.id).is_some_and(|broker| {
            !broker.fenced
                && !broker.in_controlled_shutdown
                && (broker_epoch == -1 || broker_epoch == broker.epoch)
        })
    }

    /// The offset below which no live replica has records any more (lowWatermarkIfLeader).
    pub(super) fn low_watermark(&self, state: &PartitionState, log: &Log) -> Offset {
        let is_alive = |id| self.broker(id).is_some_and(|broker| !broker.fenced);
        let mut low_watermark = log.log_start_offset();
        for follower in state.followers() {
            if follower.log_start < low_watermark && is_alive(follower.id) {
                low_watermark = follower.log_start;
            }
        }
        low_watermark
    }

    fn broker(&self, id: BrokerId) -> Option<Arc<Broker>> {
        self.common.broker(id)
    }

    /// Looks again whether the high watermark may advance: it no longer waits for a follower that
    /// is fenced, and no fetch or append has to come that would notice.
    pub(in crate::replica) fn reconsider(&self, now: Timestamp) -> Result<()> {
        let state = self.state();
        if !state.has_followers() {
            return Ok(());
        }
        let mut log = self.log()?;
        let before = log.high_watermark();
        let high_watermark = self.advance_high_watermark(&state, &mut log, now);
        if high_watermark > before {
            self.note_moved();
            drop(log);
            drop(state);
            self.waiters.moved(high_watermark);
        }
        Ok(())
    }

    fn lag_max_ms(&self) -> i64 {
        self.common.config.get().replica_lag_time_max_ms
    }
}

/// Whether an error of AlterPartition makes another attempt pointless.
fn is_final(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::OperationNotAttempted
            | ResponseError::IneligibleReplica
            | ResponseError::UnknownTopicOrPartition
            | ResponseError::UnknownTopicId
            | ResponseError::FencedLeaderEpoch
            | ResponseError::InvalidUpdateVersion
            | ResponseError::InvalidRequest
            | ResponseError::NewLeaderElected
    )
}
