//! SaslHandshake (17): refused, as the listener has no SASL.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, _: SaslHandshakeRequest) -> Result<Reply> {
    let error = ResponseError::IllegalSaslState;
    Ok(cx.reply(&SaslHandshakeResponse::default().with_error_code(error.code())))
}
