//! Which batches of a read belong to aborted transactions, for groups with `read_committed`.

use crate::types::{Offset, ProducerId};
use std::collections::BTreeSet;

/// What is known of a batch from its header, and of a control batch from its first record.
#[derive(Clone, Copy, Debug)]
pub struct BatchHead {
    /// The offset of the first record.
    pub first: Offset,
    /// The offset of the last record.
    pub last: Offset,
    /// The producer; -1 if there is none.
    pub producer_id: ProducerId,
    /// Whether it is part of a transaction.
    pub is_transactional: bool,
    /// Whether it ends a transaction by aborting it.
    pub is_abort: bool,
}

/// The first and last offsets of the batches that were aborted. `aborted` are the transactions that
/// reach into the read: producer and first offset.
pub fn aborted_batches(
    batches: &[BatchHead],
    aborted: &[(ProducerId, Offset)],
) -> Vec<(Offset, Offset)> {
    let mut aborted = aborted.to_vec();
    aborted.sort_unstable_by_key(|(_, first)| *first);
    let mut aborted = aborted.into_iter().peekable();
    let mut aborting = BTreeSet::new();
    let mut found = Vec::new();
    for batch in batches {
        while let Some((producer_id, _)) = aborted.next_if(|(_, first)| *first <= batch.last) {
            aborting.insert(producer_id);
        }
        if batch.is_abort {
            aborting.remove(&batch.producer_id);
        } else if batch.is_transactional && aborting.contains(&batch.producer_id) {
            found.push((batch.first, batch.last));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_producer_sends_is_aborted_up_to_its_marker() {
        let batch = |first, last, producer_id| BatchHead {
            first,
            last,
            producer_id,
            is_transactional: producer_id >= 0,
            is_abort: false,
        };
        let abort = |at, producer_id| BatchHead { is_abort: true, ..batch(at, at, producer_id) };
        let idempotent = BatchHead { is_transactional: false, ..batch(8, 9, 1) };
        let batches = [
            batch(0, 1, 1),
            batch(2, 3, 2),
            batch(4, 5, -1),
            batch(6, 7, 1),
            idempotent,
            abort(10, 1),
            batch(11, 12, 1),
            batch(13, 14, 2),
            abort(15, 2),
            batch(16, 17, 1),
        ];
        let found = aborted_batches(&batches, &[(1, 16), (2, 3), (1, 0)]);
        assert_eq!(found, [(0, 1), (2, 3), (6, 7), (13, 14), (16, 17)]);
        assert_eq!(aborted_batches(&batches, &[]), []);
        // The transaction may have begun before the read.
        assert_eq!(aborted_batches(&batches[7..], &[(2, 3)]), [(13, 14)]);
    }
}
