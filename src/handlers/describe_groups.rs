//! DescribeGroups (15): the members of classic groups and their assignments.

use super::{Context, each_once};
use crate::codec::Reply;
use crate::codec::messages::describe_groups_response::DescribedGroup;
use crate::codec::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::error::Result;

/// The authorized operations of a group: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and
/// ALTER_CONFIGS. Without an authorizer all of them are allowed.
pub(super) const ALL_GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) async fn handle(cx: &Context, request: DescribeGroupsRequest) -> Result<Reply> {
    let mut response = DescribeGroupsResponse::default();
    for id in each_once(request.groups) {
        let described = cx.parts.groups.describe_group(cx.header.api_version, &id).await;
        let mut group = described.unwrap_or_else(|error| {
            DescribedGroup::default().with_group_id(id).with_error_code(error.code().code())
        });
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        response.groups.push(group);
    }
    Ok(cx.reply(&response))
}
