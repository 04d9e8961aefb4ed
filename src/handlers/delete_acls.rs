//! DeleteAcls (31): refused, as by a Kafka broker without an authorizer.

use super::Context;
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(cx: &Context, request: DeleteAclsRequest) -> Result<Reply> {
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str("No Authorizer is configured.")));
    let results = vec![refused; request.filters.len()];
    Ok(cx.reply(&DeleteAclsResponse::default().with_filter_results(results)))
}
