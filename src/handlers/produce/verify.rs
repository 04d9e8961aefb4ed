//! Asks the transaction coordinator before transactional records are appended.

use super::is_transactional;
use crate::codec::messages::ProduceRequest;
use crate::coordinator::transaction::{Ask, Producer, Support};
use crate::error::{Error, Result};
use crate::handlers::Context;
use crate::log::Verification;
use crate::metadata::Image;
use crate::record::Batch;
use crate::replica::append::Produced;
use crate::types::TopicIdPartition;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;

/// The coordinator's answer for each partition that has transactional records.
pub(super) type Verified = HashMap<TopicIdPartition, Result<Verification>>;

/// Verifies that all partitions with transactional records are part of the transaction. For clients
/// that leave this to the broker it adds them.
pub(super) async fn verify(cx: &Context, image: &Image, request: &ProduceRequest) -> Verified {
    let Some(id) = &request.transactional_id else { return Verified::new() };
    let mut verified = Verified::new();
    let (mut ids, mut asked, mut producer) = (Vec::new(), Vec::new(), Producer::NONE);
    for (id, batch) in transactional(image, request) {
        producer = Producer { id: batch.producer_id(), epoch: batch.producer_epoch() };
        match cx.parts.replicas.partition(id) {
            Ok(partition) => {
                ids.push(id);
                asked.push((partition, batch.base_sequence()));
            }
            Err(error) => drop(verified.insert(id, Err(error))),
        }
    }
    if asked.is_empty() {
        return verified;
    }
    let support = match cx.header.api_version {
        12.. => Support::AddPartitions,
        11 => Support::GenericErrors,
        _ => Support::Default,
    };
    let ask = Ask { id, producer, support, retries: true };
    let answers = cx.parts.transactions.verify(&ask, &asked).await;
    let understood = |error: Error| understood(support, &error);
    verified.extend(ids.into_iter().zip(answers.into_iter().map(|a| a.map_err(understood))));
    verified
}

/// The partitions with transactional records, each with its first batch.
fn transactional<'a>(
    image: &'a Image,
    request: &'a ProduceRequest,
) -> impl Iterator<Item = (TopicIdPartition, Batch)> + 'a {
    request.topic_data.iter().flat_map(|data| {
        let topic = match data.topic_id.is_nil() {
            true => image.topics.by_name(&data.name),
            false => image.topics.by_id(data.topic_id),
        };
        let partitions = topic
            .into_iter()
            .flat_map(|topic| data.partition_data.iter().map(|partition| (topic.id, partition)));
        partitions.filter_map(|(topic_id, data)| {
            let records = data.records.as_ref().filter(|records| is_transactional(records))?;
            let batch = Batch::split_from(&mut records.clone()).ok()?;
            Some((TopicIdPartition { topic_id, partition: data.index }, batch))
        })
    })
}

/// Turns the coordinator's error into one that tells a producer either to give up or to retry.
fn understood(support: Support, error: &Error) -> Error {
    use ResponseError as E;
    let unverified = |name: &str| {
        let what = "The coordinator did not say whether the transaction has the partition";
        Error::Explained(E::NotEnoughReplicas, format!("{what}: {name}"))
    };
    match error.code() {
        E::InvalidTxnState => Error::Explained(
            E::InvalidTxnState,
            "The transaction does not have the partition".to_owned(),
        ),
        E::NetworkException => unverified("NETWORK_EXCEPTION"),
        E::CoordinatorLoadInProgress => unverified("COORDINATOR_LOAD_IN_PROGRESS"),
        // Kafka's broker would look for the coordinator in its metadata first, and not find it.
        E::CoordinatorNotAvailable | E::NotCoordinator => unverified("COORDINATOR_NOT_AVAILABLE"),
        // Clients that let the broker add partitions retry this error themselves.
        E::ConcurrentTransactions if support != Support::AddPartitions => {
            unverified("CONCURRENT_TRANSACTIONS")
        }
        code => code.into(),
    }
}

/// The verification with which the records of `id` are appended, or the answer if they must not be.
pub(super) fn verification(
    verified: &Verified,
    id: TopicIdPartition,
) -> Result<Verification, Produced> {
    match verified.get(&id) {
        None => Ok(Verification::NotNeeded),
        Some(Ok(verification)) => Ok(*verification),
        Some(Err(error)) => {
            Err(Produced { message: error.message(), ..Produced::failed(error.code()) })
        }
    }
}
