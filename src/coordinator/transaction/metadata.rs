//! A transactional id: its producer, and the transaction it is in (TransactionMetadata).
//!
//! A transition is a function from one `Transaction` to the next. The next one is written, and
//! becomes the state when its record is replayed.

use super::state::TransactionState;
use crate::error::Result;
use crate::types::{NO_PRODUCER_ID, ProducerId, Timestamp, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

/// Stands for no producer epoch.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The last epoch that a client gets. The one after it is kept for fencing that client.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// The first transaction version in which the end of a transaction begins a new epoch (KIP-890).
pub const EPOCH_BUMP_VERSION: i16 = 2;

/// A producer id and epoch, by which a client knows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Given by the broker, and never to two producers; -1 before that.
    pub id: ProducerId,
    /// It only rises; requests with an older one are fenced.
    pub epoch: i16,
}

impl Producer {
    /// Stands for no producer.
    pub const NONE: Producer = Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };
}

/// What is known about a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The producer that has the transactional id.
    pub producer: Producer,
    /// The producer id before the last transition.
    pub previous_producer_id: ProducerId,
    /// The producer id from when the transaction is complete, if the epochs of the present one are
    /// used up.
    pub next_producer_id: ProducerId,
    /// The epoch before this one, by which a retry is recognized. It is not in the log.
    pub last_producer_epoch: i16,
    /// How many milliseconds a transaction may take.
    pub timeout_ms: i32,
    /// The state of the transaction.
    pub state: TransactionState,
    /// The partitions of the transaction; if it is prepared, those that still need their marker.
    pub partitions: BTreeSet<TopicPartition>,
    /// When the transaction began; -1 if none has.
    pub started: Timestamp,
    /// When the last transition was.
    pub updated: Timestamp,
    /// The transaction version of the client that asked for the last transition.
    pub client_version: i16,
}

impl Transaction {
    /// A transactional id that is new; it has no epoch yet.
    pub fn new(producer_id: ProducerId, timeout_ms: i32, now: Timestamp) -> Transaction {
        Transaction {
            producer: Producer { id: producer_id, epoch: NO_PRODUCER_EPOCH },
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            started: -1,
            updated: now,
            client_version: 0,
        }
    }

    fn next(&self, state: TransactionState, now: Timestamp) -> Transaction {
        let previous_producer_id = self.producer.id;
        Transaction { previous_producer_id, state, updated: now, ..self.clone() }
    }

    /// Whether the epochs of the producer id are used up.
    pub fn is_exhausted(&self) -> bool {
        self.producer.epoch >= LAST_EPOCH
    }

    /// Whether `producer` may continue as this producer: it is this one, or this one has just been
    /// made, or it was this one before it got a new id and the answer was lost.
    pub fn is_continued_by(&self, producer: Producer) -> bool {
        self.producer.epoch == NO_PRODUCER_EPOCH
            || producer.id == self.producer.id
            || (producer.id == self.previous_producer_id && producer.epoch >= LAST_EPOCH)
    }

    /// Begins the next epoch, for InitProducerId. A client that says which epoch it has gets the
    /// next one only once. PRODUCER_FENCED if the client has neither this epoch nor the last one.
    pub fn bump_epoch(
        &self,
        timeout_ms: i32,
        expected: Option<Producer>,
        now: Timestamp,
    ) -> Result<Transaction> {
        if self.is_exhausted() {
            return Err(ResponseError::UnknownServerError.into());
        }
        let current = self.producer.epoch;
        let (epoch, last_epoch) = match expected.map(|producer| producer.epoch) {
            None => (current + 1, NO_PRODUCER_EPOCH),
            Some(epoch) if current == NO_PRODUCER_EPOCH || epoch == current => {
                (current + 1, current)
            }
            Some(epoch) if epoch == self.last_producer_epoch => (current, epoch),
            Some(_) => return Err(ResponseError::ProducerFenced.into()),
        };
        Ok(Transaction {
            producer: Producer { epoch, ..self.producer },
            last_producer_epoch: last_epoch,
            timeout_ms,
            partitions: BTreeSet::new(),
            started: -1,
            ..self.next(TransactionState::Empty, now)
        })
    }

    /// Begins a new producer id, because the epochs of the last one are used up.
    pub fn rotate(
        &self,
        producer_id: ProducerId,
        timeout_ms: i32,
        is_expected: bool,
        now: Timestamp,
    ) -> Transaction {
        let last_epoch = if is_expected { self.producer.epoch } else { NO_PRODUCER_EPOCH };
        Transaction {
            producer: Producer { id: producer_id, epoch: 0 },
            last_producer_epoch: last_epoch,
            timeout_ms,
            partitions: BTreeSet::new(),
            started: -1,
            ..self.next(TransactionState::Empty, now)
        }
    }

    /// Adds partitions to the transaction; the first ones begin it.
    pub fn add(
        &self,
        added: impl IntoIterator<Item = TopicPartition>,
        client_version: i16,
        now: Timestamp,
    ) -> Transaction {
        let started = if self.state.is_idle() { now } else { self.started };
        let mut next =
            Transaction { started, client_version, ..self.next(TransactionState::Ongoing, now) };
        next.partitions.extend(added);
        next
    }

    /// Decides how the transaction ends. From version 2 on the markers have a new epoch, so that a
    /// late write cannot get into the next transaction.
    pub fn prepare(&self, end: End, now: Timestamp) -> Transaction {
        let state = if end.commit {
            TransactionState::PrepareCommit
        } else {
            TransactionState::PrepareAbort
        };
        let (epoch, last_epoch) = if end.client_version >= EPOCH_BUMP_VERSION {
            // An abort in the very last epoch must not fail, else the transaction would stay open
            // for ever.
            (self.producer.epoch.saturating_add(1), self.producer.epoch)
        } else {
            (self.producer.epoch, self.last_producer_epoch)
        };
        Transaction {
            producer: Producer { epoch, ..self.producer },
            last_producer_epoch: last_epoch,
            next_producer_id: end.next_producer_id,
            // A transaction that has no partitions needs a start time as well.
            started: if self.state == TransactionState::Ongoing { self.started } else { now },
            client_version: end.client_version,
            ..self.next(state, now)
        }
    }

    /// Completes the transaction: every partition has its marker.
    pub fn complete(&self, now: Timestamp) -> Transaction {
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        Transaction {
            producer: self.producer_when_complete(),
            next_producer_id: NO_PRODUCER_ID,
            partitions: BTreeSet::new(),
            ..self.next(state, now)
        }
    }

    /// The client's producer from now on. From version 2 on EndTxn tells the client before the
    /// transaction is complete.
    pub fn producer_when_complete(&self) -> Producer {
        let is_rotated =
            self.client_version >= EPOCH_BUMP_VERSION && self.next_producer_id != NO_PRODUCER_ID;
        match is_rotated {
            true => Producer { id: self.next_producer_id, epoch: 0 },
            false => self.producer,
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// True to commit, false to abort.
    pub commit: bool,
    /// The client's transaction version, or the broker's if the broker ends the transaction.
    pub client_version: i16,
    /// The producer id once the transaction is complete; `NO_PRODUCER_ID` keeps the present one.
    pub next_producer_id: ProducerId,
}
