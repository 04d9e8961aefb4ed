//! Coordinators: synchronous state machines, one per partition of an internal topic, rebuilt by
//! replaying it.
//!
//! ```text
//! Groups    which partition is a group's; one method per API
//!   Slot    (runtime) loads a state machine, appends, waits for the high watermark, keeps time
//!     Shard   groups, offsets and timers of one partition; sync, takes `now`, returns an Outcome
//!       ClassicGroup   (join, rebalance, membership)    Offsets  (commit)
//!       StreamsGroup   (streams/...)
//!       ConsumerGroup  (consumer/..., assignor/...)
//! Transactions  the same for transactional ids; see there
//! ```

pub mod group;
mod loader;
mod pattern;
mod runtime;
#[cfg(test)]
mod script;
mod slots;
mod state_machine;
pub mod transaction;

pub use group::{Groups, OFFSETS_TOPIC};
pub use transaction::{TRANSACTION_TOPIC, Transactions};

use crate::log::Verification;
use crate::types::{NO_PRODUCER_ID, ProducerId};
use kafka_protocol::protocol::StrBytes;

/// Names a request whose answer may have to wait.
pub type Ticket = u64;

/// Who asks, as far as a coordinator cares.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Version of the request.
    pub api_version: i16,
    /// `client.id`; empty if there is none.
    pub client_id: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
}

/// In whose name records are written.
#[derive(Clone, Debug)]
enum Writer {
    /// The coordinator's own.
    Coordinator,
    /// A producer's, in its transaction.
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

/// The end of a transaction, as WriteTxnMarkers tells it to the partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// Of the marker: under transaction version 2 it is newer than that of the records.
    pub producer_epoch: i16,
    /// Leader epoch of the coordinator's partition.
    pub coordinator_epoch: i32,
    /// Committed or aborted.
    pub committed: bool,
    /// Of the client.
    pub transaction_version: i16,
}

/// Text for a message of kafka-protocol's.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
