//! Requests of very many elements: what one costs is held against nobody but who sent it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tokio::task::block_in_place;

/// A request whose arrays have more elements than this may take longer than others should wait.
pub(super) const FROM_ELEMENTS: usize = 5_000;

/// One at a time, so that what the answers to many of them take does not add up, and all but one of
/// the processors are left to the others. It is never held while a request waits for something.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `request` on a thread that may be slow: the runtime's other tasks go on elsewhere. The order
/// of a connection's requests is kept, as nothing of this returns early.
pub(super) async fn alone<F: Future>(mut request: Pin<Box<F>>) -> F::Output {
    std::future::poll_fn(|cx| {
        block_in_place(|| {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            request.as_mut().poll(cx)
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_worker_serves_others_while_a_large_request_takes_its_time() {
        let (served, is_served) = mpsc::channel();
        let large = tokio::spawn(alone(Box::pin(async move {
            tokio::spawn(async move { served.send(()) });
            is_served.recv_timeout(Duration::from_secs(30))
        })));
        assert_eq!(large.await.unwrap(), Ok(()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn large_requests_wait_for_each_other() {
        let under_way = std::sync::Arc::new(Mutex::new(()));
        let requests = (0..8).map(|_| {
            let under_way = under_way.clone();
            tokio::spawn(alone(Box::pin(async move {
                let held = under_way.try_lock();
                std::thread::sleep(Duration::from_millis(5));
                held.is_ok()
            })))
        });
        for request in requests.collect::<Vec<_>>() {
            assert!(request.await.unwrap());
        }
    }
}
