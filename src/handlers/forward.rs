//! Requests that only the controller can answer, forwarded unchanged as Kafka does in an Envelope.

use super::{Context, throttle};
use crate::codec::{self, Checked, Reply};
use crate::controller::Forwarded;
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: Checked) -> Result<Reply> {
    let (key, version) = (cx.header.api_key, cx.header.api_version);
    let request = Forwarded { api_key: key, request, by: cx.session.requester() };
    let answer = cx.parts.controller.forward(request).await?;
    // The client then finds what it created as soon as it has the response.
    cx.parts.wait_until_applied(answer.offset).await?;
    throttle::charge(cx, &answer);
    Ok(codec::frame(key, version, cx.header.correlation_id, answer.body))
}
