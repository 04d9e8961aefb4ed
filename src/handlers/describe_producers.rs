//! DescribeProducers (61): the idempotent and transactional producers that partitions know.

use super::{Context, brokers};
use crate::codec::Reply;
use crate::error::Result;
use crate::log::ActiveProducer;
use crate::metadata::Image;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(cx: &Context, request: DescribeProducersRequest) -> Result<Reply> {
    let image = cx.image();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter();
        let partitions = partitions.map(|index| describe(cx, &image, &topic.name, *index));
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    Ok(cx.reply(&DescribeProducersResponse::default().with_topics(topics)))
}

fn describe(cx: &Context, image: &Image, topic: &str, index: i32) -> PartitionResponse {
    let answer = PartitionResponse::default().with_partition_index(index);
    if let Some(error) = brokers::name_error(topic) {
        return answer.with_error_code(error.code());
    }
    let partition = cx.parts.replicas.by_name(image, topic, index);
    match partition.and_then(|partition| partition.active_producers()) {
        Ok(producers) => answer.with_active_producers(producers.iter().map(shape).collect()),
        Err(error) => {
            // Kafka says more of a topic that is missing than of a partition.
            let is_missing = image.topics.by_name(topic).is_none();
            let message = is_missing.then(|| {
                StrBytes::from_static_str("This server does not host this topic-partition.")
            });
            answer.with_error_code(error.code().code()).with_error_message(message)
        }
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
