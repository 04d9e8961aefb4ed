//! Where partitions end for consumers, whoever leads them (NetworkPartitionMetadataClient).

use super::Context;
use crate::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::codec::messages::{ListOffsetsRequest, ListOffsetsResponse, StrBytes};
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::peers::Purpose;
use crate::replica::partition::OffsetSpec;
use crate::types::{BrokerId, Isolation, NO_EPOCH, Offset, TopicPartition};
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The versions of ListOffsets in which brokers ask brokers.
const VERSIONS: RangeInclusive<i16> = 1..=11;
/// The timestamp that stands for the end.
const LATEST: i64 = -1;
/// The pauses after lost connections; after the last one there is no further attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The end of each partition, or why it is not known.
pub(super) type Ends = HashMap<TopicPartition, Result<Offset>>;

/// Finds the ends of partitions, with one request to each of the other brokers that lead some.
pub(super) async fn find(cx: &Context, image: &Image, partitions: Vec<TopicPartition>) -> Ends {
    let (mut ends, node_id) = (Ends::new(), cx.parts.config.get().node_id);
    let mut elsewhere: BTreeMap<BrokerId, Vec<TopicPartition>> = BTreeMap::new();
    for partition in partitions {
        let topic = image.topics.by_name(&partition.topic);
        let known = topic.and_then(|topic| topic.partition(partition.partition));
        match known.map(|known| known.leader) {
            Some(leader) if leader != node_id => {
                elsewhere.entry(leader).or_default().push(partition)
            }
            _ => {
                let end = end_here(cx, image, &partition);
                ends.insert(partition, end);
            }
        }
    }
    let asked = elsewhere.into_iter().map(|(leader, partitions)| ask(cx, leader, partitions));
    ends.extend(join_all(asked).await.into_iter().flatten());
    ends
}

fn end_here(cx: &Context, image: &Image, partition: &TopicPartition) -> Result<Offset> {
    let partition = cx.parts.replicas.by_name(image, &partition.topic, partition.partition)?;
    let end = partition.offset_for(OffsetSpec::Latest, Isolation::HighWatermark, NO_EPOCH)?;
    Ok(end.ok_or(ResponseError::OffsetNotAvailable)?.offset)
}

async fn ask(
    cx: &Context,
    leader: BrokerId,
    partitions: Vec<TopicPartition>,
) -> Vec<(TopicPartition, Result<Offset>)> {
    let request = request(&partitions);
    let attempt = || cx.parts.peers.ask(Purpose::Coordination, leader, VERSIONS, &request);
    let mut answered = attempt().await;
    for pause in PAUSES {
        if !matches!(answered, Err(Error::Disconnected(_))) {
            break;
        }
        tokio::time::sleep(pause).await;
        answered = attempt().await;
    }
    let mut ends = answered.map(ends);
    let end = |partition: TopicPartition| {
        let end = match &mut ends {
            Ok(ends) => ends
                .remove(&(partition.topic.to_string(), partition.partition))
                .unwrap_or(Err(ResponseError::UnknownTopicOrPartition.into())),
            Err(error) => Err(unanswered(error)),
        };
        (partition, end)
    };
    partitions.into_iter().map(end).collect()
}

fn unanswered(error: &Error) -> Error {
    Error::Code(match error.code() {
        ResponseError::BrokerNotAvailable => ResponseError::LeaderNotAvailable,
        ResponseError::NetworkException => ResponseError::NetworkException,
        _ => ResponseError::UnknownServerError,
    })
}

fn request(partitions: &[TopicPartition]) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for TopicPartition { topic, partition } in partitions {
        topics.entry(topic).or_default().push(
            ListOffsetsPartition::default()
                .with_partition_index(*partition)
                .with_current_leader_epoch(NO_EPOCH)
                .with_timestamp(LATEST),
        );
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopic::default()
            .with_name(StrBytes::from_string(name.to_owned()).into())
            .with_partitions(partitions)
    });
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(topics.collect())
}

fn ends(response: ListOffsetsResponse) -> HashMap<(String, i32), Result<Offset>> {
    let mut ends = HashMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let end = match ResponseError::try_from_code(partition.error_code) {
                None => Ok(partition.offset),
                Some(error) => Err(error.into()),
            };
            ends.insert((topic.name.to_string(), partition.partition_index), end);
        }
    }
    ends
}
