//! KRaft's control records: the leader, the voters, and the two ends of a snapshot.
//!
//! Key: `i16 version = 0, i16 type`; value: a flexible message (ControlRecordUtils).

use crate::codec::schema::raft::voters_record::{Endpoint, KRaftVersionFeature, Voter};
use crate::codec::schema::raft::*;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::types::{BrokerId, Timestamp};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use uuid::Uuid;

const LEADER_CHANGE: i16 = 2;
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

/// A record of a control batch.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A new leader begins its epoch.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot ends here and is complete.
    SnapshotFooter,
    /// The finalized level of `kraft.version`.
    KRaftVersion(i16),
    /// The voters from here on.
    Voters(VotersRecord),
}

impl ControlRecord {
    /// `leader` begins an epoch, elected by all of `voters`.
    pub fn leader_change(leader: BrokerId, voters: &[BrokerId]) -> ControlRecord {
        let voter =
            |&id: &BrokerId| leader_change_message::Voter { voter_id: id, ..Default::default() };
        ControlRecord::LeaderChange(LeaderChangeMessage {
            leader_id: leader,
            voters: voters.iter().map(voter).collect(),
            granting_voters: voters.iter().map(voter).collect(),
            ..Default::default()
        })
    }

    /// The header of a snapshot whose last record was written at `timestamp`.
    pub fn snapshot_header(timestamp: Timestamp) -> ControlRecord {
        ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
            version: 0,
            last_contained_log_timestamp: timestamp,
        })
    }

    /// A voter set of one, with its controller listeners (name, host, port).
    pub fn single_voter(
        id: BrokerId,
        directory_id: Uuid,
        listeners: &[(String, String, u16)],
    ) -> ControlRecord {
        let endpoint = |(name, host, port): &(String, String, u16)| Endpoint {
            name: name.clone(),
            host: host.clone(),
            port: *port,
        };
        ControlRecord::Voters(VotersRecord {
            version: 0,
            voters: vec![Voter {
                voter_id: id,
                voter_directory_id: directory_id,
                endpoints: listeners.iter().map(endpoint).collect(),
                k_raft_version_feature: KRaftVersionFeature {
                    min_supported_version: 0,
                    max_supported_version: 1,
                },
            }],
        })
    }

    /// A version of 0, and the type.
    pub fn key(&self) -> [u8; 4] {
        let key = match self {
            ControlRecord::LeaderChange(_) => LEADER_CHANGE,
            ControlRecord::SnapshotHeader(_) => SNAPSHOT_HEADER,
            ControlRecord::SnapshotFooter => SNAPSHOT_FOOTER,
            ControlRecord::KRaftVersion(_) => KRAFT_VERSION,
            ControlRecord::Voters(_) => KRAFT_VOTERS,
        };
        let [high, low] = key.to_be_bytes();
        [0, 0, high, low]
    }

    /// The record's message, at version 0.
    pub fn value(&self) -> Bytes {
        let mut value = BytesMut::new();
        match self {
            ControlRecord::LeaderChange(message) => message.encode(&mut value, 0),
            ControlRecord::SnapshotHeader(message) => message.encode(&mut value, 0),
            ControlRecord::SnapshotFooter => SnapshotFooterRecord::default().encode(&mut value, 0),
            ControlRecord::KRaftVersion(level) => {
                KRaftVersionRecord { version: 0, k_raft_version: *level }.encode(&mut value, 0)
            }
            ControlRecord::Voters(message) => message.encode(&mut value, 0),
        }
        .expect("version 0 holds what we write");
        value.freeze()
    }

    /// Decodes a record of a control batch; an unknown type is an error that names it.
    pub fn decode(record: &Record) -> Result<ControlRecord> {
        let key = record.key.as_deref().filter(|key| key.len() >= 4);
        let key = key.ok_or_else(|| Error::corrupt("metadata log: a control record's key"))?;
        let value = &mut record.value.clone().unwrap_or_default();
        let version = value.first_chunk().map_or(0, |bytes| i16::from_be_bytes(*bytes));
        let decoded = match i16::from_be_bytes([key[2], key[3]]) {
            LEADER_CHANGE => {
                LeaderChangeMessage::decode(value, version).map(ControlRecord::LeaderChange)
            }
            SNAPSHOT_HEADER => {
                SnapshotHeaderRecord::decode(value, version).map(ControlRecord::SnapshotHeader)
            }
            SNAPSHOT_FOOTER => Ok(ControlRecord::SnapshotFooter),
            KRAFT_VERSION => KRaftVersionRecord::decode(value, version)
                .map(|record| ControlRecord::KRaftVersion(record.k_raft_version)),
            KRAFT_VOTERS => VotersRecord::decode(value, version).map(ControlRecord::Voters),
            other => {
                return Err(Error::corrupt(format!(
                    "metadata log: a control record of unknown type {other}"
                )));
            }
        };
        decoded.map_err(|error| Error::corrupt(format!("metadata log: control record: {error}")))
    }
}
