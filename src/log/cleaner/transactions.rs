//! Follows the transactions in a log, so that a pass can drop aborted records and markers
//! (CleanedTransactionMetadata).

use crate::error::Result;
use crate::log::transaction_index::AbortedTransaction;
use crate::record::Batch;
use crate::types::{Offset, ProducerId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The largest decoded size of a control batch, in bytes.
const CONTROL_BYTES: usize = 1 << 20;
/// The types of a control record that ends a transaction.
const ABORT: [u8; 2] = [0, 0];
const COMMIT: [u8; 2] = [0, 1];

/// An aborted transaction that has begun at the current position.
#[derive(Debug)]
struct Aborting {
    transaction: AbortedTransaction,
    has_batches: bool,
}

/// The transactions that are open at the current position of a pass.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Producers with a batch in a transaction that is not aborted.
    committing: HashSet<ProducerId>,
    aborting: HashMap<ProducerId, Aborting>,
    /// Aborted transactions that begin later.
    upcoming: BTreeMap<(Offset, ProducerId), AbortedTransaction>,
    /// Aborted transactions whose markers stay, for the transaction index.
    kept: Vec<AbortedTransaction>,
}

impl CleanedTransactions {
    /// Adds the aborted transactions of the segment that is read next.
    pub fn add(&mut self, aborted: Vec<AbortedTransaction>) {
        let key = |t: &AbortedTransaction| (t.first_offset, t.producer_id);
        self.upcoming.extend(aborted.into_iter().map(|aborted| (key(&aborted), aborted)));
    }

    /// Passes a control batch. Returns whether it can go because no batch of its transaction is
    /// left.
    pub fn on_control_batch(&mut self, batch: &Batch) -> Result<bool> {
        self.begin_up_to(batch.last_offset());
        let producer_id = batch.producer_id();
        let Some(record) = batch.iter(CONTROL_BYTES)?.next().transpose()? else {
            // The batch was emptied before.
            return Ok(true);
        };
        let kind = record.key.as_deref().and_then(|key| key.get(2..)?.first_chunk());
        Ok(match kind {
            Some(&ABORT) => match self.aborting.remove(&producer_id) {
                Some(Aborting { transaction, has_batches: true }) => {
                    self.kept.push(transaction);
                    false
                }
                _ => true,
            },
            Some(&COMMIT) => !self.committing.remove(&producer_id),
            _ => false,
        })
    }

    /// Passes a batch of records. Returns whether it belongs to an aborted transaction.
    pub fn on_batch(&mut self, batch: &Batch) -> bool {
        self.begin_up_to(batch.last_offset());
        if !batch.is_transactional() {
            return false;
        }
        match self.aborting.get_mut(&batch.producer_id()) {
            Some(aborting) => {
                aborting.has_batches = true;
                true
            }
            None => {
                self.committing.insert(batch.producer_id());
                false
            }
        }
    }

    /// Takes the aborted transactions whose markers were kept since the last call.
    pub fn take_kept(&mut self) -> Vec<AbortedTransaction> {
        std::mem::take(&mut self.kept)
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(entry) = self.upcoming.first_entry()
            && entry.key().0 <= offset
        {
            let transaction = entry.remove();
            let aborting = Aborting { transaction, has_batches: false };
            self.aborting.entry(transaction.producer_id).or_insert(aborting);
        }
    }
}
