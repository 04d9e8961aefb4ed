//! ShareGroupDescribe (77): the members of share groups (KIP-932) with their assignments.

use super::describe_groups::ALL_GROUP_OPERATIONS;
use super::{Context, check_enabled, each_once};
use crate::codec::Reply;
use crate::codec::messages::share_group_describe_response::DescribedGroup;
use crate::codec::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse, StrBytes};
use crate::error::Result;
use crate::metadata::features::SHARE_VERSION;

pub(super) async fn handle(cx: &Context, request: ShareGroupDescribeRequest) -> Result<Reply> {
    let mut response = ShareGroupDescribeResponse::default();
    for id in each_once(request.group_ids) {
        let described = match check_enabled(cx, SHARE_VERSION) {
            Ok(()) => cx.parts.groups.describe_share(&id).await,
            Err(error) => Err(error),
        };
        let mut group = described.unwrap_or_else(|error| {
            DescribedGroup::default()
                .with_group_id(id)
                .with_error_code(error.code().code())
                .with_error_message(error.message().map(StrBytes::from_string))
        });
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        response.groups.push(group);
    }
    Ok(cx.reply(&response))
}
