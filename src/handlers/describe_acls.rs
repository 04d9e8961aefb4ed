//! DescribeAcls (29): refused, as by a Kafka broker without an authorizer.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{DescribeAclsRequest, DescribeAclsResponse, StrBytes};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) const NO_ACLS: StrBytes =
    StrBytes::from_static_str("This broker has no ACLs: everybody may do everything");

pub(super) async fn handle(cx: &Context, _: DescribeAclsRequest) -> Result<Reply> {
    let response = DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(NO_ACLS));
    Ok(cx.reply(&response))
}
