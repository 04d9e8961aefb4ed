//! What a real broker (4.3.1) wrote about a streams group: `tests/fixtures/streams_group.log` is
//! the only partition of `__consumer_offsets` after a run of `compat/streams`.

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

/// The topics that the group needed, with the ids that Kafka gave them.
const TOPICS: [(&str, &str); 5] = [
    ("lines-streams", "wrHoUyf4T2KhhmBpKcKe3Q"),
    ("wordcount-streams-lengths-changelog", "0u2SapJnQRS_79zgic2_DA"),
    ("wordcount-streams-lengths-repartition", "f3l2a5-YSH2VCcyriBBlGg"),
    ("wordcount-streams-words-changelog", "Id7DWTXeT7e6zp1xerAZkA"),
    ("wordcount-streams-words-repartition", "zp-qLhjCQWimAN1e61RD-g"),
];

const LOG: &[u8] = include_bytes!("../../../../tests/fixtures/streams_group.log");

fn image() -> Arc<Image> {
    let mut loader = Loader::new("a cluster");
    for (name, id) in TOPICS {
        let topic_id = uuid_from_text(id).unwrap();
        let topic = TopicRecord { name: name.to_owned(), topic_id };
        loader.replay(&MetadataRecord::Topic(topic)).unwrap();
        for partition_id in 0..4 {
            let (replicas, isr) = (vec![1], vec![1]);
            let partition = PartitionRecord {
                partition_id,
                topic_id,
                replicas,
                isr,
                ..PartitionRecord::default()
            };
            loader.replay(&MetadataRecord::Partition(partition)).unwrap();
        }
    }
    loader.take().image
}

#[test]
fn records_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut kinds = BTreeSet::new();
    for (key, value) in records_of(&batches_of(LOG)) {
        let decoded = Record::decode(&key, value.as_ref()).unwrap();
        kinds.insert((key[1], value.is_some()));
        assert_eq!(decoded.encode().unwrap(), (key, value), "{decoded:?}");
    }
    // It has every type of record, and the tombstones of a member.
    for record_type in 17..=23 {
        assert!(record_type == 18 || kinds.contains(&(record_type, true)), "{record_type}");
    }
    for record_type in [19, 21, 22] {
        assert!(kinds.contains(&(record_type, false)), "{record_type}");
    }
}

/// Records made from the replayed state are Kafka's records again.
#[test]
fn records_are_made_as_kafka_makes_them() {
    let mut shard = loaded(&[]);
    for (offset, (key, value)) in records_of(&batches_of(LOG)).into_iter().enumerate() {
        let record = Record::decode(&key, value.as_ref()).unwrap();
        shard.replay(i64::try_from(offset).unwrap(), -1, &record);
        let remade = super::streams::remade(&shard, &record);
        assert_eq!(remade.as_ref().unwrap_or(&record), &record);
        let made = remade.is_some();
        assert_eq!(made, value.is_some() && matches!(key[1], 17 | 19..=22), "{record:?}");
    }
}

#[test]
fn a_log_of_kafkas_is_loaded() {
    let state = show::state(&loaded(&batches_of(LOG)));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/streams_group.txt");
    if std::env::var_os("KLAMM_REWRITE_SCENARIOS").is_some() {
        std::fs::write(path, &state).unwrap();
    }
    assert_eq!(state, std::fs::read_to_string(path).unwrap(), "\n{state}");
}

#[test]
fn the_metadata_hash_is_that_of_the_real_topics() {
    let image = image();
    let topics: BTreeSet<String> = TOPICS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let hashes = records_of(&batches_of(LOG)).into_iter().filter_map(|(key, value)| {
        match Record::decode(&key, value.as_ref()).unwrap() {
            Record::StreamsGroupMetadata(_, Some(value)) => Some(value.metadata_hash),
            _ => None,
        }
    });
    assert_eq!(hashes.last(), Some(TopicHashes::default().of_all(&image, topics.iter())));
}
