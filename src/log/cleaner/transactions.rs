//! What a pass must know of transactions to drop aborted records and markers
//! (CleanedTransactionMetadata).

use crate::error::Result;
use crate::log::transaction_index::AbortedTransaction;
use crate::record::Batch;
use crate::types::{Offset, ProducerId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The largest decoded size of a control batch.
const CONTROL_BYTES: usize = 1 << 20;
/// Types of a control record that end a transaction.
const ABORT: [u8; 2] = [0, 0];
const COMMIT: [u8; 2] = [0, 1];

/// An aborted transaction that the pass is in the middle of.
#[derive(Debug)]
struct Aborting {
    transaction: AbortedTransaction,
    has_batches: bool,
}

/// The open transactions at the place that a pass has come to.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Producers with a batch of a transaction that is not aborted.
    committing: HashSet<ProducerId>,
    aborting: HashMap<ProducerId, Aborting>,
    /// Aborted ones that begin later.
    upcoming: BTreeMap<(Offset, ProducerId), AbortedTransaction>,
    /// Aborted ones whose marker stays, for the transaction index.
    kept: Vec<AbortedTransaction>,
}

impl CleanedTransactions {
    /// Tells of the aborted transactions of the segment that is read next.
    pub fn add(&mut self, aborted: Vec<AbortedTransaction>) {
        let key = |t: &AbortedTransaction| (t.first_offset, t.producer_id);
        self.upcoming.extend(aborted.into_iter().map(|aborted| (key(&aborted), aborted)));
    }

    /// Passes a control batch; answers whether it may go: no batch of its transaction is left.
    pub fn on_control_batch(&mut self, batch: &Batch) -> Result<bool> {
        self.begin_up_to(batch.last_offset());
        let producer_id = batch.producer_id();
        let Some(record) = batch.iter(CONTROL_BYTES)?.next().transpose()? else {
            // Emptied before.
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

    /// Passes a batch of records; answers whether it is of an aborted transaction.
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

    /// The aborted transactions whose markers were kept since the last call.
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
