//! What the runtime asks of a coordinator, and what an operation of it leaves behind: records to
//! append, what to do once they are in the log, and answers (CoordinatorShard, CoordinatorResult).

use super::Ticket;
use crate::config::Compression;
use crate::error::Result;
use crate::metadata::Image;
use crate::types::{Offset, ProducerId, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::fmt::Debug;
use std::sync::Arc;

/// One partition of a coordinator's topic, as a state machine that takes the time as an argument
/// and does no I/O. Its operations change soft state only, and answer with an [`Outcome`].
pub trait StateMachine: Debug + Send + Sized + 'static {
    /// Whose state this is, for the log of the broker.
    const NAME: &'static str;
    /// A record of its topic.
    type Record: Debug;
    /// What other than a replay may follow an append.
    type Then: Debug;
    /// An answer to a request that may have waited.
    type Parked: Debug + Send;

    /// How its batches are compressed.
    fn compression(&self) -> Compression;

    /// Key and value as bytes. Fails if a client gave us a string that the format cannot hold.
    fn encode(record: &Self::Record) -> Result<(Bytes, Option<Bytes>)>;

    /// Reads a record back; None if its type is newer than this broker. A known one that cannot
    /// be read is an error, because state would silently be lost (as in Kafka, the load fails).
    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Self::Record>>;

    /// Changes the state as the record at `offset` says, in the log's order. `producer` is that of
    /// a transactional batch, or `NO_PRODUCER_ID`.
    fn replay(&mut self, offset: Offset, producer: ProducerId, record: &Self::Record);

    /// A transaction marker of `producer`.
    fn replay_end_transaction(&mut self, producer: ProducerId, committed: bool);

    /// The metadata moved on to `image`.
    fn apply(&mut self, image: &Arc<Image>);

    /// All that was in the log has been replayed.
    fn loaded(&mut self, now: Timestamp);

    /// When `expire` has something to do.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// Does what the earliest timer that is due asks for; None if none is.
    fn expire(&mut self, now: Timestamp) -> Option<Outcome<Self::Record, Self::Then>>;

    /// Whether somebody else has to do something now, who waits in `Slot::wait_for_work`.
    fn has_work(&self) -> bool {
        false
    }

    /// The answers that have become ready.
    fn take_answers(&mut self) -> Vec<(Ticket, Self::Parked)>;

    /// The records before `then` are in the log, or could not be written.
    fn complete(&mut self, now: Timestamp, then: Self::Then, appended: Result<(), ResponseError>);
}

/// What an operation asks for. The records, of type `R`, go into the log as one batch, then `then`
/// is done, and `answer` may leave when the high watermark is past the batch.
#[derive(Debug)]
pub struct Outcome<R, T, A = ()> {
    /// In order; none if the operation only looked.
    pub records: Vec<R>,
    /// How the state follows.
    pub then: Completion<T>,
    /// For who asked.
    pub answer: A,
}

/// What follows an append.
#[derive(Debug)]
pub enum Completion<T> {
    /// The records are replayed; if they could not be appended nothing has happened.
    Replay,
    /// As `Replay`, but the records do not belong together and may go into several batches.
    ReplayInParts,
    /// As `Replay`, and then the state machine does something, whether or not they could be
    /// appended.
    ReplayThen(T),
    /// The state machine goes on by itself, whether or not they could be appended.
    Then(T),
}

impl<R, T, A> Outcome<R, T, A> {
    /// Nothing to write.
    pub fn answer(answer: A) -> Outcome<R, T, A> {
        Outcome { records: Vec::new(), then: Completion::Replay, answer }
    }

    /// Records that change the state as they would when the log is loaded.
    pub fn replay(records: Vec<R>, answer: A) -> Outcome<R, T, A> {
        Outcome { records, then: Completion::Replay, answer }
    }

    /// As `replay`, for records that do not belong together and may go into several batches.
    pub fn replay_in_parts(records: Vec<R>, answer: A) -> Outcome<R, T, A> {
        Outcome { records, then: Completion::ReplayInParts, answer }
    }

    /// The outcome of a part of a state machine as one of the whole, which knows more that may
    /// follow.
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
    /// Lets `machine` follow what became of `records`: they are in the log from `Ok` on, or could
    /// not be written. `producer` is whose transaction they belong to, or `NO_PRODUCER_ID`.
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
