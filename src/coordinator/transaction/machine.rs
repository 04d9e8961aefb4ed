//! The transactional ids of one partition of `__transaction_state`, as a state machine that is
//! given the time and does no I/O (TransactionCoordinator, TransactionStateManager).
//!
//! Kafka's coordinator remembers that a transition is being written and refuses others until it is.
//! Here the state changes as soon as the record is appended, and whatever depends on it waits until
//! the record is replicated: answers and markers.

use super::metadata::{End, Producer, Transaction};
use super::record::Record;
use super::state::TransactionState;
use crate::config::{Compression, LiveConfig};
use crate::coordinator::Ticket;
use crate::coordinator::state_machine::{self, StateMachine};
use crate::error::Result;
use crate::metadata::Image;
use crate::metadata::features::TRANSACTION_VERSION;
use crate::types::{NO_PRODUCER_ID, Offset, ProducerId, Timestamp, TopicPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// `transactional.id`.
pub type TransactionalId = Arc<str>;
/// The result of an operation.
pub type MachineOutcome<A = ()> = state_machine::Outcome<Record, (), A>;

/// The state machine of one partition.
#[derive(Debug)]
pub struct Machine {
    config: LiveConfig,
    /// The finalized `transaction.version`.
    version: i16,
    pub(super) transactions: BTreeMap<TransactionalId, Transaction>,
    /// Prepared transactions whose markers no worker has taken on yet.
    unmarked: BTreeSet<TransactionalId>,
    /// Transactions that have taken too long.
    overdue: BTreeSet<TransactionalId>,
    /// Who waits for the end of a prepared transaction.
    waiting: HashMap<TransactionalId, Vec<Ticket>>,
    /// Who has waited for one that has ended.
    ready: Vec<Ticket>,
    /// When to look for overdue transactions; None before the log is loaded.
    next_abort: Option<Timestamp>,
    /// When to look for ids that are no longer used.
    next_expiration: Option<Timestamp>,
}

/// The answer to an operation that may need a new producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It succeeded; this is the client's producer from now on.
    Producer(Producer),
    /// The client gets an error. The operation may have begun something, so that a retry can
    /// succeed.
    Refused(ResponseError),
    /// Nothing was done. The operation has to be called again with a new producer id.
    NeedsProducerId,
}

/// What an InitProducerId request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Init<'a> {
    /// `transactional.id`.
    pub id: &'a str,
    /// How many milliseconds a transaction may take.
    pub timeout_ms: i32,
    /// The producer that the client says it is already.
    pub expected: Option<Producer>,
}

/// Work that the machine has for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Tell the partitions of a transaction how it ended.
    Finish(TransactionalId, Transaction),
    /// Abort a transaction that has taken too long.
    Abort(TransactionalId, Producer),
}

impl Machine {
    /// A machine without ids.
    pub fn new(config: LiveConfig) -> Machine {
        Machine {
            config,
            version: 0,
            transactions: BTreeMap::new(),
            unmarked: BTreeSet::new(),
            overdue: BTreeSet::new(),
            waiting: HashMap::new(),
            ready: Vec::new(),
            next_abort: None,
            next_expiration: None,
        }
    }

    /// What is known about `id`.
    pub fn get(&self, id: &str) -> Option<&Transaction> {
        self.transactions.get(id)
    }

    /// Writes that `next` is the new state of `id`.
    pub(super) fn write<A>(&self, id: &str, next: Transaction, answer: A) -> MachineOutcome<A> {
        let version = i16::from(self.version >= 1);
        MachineOutcome::replay(vec![Record { id: id.into(), value: Some((version, next)) }], answer)
    }

