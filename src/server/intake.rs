//! Limits the memory of requests for all connections together (`queued.max.request.bytes`). Counted
//! are requests that have not been answered, and the received bytes of incomplete ones. Half of the
//! memory is reserved for large requests, so that they cannot block the small ones.
//!
//! A connection may use as much memory as it leaves for all others. Connections that need more take
//! turns: one of them at a time may exceed the limit until its request is answered, and is closed if
//! it makes no progress. So a connection that waits either gets its memory or is closed.

use crate::config::Config;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The smallest limit if the settings give none.
const BOUND_MIN: usize = 128 << 20;
/// How long a connection may take for the rest of a request while others need its memory.
const REST_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may wait for memory, or for an answer while others need its memory. Clients
/// give up after that time by default.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Requests with more bytes are large.
pub const SMALL_MAX: usize = 2 << 20;

/// The memory for the requests of all connections.
#[derive(Debug)]
pub struct Intake {
    small: Arc<Room>,
    large: Arc<Room>,
}

#[derive(Debug)]
struct Room {
    bytes: AtomicUsize,
    max: usize,
    turn: Arc<Semaphore>,
}

impl Room {
    fn new(max: usize) -> Arc<Room> {
        Arc::new(Room { bytes: AtomicUsize::new(0), max, turn: Arc::new(Semaphore::new(1)) })
    }

    /// Bytes that are free.
    fn left(&self) -> usize {
        self.max.saturating_sub(self.bytes.load(Ordering::Relaxed))
    }
}

impl Intake {
    /// Takes the limit from the settings. By default there is room for two requests of the largest
    /// size.
    pub fn new(config: &Config) -> Intake {
        let set = usize::try_from(config.queued_max_request_bytes).ok().filter(|set| *set > 0);
        let two = 2 * config.socket_request_max_bytes.max(0) as usize;
        let half = set.unwrap_or(two.max(BOUND_MIN)) / 2;
        Intake { small: Room::new(half), large: Room::new(half) }
    }
}

/// The memory of one connection's requests. It is free when this is dropped.
#[derive(Debug)]
pub struct Share {
    small: Arc<Room>,
    large: Arc<Room>,
    is_large: bool,
    own: usize,
    /// How much of `own` is taken from the room: all of it, or nothing during a turn.
    counted: usize,
    turn: Option<(OwnedSemaphorePermit, Instant)>,
}

impl Share {
    pub fn new(intake: &Intake) -> Share {
        let (small, large) = (intake.small.clone(), intake.large.clone());
        Share { small, large, is_large: false, own: 0, counted: 0, turn: None }
    }

    fn room(&self) -> &Arc<Room> {
        if self.is_large { &self.large } else { &self.small }
    }

    /// Sets the memory that the connection uses now. `next` is the size of its incomplete request.
    /// A turn ends as soon as the connection fits in without it.
    pub fn set(&mut self, own: usize, next: usize) {
        // A large request counts as large until it is answered.
        let is_large = next > SMALL_MAX || (self.is_large && own > SMALL_MAX);
        if is_large != self.is_large {
            self.turn = None;
            self.count(0);
            self.is_large = is_large;
        }
        self.own = own;
        if self.turn.is_some() && own <= self.left().saturating_sub(own) {
            self.turn = None;
        }
        self.count(if self.turn.is_some() { 0 } else { own });
    }

    fn count(&mut self, counted: usize) {
        let bytes = &self.room().bytes;
        if counted > self.counted {
            bytes.fetch_add(counted - self.counted, Ordering::Relaxed);
        } else if counted < self.counted {
            bytes.fetch_sub(self.counted - counted, Ordering::Relaxed);
        }
        self.counted = counted;
    }

    /// Bytes that are free in the room that this connection uses.
    pub fn left(&self) -> usize {
        self.room().left()
    }

    /// Whether the connection has to wait for its turn before it reads more.
    pub fn is_too_large(&self) -> bool {
        self.turn.is_none() && self.own > self.left()
    }

    /// Whether others may be waiting for this connection's memory.
    pub fn is_in_the_way(&self) -> bool {
        self.turn.is_some() || self.is_too_large()
    }

    /// Waits for a turn, to be given to `take`. Turns are given in the order of the calls.
    pub fn turn(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let turn = self.room().turn.clone();
        async { turn.acquire_owned().await.ok() }
    }

    pub fn take(&mut self, turn: Option<OwnedSemaphorePermit>) {
        self.turn = turn.map(|turn| (turn, Instant::now()));
        self.count(0);
    }

