//! Share groups (KIP-932, ShareGroup): the members share the records of their partitions, so that a
//! partition may be with several of them. `modern` has what this kind shares with others.
//!
//! ```text
//!  heartbeat    ShareGroupHeartbeat: join, go on, leave, be made to leave
//!  assignor     who shall have which partition: the target assignment
//!  states       the partitions that the share coordinators know, and those they have yet to hear of
//!  offsets      where an operator lets an empty group begin, or begin anew
//!  records      the records, and what they say of the group (replay)
//!  describe     what is shown
//! ```
//!
//! Only partitions whose states have been made are assigned. A heartbeat says which ones lack a
//! state; whoever makes the states tells the group how that went.

mod assignor;
mod describe;
mod heartbeat;
mod offsets;
mod records;
mod states;

pub use heartbeat::{Heartbeat, check};
pub use offsets::Alteration;
pub use states::{Initialization, States};

use super::modern::{Counts, Member, Modern, ModernState};
use std::collections::BTreeSet;
use std::sync::Arc;

pub type ShareGroup = Modern<Share>;

/// A member of a share group. Of its own it has the topics that it subscribes to.
pub type ShareMember = Member<Share>;

/// What only a share group has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// How many members subscribe to each topic; derived from the members.
    topics: Counts,
    /// The partitions that the share coordinators know; None if the group never had any.
    states: Option<States>,
}

/// The topics of a member.
type Subscription = Arc<BTreeSet<String>>;

impl ShareGroup {
    /// Where the group is in its life. Members get new partitions at once, and need not give back
    /// others first.
    pub fn state(&self) -> ModernState {
        if self.is_empty() { ModernState::Empty } else { ModernState::Stable }
    }

    /// What the share coordinators know of the group, as a record.
    #[cfg(test)]
    pub(super) fn states_record(&self) -> super::record::Record {
        super::record::Record::share_states(&self.id, self.own.states.as_ref())
    }

    /// Whether a member subscribes to `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.own.topics.of(topic) > 0
    }
}
