//! The words everyone uses: offsets, timestamps, ids, and the topic partition.

use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// Position of a record in a partition.
pub type Offset = i64;
/// Milliseconds since the Unix epoch; -1 when absent.
pub type Timestamp = i64;
/// Counts the leaders that a partition has had; -1 when unknown.
pub type LeaderEpoch = i32;
/// Identifies an idempotent or transactional producer; -1 when none.
pub type ProducerId = i64;
/// `node.id` of a broker; -1 when none.
pub type BrokerId = i32;

/// No timestamp.
pub const NO_TIMESTAMP: Timestamp = -1;
/// No leader epoch.
pub const NO_EPOCH: LeaderEpoch = -1;
/// No producer.
pub const NO_PRODUCER_ID: ProducerId = -1;

/// A partition by its topic's name, as log directories and clients name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Index of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

/// `topic-partition`, the name of the log's directory.
impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A partition by its topic's id: the key of everything internal, because a topic may be deleted
/// and made again under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIdPartition {
    /// Id of the topic.
    pub topic_id: Uuid,
    /// Index of the partition, from 0.
    pub partition: i32,
}

/// Up to where a reader may see (FetchIsolation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Everything: followers and recovery.
    LogEnd,
    /// Below the high watermark: `read_uncommitted` consumers.
    HighWatermark,
    /// Below the last stable offset: `read_committed` consumers.
    Committed,
}

/// Kafka's text form of an id: URL-safe base64 without padding, 22 characters (Uuid.toString).
pub fn uuid_to_text(id: Uuid) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = id.as_u128();
    // 128 bits are 21 groups of 6 and one of 2, filled up with four zero bits.
    let mut text: String =
        (0..21).map(|i| ALPHABET[(bits >> (122 - 6 * i)) as usize & 63] as char).collect();
    text.push(ALPHABET[((bits & 3) << 4) as usize] as char);
    text
}

/// Parses what `uuid_to_text` wrote; None if it is not such a text.
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

/// Java's `String.hashCode`, over UTF-16 code units: Kafka places groups and transactions by it.
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of an internal topic that `key` belongs to (Utils.abs(hash) % partitions).
pub fn partition_for(key: &str, partitions: i32) -> i32 {
    let hash = java_hash(key);
    (if hash == i32::MIN { 0 } else { hash.abs() }) % partitions
}

/// The first few of many, and how many there are: what a line of the log names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    named: Vec<String>,
    count: usize,
}

impl Sample {
    /// The others are counted.
    const NAMED_MAX: usize = 5;

    /// One more.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        if self.named.len() < Self::NAMED_MAX {
            self.named.push(name());
        }
        self.count += 1;
    }

    /// How many there are.
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
        // The topic id of the metadata log, and MetadataQuorum's cluster id of the reference.
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
        // Asked of a JVM's String.hashCode.
        for (key, hash, partition) in [
            ("", 0, 0),
            ("group", 98_629_247, 47),
            ("console-consumer", -648_006_740, 40),
            ("polygenelubricants", i32::MIN, 0),
            ("grüße😀", 428_562_490, 40),
        ] {
            assert_eq!((java_hash(key), partition_for(key, 50)), (hash, partition), "{key}");
        }
    }
}
