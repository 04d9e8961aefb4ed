//! The requests about states of share partitions (83 to 87), as brokers send them to brokers.

use super::{Answer, Answers, Api, Question};
use crate::codec::messages::delete_share_group_state_request::{
    DeleteStateData, PartitionData as DeletePartition,
};
use crate::codec::messages::initialize_share_group_state_request::{
    InitializeStateData, PartitionData as InitializePartition,
};
use crate::codec::messages::read_share_group_state_request::{
    PartitionData as ReadPartition, ReadStateData,
};
use crate::codec::messages::read_share_group_state_response::PartitionResult as ReadResult;
use crate::codec::messages::read_share_group_state_summary_request::{
    PartitionData as SummaryPartition, ReadStateSummaryData,
};
use crate::codec::messages::read_share_group_state_summary_response::PartitionResult as SummaryResult;
use crate::codec::messages::write_share_group_state_request::{
    PartitionData as WritePartition, StateBatch, WriteStateData,
};
use crate::codec::messages::{
    DeleteShareGroupStateRequest, InitializeShareGroupStateRequest, ReadShareGroupStateRequest,
    ReadShareGroupStateSummaryRequest, StrBytes, WriteShareGroupStateRequest,
};
use crate::coordinator::share::{
    DeliveryBatch, DeliveryBatches, SharePartitionKey, ShareRead, ShareSummary, ShareWrite,
};
use crate::coordinator::text;
use crate::error::{Error, Result};
use crate::peers::{Peers, Purpose};
use crate::types::BrokerId;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use uuid::Uuid;

type Asked<'a> = (&'a SharePartitionKey, &'a Question);

/// Asks a share coordinator about partitions of a group, all by the same API.
pub(super) async fn exchange(
    peers: &Peers,
    broker: BrokerId,
    api: Api,
    group: &str,
    asked: &[Asked<'_>],
) -> Result<Answers> {
    // Sends the API's request and takes its response apart. `$part` makes the partition of a
    // request from a question, `$answer` what is answered from the partition of a response.
    macro_rules! exchange {
        ($versions:expr, $request:ident, $topic:ident, $part:expr, $answer:expr) => {{
            let topics = by_topic(asked, $part).into_iter().map(|(topic_id, partitions)| {
                $topic::default().with_topic_id(topic_id).with_partitions(partitions)
            });
            let request =
                $request::default().with_group_id(text(group).into()).with_topics(topics.collect());
            let response = peers.ask(Purpose::ShareState, broker, $versions, &request).await?;
            let mut answers = Answers::new();
            for topic in response.results {
                for part in topic.partitions {
                    let of = (topic.topic_id, part.partition);
                    let done = status(part.error_code, part.error_message.as_ref());
                    answers.insert(of, done.map(|()| $answer(part)));
                }
            }
            Ok(answers)
        }};
    }
    match api {
        Api::Initialize => {
            let done = |_| Answer::Done;
            exchange!(
                0..=0,
                InitializeShareGroupStateRequest,
                InitializeStateData,
                initialize,
                done
            )
        }
        Api::Read => {
            let found = |part| Answer::Read(state(part));
            exchange!(0..=0, ReadShareGroupStateRequest, ReadStateData, read, found)
        }
        Api::Write => {
            let done = |_| Answer::Done;
            exchange!(0..=1, WriteShareGroupStateRequest, WriteStateData, write, done)
        }
        Api::Summary => {
            let found = |part| Answer::Summary(summarized(part));
            exchange!(
                0..=1,
                ReadShareGroupStateSummaryRequest,
                ReadStateSummaryData,
                summary,
                found
            )
        }
        Api::Delete => {
            let done = |_| Answer::Done;
            exchange!(0..=0, DeleteShareGroupStateRequest, DeleteStateData, delete, done)
        }
    }
}

/// What is asked, by topic. A question of another API has no part in the request.
fn by_topic<P>(
    asked: &[Asked<'_>],
    part: impl Fn(i32, &Question) -> Option<P>,
) -> BTreeMap<Uuid, Vec<P>> {
    let mut topics: BTreeMap<Uuid, Vec<P>> = BTreeMap::new();
    for (key, question) in asked {
        topics.entry(key.topic_id()).or_default().extend(part(key.partition(), question));
    }
    topics
}

fn status(code: i16, message: Option<&StrBytes>) -> Result<()> {
    match (ResponseError::try_from_code(code), message) {
        (None, _) => Ok(()),
        (Some(error), Some(message)) if !message.is_empty() => {
            Err(Error::Explained(error, message.to_string()))
        }
        (Some(error), _) => Err(Error::Code(error)),
    }
}

fn initialize(partition: i32, question: &Question) -> Option<InitializePartition> {
    let Question::Initialize { state_epoch, start_offset } = question else { return None };
    Some(
        InitializePartition::default()
            .with_partition(partition)
            .with_state_epoch(*state_epoch)
            .with_start_offset(*start_offset),
    )
}

fn read(partition: i32, question: &Question) -> Option<ReadPartition> {
    let Question::Read { leader_epoch } = question else { return None };
    Some(ReadPartition::default().with_partition(partition).with_leader_epoch(*leader_epoch))
}

fn write(partition: i32, question: &Question) -> Option<WritePartition> {
    let Question::Write(ShareWrite {
        state_epoch,
        leader_epoch,
        start_offset,
        delivery_complete_count,
        batches,
    }) = question
    else {
        return None;
    };
    let batch = |batch: &DeliveryBatch| {
        StateBatch::default()
            .with_first_offset(batch.first)
            .with_last_offset(batch.last)
            .with_delivery_state(batch.state)
            .with_delivery_count(batch.count)
    };
    Some(
        WritePartition::default()
            .with_partition(partition)
            .with_state_epoch(*state_epoch)
            .with_leader_epoch(*leader_epoch)
            .with_start_offset(*start_offset)
            .with_delivery_complete_count(*delivery_complete_count)
            .with_state_batches(batches.iter().map(batch).collect()),
    )
}

fn summary(partition: i32, _: &Question) -> Option<SummaryPartition> {
    // The coordinator does not look at the leader epoch.
    Some(SummaryPartition::default().with_partition(partition))
}

fn delete(partition: i32, _: &Question) -> Option<DeletePartition> {
    Some(DeletePartition::default().with_partition(partition))
}

fn state(part: ReadResult) -> ShareRead {
    let batches: Vec<DeliveryBatch> = part
        .state_batches
        .iter()
        .map(|batch| DeliveryBatch {
            first: batch.first_offset,
            last: batch.last_offset,
            state: batch.delivery_state,
            count: batch.delivery_count,
        })
        .collect();
    ShareRead {
        state_epoch: part.state_epoch,
        start_offset: part.start_offset,
        batches: DeliveryBatches::combine(&batches),
    }
}

fn summarized(part: SummaryResult) -> ShareSummary {
    ShareSummary {
        state_epoch: part.state_epoch,
        leader_epoch: part.leader_epoch,
        start_offset: part.start_offset,
        delivery_complete_count: part.delivery_complete_count,
    }
}
