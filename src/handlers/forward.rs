//! Requests that the controller answers, passed on as they came (Envelope's content), and those
//! that the broker makes itself in a client's name.

use super::Context;
use crate::codec::{self, Checked, Reply};
use crate::controller::Forwarded;
use crate::error::Result;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::Encodable;

/// At which version we ask our own controller to make topics.
const CREATE_TOPICS_VERSION: i16 = 7;

pub(super) async fn handle(cx: &Context, request: Checked) -> Result<Reply> {
    let body = forward(cx, cx.header.api_key, request).await?;
    Ok(codec::frame(cx.header.api_key, cx.header.api_version, cx.header.correlation_id, body))
}

/// Has the controller make topics; answers when this broker has them too.
pub(super) async fn create_topics(
    cx: &Context,
    topics: Vec<CreatableTopic>,
) -> Result<CreateTopicsResponse> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(30_000);
    let mut body = BytesMut::new();
    request.encode(&mut body, CREATE_TOPICS_VERSION).expect("every field is in this version");
    let key = ApiKey::CreateTopics as i16;
    let request = codec::check(key, CREATE_TOPICS_VERSION, body.freeze())?;
    let answer = forward(cx, key, request).await?;
    codec::decode_response::<CreateTopicsRequest>(answer, CREATE_TOPICS_VERSION)
}

async fn forward(cx: &Context, api_key: i16, request: Checked) -> Result<Bytes> {
    let request = Forwarded {
        api_key,
        request,
        principal: cx.session.principal().to_owned(),
        client_host: cx.session.client_host.clone(),
    };
    let answer = cx.parts.controller.forward(request).await?;
    cx.wait_until_applied(answer.offset).await?;
    Ok(answer.body)
}
