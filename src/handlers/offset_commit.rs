//! OffsetCommit (8): stores the offsets that a group has consumed.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::offset_commit_request::OffsetCommitRequestTopic;
use crate::codec::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::codec::messages::{OffsetCommitRequest, OffsetCommitResponse, StrBytes};
use crate::error::Result;
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;

/// The first version in which topics are named by id.
const TOPIC_ID_VERSION: i16 = 10;

pub(super) async fn handle(cx: &Context, mut request: OffsetCommitRequest) -> Result<Reply> {
    let image = cx.image();
    let by_id = cx.header.api_version >= TOPIC_ID_VERSION;
    let mut response = look_up_all(&image, &mut request, by_id);
    if !request.topics.is_empty() {
        let committed = cx.parts.groups.commit_offsets(cx.header.api_version, &request).await;
        fill_in(&mut response, committed.map_err(|error| error.code()));
    }
    Ok(cx.reply(&response))
}

/// Fills in the topics' names and ids, and removes the partitions that do not exist from the
/// request. The response has all partitions, the remaining ones without an error.
pub(super) fn look_up_all(
    image: &Image,
    request: &mut OffsetCommitRequest,
    by_id: bool,
) -> OffsetCommitResponse {
    let mut response = OffsetCommitResponse::default();
    request.topics.retain(|topic| !topic.partitions.is_empty());
    for topic in &mut request.topics {
        let unknown = look_up(image, topic, by_id);
        response.topics.push(checked(image, topic, unknown));
        // A partition that is refused must not be committed.
        topic.partitions.retain(|partition| {
            unknown.is_none() && exists(image, &topic.name, partition.partition_index)
        });
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    response
}

/// Fills in the topic's name or id; returns an error if the topic does not exist.
fn look_up(
    image: &Image,
    topic: &mut OffsetCommitRequestTopic,
    by_id: bool,
) -> Option<ResponseError> {
    let found =
        if by_id { image.topics.by_id(topic.topic_id) } else { image.topics.by_name(&topic.name) };
    match found {
        Some(found) => {
            topic.topic_id = found.id;
            topic.name = StrBytes::from(found.name.to_string()).into();
            None
        }
        None if by_id => Some(ResponseError::UnknownTopicId),
        None => Some(ResponseError::UnknownTopicOrPartition),
    }
}

fn exists(image: &Image, topic: &str, partition: i32) -> bool {
    let count = image.topics.by_name(topic).map_or(0, |topic| topic.partitions.len());
    usize::try_from(partition).is_ok_and(|partition| partition < count)
}

fn checked(
    image: &Image,
    topic: &OffsetCommitRequestTopic,
    unknown: Option<ResponseError>,
) -> OffsetCommitResponseTopic {
    let partition = |partition_index| {
        let error = unknown.or_else(|| {
            let exists = exists(image, &topic.name, partition_index);
            (!exists).then_some(ResponseError::UnknownTopicOrPartition)
        });
        OffsetCommitResponsePartition::default()
            .with_partition_index(partition_index)
            .with_error_code(error.map_or(0, |error| error.code()))
    };
    OffsetCommitResponseTopic::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_partitions(topic.partitions.iter().map(|p| partition(p.partition_index)).collect())
}

/// Copies the coordinator's results into the partitions that were not refused before; both are in
/// the same order.
pub(super) fn fill_in(
    response: &mut OffsetCommitResponse,
    committed: Result<OffsetCommitResponse, ResponseError>,
) {
    let accepted = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let accepted = accepted.filter(|partition| partition.error_code == 0);
    match committed {
        Err(error) => accepted.for_each(|partition| partition.error_code = error.code()),
        Ok(committed) => {
            let results = committed.topics.into_iter().flat_map(|topic| topic.partitions);
            for (partition, result) in accepted.zip(results) {
                partition.error_code = result.error_code;
            }
        }
    }
}
