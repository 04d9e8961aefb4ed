//! One producer in a log: its epoch, its last five batches and its open transaction.

use super::{Origin, refused};
use crate::error::{Error, Result};
use crate::log::ActiveProducer;
use crate::record::Batch;
use crate::types::{NO_TIMESTAMP, Offset, ProducerId, Timestamp};
use kafka_protocol::error::ResponseError;

/// The number of batches remembered to recognize retries. A client has at most this many requests
/// in flight.
const BATCHES: usize = 5;
/// No producer epoch is known.
const NO_EPOCH: i16 = -1;
/// No sequence number is known.
const NO_SEQUENCE: i32 = -1;
/// The largest decoded size of a marker's batch, in bytes.
const MARKER_BYTES: usize = 4096;

/// A batch of a producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BatchNote {
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// Last offset minus first offset, and likewise for the sequence numbers.
    pub offset_delta: i32,
    pub timestamp: Timestamp,
}

impl BatchNote {
    fn of(batch: &Batch) -> BatchNote {
        BatchNote {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            timestamp: batch.max_timestamp(),
        }
    }

    fn first_sequence(&self) -> i32 {
        let first = self.last_sequence.wrapping_sub(self.offset_delta);
        // Sequence numbers wrap from i32::MAX to 0.
        if first < 0 { first & i32::MAX } else { first }
    }
}

/// The state of one producer (ProducerStateEntry).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProducerEntry {
    pub epoch: i16,
    pub coordinator_epoch: i32,
    pub last_timestamp: Timestamp,
    pub transaction_start: Option<Offset>,
    batches: [BatchNote; BATCHES],
    count: usize,
}

impl Default for ProducerEntry {
    fn default() -> ProducerEntry {
        ProducerEntry {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            transaction_start: None,
            batches: Default::default(),
            count: 0,
        }
    }
}

impl ProducerEntry {
    fn batches(&self) -> &[BatchNote] {
        &self.batches[..self.count]
    }

    pub fn last_batch(&self) -> Option<&BatchNote> {
        self.batches().last()
    }

    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    pub fn transaction_start(&self) -> Option<Offset> {
        self.transaction_start
    }

    /// Whether a transaction of this epoch is open.
    pub fn has_open_transaction(&self, epoch: i16) -> bool {
        self.transaction_start.is_some() && self.epoch == epoch
    }

    pub fn describe(&self, producer_id: ProducerId) -> ActiveProducer {
        ActiveProducer {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            current_txn_start_offset: self.transaction_start.unwrap_or(-1),
        }
    }

    pub fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.transaction_start.is_none() && now.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    /// The remembered batch with the same epoch and sequence numbers as `batch`.
    pub fn duplicate_of(&self, batch: &Batch) -> Option<BatchNote> {
        let same = |note: &&BatchNote| {
            note.first_sequence() == batch.base_sequence()
                && note.last_sequence == batch.last_sequence()
        };
        if batch.producer_epoch() != self.epoch {
            return None;
        }
        self.batches().iter().find(same).copied()
    }

    pub fn add(&mut self, epoch: i16, note: BatchNote) {
        self.set_epoch(epoch);
        if self.count == BATCHES {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[self.count] = note;
        self.count += 1;
        self.last_timestamp = note.timestamp;
    }

    /// Enters a batch that precedes the known ones.
    pub fn recall(&mut self, batch: &Batch) {
        let is_before = |first: &BatchNote| batch.last_offset() < first.last_offset;
        let is_next = self.batches().first().is_some_and(is_before);
        if is_next && self.count < BATCHES && batch.producer_epoch() == self.epoch {
            self.batches[..=self.count].rotate_right(1);
            self.batches[0] = BatchNote::of(batch);
            self.count += 1;
        }
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.count = 0;
            self.epoch = epoch;
        }
    }

    /// Enters a batch of records. Returns its first offset if it begins a transaction.
    pub fn append(&mut self, batch: &Batch, origin: Origin) -> Result<Option<Offset>> {
        check_epoch(Some(self), batch.producer_id(), batch.producer_epoch(), origin)?;
        if origin == Origin::Client {
            self.check_sequence(batch)?;
        }
        self.add(batch.producer_epoch(), BatchNote::of(batch));
        match (self.transaction_start, batch.is_transactional()) {
            (Some(_), false) if origin != Origin::Replication => Err(refused(
                ResponseError::InvalidTxnState,
                format!("producer {} has an open transaction", batch.producer_id()),
            )),
            (None, true) => {
                self.transaction_start = Some(batch.base_offset());
                Ok(self.transaction_start)
            }
            _ => Ok(None),
        }
    }

