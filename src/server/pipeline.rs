//! The requests of a connection that are under way; they are answered in the order they came in.
//!
//! Kafka carries out one request of a connection after the other. Here those that write records may
//! be under way together, because they wait for the disk or for other brokers and their answers are
//! small. Any other request starts when everything before it has been answered, so it sees what the
//! client's earlier requests did.

use crate::codec::Reply;
use crate::codec::messages::ApiKey;
use crate::error::Result;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};
use tokio::time::Instant;

/// The APIs whose requests may be under way together.
const WRITING: [ApiKey; 3] = [ApiKey::Produce, ApiKey::OffsetCommit, ApiKey::TxnOffsetCommit];

/// The requests that have been started, and the answers that wait for earlier ones.
pub struct Pipeline {
    under_way: FuturesUnordered<BoxFuture<'static, (u64, Result<Reply>)>>,
    /// One for each request from the first unanswered one on.
    places: VecDeque<Place>,
    first: u64,
    /// The sum of the bytes of the requests in `places`.
    bytes: usize,
}

/// A request that has been started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    pub api_key: i16,
    /// The size of its frame, without the length field.
    pub bytes: usize,
    /// When the last of its bytes was read.
    pub arrived: Instant,
    /// When it was started.
    pub dequeued: Instant,
}

/// A request and its answer.
#[derive(Debug)]
pub struct Answered {
    pub request: Started,
    /// When the answer was ready.
    pub at: Instant,
    pub reply: Result<Reply>,
}

struct Place {
    request: Started,
    /// The answer and the time since when it has been waiting for earlier ones.
    answer: Option<(Instant, Result<Reply>)>,
}

