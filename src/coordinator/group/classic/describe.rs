//! Classic groups in the form of DescribeGroups and ListGroups.

use super::{ClassicGroup, GroupState, Member};
use crate::codec::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::coordinator::text;
use bytes::Bytes;

/// The description of a group that does not exist.
pub fn dead(id: &str) -> DescribedGroup {
    DescribedGroup::default().with_group_id(text(id).into()).with_group_state(text("Dead"))
}

impl ClassicGroup {
    /// Describes the group and its members.
    pub fn describe(&self) -> DescribedGroup {
        let protocol = self.protocol.as_deref().filter(|_| self.state() == GroupState::Stable);
        DescribedGroup::default()
            .with_group_id(text(&self.id).into())
            .with_group_state(text(&self.state().to_string()))
            .with_protocol_type(text(self.protocol_type.as_deref().unwrap_or_default()))
            .with_protocol_data(text(protocol.unwrap_or_default()))
            .with_members(self.members().map(|member| describe_member(member, protocol)).collect())
    }
}

/// The members' subscriptions are shown only when the group is stable.
fn describe_member(member: &Member, protocol: Option<&str>) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(&member.id))
        .with_group_instance_id(member.instance_id.as_deref().map(text))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_member_metadata(protocol.map_or_else(Bytes::new, |name| member.metadata(name)))
        .with_member_assignment(member.assignment.clone())
}
