//! What a real broker (4.3.1) wrote about share groups: `tests/fixtures/share_group.log` is the only
//! partition of `__consumer_offsets` after a share group's life.

use super::super::record::Record;
use super::super::topic_hash::TopicHashes;
use super::kafka::{batches_of, loaded, records_of};
use super::show;
use crate::codec::schema::metadata::{PartitionRecord, TopicRecord};
use crate::coordinator::state_machine::StateMachine;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader};
use crate::types::uuid_from_text;
use std::collections::BTreeSet;
use std::sync::Arc;

const LOG: &[u8] = include_bytes!("../../../../tests/fixtures/share_group.log");

/// The topics as they were last, with the ids that Kafka gave them.
const TOPICS: [(&str, &str, i32); 2] =
    [("t", "0RTfWeiiSHGOYMnERYQ7HQ", 4), ("u", "Y2o4U560Q9my9Nz_1sOt6A", 1)];

fn image() -> Arc<Image> {
    let mut loader = Loader::new("a cluster");
    for (name, id, partitions) in TOPICS {
        let topic_id = uuid_from_text(id).unwrap();
        let topic = TopicRecord { name: name.to_owned(), topic_id };
        loader.replay(&MetadataRecord::Topic(topic)).unwrap();
        for partition_id in 0..partitions {
            let record = PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() };
            loader.replay(&MetadataRecord::Partition(record)).unwrap();
        }
    }
    loader.take().image
}

/// The record with its topics in the order of their ids, instead of that of a hash table.
fn in_order(mut record: Record) -> Record {
    if let Record::ShareGroupStatePartitionMetadata(_, Some(value)) = &mut record {
        value.initialized_topics.sort_by_key(|topic| topic.topic_id);
    }
    record
}

#[test]
fn records_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut kinds = BTreeSet::new();
    for (key, value) in records_of(&batches_of(LOG)) {
        let decoded = Record::decode(&key, value.as_ref()).unwrap();
        kinds.insert((key[1], value.is_some()));
        assert_eq!(decoded.encode().unwrap(), (key, value), "{decoded:?}");
    }
    for record_type in 10..=15 {
        for is_there in [true, false] {
            assert!(kinds.contains(&(record_type, is_there)), "{record_type} {is_there}");
        }
    }
}

/// As the group goes on, each record is one that klamm makes from the state after it.
#[test]
fn records_are_made_as_kafka_makes_them() {
    let mut shard = loaded(&[]);
    let mut made = BTreeSet::new();
    for (offset, (key, value)) in records_of(&batches_of(LOG)).into_iter().enumerate() {
        let record = in_order(Record::decode(&key, value.as_ref()).unwrap());
        shard.replay(i64::try_from(offset).unwrap(), -1, &record);
        if let Some(remade) = super::share::remade(&shard, &record) {
            assert_eq!(remade, record);
            made.insert(key[1]);
        }
    }
    assert_eq!(made.into_iter().collect::<Vec<_>>(), [10, 11, 12, 13, 14, 15]);
}

#[test]
fn a_log_of_kafkas_is_loaded() {
    let state = show::state(&loaded(&batches_of(LOG)));
    assert_eq!(
        state,
        "q Empty epoch=11 assigned=9 assignor=simple\n    \
         states initializing=[] initialized=[t-0 t-1 t-2 t-3] deleting=[]\n"
    );
}

#[test]
fn the_metadata_hash_is_that_of_the_real_topics() {
    let image = image();
    let hashes = records_of(&batches_of(LOG)).into_iter().filter_map(|(key, value)| {
        match Record::decode(&key, value.as_ref()).unwrap() {
            Record::ShareGroupMetadata(_, Some(value)) => Some((value.epoch, value.metadata_hash)),
            _ => None,
        }
    });
    let hashes: Vec<(i32, i64)> = hashes.collect();
    let hash = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        TopicHashes::default().of_all(&image, names.iter())
    };
    // Of t with four partitions, of both topics, of u alone, and of none.
    for of in [(6, hash(&["t"])), (9, hash(&["t", "u"])), (10, hash(&["u"])), (11, hash(&[]))] {
        assert!(hashes.contains(&of), "{of:?}");
    }
}
