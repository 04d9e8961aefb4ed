//! `.snapshot`: the producers up to the offset in the file's name (ProducerSnapshot).
//!
//! ```text
//! 0 version i16 = 1 | 2 CRC-32C of what follows u32 | 6 number of producers i32
//! then 46 bytes for each:
//! 0 producer id i64   | 8 epoch i16      | 10 last sequence i32 | 14 last offset i64
//! 22 offset delta i32 | 26 timestamp i64 | 34 coordinator epoch i32
//! 38 first offset of the open transaction i64, -1 if none
//! ```

use super::entry::{BatchNote, ProducerEntry};
use crate::types::ProducerId;
use std::collections::HashMap;

/// The only version written.
const VERSION: i16 = 1;
/// Size of the header in bytes.
const HEADER_SIZE: usize = 10;
/// Size of an entry in bytes.
const ENTRY_SIZE: usize = 46;

/// Sort key of a producer in Kafka's snapshots, which have the order of a Java `HashMap`. Within a
/// bucket the order is by id, as far as we know.
fn place(id: ProducerId, count: usize) -> (u32, ProducerId) {
    // The map begins with 16 buckets and doubles them when three quarters are used.
    let buckets = (count * 4).div_ceil(3).next_power_of_two().max(16);
    let hash = (id ^ (id as u64 >> 32) as i64) as u32;
    ((hash ^ (hash >> 16)) & (buckets - 1) as u32, id)
}

/// Encodes a snapshot file, in Kafka's order.
pub(super) fn encode(entries: &HashMap<ProducerId, ProducerEntry>) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| place(**id, entries.len()));
    let mut bytes = Vec::with_capacity(HEADER_SIZE + sorted.len() * ENTRY_SIZE);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend((sorted.len() as i32).to_be_bytes());
    for (id, entry) in sorted {
        let last = entry.last_batch();
        bytes.extend(id.to_be_bytes());
        bytes.extend(entry.epoch.to_be_bytes());
        bytes.extend(entry.last_sequence().to_be_bytes());
        bytes.extend(last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        bytes.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend(entry.last_timestamp.to_be_bytes());
        bytes.extend(entry.coordinator_epoch.to_be_bytes());
        bytes.extend(entry.transaction_start.unwrap_or(-1).to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes[6..]);
    bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Decodes a snapshot file; None if it is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(ProducerId, ProducerEntry)>> {
    let (header, entries) = bytes.split_at_checked(HEADER_SIZE)?;
    let crc = u32::from_be_bytes(header[2..6].try_into().ok()?);
    let count = i32::from_be_bytes(header[6..].try_into().ok()?);
    if header[..2] != VERSION.to_be_bytes()
        || crc != crc32c::crc32c(&bytes[6..])
        || entries.len() != usize::try_from(count).ok()?.checked_mul(ENTRY_SIZE)?
    {
        return None;
    }
    entries.chunks_exact(ENTRY_SIZE).map(decode_entry).collect()
}

fn decode_entry(bytes: &[u8]) -> Option<(ProducerId, ProducerEntry)> {
    let int = |at: usize| Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let epoch = i16::from_be_bytes(bytes.get(8..10)?.try_into().ok()?);
    let mut entry = ProducerEntry::default();
    entry.epoch = epoch;
    entry.coordinator_epoch = int(34)?;
    entry.last_timestamp = long(26)?;
    entry.transaction_start = long(38).filter(|offset| *offset >= 0);
    if long(14)? >= 0 {
        let note = BatchNote {
            last_sequence: int(10)?,
            last_offset: long(14)?,
            offset_delta: int(22)?,
            timestamp: long(26)?,
        };
        entry.add(epoch, note);
    }
    Some((long(0)?, entry))
}

#[cfg(test)]
mod tests;