    /// Gives a producer its first or its next epoch. An open transaction is aborted first, and the
    /// client has to retry. `fresh` is a producer id that may be used.
    pub fn init(
        &self,
        now: Timestamp,
        init: &Init<'_>,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        let known = match (self.get(init.id), fresh) {
            (Some(known), _) => known,
            (None, Some(fresh)) => &Transaction::new(fresh, init.timeout_ms, now),
            (None, None) => return MachineOutcome::answer(Answer::NeedsProducerId),
        };
        let is_fenced = init.expected.is_some_and(|producer| !known.is_continued_by(producer));
        match known.state {
            // Its producer is only known once it is complete.
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                refuse(ResponseError::ConcurrentTransactions)
            }
            _ if is_fenced => refuse(ResponseError::ProducerFenced),
            TransactionState::Ongoing => {
                let MachineOutcome { records, then, answer } =
                    self.fence(now, init.id, known, fresh);
                let answer = match answer {
                    Answer::Producer(_) => Answer::Refused(ResponseError::ConcurrentTransactions),
                    answer => answer,
                };
                MachineOutcome { records, then, answer }
            }
            TransactionState::Empty
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => self.init_idle(now, init, known, fresh),
            TransactionState::Dead | TransactionState::PrepareEpochFence => {
                refuse(ResponseError::UnknownServerError)
            }
        }
    }

    fn init_idle(
        &self,
        now: Timestamp,
        init: &Init<'_>,
        known: &Transaction,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        let Init { id, timeout_ms, expected } = *init;
        let is_current = expected.is_none_or(|producer| producer.epoch == known.producer.epoch);
        let next = match fresh {
            _ if !(known.is_exhausted() && is_current) => {
                known.bump_epoch(timeout_ms, expected, now)
            }
            None => return MachineOutcome::answer(Answer::NeedsProducerId),
            Some(fresh) => Ok(known.rotate(fresh, timeout_ms, expected.is_some(), now)),
        };
        match next {
            Err(error) => refuse(error.code()),
            Ok(next) => {
                let producer = next.producer;
                self.write(id, next, Answer::Producer(producer))
            }
        }
    }

    /// Aborts an open transaction under an epoch that its client does not have.
    fn fence(
        &self,
        now: Timestamp,
        id: &str,
        known: &Transaction,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        if self.version >= super::metadata::EPOCH_BUMP_VERSION {
            return self.end_bumping(now, id, known, false, self.version, fresh);
        }
        let mut fenced = known.clone();
        fenced.producer.epoch = known.producer.epoch.saturating_add(1);
        fenced.last_producer_epoch = super::metadata::NO_PRODUCER_EPOCH;
        let end = End { commit: false, client_version: 0, next_producer_id: NO_PRODUCER_ID };
        self.write(id, fenced.prepare(end, now), Answer::Producer(Producer::NONE))
    }

    /// Aborts a transaction that has taken too long, unless it has moved on.
    pub fn abort_overdue(
        &self,
        now: Timestamp,
        id: &str,
        producer: Producer,
        fresh: Option<ProducerId>,
    ) -> MachineOutcome<Answer> {
        match self.get(id) {
            Some(known)
                if known.producer == producer && known.state == TransactionState::Ongoing =>
            {
                self.fence(now, id, known, fresh)
            }
            _ => refuse(ResponseError::ProducerFenced),
        }
    }

    /// Adds partitions to the producer's transaction; the first ones begin it.
    pub fn add_partitions(
        &self,
        now: Timestamp,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        client_version: i16,
    ) -> Result<MachineOutcome> {
        if self.get(id).is_some_and(|known| known.state.is_prepared()) {
            // The client may already have been told that it gets a new producer id.
            return Err(ResponseError::ConcurrentTransactions.into());
        }
        let known = self.of_producer(id, producer)?;
        let is_added = |partition| known.partitions.contains(partition);
        if known.state == TransactionState::Ongoing && partitions.iter().all(is_added) {
            return Ok(MachineOutcome::answer(()));
        }
        let next = known.add(partitions.iter().cloned(), client_version, now);
        Ok(self.write(id, next, ()))
    }

    /// Whether the producer has an open transaction and the partitions are in it, one by one.
    pub fn verify_partitions(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<(), ResponseError>>> {
        let known = self.of_producer(id, producer)?;
        let verify = |partition| match known.partitions.contains(partition) {
            true => Ok(()),
            false => Err(ResponseError::TransactionAbortable),
        };
        Ok(partitions.iter().map(verify).collect())
    }

    fn of_producer(&self, id: &str, producer: Producer) -> Result<&Transaction, ResponseError> {
        match self.get(id) {
            None => Err(ResponseError::InvalidProducerIdMapping),
            Some(known) if known.producer.id != producer.id => {
                Err(ResponseError::InvalidProducerIdMapping)
            }
            Some(known) if known.producer.epoch != producer.epoch => {
                Err(ResponseError::ProducerFenced)
            }
            Some(known) if known.state.is_prepared() => Err(ResponseError::ConcurrentTransactions),
            Some(known) => Ok(known),
        }
    }

    /// Answers `ticket` once the transaction of `id` is not prepared, which means that its markers
    /// are written.
    pub fn wait_for_markers(&mut self, id: &str, ticket: Ticket) -> MachineOutcome {
        match self.transactions.get_key_value(id) {
            Some((id, known)) if known.state.is_prepared() => {
                self.waiting.entry(id.clone()).or_default().push(ticket);
            }
            _ => self.ready.push(ticket),
        }
        MachineOutcome::answer(())
    }

    /// The work that there is. It belongs to the caller once it calls `take`.
    pub fn jobs(&self) -> Vec<Job> {
        let find = |id: &TransactionalId| Some((id.clone(), self.transactions.get(id)?));
        let finish = self.unmarked.iter().filter_map(find);
        let finish = finish.map(|(id, transaction)| Job::Finish(id, transaction.clone()));
        let abort = self.overdue.iter().filter_map(find);
        finish.chain(abort.map(|(id, transaction)| Job::Abort(id, transaction.producer))).collect()
    }

    /// Notes that the caller does `jobs`.
    pub fn take(&mut self, jobs: &[Job]) {
        for job in jobs {
            match job {
                Job::Finish(id, _) => self.unmarked.remove(id),
                Job::Abort(id, _) => self.overdue.remove(id),
            };
        }
    }

    /// Notes that partitions of a prepared transaction have their marker or were deleted. After the
    /// last one the transaction is complete.
    pub fn markers_written(
        &mut self,
        now: Timestamp,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> MachineOutcome {
        let Some(known) = self.transactions.get_mut(id) else { return MachineOutcome::answer(()) };
        if known.producer != producer || !known.state.is_prepared() {
            return MachineOutcome::answer(());
        }
        for partition in partitions {
            known.partitions.remove(partition);
        }
        if !known.partitions.is_empty() {
            return MachineOutcome::answer(());
        }
        let next = known.complete(now);
        self.write(id, next, ())
    }

    fn set_next_abort(&mut self, now: Timestamp) {
        let interval_ms =
            self.config.get().transaction_abort_timed_out_transaction_cleanup_interval_ms;
        self.next_abort = Some(now + i64::from(interval_ms));
    }

    fn set_next_expiration(&mut self, now: Timestamp) {
        let interval_ms =
            self.config.get().transaction_remove_expired_transaction_cleanup_interval_ms;
        self.next_expiration = Some(now + i64::from(interval_ms));
    }

    fn find_overdue(&mut self, now: Timestamp) {
        let is_overdue = |transaction: &Transaction| {
            // A transaction in a two-phase commit may take as long as it likes.
            transaction.state == TransactionState::Ongoing
                && transaction.timeout_ms != i32::MAX
                && transaction.started + i64::from(transaction.timeout_ms) < now
        };
        let overdue = self.transactions.iter().filter(|(_, transaction)| is_overdue(transaction));
        self.overdue.extend(overdue.map(|(id, _)| id.clone()));
    }

    fn expire_ids(&self, now: Timestamp) -> MachineOutcome {
        let expired_at = now - i64::from(self.config.get().transactional_id_expiration_ms);
        let expired = self.transactions.iter().filter(|(_, transaction)| {
            transaction.state.is_idle() && transaction.updated <= expired_at
        });
        let tombstones = expired.map(|(id, _)| Record { id: id.clone(), value: None });
        MachineOutcome::replay_in_parts(tombstones.collect(), ())
    }
}

/// An error, with nothing to write.
pub(super) fn refuse(error: ResponseError) -> MachineOutcome<Answer> {
    MachineOutcome::answer(Answer::Refused(error))
}

impl StateMachine for Machine {
    const NAME: &'static str = "transaction coordinator";
    const LOSS: &'static str = "the transactional ids in it are then forgotten, and transactions that are \
                                open have to be aborted with kafka-transactions.sh";
    type Record = Record;
    type Then = ();
    type Parked = ();

    fn compression(&self) -> Compression {
        Compression::Uncompressed
    }

    fn encode(record: &Record) -> Result<(Bytes, Option<Bytes>)> {
        record.encode()
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>> {
        Record::decode(key, value)
    }

    fn replay(&mut self, _: Offset, _: ProducerId, record: &Record) {
        self.overdue.remove(&record.id);
        let is_prepared =
            record.value.as_ref().is_some_and(|(_, transaction)| transaction.state.is_prepared());
        if !is_prepared {
            self.ready.extend(self.waiting.remove(&record.id).into_iter().flatten());
        }
        match &record.value {
            None => {
                self.unmarked.remove(&record.id);
                self.transactions.remove(&record.id);
            }
            Some((_, transaction)) => {
                match is_prepared {
                    true => self.unmarked.insert(record.id.clone()),
                    false => self.unmarked.remove(&record.id),
                };
                self.transactions.insert(record.id.clone(), transaction.clone());
            }
        }
    }

    /// No transaction writes to this topic.
    fn replay_end_transaction(&mut self, _: ProducerId, _: bool) {}

    fn apply(&mut self, image: &Arc<Image>) {
        self.version = image.feature(TRANSACTION_VERSION);
    }

    fn loaded(&mut self, now: Timestamp) {
        self.set_next_abort(now);
        self.set_next_expiration(now);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.next_abort.into_iter().chain(self.next_expiration).min()
    }

    fn expire(&mut self, now: Timestamp) -> Option<MachineOutcome> {
        if self.next_abort.is_some_and(|due| due <= now) {
            self.set_next_abort(now);
            self.find_overdue(now);
        }
        if self.next_expiration.is_some_and(|due| due <= now) {
            self.set_next_expiration(now);
            return Some(self.expire_ids(now));
        }
        None
    }

    fn has_work(&self) -> bool {
        !self.unmarked.is_empty() || !self.overdue.is_empty()
    }

    fn take_answers(&mut self) -> Vec<(Ticket, ())> {
        self.ready.drain(..).map(|ticket| (ticket, ())).collect()
    }

    fn complete(&mut self, _: Timestamp, (): (), _: Result<(), ResponseError>) {}
}
