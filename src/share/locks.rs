//! When the locks of acquired records end: one task keeps the time of all share partitions.

use crate::clock::Clock;
use crate::sync::lock;
use crate::types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Calls each share partition `P` when its first lock ends.
#[derive(Debug)]
pub(super) struct Locks<P> {
    alarms: Mutex<Alarms<P>>,
    /// Notified when there is an earlier alarm.
    wake: Notify,
}

#[derive(Debug)]
struct Alarms<P> {
    next_id: u64,
    due: BTreeMap<(Timestamp, u64), Weak<P>>,
}

impl<P> Locks<P> {
    /// No alarms yet.
    pub(super) fn new() -> Locks<P> {
        let alarms = Alarms { next_id: 0, due: BTreeMap::new() };
        Locks { alarms: Mutex::new(alarms), wake: Notify::new() }
    }

    /// Has `partition` called at `due`.
    pub(super) fn set(&self, due: Timestamp, partition: Weak<P>) {
        let mut alarms = lock(&self.alarms);
        let id = alarms.next_id;
        alarms.next_id += 1;
        alarms.due.insert((due, id), partition);
        if alarms.due.first_key_value().is_some_and(|(first, _)| *first == (due, id)) {
            self.wake.notify_one();
        }
    }

    /// Keeps time for ever.
    pub(super) async fn keep_time(&self, clock: &Clock, call: impl Fn(&P, Timestamp)) {
        loop {
            let now = clock.now();
            while let Some(partition) = self.take_due(now) {
                if let Some(partition) = partition.upgrade() {
                    call(&partition, now);
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

    fn take_due(&self, now: Timestamp) -> Option<Weak<P>> {
        let mut alarms = lock(&self.alarms);
        let first = alarms.due.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}