    /// Fails if others need this connection's memory and it makes no progress. `came` is when its
    /// incomplete request last grew, and `began` when its oldest request was started.
    pub fn check(&self, came: Option<Instant>, began: Option<Instant>) -> Result<()> {
        if !self.is_in_the_way() {
            return Ok(());
        }
        // A byte now and then does not prolong a turn.
        let came = came.map(|came| self.turn.as_ref().map_or(came, |turn| turn.1));
        let has_waited = |since: Option<Instant>, patience| {
            since.is_some_and(|since: Instant| since.elapsed() >= patience)
        };
        if has_waited(came, REST_PATIENCE) {
            return Err(self.closed("the rest of its request did not arrive"));
        }
        if has_waited(began, PATIENCE) {
            return Err(self.closed("its request was not answered"));
        }
        Ok(())
    }

    /// The error with which the connection is closed.
    pub fn closed(&self, why: &str) -> Error {
        Error::Explained(
            ResponseError::RequestTimedOut,
            format!(
                "{why} while others needed the memory; its requests took {} bytes \
                 (queued.max.request.bytes)",
                self.own
            ),
        )
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.count(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::FutureExt;

    fn shares(count: usize, intake: &Intake) -> Vec<Share> {
        (0..count).map(|_| Share::new(intake)).collect()
    }

    fn intake(half: usize) -> Intake {
        Intake { small: Room::new(half), large: Room::new(half) }
    }

    /// Reads until it has to wait.
    fn fill(share: &mut Share, next: usize) -> usize {
        while !share.is_too_large() {
            share.set(share.own + 1, next);
        }
        share.own
    }

    #[test]
    fn the_bound_is_the_settings_or_two_of_the_largest_requests() {
        let max = |settings: &[(&str, &str)]| {
            let settings =
                settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            let intake = Intake::new(&Config::new(settings.collect()).unwrap());
            intake.small.max + intake.large.max
        };
        assert_eq!(max(&[]), 2 * 104_857_600);
        assert_eq!(max(&[("socket.request.max.bytes", "1000")]), BOUND_MIN);
        assert_eq!(max(&[("queued.max.request.bytes", "200000000")]), 200_000_000);
    }

    #[test]
    fn large_requests_leave_room_for_small_ones_and_none_is_exceeded() {
        let intake = intake(1000);
        let mut large = shares(40, &intake);
        assert_eq!(fill(&mut large[0], 60 << 20), 501, "one alone: half of it");
        for share in &mut large {
            fill(share, 60 << 20);
        }
        // Each share takes one byte more than is free before it has to wait.
        assert!(intake.large.bytes.load(Ordering::Relaxed) <= 1000 + large.len());
        assert_eq!(fill(&mut Share::new(&intake), SMALL_MAX), 501);
        drop(large);
        assert_eq!(intake.large.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(intake.small.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_was_begun_of_a_large_request_is_large_until_it_is_answered() {
        let intake = intake(100 << 20);
        let mut share = Share::new(&intake);
        share.set(10 << 20, 20 << 20);
        share.set(20 << 20, 0);
        assert_eq!(intake.large.bytes.load(Ordering::Relaxed), 20 << 20);
        share.set(5, 100);
        assert_eq!(intake.large.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(intake.small.bytes.load(Ordering::Relaxed), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_may_hold_more_and_is_closed_if_it_does_not_use_it() {
        let intake = intake(1000);
        let mut all = shares(3, &intake);
        all.iter_mut().for_each(|share| share.set(300, 900));
        assert!(all.iter().all(Share::is_too_large));
        let turn = all[0].turn().await;
        all[0].take(turn);
        assert!(!all[0].is_too_large() && all[0].is_in_the_way());
        assert_eq!(all[1].left(), 400, "what it holds is beside the bound");
        all[0].set(900, 900);
        assert!(all[1].turn().now_or_never().is_none());

        tokio::time::advance(REST_PATIENCE).await;
        let now = Some(Instant::now());
        assert!(all[0].check(now, None).is_err(), "also where a byte came now and then");
        assert!(all[0].check(None, now).is_ok());
        assert!(all[1].check(now, None).is_ok());
        all[1].set(500, 900);
        assert!(all[1].check(Some(Instant::now() - REST_PATIENCE), None).is_err());
        assert!(all[1].check(None, Some(Instant::now() - PATIENCE)).is_err());

        all[0].set(0, 0);
        assert!(!all[0].is_in_the_way(), "its turn is over");
        assert!(all[1].turn().now_or_never().is_some());
    }
}
