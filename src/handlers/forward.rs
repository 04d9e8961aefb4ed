//! Requests that the controller answers, passed on as they came (Envelope's content).

use super::Context;
use crate::codec::{self, Reply};
use crate::error::Result;
use crate::metadata::controller::Forwarded;
use bytes::Bytes;

pub(super) async fn handle(cx: &Context, body: Bytes) -> Result<Reply> {
    codec::guard::check(cx.api_key, cx.api_version, &body)?;
    let answer = cx.parts.controller.forward(forwarded(cx, cx.api_key, cx.api_version, body)).await?;
    cx.wait_until_applied(answer.offset).await?;
    Ok(codec::frame(cx.api_key, cx.api_version, cx.correlation_id, answer.body))
}

/// A request to the controller in the name of the client of `cx`.
pub(super) fn forwarded(cx: &Context, api_key: i16, api_version: i16, body: Bytes) -> Forwarded {
    Forwarded {
        api_key,
        api_version,
        body,
        principal: "User:ANONYMOUS".to_owned(),
        client_host: cx.client_host.clone(),
    }
}
