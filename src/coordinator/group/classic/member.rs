//! A member of a classic group.

use crate::codec::messages::ConsumerProtocolSubscription;
use crate::coordinator::Ticket;
use crate::coordinator::group::MemberId;
use bytes::{Buf, Bytes};
use kafka_protocol::protocol::Decodable;
use std::sync::Arc;

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The id, which the coordinator chose.
    pub id: MemberId,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// `client.id`.
    pub client_id: String,
    /// The client's address, as `/127.0.0.1`.
    pub client_host: String,
    /// How many milliseconds a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// How many milliseconds it may be silent.
    pub session_timeout_ms: i32,
    /// The protocols it supports, the preferred one first, each with its subscription.
    pub protocols: Vec<(String, Bytes)>,
    /// The assignment that the leader made for it.
    pub assignment: Bytes,
    /// Whether it has not been through a rebalance yet, so that it cannot send heartbeats.
    pub is_new: bool,
    /// The ticket of its JoinGroup, if that waits for an answer.
    pub awaiting_join: Option<Ticket>,
    /// The ticket of its SyncGroup, if that waits for an answer.
    pub awaiting_sync: Option<Ticket>,
}

impl Member {
    /// Its subscription under `protocol`.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether a waiting request takes the place of heartbeats. Not so for a new member: its client
    /// may have gone away without ever learning its id.
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

/// The topics of a consumer's subscription; None if it cannot be read. The count is checked before
/// decoding: a topic's name takes at least two bytes.
pub fn subscription_topics(mut metadata: Bytes) -> Option<Vec<String>> {
    if metadata.len() < 6 {
        return None;
    }
    metadata.advance(2);
    let count = i32::from_be_bytes(metadata[..4].try_into().ok()?);
    if usize::try_from(count).ok()? > metadata.len() / 2 {
        return None;
    }
    let subscription = ConsumerProtocolSubscription::decode(&mut metadata, 0).ok()?;
    Some(subscription.topics.iter().map(|topic| topic.to_string()).collect())
}
