//! ConsumerGroupHeartbeat (68): a member of a consumer group (KIP-848) joins, stays or leaves.

use super::{Context, check_served};
use crate::codec::Reply;
use crate::codec::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, StrBytes,
};
use crate::error::Result;
use crate::metadata::features::GROUP_VERSION;

pub(super) async fn handle(cx: &Context, request: ConsumerGroupHeartbeatRequest) -> Result<Reply> {
    let answered = match check_served(cx, "consumer", GROUP_VERSION) {
        Ok(()) => cx.parts.groups.consumer_group_heartbeat(&cx.caller(), &request).await,
        Err(error) => Err(error),
    };
    let response = answered.unwrap_or_else(|error| {
        ConsumerGroupHeartbeatResponse::default()
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string))
            .with_member_id(None)
            .with_assignment(None)
    });
    Ok(cx.reply(&response))
}
