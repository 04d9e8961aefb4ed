//! A group of whatever kind: what all kinds are asked alike, each answers by its own rules.

use super::GroupId;
use super::classic::ClassicGroup;
use super::consumer::{ConsumerGroup, Permit};
use super::offsets::Committed;
use super::record::Record;
use super::share::ShareGroup;
use super::streams::StreamsGroup;
use super::timers::Timer;
use super::turn::Turn;
use crate::codec::schema::message::OffsetCommitRequest;
use crate::codec::schema::message::offset_fetch_request::OffsetFetchRequestGroup;
use crate::error::{Error, Result};
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;

/// A group, of whatever kind.
#[derive(Debug, PartialEq)]
pub enum Group {
    /// Its members assign their partitions among themselves.
    Classic(Box<ClassicGroup>),
    /// KIP-848.
    Consumer(Box<ConsumerGroup>),
    /// KIP-1071.
    Streams(Box<StreamsGroup>),
    /// KIP-932, which this broker only keeps.
    Share(ShareGroup),
}

/// Makes an empty group.
type NewGroup = fn(GroupId) -> Group;

/// Asks a group, of whatever kind, what every kind can be asked.
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
    /// The kind and the id of the group that `record` is of, and how an empty one is made; None if
    /// it is of no group or of a classic one.
    pub fn named_by(record: &Record) -> Option<(&'static str, &str, NewGroup)> {
        if let Some(id) = record.consumer_group() {
            Some(("consumer", id, |id| Group::Consumer(Box::new(ConsumerGroup::new(id)))))
        } else if let Some(id) = record.streams_group() {
            Some(("streams", id, |id| Group::Streams(Box::new(StreamsGroup::new(id)))))
        } else {
            let id = record.share_group()?;
            Some(("share", id, |id| Group::Share(ShareGroup::new(id))))
        }
    }

    /// `consumer`, as ListGroups names the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => "consumer",
            Group::Streams(_) => "streams",
            Group::Share(_) => "share",
        }
    }

    /// `consumer`, or what its members call it if it is a classic group.
    pub fn protocol_type(&self) -> &str {
        match self {
            Group::Classic(group) => group.protocol_type.as_deref().unwrap_or_default(),
            other => other.kind(),
        }
    }

    /// Where it is in its life, as ListGroups writes it.
    pub fn state(&self) -> String {
        of_any_kind!(self, group => group.state().to_string())
    }

    /// Whether it has members.
    pub fn has_members(&self) -> bool {
        of_any_kind!(self, group => !group.is_empty())
    }

    /// The timers that may run for it.
    pub fn timers(&self) -> Vec<Timer> {
        match self {
            Group::Classic(group) => group.timers(),
            Group::Consumer(group) => group.timers(),
            Group::Streams(group) => group.timers(),
            Group::Share(_) => Vec::new(),
        }
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

    /// The group was read from the log: expects signs of life of its members.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        match self {
            Group::Classic(group) => group.loaded(turn),
            Group::Consumer(group) => group.loaded(turn),
            Group::Streams(group) => group.loaded(turn),
            Group::Share(_) => {}
        }
    }

    /// What is written when the group, which is empty, is no more; None if it is not ours to
    /// delete.
    pub fn tombstones(&self) -> Option<Vec<Record>> {
        match self {
            Group::Classic(group) => Some(group.tombstones()),
            Group::Consumer(group) => Some(group.tombstones()),
            Group::Streams(group) => Some(group.tombstones()),
            Group::Share(_) => None,
        }
    }

    /// Whether offsets may be committed, and of which partitions; `version` is that of OffsetCommit,
    /// None for TxnOffsetCommit.
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

    /// Whether who asks for offsets may see them; answers whether the group has any for consumers.
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

    /// Since when nobody has used an offset; None while someone may.
    pub fn offset_unused_since(&self, topic: &str, committed: &Committed) -> Option<Timestamp> {
        match self {
            Group::Classic(group) => group.offset_unused_since(topic, committed),
            Group::Share(_) => None,
            other if other.is_subscribed_to(topic) => None,
            _ => Some(committed.commit_timestamp),
        }
    }

    /// Whether members use `topic`. What those of a kind that we do not serve subscribe to is not
    /// known; so, everything.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.is_subscribed_to(topic),
            Group::Streams(group) => group.is_subscribed_to(topic),
            Group::Share(group) => !group.is_empty(),
        }
    }
}

/// As Kafka words it: there is no such group.
pub fn not_found(id: &str) -> Error {
    Error::Explained(ResponseError::GroupIdNotFound, format!("Group {id} not found."))
}

/// As Kafka words it: the group is not of the kind that is asked for.
pub fn wrong_kind(id: &str, kind: &str) -> Error {
    Error::Explained(ResponseError::GroupIdNotFound, format!("Group {id} is not a {kind} group."))
}

/// Why `found` is not a group of the kind that is asked for.
pub fn not_of_kind(found: Option<&Group>, id: &str, kind: &str) -> Error {
    found.map_or_else(|| not_found(id), |_| wrong_kind(id, kind))
}
