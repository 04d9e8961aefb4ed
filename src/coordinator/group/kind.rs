//! A group of any kind, and what the shard asks of every kind.

use super::GroupId;
use super::classic::ClassicGroup;
use super::consumer::{ConsumerGroup, Permit};
use super::offsets::Committed;
use super::record::{GroupKind, Record};
use super::share::ShareGroup;
use super::streams::StreamsGroup;
use super::timers::Timer;
use super::turn::Turn;
use crate::codec::messages::OffsetCommitRequest;
use crate::codec::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::error::{Error, Result};
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;

/// A group of any kind.
#[derive(Debug, PartialEq)]
pub enum Group {
    /// Its members assign their partitions among themselves.
    Classic(Box<ClassicGroup>),
    /// The coordinator assigns partitions to its members (KIP-848).
    Consumer(Box<ConsumerGroup>),
    /// The coordinator assigns tasks of Kafka Streams to its members (KIP-1071).
    Streams(Box<StreamsGroup>),
    /// Its members share the records of their partitions (KIP-932).
    Share(Box<ShareGroup>),
}

/// Asks a group of any kind what every kind can answer.
macro_rules! of_any_kind {
    ($any:expr, $group:ident => $answer:expr) => {
        match $any {
            Group::Classic($group) => $answer,
            Group::Consumer($group) => $answer,
            Group::Streams($group) => $answer,
            Group::Share($group) => $answer,
        }
    };
}

impl Group {
    /// An empty group of a kind.
    pub fn new(kind: GroupKind, id: GroupId) -> Group {
        match kind {
            GroupKind::Consumer => Group::Consumer(Box::new(ConsumerGroup::new(id))),
            GroupKind::Streams => Group::Streams(Box::new(StreamsGroup::new(id))),
            GroupKind::Share => Group::Share(Box::new(ShareGroup::new(id))),
        }
    }

    /// Whether this is a group of `kind`.
    pub fn is_of(&self, kind: GroupKind) -> bool {
        match self {
            Group::Classic(_) => false,
            Group::Consumer(_) => kind == GroupKind::Consumer,
            Group::Streams(_) => kind == GroupKind::Streams,
            Group::Share(_) => kind == GroupKind::Share,
        }
    }

    /// The kind's name in ListGroups, as `consumer`.
    pub fn kind(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => "consumer",
            Group::Streams(_) => "streams",
            Group::Share(_) => "share",
        }
    }

    /// The kind's name, or the protocol type of a classic group.
    pub fn protocol_type(&self) -> &str {
        match self {
            Group::Classic(group) => group.protocol_type.as_deref().unwrap_or_default(),
            other => other.kind(),
        }
    }

    /// Where it is in its life, as ListGroups shows it.
    pub fn state(&self) -> String {
        of_any_kind!(self, group => group.state().to_string())
    }

    /// Whether it has members.
    pub fn has_members(&self) -> bool {
        of_any_kind!(self, group => !group.is_empty())
    }

    /// All timers that may run for it.
    pub fn timers(&self) -> Vec<Timer> {
        of_any_kind!(self, group => group.timers())
    }

    /// Changes the group as a record of its kind says.
    pub fn replay(&mut self, record: &Record) {
        match self {
            Group::Consumer(group) => group.replay(record),
            Group::Streams(group) => group.replay(record),
            Group::Share(group) => group.replay(record),
            Group::Classic(_) => unreachable!("a classic group is one record"),
        }
    }

    /// Expects the members' heartbeats, now that the group was read from the log.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        of_any_kind!(self, group => group.loaded(turn));
        if let Group::Share(group) = self {
            group.expect_states(turn);
        }
    }

    /// The records that delete the group, which is empty.
    pub fn tombstones(&self) -> Vec<Record> {
        of_any_kind!(self, group => group.tombstones())
    }

    /// Whether offsets may be committed, and of which partitions. `version` is that of
    /// OffsetCommit, None for TxnOffsetCommit.
    pub fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<Permit> {
        match self {
            Group::Classic(group) => group.validate_commit(version, request)?,
            Group::Streams(group) => group.validate_commit(version, request)?,
            Group::Consumer(group) => return group.validate_commit(version, request),
            Group::Share(_) => return Err(wrong_kind(&request.group_id, "consumer")),
        }
        Ok(Permit::default())
    }

    /// Whether the caller may see the offsets. Returns whether a group of this kind has offsets at
    /// all.
    pub fn validate_fetch(&self, request: &OffsetFetchRequestGroup) -> Result<bool> {
        let (member, epoch) = (request.member_id.as_deref(), request.member_epoch);
        match self {
            Group::Classic(_) => {}
            Group::Consumer(group) => group.validate_fetch(member, epoch)?,
            Group::Streams(group) => group.validate_fetch(member, epoch)?,
            Group::Share(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Whether an operator may delete offsets of the group `id`.
    pub fn validate_offset_delete(&self, id: &str) -> Result<()> {
        match self {
            Group::Classic(group) => Ok(group.validate_offset_delete()?),
            Group::Consumer(_) | Group::Streams(_) => Ok(()),
            Group::Share(_) => Err(wrong_kind(id, "consumer")),
        }
    }

    /// Since when an offset has been unused; None while it is or may be in use.
    pub fn offset_unused_since(&self, topic: &str, committed: &Committed) -> Option<Timestamp> {
        match self {
            Group::Classic(group) => group.offset_unused_since(topic, committed),
            Group::Share(_) => None,
            other if other.is_subscribed_to(topic) => None,
            _ => Some(committed.commit_timestamp),
        }
    }

    /// Whether members use `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        of_any_kind!(self, group => group.is_subscribed_to(topic))
    }
}

/// The error for a group that does not exist. Kafka's tests of its tools compare this text.
pub fn not_found(id: &str) -> Error {
    Error::Explained(ResponseError::GroupIdNotFound, format!("Group {id} not found."))
}

/// The error for a group of another kind than the one that was asked for, in Kafka's form.
pub fn wrong_kind(id: &str, kind: &str) -> Error {
    Error::Explained(ResponseError::GroupIdNotFound, format!("Group {id} is not a {kind} group."))
}

/// Why `found` is not a group of the kind that was asked for.
pub fn not_of_kind(found: Option<&Group>, id: &str, kind: &str) -> Error {
    found.map_or_else(|| not_found(id), |_| wrong_kind(id, kind))
}
