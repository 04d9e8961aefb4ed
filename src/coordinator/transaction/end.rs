//! How a transaction ends (TransactionCoordinator.endTransaction, endTransactionWithTV1).
//!
//! Up to transaction version 1 a transaction ends in its own epoch, and a second EndTxn gets the
//! same answer as the first. From version 2 on the end begins the next epoch, which the answer
//! tells the client. An EndTxn with the last epoch is then a retry, and one with this epoch ends
//! the next transaction:
//!                  abort                    commit
//!                  last epoch | this epoch  last epoch | this epoch
//! Empty            fenced     | next epoch  fenced     | invalid
//! CompleteAbort    as before  | next epoch  invalid    | invalid
//! CompleteCommit   invalid    | next epoch  as before  | invalid
//! ```

use super::machine::{Answer, Machine, MachineOutcome, refuse};
use super::metadata::{EPOCH_BUMP_VERSION, End, Producer, Transaction};
use super::state::TransactionState;
use crate::types::{NO_PRODUCER_ID, ProducerId, Timestamp};
use kafka_protocol::error::ResponseError;

/// What an EndTxn request asks for.
#[derive(Clone, Copy, Debug)]
pub struct EndRequest<'a> {
    /// `transactional.id`.
    pub id: &'a str,
    /// The producer that asks.
    pub producer: Producer,
    /// True to commit, false to abort.
    pub commit: bool,
    /// The client's transaction version.
    pub client_version: i16,
}

impl Machine {
    /// Ends a client's transaction. `fresh` is a producer id that may be used.
    pub fn end(
        &self,
        now: Timestamp,
        request: &EndRequest<'_>,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        let Some(known) = self.get(request.id) else {
            return refuse(ResponseError::InvalidProducerIdMapping);
        };
        if request.client_version < EPOCH_BUMP_VERSION {
            return self.end_in_epoch(now, request, known);
        }
        if known.state.is_prepared() {
            // It is a retry, or it ends the next transaction under a producer id that is not in
            // force yet.
            return refuse(ResponseError::ConcurrentTransactions);
        }
        let retry = is_retry(known, request.producer);
        if known.producer.id != request.producer.id && retry != Retry::AfterRotation {
            return refuse(ResponseError::InvalidProducerIdMapping);
        }
        if !is_epoch_valid(known, request.producer.epoch, retry) {
            return refuse(ResponseError::ProducerFenced);
        }
        let is_retry = retry != Retry::No;
        match (known.state, request.commit) {
            (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false)
                if is_retry =>
            {
                MachineOutcome::answer(Answer::Producer(known.producer))
            }
            (TransactionState::CompleteCommit | TransactionState::CompleteAbort, false)
                if is_retry =>
            {
                refuse(ResponseError::InvalidTxnState)
            }
            (TransactionState::Ongoing, commit) => {
                self.end_bumping(now, request.id, known, commit, request.client_version, fresh)
            }
            // The client may not know whether anything was written.
            (
                TransactionState::Empty
                | TransactionState::CompleteCommit
                | TransactionState::CompleteAbort,
                false,
            ) => self.end_bumping(now, request.id, known, false, request.client_version, fresh),
            _ => refuse(ResponseError::InvalidTxnState),
        }
    }

    /// Decides the transaction under the next epoch, or under a new producer id if there is no next
    /// epoch.
    pub(super) fn end_bumping(
        &self,
        now: Timestamp,
        id: &str,
        known: &Transaction,
        commit: bool,
        client_version: i16,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        let next_producer_id = match fresh {
            _ if !known.is_exhausted() => NO_PRODUCER_ID,
            None => return MachineOutcome::answer(Answer::NeedsProducerId),
            Some(fresh) => fresh,
        };
        let next = known.prepare(End { commit, client_version, next_producer_id }, now);
        let producer = next.producer_when_complete();
        self.write(id, next, Answer::Producer(producer))
    }

    fn end_in_epoch(
        &self,
        now: Timestamp,
        request: &EndRequest<'_>,
        known: &Transaction,
    ) -> MachineOutcome<Answer> {
        if known.producer.id != request.producer.id {
            return refuse(ResponseError::InvalidProducerIdMapping);
        }
        if known.producer.epoch != request.producer.epoch {
            return refuse(ResponseError::ProducerFenced);
        }
        match (known.state, request.commit) {
            (TransactionState::Ongoing, commit) => {
                let end = End { commit, client_version: 0, next_producer_id: NO_PRODUCER_ID };
                let answer = Answer::Producer(Producer::NONE);
                self.write(request.id, known.prepare(end, now), answer)
            }
            (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
                MachineOutcome::answer(Answer::Producer(Producer::NONE))
            }
            (TransactionState::PrepareCommit | TransactionState::PrepareAbort, _) => {
                refuse(ResponseError::ConcurrentTransactions)
            }
            _ => refuse(ResponseError::InvalidTxnState),
        }
    }
}

/// Whether an EndTxn is a retry, judged by its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    No,
    AfterBump,
    /// The epochs were used up, and the producer does not know its new id yet.
    AfterRotation,
}

fn is_retry(known: &Transaction, producer: Producer) -> Retry {
    let is_last_id = known.previous_producer_id == producer.id;
    if is_last_id && producer.epoch == i16::MAX - 1 && known.producer.epoch == 0 {
        Retry::AfterRotation
    } else if i32::from(known.producer.epoch) == i32::from(producer.epoch) + 1 {
        Retry::AfterBump
    } else {
        Retry::No
    }
}

fn is_epoch_valid(known: &Transaction, epoch: i16, retry: Retry) -> bool {
    match known.state {
        TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
            retry != Retry::No || epoch == known.producer.epoch
        }
        _ => epoch == known.producer.epoch,
    }
}
