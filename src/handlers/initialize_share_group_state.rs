//! InitializeShareGroupState (83): a group begins with partitions of a topic.

use super::Context;
use super::share_partitions::{answer_each, last, status};
use crate::codec::Reply;
use crate::codec::messages::initialize_share_group_state_response::{
    InitializeStateResult, PartitionResult,
};
use crate::codec::messages::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};
use crate::error::Result;

pub(super) async fn handle(
    cx: &Context,
    request: InitializeShareGroupStateRequest,
) -> Result<Reply> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        (topic.topic_id, partitions.map(|asked| (asked.partition, asked)).collect())
    });
    let answers = answer_each(&request.group_id, topics, last, |key, asked| async move {
        let states = &cx.parts.share_states;
        let done = states.initialize(&key, asked.state_epoch, asked.start_offset).await;
        let (code, message) = status(&done);
        PartitionResult::default()
            .with_partition(key.partition())
            .with_error_code(code)
            .with_error_message(message)
    });
    let results = answers.await.into_iter().map(|(topic_id, partitions)| {
        InitializeStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&InitializeShareGroupStateResponse::default().with_results(results.collect())))
}
