//! WriteTxnMarkers (27): a transaction coordinator, or an operator who ends a hanging transaction,
//! tells partitions how a transaction ended.

use super::Context;
use crate::codec::Reply;
use crate::codec::schema::message::write_txn_markers_request::WritableTxnMarker;
use crate::codec::schema::message::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::codec::schema::message::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::coordinator::Marker;
use crate::error::Result;
use crate::types::TopicPartition;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn handle(cx: &Context, request: WriteTxnMarkersRequest) -> Result<Reply> {
    // A producer may have several markers, each for other partitions; it has one answer.
    let mut results: BTreeMap<i64, BTreeMap<Arc<str>, BTreeMap<i32, i16>>> = BTreeMap::new();
    for marker in request.markers {
        let producer = results.entry(marker.producer_id).or_default();
        for (TopicPartition { topic, partition }, error) in write(cx, marker).await {
            producer.entry(topic).or_default().insert(partition, error);
        }
    }
    let markers = results.into_iter().map(|(producer_id, topics)| {
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|(partition_index, error_code)| {
                WritableTxnMarkerPartitionResult { partition_index, error_code }
            });
            let partitions = partitions.collect();
            WritableTxnMarkerTopicResult { name: name.to_string(), partitions }
        });
        WritableTxnMarkerResult { producer_id, topics: topics.collect() }
    });
    Ok(cx.reply(&WriteTxnMarkersResponse { markers: markers.collect() }))
}

async fn write(cx: &Context, request: WritableTxnMarker) -> Vec<(TopicPartition, i16)> {
    let marker = Marker {
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        coordinator_epoch: request.coordinator_epoch,
        committed: request.transaction_result,
        transaction_version: i16::from(request.transaction_version),
    };
    let partitions = request.topics.into_iter().flat_map(|topic| {
        let name: Arc<str> = topic.name.into();
        let indexes = topic.partition_indexes.into_iter();
        indexes.map(move |index| TopicPartition::new(name.clone(), index))
    });
    let written = cx.parts.transactions.write_markers(&marker, partitions.collect()).await;
    let code = |written: Result<(), ResponseError>| written.err().map_or(0, |error| error.code());
    written.into_iter().map(|(partition, written)| (partition, code(written))).collect()
}
