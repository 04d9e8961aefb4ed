//! DescribeAcls (29): refused, as by a Kafka broker without an authorizer.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{DescribeAclsRequest, DescribeAclsResponse, StrBytes};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, _: DescribeAclsRequest) -> Result<Reply> {
    let message = StrBytes::from_static_str("No Authorizer is configured on the broker");
    let response = DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(message));
    Ok(cx.reply(&response))
}
