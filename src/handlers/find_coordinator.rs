//! FindCoordinator (10): the broker that coordinates a group, a transactional id or a share
//! partition. The first request creates the coordinators' topic.

use super::Context;
use super::brokers::{self, Node};
use crate::codec::Reply;
use crate::codec::messages::find_coordinator_response::Coordinator;
use crate::codec::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, StrBytes};
use crate::coordinator::share::SharePartitionKey;
use crate::coordinator::{OFFSETS_TOPIC, SHARE_TOPIC, TRANSACTION_TOPIC};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

/// The first version whose requests have several keys.
const BATCH_VERSION: i16 = 4;
/// The first version that knows share groups.
const SHARE_VERSION: i16 = 6;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub(super) async fn handle(cx: &Context, request: FindCoordinatorRequest) -> Result<Reply> {
    let mut response = FindCoordinatorResponse::default();
    if cx.header.api_version < BATCH_VERSION || !request.coordinator_keys.is_empty() {
        make_topic(cx, &request).await;
    }
    if cx.header.api_version >= BATCH_VERSION {
        for key in request.coordinator_keys {
            let found = find(cx, request.key_type, &key);
            response.coordinators.push(coordinator(key, found));
        }
    } else {
        let found = find(cx, request.key_type, &request.key);
        // Kafka fills in this message on success, too.
        let message = found.as_ref().err().map_or("NONE".to_owned(), ToString::to_string);
        let message = Some(StrBytes::from_string(message));
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
        Ok(node) => coordinator.with_node_id(node.id).with_host(node.host).with_port(node.port),
        Err(error) => coordinator
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(error.code().code()),
    }
}

/// Creates the coordinator's topic if it is missing. The request tries once for all of its keys,
/// and a failure is only logged: `find` then answers COORDINATOR_NOT_AVAILABLE.
async fn make_topic(cx: &Context, request: &FindCoordinatorRequest) {
    let is_share_partition = |key: &StrBytes| SharePartitionKey::parse(key).is_some();
    let topic = match request.key_type {
        GROUP => OFFSETS_TOPIC,
        TRANSACTION => TRANSACTION_TOPIC,
        SHARE
            if cx.header.api_version >= SHARE_VERSION
                && request.coordinator_keys.iter().any(is_share_partition) =>
        {
            SHARE_TOPIC
        }
        _ => return,
    };
    cx.parts.internal_topics.ensure(topic).await;
}

fn find(cx: &Context, key_type: i8, key: &str) -> Result<Node> {
    let (topic, partition) = match key_type {
        GROUP => (OFFSETS_TOPIC, cx.parts.groups.partition_for(key)),
        TRANSACTION => (TRANSACTION_TOPIC, cx.parts.transactions.partition_for(key)),
        SHARE if cx.header.api_version >= SHARE_VERSION => {
            let key = SharePartitionKey::parse(key).ok_or(ResponseError::InvalidRequest)?;
            (SHARE_TOPIC, cx.parts.share_states.partition_for(&key))
        }
        _ => return Err(ResponseError::InvalidRequest.into()),
    };
    leader(cx, topic, partition).ok_or_else(|| ResponseError::CoordinatorNotAvailable.into())
}

fn leader(cx: &Context, topic: &str, partition: i32) -> Option<Node> {
    let image = cx.image();
    let topic = image.topics.by_name(topic)?;
    let leader = topic.partition(partition)?.leader;
    let broker = image.brokers.get(&leader)?;
    brokers::node(cx, broker).filter(|node| !node.fenced)
}