    /// Checks a marker's epoch. A marker of transaction version 2 has a higher epoch than the
    /// records. The same marker may come again after its transaction has ended, if its answer was
    /// lost. The largest epoch may end a transaction of its own, because no larger one exists.
    fn check_marker_epoch(&self, batch: &Batch, origin: Origin) -> Result<()> {
        let epoch = batch.producer_epoch();
        let Origin::Marker { transaction_version: 2.. } = origin else {
            return check_epoch(Some(self), batch.producer_id(), epoch, origin);
        };
        let again = self.transaction_start.is_none() || epoch == i16::MAX;
        if epoch > self.epoch || (epoch == self.epoch && again) {
            return Ok(());
        }
        Err(refused(
            ResponseError::InvalidProducerEpoch,
            format!(
                "producer {} ends a transaction with epoch {epoch}, but its last batch had {}: \
                 under transaction.version 2 each transaction has a higher one",
                batch.producer_id(),
                self.epoch
            ),
        ))
    }

    fn check_sequence(&self, batch: &Batch) -> Result<()> {
        let (first, last) = (batch.base_sequence(), self.last_sequence());
        let follows = if self.epoch == NO_EPOCH {
            // An unknown producer may begin anywhere, because its state may have expired.
            true
        } else if batch.producer_epoch() != self.epoch {
            first == 0
        } else {
            i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX)
        };
        if follows {
            return Ok(());
        }
        Err(refused(
            ResponseError::OutOfOrderSequenceNumber,
            format!("producer {} sent sequence number {first} after {last}", batch.producer_id()),
        ))
    }

    /// Enters a marker. Returns the first offset of the transaction that it ends.
    pub fn end_transaction(
        &mut self,
        marker: &Marker,
        batch: &Batch,
        origin: Origin,
    ) -> Result<Option<Offset>> {
        self.check_marker_epoch(batch, origin)?;
        if marker.coordinator_epoch < self.coordinator_epoch && origin != Origin::Replication {
            return Err(refused(
                ResponseError::TransactionCoordinatorFenced,
                format!(
                    "coordinator epoch {} of the marker is older than {}",
                    marker.coordinator_epoch, self.coordinator_epoch
                ),
            ));
        }
        self.set_epoch(batch.producer_epoch());
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = marker.timestamp;
        Ok(self.transaction_start.take())
    }
}

/// INVALID_PRODUCER_EPOCH if a newer epoch is known, unless another leader already accepted the
/// batch.
pub(super) fn check_epoch(
    known: Option<&ProducerEntry>,
    producer_id: ProducerId,
    epoch: i16,
    origin: Origin,
) -> Result<()> {
    let last_epoch = known.map_or(NO_EPOCH, |entry| entry.epoch);
    if epoch >= last_epoch || origin == Origin::Replication {
        return Ok(());
    }
    Err(refused(
        ResponseError::InvalidProducerEpoch,
        format!("producer {producer_id} sent epoch {epoch} after {last_epoch}"),
    ))
}

/// The record of a control batch that ends a transaction (EndTransactionMarker). Its key is
/// `version i16, type i16` (0 abort, 1 commit), its value `version i16, coordinator epoch i32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub abort: bool,
    pub coordinator_epoch: i32,
    pub timestamp: Timestamp,
}

impl Marker {
    /// Decodes the marker in `batch`; None if compaction has emptied the batch.
    pub fn decode(batch: &Batch) -> Result<Option<Marker>> {
        let records = batch.records(MARKER_BYTES)?;
        let Some(record) = records.first() else { return Ok(None) };
        let kind = record.key.as_deref().and_then(|key| key.get(2..4));
        let epoch = record.value.as_deref().and_then(|value| value.get(2..6));
        let (abort, epoch) = match (kind, epoch) {
            (Some([0, 0]), Some(epoch)) => (true, epoch),
            (Some([0, 1]), Some(epoch)) => (false, epoch),
            _ => {
                return Err(Error::corrupt(format!(
                    "transaction marker at offset {}: it neither commits nor aborts",
                    batch.base_offset()
                )));
            }
        };
        let coordinator_epoch = i32::from_be_bytes(epoch.try_into().expect("cut to four bytes"));
        Ok(Some(Marker { abort, coordinator_epoch, timestamp: record.timestamp }))
    }
}
