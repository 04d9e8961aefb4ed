//! ListGroups (16): the groups that this broker coordinates.

use super::Context;
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

pub(super) async fn handle(cx: &Context, request: ListGroupsRequest) -> Result<Reply> {
    let mut response = ListGroupsResponse::default();
    match cx.parts.groups.list_groups(&request).await {
        Ok(groups) => response.groups = groups,
        Err(error) => response.error_code = error.code().code(),
    }
    Ok(cx.reply(&response))
}
