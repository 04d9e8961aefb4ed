//! Tests of the controller from a broker's side: open it, send requests, close it, open it again.
#![allow(clippy::unwrap_used)]

mod configs;
mod features;
mod leadership;
mod lifecycle;
pub mod model;
mod quorum;
mod sim;
pub mod support;
mod topics;
mod versions;
