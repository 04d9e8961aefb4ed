//! OffsetFetch (9): the offsets that groups have committed.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::codec::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::codec::messages::{OffsetFetchRequest, OffsetFetchResponse, StrBytes};
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
        BATCH_VERSION.. => OffsetFetchResponse::default().with_groups(groups),
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
            topic.name = StrBytes::from(found.name.to_string()).into();
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
    let mut failed = OffsetFetchResponseGroup::default().with_group_id(group.group_id);
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
    let partition = |index: &i32| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(*index)
            .with_committed_offset(-1)
            .with_error_code(error.code())
    };
    OffsetFetchResponseTopics::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
}

fn single_group(request: &mut OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.take().map(|topics| {
        let topics = topics.into_iter().map(|topic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name)
                .with_partition_indexes(topic.partition_indexes)
        });
        topics.collect()
    });
    OffsetFetchRequestGroup::default()
        .with_group_id(std::mem::take(&mut request.group_id))
        .with_topics(topics)
}

fn single_response(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let topic = |topic: OffsetFetchResponseTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    OffsetFetchResponse::default()
        .with_error_code(group.error_code)
        .with_topics(group.topics.into_iter().map(topic).collect())
}
