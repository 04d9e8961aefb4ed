//! WriteTxnMarkers (27): writes the end of transactions to partitions. It comes from transaction
//! coordinators, or from an operator who ends a hanging transaction.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::write_txn_markers_request::WritableTxnMarker;
use crate::codec::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::codec::messages::{
    ProducerId, StrBytes, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use crate::coordinator::Marker;
use crate::error::Result;
use crate::types::TopicPartition;
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn handle(cx: &Context, request: WriteTxnMarkersRequest) -> Result<Reply> {
    // A producer may have several markers, for different partitions, but has one result.
    let mut results: BTreeMap<ProducerId, Answers> = BTreeMap::new();
    // All are appended in order; then they wait together until they are replicated.
    let written = request.markers.into_iter().map(|marker| async move {
        let producer_id = marker.producer_id;
        (producer_id, write(cx, marker).await)
    });
    for (producer_id, answers) in join_all(written).await {
        let producer = results.entry(producer_id).or_default();
        for (topic, partitions) in answers {
            producer.entry(topic).or_default().extend(partitions);
        }
    }
    let markers = results.into_iter().map(|(producer_id, topics)| {
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|(index, code)| {
                WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(index)
                    .with_error_code(code)
            });
            WritableTxnMarkerTopicResult::default()
                .with_name(StrBytes::from(name.to_string()).into())
                .with_partitions(partitions.collect())
        });
        WritableTxnMarkerResult::default()
            .with_producer_id(producer_id)
            .with_topics(topics.collect())
    });
    Ok(cx.reply(&WriteTxnMarkersResponse::default().with_markers(markers.collect())))
}

/// Error codes by topic and partition.
type Answers = BTreeMap<Arc<str>, BTreeMap<i32, i16>>;

async fn write(cx: &Context, request: WritableTxnMarker) -> Answers {
    let marker = Marker {
        producer_id: request.producer_id.0,
        producer_epoch: request.producer_epoch,
        coordinator_epoch: request.coordinator_epoch,
        committed: request.transaction_result,
        transaction_version: i16::from(request.transaction_version),
    };
    let (image, mut answers, mut there) = (cx.image(), Answers::new(), Vec::new());
    for topic in request.topics {
        let known = image.topics.by_name(&topic.name);
        let name = known.map_or_else(|| topic.name.as_str().into(), |known| known.name.clone());
        let answers = answers.entry(name.clone()).or_default();
        for partition in topic.partition_indexes {
            let unknown = ResponseError::UnknownTopicOrPartition.code();
            let is_new = answers.insert(partition, unknown).is_none();
            // Only partitions that exist are written to; the others keep this error.
            if is_new && known.is_some_and(|known| known.partition(partition).is_some()) {
                there.push(TopicPartition { topic: name.clone(), partition });
            }
        }
    }
    let code = |written: Result<(), ResponseError>| written.err().map_or(0, |error| error.code());
    for (TopicPartition { topic, partition }, written) in
        cx.parts.transactions.write_markers(&marker, there).await
    {
        answers.entry(topic).or_default().insert(partition, code(written));
    }
    answers
}
