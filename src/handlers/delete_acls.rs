//! DeleteAcls (31): refused, as by a Kafka broker without an authorizer.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::delete_acls_response::DeleteAclsFilterResult;
use crate::codec::messages::{DeleteAclsRequest, DeleteAclsResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, request: DeleteAclsRequest) -> Result<Reply> {
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(super::describe_acls::NO_ACLS));
    let results = vec![refused; request.filters.len()];
    Ok(cx.reply(&DeleteAclsResponse::default().with_filter_results(results)))
}
