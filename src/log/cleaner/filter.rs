//! Decides which batches and records stay (Cleaner.cleanInto, MemoryRecords.filterTo).

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::error::Result;
use crate::log::producer_state::LastRecord;
use crate::record::{Batch, Record};
use crate::types::{Offset, ProducerId, Timestamp};
use std::collections::HashMap;

/// The largest decompressed batch that is filtered, in bytes.
pub(super) const MAX_DECODED_BYTES: usize = 1 << 30;

/// What decides about the batches of a group of segments.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    pub map: &'a OffsetMap,
    pub transactions: &'a mut CleanedTransactions,
    /// The last record of each producer that the log remembers.
    pub last_records: HashMap<ProducerId, LastRecord>,
    /// The offset before which the pass ends.
    pub end: Offset,
    pub now: Timestamp,
    /// `delete.retention.ms` of the topic.
    pub delete_retention_ms: i64,
}

impl Filter<'_> {
    /// The part of `batch` that stays; None if nothing does.
    pub fn apply(&mut self, batch: Batch) -> Result<Option<Batch>> {
        let is_control = batch.is_control();
        let can_discard = if is_control {
            self.transactions.on_control_batch(&batch)?
        } else {
            self.transactions.on_batch(&batch)
        };
        // A marker stays for `delete.retention.ms` after the last record of its transaction is
        // gone.
        let discard = can_discard && (!is_control || self.is_due(&batch));
        let keep_empty = self.is_last_of_producer(&batch) || batch.next_offset() == self.end;
        let records = if discard { Vec::new() } else { self.retained(&batch)? };
        if records.is_empty() {
            return Ok(keep_empty.then(|| batch.without_records()));
        }
        let can_go_later = (is_control && can_discard) || records.iter().any(is_tombstone);
        let is_horizon_new = can_go_later && batch.delete_horizon_ms().is_none();
        if records.len() == batch.count() as usize && !is_horizon_new {
            return Ok(Some(batch));
        }
        let horizon = if is_horizon_new {
            self.now.checked_add(self.delete_retention_ms)
        } else {
            batch.delete_horizon_ms()
        };
        batch.with_records(&records, horizon).map(Some)
    }

    fn is_due(&self, batch: &Batch) -> bool {
        batch.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now)
    }

    /// Whether this batch must stay because it holds the last sequence number of a known producer,
    /// or the epoch of one that has only a marker.
    fn is_last_of_producer(&self, batch: &Batch) -> bool {
        let last = self.last_records.get(&batch.producer_id());
        batch.has_producer_id()
            && last.is_some_and(|last| match last.data_offset {
                Some(offset) => batch.last_offset() == offset,
                None => batch.is_control() && batch.producer_epoch() == last.producer_epoch,
            })
    }

    fn retained(&self, batch: &Batch) -> Result<Vec<Record>> {
        let keeps_tombstones = !self.is_due(batch);
        let mut retained = Vec::new();
        for record in batch.iter(MAX_DECODED_BYTES)? {
            let record = record?;
            if batch.is_control() || self.retains(&record, keeps_tombstones) {
                retained.push(record);
            }
        }
        Ok(retained)
    }

    fn retains(&self, record: &Record, keeps_tombstones: bool) -> bool {
        if record.offset > self.map.latest() {
            return true;
        }
        // A record without a key cannot be looked up; compacted topics accept none.
        let Some(key) = record.key.as_deref() else { return false };
        let is_latest = self.map.get(key).is_none_or(|latest| record.offset >= latest);
        is_latest && (keeps_tombstones || !is_tombstone(record))
    }
}

fn is_tombstone(record: &Record) -> bool {
    record.value.is_none()
}
