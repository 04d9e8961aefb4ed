//! A number that changes when the subscribed topics do: XXH3 of each topic's id, name, partitions
//! and racks, and of all those hashes in the order of the names (Utils.computeGroupHash). It is in
//! the log, so it is computed as Kafka does, to the bit.

use crate::metadata::{Image, Topic};
use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// The version of the hash.
const MAGIC: u8 = 0;

/// The hashes of topics in one image.
#[derive(Debug, Default)]
pub struct TopicHashes {
    of_topics: HashMap<Arc<str>, i64>,
}

impl TopicHashes {
    /// The image has changed.
    pub fn clear(&mut self) {
        self.of_topics.clear();
    }

    /// The hash of these topics, named in order; 0 if none of them exists.
    pub fn of_all<'a>(&mut self, image: &Image, names: impl Iterator<Item = &'a String>) -> i64 {
        let mut hasher = Xxh3Default::new();
        let mut is_empty = true;
        for topic in names.filter_map(|name| image.topics.by_name(name)) {
            let of_topic = match self.of_topics.get(&topic.name) {
                Some(hash) => *hash,
                None => of_topic(image, topic),
            };
            self.of_topics.insert(topic.name.clone(), of_topic);
            hasher.update(&of_topic.to_le_bytes());
            is_empty = false;
        }
        if is_empty { 0 } else { signed(&hasher) }
    }
}

fn of_topic(image: &Image, topic: &Topic) -> i64 {
    let mut hasher = Xxh3Default::new();
    let (high, low) = topic.id.as_u64_pair();
    hasher.update(&[MAGIC]);
    hasher.update(&high.to_le_bytes());
    hasher.update(&low.to_le_bytes());
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

/// As hash4j's `putString`: the characters, and how many they are.
fn put_text(hasher: &mut Xxh3Default, text: &str) {
    for unit in text.encode_utf16() {
        hasher.update(&unit.to_le_bytes());
    }
    put_length(hasher, text.encode_utf16().count());
}

fn put_length(hasher: &mut Xxh3Default, length: usize) {
    let length = i32::try_from(length).expect("Kafka counts in i32");
    hasher.update(&length.to_le_bytes());
}

fn signed(hasher: &Xxh3Default) -> i64 {
    i64::from_le_bytes(hasher.digest().to_le_bytes())
}
