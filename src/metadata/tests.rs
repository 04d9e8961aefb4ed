//! Images: replayed, written, read back; Kafka's own logs.
#![allow(clippy::unwrap_used)]

mod kafka;
mod replay;
mod wire;
