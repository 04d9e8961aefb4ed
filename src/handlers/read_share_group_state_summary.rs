//! ReadShareGroupStateSummary (87): how far a group is with partitions of a topic.

use super::Context;
use super::share_partitions::{Answers, by_topic, failure, group, key};
use crate::codec::Reply;
use crate::codec::messages::read_share_group_state_summary_response::{
    PartitionResult, ReadStateSummaryResult,
};
use crate::codec::messages::{
    ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse,
};
use crate::error::Result;

pub(super) async fn handle(
    cx: &Context,
    request: ReadShareGroupStateSummaryRequest,
) -> Result<Reply> {
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let Some(group) = group(&request.group_id, named) else {
        return Ok(cx.reply(&ReadShareGroupStateSummaryResponse::default()));
    };
    let mut answers = Answers::new();
    for topic in request.topics {
        for asked in topic.partitions {
            let key = key(&group, topic.topic_id, asked.partition);
            let answer = match cx.parts.share_states.summary(&key).await {
                Ok(summary) => PartitionResult::default()
                    .with_state_epoch(summary.state_epoch)
                    .with_leader_epoch(summary.leader_epoch)
                    .with_start_offset(summary.start_offset)
                    .with_delivery_complete_count(summary.delivery_complete_count),
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
        ReadStateSummaryResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&ReadShareGroupStateSummaryResponse::default().with_results(results)))
}
