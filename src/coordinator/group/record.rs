//! The records of `__consumer_offsets`. A key is an i16 type and a message of version 0; a value is
//! an i16 version and a message; no value is a tombstone (CoordinatorRecordSerde,
//! GroupCoordinatorRecordHelpers).

use super::offsets::Committed;
use crate::codec::schema::group::{self, OffsetCommitKey, OffsetCommitValue};
use crate::error::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::{Decodable, Encodable};

/// The type of an offset that Kafka 0.8 wrote.
const LEGACY_OFFSET_COMMIT: i16 = 0;
/// The newest version: flexible, with the topic's id.
const OFFSET_COMMIT_VERSION: i16 = 4;
/// The only version with an expiry time.
const OFFSET_COMMIT_EXPIRING_VERSION: i16 = 1;

/// The kinds of groups that have records of several types; a classic group has one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// KIP-848.
    Consumer,
    /// KIP-1071.
    Streams,
    /// KIP-932.
    Share,
}

/// Declares the records whose key has version 0 and whose value is written in one version only.
macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $name:ident($key:ident, $value:ident) written as $version:literal $(of $kind:ident)?;
    )*) => {
        /// A record. No value means that whatever the key names is gone.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record {
            /// An offset was committed, or removed.
            OffsetCommit(OffsetCommitKey, Option<OffsetCommitValue>),
            $($(#[$doc])* $name(group::$key, Option<group::$value>),)*
            /// A record of a retired type, or of one that is newer than this broker.
            Other {
                /// The type of the record.
                record_type: i16,
            },
        }

        impl Record {
            /// Encodes the record as key and value. Fails if a client sent a string that the format
            /// cannot hold.
            pub fn encode(&self) -> Result<(Bytes, Option<Bytes>)> {
                match self {
                    Record::OffsetCommit(key, value) => {
                        let value = value.as_ref().map(encode_offset).transpose()?;
                        Ok((message(OffsetCommitKey::KEY, 0, key)?, value))
                    }
                    $(Record::$name(key, value) => {
                        let encode = |value| message($version, $version, value);
                        let value = value.as_ref().map(encode).transpose()?;
                        Ok((message(group::$key::KEY, 0, key)?, value))
                    })*
                    Record::Other { .. } => unreachable!("{self:?} is never written"),
                }
            }

            /// Whether it says that whatever its key names is gone.
            pub fn is_tombstone(&self) -> bool {
                match self {
                    Record::OffsetCommit(_, value) => value.is_none(),
                    $(Record::$name(_, value) => value.is_none(),)*
                    Record::Other { .. } => false,
                }
            }

            /// The group that the record belongs to, if that is no classic one.
            pub fn group_named(&self) -> Option<(GroupKind, &str)> {
                match self {
                    $($(Record::$name(key, _) => Some((GroupKind::$kind, &key.group_id)),)?)*
                    _ => None,
                }
            }

            /// Decodes a record. An unknown type is `Other`; a known one that cannot be read is an
            /// error.
            pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Record> {
                let mut key = key.clone();
                Ok(match prefix(&mut key)? {
                    LEGACY_OFFSET_COMMIT => decode_legacy_offset(&mut key, value)?,
                    OffsetCommitKey::KEY => {
                        Record::OffsetCommit(read(&mut key, 0)?, value.map(read_value).transpose()?)
                    }
                    $(group::$key::KEY => {
                        Record::$name(read(&mut key, 0)?, value.map(read_value).transpose()?)
                    })*
                    record_type => Record::Other { record_type },
                })
            }
        }
    };
}

