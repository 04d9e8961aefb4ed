//! One number for all that a group's assignment depends on of its topics: ids, names, partitions
//! and racks (KIP-1101; Utils.computeTopicHash and computeGroupHash). Groups keep it in their
//! records, so it is Kafka's to the bit.

use crate::metadata::{Image, Topic};
use std::collections::BTreeSet;
use twox_hash::XxHash3_64;

/// Changes if ever the hash is made of something else.
const MAGIC: u8 = 0;

/// The hash of those of `topics` that exist; 0 if none does.
pub fn metadata_hash(image: &Image, topics: &BTreeSet<String>) -> i64 {
    let mut hashes = Hashed::default();
    let mut any = false;
    for topic in topics.iter().filter_map(|name| image.topics.by_name(name)) {
        hashes.put(&topic_hash(image, topic).to_le_bytes());
        any = true;
    }
    if any { hashes.finish() } else { 0 }
}

fn topic_hash(image: &Image, topic: &Topic) -> i64 {
    let mut hashed = Hashed::default();
    let (high, low) = topic.id.as_u64_pair();
    hashed.put(&[MAGIC]);
    hashed.put(&high.to_le_bytes());
    hashed.put(&low.to_le_bytes());
    hashed.put_text(&topic.name);
    hashed.put_count(topic.partitions.len());
    for (index, partition) in topic.partitions.iter().enumerate() {
        hashed.put_count(index);
        let brokers = partition.replicas.iter().filter_map(|id| image.brokers.get(id));
        let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            hashed.put_count(rack.encode_utf16().count());
            hashed.put_text(rack);
        }
    }
    hashed.finish()
}

/// What hash4j's HashStream64 would have been given: numbers in little endian, a text as its UTF-16
/// code units and their count.
#[derive(Default)]
struct Hashed(Vec<u8>);

impl Hashed {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn put_count(&mut self, count: usize) {
        let count = i32::try_from(count).expect("Kafka counts in i32");
        self.put(&count.to_le_bytes());
    }

    fn put_text(&mut self, text: &str) {
        for unit in text.encode_utf16() {
            self.put(&unit.to_le_bytes());
        }
        self.put_count(text.encode_utf16().count());
    }

    fn finish(self) -> i64 {
        XxHash3_64::oneshot(&self.0).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codec::schema::metadata::{PartitionRecord, RegisterBrokerRecord, TopicRecord};
    use crate::metadata::Loader;
    use crate::metadata::record::MetadataRecord;
    use uuid::Uuid;

    fn add_topic(loader: &mut Loader, id: (u64, u64), name: &str, replicas: &[&[i32]]) {
        let topic_id = Uuid::from_u64_pair(id.0, id.1);
        let topic = TopicRecord { name: name.to_owned(), topic_id };
        loader.replay(&MetadataRecord::Topic(topic)).unwrap();
        for (partition_id, replicas) in (0..).zip(replicas) {
            let replicas = replicas.to_vec();
            let isr = replicas.clone();
            let record = PartitionRecord {
                partition_id,
                topic_id,
                replicas,
                isr,
                ..PartitionRecord::default()
            };
            loader.replay(&MetadataRecord::Partition(record)).unwrap();
        }
    }

    /// The numbers are what hash4j 0.22.0 made of the same input.
    #[test]
    fn the_hash_is_that_of_kafka() {
        let mut loader = Loader::new("a cluster");
        for (broker_id, rack) in
            [(1, Some("rack1")), (2, Some("rack0")), (3, Some("rack2")), (4, None)]
        {
            let rack = rack.map(str::to_owned);
            let broker =
                RegisterBrokerRecord { broker_id, rack, ..RegisterBrokerRecord::default() };
            loader.replay(&MetadataRecord::RegisterBroker(broker)).unwrap();
        }
        add_topic(&mut loader, (0, 7), "foo", &[&[1, 2, 4], &[3, 1]]);
        let id = (0x0123_4567_89ab_cdef, 0x8899_aabb_ccdd_eeff);
        add_topic(&mut loader, id, "größe", &[&[4], &[4], &[4]]);
        add_topic(&mut loader, (1, 2), "a-rather-long-topic-name", &[&[4_i32][..]; 40]);
        let image = loader.take().image;
        let hash = |name: &str| topic_hash(&image, image.topics.by_name(name).unwrap());
        assert_eq!(hash("foo"), 510_427_759_103_550_602);
        assert_eq!(hash("größe"), 7_955_866_220_713_498_169);
        assert_eq!(hash("a-rather-long-topic-name"), -866_989_705_983_820_244);
        let group = |names: &[&str]| {
            metadata_hash(&image, &names.iter().map(|name| (*name).to_owned()).collect())
        };
        assert_eq!(group(&["none"]), 0);
        let mut pair = 7_955_866_220_713_498_169_i64.to_le_bytes().to_vec();
        pair.extend(510_427_759_103_550_602_i64.to_le_bytes());
        assert_eq!(Hashed(pair).finish(), 369_333_429_992_258_409);
        assert_eq!(group(&["größe", "foo"]), group(&["foo", "none", "größe"]));
    }
}
