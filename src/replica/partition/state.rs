//! A partition's role and epochs, and what they allow.

use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::types::{BrokerId, LeaderEpoch, NO_EPOCH, Offset};
use kafka_protocol::error::ResponseError;

/// The partition's state according to the metadata log.
#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) partition_epoch: i32,
    pub(super) replicas: Vec<BrokerId>,
    pub(super) role: Role,
}

/// This broker's role in the partition.
#[derive(Debug)]
pub(super) enum Role {
    /// This broker leads.
    Leader {
        isr: Vec<BrokerId>,
        /// The log end offset when the epoch began.
        epoch_start: Offset,
    },
    /// Another broker leads, or none does.
    Follower {
        /// The broker that leads, to be followed; None if there is none.
        leader: Option<BrokerId>,
        /// The high watermark when this broker last ceased to lead: what it had appended below was
        /// replicated to the ISR. 0 if it never led.
        led_to: Offset,
    },
}

impl PartitionState {
    pub(super) fn check_leader(&self, epoch: LeaderEpoch) -> Result<()> {
        if epoch != NO_EPOCH && epoch < self.leader_epoch {
            return Err(Error::Code(ResponseError::FencedLeaderEpoch));
        }
        if epoch != NO_EPOCH && epoch > self.leader_epoch {
            return Err(Error::Code(ResponseError::UnknownLeaderEpoch));
        }
        match self.role {
            Role::Leader { .. } => Ok(()),
            Role::Follower { .. } => Err(Error::Code(ResponseError::NotLeaderOrFollower)),
        }
    }

    /// Whether this broker leads with an ISR that has fewer than `min.insync.replicas` members. If
    /// the partition has fewer replicas than that, all of them are enough (effectiveMinIsr).
    pub(super) fn is_below_min_isr(&self, config: &TopicConfig) -> bool {
        match &self.role {
            Role::Leader { isr, .. } => {
                isr.len() < (config.min_insync_replicas as usize).min(self.replicas.len())
            }
            Role::Follower { .. } => false,
        }
    }

    pub(super) fn epoch_start(&self) -> Offset {
        match self.role {
            Role::Leader { epoch_start, .. } => epoch_start,
            Role::Follower { .. } => 0,
        }
    }
}
