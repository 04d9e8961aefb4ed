//! Tests of the real binary over real sockets, in one test program.
//!
//! - `wire`: bytes that no client sends, and bytes that every client sends
//! - `client`: librdkafka by rdkafka: produce, consume, groups, admin, restarts
//! - `process`: what surrounds the broker: its log, the entry point of its image
//! - `support`: starts, kills and stops a broker in a directory of its own
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod client;
mod process;
mod support;
pub mod wire;
