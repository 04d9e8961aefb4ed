//! StreamsGroupDescribe (89): streams groups with their topologies, members and tasks.

use super::describe_groups::ALL_GROUP_OPERATIONS;
use super::{Context, check_served, each_once};
use crate::codec::Reply;
use crate::codec::messages::streams_group_describe_response::DescribedGroup;
use crate::codec::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};
use crate::error::Result;
use crate::metadata::features::STREAMS_VERSION;

/// The status of a broker without a plugin that stores descriptions of topologies.
const NO_DESCRIPTION: i8 = 1;

pub(super) async fn handle(cx: &Context, request: StreamsGroupDescribeRequest) -> Result<Reply> {
    let mut response = StreamsGroupDescribeResponse::default();
    for group in each_once(request.group_ids) {
        let described = match check_served(cx, "streams", STREAMS_VERSION) {
            Ok(()) => cx.parts.groups.describe_streams(&group).await,
            Err(error) => Err(error),
        };
        let mut described = described.unwrap_or_else(|error| {
            DescribedGroup::default()
                .with_group_id(group)
                .with_error_code(error.code().code())
                .with_error_message(error.message().map(Into::into))
        });
        if request.include_authorized_operations && described.error_code == 0 {
            described.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        if request.include_topology_description && described.error_code == 0 {
            described.topology_description_status = NO_DESCRIPTION;
        }
        response.groups.push(described);
    }
    Ok(cx.reply(&response))
}
