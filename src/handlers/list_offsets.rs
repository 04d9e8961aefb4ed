//! ListOffsets (2): the offset for a timestamp, or for a named position such as the log's end.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::codec::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use crate::codec::messages::{ListOffsetsRequest, ListOffsetsResponse};
use crate::error::{Error, Result};
use crate::log::TimestampOffset;
use crate::metadata::Image;
use crate::replica::partition::OffsetSpec;
use crate::types::Isolation;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;

/// The replica id of a debugger, who asks leaders and followers alike.
const DEBUGGER: i32 = -2;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub(super) async fn handle(cx: &Context, request: ListOffsetsRequest) -> Result<Reply> {
    // Only consumers (-1) may not see past the high watermark or the last stable offset.
    let isolation = match (request.replica_id.0, request.isolation_level) {
        (-1, 1) => Isolation::Committed,
        (-1, _) => Isolation::HighWatermark,
        _ => Isolation::LogEnd,
    };
    let is_debugger = request.replica_id.0 == DEBUGGER;
    let image = cx.image();
    let times = times(&request.topics);
    let topics = request.topics.iter().map(|topic| {
        let times = &times[topic.name.as_str()];
        let partitions = topic.partitions.iter().map(|asked| {
            let found = if times[&asked.partition_index] > 1 {
                Err(Error::Code(ResponseError::InvalidRequest))
            } else {
                find(cx, &image, &topic.name, asked, isolation, is_debugger)
            };
            shape(cx.header.api_version, asked.partition_index, found)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    Ok(cx.reply(&ListOffsetsResponse::default().with_topics(topics.collect())))
}

fn find(
    cx: &Context,
    image: &Image,
    topic: &str,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
    is_debugger: bool,
) -> Result<Option<TimestampOffset>> {
    let spec = spec(asked.timestamp, cx.header.api_version)?;
    let partition = cx.parts.replicas.by_name(image, topic, asked.partition_index)?;
    match spec {
        Some(spec) if is_debugger => partition.offset_in_any_role(spec, asked.current_leader_epoch),
        Some(spec) => partition.offset_for(spec, isolation, asked.current_leader_epoch),
        None => {
            partition.check_leader(asked.current_leader_epoch)?;
            Ok(None)
        }
    }
}

/// The position that `timestamp` stands for; None is a position in tiered storage, which is always
/// empty. UNSUPPORTED_VERSION if the request's version does not have the position.
fn spec(timestamp: i64, version: i16) -> Result<Option<OffsetSpec>> {
    let (spec, since) = match timestamp {
        LATEST => (Some(OffsetSpec::Latest), 1),
        EARLIEST => (Some(OffsetSpec::Earliest), 1),
        MAX_TIMESTAMP => (Some(OffsetSpec::MaxTimestamp), 7),
        EARLIEST_LOCAL => (Some(OffsetSpec::Earliest), 8),
        LATEST_TIERED => (None, 9),
        EARLIEST_PENDING_UPLOAD => (None, 11),
        time if time >= 0 => (Some(OffsetSpec::At(time)), 1),
        _ => return Err(Error::Code(ResponseError::UnsupportedVersion)),
    };
    if version < since {
        return Err(Error::Code(ResponseError::UnsupportedVersion));
    }
    Ok(spec)
}

fn shape(
    version: i16,
    partition_index: i32,
    found: Result<Option<TimestampOffset>>,
) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(partition_index);
    match found {
        Ok(None) => answer,
        Ok(Some(TimestampOffset { timestamp, offset, leader_epoch })) => {
            let leader_epoch = if version >= 4 { leader_epoch } else { -1 };
            answer.with_timestamp(timestamp).with_offset(offset).with_leader_epoch(leader_epoch)
        }
        Err(error) => {
            let code = match error.code() {
                ResponseError::OffsetNotAvailable if version < 5 => {
                    ResponseError::LeaderNotAvailable
                }
                other => other,
            };
            answer.with_error_code(code.code())
        }
    }
}

/// How many times the request names each partition.
fn times(topics: &[ListOffsetsTopic]) -> HashMap<&str, HashMap<i32, usize>> {
    let mut times: HashMap<&str, HashMap<i32, usize>> = HashMap::new();
    for topic in topics {
        let times = times.entry(&topic.name).or_default();
        for partition in &topic.partitions {
            *times.entry(partition.partition_index).or_default() += 1;
        }
    }
    times
}
