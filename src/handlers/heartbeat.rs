//! Heartbeat (12): keeps a member of a classic group alive and tells it when to rejoin.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{HeartbeatRequest, HeartbeatResponse};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: HeartbeatRequest) -> Result<Reply> {
    let mut response = HeartbeatResponse::default();
    if let Err(error) = cx.parts.groups.heartbeat(&request).await {
        response.error_code = error.code().code();
    }
    Ok(cx.reply(&response))
}
