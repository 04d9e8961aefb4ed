//! DescribeProducers (61): the idempotent and transactional producers in the state of partitions.

use super::{Context, brokers};
use crate::codec::Reply;
use crate::codec::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use crate::codec::messages::{
    DescribeProducersRequest, DescribeProducersResponse, StrBytes, TopicName,
};
use crate::error::Result;
use crate::log::ActiveProducer;
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};

pub(super) async fn handle(cx: &Context, request: DescribeProducersRequest) -> Result<Reply> {
    let image = cx.image();
    let mut seen: HashMap<TopicName, HashSet<i32>> = HashMap::new();
    let topics = request.topics.into_iter().map(|topic| {
        let refusal = refusal(&image, &topic.name);
        // A partition that is named twice is described once, as it may have very many producers.
        let seen = seen.entry(topic.name.clone()).or_default();
        let indexes = topic.partition_indexes.iter();
        let partitions = indexes.filter_map(|index| match &refusal {
            Some(refusal) => Some(refusal.clone().with_partition_index(*index)),
            None => seen.insert(*index).then(|| describe(cx, &image, &topic.name, *index)),
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    Ok(cx.reply(&DescribeProducersResponse::default().with_topics(topics)))
}

/// The answer for all partitions of a topic whose name is invalid or that does not exist. Kafka
/// explains a missing topic, but not a missing partition.
fn refusal(image: &Image, topic: &str) -> Option<PartitionResponse> {
    let answer = PartitionResponse::default();
    if let Some(error) = brokers::name_error(topic) {
        return Some(answer.with_error_code(error.code()));
    }
    image.topics.by_name(topic).is_none().then(|| {
        answer
            .with_error_code(ResponseError::UnknownTopicOrPartition.code())
            .with_error_message(Some(StrBytes::from_string(format!("No topic is named {topic}"))))
    })
}

fn describe(cx: &Context, image: &Image, topic: &str, index: i32) -> PartitionResponse {
    let answer = PartitionResponse::default().with_partition_index(index);
    let partition = cx.parts.replicas.by_name(image, topic, index);
    match partition.and_then(|partition| partition.active_producers()) {
        Ok(producers) => answer.with_active_producers(producers.iter().map(shape).collect()),
        Err(error) => answer.with_error_code(error.code().code()).with_error_message(None),
    }
}

fn shape(producer: &ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(producer.producer_id.into())
        .with_producer_epoch(i32::from(producer.producer_epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.current_txn_start_offset)
}
