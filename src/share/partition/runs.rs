//! The records in flight of a share partition, as runs of neighbours in the same condition.

use crate::types::{Offset, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What has become of a record (RecordState).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits to be delivered, for the first time or again.
    Available = 0,
    /// A member has it and its lock runs.
    Acquired = 1,
    /// A member has processed it.
    Acknowledged = 2,
    /// It is given up, and on its way to the dead letters.
    Archiving = 3,
    /// It is given up, or there is no such record.
    Archived = 4,
}

impl State {
    /// The state with this number in requests and records.
    pub fn from_id(id: i8) -> Option<State> {
        [State::Available, State::Acquired, State::Acknowledged, State::Archiving, State::Archived]
            .into_iter()
            .find(|state| state.id() == id)
    }

    /// Its number in requests and records.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// Whether it never changes again.
    fn is_final(self) -> bool {
        matches!(self, State::Acknowledged | State::Archived)
    }
}

/// Neighbouring records in the same condition. The offset of the first one is the key in [`Runs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The offset of the last one.
    pub(super) last: Offset,
    /// When the lock of an acquired record ends.
    pub(super) deadline: Timestamp,
    /// Who has acquired it.
    pub(super) member: Option<Arc<str>>,
    /// How many records were delivered together the first time.
    pub(super) together: u32,
    /// How often it was delivered.
    pub(super) deliveries: i16,
    pub(super) state: State,
    /// The state is being written. If that fails, the record is acquired again.
    pub(super) is_pending: bool,
}

impl Run {
    /// Records up to `last` that nobody has acquired.
    pub(super) fn new(first: Offset, last: Offset, state: State, deliveries: i16) -> Run {
        let together = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
        let mut run =
            Run { last, deadline: 0, member: None, together, deliveries, state, is_pending: false };
        run.settle();
        run
    }

    /// Whether it can be acquired.
    pub(super) fn is_available(&self) -> bool {
        self.state == State::Available && !self.is_pending
    }

    /// Whether a member has it and has not been heard about it.
    pub(super) fn is_acquired(&self) -> bool {
        self.state == State::Acquired && !self.is_pending
    }

    /// Makes the state stay, and forgets what it no longer needs, so that it joins its neighbours.
    pub(super) fn settle(&mut self) {
        self.is_pending = false;
        self.member = None;
        self.deadline = 0;
        if self.state.is_final() {
            self.together = 0;
            self.deliveries = 0;
        }
    }

    fn is_finished(&self) -> bool {
        self.state.is_final() && !self.is_pending
    }

    fn is_like(&self, other: &Run) -> bool {
        (self.state, self.is_pending, self.deliveries, self.together, self.deadline)
            == (other.state, other.is_pending, other.deliveries, other.together, other.deadline)
            && self.member == other.member
    }
}

/// All runs of a share partition. There is none where the log has no records.
#[derive(Debug, Default)]
pub(super) struct Runs {
    by_first: BTreeMap<Offset, Run>,
    /// The first offsets of the available runs.
    available: BTreeSet<Offset>,
    /// The ends of locks and the first offsets of their runs.
    locks: BTreeSet<(Timestamp, Offset)>,
    /// The number of records in a final state.
    finished: i64,
}

impl Runs {
    /// The offset of the first record.
    pub(super) fn first(&self) -> Option<Offset> {
        Some(*self.by_first.first_key_value()?.0)
    }

    /// The first offset that can be acquired.
    pub(super) fn first_available(&self) -> Option<Offset> {
        self.available.first().copied()
    }

    /// The lock that ends first, and the run that it holds.
    pub(super) fn first_lock(&self) -> Option<(Timestamp, Offset)> {
        self.locks.first().copied()
    }

    /// The number of records in a final state.
    pub(super) fn finished(&self) -> i64 {
        self.finished
    }

