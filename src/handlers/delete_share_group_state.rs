//! DeleteShareGroupState (86): a group is done with partitions of a topic.

use super::Context;
use super::share_partitions::{answer_each, last, status};
use crate::codec::Reply;
use crate::codec::messages::delete_share_group_state_response::{
    DeleteStateResult, PartitionResult,
};
use crate::codec::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: DeleteShareGroupStateRequest) -> Result<Reply> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        (topic.topic_id, partitions.map(|asked| (asked.partition, asked)).collect())
    });
    let answers = answer_each(&request.group_id, topics, last, |key, _| async move {
        let (code, message) = status(&cx.parts.share_states.delete(&key).await);
        PartitionResult::default()
            .with_partition(key.partition())
            .with_error_code(code)
            .with_error_message(message)
    });
    let results = answers.await.into_iter().map(|(topic_id, partitions)| {
        DeleteStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&DeleteShareGroupStateResponse::default().with_results(results.collect())))
}