impl Pipeline {
    pub fn new() -> Pipeline {
        Pipeline { under_way: FuturesUnordered::new(), places: VecDeque::new(), first: 0, bytes: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of all requests that have not been answered.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest request that has not been answered was started.
    pub fn began(&self) -> Option<Instant> {
        self.places.front().map(|place| place.request.dequeued)
    }

    /// Whether a request to this API may start, as far as the order matters. The API is None if the
    /// request's first bytes have not arrived. Nothing starts behind a request that ends the
    /// connection.
    pub fn takes(&self, api_key: Option<i16>) -> bool {
        let is_writing = |api_key| WRITING.iter().any(|api| *api as i16 == api_key);
        self.places.back().is_none_or(|last| {
            !matches!(last.answer, Some((_, Err(_))))
                && is_writing(last.request.api_key)
                && api_key.is_none_or(is_writing)
        })
    }

    /// Whether another request may start. If none is under way, one always may.
    pub fn has_room(&self, requests_max: usize, bytes_max: usize) -> bool {
        self.is_empty() || (self.places.len() < requests_max && self.bytes < bytes_max)
    }

    /// Starts a request. Returns its answer if the first poll gives it and no earlier request is under
    /// way, which is how most end.
    pub fn start(
        &mut self,
        request: Started,
        reply: impl Future<Output = Result<Reply>> + Send + 'static,
    ) -> Option<Answered> {
        let place = self.first + self.places.len() as u64;
        let mut reply = reply.map(move |reply| (place, reply)).boxed();
        let answer = match reply.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready((_, reply)) => {
                let at = Instant::now();
                if self.is_empty() {
                    return Some(Answered { request, at, reply });
                }
                Some((at, reply))
            }
            Poll::Pending => {
                self.under_way.push(reply);
                None
            }
        };
        self.bytes += request.bytes;
        self.places.push_back(Place { request, answer });
        None
    }

    /// The answer to the first request, as soon as it is ready; None if nothing is under way. The
    /// future may be dropped at any time without losing an answer.
    pub fn next(&mut self) -> impl Future<Output = Option<Answered>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answered>> {
        if let Some((at, reply)) = self.places.front_mut().and_then(|first| first.answer.take()) {
            return Poll::Ready(self.answered(at, reply));
        }
        loop {
            let Some((place, reply)) = ready!(self.under_way.poll_next_unpin(cx)) else {
                return Poll::Ready(None);
            };
            let at = Instant::now();
            if place == self.first {
                return Poll::Ready(self.answered(at, reply));
            }
            self.places[(place - self.first) as usize].answer = Some((at, reply));
        }
    }

    /// Removes the first request, whose answer this is.
    fn answered(&mut self, at: Instant, reply: Result<Reply>) -> Option<Answered> {
        let Place { request, .. } = self.places.pop_front()?;
        self.first += 1;
        self.bytes -= request.bytes;
        Some(Answered { request, at, reply })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codec::Chunk;
    use crate::error::Error;
    use bytes::Bytes;
    use std::future::{pending, ready};
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn frame(bytes: usize) -> Result<Reply> {
        Ok(Reply::Frame(vec![Chunk::Bytes(Bytes::from(vec![0; bytes]))]))
    }

    fn request(bytes: usize) -> Started {
        let now = Instant::now();
        Started { api_key: 0, bytes, arrived: now, dequeued: now }
    }

    fn len(answered: Option<Answered>) -> usize {
        match answered.map(|answered| answered.reply) {
            Some(Ok(Reply::Frame(chunks))) => chunks.iter().map(Chunk::len).sum(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn answers_come_in_order() {
        let mut pipeline = Pipeline::new();
        let (answer, waits) = oneshot::channel::<()>();
        pipeline.start(request(10), async move {
            waits.await.unwrap();
            frame(1)
        });
        for bytes in 2..10 {
            assert!(pipeline.start(request(10), ready(frame(bytes))).is_none());
            assert!(pipeline.next().now_or_never().is_none());
        }
        answer.send(()).unwrap();
        for bytes in 1..10 {
            assert!(!pipeline.is_empty());
            assert_eq!(len(pipeline.next().await), bytes);
        }
        assert!(pipeline.is_empty() && pipeline.next().await.is_none());
        assert_eq!(pipeline.bytes(), 0);
    }

    #[test]
    fn only_requests_that_write_records_are_under_way_together() {
        let is_writing = |api: &ApiKey| WRITING.contains(api);
        for first in ApiKey::iter() {
            let mut pipeline = Pipeline::new();
            let request = Started { api_key: first as i16, ..request(1) };
            for next in ApiKey::iter() {
                assert!(pipeline.takes(Some(next as i16)), "{next:?} alone");
            }
            assert!(pipeline.start(request, pending()).is_none());
            assert_eq!(pipeline.takes(None), is_writing(&first), "{first:?}");
            for next in ApiKey::iter() {
                let both = is_writing(&first) && is_writing(&next);
                assert_eq!(pipeline.takes(Some(next as i16)), both, "{first:?}, {next:?}");
            }
            pipeline.start(request, ready(Err(Error::corrupt("no request"))));
            assert!(!pipeline.takes(None) && !pipeline.takes(Some(0)), "it is the last one");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_says_when_it_came_when_it_started_and_when_it_was_answered() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut pipeline = Pipeline::new();
        for takes in [50, 20] {
            let request = Started { arrived: start, dequeued: start + ms(takes), ..request(1) };
            pipeline.start(request, tokio::time::sleep(ms(takes)).map(|()| frame(1)));
        }
        for (at, takes) in [(50, 50), (20, 20)] {
            let Answered { request, at: answered, .. } = pipeline.next().await.unwrap();
            assert_eq!((request.arrived, request.dequeued), (start, start + ms(takes)));
            assert_eq!(answered, start + ms(at), "not when those before it let it go");
        }
    }

    #[tokio::test]
    async fn requests_are_bounded_by_number_and_bytes() {
        let mut pipeline = Pipeline::new();
        assert!(pipeline.has_room(1, 1));
        pipeline.start(request(100), pending());
        assert!(!pipeline.has_room(1, 1000) && !pipeline.has_room(10, 100));
        assert!(pipeline.has_room(2, 101));
    }
}
