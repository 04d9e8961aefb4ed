//! WriteShareGroupState (85): the leader of share partitions writes what their group has done.

use super::Context;
use super::share_partitions::{answer_each, status};
use crate::codec::Reply;
use crate::codec::messages::write_share_group_state_request::{PartitionData, StateBatch};
use crate::codec::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use crate::codec::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};
use crate::coordinator::share::{DeliveryBatch, ShareWrite};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: WriteShareGroupStateRequest) -> Result<Reply> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        (topic.topic_id, partitions.map(|asked| (asked.partition, write(asked))).collect())
    });
    let answers =
        answer_each(&request.group_id, topics, ShareWrite::join, |key, asked| async move {
            let (code, message) = status(&cx.parts.share_states.write(&key, &asked).await);
            PartitionResult::default()
                .with_partition(key.partition())
                .with_error_code(code)
                .with_error_message(message)
        });
    let results = answers.await.into_iter().map(|(topic_id, partitions)| {
        WriteStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&WriteShareGroupStateResponse::default().with_results(results.collect())))
}

fn write(asked: PartitionData) -> ShareWrite {
    let batch = |batch: StateBatch| DeliveryBatch {
        first: batch.first_offset,
        last: batch.last_offset,
        state: batch.delivery_state,
        count: batch.delivery_count,
    };
    ShareWrite {
        state_epoch: asked.state_epoch,
        leader_epoch: asked.leader_epoch,
        start_offset: asked.start_offset,
        delivery_complete_count: asked.delivery_complete_count,
        batches: asked.state_batches.into_iter().map(batch).collect(),
    }
}
