//! JoinGroup (11): a member joins a classic group, or rejoins it for the next generation.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{JoinGroupRequest, JoinGroupResponse, StrBytes};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

/// The first version in which the protocol's name may be null.
const NULL_PROTOCOL_VERSION: i16 = 7;

pub(super) async fn handle(cx: &Context, request: JoinGroupRequest) -> Result<Reply> {
    let joined = cx.parts.groups.join_group(&cx.caller(), &request).await;
    let mut response = joined.unwrap_or_else(|error| {
        let code = error.code();
        // As in Kafka, the response has the member's id only if the coordinator was not asked.
        let is_early =
            matches!(code, ResponseError::InvalidGroupId | ResponseError::InvalidSessionTimeout);
        JoinGroupResponse::default()
            .with_member_id(if is_early { request.member_id } else { StrBytes::default() })
            .with_protocol_name(None)
            .with_error_code(code.code())
    });
    if cx.header.api_version < NULL_PROTOCOL_VERSION {
        response.protocol_name.get_or_insert_with(StrBytes::default);
    }
    Ok(cx.reply(&response))
}
