//! The controller as a broker half meets it: opened, asked, closed, opened again.
#![allow(clippy::unwrap_used)]

mod configs;
mod features;
mod leadership;
mod lifecycle;
mod quorum;
mod sim;
mod support;
mod topics;
mod versions;
