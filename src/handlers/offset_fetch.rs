//! OffsetFetch (9): the offsets that groups have committed.

use super::Context;
use crate::codec::Reply;
use crate::codec::schema::message::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::codec::schema::message::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::codec::schema::message::{OffsetFetchRequest, OffsetFetchResponse};
use crate::error::Result;
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};

/// The first version with a field for an error of the whole response.
const TOP_LEVEL_ERROR_VERSION: i16 = 2;
/// The first version whose requests name several groups.
const BATCH_VERSION: i16 = 8;
/// The first version in which topics are named by id.
const TOPIC_ID_VERSION: i16 = 10;

pub(super) async fn handle(cx: &Context, mut request: OffsetFetchRequest) -> Result<Reply> {
    if cx.header.api_version < BATCH_VERSION {
        request.groups = vec![single_group(&mut request)];
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    let mut seen = HashSet::new();
    for group in request.groups {
        // A group may have very many offsets, so a repeated group is refused.
        groups.push(match seen.insert(group.group_id.clone()) {
            true => fetch_group(cx, group, request.require_stable).await,
            false => failed_group(cx.header.api_version, group, ResponseError::InvalidRequest),
        });
    }
    let response = match cx.header.api_version {
        BATCH_VERSION.. => OffsetFetchResponse { groups, ..OffsetFetchResponse::default() },
        _ => single_response(groups.pop().expect("one group was asked for")),
    };
    Ok(cx.reply(&response))
}

async fn fetch_group(
    cx: &Context,
    mut group: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let image = cx.image();
    drop_repeated(&mut group);
    let unknown = match &mut group.topics {
        Some(topics) if cx.header.api_version >= TOPIC_ID_VERSION => take_unknown(&image, topics),
        _ => Vec::new(),
    };
    match cx.parts.groups.fetch_offsets(&group, require_stable).await {
        Ok(mut fetched) => {
            if group.topics.is_none() && cx.header.api_version >= TOPIC_ID_VERSION {
                name_by_id(&image, &mut fetched.topics);
            }
            fetched.topics.extend(unknown);
            fetched
        }
        Err(error) => failed_group(cx.header.api_version, group, error.code()),
    }
}

/// Answers a repeated partition once: its committed metadata may be much longer than its name in
/// the request.
fn drop_repeated(group: &mut OffsetFetchRequestGroup) {
    let mut seen: HashMap<_, HashSet<i32>> = HashMap::new();
    for topic in group.topics.iter_mut().flatten() {
        let seen = seen.entry((topic.name.clone(), topic.topic_id)).or_default();
        topic.partition_indexes.retain(|index| seen.insert(*index));
    }
}

/// Fills in the topics' names; removes topics that do not exist and returns their answers.
fn take_unknown(
    image: &Image,
    topics: &mut Vec<OffsetFetchRequestTopics>,
) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    topics.retain_mut(|topic| match image.topics.by_id(topic.topic_id) {
        Some(found) => {
            topic.name = found.name.to_string();
            true
        }
        None => {
            unknown.push(failed_topic(topic, ResponseError::UnknownTopicId));
            false
        }
    });
    unknown
}

/// Fills in the topics' ids; leaves out topics that have been deleted.
fn name_by_id(image: &Image, topics: &mut Vec<OffsetFetchResponseTopics>) {
    topics.retain_mut(|topic| match image.topics.by_name(&topic.name) {
        Some(found) => {
            topic.topic_id = found.id;
            true
        }
        None => false,
    });
}

fn failed_group(
    api_version: i16,
    group: OffsetFetchRequestGroup,
    error: ResponseError,
) -> OffsetFetchResponseGroup {
    let mut failed = OffsetFetchResponseGroup {
        group_id: group.group_id,
        ..OffsetFetchResponseGroup::default()
    };
    if api_version >= TOP_LEVEL_ERROR_VERSION {
        failed.error_code = error.code();
    } else {
        let topics = group.topics.iter().flatten();
        failed.topics = topics.map(|topic| failed_topic(topic, error)).collect();
    }
    failed
}

fn failed_topic(
    topic: &OffsetFetchRequestTopics,
    error: ResponseError,
) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: error.code(),
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}

fn single_group(request: &mut OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.take().map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    OffsetFetchRequestGroup {
        group_id: std::mem::take(&mut request.group_id),
        topics,
        ..OffsetFetchRequestGroup::default()
    }
}

fn single_response(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    };
    OffsetFetchResponse {
        error_code: group.error_code,
        topics: group.topics.into_iter().map(topic).collect(),
        ..OffsetFetchResponse::default()
    }
}
