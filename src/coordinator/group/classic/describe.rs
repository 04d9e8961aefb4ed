//! A classic group as DescribeGroups and ListGroups show it.

use super::{ClassicGroup, GroupState, Member};
use crate::coordinator::text;
use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};

/// What stands for a group that is not there.
pub fn dead(id: &str) -> DescribedGroup {
    DescribedGroup::default().with_group_id(text(id).into()).with_group_state(text("Dead"))
}

impl ClassicGroup {
    /// The group with its members.
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

/// What the members subscribed to shows only when the group is stable.
fn describe_member(member: &Member, protocol: Option<&str>) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(&member.id))
        .with_group_instance_id(member.instance_id.as_deref().map(text))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_member_metadata(protocol.map_or_else(Bytes::new, |name| member.metadata(name)))
        .with_member_assignment(member.assignment.clone())
}
