//! ReadShareGroupState (84): the leader of share partitions reads where their group is.

use super::Context;
use super::share_partitions::{answer_each, failure, last};
use crate::codec::Reply;
use crate::codec::messages::read_share_group_state_response::{
    PartitionResult, ReadStateResult, StateBatch,
};
use crate::codec::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};
use crate::coordinator::share::{DeliveryBatch, ShareRead};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: ReadShareGroupStateRequest) -> Result<Reply> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        (topic.topic_id, partitions.map(|asked| (asked.partition, asked)).collect())
    });
    let answers = answer_each(&request.group_id, topics, last, |key, asked| async move {
        let read = cx.parts.share_states.read(&key, asked.leader_epoch).await;
        result(&read).with_partition(key.partition())
    });
    let results = answers.await.into_iter().map(|(topic_id, partitions)| {
        ReadStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&ReadShareGroupStateResponse::default().with_results(results.collect())))
}

fn result(read: &Result<ShareRead>) -> PartitionResult {
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            let (code, message) = failure(error);
            return PartitionResult::default().with_error_code(code).with_error_message(message);
        }
    };
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
