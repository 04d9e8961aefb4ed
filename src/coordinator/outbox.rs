//! Requests to brokers that carry together what has come together: while one is under way, what is
//! meant for the same receiver waits for the next.

use crate::sync::lock;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// The most items that wait for one receiver; whoever has more waits itself.
const QUEUE_MAX: usize = 1000;
/// The most items in one request.
const TOGETHER_MAX: usize = 100;

type Deliver<K, T> = dyn Fn(K, Vec<T>) -> BoxFuture<'static, ()> + Send + Sync;

/// A queue for each receiver `K`.
pub struct Outbox<K, T> {
    queues: Mutex<HashMap<K, mpsc::Sender<T>>>,
    deliver: Arc<Deliver<K, T>>,
}

impl<K: Copy + Eq + Hash + Send + 'static, T: Send + 'static> Outbox<K, T> {
    /// No queues yet. `deliver` sends items to a receiver and returns when they are answered.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        deliver: impl Fn(K, Vec<T>) -> F + Send + Sync + 'static,
    ) -> Outbox<K, T> {
        let deliver =
            Arc::new(move |to, items| -> BoxFuture<'static, ()> { Box::pin(deliver(to, items)) });
        Outbox { queues: Mutex::default(), deliver }
    }

    /// Puts an item into the queue of a receiver. It is dropped if the outbox is closed before it
    /// is delivered.
    pub async fn put(&self, to: K, item: T) {
        let queue = self.queue(to);
        // It fails only if the outbox was closed.
        let _ = queue.send(item).await;
    }

    fn queue(&self, to: K) -> mpsc::Sender<T> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(to).or_insert_with(|| {
            let (sender, queue) = mpsc::channel(QUEUE_MAX);
            tokio::spawn(empty(to, queue, Arc::clone(&self.deliver)));
            sender
        });
        queue.clone()
    }

    /// Closes the queues; nothing more is delivered but what is in them.
    pub fn close(&self) {
        lock(&self.queues).clear();
    }
}

async fn empty<K: Copy, T>(to: K, mut queue: mpsc::Receiver<T>, deliver: Arc<Deliver<K, T>>) {
    let mut items = Vec::new();
    while queue.recv_many(&mut items, TOGETHER_MAX).await > 0 {
        deliver(to, std::mem::take(&mut items)).await;
    }
}

impl<K, T> fmt::Debug for Outbox<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_comes_while_a_request_is_under_way_goes_in_the_next() {
        let (told, mut delivered) = mpsc::channel(10);
        let outbox = Outbox::new(move |to: i32, items: Vec<i32>| {
            let (done, wait) = oneshot::channel::<()>();
            told.try_send((to, items, done)).unwrap();
            async move { drop(wait.await) }
        });
        outbox.put(1, 10).await;
        let (to, items, first) = delivered.recv().await.unwrap();
        assert_eq!((to, items), (1, vec![10]));
        outbox.put(1, 11).await;
        outbox.put(1, 12).await;
        outbox.put(2, 20).await;
        let (to, items, _) = delivered.recv().await.unwrap();
        assert_eq!((to, items), (2, vec![20]), "another receiver does not wait");
        first.send(()).unwrap();
        let (to, items, _) = delivered.recv().await.unwrap();
        assert_eq!((to, items), (1, vec![11, 12]));
    }
}
