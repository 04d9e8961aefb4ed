//! The in-sync replicas of a partition, as its leader sees them: what the controller has committed,
//! and the change that it is asked for (CommittedPartitionState, PendingPartitionChange).

use crate::types::{BrokerId, LeaderEpoch};

/// An ISR that the controller is asked to commit (LeaderAndIsr).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    /// Its members, each with the broker epoch of its last fetch; -1 if that is not known.
    pub isr: Vec<(BrokerId, i64)>,
    /// The epoch in which this broker leads.
    pub leader_epoch: LeaderEpoch,
    /// The state of the partition that the change is based on.
    pub partition_epoch: i32,
}

/// What the controller has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrCommitted {
    /// The members.
    pub isr: Vec<BrokerId>,
    /// The epoch of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change of the partition.
    pub partition_epoch: i32,
}

/// The in-sync replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Isr {
    committed: Vec<BrokerId>,
    pending: Option<Pending>,
}

/// A change on which the controller has not decided.
#[derive(Clone, Debug)]
struct Pending {
    asked: IsrChange,
    /// The follower that joins, if one does.
    joining: Option<BrokerId>,
}

impl Isr {
    /// The ISR in the metadata log.
    pub(super) fn committed(members: Vec<BrokerId>) -> Isr {
        Isr { committed: members, pending: None }
    }

    /// The committed members.
    pub(super) fn members(&self) -> &[BrokerId] {
        &self.committed
    }

    /// Whether the controller has not yet decided on a change.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The change that the controller is asked for.
    pub(super) fn asked(&self) -> Option<&IsrChange> {
        self.pending.as_ref().map(|pending| &pending.asked)
    }

    /// Asks for a change; `joining` is the follower that it adds.
    pub(super) fn ask(&mut self, asked: IsrChange, joining: Option<BrokerId>) {
        self.pending = Some(Pending { asked, joining });
    }

    /// The controller has refused the change, so the committed ISR is known to be in force.
    pub(super) fn revert(&mut self) {
        self.pending = None;
    }

    /// Whether `id` may be a member, whatever the controller decides: it is one, or it has been
    /// proposed (maximalIsr). Who has been asked to leave stays one until that is committed.
    pub(super) fn may_contain(&self, id: BrokerId) -> bool {
        self.committed.contains(&id) || self.joining() == Some(id)
    }

    /// The number of those who may be members.
    pub(super) fn maximal_len(&self) -> usize {
        self.committed.len() + usize::from(self.joining().is_some())
    }

    fn joining(&self) -> Option<BrokerId> {
        self.pending.as_ref().and_then(|pending| pending.joining)
    }
}
