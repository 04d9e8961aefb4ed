//! SaslAuthenticate (36): refused, as the listener has no SASL and the client is already accepted.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, StrBytes};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, _: SaslAuthenticateRequest) -> Result<Reply> {
    let message = "This listener needs no authentication";
    let response = SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(Some(StrBytes::from_static_str(message)));
    Ok(cx.reply(&response))
}
