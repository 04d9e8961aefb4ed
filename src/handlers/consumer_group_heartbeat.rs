//! ConsumerGroupHeartbeat (68): a member of a consumer group (KIP-848) joins, goes on or leaves.

use super::{Context, consumer_groups_enabled};
use crate::codec::Reply;
use crate::coordinator::RequestContext;
use crate::error::Result;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(cx: &Context, request: ConsumerGroupHeartbeatRequest) -> Result<Reply> {
    let caller = RequestContext {
        api_version: cx.api_version,
        client_id: cx.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: cx.client_host.clone(),
    };
    let answered = match consumer_groups_enabled(cx) {
        Ok(()) => cx.parts.groups.consumer_group_heartbeat(&caller, &request).await,
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
