//! Reports progress while logs are opened at start. After a crash, with many or large logs, that
//! takes long, and whoever waits wants to know how far it is.

use crate::clock::Clock;
use crate::log::Stopped;
use crate::log::manager::LogManager;
use crate::types::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tracing::info;

/// At most one line in this many milliseconds.
const TELL_MS: i64 = 3_000;

/// The progress; several threads open logs.
pub(super) struct Opening<'a> {
    clock: &'a Clock,
    all: usize,
    opened: AtomicUsize,
    began: Timestamp,
    told: AtomicI64,
}

impl<'a> Opening<'a> {
    /// Begins to open `all` logs.
    pub fn begin(clock: &'a Clock, logs: &LogManager, all: usize) -> Opening<'a> {
        for dir in logs.dirs().iter().filter(|dir| !dir.is_offline() && all > 0) {
            let path = dir.path.display();
            match dir.stopped {
                Stopped::Cleanly => {}
                Stopped::Killed => info!(
                    "recovering the logs in {path}: the last process there was killed, the \
                     machine went on"
                ),
                Stopped::Unknown => info!(
                    "recovering the logs in {path}: there was no clean stop, and perhaps a power \
                     loss"
                ),
            }
        }
        let began = clock.now();
        Opening { clock, all, opened: AtomicUsize::new(0), began, told: AtomicI64::new(began) }
    }

    /// One more log is open, or offline.
    pub fn one_more(&self) {
        let opened = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let (now, told) = (self.clock.now(), self.told.load(Ordering::Relaxed));
        let is_due = now - told >= TELL_MS && opened < self.all;
        let claim = |_| self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && claim(()).is_ok() {
            info!("opened {opened} of {} logs", self.all);
        }
    }

    /// All logs were opened.
    pub fn end(&self) {
        let (all, took) = (self.all, self.clock.now() - self.began);
        info!("opened {all} logs in {took} ms");
    }
}
