//! One transactional id: its producer, and the transaction it is in (TransactionMetadata).
//!
//! A transition is a function from one state of things to the next, which is then written and, by
//! the replay of its record, becomes the state.

use super::state::State;
use crate::error::Result;
use crate::types::{NO_PRODUCER_ID, ProducerId, Timestamp, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

/// No epoch of a producer.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The last epoch that a client gets; the one above is left to fence it.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// From here on a transaction ends with a new epoch (KIP-890).
pub const EPOCH_BUMP_VERSION: i16 = 2;

/// A producer id and epoch, as a client knows itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: i16,
}

impl Producer {
    /// Nobody.
    pub const NONE: Producer = Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };
}

/// What is known of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The producer that has the transactional id.
    pub producer: Producer,
    /// Its producer id before the last transition.
    pub previous_producer_id: ProducerId,
    /// The producer id it gets when the transaction is complete, because its epochs are used up.
    pub next_producer_id: ProducerId,
    /// The epoch before this one, by which a retry is known. It is not in the log.
    pub last_producer_epoch: i16,
    /// How long a transaction may take.
    pub timeout_ms: i32,
    /// Where it stands.
    pub state: State,
    /// Where it has written; of a prepared one, where the marker is still to come.
    pub partitions: BTreeSet<TopicPartition>,
    /// When the transaction began; -1 if none has.
    pub started: Timestamp,
    /// When the last transition was.
    pub updated: Timestamp,
    /// Transaction version of the client that asked for the last transition.
    pub client_version: i16,
}

impl Transaction {
    /// Of a transactional id that is not known; it has no epoch yet.
    pub fn new(producer_id: ProducerId, timeout_ms: i32, now: Timestamp) -> Transaction {
        Transaction {
            producer: Producer { id: producer_id, epoch: NO_PRODUCER_EPOCH },
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            started: -1,
            updated: now,
            client_version: 0,
        }
    }

    fn next(&self, state: State, now: Timestamp) -> Transaction {
        let previous_producer_id = self.producer.id;
        Transaction { previous_producer_id, state, updated: now, ..self.clone() }
    }

    /// Whether the producer needs a new id before its next epoch.
    pub fn is_exhausted(&self) -> bool {
        self.producer.epoch >= LAST_EPOCH
    }

    /// Whether `producer` may go on as this one: it is this one, or was before a new id was given
    /// to it whose answer may be lost, or this one has just been made.
    pub fn is_continued_by(&self, producer: Producer) -> bool {
        self.producer.epoch == NO_PRODUCER_EPOCH
            || producer.id == self.producer.id
            || (producer.id == self.previous_producer_id && producer.epoch >= LAST_EPOCH)
    }

    /// The next epoch, for InitProducerId. A client that says which epoch it has gets the next one
    /// once only; PRODUCER_FENCED if it has neither this nor the last.
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
            ..self.next(State::Empty, now)
        })
    }

    /// A new producer id, because the epochs of the last are used up.
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
            ..self.next(State::Empty, now)
        }
    }

    /// Partitions join the transaction; the first ones begin it.
    pub fn add(
        &self,
        added: impl IntoIterator<Item = TopicPartition>,
        client_version: i16,
        now: Timestamp,
    ) -> Transaction {
        let started = if self.state.is_idle() { now } else { self.started };
        let mut next = Transaction { started, client_version, ..self.next(State::Ongoing, now) };
        next.partitions.extend(added);
        next
    }

    /// It is decided how the transaction ends. Under version 2 the markers have a new epoch, so that
    /// nothing late is taken for the next transaction's.
    pub fn prepare(&self, end: End, now: Timestamp) -> Transaction {
        let state = if end.commit { State::PrepareCommit } else { State::PrepareAbort };
        let (epoch, last_epoch) = if end.client_version >= EPOCH_BUMP_VERSION {
            // An abort at the very last epoch must not fail: that would leave it open for good.
            (self.producer.epoch.saturating_add(1), self.producer.epoch)
        } else {
            (self.producer.epoch, self.last_producer_epoch)
        };
        Transaction {
            producer: Producer { epoch, ..self.producer },
            last_producer_epoch: last_epoch,
            next_producer_id: end.next_producer_id,
            // Nothing had begun, yet there has to be a begin.
            started: if self.state == State::Ongoing { self.started } else { now },
            client_version: end.client_version,
            ..self.next(state, now)
        }
    }

    /// Every partition has its marker.
    pub fn complete(&self, now: Timestamp) -> Transaction {
        let state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            _ => State::CompleteAbort,
        };
        Transaction {
            producer: self.producer_when_complete(),
            next_producer_id: NO_PRODUCER_ID,
            partitions: BTreeSet::new(),
            ..self.next(state, now)
        }
    }

    /// What the client is from now on; an EndTxn of version 2 is told so before it is complete.
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
    /// Commit or abort.
    pub commit: bool,
    /// Of the client; of the broker if it ends the transaction.
    pub client_version: i16,
    /// For when it is complete; `NO_PRODUCER_ID` leaves the one it has.
    pub next_producer_id: ProducerId,
}
