//! Runs of offsets whose records are in the same state of delivery, and how they are combined
//! (PersisterStateBatchCombiner).

use crate::types::Offset;
use std::slice::Iter;

/// Offsets whose records are in the same state of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryBatch {
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// The state: only the leader of the share partition knows what it means.
    pub state: i8,
    /// How often the records have been delivered.
    pub count: i16,
}

impl DeliveryBatch {
    /// Whether these are offsets of a log, in order.
    pub fn is_valid(&self) -> bool {
        0 <= self.first && self.first <= self.last && self.last < Offset::MAX
    }

    /// The more often records have been delivered, the newer is what is said of them.
    fn rank(&self) -> (i16, i8) {
        (self.count, self.state)
    }

    /// What is left after the offset `last`.
    fn after(self, last: Offset) -> Option<DeliveryBatch> {
        let first = self.first.max(last + 1);
        (first <= self.last).then_some(DeliveryBatch { first, ..self })
    }
}

/// Batches in the order of their offsets. They do not overlap, and what could be one batch is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryBatches(Vec<DeliveryBatch>);

impl DeliveryBatches {
    /// Combines batches that may overlap and have any order; those that are not valid cover nothing.
    pub fn combine(batches: &[DeliveryBatch]) -> DeliveryBatches {
        match batches {
            [] => DeliveryBatches::default(),
            [batch] => DeliveryBatches(batch.is_valid().then_some(*batch).into_iter().collect()),
            _ => {
                let (some, others) = batches.split_at(batches.len() / 2);
                DeliveryBatches::combine(some).merge(&DeliveryBatches::combine(others))
            }
        }
    }

    /// Combines both. Where they overlap, the batch of the higher rank counts.
    pub fn merge(&self, others: &DeliveryBatches) -> DeliveryBatches {
        let mut merged = DeliveryBatches(Vec::with_capacity(self.0.len() + others.0.len()));
        let (mut left, mut right) = (self.0.iter().copied(), others.0.iter().copied());
        let (mut a, mut b) = (left.next(), right.next());
        while let (Some(one), Some(other)) = (a, b) {
            let first = one.first.min(other.first);
            let until = |batch: DeliveryBatch| match batch.first == first {
                true => batch.last,
                false => batch.first - 1,
            };
            // Over these offsets neither of them begins or ends.
            let last = until(one).min(until(other));
            let begun = [one, other].into_iter().filter(|batch| batch.first == first);
            if let Some(winner) = begun.max_by_key(DeliveryBatch::rank) {
                merged.push(DeliveryBatch { first, last, ..winner });
            }
            a = one.after(last).or_else(|| left.next());
            b = other.after(last).or_else(|| right.next());
        }
        a.into_iter().chain(left).chain(b).chain(right).for_each(|batch| merged.push(batch));
        merged
    }

    /// Adds a batch behind the others.
    fn push(&mut self, batch: DeliveryBatch) {
        match self.0.last_mut() {
            Some(end) if end.last + 1 == batch.first && end.rank() == batch.rank() => {
                end.last = batch.last;
            }
            _ => self.0.push(batch),
        }
    }

    /// Forgets the offsets before `start`; none if it is negative.
    pub fn forget_before(&mut self, start: Offset) {
        self.0.drain(..self.0.partition_point(|batch| batch.last < start));
        if let Some(batch) = self.0.first_mut() {
            batch.first = batch.first.max(start);
        }
    }

