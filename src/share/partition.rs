//! A share partition (KIP-932): which records of a partition the members of a share group have,
//! have processed or are to get. It reads no log, writes nothing and is given the time.
//!
//! ```text
//!  start        what is before it is finished
//!    |  runs    records in the same condition, with gaps where the log has none
//!    v
//!    [acknowledged][acquired by A][available, twice delivered][acquired by B]
//!                                                                            ^
//!                                                   end: nobody has seen what follows
//! ```
//!
//! A record that is acknowledged or released changes twice: at once, so that nobody else gets hold
//! of it, and for good when the share coordinator has it. If that fails, it is acquired as before.

mod aborted;
mod acknowledge;
mod acquire;
mod runs;
mod write;

use crate::coordinator::share::{DeliveryBatch, ShareRead, ShareWrite};
use crate::error::{Error, Result};
use crate::types::{LeaderEpoch, Offset, Timestamp};
pub use aborted::{BatchHead, aborted_batches};
pub use acknowledge::{Acknowledgement, check_acknowledgements};
pub use acquire::{AcquireMode, AcquireRequest, Acquired, ReadBatches};
use kafka_protocol::error::ResponseError;
pub use runs::State;
use runs::{Run, Runs};
use write::StateChanges;
pub use write::{GivenUp, Reason, StateWrite};

/// The settings of a group that share partitions need. They may change at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareSettings {
    /// `share.partition.max.record.locks`: the most records between start and end.
    pub max_record_locks: i32,
    /// `share.delivery.count.limit`.
    pub delivery_count_limit: i16,
    /// `share.record.lock.duration.ms`.
    pub lock_duration_ms: i32,
    /// `share.renew.acknowledge.enable`.
    pub may_renew: bool,
    /// Whether records that are given up become dead letters (KIP-1191).
    pub keeps_dead_letters: bool,
}

/// What becomes of a record that a member had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// There is no such record.
    Gap,
    Accept,
    Release,
    Reject,
}

/// A share partition (SharePartition.java).
#[derive(Debug)]
pub struct SharePartition {
    /// The group's settings, which the caller keeps up to date.
    pub settings: ShareSettings,
    state_epoch: i32,
    leader_epoch: LeaderEpoch,
    start: Offset,
    end: Offset,
    runs: Runs,
}

impl SharePartition {
    /// A share partition that goes on where `read` ends, led in `leader_epoch`. What `read` does not
    /// mention was acquired when it was written, if it exists; it is delivered again.
    pub fn open(
        read: &ShareRead,
        leader_epoch: LeaderEpoch,
        settings: ShareSettings,
    ) -> Result<SharePartition> {
        let mut runs = Runs::default();
        let mut end = read.start_offset;
        for batch in read.batches.iter() {
            let state = State::from_id(batch.state).filter(|_| batch.first >= end);
            let Some(state) = state else {
                return Err(Error::corrupt(format!("share state {batch:?} after offset {end}")));
            };
            if batch.first > end {
                runs.add(end, Run::new(end, batch.first - 1, State::Available, 0));
            }
            // A lock does not outlive its leader.
            let state = match state {
                State::Acquired => State::Available,
                state => state,
            };
            runs.add(batch.first, Run::new(batch.first, batch.last, state, batch.count));
            end = batch.last + 1;
        }
        let (state_epoch, start) = (read.state_epoch, read.start_offset);
        let mut partition =
            SharePartition { settings, state_epoch, leader_epoch, start, end, runs };
        partition.advance();
        Ok(partition)
    }

    /// Everything before this offset is finished.
    #[cfg(test)]
    pub fn start_offset(&self) -> Offset {
        self.start
    }

    /// Nobody has got what follows from this offset on.
    pub fn end_offset(&self) -> Offset {
        self.end
    }

    /// The offset to read from for the next delivery.
    pub fn next_fetch_offset(&self) -> Offset {
        self.runs.first_available().unwrap_or(self.end)
    }

    /// Whether a read could lead to a delivery: there is something to deliver again, or room for
    /// more.
    pub fn can_acquire(&self) -> bool {
        self.runs.first_available().is_some() || self.room() > 0
    }

    /// The number of records from the start on that are finished (KIP-1226).
    pub fn delivery_complete_count(&self) -> i32 {
        i32::try_from(self.runs.finished()).unwrap_or(i32::MAX)
    }

