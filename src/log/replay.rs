//! Rebuilds producer state from the log's batches.

use super::producer_state::ProducerStates;
use super::segment::{Lookup, Segment};
use super::transaction_index::AbortedTransaction;
use super::{Origin, Verification, put_off};
use crate::disk::Access;
use crate::error::Result;
use crate::record::Batch;
use crate::types::{Offset, Timestamp};

/// Enters an accepted batch into the producer state. Returns the aborted transactions that end with
/// it.
pub(super) fn replay_producers(
    producers: &mut ProducerStates,
    batch: &Batch,
) -> Result<Vec<AbortedTransaction>> {
    let mut aborted = Vec::new();
    if batch.has_producer_id() {
        let staged = producers.check(
            std::slice::from_ref(batch),
            Origin::Replication,
            Verification::NotNeeded,
        )?;
        for completed in producers.commit(staged) {
            let last_stable_offset = producers.complete(&completed);
            aborted.extend(completed.aborted.then_some(AbortedTransaction {
                producer_id: completed.producer_id,
                first_offset: completed.first_offset,
                last_offset: completed.last_offset,
                last_stable_offset,
            }));
        }
    }
    producers.set_end(batch.next_offset());
    Ok(aborted)
}

/// Brings the producer state to `end_offset`: loads the latest snapshot, then reads the log. Writes
/// the snapshots that Kafka would have there (UnifiedLog.rebuildProducerState).
pub(super) fn rebuild_producers(
    producers: &mut ProducerStates,
    segments: &[Segment],
    log_start_offset: Offset,
    end_offset: Offset,
    now: Timestamp,
    clean: bool,
) -> Result<()> {
    let last_two = &segments[segments.len().saturating_sub(2)..];
    let snapshot_at: Vec<Offset> = last_two.iter().map(Segment::base_offset).collect();
    if clean && !producers.has_snapshots() {
        // The log is older than snapshots, so there were no producers.
        for offset in snapshot_at.into_iter().chain([end_offset]) {
            producers.set_end(offset);
            put_off(producers.take_snapshot())?;
        }
        return Ok(());
    }
    let nothing_to_read = producers.is_empty() && producers.end() >= end_offset;
    producers.reload(log_start_offset, end_offset, now)?;
    if end_offset > producers.end() && !nothing_to_read {
        for (index, segment) in segments.iter().enumerate() {
            let segment_end = segments.get(index + 1).map_or(end_offset, Segment::base_offset);
            if segment_end <= producers.end() || segment.base_offset() >= end_offset {
                continue;
            }
            let from = segment.base_offset().max(producers.end()).max(log_start_offset);
            producers.set_end(from);
            if snapshot_at.contains(&segment.base_offset()) {
                put_off(producers.take_snapshot())?;
            }
            if index + 1 < segments.len() {
                segment.pass(segment_end, Access::Waiting)?;
            }
            let Lookup::Found(first) = segment.locate(from, Access::Waiting)? else { continue };
            let mut batches = segment.batches_from(first.position)?;
            while let Some(batch) = batches.next()?
                && batch.last_offset() < end_offset
            {
                replay_producers(producers, &batch)?;
            }
        }
    }
    producers.set_end(end_offset);
    put_off(producers.take_snapshot())
}
