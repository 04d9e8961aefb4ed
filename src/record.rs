//! A record batch (magic 2), kept as bytes. The header is read and patched in place; records are
//! decoded only when a caller asks for them (DefaultRecordBatch).
//!
//! ```text
//!  0 base offset i64          | 8 length i32 (of what follows)   | 12 partition leader epoch i32
//! 16 magic i8 = 2             | 17 crc u32 (CRC-32C from 21 on)  | 21 attributes i16
//! 23 last offset delta i32    | 27 base timestamp i64            | 35 max timestamp i64
//! 43 producer id i64          | 51 producer epoch i16            | 53 base sequence i32
//! 57 record count i32         | 61 records
//!
//! attributes: 0-2 compression | 3 log append time | 4 transactional | 5 control | 6 delete horizon
//! ```

pub mod builder;
mod compact;
pub mod compression;
pub mod iterator;
mod legacy;
mod slice;
pub mod validate;

#[cfg(test)]
mod tests;

pub use iterator::{Record, Records};
pub(crate) use legacy::legacy_header;

use crate::error::{Error, Result};
use crate::types::{LeaderEpoch, NO_TIMESTAMP, Offset, ProducerId, Timestamp};
use bytes::{Bytes, BytesMut};
use compression::CompressionType;
use kafka_protocol::error::ResponseError;

/// Size of the header, which comes before the records.
pub const HEADER_SIZE: usize = 61;
/// Size of base offset and length, which the length field does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Size of base offset, length and leader epoch. The checksum does not cover them.
pub const PREFIX_SIZE: usize = 16;
/// The only format that is written. Older formats are read from the disk (`legacy.rs`).
pub const MAGIC: i8 = 2;

/// Position of the magic byte, the same in every format.
pub(crate) const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;
/// The smallest length that any format allows: an empty record of magic 0 (RECORD_OVERHEAD_V0).
const LENGTH_MIN: i32 = 14;

const COMPRESSION_MASK: i16 = 0x07;
const LOG_APPEND_TIME_FLAG: i16 = 0x08;
pub(crate) const TRANSACTIONAL_FLAG: i16 = 0x10;
pub(crate) const CONTROL_FLAG: i16 = 0x20;
const DELETE_HORIZON_FLAG: i16 = 0x40;
const KNOWN_ATTRIBUTES: i16 = 0x7f;

/// One whole batch. The producer's bytes are never changed or copied: base offset and leader epoch,
/// which the checksum does not cover, are kept beside them and written over them on the way to the
/// file.
#[derive(Clone, Debug)]
pub struct Batch {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    bytes: Bytes,
}

impl Batch {
    /// The size of the batch at the start of `bytes`; None if it is not there completely. An
    /// impossible length or magic is `Error::Corrupt` (ByteBufferLogInputStream).
    pub fn next_size(bytes: &[u8]) -> Result<Option<usize>> {
        if bytes.len() < LOG_OVERHEAD {
            return Ok(None);
        }
        let length = i32::from_be_bytes(array(bytes, 8));
        if length < LENGTH_MIN {
            return Err(Error::corrupt(format!("record batch: invalid length {length}")));
        }
        if bytes.len() <= MAGIC_AT {
            return Ok(None);
        }
        let magic = bytes[MAGIC_AT] as i8;
        if !(0..=MAGIC).contains(&magic) {
            return Err(Error::corrupt(format!("record batch: invalid magic {magic}")));
        }
        let size = length as usize + LOG_OVERHEAD;
        Ok((size <= bytes.len()).then_some(size))
    }

    /// Splits the first batch off `bytes`. Checks sizes and magic, but not the checksum. A format
    /// before magic 2 is INVALID_RECORD; any other fault is `Error::Corrupt`.
    pub fn split_from(bytes: &mut Bytes) -> Result<Batch> {
        let Some(size) = Batch::next_size(bytes)? else {
            return Err(Error::corrupt(format!(
                "record batch: cut off after {} bytes",
                bytes.len()
            )));
        };
        if bytes[MAGIC_AT] as i8 != MAGIC {
            let magic = bytes[MAGIC_AT];
            let message = format!("Record batches with magic version {magic} are not supported");
            return Err(Error::Explained(ResponseError::InvalidRecord, message));
        }
        if size < HEADER_SIZE {
            return Err(Error::corrupt(format!(
                "record batch: {size} bytes are too few for a header"
            )));
        }
        Ok(Batch::from_whole(bytes.split_to(size)))
    }

    /// Wraps bytes that are known to be exactly one batch.
    fn from_whole(bytes: Bytes) -> Batch {
        Batch {
            base_offset: i64::from_be_bytes(array(&bytes, 0)),
            leader_epoch: i32::from_be_bytes(array(&bytes, 12)),
            bytes,
        }
    }

    /// The checksum in the header.
    pub fn checksum(&self) -> u32 {
        u32::from_be_bytes(array(&self.bytes, CRC_AT))
    }

    /// Whether the checksum in the header fits the bytes.
    pub fn checksum_holds(&self) -> bool {
        self.checksum() == crc32c::crc32c(&self.bytes[ATTRIBUTES_AT..])
    }

    /// Size of the batch in bytes, including the header.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the first record.
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Moves the batch so that its first record has the offset `offset`.
    pub fn set_base_offset(&mut self, offset: Offset) {
        self.base_offset = offset;
    }

