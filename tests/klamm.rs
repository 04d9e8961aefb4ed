//! Tests of the real binary over real sockets, in one test program.
//!
//! - `wire`: requests written by hand, valid and invalid
//! - `client`: librdkafka through rdkafka: produce, consume, groups, admin, restarts
//! - `process`: the broker's surroundings: its log, the entry point of its image
//! - `support`: starts, kills and stops a broker with its own directory and port
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod client;
mod process;
mod support;
pub mod wire;
