//! The interface between the runtime and a coordinator. An operation returns records to append,
//! what to do once they are in the log, and answers (CoordinatorShard, CoordinatorResult).

use super::Ticket;
use crate::config::Compression;
use crate::error::Result;
use crate::metadata::Image;
use crate::types::{Offset, ProducerId, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::fmt::Debug;
use std::sync::Arc;

/// One partition of a coordinator's topic, as a state machine that is given the time and does no
/// I/O. Its operations return an [`Outcome`] and change only state that is not in the log.
pub trait StateMachine: Debug + Send + Sized + 'static {
    /// The coordinator's name, for the broker's log.
    const NAME: &'static str;
    /// What happens if its partition is lost, for the operator.
    const LOSS: &'static str;
    /// A record of its topic.
    type Record: Debug;
    /// What may follow an append besides a replay.
    type Then: Debug;
    /// The answer to a request that may have waited.
    type Parked: Debug + Send;

    /// How its batches are compressed.
    fn compression(&self) -> Compression;

    /// Encodes a record as key and value. Fails if a client sent a string that the format cannot
    /// hold.
    fn encode(record: &Self::Record) -> Result<(Bytes, Option<Bytes>)>;

    /// Decodes a record; None if its type is newer than this broker. A known record that cannot be
    /// read is an error and stops the load, as in Kafka, because state would be lost silently.
    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Self::Record>>;

    /// Changes the state as the record at `offset` says. Records come in the log's order.
    /// `producer` is the producer of a transactional batch, or `NO_PRODUCER_ID`.
    fn replay(&mut self, offset: Offset, producer: ProducerId, record: &Self::Record);

    /// Ends the transaction of `producer`, as a marker in the log says.
    fn replay_end_transaction(&mut self, producer: ProducerId, committed: bool);

    /// Takes a new image of the metadata.
    fn apply(&mut self, image: &Arc<Image>);

    /// Called once the whole log has been replayed.
    fn loaded(&mut self, now: Timestamp);

    /// When `expire` has something to do next.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// Fires the earliest timer that is due; None if none is.
    fn expire(&mut self, now: Timestamp) -> Option<Outcome<Self::Record, Self::Then>>;

    /// Whether there is something to do now for whoever waits in `Slot::wait_for_work`.
    fn has_work(&self) -> bool {
        false
    }

    /// Takes the answers that have become ready.
    fn take_answers(&mut self) -> Vec<(Ticket, Self::Parked)>;

    /// Goes on after an append: `appended` says whether the records before `then` are in the log.
    fn complete(&mut self, now: Timestamp, then: Self::Then, appended: Result<(), ResponseError>);
}

/// The result of an operation. Its records, of type `R`, are appended as one batch; then `then` is
/// done; and `answer` may be sent when the high watermark has passed the batch.
#[derive(Debug)]
pub struct Outcome<R, T, A = ()> {
    /// The records in order; empty if the operation only reads.
    pub records: Vec<R>,
    /// How the state changes after the append.
    pub then: Completion<T>,
    /// The answer to the request.
    pub answer: A,
}

/// What follows an append.
#[derive(Debug)]
pub enum Completion<T> {
    /// The records are replayed. If the append failed, nothing happens.
    Replay,
    /// Like `Replay`, but the records are independent and may be appended in several batches.
    ReplayInParts,
    /// Like `Replay`; then `complete` is called, whether or not the append succeeded.
    ReplayThen(T),
    /// Nothing is replayed; `complete` is called, whether or not the append succeeded.
    Then(T),
}

impl<R, T, A> Outcome<R, T, A> {
    /// An answer without records.
    pub fn answer(answer: A) -> Outcome<R, T, A> {
        Outcome { records: Vec::new(), then: Completion::Replay, answer }
    }

    /// Records that change the state in the same way as when the log is loaded.
    pub fn replay(records: Vec<R>, answer: A) -> Outcome<R, T, A> {
        Outcome { records, then: Completion::Replay, answer }
    }

    /// Like `replay`, for independent records that may be appended in several batches.
    pub fn replay_in_parts(records: Vec<R>, answer: A) -> Outcome<R, T, A> {
        Outcome { records, then: Completion::ReplayInParts, answer }
    }

    /// Turns the outcome of a part of a state machine into one of the whole machine.
    pub fn map_then<U>(self, widen: impl FnOnce(T) -> U) -> Outcome<R, U, A> {
        let then = match self.then {
            Completion::Replay => Completion::Replay,
            Completion::ReplayInParts => Completion::ReplayInParts,
            Completion::ReplayThen(then) => Completion::ReplayThen(widen(then)),
            Completion::Then(then) => Completion::Then(widen(then)),
        };
        Outcome { records: self.records, then, answer: self.answer }
    }
}

impl<T> Completion<T> {
    /// Lets `machine` follow an append. `appended` is the offset of the first record, or why the
    /// append failed. `producer` is the producer whose transaction the records belong to, or
    /// `NO_PRODUCER_ID`.
    pub fn follow<M: StateMachine<Then = T>>(
        self,
        machine: &mut M,
        now: Timestamp,
        producer: ProducerId,
        records: &[M::Record],
        appended: Result<Offset, ResponseError>,
    ) {
        let replays = !matches!(self, Completion::Then(_));
        if let (true, Ok(base)) = (replays, appended) {
            for (record, offset) in records.iter().zip(base..) {
                machine.replay(offset, producer, record);
            }
        }
        if let Completion::Then(then) | Completion::ReplayThen(then) = self {
            machine.complete(now, then, appended.map(drop));
        }
    }
}
