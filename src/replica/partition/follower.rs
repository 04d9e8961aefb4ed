//! What a leader knows of one follower (Replica). Fetches are all that it has to go by: what a
//! follower asks for next shows what it has, and when it was last up to date.

use crate::types::{BrokerId, Offset, Timestamp};

/// What is known of an offset before a follower has told it.
const UNKNOWN: Offset = -1;

/// A follower of a partition that this broker leads.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    pub(super) id: BrokerId,
    /// The end of its log, -1 until it fetches.
    pub(super) log_end: Offset,
    /// The start of its log, -1 until it fetches.
    pub(super) log_start: Offset,
    /// The epoch with which it was registered when it fetched; -1 if it does not tell, None until
    /// it fetches.
    pub(super) broker_epoch: Option<i64>,
    /// When it last had everything that the leader had.
    pub(super) caught_up: Timestamp,
    /// When it last fetched, and where the leader's log ended then.
    last_fetch: (Timestamp, Offset),
}

impl Follower {
    /// A follower that has not fetched yet.
    pub(super) fn new(id: BrokerId) -> Follower {
        let (log_end, log_start) = (UNKNOWN, UNKNOWN);
        Follower { id, log_end, log_start, broker_epoch: None, caught_up: 0, last_fetch: (0, 0) }
    }

    /// Begins anew, where the leader's log ends at `leader_end`. A member of the ISR counts as up to
    /// date until it has had the time to fetch.
    pub(super) fn begin_anew(&mut self, now: Timestamp, leader_end: Offset, is_in_sync: bool) {
        self.caught_up = if is_in_sync { now } else { 0 };
        self.last_fetch = (self.caught_up, leader_end);
    }

    /// Takes note of a fetch from `log_end` on. It was up to date at the last fetch if it now has
    /// what the leader had then: otherwise a follower would never catch up with a leader that
    /// appends without a pause.
    pub(super) fn fetched(
        &mut self,
        log_end: Offset,
        log_start: Offset,
        broker_epoch: i64,
        leader_end: Offset,
        now: Timestamp,
    ) {
        let (last_time, last_leader_end) = self.last_fetch;
        if log_end >= leader_end {
            self.caught_up = self.caught_up.max(now);
        } else if log_end >= last_leader_end {
            self.caught_up = self.caught_up.max(last_time);
        }
        self.log_end = log_end;
        self.log_start = log_start;
        self.broker_epoch = Some(broker_epoch);
        self.last_fetch = (now, leader_end.max(last_leader_end));
    }

    /// Whether it has everything, or had within the last `lag_max_ms`.
    pub(super) fn is_caught_up(&self, leader_end: Offset, now: Timestamp, lag_max_ms: i64) -> bool {
        self.log_end == leader_end || self.lag_ms(now) <= lag_max_ms
    }

    /// How long ago it last had everything.
    pub(super) fn lag_ms(&self, now: Timestamp) -> i64 {
        now.saturating_sub(self.caught_up)
    }
}
