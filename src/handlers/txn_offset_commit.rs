//! TxnOffsetCommit (28): commits the offsets of a group as part of a transaction. From version 5 on
//! the broker adds the offsets to the transaction itself (KIP-890).

use super::Context;
use super::offset_commit::{fill_in, look_up_all};
use crate::codec::Reply;
use crate::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::codec::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use crate::codec::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::transaction::{Ask, Producer, Support};
use crate::error::Result;
use crate::log::Verification;
use kafka_protocol::error::ResponseError;

/// The first version in which topics are named by id.
const TOPIC_ID_VERSION: i16 = 6;
/// The first version whose clients know COORDINATOR_LOAD_IN_PROGRESS.
const LOADING_VERSION: i16 = 2;

pub(super) async fn handle(cx: &Context, request: TxnOffsetCommitRequest) -> Result<Reply> {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let transactional_id = request.transactional_id;
    let mut commit = OffsetCommitRequest::default()
        .with_group_id(request.group_id)
        .with_generation_id_or_member_epoch(request.generation_id_or_member_epoch)
        .with_member_id(request.member_id)
        .with_group_instance_id(request.group_instance_id)
        .with_topics(request.topics.into_iter().map(topic).collect());
    let by_id = cx.header.api_version >= TOPIC_ID_VERSION;
    let mut response = look_up_all(&cx.image(), &mut commit, by_id);
    if !by_id {
        // As in Kafka, offsets that were committed by topic name are stored without topic ids.
        commit.topics.iter_mut().for_each(|topic| topic.topic_id = uuid::Uuid::nil());
    }
    if !commit.topics.is_empty() {
        let committed = commit_offsets(cx, &transactional_id, producer, &commit).await;
        fill_in(&mut response, committed.map_err(|error| understood(cx, error.code())));
    }
    Ok(cx.reply(&shape(response)))
}

async fn commit_offsets(
    cx: &Context,
    transactional_id: &str,
    producer: Producer,
    commit: &OffsetCommitRequest,
) -> Result<OffsetCommitResponse> {
    if commit.group_id.is_empty() {
        return Err(ResponseError::InvalidGroupId.into());
    }
    let verification = verify(cx, transactional_id, producer, &commit.group_id).await?;
    let producer = (producer.id, producer.epoch);
    cx.parts.groups.commit_transactional_offsets(producer, verification, commit).await
}

/// Verifies that the group's partition of `__consumer_offsets` is part of the transaction, or adds
/// it.
async fn verify(
    cx: &Context,
    transactional_id: &str,
    producer: Producer,
    group: &str,
) -> Result<Verification> {
    const NO_SEQUENCE: i32 = -1;
    let support = match cx.header.api_version {
        5.. => Support::AddPartitions,
        4 => Support::GenericErrors,
        _ => Support::Default,
    };
    let index = cx.parts.groups.partition_for(group);
    let partition = cx.parts.replicas.by_name(&cx.image(), OFFSETS_TOPIC, index);
    let partition = partition.map_err(|_| ResponseError::NotCoordinator)?;
    let ask = Ask { id: transactional_id, producer, support, retries: false };
    let mut verified = cx.parts.transactions.verify(&ask, &[(partition, NO_SEQUENCE)]).await;
    verified.pop().expect("one answer for one partition")
}

fn understood(cx: &Context, error: ResponseError) -> ResponseError {
    match error {
        ResponseError::CoordinatorLoadInProgress if cx.header.api_version < LOADING_VERSION => {
            ResponseError::CoordinatorNotAvailable
        }
        // What prevents the question whether the group is in the transaction.
        ResponseError::NotLeaderOrFollower | ResponseError::KafkaStorageError => {
            ResponseError::NotCoordinator
        }
        ResponseError::NetworkException if cx.header.api_version < LOADING_VERSION => {
            ResponseError::CoordinatorNotAvailable
        }
        ResponseError::NetworkException => ResponseError::CoordinatorLoadInProgress,
        error => error,
    }
}

fn topic(topic: TxnOffsetCommitRequestTopic) -> OffsetCommitRequestTopic {
    let partitions = topic.partitions.into_iter().map(|partition| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_committed_metadata(partition.committed_metadata)
    });
    OffsetCommitRequestTopic::default()
        .with_name(topic.name)
        .with_topic_id(topic.topic_id)
        .with_partitions(partitions.collect())
}

fn shape(response: OffsetCommitResponse) -> TxnOffsetCommitResponse {
    let topics = response.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(partition.error_code)
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}
