//! A partition's role and epochs, and what they allow.

use super::follower::Follower;
use super::isr::Isr;
use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::metadata::{self, topics::NO_LEADER};
use crate::types::{BrokerId, LeaderEpoch, NO_EPOCH, Offset, Timestamp};
use kafka_protocol::error::ResponseError;

/// The partition's state according to the metadata log, and to the controller's answers.
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
        isr: Isr,
        /// The other replicas.
        followers: Vec<Follower>,
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

impl Role {
    /// The role of a broker that does not lead, after this one.
    pub(super) fn follow(&self, leader: BrokerId, high_watermark: Offset) -> Role {
        let led_to = match self {
            Role::Leader { .. } => high_watermark,
            Role::Follower { led_to, .. } => *led_to,
        };
        Role::Follower { leader: (leader != NO_LEADER).then_some(leader), led_to }
    }
}

impl PartitionState {
    /// The state in which nothing is known of the partition.
    pub(super) fn unknown() -> PartitionState {
        PartitionState {
            leader_epoch: NO_EPOCH,
            partition_epoch: -1,
            replicas: Vec::new(),
            role: Role::Follower { leader: None, led_to: 0 },
        }
    }

    /// The role of the leader `id`, after this state. Followers that stay replicas are kept; with a
    /// new epoch, which begins at `log_end`, they begin anew, as does one that the controller has
    /// put out of the ISR: its directory may have failed, so nothing may wait for it until it
    /// fetches again. If the controller's answer came before the metadata log, the registration is
    /// no news of the ISR, and a change that was asked for in the meantime stays pending.
    pub(super) fn lead(
        &mut self,
        id: BrokerId,
        registration: &metadata::Partition,
        log_end: Offset,
        now: Timestamp,
    ) -> Role {
        let is_new_epoch = registration.leader_epoch > self.leader_epoch;
        let is_news = registration.partition_epoch > self.partition_epoch;
        let mut isr = Isr::committed(registration.isr.clone());
        let (mut known, mut epoch_start) = match &mut self.role {
            Role::Leader { isr: current, followers, epoch_start } => {
                if is_news {
                    let was_in = |id: &BrokerId| current.members().contains(id);
                    for follower in followers.iter_mut().filter(|one| was_in(&one.id)) {
                        if !isr.members().contains(&follower.id) {
                            follower.begin_anew(now, log_end, false);
                        }
                    }
                } else {
                    isr = std::mem::take(current);
                }
                (std::mem::take(followers), *epoch_start)
            }
            Role::Follower { .. } => (Vec::new(), log_end),
        };
        known.retain(|follower| registration.replicas.contains(&follower.id));
        for &replica in registration.replicas.iter().filter(|&&replica| replica != id) {
            if known.iter().all(|follower| follower.id != replica) {
                known.push(Follower::new(replica));
            }
        }
        if is_new_epoch {
            epoch_start = log_end;
            for follower in &mut known {
                let is_in_sync = registration.isr.contains(&follower.id);
                follower.begin_anew(now, log_end, is_in_sync);
            }
        }
        Role::Leader { isr, followers: known, epoch_start }
    }

    /// FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH unless `epoch` is the leader's (-1: any).
    pub(super) fn check_epoch(&self, epoch: LeaderEpoch) -> Result<()> {
        if epoch != NO_EPOCH && epoch < self.leader_epoch {
            return Err(Error::Code(ResponseError::FencedLeaderEpoch));
        }
        if epoch != NO_EPOCH && epoch > self.leader_epoch {
            return Err(Error::Code(ResponseError::UnknownLeaderEpoch));
        }
        Ok(())
    }

    /// As `check_epoch`, and NOT_LEADER_OR_FOLLOWER unless this broker leads.
    pub(super) fn check_leader(&self, epoch: LeaderEpoch) -> Result<()> {
        self.check_epoch(epoch)?;
        match self.role {
            Role::Leader { .. } => Ok(()),
            Role::Follower { .. } => Err(Error::Code(ResponseError::NotLeaderOrFollower)),
        }
    }

    /// Whether this broker leads with an ISR that has fewer than `min.insync.replicas` members.
    pub(super) fn is_below_min_isr(&self, config: &TopicConfig) -> bool {
        match &self.role {
            Role::Leader { isr, .. } => isr.members().len() < self.min_isr(config),
            Role::Follower { .. } => false,
        }
    }

    /// As `is_below_min_isr`, but a follower that is about to join counts.
    pub(super) fn is_certainly_below_min_isr(&self, config: &TopicConfig) -> bool {
        match &self.role {
            Role::Leader { isr, .. } => isr.maximal_len() < self.min_isr(config),
            Role::Follower { .. } => false,
        }
    }

    /// If the partition has fewer replicas than `min.insync.replicas`, all of them are enough
    /// (effectiveMinIsr).
    fn min_isr(&self, config: &TopicConfig) -> usize {
        (config.min_insync_replicas as usize).min(self.replicas.len())
    }

    /// Whether this broker leads and others follow.
    pub(super) fn has_followers(&self) -> bool {
        matches!(&self.role, Role::Leader { followers, .. } if !followers.is_empty())
    }

    /// Whether there is anybody to remove from the ISR, and no decision is awaited.
    pub(super) fn may_shrink(&self) -> bool {
        match &self.role {
            Role::Leader { isr, .. } => !isr.is_pending() && isr.members().len() > 1,
            Role::Follower { .. } => false,
        }
    }

    /// Whether `follower` could ask to join the ISR.
    pub(super) fn is_outside_isr(&self, follower: BrokerId) -> bool {
        match &self.role {
            Role::Leader { isr, .. } => !isr.is_pending() && !isr.members().contains(&follower),
            Role::Follower { .. } => false,
        }
    }

    /// The other replicas, if this broker leads.
    pub(super) fn followers(&self) -> &[Follower] {
        match &self.role {
            Role::Leader { followers, .. } => followers,
            Role::Follower { .. } => &[],
        }
    }

    pub(super) fn follower(&self, id: BrokerId) -> Option<&Follower> {
        self.followers().iter().find(|follower| follower.id == id)
    }

    pub(super) fn follower_mut(&mut self, id: BrokerId) -> Option<&mut Follower> {
        match &mut self.role {
            Role::Leader { followers, .. } => {
                followers.iter_mut().find(|follower| follower.id == id)
            }
            Role::Follower { .. } => None,
        }
    }

    pub(super) fn epoch_start(&self) -> Offset {
        match self.role {
            Role::Leader { epoch_start, .. } => epoch_start,
            Role::Follower { .. } => 0,
        }
    }
}
