//! What a consumer of the classic protocol sends with JoinGroup and gets from SyncGroup: an i16
//! version and a message (ConsumerProtocol).

use super::member::EpochPartitions;
use crate::codec::schema::consumer::consumer_protocol_assignment::TopicPartition;
use crate::codec::schema::consumer::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use crate::coordinator::group::assignor::Partitions;
use crate::metadata::Image;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

/// Protocol type of consumers.
pub const PROTOCOL_TYPE: &str = "consumer";
/// The newest version. One that is newer still begins with the same fields.
const LATEST_VERSION: i16 = 3;

/// The version of a subscription or assignment, or ours if it is newer; None if there is none.
pub fn version(bytes: &Bytes) -> Option<i16> {
    let first = bytes.get(..2)?.try_into().ok()?;
    let version = i16::from_be_bytes(first);
    (version >= 0).then(|| version.min(LATEST_VERSION))
}

/// A consumer's subscription; None if it cannot be read.
pub fn subscription(bytes: &Bytes) -> Option<ConsumerProtocolSubscription> {
    decode(bytes)
}

/// A consumer's assignment; None if it cannot be read.
pub fn assignment(bytes: &Bytes) -> Option<ConsumerProtocolAssignment> {
    decode(bytes)
}

fn decode<M: Decodable>(bytes: &Bytes) -> Option<M> {
    let version = version(bytes)?;
    let mut bytes = bytes.clone();
    bytes.advance(2);
    M::decode(&mut bytes, version).ok()
}

/// An assignment for a consumer, without topics that do not exist any more.
pub fn encode_assignment(partitions: &Partitions, image: &Image, version: i16) -> Bytes {
    let topics = partitions.iter().filter_map(|(topic, partitions)| {
        let topic = image.topics.by_id(*topic)?.name.to_string();
        Some(TopicPartition { topic, partitions: partitions.iter().copied().collect() })
    });
    let message =
        ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    message.encode(&mut bytes, version).expect("names of topics are short");
    bytes.freeze()
}

/// Partitions of existing topics, by topic id.
pub fn by_id<'a>(
    topics: impl Iterator<Item = (&'a String, &'a Vec<i32>)>,
    image: &Image,
) -> Partitions {
    let ids = topics.filter_map(|(name, partitions)| {
        Some((image.topics.by_name(name)?.id, partitions.iter().copied().collect()))
    });
    ids.collect()
}

/// Partitions without their epochs.
pub fn without_epochs(partitions: &EpochPartitions) -> Partitions {
    let topics = partitions.iter();
    topics.map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
