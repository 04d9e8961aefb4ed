//! DescribeTopicPartitions (75): topics with their eligible leader replicas, page by page
//! (KIP-966).

use super::Context;
use super::brokers::{self, TOPIC_OPERATIONS};
use crate::codec::Reply;
use crate::codec::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition as PartitionAnswer,
    DescribeTopicPartitionsResponseTopic as TopicAnswer,
};
use crate::codec::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, StrBytes, TopicName,
};
use crate::coordinator::internal_topics::is_internal;
use crate::error::Result;
use crate::metadata::{Image, Topic};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

pub(super) async fn handle(cx: &Context, request: DescribeTopicPartitionsRequest) -> Result<Reply> {
    let image = cx.image();
    let all = request.topics.is_empty();
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
        None => ("", 0),
    };
    let names: BTreeSet<&str> = if all {
        image.topics.iter().map(|topic| &*topic.name).filter(|name| *name >= from_topic).collect()
    } else {
        request.topics.iter().map(|t| t.name.as_str()).filter(|name| *name >= from_topic).collect()
    };
    if from_partition < 0 || (!all && request.cursor.is_some() && !names.contains(from_topic)) {
        return Ok(cx.reply(&refused(&request)));
    }
    let limit = cx.parts.config.get().max_request_partition_size_limit;
    let mut room = limit.min(request.response_partition_limit).max(1) as usize;
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if room == 0 {
            response.next_cursor = Some(cursor(name, 0));
            break;
        }
        let first = if name == from_topic { from_partition as usize } else { 0 };
        match image.topics.by_name(name) {
            Some(topic) => {
                let answer = page(cx, &image, topic, first, room);
                let next = first + answer.partitions.len();
                room -= answer.partitions.len();
                response.topics.push(answer);
                if next < topic.partitions.len() {
                    response.next_cursor = Some(cursor(name, next as i32));
                    break;
                }
            }
            None if all => {}
            None => response.topics.push(unknown(name)),
        }
    }
    Ok(cx.reply(&response))
}

/// The response has no field for an error of the whole request, so every named topic has it
/// (DescribeTopicPartitionsRequest.getErrorResponse).
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| {
        TopicAnswer::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.clone()))
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

fn cursor(topic: &str, partition: i32) -> Cursor {
    Cursor::default().with_topic_name(name(topic)).with_partition_index(partition)
}

fn name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

fn unknown(topic: &str) -> TopicAnswer {
    let error = brokers::name_error(topic).unwrap_or(ResponseError::UnknownTopicOrPartition);
    TopicAnswer::default()
        .with_error_code(error.code())
        .with_name(Some(name(topic)))
        .with_is_internal(is_internal(topic))
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

/// At most `room` partitions of `topic`, from index `first` on.
fn page(cx: &Context, image: &Image, topic: &Topic, first: usize, room: usize) -> TopicAnswer {
    let partitions = topic.partitions.iter().enumerate().skip(first).take(room);
    let partitions = partitions.map(|(index, partition)| {
        let view = brokers::view(cx, image, partition);
        PartitionAnswer::default()
            .with_partition_index(index as i32)
            .with_leader_id(view.leader)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(view.replicas)
            .with_isr_nodes(view.isr)
            .with_eligible_leader_replicas(Some(brokers::ids(&partition.elr)))
            .with_last_known_elr(Some(brokers::ids(&partition.last_known_elr)))
            .with_offline_replicas(view.offline)
    });
    TopicAnswer::default()
        .with_name(Some(brokers::topic_name(topic)))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}