    /// The batches in order.
    pub fn iter(&self) -> Iter<'_, DeliveryBatch> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(&(first, last, count, state): &(i64, i64, i16, i8)) -> DeliveryBatch {
        DeliveryBatch { first, last, state, count }
    }

    #[track_caller]
    fn check(given: &[(i64, i64, i16, i8)], start: Offset, combined: &[(i64, i64, i16, i8)]) {
        let given: Vec<DeliveryBatch> = given.iter().map(batch).collect();
        let mut batches = DeliveryBatches::combine(&given);
        batches.forget_before(start);
        assert_eq!(batches.0, combined.iter().map(batch).collect::<Vec<_>>());
    }

    #[test]
    fn batches_are_combined() {
        check(&[], -1, &[]);
        check(&[(5, 9, 1, 0), (0, 4, 1, 0)], -1, &[(0, 9, 1, 0)]);
        check(&[(0, 4, 1, 0), (5, 9, 1, 2)], -1, &[(0, 4, 1, 0), (5, 9, 1, 2)]);
        check(&[(0, 4, 1, 0), (6, 9, 1, 0)], -1, &[(0, 4, 1, 0), (6, 9, 1, 0)]);
        // The higher count counts, then the higher state, wherever it stands.
        check(&[(0, 9, 2, 0), (3, 5, 1, 2)], -1, &[(0, 9, 2, 0)]);
        check(&[(3, 5, 1, 2), (0, 9, 2, 0)], -1, &[(0, 9, 2, 0)]);
        check(&[(0, 9, 1, 0), (3, 5, 1, 2)], -1, &[(0, 2, 1, 0), (3, 5, 1, 2), (6, 9, 1, 0)]);
        check(&[(0, 9, 1, 0), (0, 5, 2, 0)], -1, &[(0, 5, 2, 0), (6, 9, 1, 0)]);
        check(&[(0, 5, 2, 0), (3, 9, 1, 0)], -1, &[(0, 5, 2, 0), (6, 9, 1, 0)]);
        check(&[(0, 5, 1, 0), (3, 9, 2, 0)], -1, &[(0, 2, 1, 0), (3, 9, 2, 0)]);
        check(&[(0, 9, 1, 4), (0, 9, 1, 2)], -1, &[(0, 9, 1, 4)]);
        check(&[(0, 9, 1, 0), (20, 29, 1, 0), (5, 24, 1, 0)], -1, &[(0, 29, 1, 0)]);
    }

    #[test]
    fn what_lies_before_the_start_is_forgotten() {
        check(&[(0, 4, 1, 0), (5, 9, 1, 2), (10, 14, 1, 0)], 7, &[(7, 9, 1, 2), (10, 14, 1, 0)]);
        check(&[(0, 4, 1, 0)], 5, &[]);
        check(&[(0, 4, 1, 0)], 4, &[(4, 4, 1, 0)]);
        check(&[(5, 9, 1, 0)], 0, &[(5, 9, 1, 0)]);
    }

    #[test]
    fn what_is_not_valid_covers_nothing() {
        let max = i64::MAX;
        check(&[(4, 3, 1, 0), (-1, 3, 1, 0), (0, max, 1, 0), (max, max, 1, 0)], -1, &[]);
        check(&[(9, 0, 7, 0), (0, 9, 1, 0)], -1, &[(0, 9, 1, 0)]);
        check(&[(0, max - 1, 1, 0), (1, max - 1, 2, 0)], -1, &[(0, 0, 1, 0), (1, max - 1, 2, 0)]);
    }

    proptest! {
        #[test]
        fn each_offset_has_the_highest_rank_that_was_said_of_it(
            given in prop::collection::vec((0i64..40, -1i64..12, 0i16..3, 0i8..3), 0..30)
        ) {
            let given: Vec<DeliveryBatch> = given
                .into_iter()
                .map(|(first, more, count, state)| batch(&(first, first + more, count, state)))
                .collect();
            let combined = DeliveryBatches::combine(&given);
            for offset in 0..60 {
                let covers = |batch: &&DeliveryBatch| (batch.first..=batch.last).contains(&offset);
                let highest = given.iter().filter(covers).map(DeliveryBatch::rank).max();
                let found: Vec<_> = combined.iter().filter(covers).map(DeliveryBatch::rank).collect();
                prop_assert_eq!(found, highest.into_iter().collect::<Vec<_>>(), "{}", offset);
            }
            for (one, next) in combined.iter().zip(combined.iter().skip(1)) {
                prop_assert!(one.last < next.first);
                prop_assert!(one.last + 1 < next.first || one.rank() != next.rank());
            }
        }
    }
}
