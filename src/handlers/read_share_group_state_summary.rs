//! ReadShareGroupStateSummary (87): how far a group is with partitions of a topic.

use super::Context;
use super::share_partitions::{answer_each, failure, last};
use crate::codec::Reply;
use crate::codec::messages::read_share_group_state_summary_response::{
    PartitionResult, ReadStateSummaryResult,
};
use crate::codec::messages::{
    ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse,
};
use crate::coordinator::share::ShareSummary;
use crate::error::Result;

pub(super) async fn handle(
    cx: &Context,
    request: ReadShareGroupStateSummaryRequest,
) -> Result<Reply> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        (topic.topic_id, partitions.map(|asked| (asked.partition, asked)).collect())
    });
    let answers = answer_each(&request.group_id, topics, last, |key, _| async move {
        result(&cx.parts.share_states.summary(&key).await).with_partition(key.partition())
    });
    let results = answers.await.into_iter().map(|(topic_id, partitions)| {
        ReadStateSummaryResult::default().with_topic_id(topic_id).with_partitions(partitions)
    });
    Ok(cx.reply(&ReadShareGroupStateSummaryResponse::default().with_results(results.collect())))
}

fn result(summary: &Result<ShareSummary>) -> PartitionResult {
    match summary {
        Ok(summary) => PartitionResult::default()
            .with_state_epoch(summary.state_epoch)
            .with_leader_epoch(summary.leader_epoch)
            .with_start_offset(summary.start_offset)
            .with_delivery_complete_count(summary.delivery_complete_count),
        Err(error) => {
            let (code, message) = failure(error);
            PartitionResult::default().with_error_code(code).with_error_message(message)
        }
    }
}
