//! The requests of a connection that are under way; they are answered in the order they came in.
//! Limits apply to their number, their bytes, and what finished answers hold while they wait for
//! earlier ones.

use crate::codec::messages::ApiKey;
use crate::codec::{Chunk, Reply};
use crate::disk;
use crate::error::Result;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker, ready};
use tokio::time::Instant;

/// A connection whose waiting answers hold this many bytes starts no more requests.
const HELD_MAX: usize = 1 << 20;
/// While the answers of all connections hold this many bytes, no connection starts a request behind
/// a waiting answer, and peers that do not read are disconnected early.
const HELD_IN_ALL_MAX: usize = 128 << 20;
/// The weight of a file range, in bytes. It needs no memory but keeps its file open, so it weighs
/// more if the process may open few files.
static FILE_WEIGHT: LazyLock<usize> = LazyLock::new(|| {
    let files = disk::momentary_descriptors();
    (HELD_IN_ALL_MAX / files).max(64 << 10)
});

/// The weight of a part of an answer, in bytes, until it is sent.
pub fn weight_of(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::File(_) => *FILE_WEIGHT,
    }
}

/// The weight of all answers, on all connections, that peers have not taken yet.
pub type Total = Arc<AtomicUsize>;

/// A connection's part of the total. It is subtracted when dropped.
#[derive(Debug)]
pub struct Held {
    own: usize,
    total: Total,
}

impl Held {
    pub fn new(total: Total) -> Held {
        Held { own: 0, total }
    }

    pub fn add(&mut self, weight: usize) {
        self.own += weight;
        self.total.fetch_add(weight, Ordering::Relaxed);
    }

    fn sub(&mut self, weight: usize) {
        self.own -= weight;
        self.total.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Subtracts all of it from the total.
    pub fn clear(&mut self) {
        if self.own > 0 {
            self.sub(self.own);
        }
    }

    /// Whether all connections together hold too much.
    pub fn is_too_much(&self) -> bool {
        self.total.load(Ordering::Relaxed) > HELD_IN_ALL_MAX
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The requests that have been started, and the answers that wait for earlier ones.
pub struct Pipeline {
    under_way: FuturesUnordered<BoxFuture<'static, (u64, Result<Reply>)>>,
    /// One for each request from the first unanswered one on.
    places: VecDeque<Place>,
    first: u64,
    /// The sum of the bytes of the requests in `places`.
    bytes: usize,
    held: Held,
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

fn weight(reply: &Result<Reply>) -> usize {
    match reply {
        Ok(Reply::Frame(chunks)) => chunks.iter().map(weight_of).sum(),
        _ => 0,
    }
}

impl Pipeline {
    pub fn new(total: Total) -> Pipeline {
        Pipeline {
            under_way: FuturesUnordered::new(),
            places: VecDeque::new(),
            first: 0,
            bytes: 0,
            held: Held::new(total),
        }
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

    /// Whether a Fetch is under way, which is then the last request. One behind it must not be
    /// answered from an older state than the Fetch: its client would see an end offset below the
    /// records it has just read.
    pub fn waits_for_records(&self) -> bool {
        self.places.back().is_some_and(|place| place.request.api_key == ApiKey::Fetch as i16)
    }

    /// Whether another request may start. If none is under way, one always may.
    pub fn has_room(&self, requests_max: usize, bytes_max: usize) -> bool {
        let held = self.held.own;
        self.is_empty()
            || (self.places.len() < requests_max
                && self.bytes < bytes_max
                && (held == 0 || (held < HELD_MAX && !self.held.is_too_much())))
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
                self.held.add(weight(&reply));
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
            self.held.sub(weight(&reply));
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
            self.held.add(weight(&reply));
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
    use bytes::Bytes;
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

    fn has_room(pipeline: &Pipeline) -> bool {
        pipeline.has_room(500, 1 << 30)
    }

    #[tokio::test]
    async fn answers_behind_one_that_waits_are_bounded_and_come_in_order() {
        let total = Total::default();
        let mut pipeline = Pipeline::new(total.clone());
        let (answer, waits) = oneshot::channel::<()>();
        pipeline.start(request(10), async move {
            waits.await.unwrap();
            frame(1)
        });
        let mut behind = 0;
        while has_room(&pipeline) && behind < 400 {
            behind += 1;
            pipeline.start(request(10), std::future::ready(frame(100_000)));
            assert!(pipeline.next().now_or_never().is_none());
        }
        assert_eq!(behind, HELD_MAX.div_ceil(100_000));
        assert_eq!(total.load(Ordering::Relaxed), behind * 100_000);
        answer.send(()).unwrap();
        assert_eq!(len(pipeline.next().await), 1);
        for _ in 0..behind {
            assert!(!pipeline.is_empty());
            assert_eq!(len(pipeline.next().await), 100_000);
        }
        assert!(pipeline.is_empty() && pipeline.next().await.is_none());
        assert_eq!((total.load(Ordering::Relaxed), pipeline.bytes), (0, 0));
    }

    #[tokio::test]
    async fn while_all_hold_too_much_only_what_need_not_wait_starts() {
        let total = Total::default();
        let mut other = Held::new(total.clone());
        let mut pipeline = Pipeline::new(total.clone());
        pipeline.start(request(1), std::future::pending());
        pipeline.start(request(1), std::future::ready(frame(1)));
        assert!(pipeline.next().now_or_never().is_none());
        assert!(has_room(&pipeline));
        other.add(HELD_IN_ALL_MAX);
        assert!(!has_room(&pipeline));
        assert!(has_room(&Pipeline::new(total.clone())), "one may always start");
        drop(other);
        assert!(has_room(&pipeline));
        drop(pipeline);
        assert_eq!(total.load(Ordering::Relaxed), 0, "a closed connection holds nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_says_when_it_came_when_it_started_and_when_it_was_answered() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut pipeline = Pipeline::new(Total::default());
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
        let mut pipeline = Pipeline::new(Total::default());
        assert!(pipeline.has_room(1, 1));
        pipeline.start(request(100), std::future::pending());
        assert!(!pipeline.has_room(1, 1000) && !pipeline.has_room(10, 100));
        assert!(pipeline.has_room(2, 101));
    }
}
