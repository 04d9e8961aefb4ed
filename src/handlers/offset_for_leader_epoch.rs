//! OffsetForLeaderEpoch (23): where a leader epoch ends in a log. Followers and consumers use it to
//! find the offset at which their history differs from the leader's.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use crate::codec::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use crate::codec::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use crate::error::Result;
use crate::metadata::Image;

pub(super) async fn handle(cx: &Context, request: OffsetForLeaderEpochRequest) -> Result<Reply> {
    let image = cx.image();
    let topics = request.topics.into_iter().map(|topic| {
        let ends = topic.partitions.iter().map(|asked| epoch_end(cx, &image, &topic.topic, asked));
        let ends = ends.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(ends)
    });
    let topics = topics.collect();
    Ok(cx.reply(&OffsetForLeaderEpochResponse::default().with_topics(topics)))
}

fn epoch_end(
    cx: &Context,
    image: &Image,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(asked.partition);
    let partition = cx.parts.replicas.by_name(image, topic, asked.partition);
    let end = partition.and_then(|partition| {
        partition.end_offset_for_epoch(asked.current_leader_epoch, asked.leader_epoch)
    });
    match end {
        Ok(Some((epoch, end))) => answer.with_leader_epoch(epoch).with_end_offset(end),
        Ok(None) => answer,
        Err(error) => answer.with_error_code(error.code().code()),
    }
}
