//! FindCoordinator (10): which broker a group has to talk to. The first one to ask makes
//! `__consumer_offsets`.
//!
//! Transactions and share groups have no coordinator here yet: COORDINATOR_NOT_AVAILABLE, which
//! clients take as a reason to ask again.

use super::Context;
use crate::codec::Reply;
use crate::coordinator::OFFSETS_TOPIC;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::metadata::controller::Forwarded;
use crate::types::{BrokerId, uuid_from_text};
use bytes::BytesMut;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{self, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::time::Duration;

/// From here on one request asks about several keys.
const BATCH_VERSION: i16 = 4;
/// From here on share groups may be asked for.
const SHARE_VERSION: i16 = 6;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

const CREATE_TOPICS_KEY: i16 = 19;
const CREATE_TOPICS_VERSION: i16 = 7;
/// How long the one who makes the topic waits for it; the client asks again if it takes longer.
const CREATION_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker and where its clients reach it.
struct Node {
    id: BrokerId,
    host: String,
    port: u16,
}

pub(super) async fn handle(cx: &Context, request: FindCoordinatorRequest) -> Result<Reply> {
    let mut response = FindCoordinatorResponse::default();
    if cx.api_version >= BATCH_VERSION {
        for key in request.coordinator_keys {
            let found = find(cx, request.key_type, &key).await;
            response.coordinators.push(coordinator(key, found));
        }
    } else {
        let found = find(cx, request.key_type, &request.key).await;
        let message = found.as_ref().err().map(|error| StrBytes::from_string(error.to_string()));
        let found = coordinator(request.key, found);
        response.error_code = found.error_code;
        response.error_message = message;
        (response.node_id, response.host, response.port) = (found.node_id, found.host, found.port);
    }
    Ok(cx.reply(&response))
}

fn coordinator(key: StrBytes, found: Result<Node>) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    match found {
        Ok(node) => coordinator
            .with_node_id(messages::BrokerId(node.id))
            .with_host(StrBytes::from_string(node.host))
            .with_port(i32::from(node.port)),
        Err(error) => coordinator
            .with_node_id(messages::BrokerId(-1))
            .with_port(-1)
            .with_error_code(error.code().code()),
    }
}

async fn find(cx: &Context, key_type: i8, key: &str) -> Result<Node> {
    match key_type {
        GROUP => {}
        TRANSACTION => return Err(ResponseError::CoordinatorNotAvailable.into()),
        SHARE if cx.api_version >= SHARE_VERSION && is_share_key(key) => {
            return Err(ResponseError::CoordinatorNotAvailable.into());
        }
        _ => return Err(ResponseError::InvalidRequest.into()),
    }
    if cx.image().topics.by_name(OFFSETS_TOPIC).is_none()
        && let Err(error) = create_offsets_topic(cx).await
    {
        tracing::warn!(%error, "{OFFSETS_TOPIC} could not be made");
    }
    let partition = cx.parts.groups.partition_for(key);
    leader(&cx.image(), partition, &cx.listener)
        .ok_or_else(|| ResponseError::CoordinatorNotAvailable.into())
}

/// `group:topic id:partition`, where the group may contain colons.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let partition = parts.next().is_some_and(|partition| partition.parse::<i32>().is_ok());
    let topic = parts.next().is_some_and(|topic| uuid_from_text(topic).is_some());
    partition && topic && parts.next().is_some_and(|group| !group.trim().is_empty())
}

fn leader(image: &Image, partition: i32, listener: &str) -> Option<Node> {
    let topic = image.topics.by_name(OFFSETS_TOPIC)?;
    let id = topic.partitions.get(usize::try_from(partition).ok()?)?.leader;
    let broker = image.brokers.get(&id).filter(|broker| !broker.fenced)?;
    let (_, host, port, _) = broker.listeners.iter().find(|(name, ..)| name == listener)?;
    Some(Node { id, host: host.clone(), port: *port })
}

/// Asks the controller for the topic, and waits until this broker has it.
async fn create_offsets_topic(cx: &Context) -> Result<()> {
    let settings = &cx.parts.config;
    let replication_factor = settings.capped(
        "offsets.topic.replication.factor",
        settings.offsets_topic_replication_factor,
        cx.image().brokers.len(),
    );
    let config = |(name, value): (&'static str, String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
    };
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", settings.offsets_topic_segment_bytes.to_string()),
    ];
    let topic = CreatableTopic::default()
        .with_name(StrBytes::from_static_str(OFFSETS_TOPIC).into())
        .with_num_partitions(settings.offsets_topic_num_partitions)
        .with_replication_factor(replication_factor)
        .with_configs(configs.into_iter().map(config).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let mut body = BytesMut::new();
    let encoded = request.encode(&mut body, CREATE_TOPICS_VERSION);
    encoded.expect("the request is our own");
    let forwarded = Forwarded {
        api_key: CREATE_TOPICS_KEY,
        api_version: CREATE_TOPICS_VERSION,
        body: body.freeze(),
        principal: "User:ANONYMOUS".to_owned(),
        client_host: cx.client_host.clone(),
    };
    let mut answer = cx.parts.controller.forward(forwarded).await?;
    let response = CreateTopicsResponse::decode(&mut answer.body, CREATE_TOPICS_VERSION)
        .map_err(|error| Error::corrupt(format!("CreateTopics response: {error}")))?;
    for topic in response.topics {
        match ResponseError::try_from_code(topic.error_code) {
            None | Some(ResponseError::TopicAlreadyExists) => {}
            Some(error) => {
                let message = topic.error_message.map(|message| message.to_string());
                return Err(Error::Explained(error, message.unwrap_or_default()));
            }
        }
    }
    let mut applied = cx.parts.applied.clone();
    let has_it = applied.wait_for(|applied| *applied >= answer.offset);
    // If it takes too long the client asks again; if the broker stops there is nothing to wait for.
    drop(tokio::time::timeout(CREATION_TIMEOUT, has_it).await);
    Ok(())
}
