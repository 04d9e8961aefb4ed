//! What an operator asks a shard: DescribeGroups and its counterparts for other kinds, ListGroups
//! and DeleteGroups.

use super::kind::{Group, not_found, not_of_kind};
use super::record::Record;
use super::shard::{Shard, ShardOutcome};
use super::{GroupId, classic, listed, text};
use crate::codec::messages::describe_groups_response::DescribedGroup;
use crate::codec::messages::list_groups_response::ListedGroup;
use crate::codec::messages::{
    ListGroupsRequest, StrBytes, consumer_group_describe_response, share_group_describe_response,
    streams_group_describe_response,
};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

/// The first version in which a group that does not exist is an error.
const DESCRIBE_NOT_FOUND_VERSION: i16 = 6;

impl Shard {
    /// Describes a classic group; a group that does not exist is shown as dead.
    pub fn describe(&self, version: i16, id: &str) -> DescribedGroup {
        let found = self.groups.get(id);
        if let Some(Group::Classic(group)) = found {
            return group.describe();
        }
        let dead = classic::dead(id);
        if version < DESCRIBE_NOT_FOUND_VERSION {
            return dead;
        }
        let error = not_of_kind(found, id, "classic");
        dead.with_error_code(error.code().code())
            .with_error_message(error.message().as_deref().map(text))
    }

    /// Describes a consumer group with its members, or says why there is none.
    pub fn describe_consumer(&self, id: &str) -> consumer_group_describe_response::DescribedGroup {
        let found = self.groups.get(id);
        if let Some(Group::Consumer(group)) = found {
            return group.describe(&self.config.get(), &self.image);
        }
        let error = not_of_kind(found, id, "consumer");
        consumer_group_describe_response::DescribedGroup::default()
            .with_group_id(text(id).into())
            .with_error_code(error.code().code())
            .with_error_message(error.message().as_deref().map(text))
    }

    /// Describes a streams group with its members, or says why there is none.
    pub fn describe_streams(&self, id: &str) -> streams_group_describe_response::DescribedGroup {
        let found = self.groups.get(id);
        if let Some(Group::Streams(group)) = found {
            return group.described();
        }
        let error = not_of_kind(found, id, "streams");
        streams_group_describe_response::DescribedGroup::default()
            .with_group_id(text(id).into())
            .with_error_code(error.code().code())
            .with_error_message(error.message().as_deref().map(text))
    }

    /// Describes a share group with its members, or says why there is none.
    pub fn describe_share(&self, id: &str) -> share_group_describe_response::DescribedGroup {
        let found = self.groups.get(id);
        if let Some(Group::Share(group)) = found {
            return group.described(&self.image);
        }
        let error = not_of_kind(found, id, "share");
        share_group_describe_response::DescribedGroup::default()
            .with_group_id(text(id).into())
            .with_error_code(error.code().code())
            .with_error_message(error.message().as_deref().map(text))
    }

    /// The groups that pass the filters. An empty filter passes all.
    pub fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let passes = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|f| f.trim().eq_ignore_ascii_case(value))
        };
        listed(self.groups.iter(), |(id, _)| id)
            .map(|(id, group)| listed_group(id, group))
            .filter(|group| passes(&request.states_filter, &group.group_state))
            .filter(|group| passes(&request.types_filter, &group.group_type))
            .collect()
    }

    /// Deletes groups that are empty, with their offsets. Returns a result for each group.
    pub fn delete(&mut self, ids: &[GroupId]) -> ShardOutcome<Vec<Result<()>>> {
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
        ShardOutcome::replay(records, answers)
    }

    /// Writes the tombstones of a group without members, and stops its timers.
    pub(super) fn delete_group(&mut self, id: &GroupId, records: &mut Vec<Record>) {
        self.cancel_timers(id);
        records.extend(self.groups.get(id).map(Group::tombstones).into_iter().flatten());
    }

    fn validate_delete(&self, id: &str) -> Result<()> {
        match self.groups.get(id) {
            None => Err(not_found(id)),
            Some(group) if group.has_members() => Err(ResponseError::NonEmptyGroup.into()),
            Some(_) => Ok(()),
        }
    }
}

fn listed_group(id: &GroupId, group: &Group) -> ListedGroup {
    ListedGroup::default()
        .with_group_id(text(id).into())
        .with_protocol_type(text(group.protocol_type()))
        .with_group_state(text(&group.state()))
        .with_group_type(text(group.kind()))
}
