//! The records of the metadata log and their framing (MetadataRecordSerde).
//!
//! ```text
//! uvarint frame version = 1 | uvarint type | uvarint version | message
//! ```

use super::features;
use crate::codec::schema::metadata::*;
use crate::error::{Error, Result};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};

const FRAME_VERSION: u32 = 1;

macro_rules! records {
    ($($(#[$doc:meta])* $variant:ident($message:ident);)*) => {
        /// A record of the metadata log, of any type that Kafka 4.4 knows.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $($(#[$doc])* $variant($message),)*
        }

        impl MetadataRecord {
            /// The record's type (MetadataRecordType).
            pub fn key(&self) -> i16 {
                match self { $(MetadataRecord::$variant(_) => $message::KEY,)* }
            }

            fn decode_message(key: u32, version: i16, bytes: &mut Bytes) -> Result<MetadataRecord> {
                let key = i16::try_from(key).unwrap_or(-1);
                match key {
                    $($message::KEY => {
                        let VersionRange { min, max } = $message::VERSIONS;
                        if !(min..=max).contains(&version) {
                            return Err(unknown_version(stringify!($message), version));
                        }
                        $message::decode(bytes, version)
                            .map(MetadataRecord::$variant)
                            .map_err(|error| Error::corrupt(
                                format!("{} v{version}: {error}", stringify!($message)),
                            ))
                    })*
                    _ => Err(Error::corrupt(format!(
                        "metadata log: a record of unknown type {key}; a newer Kafka wrote it"
                    ))),
                }
            }

            fn encode_message(&self, version: i16, into: &mut BytesMut) {
                match self {
                    $(MetadataRecord::$variant(message) => message.encode(into, version),)*
                }
                .expect("a record fits the version that was chosen for it");
            }
        }
    };
}

records! {
    /// A broker registered, for the first time or again.
    RegisterBroker(RegisterBrokerRecord);
    /// A broker was removed for good.
    UnregisterBroker(UnregisterBrokerRecord);
    /// A new topic; its partitions follow.
    Topic(TopicRecord);
    /// A new partition.
    Partition(PartitionRecord);
    /// A config of a resource was set or removed.
    Config(ConfigRecord);
    /// A partition's replicas, ISR or leader changed.
    PartitionChange(PartitionChangeRecord);
    /// A broker was fenced (superseded by BrokerRegistrationChange).
    FenceBroker(FenceBrokerRecord);
    /// A broker was unfenced (superseded by BrokerRegistrationChange).
    UnfenceBroker(UnfenceBrokerRecord);
    /// A topic was deleted.
    RemoveTopic(RemoveTopicRecord);
    /// A delegation token was created or changed.
    DelegationToken(DelegationTokenRecord);
    /// A SCRAM credential of a user was set.
    UserScramCredential(UserScramCredentialRecord);
    /// A feature was finalized at a level.
    FeatureLevel(FeatureLevelRecord);
    /// A client quota was set or removed.
    ClientQuota(ClientQuotaRecord);
    /// A block of producer ids was handed out.
    ProducerIds(ProducerIdsRecord);
    /// A broker was fenced or unfenced, shuts down, or its log directories changed.
    BrokerRegistrationChange(BrokerRegistrationChangeRecord);
    /// An ACL was added.
    AccessControlEntry(AccessControlEntryRecord);
    /// An ACL was removed.
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord);
    /// Nothing changed; the record shows that the controller is alive.
    NoOp(NoOpRecord);
    /// The state of a migration from ZooKeeper; no longer used.
    ZkMigrationState(ZkMigrationStateRecord);
    /// A SCRAM credential was removed.
    RemoveUserScramCredential(RemoveUserScramCredentialRecord);
    /// The records up to the end of the transaction take effect together (KIP-868).
    BeginTransaction(BeginTransactionRecord);
    /// The transaction takes effect.
    EndTransaction(EndTransactionRecord);
    /// The transaction has no effect.
    AbortTransaction(AbortTransactionRecord);
    /// A delegation token was removed.
    RemoveDelegationToken(RemoveDelegationTokenRecord);
    /// A controller registered.
    RegisterController(RegisterControllerRecord);
    /// The eligible leader replicas of one topic, or of all, are cleared.
    ClearElr(ClearElrRecord);
    /// A controller was removed for good.
    UnregisterController(UnregisterControllerRecord);
}

fn unknown_version(record: &str, version: i16) -> Error {
    Error::corrupt(format!(
        "metadata log: {record} of unknown version {version}; a newer Kafka wrote it"
    ))
}

