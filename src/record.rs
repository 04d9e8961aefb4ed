//! A record batch (magic 2) as bytes: header read and patched in place, records never decoded
//! unless asked for. (Stub: the record engineer replaces the bodies.)
//!
//! ```text
//!  0 base offset i64          | 8 length i32 (of what follows)   | 12 partition leader epoch i32
//! 16 magic i8 = 2             | 17 crc u32 (CRC-32C from 21 on)  | 21 attributes i16
//! 23 last offset delta i32    | 27 base timestamp i64            | 35 max timestamp i64
//! 43 producer id i64          | 51 producer epoch i16            | 53 base sequence i32
//! 57 record count i32         | 61 records
//! ```

pub mod builder;
pub mod compression;
pub mod validate;

use crate::error::Result;
use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp};
use bytes::Bytes;

/// Bytes before the records.
pub const HEADER_SIZE: usize = 61;

/// One whole batch. Base offset and leader epoch, which lie outside the checksum, are kept beside
/// the producer's bytes and written over them on the way to the file, so nothing is copied.
#[derive(Clone, Debug)]
pub struct Batch {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    bytes: Bytes,
}

#[allow(missing_docs)]
impl Batch {
    /// Takes the first whole batch off `bytes`; sizes and magic are checked, the checksum is not.
    pub fn split_from(bytes: &mut Bytes) -> Result<Batch> {
        let _ = bytes;
        todo!("record engineer")
    }
    /// Whether the checksum holds.
    pub fn checksum_holds(&self) -> bool {
        todo!()
    }
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }
    pub fn set_base_offset(&mut self, offset: Offset) {
        self.base_offset = offset;
    }
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }
    pub fn set_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.leader_epoch = epoch;
    }
    pub fn last_offset(&self) -> Offset {
        todo!()
    }
    pub fn next_offset(&self) -> Offset {
        self.last_offset() + 1
    }
    pub fn base_timestamp(&self) -> Timestamp {
        todo!()
    }
    pub fn max_timestamp(&self) -> Timestamp {
        todo!()
    }
    pub fn producer_id(&self) -> ProducerId {
        todo!()
    }
    pub fn producer_epoch(&self) -> i16 {
        todo!()
    }
    pub fn base_sequence(&self) -> i32 {
        todo!()
    }
    /// Sequence of the last record; wraps from i32::MAX to 0.
    pub fn last_sequence(&self) -> i32 {
        todo!()
    }
    pub fn count(&self) -> i32 {
        todo!()
    }
    pub fn is_transactional(&self) -> bool {
        todo!()
    }
    pub fn is_control(&self) -> bool {
        todo!()
    }
    pub fn is_log_append_time(&self) -> bool {
        todo!()
    }
    /// The 16 bytes before the magic as they are to lie in the file: base offset, length, epoch.
    pub fn prefix(&self) -> [u8; 16] {
        todo!()
    }
    /// The bytes from the magic on, as the producer sent them.
    pub fn body(&self) -> &[u8] {
        &self.bytes[16..]
    }
    /// The batch whole, as it lies in the file.
    pub fn to_bytes(&self) -> Bytes {
        todo!()
    }
    /// The records, decompressed up to `max_bytes` and decoded one by one. Timestamps and offsets
    /// are absolute.
    pub fn records(&self, max_bytes: usize) -> Result<Vec<Record>> {
        let _ = max_bytes;
        todo!()
    }
}

/// One decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// In order; keys may repeat.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}
