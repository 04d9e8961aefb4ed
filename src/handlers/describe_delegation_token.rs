//! DescribeDelegationToken (41): refused, as by a Kafka broker without a secret key for tokens.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, _: DescribeDelegationTokenRequest) -> Result<Reply> {
    // Kafka checks the connection before the settings, and a client of a plain listener is not
    // authenticated enough to hold a token.
    let error = ResponseError::DelegationTokenRequestNotAllowed;
    Ok(cx.reply(&DescribeDelegationTokenResponse::default().with_error_code(error.code())))
}