    /// Epoch of the leader that appended the batch; -1 if no leader has.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Sets the epoch of the leader that appends the batch.
    pub fn set_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.leader_epoch = epoch;
    }

    /// Last offset minus base offset. A compacted batch keeps it even if its last record was
    /// removed.
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(array(&self.bytes, 23))
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta()))
    }

    /// The offset after the last record.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().saturating_add(1)
    }

    /// The timestamp that the records' timestamps are relative to.
    pub fn base_timestamp(&self) -> Timestamp {
        i64::from_be_bytes(array(&self.bytes, 27))
    }

    /// The largest timestamp of the records; -1 if they have none.
    pub fn max_timestamp(&self) -> Timestamp {
        i64::from_be_bytes(array(&self.bytes, MAX_TIMESTAMP_AT))
    }

    /// Id of the producer; -1 if the producer is not idempotent.
    pub fn producer_id(&self) -> ProducerId {
        i64::from_be_bytes(array(&self.bytes, 43))
    }

    /// Whether an idempotent or transactional producer sent the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id() >= 0
    }

    /// Epoch of the producer; -1 if it has no producer id.
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(array(&self.bytes, 51))
    }

    /// Sequence number of the first record; -1 if there is none.
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(array(&self.bytes, 53))
    }

    /// Sequence number of the last record; -1 if there is none. The number after i32::MAX is 0.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence() {
            -1 => -1,
            base => increment_sequence(base, self.last_offset_delta()),
        }
    }

    /// How many records the batch's header says it has.
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(array(&self.bytes, 57))
    }

    /// The attribute bits; the table at the top of this file explains them.
    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes(array(&self.bytes, ATTRIBUTES_AT))
    }

    /// The codec of the records; an unknown one is an error.
    pub fn compression_type(&self) -> Result<CompressionType> {
        CompressionType::from_id((self.attributes() & COMPRESSION_MASK) as u8)
    }

    /// Whether the records are compressed.
    pub fn is_compressed(&self) -> bool {
        self.attributes() & COMPRESSION_MASK != 0
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_FLAG != 0
    }

    /// Whether the records are meant for brokers: transaction markers and KRaft's control records.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_FLAG != 0
    }

    /// Whether the broker set the time of the records: `max_timestamp` then holds for all of them.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes() & LOG_APPEND_TIME_FLAG != 0
    }

    /// When the cleaner may remove the batch's tombstones and markers (KIP-534); None if that is
    /// not set.
    pub fn delete_horizon_ms(&self) -> Option<Timestamp> {
        (self.attributes() & DELETE_HORIZON_FLAG != 0).then(|| self.base_timestamp())
    }

    /// Sets the largest timestamp, and whether it is the log append time. If that changes anything
    /// the batch is copied and its checksum computed anew (setMaxTimestamp).
    pub fn set_max_timestamp(&mut self, timestamp: Timestamp, log_append_time: bool) {
        if self.max_timestamp() == timestamp && self.is_log_append_time() == log_append_time {
            return;
        }
        let flag = if log_append_time { LOG_APPEND_TIME_FLAG } else { 0 };
        let attributes = self.attributes() & KNOWN_ATTRIBUTES & !LOG_APPEND_TIME_FLAG | flag;
        let mut bytes = BytesMut::from(&self.bytes[..]);
        put(&mut bytes, ATTRIBUTES_AT, &attributes.to_be_bytes());
        put(&mut bytes, MAX_TIMESTAMP_AT, &timestamp.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
        put(&mut bytes, CRC_AT, &crc.to_be_bytes());
        self.bytes = bytes.freeze();
    }

    /// The bytes before the magic as they have to be in the file: base offset, length, leader
    /// epoch.
    pub fn prefix(&self) -> [u8; PREFIX_SIZE] {
        let mut prefix = [0; PREFIX_SIZE];
        put(&mut prefix, 0, &self.base_offset.to_be_bytes());
        put(&mut prefix, 8, &self.bytes[8..12]);
        put(&mut prefix, 12, &self.leader_epoch.to_be_bytes());
        prefix
    }

    /// The bytes from the magic on, unchanged from the producer.
    pub fn body(&self) -> &[u8] {
        &self.bytes[PREFIX_SIZE..]
    }

    /// The whole batch as it has to be in the file. Copies it only if offset or epoch were set.
    pub fn to_bytes(&self) -> Bytes {
        let prefix = self.prefix();
        if self.bytes[..PREFIX_SIZE] == prefix {
            return self.bytes.clone();
        }
        let mut bytes = BytesMut::from(&self.bytes[..]);
        put(&mut bytes, 0, &prefix);
        bytes.freeze()
    }

    /// Iterates the records with absolute offsets and timestamps. Decompresses at most `max_bytes`.
    pub fn iter(&self, max_bytes: usize) -> Result<Records> {
        Records::new(self, max_bytes)
    }

    /// All records with absolute offsets and timestamps. Decompresses at most `max_bytes`.
    pub fn records(&self, max_bytes: usize) -> Result<Vec<Record>> {
        self.iter(max_bytes)?.collect()
    }

    /// The bytes of the records as they are in the batch, compressed or not.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_SIZE..)
    }

    /// The time of all records if the broker set it.
    fn append_time(&self) -> Option<Timestamp> {
        self.is_log_append_time().then(|| self.max_timestamp())
    }
}

/// The sequence number `increment` places after `sequence`. The number after i32::MAX is 0
/// (incrementSequence).
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    if sequence > i32::MAX.wrapping_sub(increment) {
        increment.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1)
    } else {
        sequence.wrapping_add(increment)
    }
}

/// Fails with INVALID_RECORD and a message for the client.
fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Explained(ResponseError::InvalidRecord, message.into()))
}

/// The `N` bytes at `at`. The caller has checked that they are there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes")
}

/// Overwrites the bytes at `at` with `value`.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
