//! What a member of a consumer group subscribes to, and the partitions it has
//! (ConsumerGroupMember).

use super::Consumer;
use crate::codec::schema::group::consumer_group_member_metadata_value::ClassicMemberMetadata;
use crate::coordinator::group::modern::Member;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// A member of a consumer group.
pub type ConsumerMember = Member<Consumer>;

/// Partitions by their topic's id, each with the epoch at which it was assigned.
pub type EpochPartitions = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// What only a member of a consumer group has.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// The topics that it subscribes to by name.
    pub topics: Arc<BTreeSet<String>>,
    /// The regular expression that it subscribes by; empty if there is none, null in old records.
    pub topic_regex: Option<String>,
    /// The assignor that it prefers.
    pub server_assignor: Option<String>,
    /// What it sent with JoinGroup, if it speaks the classic protocol.
    pub classic: Option<Arc<ClassicMemberMetadata>>,
}

impl Default for Subscription {
    fn default() -> Subscription {
        Subscription {
            topics: Arc::default(),
            topic_regex: Some(String::new()),
            server_assignor: None,
            classic: None,
        }
    }
}

impl ConsumerMember {
    /// Whether it speaks the classic protocol.
    pub fn is_classic(&self) -> bool {
        self.own.classic.is_some()
    }

    /// The regular expression that it subscribes by, if any.
    pub fn regex(&self) -> Option<&str> {
        self.own.topic_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    /// The partitions that nobody else can have: those it owns and those it still has to give back.
    pub fn partitions(&self) -> impl Iterator<Item = (Uuid, i32)> {
        let topics = self.assigned.iter().chain(self.pending_revocation.iter());
        topics.flat_map(|(topic, partitions)| partitions.keys().map(|index| (*topic, *index)))
    }
}
