//! SyncGroup (14): a member receives its assignment; the leader sends those of all members.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{SyncGroupRequest, SyncGroupResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

/// The first version in which a member names the protocol that it expects.
const PROTOCOL_VERSION: i16 = 5;

pub(super) async fn handle(cx: &Context, request: SyncGroupRequest) -> Result<Reply> {
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    let synced = if cx.header.api_version >= PROTOCOL_VERSION && !says_protocol {
        Err(ResponseError::InconsistentGroupProtocol.into())
    } else {
        cx.parts.groups.sync_group(&request).await
    };
    let response = synced
        .unwrap_or_else(|error| SyncGroupResponse::default().with_error_code(error.code().code()));
    Ok(cx.reply(&response))
}
