//! What the benches of whole servers share.
#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod arguments;
#[path = "../fixtures/mod.rs"]
pub mod fixtures;
pub mod goals;
pub mod pace;
pub mod plot;
pub mod process;
pub mod report;
pub mod wire;
