//! Tests of images: replaying, writing and reading them, also from Kafka's own logs.
#![allow(clippy::unwrap_used)]

mod kafka;
mod replay;
mod wire;
