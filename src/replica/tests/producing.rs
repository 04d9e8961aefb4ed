//! Produce, up to the fields of the response.

use super::cluster::{Cluster, NOW, batch};
use crate::config::Compression;
use crate::log::Verification;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::replica::append::Produced;
use crate::types::{Offset, TopicIdPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use uuid::Uuid;

/// Appends as Produce v13 with acks=all; returns the result and the offset to wait for.
fn produce(cluster: &Cluster, topic_id: Uuid, records: Bytes) -> (Produced, Option<Offset>) {
    let id = TopicIdPartition { topic_id, partition: 0 };
    let (produced, awaited) =
        cluster.replicas.produce(id, records, -1, 13, Verification::NotNeeded, NOW);
    (produced, awaited.map(|awaited| awaited.offset))
}

fn idempotent(sequence: i32, count: i32) -> Batch {
    let mut builder =
        BatchBuilder::new(0, Compression::Uncompressed).producer(7, 0, sequence, false);
    for _ in 0..count {
        builder.append(NOW, Some(b"key"), Some(b"value"), &[]);
    }
    builder.build()
}

#[test]
fn what_was_appended_is_told_with_its_place() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    for base_offset in [0, 3] {
        let (produced, awaited) = produce(&cluster, id, batch(3).to_bytes());
        assert_eq!(produced.error, None);
        assert_eq!((produced.base_offset, produced.append_time), (base_offset, -1));
        assert_eq!((produced.log_start_offset, awaited), (0, Some(base_offset + 3)));
    }
    cluster.configure("t", "message.timestamp.type", "LogAppendTime");
    let (produced, _) = produce(&cluster, id, batch(3).to_bytes());
    assert_eq!((produced.base_offset, produced.append_time), (6, NOW));
}

#[test]
fn a_batch_sent_again_is_told_where_it_is() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    produce(&cluster, id, batch(2).to_bytes());
    let first = produce(&cluster, id, idempotent(0, 3).to_bytes());
    assert_eq!((first.0.error, first.0.base_offset, first.1), (None, 2, Some(5)));
    produce(&cluster, id, idempotent(3, 1).to_bytes());
    // For a duplicate Kafka returns the batch's timestamp, whatever `message.timestamp.type` is.
    let again = produce(&cluster, id, idempotent(0, 3).to_bytes());
    assert_eq!(again, (Produced { append_time: NOW, ..first.0 }, first.1));
    let (produced, awaited) = produce(&cluster, id, idempotent(9, 1).to_bytes());
    assert_eq!(produced.error, Some(ResponseError::OutOfOrderSequenceNumber));
    assert_eq!((produced.base_offset, produced.log_start_offset, awaited), (-1, 0, None));
}

#[test]
fn a_refused_batch_says_why_as_kafka_does() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let mut broken = batch(1).to_bytes().to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let (produced, _) = produce(&cluster, id, Bytes::from(broken));
    assert_eq!(produced, Produced::failed(ResponseError::CorruptMessage));

    let (produced, _) = produce(&cluster, Uuid::new_v4(), batch(1).to_bytes());
    assert_eq!(produced, Produced::failed(ResponseError::NotLeaderOrFollower));

    cluster.configure("t", "max.message.bytes", "10");
    let (produced, _) = produce(&cluster, id, batch(1).to_bytes());
    assert_eq!(produced, Produced::failed(ResponseError::MessageTooLarge));
    cluster.configure("t", "max.message.bytes", "1000000");

    // Records without keys are invalid in a compacted topic: each is named.
    cluster.configure("t", "cleanup.policy", "compact");
    let (produced, _) = produce(&cluster, id, batch(2).to_bytes());
    assert_eq!(produced.error, Some(ResponseError::InvalidRecord));
    assert_eq!(produced.record_errors.len(), 2);
    assert!(produced.message.is_some());
    assert_eq!(produced.log_start_offset, 0);
}
