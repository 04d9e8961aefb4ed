//! What a member of a streams group is: a thread of one instance of the application
//! (StreamsGroupMember).

use super::Streams;
use crate::coordinator::group::modern::Member;
use std::collections::BTreeMap;

/// A member of a streams group.
pub type StreamsMember = Member<Streams>;

/// What only a member of a streams group has.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsThread {
    /// Epoch of the topology that it runs.
    pub topology_epoch: i32,
    /// The instance of the application that it is a thread of.
    pub process_id: String,
    /// Where the instance answers interactive queries: host and port.
    pub user_endpoint: Option<(String, u16)>,
    /// `client.tag.*`.
    pub client_tags: BTreeMap<String, String>,
}

impl Default for StreamsThread {
    fn default() -> StreamsThread {
        StreamsThread {
            topology_epoch: -1,
            process_id: String::new(),
            user_endpoint: None,
            client_tags: BTreeMap::new(),
        }
    }
}

impl StreamsMember {
    /// Whether a new assignment may be needed, now that the member is no longer as `before`.
    pub fn is_other_to_assignments(&self, before: &StreamsMember) -> bool {
        // A static member that comes back unchanged gets back what it had.
        self.instance_id.is_none() && self != before
            || self.own.topology_epoch != before.own.topology_epoch
            || self.rack_id != before.rack_id
            || self.own.client_tags != before.own.client_tags
            || self.own.process_id != before.own.process_id
    }
}
