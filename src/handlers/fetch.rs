//! Fetch (1): answers with record batches as ranges of files, at once or when enough bytes are
//! there.

use super::Context;
use super::brokers::Leaders;
use crate::codec::messages::fetch_request::{FetchTopic, ForgottenTopic};
use crate::codec::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use crate::codec::messages::{FetchRequest, FetchResponse, StrBytes, TopicName};
use crate::codec::{Reply, splice};
use crate::disk::FileRange;
use crate::error::Result;
use crate::metadata::Image;
use crate::replica::fetch_session::{FetchKey, TopicKey};
use crate::replica::partition::{Fetched, FetchingReplica, Location, PartitionFetch};
use crate::replica::read::{Fetch, FetchAnswer, FetchedPartition};
use crate::types::{Isolation, NO_EPOCH};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use uuid::Uuid;

/// The version from which on consumers may read from followers (KIP-392).
const READ_FROM_FOLLOWERS: i16 = 11;

pub(super) async fn handle(cx: &Context, request: FetchRequest) -> Result<Reply> {
    let fetch = to_fetch(cx, request);
    let is_committed = fetch.isolation == Isolation::Committed;
    let answer = cx.parts.replicas.fetch(&cx.parts.image, fetch).await;
    let (response, files) = response(cx, answer, is_committed);
    Ok(cx.reply_with_files(&response, files))
}

fn to_fetch(cx: &Context, request: FetchRequest) -> Fetch {
    let version = cx.header.api_version;
    let (replica_id, broker_epoch): (i32, i64) = if version < 15 {
        (request.replica_id.into(), -1)
    } else {
        (request.replica_state.replica_id.into(), request.replica_state.replica_epoch)
    };
    // -1 is a consumer. -2 is a debugging consumer, which sees as much as a follower.
    let isolation = match (replica_id, request.isolation_level) {
        (-1, 1) => Isolation::Committed,
        (-1, _) => Isolation::HighWatermark,
        _ => Isolation::LogEnd,
    };
    let max_bytes = request.max_bytes.min(cx.parts.config.get().fetch_max_bytes).max(0) as usize;
    let by_topic_id = version >= 13;
    Fetch {
        isolation,
        follower: (replica_id >= 0).then_some(FetchingReplica { id: replica_id, broker_epoch }),
        only_leader: replica_id >= 0 || version < READ_FROM_FOLLOWERS,
        location: if replica_id < 0 { location(cx, &request.rack_id) } else { None },
        max_wait_ms: request.max_wait_ms,
        min_bytes: (request.min_bytes.max(0) as usize).min(max_bytes),
        max_bytes,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        by_topic_id,
        partitions: asked(request.topics, by_topic_id),
        forgotten: forgotten(request.forgotten_topics_data, by_topic_id),
    }
}

/// Where the consumer is, if it tells and `replica.selector.class` is set.
fn location(cx: &Context, rack: &StrBytes) -> Option<Location> {
    let config = cx.parts.config.get();
    let selects = config.replica_selector_class.as_deref().is_some_and(|class| !class.is_empty());
    let listener = Arc::clone(&cx.session.listener);
    (selects && !rack.is_empty()).then(|| Location { rack: rack.to_string(), listener })
}

fn asked(topics: Vec<FetchTopic>, by_topic_id: bool) -> Vec<(FetchKey, PartitionFetch)> {
    let mut asked = Vec::new();
    for topic in topics {
        let key = topic_key(&topic.topic, topic.topic_id, by_topic_id);
        for partition in topic.partitions {
            let key = FetchKey { topic: key.clone(), partition: partition.partition };
            asked.push((
                key,
                PartitionFetch {
                    fetch_offset: partition.fetch_offset,
                    max_bytes: partition.partition_max_bytes.max(0) as usize,
                    // Kafka treats every negative epoch as none.
                    current_leader_epoch: partition.current_leader_epoch.max(NO_EPOCH),
                    last_fetched_epoch: partition.last_fetched_epoch.max(NO_EPOCH),
                    log_start: partition.log_start_offset,
                },
            ));
        }
    }
    asked
}

fn forgotten(topics: Vec<ForgottenTopic>, by_topic_id: bool) -> Vec<FetchKey> {
    let keys = topics.into_iter().flat_map(|topic| {
        let key = topic_key(&topic.topic, topic.topic_id, by_topic_id);
        let partitions = topic.partitions.into_iter();
        partitions.map(move |partition| FetchKey { topic: key.clone(), partition })
    });
    keys.collect()
}

