//! Produce (0): appends record batches to partitions and, with acks=all, waits for the ISR.
//!
//! The appends happen in the first poll of the handler's future: a connection polls its requests
//! once each, in order, and this keeps a producer's batches in order. Only the first records that a
//! transaction writes to a partition may wait for the transaction coordinator before they are
//! appended; the produce requests behind them on the connection then wait as well.

mod verify;

use super::brokers::Leaders;
use super::{Context, throttle};
use crate::codec::Reply;
use crate::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::codec::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use crate::codec::messages::{ProduceRequest, ProduceResponse, StrBytes};
use crate::coordinator::internal_topics::is_internal;
use crate::error::{Error, Result};
use crate::metadata::{Image, Topic};
use crate::record::Batch;
use crate::replica::append::{AwaitedOffset, Produced};
use crate::types::TopicIdPartition;
use bytes::Bytes;
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::time::{Duration, Instant};
use uuid::Uuid;
use verify::Verified;

/// The client id that may write to internal topics (AdminUtils.ADMIN_CLIENT_ID).
const ADMIN_CLIENT_ID: &str = "__admin_client";

pub(super) async fn handle(cx: &Context, mut request: ProduceRequest) -> Result<Reply> {
    drop_repeated(&mut request);
    let acks = request.acks;
    let timeout = Duration::from_millis(request.timeout_ms.max(0) as u64);
    let deadline = (acks == -1).then(|| Instant::now() + timeout);
    let image = cx.image();
    let mut topics = append_all(cx, &image, request).await;
    // All waits run together, so that the fsyncs they need happen at the same time.
    let produced = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let awaited =
        produced.filter_map(|p| p.awaited.take().map(|awaited| (awaited, &mut p.outcome)));
    let waits = awaited.map(async |(awaited, outcome)| {
        if let Err(error) = wait(&awaited, deadline).await {
            outcome.error = Some(error.code());
        }
    });
    join_all(waits).await;
    if acks == 0 {
        return no_answer(cx, &topics);
    }
    Ok(cx.reply(&response(cx, &image, topics)))
}

/// A topic of the request after its appends.
struct TopicOutcome {
    asked_name: StrBytes,
    asked_id: Uuid,
    topic: Option<Arc<Topic>>,
    partitions: Vec<PartitionOutcome>,
}

struct PartitionOutcome {
    index: i32,
    outcome: Produced,
    awaited: Option<AwaitedOffset>,
}

async fn append_all(cx: &Context, image: &Image, request: ProduceRequest) -> Vec<TopicOutcome> {
    // Only a transaction's first produce holds the lock while it waits, so this rarely blocks. It
    // is unconstrained because tokio could otherwise yield here, when the task has used up its
    // budget, before the request has its place in the queue.
    let _turn = tokio::task::unconstrained(cx.session.turn.lock()).await;
    let refused = refuse_all(&request);
    let verified = match refused {
        None => verify::verify(cx, image, &request).await,
        Some(_) => Verified::new(),
    };
    let asks = Asks { acks: request.acks, verified, refused };
    let topics = request.topic_data.into_iter().filter(|topic| !topic.partition_data.is_empty());
    topics.map(|topic| append_topic(cx, image, topic, &asks)).collect()
}

/// Keeps the last mention of each partition, as Kafka does.
fn drop_repeated(request: &mut ProduceRequest) {
    let partitions = request.topic_data.iter().map(|topic| topic.partition_data.len());
    if partitions.sum::<usize>() < 2 {
        return;
    }
    let mut seen: HashMap<_, HashSet<i32>> = HashMap::new();
    for topic in request.topic_data.iter_mut().rev() {
        let seen = seen.entry((topic.name.clone(), topic.topic_id)).or_default();
        topic.partition_data.reverse();
        topic.partition_data.retain(|data| seen.insert(data.index));
        topic.partition_data.reverse();
    }
}

/// What applies to every partition of the request.
struct Asks {
    acks: i16,
    verified: Verified,
    refused: Option<ResponseError>,
}

fn append_topic(cx: &Context, image: &Image, data: TopicProduceData, asks: &Asks) -> TopicOutcome {
    let topic = if data.topic_id.is_nil() {
        image.topics.by_name(&data.name)
    } else {
        image.topics.by_id(data.topic_id)
    };
    let partitions = data.partition_data.into_iter().map(|partition| {
        let index = partition.index;
        let appended = match (topic, asks.refused) {
            (_, Some(error)) => Err(Produced::failed(error)),
            (Some(topic), None) => append(cx, topic, partition, asks),
            (None, None) if cx.header.api_version > 12 => {
                Err(Produced::failed(ResponseError::UnknownTopicId))
            }
            (None, None) => Err(Produced::failed(ResponseError::UnknownTopicOrPartition)),
        };
        let (outcome, awaited) = appended.unwrap_or_else(|failed| (failed, None));
        PartitionOutcome { index, outcome, awaited }
    });
    TopicOutcome {
        partitions: partitions.collect(),
        topic: topic.cloned(),
        asked_name: data.name.0,
        asked_id: data.topic_id,
    }
}

