//! Where a transaction stands (TransactionState).

/// The states, with Kafka's numbers and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The producer has begun nothing yet.
    Empty,
    /// Partitions were added.
    Ongoing,
    /// It is decided that it commits; the markers are on their way.
    PrepareCommit,
    /// It is decided that it aborts; the markers are on their way.
    PrepareAbort,
    /// Every partition has its marker.
    CompleteCommit,
    /// Every partition has its marker.
    CompleteAbort,
    /// Kafka's coordinator passes through it while it forgets a producer. It is never written.
    Dead,
    /// Kafka's coordinator passes through it while it fences a producer. It is never written.
    PrepareEpochFence,
}

/// All of them; the place is the number.
const STATES: [(State, &str); 8] = [
    (State::Empty, "Empty"),
    (State::Ongoing, "Ongoing"),
    (State::PrepareCommit, "PrepareCommit"),
    (State::PrepareAbort, "PrepareAbort"),
    (State::CompleteCommit, "CompleteCommit"),
    (State::CompleteAbort, "CompleteAbort"),
    (State::Dead, "Dead"),
    (State::PrepareEpochFence, "PrepareEpochFence"),
];

impl State {
    /// As in a record.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// The state of this number.
    pub fn from_id(id: i8) -> Option<State> {
        Some(STATES.get(usize::try_from(id).ok()?)?.0)
    }

    /// As admins read it.
    pub fn name(self) -> &'static str {
        STATES[self as usize].1
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<State> {
        Some(STATES.iter().find(|(_, other)| *other == name)?.0)
    }

    /// Decided, but not all partitions know it.
    pub fn is_prepared(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }

    /// No transaction is open: the producer may be forgotten when it is silent for long.
    pub fn is_idle(self) -> bool {
        matches!(self, State::Empty | State::CompleteCommit | State::CompleteAbort)
    }
}
