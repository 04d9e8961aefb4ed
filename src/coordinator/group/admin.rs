//! DescribeGroups, ListGroups and DeleteGroups on a shard.

use super::classic_group::{GroupState, Member};
use super::commit::not_found;
use super::outcome::Outcome;
use super::record::Record;
use super::shard::{Group, Shard};
use super::{GroupId, listed, text};
use crate::error::{Error, Result};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ListGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;

/// From here on a group that is not there is an error.
const DESCRIBE_NOT_FOUND_VERSION: i16 = 6;

impl Shard {
    /// A classic group, or what stands for none: a dead group.
    pub fn describe(&self, version: i16, id: &str) -> DescribedGroup {
        let described = DescribedGroup::default().with_group_id(text(id).into());
        let group = match self.groups.get(id) {
            Some(Group::Classic(group)) => group,
            other => {
                let described = described.with_group_state(text("Dead"));
                if version < DESCRIBE_NOT_FOUND_VERSION {
                    return described;
                }
                let message = match other {
                    None => format!("Group {id} not found."),
                    Some(_) => format!("Group {id} is not a classic group."),
                };
                return described
                    .with_error_code(ResponseError::GroupIdNotFound.code())
                    .with_error_message(Some(text(&message)));
            }
        };
        let protocol = group.protocol.as_deref().filter(|_| group.state() == GroupState::Stable);
        described
            .with_group_state(text(&group.state().to_string()))
            .with_protocol_type(text(group.protocol_type.as_deref().unwrap_or_default()))
            .with_protocol_data(text(protocol.unwrap_or_default()))
            .with_members(group.members().map(|member| describe_member(member, protocol)).collect())
    }

    /// The groups that pass the filters; an empty filter passes all.
    pub fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let passes = |filter: &[kafka_protocol::protocol::StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|f| f.trim().eq_ignore_ascii_case(value))
        };
        listed(self.groups.iter(), |(id, _)| id)
            .map(|(id, group)| group.listed(id))
            .filter(|group| passes(&request.states_filter, &group.group_state))
            .filter(|group| passes(&request.types_filter, &group.group_type))
            .collect()
    }

    /// Deletes groups that are empty, with their offsets; answers group by group.
    pub fn delete(&mut self, ids: &[GroupId]) -> Outcome<Vec<Result<()>>> {
        let mut records = Vec::new();
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            let validated = self.validate_delete(id);
            if validated.is_ok() {
                self.delete_all_offsets(id, &mut records);
                self.delete_group(id, &mut records);
            }
            answers.push(validated);
        }
        Outcome::replay(records, answers)
    }

    /// Tombstones of a group without members; its timers stop.
    pub(super) fn delete_group(&mut self, id: &GroupId, records: &mut Vec<Record>) {
        self.cancel_timers(id);
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => {
                records.extend(Record::consumer_group_gone(group, &[]));
            }
            Some(Group::Streams(group)) => records.extend(group.tombstones()),
            _ => records.push(Record::group_tombstone(id)),
        }
    }

    fn validate_delete(&self, id: &str) -> Result<()> {
        match self.groups.get(id) {
            None => Err(not_found(id)),
            Some(group) if group.has_members() => Err(ResponseError::NonEmptyGroup.into()),
            Some(Group::Classic(_) | Group::Consumer(_) | Group::Streams(_)) => Ok(()),
            // Its records are not ours to delete.
            Some(Group::Share(_)) => Err(Error::Explained(
                ResponseError::GroupIdNotFound,
                format!("Group {id} is not a classic group."),
            )),
        }
    }
}

impl Group {
    fn listed(&self, id: &GroupId) -> ListedGroup {
        let listed = ListedGroup::default().with_group_id(text(id).into());
        match self {
            Group::Classic(group) => listed
                .with_protocol_type(text(group.protocol_type.as_deref().unwrap_or_default()))
                .with_group_state(text(&group.state().to_string()))
                .with_group_type(text("classic")),
            Group::Consumer(group) => listed
                .with_protocol_type(text("consumer"))
                .with_group_state(text(&group.state().to_string()))
                .with_group_type(text("consumer")),
            Group::Streams(group) => listed
                .with_protocol_type(text("streams"))
                .with_group_state(text(&group.state().to_string()))
                .with_group_type(text("streams")),
            Group::Share(share) => listed
                .with_protocol_type(text("share"))
                .with_group_state(text(if share.members.is_empty() { "Empty" } else { "Stable" }))
                .with_group_type(text("share")),
        }
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
