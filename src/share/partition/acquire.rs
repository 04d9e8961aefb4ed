//! What a member gets of the records that were read.

use super::runs::{Run, State};
use super::{SharePartition, ShareSettings};
use crate::types::{Offset, Timestamp};
use std::sync::Arc;

/// How `max_records` is meant (KIP-1206).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireMode {
    /// As the number after which the next batch of the log is not begun.
    BatchOptimized,
    /// As the most records.
    RecordLimit,
}

/// What a share fetch asks of a partition.
#[derive(Clone, Copy, Debug)]
pub struct AcquireRequest<'a> {
    /// Who asks.
    pub member: &'a Arc<str>,
    /// How many records it wants.
    pub max_records: i32,
    /// How many records it would like in one range.
    pub batch_size: i32,
    /// How `max_records` is meant.
    pub mode: AcquireMode,
}

/// What was read for a share fetch.
#[derive(Clone, Copy, Debug)]
pub struct ReadBatches<'a> {
    /// Where the read began: an earlier `next_fetch_offset`.
    pub from: Offset,
    /// The first and last offsets of the batches, in order. The log has nothing between them.
    pub batches: &'a [(Offset, Offset)],
    /// The first and last offsets of batches that the group must not see because their transaction
    /// was aborted.
    pub aborted: &'a [(Offset, Offset)],
}

/// Records that a member has acquired (AcquiredRecords).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// The offset of the first one.
    pub first: Offset,
    /// The offset of the last one.
    pub last: Offset,
    /// How often they were delivered, this time included.
    pub deliveries: i16,
}

impl SharePartition {
    /// Lends records that were read to a member until its lock ends. Others may have them by now,
    /// so there may be none left.
    pub fn acquire(
        &mut self,
        asked: &AcquireRequest,
        seen: &ReadBatches,
        now: Timestamp,
    ) -> Vec<Acquired> {
        let mut acquired = Vec::new();
        let (Some((base, _)), Some((_, last))) = (seen.batches.first(), seen.batches.last()) else {
            return acquired;
        };
        if asked.max_records <= 0 || seen.from > self.end {
            return acquired;
        }
        self.skip(seen.from, base - 1);
        let added = self.add_new(asked, seen, *base, *last);
        for (first, last) in seen.aborted {
            self.skip(*first, *last);
        }
        let mut left = i64::from(asked.max_records);
        let mut next = *base;
        while left > 0
            && let Some((first, run)) = self.runs.available_within(next, *last)
        {
            let together = self.settings.most_together(run);
            if together.is_some() && !acquired.is_empty() {
                break;
            }
            let most = together.unwrap_or(left).min(left);
            let mut end = first + most - 1;
            if together.is_none() && asked.mode == AcquireMode::BatchOptimized {
                end = end_of_batch(seen.batches, end);
            }
            let end = end.min(run.last).min(*last);
            self.lend(first, end, asked, seen.batches, now, &mut acquired);
            left -= end - first + 1;
            next = end + 1;
            if together.is_some() {
                break;
            }
        }
        if let Some(first) = added.and_then(|added| self.runs.drop_unused(added)) {
            self.end = first;
        }
        self.advance();
        acquired
    }

    /// Makes the records beyond the end available, as far as there is room. Returns the first one.
    fn add_new(
        &mut self,
        asked: &AcquireRequest,
        seen: &ReadBatches,
        base: Offset,
        last: Offset,
    ) -> Option<Offset> {
        let first = base.max(self.end);
        if first > last || self.room() <= 0 {
            return None;
        }
        let mut end = first + self.room() - 1;
        if asked.mode == AcquireMode::BatchOptimized {
            end = end_of_batch(seen.batches, end);
        }
        let end = end.min(last);
        self.runs.add(first, Run::new(first, end, State::Available, 0));
        self.end = end + 1;
        Some(first)
    }

    /// Archives available records that nobody is to get. This is not written: whoever reads there
    /// next finds out again.
    fn skip(&mut self, first: Offset, last: Offset) {
        self.runs.change(first, last, |_, run| {
            if run.is_available() {
                run.state = State::Archived;
                run.settle();
            }
        });
    }

    /// Lends the available records from `first` to `last`, which are of one run.
    fn lend(
        &mut self,
        first: Offset,
        last: Offset,
        asked: &AcquireRequest,
        batches: &[(Offset, Offset)],
        now: Timestamp,
        acquired: &mut Vec<Acquired>,
    ) {
        let size = match asked.mode {
            AcquireMode::BatchOptimized => i64::from(asked.batch_size.max(1)),
            AcquireMode::RecordLimit => i64::MAX,
        };
        let deadline = now + i64::from(self.settings.lock_duration_ms);
        for (first, last) in ranges(first, last, batches, size) {
            self.runs.change(first, last, |first, run| {
                if run.deliveries == 0 {
                    run.together = Run::new(first, run.last, State::Available, 0).together;
                }
                run.state = State::Acquired;
                run.deliveries = run.deliveries.saturating_add(1);
                run.member = Some(Arc::clone(asked.member));
                run.deadline = deadline;
                acquired.push(Acquired { first, last: run.last, deliveries: run.deliveries });
            });
        }
    }
}

impl ShareSettings {
    /// How many records of a run may be delivered at once, and nothing besides, because one of them
    /// may be what makes members fail: fewer with each delivery, and the last time one alone.
    fn most_together(&self, run: &Run) -> Option<i64> {
        let limit = self.delivery_count_limit;
        let calm = ((limit + 1) / 2).max(2);
        if run.deliveries < calm {
            return None;
        }
        let halvings = (run.deliveries - calm + 1) as u32;
        let most = run.together.checked_shr(halvings).unwrap_or(0).max(1);
        Some(if run.deliveries >= limit - 1 { 1 } else { i64::from(most) })
    }
}

/// The last offset of the batch that contains `offset`; `offset` itself if none does.
fn end_of_batch(batches: &[(Offset, Offset)], offset: Offset) -> Offset {
    let after = batches.partition_point(|(first, _)| *first <= offset);
    match after.checked_sub(1).and_then(|index| batches.get(index)) {
        Some((_, last)) => offset.max(*last),
        None => offset,
    }
}

/// Divides the records from `first` to `last` where a batch begins and at least `size` came before.
fn ranges(
    mut first: Offset,
    last: Offset,
    batches: &[(Offset, Offset)],
    size: i64,
) -> Vec<(Offset, Offset)> {
    let mut ranges = Vec::new();
    for (base, _) in batches {
        if *base > last {
            break;
        }
        if *base - first >= size {
            ranges.push((first, *base - 1));
            first = *base;
        }
    }
    ranges.push((first, last));
    ranges
}