impl MetadataRecord {
    /// Decodes a record's value; an unknown type or version is an error that names it.
    pub fn decode(mut value: Bytes) -> Result<MetadataRecord> {
        let frame_version = unsigned_varint(&mut value)?;
        if frame_version != FRAME_VERSION {
            return Err(Error::corrupt(format!(
                "metadata log: a record of unknown frame version {frame_version}"
            )));
        }
        let key = unsigned_varint(&mut value)?;
        let version = i16::try_from(unsigned_varint(&mut value)?).unwrap_or(i16::MAX);
        let record = MetadataRecord::decode_message(key, version, &mut value)?;
        if value.has_remaining() {
            let extra = value.remaining();
            return Err(Error::corrupt(format!(
                "metadata log: {extra} bytes after a record of type {key}"
            )));
        }
        Ok(record)
    }

    /// Encodes the record's value for `metadata_version`. [`Self::at`] must have dropped what that
    /// version cannot express.
    pub fn encode(&self, metadata_version: i16) -> Bytes {
        let version = self.version(metadata_version);
        let mut value = BytesMut::with_capacity(64);
        put_unsigned_varint(&mut value, FRAME_VERSION);
        put_unsigned_varint(&mut value, self.key() as u32);
        put_unsigned_varint(&mut value, version as u32);
        self.encode_message(version, &mut value);
        value.freeze()
    }

    /// Drops the fields that `metadata_version` does not know. None if nothing is left to say.
    pub fn at(mut self, metadata_version: i16) -> Option<MetadataRecord> {
        let knows = |since| metadata_version >= since;
        let is_known = match &mut self {
            MetadataRecord::RegisterBroker(broker) => {
                if !knows(features::DIRECTORIES) {
                    broker.log_dirs.clear();
                }
                if !knows(features::CORDONED_LOG_DIRS) {
                    broker.cordoned_log_dirs = None;
                }
                true
            }
            MetadataRecord::Partition(partition) => {
                if !knows(features::DIRECTORIES) {
                    partition.directories.clear();
                }
                if !knows(features::ELR_RECORDS) {
                    partition.eligible_leader_replicas = None;
                    partition.last_known_elr = None;
                }
                true
            }
            MetadataRecord::PartitionChange(change) => {
                if !knows(features::DIRECTORIES) {
                    change.directories = None;
                }
                if !knows(features::ELR_RECORDS) {
                    change.eligible_leader_replicas = None;
                    change.last_known_elr = None;
                }
                *change != unchanged(change)
            }
            MetadataRecord::BrokerRegistrationChange(change) => {
                if !knows(features::DIRECTORIES) {
                    change.log_dirs.clear();
                }
                if !knows(features::CORDONED_LOG_DIRS) {
                    change.cordoned_log_dirs = None;
                }
                true
            }
            MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => knows(features::TRANSACTIONS),
            MetadataRecord::RegisterController(_) | MetadataRecord::UnregisterController(_) => {
                knows(features::CONTROLLER_REGISTRATION)
            }
            MetadataRecord::ClearElr(_) => knows(features::ELR_RECORDS),
            _ => true,
        };
        is_known.then_some(self)
    }

    /// The message version that Kafka writes at `metadata_version`
    /// (MetadataVersion.*RecordVersion), or the lowest that can hold the content.
    fn version(&self, metadata_version: i16) -> i16 {
        // The version rises by one at each of these levels.
        let risen = |levels: &[i16]| {
            levels.iter().filter(|&&level| metadata_version >= level).count() as i16
        };
        match self {
            MetadataRecord::RegisterBroker(_) => {
                1 + risen(&[
                    features::ZK_MIGRATION,
                    features::DIRECTORIES,
                    features::CORDONED_LOG_DIRS,
                ])
            }
            MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => {
                risen(&[features::DIRECTORIES, features::ELR_RECORDS])
            }
            MetadataRecord::BrokerRegistrationChange(change) => {
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if !change.log_dirs.is_empty() {
                    2
                } else {
                    i16::from(change.in_controlled_shutdown != 0)
                }
            }
            _ => 0,
        }
    }
}

/// A change of the same partition that changes nothing.
fn unchanged(change: &PartitionChangeRecord) -> PartitionChangeRecord {
    PartitionChangeRecord {
        partition_id: change.partition_id,
        topic_id: change.topic_id,
        ..Default::default()
    }
}

fn unsigned_varint(bytes: &mut Bytes) -> Result<u32> {
    let mut value = 0u32;
    for shift in (0..32).step_by(7) {
        if !bytes.has_remaining() {
            break;
        }
        let byte = bytes.get_u8();
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::corrupt("metadata log: a record's frame is not a varint"))
}

fn put_unsigned_varint(bytes: &mut BytesMut, mut value: u32) {
    use bytes::BufMut;
    while value >= 0x80 {
        bytes.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.put_u8(value as u8);
}
