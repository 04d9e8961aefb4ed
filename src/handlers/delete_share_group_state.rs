//! DeleteShareGroupState (86): a group is done with partitions of a topic.

use super::Context;
use super::share_partitions::{Answers, by_topic, group, key, status};
use crate::codec::Reply;
use crate::codec::messages::delete_share_group_state_response::{
    DeleteStateResult, PartitionResult,
};
use crate::codec::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: DeleteShareGroupStateRequest) -> Result<Reply> {
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let Some(group) = group(&request.group_id, named) else {
        return Ok(cx.reply(&DeleteShareGroupStateResponse::default()));
    };
    let mut answers = Answers::new();
    for topic in request.topics {
        for asked in topic.partitions {
            let key = key(&group, topic.topic_id, asked.partition);
            let (code, message) = status(&cx.parts.share_states.delete(&key).await);
            let answer = PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(code)
                .with_error_message(message);
            answers.entry(topic.topic_id).or_default().insert(asked.partition, answer);
        }
    }
    let results = by_topic(answers, |topic_id, partitions| {
        DeleteStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&DeleteShareGroupStateResponse::default().with_results(results)))
}
