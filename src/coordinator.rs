//! The coordinators of groups, of transactions and of share groups' state: synchronous state machines, one for each
//! partition of an internal topic, which are rebuilt by replaying that partition.
//!
//! ```text
//! Groups    which partition is a group's; one method per API
//!   Slot    (runtime) loads a state machine, appends, waits for the high watermark, keeps time
//!     Shard   groups, offsets and timers of one partition; sync, takes `now`, returns an Outcome
//!       ClassicGroup   (join, rebalance, membership)    Offsets  (commit)
//!       ConsumerGroup, StreamsGroup, ShareGroup   (what they have in common is in modern/...)
//! Transactions  the same for transactional ids; see there
//! ShareStates   the same for the states of share partitions; see there
//! Outbox      what is asked of coordinators and leaders in other brokers, in as few requests as possible
//! InternalTopics  creates the topics of all these, and those of Kafka Streams
//! ```

pub mod group;
pub mod internal_topics;
mod loader;
mod outbox;
mod pattern;
mod runtime;
#[cfg(test)]
mod script;
#[cfg(test)]
pub(crate) mod scripted_peer;
pub mod share;
mod slots;
mod state_machine;
pub mod transaction;

pub use group::Groups;
pub use internal_topics::{InternalTopics, OFFSETS_TOPIC, SHARE_TOPIC, TRANSACTION_TOPIC};
pub use share::{Persister, ShareStates};
pub use transaction::Transactions;

use crate::codec::messages::StrBytes;
use crate::log::{Origin, Verification};
use crate::record::builder::transaction_marker;
use crate::replica::partition::Append;
use crate::types::{NO_PRODUCER_ID, ProducerId, Timestamp};
use std::sync::Arc;

/// Identifies a request whose answer may have to wait.
pub type Ticket = u64;

/// Who sent a request, as far as a coordinator needs to know.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The version of the request.
    pub api_version: i16,
    /// `client.id`; empty if there is none.
    pub client_id: StrBytes,
    /// The client's address, as `/127.0.0.1`.
    pub client_host: Arc<str>,
}

/// In whose name records are written.
#[derive(Clone, Debug)]
enum Writer {
    /// In the coordinator's own name.
    Coordinator,
    /// In the name of a producer, as part of its transaction.
    Transaction { producer_id: ProducerId, producer_epoch: i16, verification: Verification },
}

impl Writer {
    fn producer_id(&self) -> ProducerId {
        match self {
            Writer::Coordinator => NO_PRODUCER_ID,
            Writer::Transaction { producer_id, .. } => *producer_id,
        }
    }

    fn verification(&self) -> Verification {
        match self {
            Writer::Coordinator => Verification::NotNeeded,
            Writer::Transaction { verification, .. } => *verification,
        }
    }
}

/// The end of a transaction, as WriteTxnMarkers announces it to the partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The producer whose transaction it was.
    pub producer_id: ProducerId,
    /// The marker's epoch. Under transaction version 2 it is newer than that of the records.
    pub producer_epoch: i16,
    /// The leader epoch of the coordinator's partition.
    pub coordinator_epoch: i32,
    /// Whether the transaction was committed; otherwise it was aborted.
    pub committed: bool,
    /// The client's transaction version.
    pub transaction_version: i16,
}

impl Marker {
    /// The batch that tells a partition.
    fn append(&self, now: Timestamp) -> Append {
        let (id, epoch) = (self.producer_id, self.producer_epoch);
        let batch = transaction_marker(id, epoch, self.coordinator_epoch, self.committed, now);
        let origin = Origin::Marker { transaction_version: self.transaction_version };
        Append { batches: vec![batch], origin, verification: Verification::NotNeeded }
    }
}

/// A string in the type that kafka-protocol's messages use.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