    /// The number of runs.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_first.len()
    }

    /// All runs, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Offset, &Run)> {
        self.by_first.iter().map(|(first, run)| (*first, run))
    }

    /// The run that contains `offset`.
    pub(super) fn at(&self, offset: Offset) -> Option<(Offset, &Run)> {
        let (first, run) = self.by_first.range(..=offset).next_back()?;
        (run.last >= offset).then_some((*first, run))
    }

    /// The runs with a record from `first` to `last`.
    pub(super) fn within(
        &self,
        first: Offset,
        last: Offset,
    ) -> impl Iterator<Item = (Offset, &Run)> {
        let from = self.at(first).map_or(first, |(first, _)| first);
        let runs = (from <= last).then(|| self.by_first.range(from..=last));
        runs.into_iter().flatten().map(|(first, run)| (*first, run))
    }

    /// The first available record from `first` to `last`, and its run.
    pub(super) fn available_within(&self, first: Offset, last: Offset) -> Option<(Offset, &Run)> {
        if first > last {
            return None;
        }
        if let Some((_, run)) = self.at(first).filter(|(_, run)| run.is_available()) {
            return Some((first, run));
        }
        let first = *self.available.range(first..=last).next()?;
        Some((first, self.by_first.get(&first)?))
    }

    /// Adds a run where there is none.
    pub(super) fn add(&mut self, first: Offset, run: Run) {
        self.put(first, run);
        self.join(first);
    }

    /// StateChanges the runs from `first` to `last`, which split and join as they have to.
    pub(super) fn change(
        &mut self,
        first: Offset,
        last: Offset,
        mut change: impl FnMut(Offset, &mut Run),
    ) {
        if first > last {
            return;
        }
        self.split(first);
        self.split(last + 1);
        let mut next = first;
        while next <= last
            && let Some(at) = self.by_first.range(next..=last).next().map(|(first, _)| *first)
            && let Some(mut run) = self.take(at)
        {
            next = run.last + 1;
            change(at, &mut run);
            self.put(at, run);
            self.join(at);
        }
        self.join(last + 1);
    }

    /// Removes everything before `offset`.
    pub(super) fn drop_before(&mut self, offset: Offset) {
        self.split(offset);
        while let Some(first) = self.first().filter(|first| *first < offset) {
            self.take(first);
        }
    }

    /// Removes the runs at the front whose records are finished.
    pub(super) fn drop_finished(&mut self) {
        while let Some((first, run)) = self.by_first.first_key_value()
            && run.is_finished()
        {
            let first = *first;
            self.take(first);
        }
    }

    /// Removes records at the end, from `from` on, that were never delivered. Returns the offset of
    /// the first one.
    pub(super) fn drop_unused(&mut self, from: Offset) -> Option<Offset> {
        self.split(from);
        let (first, run) = self.by_first.last_key_value()?;
        let first = *first;
        if first < from || !run.is_available() || run.deliveries > 0 {
            self.join(from);
            return None;
        }
        self.take(first);
        Some(first)
    }

    /// Makes a run begin at `offset`, if one contains it.
    fn split(&mut self, offset: Offset) {
        let Some((first, _)) = self.at(offset).filter(|(first, _)| *first < offset) else { return };
        let Some(mut left) = self.take(first) else { return };
        let right = left.clone();
        left.last = offset - 1;
        self.put(first, left);
        self.put(offset, right);
    }

    /// Joins the run that begins at `first` with the one before it, if they are alike.
    fn join(&mut self, first: Offset) {
        let Some(right) = self.by_first.get(&first) else { return };
        let Some((left_first, left)) = self.at(first - 1) else { return };
        if !left.is_like(right) {
            return;
        }
        if let (Some(mut left), Some(right)) = (self.take(left_first), self.take(first)) {
            left.last = right.last;
            self.put(left_first, left);
        }
    }

    fn put(&mut self, first: Offset, run: Run) {
        if run.is_available() {
            self.available.insert(first);
        }
        if run.is_acquired() {
            self.locks.insert((run.deadline, first));
        }
        if run.state.is_final() {
            self.finished += run.last - first + 1;
        }
        self.by_first.insert(first, run);
    }

    fn take(&mut self, first: Offset) -> Option<Run> {
        let run = self.by_first.remove(&first)?;
        self.available.remove(&first);
        self.locks.remove(&(run.deadline, first));
        if run.state.is_final() {
            self.finished -= run.last - first + 1;
        }
        Some(run)
    }
}
