//! WriteTxnMarkers as a transaction coordinator sends it.

use super::{Marker, Written};
use crate::codec::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use crate::codec::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::coordinator::text;
use crate::types::{ProducerId, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A request with these markers, each for its partitions.
pub fn request<'a>(
    markers: impl Iterator<Item = (&'a Marker, &'a [TopicPartition])>,
) -> WriteTxnMarkersRequest {
    let marker = |(marker, partitions): (&Marker, &[TopicPartition])| {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(&partition.topic).or_default().push(partition.partition);
        }
        let topics = topics.into_iter().map(|(name, indexes)| {
            WritableTxnMarkerTopic::default()
                .with_name(text(name).into())
                .with_partition_indexes(indexes)
        });
        WritableTxnMarker::default()
            .with_producer_id(marker.producer_id.into())
            .with_producer_epoch(marker.producer_epoch)
            .with_transaction_result(marker.committed)
            .with_coordinator_epoch(marker.coordinator_epoch)
            .with_transaction_version(i8::try_from(marker.transaction_version).unwrap_or(0))
            .with_topics(topics.collect())
    };
    WriteTxnMarkersRequest::default().with_markers(markers.map(marker).collect())
}

/// What a broker answers: an error code for each producer and partition.
#[derive(Debug)]
pub struct Answers(HashMap<(ProducerId, Arc<str>, i32), i16>);

/// Reads a response.
pub fn answers(response: WriteTxnMarkersResponse) -> Answers {
    let mut answers = HashMap::new();
    for marker in response.markers {
        for topic in marker.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            for partition in topic.partitions {
                let of = (marker.producer_id.0, Arc::clone(&name), partition.partition_index);
                answers.insert(of, partition.error_code);
            }
        }
    }
    Answers(answers)
}

impl Answers {
    /// The result of a producer's marker in each of its partitions. What the broker does not tell is
    /// asked again.
    pub fn of(&self, producer: ProducerId, partitions: Vec<TopicPartition>) -> Written {
        let result = |partition: TopicPartition| {
            let of = (producer, Arc::clone(&partition.topic), partition.partition);
            let unknown = ResponseError::UnknownTopicOrPartition.code();
            let code = self.0.get(&of).copied().unwrap_or(unknown);
            (partition, ResponseError::try_from_code(code).map_or(Ok(()), Err))
        };
        partitions.into_iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::messages::write_txn_markers_response::{
        WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    };

    #[test]
    fn each_marker_gets_the_results_of_its_producer() {
        let marker = |producer_id| Marker {
            producer_id,
            producer_epoch: 3,
            coordinator_epoch: 7,
            committed: true,
            transaction_version: 2,
        };
        let partition = |index| TopicPartition::new("t", index);
        let (one, other) = (marker(1), marker(2));
        let (ones, others) = ([partition(0), partition(4)], [partition(0)]);
        let request = request([(&one, &ones[..]), (&other, &others[..])].into_iter());
        let sent = &request.markers[0];
        assert_eq!(sent.topics[0].partition_indexes, [0, 4]);
        assert_eq!((sent.coordinator_epoch, sent.transaction_version), (7, 2));

        let result = |index, code| {
            WritableTxnMarkerPartitionResult::default()
                .with_partition_index(index)
                .with_error_code(code)
        };
        let of = |producer: i64, results| {
            let topic = WritableTxnMarkerTopicResult::default()
                .with_name(text("t").into())
                .with_partitions(results);
            WritableTxnMarkerResult::default()
                .with_producer_id(producer.into())
                .with_topics(vec![topic])
        };
        let fenced = ResponseError::TransactionCoordinatorFenced;
        let results = vec![of(1, vec![result(0, 0)]), of(2, vec![result(0, fenced.code())])];
        let answers = answers(WriteTxnMarkersResponse::default().with_markers(results));
        assert_eq!(
            answers.of(1, ones.to_vec()),
            [(partition(0), Ok(())), (partition(4), Err(ResponseError::UnknownTopicOrPartition))]
        );
        assert_eq!(answers.of(2, others.to_vec()), [(partition(0), Err(fenced))]);
    }
}
