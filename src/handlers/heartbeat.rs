//! Heartbeat (12): a member is alive, and learns whether it has to join again.

use super::Context;
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

pub(super) async fn handle(cx: &Context, request: HeartbeatRequest) -> Result<Reply> {
    let mut response = HeartbeatResponse::default();
    if let Err(error) = cx.parts.groups.heartbeat(&request).await {
        response.error_code = error.code().code();
    }
    Ok(cx.reply(&response))
}
