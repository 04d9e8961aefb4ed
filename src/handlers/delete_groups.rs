//! DeleteGroups (42): deletes groups that have no members, and their offsets.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::delete_groups_response::DeletableGroupResult;
use crate::codec::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::error::Result;
use std::collections::HashSet;

pub(super) async fn handle(cx: &Context, request: DeleteGroupsRequest) -> Result<Reply> {
    let mut response = DeleteGroupsResponse::default();
    let mut seen = HashSet::new();
    for group in request.groups_names {
        if !seen.insert(group.clone()) {
            continue;
        }
        let mut result = DeletableGroupResult::default().with_group_id(group);
        let group = result.group_id.as_str();
        let (principal, host) = (cx.session.principal(), &cx.session.client_host);
        match cx.parts.groups.delete_group(group).await {
            Ok(()) => tracing::info!("deleted group {group} by {principal} at {host}"),
            Err(error) => {
                result.error_code = error.code().code();
                result.error_message = error.message().map(Into::into);
            }
        }
        response.results.push(result);
    }
    Ok(cx.reply(&response))
}
