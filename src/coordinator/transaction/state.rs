//! The state of a transaction (TransactionState).

/// The states, with Kafka's numbers and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionState {
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
const STATES: [(TransactionState, &str); 8] = [
    (TransactionState::Empty, "Empty"),
    (TransactionState::Ongoing, "Ongoing"),
    (TransactionState::PrepareCommit, "PrepareCommit"),
    (TransactionState::PrepareAbort, "PrepareAbort"),
    (TransactionState::CompleteCommit, "CompleteCommit"),
    (TransactionState::CompleteAbort, "CompleteAbort"),
    (TransactionState::Dead, "Dead"),
    (TransactionState::PrepareEpochFence, "PrepareEpochFence"),
];

impl TransactionState {
    /// The number in a record.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// The state with this number.
    pub fn from_id(id: i8) -> Option<TransactionState> {
        Some(STATES.get(usize::try_from(id).ok()?)?.0)
    }

    /// The name that operators see.
    pub fn name(self) -> &'static str {
        STATES[self as usize].1
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<TransactionState> {
        Some(STATES.iter().find(|(_, other)| *other == name)?.0)
    }

    /// Whether the end is decided but not all partitions have their marker.
    pub fn is_prepared(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }

    /// Whether no transaction is open, so that the producer may be forgotten if it stays silent.
    pub fn is_idle(self) -> bool {
        matches!(
            self,
            TransactionState::Empty
                | TransactionState::CompleteCommit
                | TransactionState::CompleteAbort
        )
    }
}
