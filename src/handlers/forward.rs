//! Requests that only the controller can answer, forwarded unchanged as Kafka does in an Envelope,
//! and those that the broker sends in the name of a client.

use super::Context;
use crate::codec::{self, Checked, Reply};
use crate::controller::Forwarded;
use crate::error::Result;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::Encodable;

/// The version at which a broker asks its own controller to create topics.
const CREATE_TOPICS_VERSION: i16 = 7;

pub(super) async fn handle(cx: &Context, request: Checked) -> Result<Reply> {
    let body = forward(cx, cx.header.api_key, request).await?;
    Ok(codec::frame(cx.header.api_key, cx.header.api_version, cx.header.correlation_id, body))
}

/// Creates topics through the controller; returns when this broker has applied them.
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
