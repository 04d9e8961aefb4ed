//! DeleteShareGroupOffsets (92): an empty share group forgets how far it is with topics.

use super::{Context, check_enabled};
use crate::codec::Reply;
use crate::codec::messages::{
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, StrBytes,
};
use crate::error::Result;
use crate::metadata::features::SHARE_VERSION;

pub(super) async fn handle(cx: &Context, request: DeleteShareGroupOffsetsRequest) -> Result<Reply> {
    let group = request.group_id.as_str();
    let topics = request.topics.iter().map(|topic| topic.topic_name.as_str()).collect();
    let deleted = match check_enabled(cx, SHARE_VERSION) {
        Ok(()) => cx.parts.groups.delete_share_offsets(group, topics).await,
        Err(error) => Err(error),
    };
    let response = DeleteShareGroupOffsetsResponse::default();
    Ok(cx.reply(&match deleted {
        Ok(topics) => {
            let (principal, host) = (cx.session.principal(), &cx.session.client_host);
            tracing::info!("share group {group} forgets topics, by {principal} at {host}");
            response.with_responses(topics)
        }
        Err(error) => response
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string)),
    }))
}
