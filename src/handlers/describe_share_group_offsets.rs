//! DescribeShareGroupOffsets (90): where share groups are in their partitions, and how many records
//! they have yet to finish (KIP-1226).

use super::{Context, check_enabled, latest_offsets};
use crate::codec::Reply;
use crate::codec::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use crate::codec::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use crate::codec::messages::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, TopicName,
};
use crate::coordinator::share::{SharePartitionKey, ShareSummary};
use crate::error::Result;
use crate::metadata::Image;
use crate::metadata::features::SHARE_VERSION;
use crate::types::{Offset, TopicPartition};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// The start offset, the lag, and the number of finished records where there is none.
const NONE: i64 = -1;

type Asked = BTreeMap<TopicName, BTreeSet<i32>>;

pub(super) async fn handle(
    cx: &Context,
    request: DescribeShareGroupOffsetsRequest,
) -> Result<Reply> {
    let mut response = DescribeShareGroupOffsetsResponse::default();
    let mut seen = HashSet::new();
    for group in request.groups {
        if !seen.insert(group.group_id.clone()) {
            continue;
        }
        let mut answer =
            DescribeShareGroupOffsetsResponseGroup::default().with_group_id(group.group_id.clone());
        match describe(cx, group).await {
            Ok(topics) => answer.topics = topics,
            Err(error) => {
                answer.error_code = error.code().code();
                answer.error_message = error.message().map(StrBytes::from_string);
            }
        }
        response.groups.push(answer);
    }
    Ok(cx.reply(&response))
}

async fn describe(
    cx: &Context,
    group: DescribeShareGroupOffsetsRequestGroup,
) -> Result<Vec<DescribeShareGroupOffsetsResponseTopic>> {
    check_enabled(cx, SHARE_VERSION)?;
    let image = cx.image();
    let of_group = SharePartitionKey::new(group.group_id.as_str(), Uuid::nil(), 0);
    let asked = asked(cx, &image, group).await?;
    let (mut found, mut begun) = (Vec::with_capacity(asked.len()), Vec::new());
    for (name, partitions) in asked {
        let topic = image.topics.by_name(&name);
        let topic_id = topic.map_or(Uuid::nil(), |topic| topic.id);
        let mut summaries = Vec::with_capacity(partitions.len());
        for index in partitions {
            let exists = topic.is_some_and(|topic| topic.partition(index).is_some());
            let key = of_group.with_partition(topic_id, index);
            // What is not known is no error, as with committed offsets.
            let summary = if exists { cx.parts.persister.summary(&key).await.ok() } else { None };
            if summary.as_ref().is_some_and(is_counted) {
                begun.push(TopicPartition::new(name.as_str(), index));
            }
            summaries.push((index, summary));
        }
        found.push((name, topic_id, summaries));
    }
    let ends = latest_offsets::find(cx, &image, begun).await;
    let topics = found.into_iter().map(|(name, topic_id, summaries)| {
        let answers = summaries.into_iter().map(|(index, summary)| {
            position(index, summary, ends.get(&TopicPartition::new(name.as_str(), index)))
        });
        let answers = answers.collect();
        DescribeShareGroupOffsetsResponseTopic::default()
            .with_topic_name(name)
            .with_topic_id(topic_id)
            .with_partitions(answers)
    });
    Ok(topics.collect())
}

/// Whether the group has begun and counts what it has finished.
fn is_counted(summary: &ShareSummary) -> bool {
    summary.start_offset != NONE && i64::from(summary.delivery_complete_count) != NONE
}

/// The partitions that are asked for; those that the group has begun with, if none are named.
async fn asked(
    cx: &Context,
    image: &Image,
    group: DescribeShareGroupOffsetsRequestGroup,
) -> Result<Asked> {
    let mut asked = Asked::new();
    let Some(topics) = group.topics else {
        let begun = cx.parts.groups.initialized_share_partitions(&group.group_id).await?;
        let named = begun.into_iter().filter_map(|(id, partitions)| {
            let name = image.topics.by_id(id)?.name.to_string();
            Some((StrBytes::from_string(name).into(), partitions))
        });
        return Ok(named.collect());
    };
    for topic in topics {
        asked.entry(topic.topic_name).or_default().extend(topic.partitions);
    }
    Ok(asked)
}

/// Where the group is in a partition, and how many records it has yet to finish until its `end`.
fn position(
    index: i32,
    summary: Option<ShareSummary>,
    end: Option<&Result<Offset>>,
) -> DescribeShareGroupOffsetsResponsePartition {
    let unknown = DescribeShareGroupOffsetsResponsePartition::default().with_partition_index(index);
    let Some(summary) = summary else { return unknown.with_start_offset(NONE) };
    let ShareSummary { leader_epoch, start_offset, delivery_complete_count: done, .. } = summary;
    let known = unknown.clone().with_start_offset(start_offset).with_leader_epoch(leader_epoch);
    match end {
        None => known,
        Some(Ok(end)) => known.with_lag(end - start_offset - i64::from(done)),
        Some(Err(error)) => unknown
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string)),
    }
}
