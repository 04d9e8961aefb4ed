//! ShareAcknowledge (79): a member of a share group says what has become of the records that it had.

use super::brokers::Leaders;
use super::{Context, check_enabled};
use crate::codec::Reply;
use crate::codec::messages::share_acknowledge_response::{
    LeaderIdAndEpoch, PartitionData, ShareAcknowledgeTopicResponse,
};
use crate::codec::messages::{
    GroupId, ShareAcknowledgeRequest, ShareAcknowledgeResponse, StrBytes,
};
use crate::error::{Error, Result};
use crate::metadata::features::SHARE_VERSION;
use crate::share::{Acknowledgement, GroupSettings, SessionKey};
use crate::types::TopicIdPartition;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The longest member id, in UTF-16 units.
const MEMBER_ID_MAX: usize = 36;
/// The epoch of a request that ends a session.
pub(super) const LAST_EPOCH: i32 = -1;

/// What is said about a partition, and how it went.
pub(super) type Results = Vec<(TopicIdPartition, Result<()>)>;

pub(super) async fn handle(cx: &Context, request: ShareAcknowledgeRequest) -> Result<Reply> {
    let response = match acknowledge(cx, &request).await {
        Ok((settings, results)) => response(cx, &settings, results),
        Err(error) => ShareAcknowledgeResponse::default()
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string)),
    };
    Ok(cx.reply(&response))
}

async fn acknowledge(
    cx: &Context,
    request: &ShareAcknowledgeRequest,
) -> Result<(GroupSettings, Results)> {
    let key = session_key(cx, request.group_id.as_ref(), request.member_id.as_ref())?;
    let share = &cx.parts.share;
    share.sessions().acknowledge(&key, request.share_session_epoch)?;
    // What is named twice counts as it is named last.
    let mut said = BTreeMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let batches = partition.acknowledgement_batches.iter().map(|batch| Acknowledgement {
                first: batch.first_offset,
                last: batch.last_offset,
                types: &batch.acknowledge_types,
            });
            let (topic_id, partition) = (topic.topic_id, partition.partition_index);
            said.insert(TopicIdPartition { topic_id, partition }, batches.collect());
        }
    }
    let settings = share.settings(&key.group);
    let said = Vec::from_iter(said);
    let acknowledging = share.acknowledge(&key, &settings, &said, request.is_renew_ack);
    acknowledging.write();
    let results = acknowledging.written().await;
    if request.share_session_epoch == LAST_EPOCH {
        // A later request or the end of the connection may have ended it.
        let _ = share.end_session(&key);
    }
    Ok((settings, results))
}

/// Whose session a request is about. UNSUPPORTED_VERSION if the cluster has no share groups,
/// INVALID_REQUEST if somebody is not named.
pub(super) fn session_key(
    cx: &Context,
    group: Option<&GroupId>,
    member: Option<&StrBytes>,
) -> Result<SessionKey> {
    check_enabled(cx, SHARE_VERSION)?;
    let is_valid = |id: &&StrBytes| !id.is_empty() && id.encode_utf16().count() <= MEMBER_ID_MAX;
    match (group, member.filter(is_valid)) {
        (Some(group), Some(member)) => {
            Ok(SessionKey { group: group.as_str().into(), member: member.as_str().into() })
        }
        _ => {
            let message = "The request does not name a group and a member of it".to_owned();
            Err(Error::Explained(ResponseError::InvalidRequest, message))
        }
    }
}

fn response(cx: &Context, settings: &GroupSettings, results: Results) -> ShareAcknowledgeResponse {
    let image = cx.image();
    let mut leaders = Leaders::default();
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for (id, result) in results {
        let (code, message) = super::share_partitions::status(&result);
        let mut data = PartitionData::default()
            .with_partition_index(id.partition)
            .with_error_code(code)
            .with_error_message(message);
        if has_moved(code)
            && let Some(topic) = image.topics.by_id(id.topic_id)
        {
            let (leader, epoch) = leaders.of(cx, &image, topic, id.partition);
            data.current_leader =
                LeaderIdAndEpoch::default().with_leader_id(leader.0).with_leader_epoch(epoch);
        }
        topics.entry(id.topic_id).or_default().push(data);
    }
    let topics = topics.into_iter().map(|(id, partitions)| {
        ShareAcknowledgeTopicResponse::default().with_topic_id(id).with_partitions(partitions)
    });
    ShareAcknowledgeResponse::default()
        .with_acquisition_lock_timeout_ms(settings.records.lock_duration_ms)
        .with_responses(topics.collect())
        .with_node_endpoints(leaders.endpoints())
}

/// Whether the client is told who leads the partition now.
pub(super) fn has_moved(code: i16) -> bool {
    [ResponseError::NotLeaderOrFollower, ResponseError::FencedLeaderEpoch]
        .iter()
        .any(|error| error.code() == code)
}
