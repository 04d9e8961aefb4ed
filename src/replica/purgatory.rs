//! Who waits for a partition to move: produces for its high watermark, fetches for anything.

use crate::error::{Error, Result};
use crate::types::Offset;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// The waiters of one partition (DelayedOperationPurgatory's watchers of one key). Waking costs
/// what is woken: produces lie sorted by the offset they need, and a fetch is only told which of
/// its partitions moved.
#[derive(Debug, Default)]
pub struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    produces: BTreeMap<(Offset, u64), oneshot::Sender<Result<(), ResponseError>>>,
    fetches: BTreeMap<u64, (Arc<Watch>, usize)>,
}

impl Waiters {
    /// A wait until the high watermark is at `offset` or above.
    pub fn wait_for(&self, offset: Offset) -> OffsetWait<'_> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.lock();
        let key = (offset, inner.take_id());
        inner.produces.insert(key, sender);
        OffsetWait { waiters: self, key, receiver }
    }

    /// From now on every move of the partition marks `slot` of `watch`; ends with `unwatch`.
    pub fn watch(&self, watch: &Arc<Watch>, slot: usize) -> WatchId {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.fetches.insert(id, (Arc::clone(watch), slot));
        WatchId(id)
    }

    /// Ends what `watch` began.
    pub fn unwatch(&self, id: WatchId) {
        self.lock().fetches.remove(&id.0);
    }

    /// The partition moved, its high watermark is now `high_watermark`.
    pub fn moved(&self, high_watermark: Offset) {
        let mut inner = self.lock();
        while let Some(reached) = inner.produces.first_entry() {
            if reached.key().0 > high_watermark {
                break;
            }
            // The receiver may have timed out in this moment.
            let _ = reached.remove().send(Ok(()));
        }
        inner.mark_fetches();
    }

    /// The partition went away: produces get `error`, fetches look and find out themselves.
    pub fn fail(&self, error: ResponseError) {
        let mut inner = self.lock();
        for (_, sender) in std::mem::take(&mut inner.produces) {
            let _ = sender.send(Err(error));
        }
        inner.mark_fetches();
    }

    /// How many produces and fetches wait.
    pub fn count(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.produces.len(), inner.fetches.len())
    }

    // The maps are whole between any two statements, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn mark_fetches(&self) {
        for (watch, slot) in self.fetches.values() {
            watch.mark(*slot);
        }
    }
}

/// A registration made by [`Waiters::watch`].
#[derive(Debug)]
pub struct WatchId(u64);

/// A produce that waits for one partition; dropping it ends the wait.
#[derive(Debug)]
pub struct OffsetWait<'a> {
    waiters: &'a Waiters,
    key: (Offset, u64),
    receiver: oneshot::Receiver<Result<(), ResponseError>>,
}

impl OffsetWait<'_> {
    /// Resolves when the offset is reached or the partition fails.
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

/// What one fetch or fetch session watches: many partitions, each as a slot of the watcher's own
/// numbering. Marks stay until taken, so nothing is lost between two polls of a session.
#[derive(Debug, Default)]
pub struct Watch {
    moved: Mutex<BTreeSet<usize>>,
    wake: Notify,
}

impl Watch {
    /// The slots that moved since the last call.
    pub fn take(&self) -> BTreeSet<usize> {
        std::mem::take(&mut *self.lock())
    }

    /// Resolves when a slot was marked after the last time this resolved. It may resolve once too
    /// often; never once too little, as long as one task waits.
    pub async fn marked(&self) {
        self.wake.notified().await;
    }

    /// Wakes everyone who waits now, without a mark.
    pub fn wake_all(&self) {
        self.wake.notify_waiters();
    }

    fn mark(&self, slot: usize) {
        if self.lock().insert(slot) {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
