//! Runs requests of very many elements so that they hold up no other request.

use crate::sync::lock;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use tokio::task::block_in_place;

/// A request with more array elements than this may take longer than others should wait.
pub(super) const FROM_ELEMENTS: usize = 5_000;

/// Lets large requests run one at a time: their costs do not add up, and all processors but one are
/// left to the others. It is held while a request computes, never while it waits.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `request` on a thread that may block, while the runtime's other tasks continue on other
/// threads. The requests of a connection keep their order, because the first poll runs to its end
/// before the next request starts.
pub(super) async fn alone<F: Future>(mut request: Pin<Box<F>>) -> F::Output {
    std::future::poll_fn(|cx| {
        block_in_place(|| {
            let _turn = lock(&TURN);
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
