//! The requests of a connection that are under way: answered in the order they came in. Their
//! number, their bytes and what their answers hold while they wait for one before them are bounded.

use crate::codec::{Chunk, Reply};
use crate::disk;
use crate::error::Result;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

/// A connection whose waiting answers hold so much starts nothing more.
const HELD_MAX: usize = 1 << 20;
/// No connection starts anything behind an answer that waits while all hold so much, and who does
/// not read is closed early.
const HELD_IN_ALL_MAX: usize = 128 << 20;
/// What a file range is counted as: its bytes are in no memory, but its file stays open. Where the
/// process may have few files open, few are too much.
static FILE_WEIGHT: LazyLock<usize> = LazyLock::new(|| {
    let files = disk::momentary_descriptors();
    (HELD_IN_ALL_MAX / files).max(64 << 10)
});

/// What a part of an answer holds until it is sent.
pub fn weight_of(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::File(_) => *FILE_WEIGHT,
    }
}

/// What all connections hold together in answers that their peers have not taken.
pub type Total = Arc<AtomicUsize>;

/// What one of them holds; nothing more once it is dropped.
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

    /// It holds nothing any more.
    pub fn clear(&mut self) {
        if self.own > 0 {
            self.sub(self.own);
        }
    }

    /// Whether all connections hold too much.
    pub fn is_too_much(&self) -> bool {
        self.total.load(Ordering::Relaxed) > HELD_IN_ALL_MAX
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The requests that were started, and the answers that cannot go yet.
pub struct Pipeline {
    under_way: FuturesUnordered<BoxFuture<'static, (u64, Answer)>>,
    /// One for each request from the first on that is not answered.
    places: VecDeque<Option<Answer>>,
    first: u64,
    /// Of the requests in `places`.
    bytes: usize,
    held: Held,
}

struct Answer {
    request_bytes: usize,
    reply: Result<Reply>,
}

impl Answer {
    fn weight(&self) -> usize {
        match &self.reply {
            Ok(Reply::Frame(chunks)) => chunks.iter().map(weight_of).sum(),
            _ => 0,
        }
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

    /// Whether one more may start beside those under way; a first one always may.
    pub fn has_room(&self, requests_max: usize, bytes_max: usize) -> bool {
        let held = self.held.own;
        self.is_empty()
            || (self.places.len() < requests_max
                && self.bytes < bytes_max
                && (held == 0 || (held < HELD_MAX && !self.held.is_too_much())))
    }

    /// Takes a request of so many bytes on; it starts when `next` is polled.
    pub fn push(
        &mut self,
        request_bytes: usize,
        reply: impl Future<Output = Result<Reply>> + Send + 'static,
    ) {
        let place = self.first + self.places.len() as u64;
        self.places.push_back(None);
        self.bytes += request_bytes;
        let answer = reply.map(move |reply| (place, Answer { request_bytes, reply }));
        self.under_way.push(answer.boxed());
    }

    /// The answer of the first request, when it is there; None if nothing is under way. Nothing is
    /// lost if this is dropped.
    pub fn next(&mut self) -> impl Future<Output = Option<Result<Reply>>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reply>>> {
        if self.places.front().is_some_and(Option::is_some) {
            let answer = self.places.pop_front().flatten();
            return Poll::Ready(answer.map(|answer| {
                self.held.sub(answer.weight());
                self.answered(answer)
            }));
        }
        loop {
            match ready!(self.under_way.poll_next_unpin(cx)) {
                None => return Poll::Ready(None),
                Some((place, answer)) if place == self.first => {
                    self.places.pop_front();
                    return Poll::Ready(Some(self.answered(answer)));
                }
                Some((place, answer)) => {
                    self.held.add(answer.weight());
                    self.places[(place - self.first) as usize] = Some(answer);
                }
            }
        }
    }

    fn answered(&mut self, answer: Answer) -> Result<Reply> {
        self.first += 1;
        self.bytes -= answer.request_bytes;
        answer.reply
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use tokio::sync::oneshot;

    fn frame(bytes: usize) -> Result<Reply> {
        Ok(Reply::Frame(vec![Chunk::Bytes(Bytes::from(vec![0; bytes]))]))
    }

    fn len(reply: Option<Result<Reply>>) -> usize {
        match reply {
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
        pipeline.push(10, async move {
            waits.await.unwrap();
            frame(1)
        });
        let mut behind = 0;
        while has_room(&pipeline) && behind < 400 {
            behind += 1;
            pipeline.push(10, std::future::ready(frame(100_000)));
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
        pipeline.push(1, std::future::pending());
        pipeline.push(1, std::future::ready(frame(1)));
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

    #[tokio::test]
    async fn requests_are_bounded_by_number_and_bytes() {
        let mut pipeline = Pipeline::new(Total::default());
        assert!(pipeline.has_room(1, 1));
        pipeline.push(100, std::future::pending());
        assert!(!pipeline.has_room(1, 1000) && !pipeline.has_room(10, 100));
        assert!(pipeline.has_room(2, 101));
    }
}
