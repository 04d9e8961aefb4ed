//! A member of a classic group.

use crate::coordinator::Ticket;
use crate::coordinator::group::MemberId;
use bytes::{Buf, Bytes};
use kafka_protocol::messages::ConsumerProtocolSubscription;
use kafka_protocol::protocol::Decodable;
use std::sync::Arc;

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Given by the coordinator.
    pub id: MemberId,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// `client.id`.
    pub client_id: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// The protocols it speaks, best first, each with its subscription.
    pub protocols: Vec<(String, Bytes)>,
    /// What the leader gave it.
    pub assignment: Bytes,
    /// Has not been through a rebalance yet, so it cannot send heartbeats.
    pub is_new: bool,
    /// Its JoinGroup waits for an answer.
    pub awaiting_join: Option<Ticket>,
    /// Its SyncGroup waits for an answer.
    pub awaiting_sync: Option<Ticket>,
}

impl Member {
    /// Its subscription under `protocol`.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// A parked request stands for heartbeats, but not for a member that is new: its client may
    /// have gone away without ever knowing its member id.
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

/// The guard of counts: a topic's name takes two bytes at least.
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
