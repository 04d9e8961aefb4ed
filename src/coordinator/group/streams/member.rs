//! One member of a streams group: a thread of an instance of the application
//! (StreamsGroupMember).

use super::tasks::Assigned;
use crate::coordinator::group::MemberId;
use std::collections::BTreeMap;

/// Where a member is on its way to its target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it is to have.
    Stable,
    /// It has to give tasks back before it goes to the next epoch.
    UnrevokedTasks,
    /// It waits for tasks that others still have.
    UnreleasedTasks,
    /// Of a newer broker.
    Unknown,
}

impl MemberState {
    /// As in the record.
    pub fn id(self) -> i8 {
        match self {
            MemberState::Stable => 1,
            MemberState::UnrevokedTasks => 2,
            MemberState::UnreleasedTasks => 3,
            MemberState::Unknown => 127,
        }
    }

    /// As the record says.
    pub fn from_id(id: i8) -> MemberState {
        match id {
            1 => MemberState::Stable,
            2 => MemberState::UnrevokedTasks,
            3 => MemberState::UnreleasedTasks,
            _ => MemberState::Unknown,
        }
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Made by the member itself.
    pub id: MemberId,
    /// The epoch it is in; 0 before the first, -1 once it is removed.
    pub epoch: i32,
    /// The one before, in which it may still ask if our answer was lost.
    pub previous_epoch: i32,
    /// See [`MemberState`].
    pub state: MemberState,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// `client.rack`.
    pub rack_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
    /// How long it may take to give tasks back.
    pub rebalance_timeout_ms: i32,
    /// Epoch of the topology that it runs.
    pub topology_epoch: i32,
    /// Which instance it belongs to.
    pub process_id: String,
    /// Where the instance answers interactive queries: host and port.
    pub user_endpoint: Option<(String, u16)>,
    /// `client.tag.*`.
    pub client_tags: BTreeMap<String, String>,
    /// What it has.
    pub assigned: Assigned,
    /// What it has to give back.
    pub pending_revocation: Assigned,
}

impl Member {
    /// A member that has said nothing yet.
    pub fn new(id: &str) -> Member {
        Member {
            id: MemberId::from(id),
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: -1,
            topology_epoch: -1,
            process_id: String::new(),
            user_endpoint: None,
            client_tags: BTreeMap::new(),
            assigned: Assigned::default(),
            pending_revocation: Assigned::default(),
        }
    }

    /// Whether tasks may have to be assigned anew, now that `self` was `before`.
    pub fn is_other_to_assignments(&self, before: &Member) -> bool {
        // A static member that comes back as it was is given what it had.
        self.instance_id.is_none() && self != before
            || self.topology_epoch != before.topology_epoch
            || self.rack_id != before.rack_id
            || self.client_tags != before.client_tags
            || self.process_id != before.process_id
    }

    /// Whether it has all that the target assignment of `epoch` gives it.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }
}
