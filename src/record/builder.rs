//! Builds batches for the coordinators, the controller and recompression (MemoryRecordsBuilder).

use super::compression::{CompressionType, Compressor};
use super::{Batch, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_TIMESTAMP, put};
use super::{CONTROL_FLAG, DELETE_HORIZON_FLAG, LOG_APPEND_TIME_FLAG, TRANSACTIONAL_FLAG};
use crate::config::Compression;
use crate::types::{NO_EPOCH, NO_PRODUCER_ID, Offset, ProducerId, Timestamp};
use bytes::Bytes;
use std::io::Write;

/// Collects records into one batch. Offsets begin at `base_offset` and usually increase by one.
#[derive(Debug)]
pub struct BatchBuilder {
    base_offset: Offset,
    attributes: i16,
    producer_id: ProducerId,
    producer_epoch: i16,
    base_sequence: i32,
    /// The broker's time, which replaces the records' own times.
    append_time: Option<Timestamp>,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    count: i32,
    /// Offset delta of the last record, even if compaction has removed that record.
    last_offset_delta: i32,
    uncompressed_bytes: usize,
    /// Space for the header, followed by the records.
    out: Compressor,
    /// The body of the current record. Its memory is used again for the next one.
    scratch: Vec<u8>,
}

impl BatchBuilder {
    /// A batch whose first record has the offset `base_offset`.
    pub fn new(base_offset: Offset, compression: Compression) -> BatchBuilder {
        BatchBuilder {
            base_offset,
            attributes: i16::from(CompressionType::of(compression).id()),
            producer_id: NO_PRODUCER_ID,
            producer_epoch: -1,
            base_sequence: -1,
            append_time: None,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            last_offset_delta: -1,
            uncompressed_bytes: HEADER_SIZE,
            out: Compressor::new(compression, vec![0; HEADER_SIZE]),
            scratch: Vec::new(),
        }
    }

    /// Makes it a control batch (transaction markers, KRaft control records).
    pub fn control(mut self) -> Self {
        self.attributes |= CONTROL_FLAG;
        self
    }

    /// Sets the producer id, its epoch, the base sequence (-1 if there is none), and whether the
    /// batch is transactional.
    pub fn producer(
        mut self,
        id: ProducerId,
        epoch: i16,
        sequence: i32,
        transactional: bool,
    ) -> Self {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, sequence);
        if transactional {
            self.attributes |= TRANSACTIONAL_FLAG;
        }
        self
    }

    /// Gives all records the broker's time (`message.timestamp.type=LogAppendTime`).
    pub fn log_append_time(mut self, timestamp: Timestamp) -> Self {
        self.attributes |= LOG_APPEND_TIME_FLAG;
        self.append_time = Some(timestamp);
        self
    }

    /// Sets when compaction may remove tombstones and markers (KIP-534).
    pub(super) fn delete_horizon(mut self, horizon: Timestamp) -> Self {
        self.attributes |= DELETE_HORIZON_FLAG;
        self.base_timestamp = Some(horizon);
        self
    }

    /// Appends a record with the next offset.
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(Bytes, Option<Bytes>)],
    ) {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Appends a record with the offset `offset_delta` after the base offset.
    pub(super) fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(Bytes, Option<Bytes>)],
    ) {
        assert!(offset_delta > self.last_offset_delta, "offsets only grow");
        self.last_offset_delta = offset_delta;
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let body = &mut self.scratch;
        body.clear();
        body.push(0);
        put_varint(body, timestamp.wrapping_sub(base_timestamp));
        put_varint(body, i64::from(offset_delta));
        put_bytes(body, key);
        put_bytes(body, value);
        put_varint(body, headers.len() as i64);
        for (key, value) in headers {
            put_bytes(body, Some(key));
            put_bytes(body, value.as_deref());
        }
        let mut size = Vec::with_capacity(5);
        put_varint(&mut size, body.len() as i64);
        self.uncompressed_bytes += size.len() + body.len();
        let written = self.out.write_all(&size).and_then(|()| self.out.write_all(body));
        written.expect("compressing into memory does not fail");
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count = self.count.checked_add(1).expect("a batch never gets 2^31 records");
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Size that the batch would have without compression, including the header.
    pub fn uncompressed_bytes(&self) -> usize {
        self.uncompressed_bytes
    }

    /// Sets the last offset of the batch, whatever its last record.
    pub(super) fn end_at(&mut self, last_offset_delta: i32) {
        assert!(last_offset_delta >= self.last_offset_delta, "records lie within their batch");
        self.last_offset_delta = last_offset_delta;
    }

    /// The finished batch, with its checksum and without a leader epoch. It must have records.
    pub fn build(self) -> Batch {
        assert!(self.count > 0, "a batch has records");
        let mut bytes = self.out.finish();
        let length = i32::try_from(bytes.len() - LOG_OVERHEAD).expect("a batch is below 2 GiB");
        let max_timestamp = self.append_time.unwrap_or(self.max_timestamp);
        put(&mut bytes, 0, &self.base_offset.to_be_bytes());
        put(&mut bytes, 8, &length.to_be_bytes());
        put(&mut bytes, 12, &NO_EPOCH.to_be_bytes());
        put(&mut bytes, 16, &MAGIC.to_be_bytes());
        put(&mut bytes, 21, &self.attributes.to_be_bytes());
        put(&mut bytes, 23, &self.last_offset_delta.to_be_bytes());
        put(&mut bytes, 27, &self.base_timestamp.unwrap_or(NO_TIMESTAMP).to_be_bytes());
        put(&mut bytes, 35, &max_timestamp.to_be_bytes());
        put(&mut bytes, 43, &self.producer_id.to_be_bytes());
        put(&mut bytes, 51, &self.producer_epoch.to_be_bytes());
        put(&mut bytes, 53, &self.base_sequence.to_be_bytes());
        put(&mut bytes, 57, &self.count.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        put(&mut bytes, 17, &crc.to_be_bytes());
        Batch::from_whole(bytes.into())
    }
}

/// The batch that ends a transaction (EndTransactionMarker): a control record whose key is `version
/// i16, type i16` (0 abort, 1 commit) and whose value is `version i16, coordinator epoch i32`.
pub fn transaction_marker(
    producer_id: ProducerId,
    producer_epoch: i16,
    coordinator_epoch: i32,
    committed: bool,
    now: Timestamp,
) -> Batch {
    let mut batch = BatchBuilder::new(0, Compression::Uncompressed).control().producer(
        producer_id,
        producer_epoch,
        -1,
        true,
    );
    let mut value = [0; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    batch.append(now, Some(&[0, 0, 0, u8::from(committed)]), Some(&value), &[]);
    batch.build()
}

/// Appends a zigzag varint, which takes one to ten bytes.
fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a size and the bytes; None is written as size -1.
fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}