fn topic_key(name: &TopicName, id: Uuid, by_topic_id: bool) -> TopicKey {
    if by_topic_id { TopicKey::Id(id) } else { TopicKey::Name(name.as_str().into()) }
}

/// Builds the response. Consecutive partitions of the same topic share one entry.
fn response(
    cx: &Context,
    answer: FetchAnswer,
    is_committed: bool,
) -> (FetchResponse, Vec<Vec<FileRange>>) {
    let mut shaping = Shaping {
        cx,
        image: cx.image(),
        is_committed,
        leaders: Leaders::default(),
        files: Vec::new(),
    };
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    let mut last: Option<TopicKey> = None;
    for fetched in answer.partitions {
        if last.as_ref() != Some(&fetched.key.topic) {
            let topic = FetchableTopicResponse::default();
            topics.push(match &fetched.key.topic {
                TopicKey::Id(id) => topic.with_topic_id(*id),
                TopicKey::Name(name) => topic.with_topic(topic_name(name)),
            });
            last = Some(fetched.key.topic.clone());
        }
        let shaped = shaping.partition(fetched);
        topics.last_mut().expect("the first partition made one").partitions.push(shaped);
    }
    let response = FetchResponse::default()
        .with_error_code(answer.error.map_or(0, |error| error.code()))
        .with_session_id(answer.session_id)
        .with_responses(topics)
        .with_node_endpoints(shaping.leaders.endpoints());
    (response, shaping.files)
}

struct Shaping<'a> {
    cx: &'a Context,
    image: Arc<Image>,
    is_committed: bool,
    leaders: Leaders,
    files: Vec<Vec<FileRange>>,
}

impl Shaping<'_> {
    fn partition(&mut self, fetched: FetchedPartition) -> PartitionData {
        let FetchedPartition { key, topic, outcome } = fetched;
        match outcome {
            Ok(found) => self.found(key.partition, found),
            Err(error) => self.failed(key.partition, topic.as_deref(), error),
        }
    }

    fn found(&mut self, index: i32, found: Fetched) -> PartitionData {
        let Fetched { read, offsets, diverging, preferred, .. } = found;
        let aborted = read.aborted.into_iter().map(|(producer_id, first_offset)| {
            AbortedTransaction::default()
                .with_producer_id(producer_id.into())
                .with_first_offset(first_offset)
        });
        let mut data = PartitionData::default()
            .with_partition_index(index)
            .with_high_watermark(offsets.high_watermark)
            .with_last_stable_offset(offsets.last_stable)
            .with_log_start_offset(offsets.log_start)
            .with_preferred_read_replica(preferred.unwrap_or(-1).into())
            .with_aborted_transactions(self.is_committed.then(|| aborted.collect()))
            .with_records(Some(splice::placeholder(read.bytes)));
        if read.bytes > 0 {
            self.files.push(read.ranges);
        }
        if let Some((epoch, end_offset)) = diverging {
            data.diverging_epoch =
                EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset);
        }
        data
    }

    fn failed(&mut self, index: i32, topic: Option<&str>, error: ResponseError) -> PartitionData {
        // Old clients do not know KAFKA_STORAGE_ERROR; this error makes them look for the new
        // leader.
        let told = match error {
            ResponseError::KafkaStorageError if self.cx.header.api_version <= 5 => {
                ResponseError::NotLeaderOrFollower
            }
            other => other,
        };
        let is_unknown =
            matches!(error, ResponseError::UnknownTopicId | ResponseError::UnknownTopicOrPartition);
        let mut data = PartitionData::default()
            .with_partition_index(index)
            .with_error_code(told.code())
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_aborted_transactions(is_unknown.then(Vec::new))
            .with_records(Some(Bytes::new()));
        let has_moved =
            matches!(error, ResponseError::NotLeaderOrFollower | ResponseError::FencedLeaderEpoch);
        if self.cx.header.api_version >= 16
            && has_moved
            && let Some(topic) = topic.and_then(|name| self.image.topics.by_name(name))
        {
            let (id, epoch) = self.leaders.of(self.cx, &self.image, topic, index);
            data.current_leader =
                LeaderIdAndEpoch::default().with_leader_id(id).with_leader_epoch(epoch);
        }
        data
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
