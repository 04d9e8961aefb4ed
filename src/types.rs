//! Types that all modules use: offsets, timestamps, ids and partitions.

use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The position of a record in a partition.
pub type Offset = i64;
/// Milliseconds since the Unix epoch; -1 if there is none.
pub type Timestamp = i64;
/// The number of leader changes of a partition; -1 if it is unknown.
pub type LeaderEpoch = i32;
/// The id of an idempotent or transactional producer; -1 if there is none.
pub type ProducerId = i64;
/// The `node.id` of a broker; -1 if there is none.
pub type BrokerId = i32;

/// In the place of a timestamp that is not known.
pub const NO_TIMESTAMP: Timestamp = -1;
/// In the place of a leader epoch that is not known, or not to be checked.
pub const NO_EPOCH: LeaderEpoch = -1;
/// In the place of a producer id, for a producer that is neither idempotent nor transactional.
pub const NO_PRODUCER_ID: ProducerId = -1;

/// A partition by the name of its topic, as clients and log directories name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The name of the topic.
    pub topic: Arc<str>,
    /// The index of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition with this index of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

/// `topic-partition`, as the log's directory is named.
impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A partition by the id of its topic. All internal state is stored under it, because a topic may
/// be deleted and created again with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIdPartition {
    /// The id of the topic.
    pub topic_id: Uuid,
    /// The index of the partition, from 0.
    pub partition: i32,
}

/// How far a reader may read in a log (FetchIsolation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// To the end of the log: for followers and recovery.
    LogEnd,
    /// Up to the high watermark: for `read_uncommitted` consumers.
    HighWatermark,
    /// Up to the last stable offset: for `read_committed` consumers.
    Committed,
}

/// Kafka's text form of an id: URL-safe base64 without padding, 22 characters (Uuid.toString).
pub fn uuid_to_text(id: Uuid) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = id.as_u128();
    // 128 bits are 21 groups of 6 bits and one of 2, to which four zero bits are added.
    let mut text: String =
        (0..21).map(|i| ALPHABET[(bits >> (122 - 6 * i)) as usize & 63] as char).collect();
    text.push(ALPHABET[((bits & 3) << 4) as usize] as char);
    text
}

/// Parses the text of `uuid_to_text`; None if it is not valid.
pub fn uuid_from_text(text: &str) -> Option<Uuid> {
    if text.len() != 22 {
        return None;
    }
    let mut bits: u128 = 0;
    for (i, byte) in text.bytes().enumerate() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = if i < 21 { bits << 6 | u128::from(six) } else { bits << 2 | u128::from(six >> 4) };
    }
    Some(Uuid::from_u128(bits))
}

/// Java's `String.hashCode`, over UTF-16 code units. Kafka uses it to place groups and
/// transactions.
pub fn java_hash(text: &str) -> i32 {
    java_hash_on(0, text)
}

/// The hash of a text that begins with one of this `hash` and goes on with `text`.
pub fn java_hash_on(hash: i32, text: &str) -> i32 {
    let add = |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    text.encode_utf16().fold(hash, add)
}

/// The partition of an internal topic for a key of this hash (Utils.abs(hash) % partitions).
pub fn partition_of_hash(hash: i32, partitions: i32) -> i32 {
    (if hash == i32::MIN { 0 } else { hash.abs() }) % partitions
}

/// The first few of many names, and how many there are, for a log line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    named: Vec<String>,
    count: usize,
}

impl Sample {
    /// The most names that are kept; the others are only counted.
    const NAMED_MAX: usize = 5;

    /// Counts a name, and makes it only if it is kept.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        if self.named.len() < Self::NAMED_MAX {
            self.named.push(name());
        }
        self.count += 1;
    }

    /// How many names were added.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        match self.count - self.named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        // The id of the metadata log's topic, and a cluster id that Kafka made.
        assert_eq!(uuid_to_text(Uuid::from_u128(1)), "AAAAAAAAAAAAAAAAAAAAAQ");
        for text in ["AAAAAAAAAAAAAAAAAAAAAQ", "5L6g3nShT-eMCtK--X86sw", "______________________"] {
            let id = uuid_from_text(text).unwrap();
            assert_eq!(uuid_from_text(&uuid_to_text(id)), Some(id));
        }
        assert_eq!(
            uuid_to_text(uuid_from_text("5L6g3nShT-eMCtK--X86sw").unwrap()),
            "5L6g3nShT-eMCtK--X86sw"
        );
        assert_eq!(uuid_from_text("short"), None);
        assert_eq!(uuid_from_text("5L6g3nShT+eMCtK--X86sw"), None);
    }

    #[test]
    fn keys_are_placed_as_kafka_places_them() {
        // The hashes come from a JVM's String.hashCode.
        for (key, hash, partition) in [
            ("", 0, 0),
            ("group", 98_629_247, 47),
            ("console-consumer", -648_006_740, 40),
            ("polygenelubricants", i32::MIN, 0),
            ("grüße😀", 428_562_490, 40),
        ] {
            assert_eq!((java_hash(key), partition_of_hash(hash, 50)), (hash, partition), "{key}");
        }
    }
}
