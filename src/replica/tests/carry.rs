//! Requests of fetchers and the answers to them, carried without a network.

use crate::codec::messages::fetch_request::FetchTopic;
use crate::codec::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use crate::codec::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use crate::codec::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use crate::metadata::Image;
use crate::replica::Replicas;
use crate::replica::fetch_session::{FetchKey, TopicKey};
use crate::replica::partition::{Fetched, FetchingReplica, OffsetSpec, PartitionFetch};
use crate::replica::read::Fetch;
use crate::types::Isolation;
use arc_swap::ArcSwap;
use bytes::BytesMut;

/// Answers a follower's fetch. It waits for records for up to `max_wait_ms`.
pub async fn serve(
    replicas: &Replicas,
    images: &ArcSwap<Image>,
    request: FetchRequest,
    max_wait_ms: i32,
) -> FetchResponse {
    let answer = replicas.fetch(images, to_fetch(request, max_wait_ms)).await;
    let topics = answer.partitions.into_iter().map(|fetched| {
        let TopicKey::Id(topic_id) = fetched.key.topic else { panic!("asked by id") };
        let data = match fetched.outcome {
            Ok(found) => data_of(found),
            Err(error) => PartitionData::default().with_error_code(error.code()),
        };
        FetchableTopicResponse::default()
            .with_topic_id(topic_id)
            .with_partitions(vec![data.with_partition_index(fetched.key.partition)])
    });
    FetchResponse::default()
        .with_error_code(answer.error.map_or(0, |error| error.code()))
        .with_session_id(answer.session_id)
        .with_responses(topics.collect())
}

/// Answers a follower's question for the ends or the starts of logs.
pub fn tell(
    replicas: &Replicas,
    image: &Image,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let spec =
                if asked.timestamp == -1 { OffsetSpec::Latest } else { OffsetSpec::Earliest };
            let partition = replicas.by_name(image, &topic.name, asked.partition_index);
            let found = partition.and_then(|partition| {
                partition.offset_for(spec, Isolation::LogEnd, asked.current_leader_epoch)
            });
            let told =
                ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
            match found {
                Ok(found) => told.with_offset(found.unwrap().offset),
                Err(error) => told.with_error_code(error.code().code()),
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn to_fetch(request: FetchRequest, max_wait_ms: i32) -> Fetch {
    let partitions = request.topics.into_iter().flat_map(|topic: FetchTopic| {
        let key = TopicKey::Id(topic.topic_id);
        topic.partitions.into_iter().map(move |asked| {
            let fetch = PartitionFetch {
                fetch_offset: asked.fetch_offset,
                max_bytes: asked.partition_max_bytes as usize,
                current_leader_epoch: asked.current_leader_epoch,
                last_fetched_epoch: asked.last_fetched_epoch,
                log_start: asked.log_start_offset,
            };
            (FetchKey { topic: key.clone(), partition: asked.partition }, fetch)
        })
    });
    let forgotten = request.forgotten_topics_data.into_iter().flat_map(|topic| {
        let key = TopicKey::Id(topic.topic_id);
        topic
            .partitions
            .into_iter()
            .map(move |partition| FetchKey { topic: key.clone(), partition })
    });
    Fetch {
        isolation: Isolation::LogEnd,
        follower: Some(FetchingReplica {
            id: request.replica_state.replica_id.into(),
            broker_epoch: request.replica_state.replica_epoch,
        }),
        only_leader: true,
        location: None,
        max_wait_ms,
        min_bytes: request.min_bytes as usize,
        max_bytes: request.max_bytes as usize,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        by_topic_id: true,
        partitions: partitions.collect(),
        forgotten: forgotten.collect(),
    }
}

fn data_of(found: Fetched) -> PartitionData {
    let mut records = BytesMut::new();
    found.read.ranges.iter().for_each(|range| records.extend_from_slice(&range.read().unwrap()));
    let mut data = PartitionData::default()
        .with_high_watermark(found.offsets.high_watermark)
        .with_log_start_offset(found.offsets.log_start)
        .with_records(Some(records.freeze()));
    if let Some((epoch, end_offset)) = found.diverging {
        data.diverging_epoch =
            EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset);
    }
    data
}
