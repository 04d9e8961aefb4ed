//! ReadShareGroupState (84): the leader of share partitions reads where their group is.

use super::Context;
use super::share_partitions::{Answers, by_topic, failure, group, key};
use crate::codec::Reply;
use crate::codec::messages::read_share_group_state_response::{
    PartitionResult, ReadStateResult, StateBatch,
};
use crate::codec::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};
use crate::coordinator::share::{DeliveryBatch, ShareRead};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: ReadShareGroupStateRequest) -> Result<Reply> {
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let Some(group) = group(&request.group_id, named) else {
        return Ok(cx.reply(&ReadShareGroupStateResponse::default()));
    };
    let mut answers = Answers::new();
    for topic in request.topics {
        for asked in topic.partitions {
            let key = key(&group, topic.topic_id, asked.partition);
            let answer = match cx.parts.share_states.read(&key, asked.leader_epoch).await {
                Ok(read) => answer(&read),
                Err(error) => {
                    let (code, message) = failure(&error);
                    PartitionResult::default().with_error_code(code).with_error_message(message)
                }
            };
            let answer = answer.with_partition(asked.partition);
            answers.entry(topic.topic_id).or_default().insert(asked.partition, answer);
        }
    }
    let results = by_topic(answers, |topic_id, partitions| {
        ReadStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&ReadShareGroupStateResponse::default().with_results(results)))
}

fn answer(read: &ShareRead) -> PartitionResult {
    let batch = |batch: &DeliveryBatch| {
        StateBatch::default()
            .with_first_offset(batch.first)
            .with_last_offset(batch.last)
            .with_delivery_state(batch.state)
            .with_delivery_count(batch.count)
    };
    PartitionResult::default()
        .with_state_epoch(read.state_epoch)
        .with_start_offset(read.start_offset)
        .with_state_batches(read.batches.iter().map(batch).collect())
}