fn append(
    cx: &Context,
    topic: &Topic,
    data: PartitionProduceData,
    asks: &Asks,
) -> Result<(Produced, Option<AwaitedOffset>), Produced> {
    if topic.partition(data.index).is_none() {
        return Err(Produced::failed(ResponseError::UnknownTopicOrPartition));
    }
    if !matches!(asks.acks, -1..=1) {
        return Err(Produced::failed(ResponseError::InvalidRequiredAcks));
    }
    let records = data.records.unwrap_or_default();
    let is_admin = cx.header.client_id.as_deref() == Some(ADMIN_CLIENT_ID);
    if is_internal(&topic.name) && !is_admin {
        return Err(Produced::failed(ResponseError::InvalidTopicException));
    }
    let id = TopicIdPartition { topic_id: topic.id, partition: data.index };
    let (replicas, now) = (&cx.parts.replicas, cx.parts.clock.now());
    let verification = verify::verification(&asks.verified, id)?;
    Ok(replicas.produce(id, records, asks.acks, cx.header.api_version, verification, now))
}

/// The error for the whole request if its transactional records come without a transactional id or
/// from more than one producer.
fn refuse_all(request: &ProduceRequest) -> Option<ResponseError> {
    let records = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut batches = records
        .filter_map(|partition| partition.records.as_ref())
        .filter(|records| is_transactional(records))
        .filter_map(|records| Batch::split_from(&mut records.clone()).ok());
    let first = batches.next()?;
    if request.transactional_id.is_none() {
        return Some(ResponseError::TransactionalIdAuthorizationFailed);
    }
    let producer = |batch: &Batch| (batch.producer_id(), batch.producer_epoch());
    let is_other = batches.any(|batch| producer(&batch) != producer(&first));
    is_other.then_some(ResponseError::InvalidProducerIdMapping)
}

/// Whether the attributes of the first batch say so; false if the bytes are too few for a batch.
fn is_transactional(records: &Bytes) -> bool {
    const ATTRIBUTES_LOW_BYTE: usize = 22;
    const TRANSACTIONAL: u8 = 0x10;
    records.get(ATTRIBUTES_LOW_BYTE).is_some_and(|attributes| attributes & TRANSACTIONAL != 0)
}

/// Waits for the ISR until `deadline` if there is one (acks=all); otherwise only flushes if that is
/// due.
async fn wait(awaited: &AwaitedOffset, deadline: Option<Instant>) -> Result<()> {
    let AwaitedOffset { partition, offset } = awaited;
    let Some(deadline) = deadline else {
        return partition.flush_if_due(*offset).await;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let left_ms = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
    partition.wait_for_high_watermark(*offset, left_ms).await
}

/// With acks=0 there is no response. On an error the connection is closed instead, which makes the
/// producer refresh its metadata.
fn no_answer(cx: &Context, topics: &[TopicOutcome]) -> Result<Reply> {
    throttle::charge(cx, &());
    let mut partitions = topics.iter().flat_map(|topic| &topic.partitions);
    match partitions.find_map(|partition| partition.outcome.error) {
        None => Ok(Reply::None),
        Some(error) => {
            let client = cx.header.client_id.as_deref().unwrap_or("");
            let message = format!("produce with acks=0 of client {client:?} failed");
            Err(Error::Explained(error, message))
        }
    }
}

fn response(cx: &Context, image: &Image, topics: Vec<TopicOutcome>) -> ProduceResponse {
    let mut leaders = Leaders::default();
    let responses = topics.into_iter().map(|topic| {
        let TopicOutcome { asked_name, asked_id, topic, partitions } = topic;
        let partitions = partitions.into_iter().map(|produced| {
            let is_moved = produced.outcome.error == Some(ResponseError::NotLeaderOrFollower);
            let mut shaped = partition_response(produced.index, produced.outcome);
            if cx.header.api_version >= 10
                && is_moved
                && let Some(topic) = &topic
            {
                let (id, epoch) = leaders.of(cx, image, topic, produced.index);
                shaped.current_leader =
                    LeaderIdAndEpoch::default().with_leader_id(id).with_leader_epoch(epoch);
            }
            shaped
        });
        TopicProduceResponse::default()
            .with_partition_responses(partitions.collect())
            .with_name(asked_name.into())
            .with_topic_id(asked_id)
    });
    let responses = responses.collect();
    ProduceResponse::default().with_responses(responses).with_node_endpoints(leaders.endpoints())
}

fn partition_response(index: i32, outcome: Produced) -> PartitionProduceResponse {
    let record_errors = outcome.record_errors.into_iter().map(|(index, message)| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(index)
            .with_batch_index_error_message(message.map(StrBytes::from_string))
    });
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(outcome.error.map_or(0, |error| error.code()))
        .with_base_offset(outcome.base_offset)
        .with_log_append_time_ms(outcome.append_time)
        .with_log_start_offset(outcome.log_start_offset)
        .with_record_errors(record_errors.collect())
        .with_error_message(outcome.message.map(StrBytes::from_string))
}
