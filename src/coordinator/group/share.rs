//! A share group (KIP-932). This broker does not serve it yet, and keeps its records as they are.

use super::GroupId;
use super::record::Record;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq)]
pub struct ShareGroup {
    /// `group.id`.
    pub id: GroupId,
    /// Ids of the members.
    pub members: BTreeSet<String>,
}

impl ShareGroup {
    /// A group without members.
    pub fn new(id: GroupId) -> ShareGroup {
        ShareGroup { id, members: BTreeSet::new() }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The state as ListGroups shows it.
    pub fn state(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    /// Replays a record of this group.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::ShareGroupMemberMetadata(key, Some(_)) => {
                self.members.insert(key.member_id.clone());
            }
            Record::ShareGroupMemberMetadata(key, None) => {
                self.members.remove(&key.member_id);
            }
            _ => {}
        }
    }
}
