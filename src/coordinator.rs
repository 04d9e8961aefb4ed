//! Coordinators: synchronous state machines, one per partition of an internal topic, rebuilt by
//! replaying it.
//!
//! ```text
//! Groups    which partition is a group's; one method per API
//!   Slot    (runtime) loads a state machine, appends, waits for the high watermark, keeps time
//!     Shard   groups, offsets and timers of one partition; sync, takes `now`, returns an Outcome
//!       ClassicGroup  (join, rebalance, membership)     Offsets  (commit)
//! ```

pub mod group;
mod loader;
mod runtime;
mod state_machine;

pub use group::{Groups, OFFSETS_TOPIC};

use kafka_protocol::protocol::StrBytes;

/// As many shards are loaded at once; each reads into a buffer of `offsets.load.buffer.size`.
const PARALLEL_LOADS: usize = 4;

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

/// Text for a message of kafka-protocol's.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
