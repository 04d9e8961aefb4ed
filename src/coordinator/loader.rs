//! Rebuilds a state machine from its log (CoordinatorLoaderImpl).

use super::state_machine::StateMachine;
use crate::disk::FileRange;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::replica::partition::Partition;
use crate::types::{Isolation, NO_PRODUCER_ID, Offset};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;

/// The most bytes that a batch may decompress to.
const MAX_BATCH_BYTES: usize = 100 * 1024 * 1024;

/// Replays `log` into `machine` and returns the offset of the log's end. Blocks. Fails with
/// NOT_COORDINATOR as soon as `is_wanted` says no.
pub fn load<M: StateMachine>(
    log: &Partition,
    machine: &mut M,
    buffer_size: usize,
    is_wanted: impl Fn() -> bool,
) -> Result<Offset> {
    let mut offset = log.offsets()?.log_start;
    loop {
        if !is_wanted() {
            return Err(ResponseError::NotCoordinator.into());
        }
        let (read, offsets) = log.read(offset, buffer_size, Isolation::LogEnd, true)?;
        for range in &read.ranges {
            let mut bytes = range.read()?;
            while !bytes.is_empty() {
                let position = range.position + (range.len - bytes.len()) as u64;
                offset = replay_next(machine, &mut bytes)
                    .map_err(|error| unreadable::<M>(range, position, offset, &error))?;
            }
        }
        // Compaction may have removed everything up to the end.
        if read.ranges.is_empty() || offset >= offsets.log_end {
            return Ok(offsets.log_end);
        }
    }
}

/// Replays the batch that `bytes` begins with, and removes it; returns the offset after it.
fn replay_next<M: StateMachine>(machine: &mut M, bytes: &mut Bytes) -> Result<Offset> {
    let batch = Batch::split_stored(bytes)?;
    if !batch.checksum_holds() {
        return Err(Error::corrupt("checksum"));
    }
    replay(machine, &batch)?;
    Ok(batch.next_offset())
}

/// The error of a load that cannot go on behind the records below `offset`.
fn unreadable<M: StateMachine>(
    range: &FileRange,
    position: u64,
    offset: Offset,
    error: &Error,
) -> Error {
    Error::corrupt(format!(
        "segment {path}: the batch at byte {position}, with the records from offset {offset} on, \
         cannot be used ({error}). Restore the file from a copy; or move the partition's directory \
         away while the broker is stopped: {loss}. Then start again.",
        path = range.file.path().display(),
        loss = M::LOSS
    ))
}

pub fn replay<M: StateMachine>(machine: &mut M, batch: &Batch) -> Result<()> {
    if batch.is_control() {
        for record in batch.records(MAX_BATCH_BYTES)? {
            if let Some(committed) = record.key.as_ref().and_then(transaction_end) {
                machine.replay_end_transaction(batch.producer_id(), committed);
            }
        }
        return Ok(());
    }
    let producer = if batch.is_transactional() { batch.producer_id() } else { NO_PRODUCER_ID };
    for record in batch.records(MAX_BATCH_BYTES)? {
        let Some(key) = &record.key else {
            return Err(Error::corrupt(format!("coordinator record {}: no key", record.offset)));
        };
        match M::decode(key, record.value.as_ref())? {
            Some(decoded) => machine.replay(record.offset, producer, &decoded),
            None => tracing::warn!(
                coordinator = M::NAME,
                offset = record.offset,
                "skipped a record of an unknown type, which a newer version may have written"
            ),
        }
    }
    Ok(())
}

/// Whether a transaction marker commits; None if the key is that of another control record. The key
/// is a version and a type (EndTransactionMarker).
fn transaction_end(key: &Bytes) -> Option<bool> {
    match key.get(2..4)? {
        [0, 0] => Some(false),
        [0, 1] => Some(true),
        _ => None,
    }
}
