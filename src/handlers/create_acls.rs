//! CreateAcls (30): refused, as by a Kafka broker without an authorizer.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::create_acls_response::AclCreationResult;
use crate::codec::messages::{CreateAclsRequest, CreateAclsResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, request: CreateAclsRequest) -> Result<Reply> {
    let refused = AclCreationResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(super::describe_acls::NO_ACLS));
    let results = vec![refused; request.creations.len()];
    Ok(cx.reply(&CreateAclsResponse::default().with_results(results)))
}