    /// When `expire` has to be called.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.runs.first_lock()?.0)
    }

    /// Releases what `member` has, at the end of its session.
    pub fn release(&mut self, member: &str) -> Option<StateWrite> {
        let is_theirs =
            |run: &Run| run.is_acquired() && run.member.as_deref().is_some_and(|m| m == member);
        let theirs: Vec<_> = self
            .runs
            .iter()
            .filter_map(|(first, run)| is_theirs(run).then_some((first, run.last)))
            .collect();
        let mut changes = StateChanges::default();
        for (first, last) in theirs {
            self.decide(first, last, Verdict::Release, false, &mut changes);
        }
        self.write(changes, false)
    }

    /// Releases the records whose locks have ended. They are available at once, whether that can be
    /// written or not.
    pub fn expire(&mut self, now: Timestamp) -> Option<StateWrite> {
        let mut changes = StateChanges::default();
        while let Some((deadline, first)) = self.runs.first_lock()
            && deadline <= now
            && let Some((_, run)) = self.runs.at(first)
        {
            let last = run.last;
            self.decide(first, last, Verdict::Release, true, &mut changes);
        }
        let write = self.write(changes, true);
        self.advance();
        write
    }

    /// Learns how the write of a change ended. Returns the records that are given up for good. If
    /// the write succeeded, waiting fetches may find something new.
    pub fn written(&mut self, write: StateWrite, is_written: bool) -> Vec<GivenUp> {
        if write.is_certain {
            return write.given_up;
        }
        for batch in &write.change.batches {
            // What the log start has passed is gone.
            self.runs.change(batch.first, batch.last, |_, run| {
                if is_written {
                    run.settle();
                } else {
                    run.state = State::Acquired;
                    run.is_pending = false;
                }
            });
        }
        if !is_written {
            return Vec::new();
        }
        self.advance();
        write.given_up
    }

    /// The records that are on their way to the dead letters: after `open`, the way begins again.
    pub fn archiving(&self) -> Vec<GivenUp> {
        let limit = self.settings.delivery_count_limit;
        let given_up = |(first, run): (Offset, &Run)| {
            let reason = match run.deliveries >= limit {
                true => Reason::TooManyDeliveries,
                false => Reason::Rejected,
            };
            GivenUp { first, last: run.last, deliveries: run.deliveries, reason }
        };
        let archiving = |(_, run): &(Offset, &Run)| run.state == State::Archiving;
        self.runs.iter().filter(archiving).map(given_up).collect()
    }

    /// Whether these are on their way to the dead letters.
    pub fn is_archiving(&self, given_up: &GivenUp) -> bool {
        self.runs.at(given_up.first).is_some_and(|(_, run)| run.state == State::Archiving)
    }

    /// Learns that records have arrived at the dead letters, or never will.
    pub fn archived(&mut self, given_up: &[GivenUp]) -> Option<StateWrite> {
        let mut changes = StateChanges::default();
        for &GivenUp { first, last, .. } in given_up {
            self.runs.change(first, last, |first, run| {
                if run.state == State::Archiving && !run.is_pending {
                    let (last, count) = (run.last, run.deliveries);
                    run.state = State::Archived;
                    run.settle();
                    let state = State::Archived.id();
                    changes.add(DeliveryBatch { first, last, state, count }, None);
                }
            });
        }
        let write = self.write(changes, true);
        self.advance();
        write
    }

    /// Forgets the records that the log no longer has. The share coordinator learns the new start
    /// with the next write.
    pub fn log_start_moved(&mut self, log_start: Offset) {
        if log_start <= self.start {
            return;
        }
        self.runs.drop_before(log_start);
        self.start = log_start;
        self.end = self.end.max(log_start);
        self.advance();
    }

    /// How many records may be delivered beyond the end.
    fn room(&self) -> i64 {
        i64::from(self.settings.max_record_locks) - (self.end - self.start)
    }

    /// Ends the locks of acquired records. What is not `is_certain` waits for its write.
    fn decide(
        &mut self,
        first: Offset,
        last: Offset,
        verdict: Verdict,
        is_certain: bool,
        changes: &mut StateChanges,
    ) {
        let settings = self.settings;
        self.runs.change(first, last, |first, run| {
            let (last, count) = (run.last, run.deliveries);
            let (state, reason) = settings.outcome(verdict, count);
            changes.add(DeliveryBatch { first, last, state: state.id(), count }, reason);
            run.state = state;
            run.is_pending = true;
            if is_certain {
                run.settle();
            }
        });
    }

    fn write(&self, changes: StateChanges, is_certain: bool) -> Option<StateWrite> {
        let StateChanges { batches, given_up } = changes;
        (!batches.is_empty()).then(|| {
            let change = ShareWrite {
                state_epoch: self.state_epoch,
                leader_epoch: self.leader_epoch,
                start_offset: self.start,
                delivery_complete_count: self.delivery_complete_count(),
                batches,
            };
            StateWrite { change, given_up, is_certain }
        })
    }

    /// Moves the start past everything that is finished.
    fn advance(&mut self) {
        self.runs.drop_finished();
        self.start = self.runs.first().unwrap_or(self.end);
    }
}

impl ShareSettings {
    fn outcome(&self, verdict: Verdict, deliveries: i16) -> (State, Option<Reason>) {
        let reason = match verdict {
            Verdict::Gap => return (State::Archived, None),
            Verdict::Accept => return (State::Acknowledged, None),
            Verdict::Release if deliveries < self.delivery_count_limit => {
                return (State::Available, None);
            }
            Verdict::Release => Reason::TooManyDeliveries,
            Verdict::Reject => Reason::Rejected,
        };
        let state = if self.keeps_dead_letters { State::Archiving } else { State::Archived };
        (state, Some(reason))
    }
}

/// The error of a request about a record in a condition that does not allow it.
fn invalid_state(what: impl Into<String>) -> Error {
    Error::Explained(ResponseError::InvalidRecordState, what.into())
}

#[cfg(test)]
mod tests;
