//! Reads the records that dead letters are about, on a thread that may wait for the disk.

use crate::error::{Error, Result};
use crate::record::{Batch, Record, Records};
use crate::replica::partition::Partition;
use crate::types::{Isolation, Offset};
use bytes::Bytes;
use std::sync::Arc;

/// The most bytes that are read at a time, unless a batch is larger.
const READ_BYTES: usize = 1024 * 1024;
/// What is behind so many bytes of a compressed batch is not looked at.
const DECOMPRESSED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The records of a partition in the order of their offsets. Of a compressed batch, only one record
/// is held at a time.
#[derive(Debug)]
pub struct Originals {
    partition: Arc<Partition>,
    /// Everything before this offset was read.
    next: Offset,
    /// Batches that were read and not looked at.
    unseen: Bytes,
    /// What is left of the current batch.
    records: Option<Records>,
    /// The record that the last search ended at.
    found: Option<Record>,
    is_unreadable: bool,
}

impl Originals {
    /// Nothing is read yet.
    pub fn new(partition: Arc<Partition>) -> Originals {
        let (unseen, records, found) = (Bytes::new(), None, None);
        Originals { partition, next: 0, unseen, records, found, is_unreadable: false }
    }

    /// The record with this offset, which is never less than in the call before. None if it is no
    /// longer there or cannot be read.
    pub fn find(&mut self, offset: Offset) -> Option<&Record> {
        // A batch may go on beyond the log start.
        if self.partition.offsets().is_ok_and(|offsets| offset < offsets.log_start) {
            return None;
        }
        while !self.is_unreadable && self.found.as_ref().is_none_or(|found| found.offset < offset) {
            self.found = self.next_from(offset).unwrap_or_else(|error| {
                self.tell(offset, &error);
                None
            });
            self.is_unreadable = self.found.is_none();
        }
        self.found.as_ref().filter(|found| found.offset == offset)
    }

    /// The next record whose offset is not below `offset`; None if there is none.
    fn next_from(&mut self, offset: Offset) -> Result<Option<Record>> {
        loop {
            while let Some(record) = self.records.as_mut().and_then(Records::next) {
                match record {
                    Ok(record) if record.offset >= offset => return Ok(Some(record)),
                    Ok(_) => {}
                    // The next batch may be better.
                    Err(error) => self.tell(offset, &error),
                }
            }
            match self.next_batch(offset)? {
                Some(batch) => self.records = Some(batch.iter(DECOMPRESSED_BYTES_MAX)?),
                None => return Ok(None),
            }
        }
    }

    fn tell(&self, offset: Offset, error: &Error) {
        let partition = self.partition.topic_partition();
        tracing::warn!(%partition, offset, %error, "dead letters without their records");
    }

    /// The next batch that may have records from `offset` on.
    fn next_batch(&mut self, offset: Offset) -> Result<Option<Batch>> {
        loop {
            while self.has_batch()? {
                let batch = Batch::split_stored(&mut self.unseen)?;
                self.next = batch.next_offset();
                if self.next > offset && !batch.is_control() {
                    return Ok(Some(batch));
                }
            }
            let from = offset.max(self.next).max(self.partition.offsets()?.log_start);
            let (read, _) =
                self.partition.read(from, READ_BYTES, Isolation::HighWatermark, true)?;
            let Some(range) = read.ranges.first() else { return Ok(None) };
            self.unseen = range.read()?;
            if !self.has_batch()? {
                return Err(Error::corrupt(format!("no batch at offset {from}")));
            }
        }
    }

    /// Whether the next batch is there; a read may end within one.
    fn has_batch(&self) -> Result<bool> {
        Ok(Batch::next_size(&self.unseen)?.is_some_and(|size| size <= self.unseen.len()))
    }
}
