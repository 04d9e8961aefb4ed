//! WriteShareGroupState (85): the leader of share partitions writes what their group has done.

use super::Context;
use super::share_partitions::{Answers, by_topic, group, key, status};
use crate::codec::Reply;
use crate::codec::messages::write_share_group_state_request::{PartitionData, StateBatch};
use crate::codec::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use crate::codec::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};
use crate::coordinator::share::{DeliveryBatch, ShareWrite};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: WriteShareGroupStateRequest) -> Result<Reply> {
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let Some(group) = group(&request.group_id, named) else {
        return Ok(cx.reply(&WriteShareGroupStateResponse::default()));
    };
    let mut answers = Answers::new();
    for topic in request.topics {
        for asked in topic.partitions {
            let partition = asked.partition;
            let key = key(&group, topic.topic_id, partition);
            let (code, message) = status(&cx.parts.share_states.write(&key, &write(asked)).await);
            let answer = PartitionResult::default()
                .with_partition(partition)
                .with_error_code(code)
                .with_error_message(message);
            answers.entry(topic.topic_id).or_default().insert(partition, answer);
        }
    }
    let results = by_topic(answers, |topic_id, partitions| {
        WriteStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&WriteShareGroupStateResponse::default().with_results(results)))
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
