//! Runs requests of very many elements so that they hold up no other request.

use crate::sync;
use std::future::{Future, poll_fn};
use std::pin::Pin;

/// A request with more array elements than this may take longer than others should wait.
pub(super) const FROM_ELEMENTS: usize = 5_000;

/// Runs a request so that it holds up no other. The requests of a connection keep their order,
/// because the first poll runs to its end before the next request starts.
pub(super) async fn alone<F: Future>(mut request: Pin<Box<F>>) -> F::Output {
    poll_fn(|cx| sync::alone(|| request.as_mut().poll(cx))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};
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
