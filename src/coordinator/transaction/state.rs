//! The state of a transaction (TransactionState).

/// The states, with Kafka's numbers and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The producer has not begun a transaction yet.
    Empty,
    /// The transaction is open.
    Ongoing,
    /// It is decided that the transaction commits; markers are being written.
    PrepareCommit,
    /// It is decided that the transaction aborts; markers are being written.
    PrepareAbort,
    /// It has committed, and every partition has its marker.
    CompleteCommit,
    /// It has aborted, and every partition has its marker.
    CompleteAbort,
    /// Kafka's coordinator passes through it while it forgets a producer. It is never written.
    Dead,
    /// Kafka's coordinator passes through it while it fences a producer. It is never written.
    PrepareEpochFence,
}

/// All states; the index is the number.
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
    /// The number in a record.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// The state with this number.
    pub fn from_id(id: i8) -> Option<State> {
        Some(STATES.get(usize::try_from(id).ok()?)?.0)
    }

    /// The name that operators see.
    pub fn name(self) -> &'static str {
        STATES[self as usize].1
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<State> {
        Some(STATES.iter().find(|(_, other)| *other == name)?.0)
    }

    /// Whether the end is decided but not all partitions have their marker.
    pub fn is_prepared(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }

    /// Whether no transaction is open, so that the producer may be forgotten if it stays silent.
    pub fn is_idle(self) -> bool {
        matches!(self, State::Empty | State::CompleteCommit | State::CompleteAbort)
    }
}
