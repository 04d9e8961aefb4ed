//! When the locks of acquired records end: one task keeps the time of all share partitions.

use super::led::Led;
use crate::clock::Clock;
use crate::sync::lock;
use crate::types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Calls share partitions when their first lock ends.
#[derive(Debug, Default)]
pub(super) struct Locks {
    alarms: Mutex<Alarms>,
    /// Notified when there is an earlier alarm.
    wake: Notify,
}

#[derive(Debug, Default)]
struct Alarms {
    next_id: u64,
    due: BTreeMap<(Timestamp, u64), Weak<Led>>,
}

impl Locks {
    /// Has `led` called at `due`.
    pub(super) fn set(&self, due: Timestamp, led: Weak<Led>) {
        let mut alarms = lock(&self.alarms);
        let id = alarms.next_id;
        alarms.next_id += 1;
        alarms.due.insert((due, id), led);
        if alarms.due.first_key_value().is_some_and(|(first, _)| *first == (due, id)) {
            self.wake.notify_one();
        }
    }

    /// Keeps time for ever.
    pub(super) async fn keep_time(&self, clock: &Clock) {
        loop {
            let now = clock.now();
            while let Some(led) = self.take_due(now) {
                if let Some(led) = led.upgrade() {
                    led.expire(now);
                }
            }
            let wait_ms = self.first().map_or(i64::MAX, |due| due - now);
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn first(&self) -> Option<Timestamp> {
        lock(&self.alarms).due.first_key_value().map(|((due, _), _)| *due)
    }

    fn take_due(&self, now: Timestamp) -> Option<Weak<Led>> {
        let mut alarms = lock(&self.alarms);
        let first = alarms.due.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}
