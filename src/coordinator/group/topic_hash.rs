//! A hash that changes when a group's topics do: XXH3 of each topic's id, name, partitions and
//! racks, and of those hashes in order of the names (Utils.computeGroupHash). It is in the log, so
//! it has to be exactly Kafka's.

use crate::metadata::{Image, Topic};
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The version of the hash.
const MAGIC: u8 = 0;

/// The hashes of topics in one image.
#[derive(Debug, Default)]
pub struct TopicHashes {
    of_topics: HashMap<Arc<str>, i64>,
}

impl TopicHashes {
    /// Forgets the hashes, because the image has changed.
    pub fn clear(&mut self) {
        self.of_topics.clear();
    }

    /// The hash of these topics, which come in order of their names; 0 if none of them exists.
    pub fn of_all<'a>(&mut self, image: &Image, names: impl Iterator<Item = &'a String>) -> i64 {
        let mut hasher = XxHash3_64::new();
        let mut is_empty = true;
        for topic in names.filter_map(|name| image.topics.by_name(name)) {
            let of_topic = match self.of_topics.get(&topic.name) {
                Some(hash) => *hash,
                None => of_topic(image, topic),
            };
            self.of_topics.insert(topic.name.clone(), of_topic);
            hasher.write(&of_topic.to_le_bytes());
            is_empty = false;
        }
        if is_empty { 0 } else { signed(&hasher) }
    }
}

fn of_topic(image: &Image, topic: &Topic) -> i64 {
    let mut hasher = XxHash3_64::new();
    let (high, low) = topic.id.as_u64_pair();
    hasher.write(&[MAGIC]);
    hasher.write(&high.to_le_bytes());
    hasher.write(&low.to_le_bytes());
    put_text(&mut hasher, &topic.name);
    put_length(&mut hasher, topic.partitions.len());
    for (index, partition) in topic.partitions.iter().enumerate() {
        put_length(&mut hasher, index);
        let brokers = partition.replicas.iter().filter_map(|replica| image.brokers.get(replica));
        let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            put_length(&mut hasher, rack.encode_utf16().count());
            put_text(&mut hasher, rack);
        }
    }
    signed(&hasher)
}

/// Hashes text as hash4j's `putString` does: the characters, then their number.
fn put_text(hasher: &mut XxHash3_64, text: &str) {
    for unit in text.encode_utf16() {
        hasher.write(&unit.to_le_bytes());
    }
    put_length(hasher, text.encode_utf16().count());
}

fn put_length(hasher: &mut XxHash3_64, length: usize) {
    let length = i32::try_from(length).expect("Kafka counts in i32");
    hasher.write(&length.to_le_bytes());
}

fn signed(hasher: &XxHash3_64) -> i64 {
    hasher.finish().cast_signed()
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

    /// hash4j 0.22.0 computed these numbers from the same input.
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
        let hash = |name: &str| of_topic(&image, image.topics.by_name(name).unwrap());
        assert_eq!(hash("foo"), 510_427_759_103_550_602);
        assert_eq!(hash("größe"), 7_955_866_220_713_498_169);
        assert_eq!(hash("a-rather-long-topic-name"), -866_989_705_983_820_244);
        let group = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            TopicHashes::default().of_all(&image, names.iter())
        };
        assert_eq!(group(&["none"]), 0);
        assert_eq!(group(&["größe", "foo"]), 369_333_429_992_258_409);
        assert_eq!(group(&["foo", "none", "größe"]), group(&["foo", "größe"]));
    }
}