records! {
    /// A classic group reached a generation.
    GroupMetadata(GroupMetadataKey, GroupMetadataValue) written as 3;
    /// A consumer group (KIP-848) reached an epoch.
    ConsumerGroupMetadata(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue) written as 0 of Consumer;
    /// The partitions of a consumer group's topics, as Kafka before 4.1 kept them.
    ConsumerGroupPartitionMetadata(
        ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue
    ) written as 0 of Consumer;
    /// What a member of a consumer group subscribes to.
    ConsumerGroupMemberMetadata(
        ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue
    ) written as 0 of Consumer;
    /// The epoch that a consumer group's target assignment was made for.
    ConsumerGroupTargetAssignmentMetadata(
        ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue
    ) written as 0 of Consumer;
    /// What a member of a consumer group is to own.
    ConsumerGroupTargetAssignmentMember(
        ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue
    ) written as 0 of Consumer;
    /// What a member of a consumer group owns, and has to give back.
    ConsumerGroupCurrentMemberAssignment(
        ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue
    ) written as 0 of Consumer;
    /// The topics that match a regular expression of a consumer group.
    ConsumerGroupRegularExpression(
        ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue
    ) written as 0 of Consumer;
    /// A share group (KIP-932) reached an epoch.
    ShareGroupMetadata(ShareGroupMetadataKey, ShareGroupMetadataValue) written as 0 of Share;
    /// What a member of a share group subscribes to.
    ShareGroupMemberMetadata(
        ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue
    ) written as 0 of Share;
    /// The epoch that a share group's target assignment was made for.
    ShareGroupTargetAssignmentMetadata(
        ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue
    ) written as 0 of Share;
    /// The partitions that a member of a share group is to have.
    ShareGroupTargetAssignmentMember(
        ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue
    ) written as 0 of Share;
    /// The partitions that a member of a share group has.
    ShareGroupCurrentMemberAssignment(
        ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue
    ) written as 0 of Share;
    /// The partitions that the share coordinators know for a share group.
    ShareGroupStatePartitionMetadata(
        ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue
    ) written as 0 of Share;
    /// A streams group (KIP-1071) reached an epoch.
    StreamsGroupMetadata(StreamsGroupMetadataKey, StreamsGroupMetadataValue) written as 0 of Streams;
    /// What a member of a streams group says about itself.
    StreamsGroupMemberMetadata(
        StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue
    ) written as 0 of Streams;
    /// The epoch that a streams group's target assignment was made for.
    StreamsGroupTargetAssignmentMetadata(
        StreamsGroupTargetAssignmentMetadataKey, StreamsGroupTargetAssignmentMetadataValue
    ) written as 0 of Streams;
    /// The tasks that a member of a streams group is to own.
    StreamsGroupTargetAssignmentMember(
        StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue
    ) written as 0 of Streams;
    /// The tasks that a member of a streams group owns.
    StreamsGroupCurrentMemberAssignment(
        StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue
    ) written as 0 of Streams;
    /// The topology of a streams group.
    StreamsGroupTopology(StreamsGroupTopologyKey, StreamsGroupTopologyValue) written as 0 of Streams;
}

impl Record {
    /// Whether it says that a group, other than a classic one, is gone.
    pub fn ends_group(&self) -> bool {
        matches!(
            self,
            Record::ConsumerGroupMetadata(_, None)
                | Record::StreamsGroupMetadata(_, None)
                | Record::ShareGroupMetadata(_, None)
        )
    }

    /// An offset as it was committed.
    pub fn offset(group: &str, topic: &str, partition: i32, committed: &Committed) -> Record {
        let value = OffsetCommitValue {
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.clone(),
            commit_timestamp: committed.commit_timestamp,
            expire_timestamp: committed.expire_timestamp.unwrap_or(-1),
            topic_id: committed.topic_id,
        };
        Record::OffsetCommit(offset_key(group, topic, partition), Some(value))
    }

    /// A tombstone: the offset is gone.
    pub fn offset_tombstone(group: &str, topic: &str, partition: i32) -> Record {
        Record::OffsetCommit(offset_key(group, topic, partition), None)
    }

    /// Whether Kafka 4.3 knows this type of record; 9 and 18 are retired.
    pub fn is_known(record_type: i16) -> bool {
        matches!(record_type, 0..=8 | 10..=17 | 19..=23)
    }
}

fn offset_key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.to_owned(), topic: topic.to_owned(), partition }
}

/// Decodes an offset that Kafka 0.8 wrote.
fn decode_legacy_offset(key: &mut Bytes, value: Option<&Bytes>) -> Result<Record> {
    let key: group::LegacyOffsetCommitKey = read(key, 0)?;
    let value = value.map(read_value::<group::LegacyOffsetCommitValue>).transpose()?;
    let key = offset_key(&key.group, &key.topic, key.partition);
    Ok(Record::OffsetCommit(key, value.map(from_legacy)))
}

fn encode_offset(value: &OffsetCommitValue) -> Result<Bytes> {
    let version = match value.expire_timestamp {
        -1 => OFFSET_COMMIT_VERSION,
        _ => OFFSET_COMMIT_EXPIRING_VERSION,
    };
    message(version, version, value)
}

fn from_legacy(value: group::LegacyOffsetCommitValue) -> OffsetCommitValue {
    OffsetCommitValue {
        offset: value.offset,
        metadata: value.metadata,
        commit_timestamp: value.commit_timestamp,
        ..OffsetCommitValue::default()
    }
}

fn message<M: Encodable>(prefix: i16, version: i16, message: &M) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(prefix);
    let encoded = message.encode(&mut bytes, version);
    encoded.map_err(|e| Error::Explained(ResponseError::UnknownServerError, e.to_string()))?;
    Ok(bytes.freeze())
}

fn prefix(bytes: &mut Bytes) -> Result<i16> {
    if bytes.len() < 2 {
        return Err(Error::corrupt("coordinator record: no type or version"));
    }
    Ok(bytes.get_i16())
}

fn read<M: Decodable>(bytes: &mut Bytes, version: i16) -> Result<M> {
    M::decode(bytes, version).map_err(|e| Error::corrupt(format!("coordinator record: {e}")))
}

fn read_value<M: Decodable>(value: &Bytes) -> Result<M> {
    let mut value = value.clone();
    let version = prefix(&mut value)?;
    read(&mut value, version)
}
