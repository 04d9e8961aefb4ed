//! AddPartitionsToTxn (24): adds partitions to a transaction. From version 4 on it is brokers that
//! send it, for several transactions at once; they may also only verify that the partitions have
//! been added.

use super::Context;
use super::init_producer_id::fenced;
use crate::codec::Reply;
use crate::codec::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use crate::codec::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use crate::codec::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, StrBytes};
use crate::coordinator::transaction::{EPOCH_BUMP_VERSION, Producer};
use crate::error::Result;
use crate::metadata::Image;
use crate::types::TopicPartition;
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;

/// The first version that brokers send, for clients that know transaction version 2.
const BROKERS_VERSION: i16 = 4;
/// The first version whose clients know PRODUCER_FENCED.
const FENCED_VERSION: i16 = 2;

pub(super) async fn handle(cx: &Context, request: AddPartitionsToTxnRequest) -> Result<Reply> {
    let image = cx.image();
    if cx.header.api_version < BROKERS_VERSION {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        let results = answer(cx, &image, &transaction).await;
        let response = AddPartitionsToTxnResponse::default();
        return Ok(cx.reply(&response.with_results_by_topic_v3_and_below(results)));
    }
    // The changes are written in order; then they wait together until they are replicated.
    let image = &image;
    let results = request.transactions.into_iter().map(|transaction| async move {
        let topic_results = answer(cx, image, &transaction).await;
        AddPartitionsToTxnResult::default()
            .with_transactional_id(transaction.transactional_id)
            .with_topic_results(topic_results)
    });
    let results = join_all(results).await;
    let response = AddPartitionsToTxnResponse::default().with_results_by_transaction(results);
    Ok(cx.reply(&response))
}

async fn answer(
    cx: &Context,
    image: &Image,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = &transaction.topics;
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(partitions_of).collect();
    let missing: Vec<bool> = partitions.iter().map(|partition| !exists(image, partition)).collect();
    if missing.contains(&true) {
        // Either all partitions are added or none.
        return shape(
            topics,
            missing.into_iter().map(|is_missing| match is_missing {
                true => Err(ResponseError::UnknownTopicOrPartition),
                false => Err(ResponseError::OperationNotAttempted),
            }),
        );
    }
    let producer = Producer { id: transaction.producer_id.0, epoch: transaction.producer_epoch };
    let (id, coordinator) = (&*transaction.transactional_id, &cx.parts.transactions);
    let all = |error| partitions.iter().map(move |_| Err(fenced(cx, FENCED_VERSION, error)));
    if transaction.verify_only {
        return match coordinator.verify_partitions(id, producer, &partitions).await {
            Ok(verified) => shape(topics, verified.into_iter()),
            Err(error) => shape(topics, all(error.code())),
        };
    }
    let version = if cx.header.api_version < BROKERS_VERSION { 0 } else { EPOCH_BUMP_VERSION };
    match coordinator.add_partitions(id, producer, &partitions, version).await {
        Ok(()) => shape(topics, partitions.iter().map(|_| Ok(()))),
        Err(error) => shape(topics, all(error.code())),
    }
}

fn partitions_of(topic: &AddPartitionsToTxnTopic) -> Vec<TopicPartition> {
    let name: std::sync::Arc<str> = (&**topic.name).into();
    topic.partitions.iter().map(|index| TopicPartition::new(name.clone(), *index)).collect()
}

fn exists(image: &Image, TopicPartition { topic, partition }: &TopicPartition) -> bool {
    let topic = image.topics.by_name(topic);
    topic.is_some_and(|topic| topic.partition(*partition).is_some())
}

/// Pairs the partitions of the request with `answers`, which are in the same order.
fn shape(
    topics: &[AddPartitionsToTxnTopic],
    mut answers: impl Iterator<Item = Result<(), ResponseError>>,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |topic: &AddPartitionsToTxnTopic| {
        let results = topic.partitions.iter().zip(&mut answers).map(|(index, answer)| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(answer.err().map_or(0, |error| error.code()))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(StrBytes::clone(&topic.name).into())
            .with_results_by_partition(results.collect())
    };
    topics.iter().map(topic).collect()
}
