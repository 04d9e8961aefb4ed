//! Requests that wait for a partition: produces for its high watermark, fetches for any change.

use crate::error::{Error, Result};
use crate::sync::lock;
use crate::types::Offset;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

/// The waiters of one partition (the watchers of one key in DelayedOperationPurgatory). The cost of
/// waking depends on the number woken: produces are sorted by the offset they need, and a fetch
/// only gets a mark for each changed partition.
#[derive(Debug, Default)]
pub struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    produces: BTreeMap<(Offset, u64), oneshot::Sender<Result<(), ResponseError>>>,
    fetches: BTreeMap<u64, Watcher>,
}

/// Who wants to know of changes.
#[derive(Debug)]
enum Watcher {
    /// A fetch, and the slot under which it watches the partition.
    Fetch(Arc<Watch>, usize),
    Line(Arc<Line>),
}

impl Waiters {
    /// Waits for the high watermark to reach `offset`.
    pub fn wait_for(&self, offset: Offset) -> OffsetWait<'_> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.lock();
        let key = (offset, inner.take_id());
        inner.produces.insert(key, sender);
        OffsetWait { waiters: self, key, receiver }
    }

    /// Lets every change of the partition mark `slot` of `watch`, until `unwatch`.
    pub fn watch(&self, watch: &Arc<Watch>, slot: usize) -> WatchId {
        self.register(Watcher::Fetch(Arc::clone(watch), slot))
    }

    /// Lets every change of the partition call the first of `line`, until `unwatch`.
    pub fn watch_for(&self, line: &Arc<Line>) -> WatchId {
        self.register(Watcher::Line(Arc::clone(line)))
    }

    fn register(&self, watcher: Watcher) -> WatchId {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.fetches.insert(id, watcher);
        WatchId(id)
    }

    /// Ends a registration.
    pub fn unwatch(&self, id: WatchId) {
        self.lock().fetches.remove(&id.0);
    }

    /// Wakes waiters after a change; the high watermark is now `high_watermark`.
    pub fn moved(&self, high_watermark: Offset) {
        let mut inner = self.lock();
        while let Some(reached) = inner.produces.first_entry() {
            if reached.key().0 > high_watermark {
                break;
            }
            // The receiver may have just timed out.
            let _ = reached.remove().send(Ok(()));
        }
        for watcher in inner.fetches.values() {
            match watcher {
                Watcher::Fetch(watch, slot) => watch.mark(*slot),
                Watcher::Line(line) => line.call(),
            }
        }
    }

    /// Ends every wait: produces fail with `error`, fetches look and find out for themselves.
    pub fn fail(&self, error: ResponseError) {
        let mut inner = self.lock();
        for (_, sender) in std::mem::take(&mut inner.produces) {
            let _ = sender.send(Err(error));
        }
        for watcher in inner.fetches.values() {
            match watcher {
                Watcher::Fetch(watch, slot) => watch.mark(*slot),
                Watcher::Line(line) => line.call_all(),
            }
        }
    }

    /// The numbers of waiting produces and of waiting fetches.
    pub fn count(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.produces.len(), inner.fetches.len())
    }

    // Each change of the maps is a single call, so a panic cannot leave them half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Inner {
    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// A registration with [`Waiters`].
#[derive(Debug)]
pub struct WatchId(u64);

/// The wait of a produce for one partition; dropping it ends the wait.
#[derive(Debug)]
pub struct OffsetWait<'a> {
    waiters: &'a Waiters,
    key: (Offset, u64),
    receiver: oneshot::Receiver<Result<(), ResponseError>>,
}

impl OffsetWait<'_> {
    /// Resolves once the offset is reached or the partition fails.
    pub async fn reached(&mut self) -> Result<()> {
        match (&mut self.receiver).await {
            Ok(outcome) => outcome.map_err(Error::Code),
            Err(_) => Err(Error::Closed),
        }
    }
}

impl Drop for OffsetWait<'_> {
    fn drop(&mut self) {
        self.waiters.lock().produces.remove(&self.key);
    }
}

/// Fetches that wait for the same records, each of which only one of them gets. They are called one
/// at a time, those first that have waited longest.
#[derive(Debug, Default)]
pub struct Line {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next_place: u64,
    fetches: BTreeMap<u64, (Arc<Watch>, usize)>,
}

impl Line {
    /// Puts a fetch at the end; a call marks `slot` of `watch`. Returns its place.
    pub fn join(&self, watch: &Arc<Watch>, slot: usize) -> u64 {
        let mut waiting = lock(&self.waiting);
        let place = waiting.next_place;
        waiting.next_place += 1;
        waiting.fetches.insert(place, (Arc::clone(watch), slot));
        place
    }

    /// Ends a wait.
    pub fn leave(&self, place: u64) {
        lock(&self.waiting).fetches.remove(&place);
    }

    /// Calls the first fetch.
    pub fn call(&self) {
        self.call_from(0);
    }

    /// Calls the fetch behind `place`, whose own cannot use what is there.
    pub fn call_behind(&self, place: u64) {
        self.call_from(place + 1);
    }

    /// Calls all fetches, because each has to learn what has happened.
    pub fn call_all(&self) {
        for (watch, slot) in lock(&self.waiting).fetches.values() {
            watch.mark(*slot);
        }
    }

    fn call_from(&self, place: u64) {
        if let Some((_, (watch, slot))) = lock(&self.waiting).fetches.range(place..).next() {
            watch.mark(*slot);
        }
    }
}

/// The partitions that a fetch or a fetch session watches, each under a slot number of the
/// watcher's choice. Marks stay until they are taken, so none is lost between two polls.
#[derive(Debug, Default)]
pub struct Watch {
    moved: Mutex<BTreeSet<usize>>,
    wake: Notify,
}

impl Watch {
    /// Takes the slots marked since the last call.
    pub fn take(&self) -> BTreeSet<usize> {
        std::mem::take(&mut *self.lock())
    }

    /// Resolves if a slot was marked since it last resolved. It may resolve without need, but with
    /// a single waiting task it never misses a mark.
    pub async fn marked(&self) {
        self.wake.notified().await;
    }

    /// Wakes all current waiters without a mark.
    pub fn wake_all(&self) {
        self.wake.notify_waiters();
    }

    fn mark(&self, slot: usize) {
        if self.lock().insert(slot) {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        lock(&self.moved)
    }
}

#[cfg(test)]
mod tests;
