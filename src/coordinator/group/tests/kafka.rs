//! What a real broker (4.3.1) wrote: `tests/fixtures/consumer_offsets.log` is the only partition of
//! `__consumer_offsets` after it played the scenarios, served a consumer of KIP-848, and had a
//! producer that committed an offset of `t-0` in one transaction and aborted another.

use super::super::record::Record;
use super::super::shard::Shard;
use super::super::topic_hash::TopicHashes;
use super::show;
use crate::codec::schema::metadata::{PartitionRecord, TopicRecord};
use crate::config::LiveConfig;
use crate::coordinator::loader;
use crate::coordinator::state_machine::StateMachine;
use crate::metadata::Loader;
use crate::metadata::record::MetadataRecord;
use crate::record::Batch;
use bytes::Bytes;

const LOG: &[u8] = include_bytes!("../../../../tests/fixtures/consumer_offsets.log");

/// The batches of a log of Kafka's.
pub fn batches_of(log: &'static [u8]) -> Vec<Batch> {
    let mut log = Bytes::from_static(log);
    let mut batches = Vec::new();
    while !log.is_empty() {
        batches.push(Batch::split_from(&mut log).unwrap());
    }
    batches
}

/// The keys and values of their records.
pub fn records_of(batches: &[Batch]) -> Vec<(Bytes, Option<Bytes>)> {
    let batches = batches.iter().filter(|batch| !batch.is_control());
    let records = batches.flat_map(|batch| batch.records(1 << 20).unwrap());
    records.map(|record| (record.key.unwrap(), record.value)).collect()
}

/// A shard that has loaded them.
pub fn loaded(batches: &[Batch]) -> Shard {
    let mut shard = Shard::new(LiveConfig::default(), 1);
    for batch in batches {
        loader::replay(&mut shard, batch).unwrap();
    }
    shard.loaded(0);
    shard
}

#[test]
fn records_are_written_byte_for_byte_as_kafka_writes_them() {
    let records = records_of(&batches_of(LOG));
    assert_eq!(records.len(), 67);
    for (key, value) in records {
        let decoded = Record::decode(&key, value.as_ref()).unwrap();
        assert_eq!(decoded.encode().unwrap(), (key, value), "{decoded:?}");
    }
}

/// So that the group does not rebalance because it has a new coordinator.
#[test]
fn the_hash_of_the_topics_is_kafkas_to_the_bit() {
    let records = records_of(&batches_of(LOG)).into_iter();
    let decoded: Vec<Record> =
        records.map(|(key, value)| Record::decode(&key, value.as_ref()).unwrap()).collect();
    let hash = decoded.iter().find_map(|record| match record {
        Record::ConsumerGroupMetadata(_, Some(value)) => Some(value.metadata_hash),
        _ => None,
    });
    let target = decoded.iter().find_map(|record| match record {
        Record::ConsumerGroupTargetAssignmentMember(_, Some(value)) => Some(value),
        _ => None,
    });
    let [topic] = &target.unwrap().topic_partitions[..] else { panic!("one topic was assigned") };
    let mut metadata = Loader::new("a cluster");
    let (name, topic_id) = ("t".to_owned(), topic.topic_id);
    metadata.replay(&MetadataRecord::Topic(TopicRecord { name, topic_id })).unwrap();
    for partition_id in 0..i32::try_from(topic.partitions.len()).unwrap() {
        let partition = PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() };
        metadata.replay(&MetadataRecord::Partition(partition)).unwrap();
    }
    let image = metadata.take().image;
    let ours = TopicHashes::default().of_all(&image, ["t".to_owned()].iter());
    assert_eq!(Some(ours), hash);
}

#[test]
fn a_log_of_kafkas_is_loaded() {
    let state = show::state(&loaded(&batches_of(LOG)));
    assert_eq!(state, include_str!("../../../../tests/fixtures/consumer_offsets.txt"), "\n{state}");
}
