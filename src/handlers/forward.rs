//! Requests that only the controller can answer, forwarded unchanged as Kafka does in an Envelope.

mod refused;
mod settings;

use super::{Context, throttle};
use crate::codec::messages as kafka;
use crate::codec::{self, Checked, Reply};
use crate::controller::Forwarded;
use crate::error::{Error, Result};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::Request;

pub(super) async fn handle(cx: &Context, request: Checked) -> Result<Reply> {
    if !cx.parts.controller.is_remote() {
        return forward(cx, request).await;
    }
    let (key, version) = (cx.header.api_key, cx.header.api_version);
    let answered = match key {
        kafka::IncrementalAlterConfigsRequest::KEY => settings::alter(cx, request.clone()).await,
        kafka::AlterConfigsRequest::KEY => settings::replace(cx, request.clone()).await,
        // Tokens need a client that has proved who it is.
        38..=40 => Err(ResponseError::DelegationTokenRequestNotAllowed.into()),
        _ => forward(cx, request.clone()).await,
    };
    match answered {
        // The controller has changed, and its versions with it. The client connects again and asks
        // for the versions.
        Err(error) if error.code() == ResponseError::UnsupportedVersion => Err(error),
        Err(Error::Closed) => Err(Error::Closed),
        Err(error) => {
            let (code, message) = match error {
                Error::Explained(code, message) => (code, Some(message)),
                Error::Code(code) => (code, None),
                other => {
                    tracing::error!(error = %other, "a request could not be forwarded");
                    (ResponseError::UnknownServerError, None)
                }
            };
            let body = refused::response(key, request, code, message.as_deref())?;
            Ok(codec::frame(key, version, cx.header.correlation_id, body))
        }
        answered => answered,
    }
}

async fn forward(cx: &Context, request: Checked) -> Result<Reply> {
    let body = ask(cx, request).await?;
    Ok(codec::frame(cx.header.api_key, cx.header.api_version, cx.header.correlation_id, body))
}

/// The body of the controller's response.
async fn ask(cx: &Context, request: Checked) -> Result<Bytes> {
    let request = Forwarded { api_key: cx.header.api_key, request, by: cx.session.requester() };
    let answer = cx.parts.controller.forward(request).await?;
    // The client then finds what it created as soon as it has the response.
    cx.parts.wait_until_applied(answer.offset).await?;
    throttle::charge(cx, &answer);
    Ok(answer.body)
}
