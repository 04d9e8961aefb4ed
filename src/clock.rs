//! The wall clock. Timers use `tokio::time` instead, which tests can pause.
#![allow(clippy::disallowed_methods, reason = "this is the clock")]

use crate::types::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The only source of wall time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// A clock that a test sets, in milliseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as i64),
            Clock::Manual(ms) => ms.load(Ordering::Relaxed),
        }
    }
}
