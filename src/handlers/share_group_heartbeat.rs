//! ShareGroupHeartbeat (76): a member of a share group (KIP-932) joins, stays or leaves.

use super::{Context, check_enabled};
use crate::codec::Reply;
use crate::codec::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, StrBytes};
use crate::error::Result;
use crate::metadata::features::SHARE_VERSION;

pub(super) async fn handle(cx: &Context, request: ShareGroupHeartbeatRequest) -> Result<Reply> {
    let answered = match check_enabled(cx, SHARE_VERSION) {
        Ok(()) => cx.parts.groups.share_heartbeat(&cx.caller(), &request).await,
        Err(error) => Err(error),
    };
    let response = answered.unwrap_or_else(|error| {
        ShareGroupHeartbeatResponse::default()
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string))
            .with_member_id(None)
            .with_assignment(None)
    });
    Ok(cx.reply(&response))
}
