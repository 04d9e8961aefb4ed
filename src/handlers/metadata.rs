//! Metadata (3): brokers, topics and the leaders of partitions. Creates missing topics that a
//! request names if `auto.create.topics.enable` and the request allow it.
//!
//! As in Kafka, a topic that was just created is answered with UNKNOWN_TOPIC_OR_PARTITION once.
//! Here it exists when the client asks again.

use super::Context;
use super::brokers::{self, CLUSTER_OPERATIONS, TOPIC_OPERATIONS};
use crate::codec::Reply;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::metadata_request::MetadataRequestTopic;
use crate::codec::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::codec::messages::{MetadataRequest, MetadataResponse, StrBytes, TopicName};
use crate::coordinator::internal_topics::is_internal;
use crate::error::Result;
use crate::metadata::{Image, Topic};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) async fn handle(cx: &Context, request: MetadataRequest) -> Result<Reply> {
    let topics = match asked(cx, &request) {
        RequestedTopics::All => all_topics(cx),
        RequestedTopics::ById(ids) => ids.into_iter().map(|id| topic_by_id(cx, id)).collect(),
        RequestedTopics::ByName(names) => topics_by_name(cx, &request, names).await?,
        RequestedTopics::Invalid(topics) => topics,
    };
    let image = cx.image();
    let mut response = MetadataResponse::default()
        .with_cluster_id(Some(StrBytes::from_string(image.cluster_id.to_string())))
        .with_controller_id(brokers::any_alive(&image))
        .with_topics(topics)
        .with_brokers(alive(cx, &image));
    if (8..=10).contains(&cx.header.api_version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if request.include_topic_authorized_operations {
        for topic in &mut response.topics {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    Ok(cx.reply(&response))
}

enum RequestedTopics {
    All,
    ById(BTreeSet<Uuid>),
    ByName(BTreeSet<TopicName>),
    /// A topic has no name, or has an id in a version without ids.
    Invalid(Vec<MetadataResponseTopic>),
}

fn asked(cx: &Context, request: &MetadataRequest) -> RequestedTopics {
    let Some(topics) = &request.topics else { return RequestedTopics::All };
    if cx.header.api_version == 0 && topics.is_empty() {
        return RequestedTopics::All;
    }
    let misplaced = |topic: &MetadataRequestTopic| topic.name.is_none() || !topic.topic_id.is_nil();
    if cx.header.api_version < 12 && topics.iter().any(misplaced) {
        return RequestedTopics::Invalid(topics.iter().map(invalid_request).collect());
    }
    let ids: BTreeSet<Uuid> =
        topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil()).collect();
    if ids.is_empty() {
        RequestedTopics::ByName(topics.iter().filter_map(|topic| topic.name.clone()).collect())
    } else {
        RequestedTopics::ById(ids)
    }
}

fn invalid_request(topic: &MetadataRequestTopic) -> MetadataResponseTopic {
    // Versions below 12 cannot encode a null name.
    MetadataResponseTopic::default()
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_name(Some(topic.name.clone().unwrap_or_default()))
        .with_topic_id(topic.topic_id)
}

fn alive(cx: &Context, image: &Image) -> Vec<MetadataResponseBroker> {
    let alive = brokers::nodes(cx, image).into_iter().filter(|node| !node.fenced);
    alive
        .map(|node| {
            MetadataResponseBroker::default()
                .with_node_id(node.id)
                .with_host(node.host)
                .with_port(node.port)
                .with_rack(node.rack)
        })
        .collect()
}

fn all_topics(cx: &Context) -> Vec<MetadataResponseTopic> {
    let image = cx.image();
    image.topics.iter().map(|topic| known(cx, &image, topic)).collect()
}

fn topic_by_id(cx: &Context, id: Uuid) -> MetadataResponseTopic {
    let image = cx.image();
    match image.topics.by_id(id) {
        Some(topic) => known(cx, &image, topic),
        None => MetadataResponseTopic::default()
            .with_error_code(ResponseError::UnknownTopicId.code())
            .with_name(None)
            .with_topic_id(id),
    }
}

async fn topics_by_name(
    cx: &Context,
    request: &MetadataRequest,
    names: BTreeSet<TopicName>,
) -> Result<Vec<MetadataResponseTopic>> {
    let image = cx.image();
    let missing: Vec<TopicName> = names
        .iter()
        .filter(|name| image.topics.by_name(name).is_none())
        .filter(|name| brokers::name_error(name).is_none())
        .cloned()
        .collect();
    let create = cx.parts.config.get().auto_create_topics_enable
        && (cx.header.api_version < 4 || request.allow_auto_topic_creation)
        && !missing.is_empty();
    let failed = if create { auto_create(cx, missing).await? } else { BTreeMap::new() };
    Ok(names
        .into_iter()
        .map(|name| match image.topics.by_name(&name) {
            Some(topic) => known(cx, &image, topic),
            None => unknown(&name, failed.get(&name).copied()),
        })
        .collect())
}

fn unknown(name: &TopicName, failure: Option<i16>) -> MetadataResponseTopic {
    let error = failure.unwrap_or_else(|| {
        let error = brokers::name_error(name);
        error.unwrap_or(ResponseError::UnknownTopicOrPartition).code()
    });
    MetadataResponseTopic::default()
        .with_error_code(error)
        .with_name(Some(name.clone()))
        .with_is_internal(is_internal(name))
}

fn known(cx: &Context, image: &Image, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().enumerate().map(|(index, partition)| {
        let view = brokers::view(cx, image, partition);
        MetadataResponsePartition::default()
            .with_error_code(view.error.map_or(0, |error| error.code()))
            .with_partition_index(index as i32)
            .with_leader_id(view.leader)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(view.replicas)
            .with_isr_nodes(view.isr)
            .with_offline_replicas(view.offline)
    });
    MetadataResponseTopic::default()
        .with_name(Some(brokers::topic_name(topic)))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions.collect())
}

/// Creates the topics through the controller. Partitions and replicas are those that this broker's
/// own settings give; of what they do not give the controller has the default. Returns the codes of
/// the topics that failed; one that somebody else has created meanwhile is no failure.
async fn auto_create(cx: &Context, names: Vec<TopicName>) -> Result<BTreeMap<TopicName, i16>> {
    let internal = &cx.parts.internal_topics;
    let (partitions, replicas) = {
        let config = cx.parts.config.get();
        let given = |name: &str, value: i32| if config.is_set(name) { value } else { -1 };
        (
            given("num.partitions", config.num_partitions),
            given("default.replication.factor", config.default_replication_factor) as i16,
        )
    };
    let topics = names.into_iter().map(|name| {
        internal.of_coordinator(&name).unwrap_or_else(|| {
            CreatableTopic::default()
                .with_name(name)
                .with_num_partitions(partitions)
                .with_replication_factor(replicas)
        })
    });
    let response = internal.create(cx.session.requester(), topics.collect()).await?;
    let made = |code: i16| code == 0 || code == ResponseError::TopicAlreadyExists.code();
    let failed = response.topics.into_iter().filter(|topic| !made(topic.error_code));
    Ok(failed.map(|topic| (topic.name, topic.error_code)).collect())
}
