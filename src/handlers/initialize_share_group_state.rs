//! InitializeShareGroupState (83): a group begins with partitions of a topic.

use super::Context;
use super::share_partitions::{Answers, by_topic, group, key, status};
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
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let Some(group) = group(&request.group_id, named) else {
        return Ok(cx.reply(&InitializeShareGroupStateResponse::default()));
    };
    let mut answers = Answers::new();
    for topic in request.topics {
        for asked in topic.partitions {
            let key = key(&group, topic.topic_id, asked.partition);
            let states = &cx.parts.share_states;
            let done = states.initialize(&key, asked.state_epoch, asked.start_offset).await;
            let (code, message) = status(&done);
            let answer = PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(code)
                .with_error_message(message);
            answers.entry(topic.topic_id).or_default().insert(asked.partition, answer);
        }
    }
    let results = by_topic(answers, |topic_id, partitions| {
        InitializeStateResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&InitializeShareGroupStateResponse::default().with_results(results)))
}
