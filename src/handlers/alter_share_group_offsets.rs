//! AlterShareGroupOffsets (91): an empty share group is to begin at other offsets.

use super::{Context, check_enabled};
use crate::codec::Reply;
use crate::codec::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, StrBytes,
};
use crate::error::Result;
use crate::metadata::features::SHARE_VERSION;

pub(super) async fn handle(cx: &Context, request: AlterShareGroupOffsetsRequest) -> Result<Reply> {
    let group = request.group_id.as_str();
    let altered = match check_enabled(cx, SHARE_VERSION) {
        Ok(()) => cx.parts.groups.alter_share_offsets(group, &request.topics).await,
        Err(error) => Err(error),
    };
    let response = AlterShareGroupOffsetsResponse::default();
    Ok(cx.reply(&match altered {
        Ok(topics) => {
            let (principal, host) = (cx.session.principal(), &cx.session.client_host);
            tracing::info!("share group {group} begins anew, by {principal} at {host}");
            response.with_responses(topics)
        }
        Err(error) => response
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string)),
    }))
}
