//! Walks over the batches in a segment's file: as headers to find a position, as whole batches to
//! read them.

use crate::disk::{Access, File, FileRange};
use crate::error::{Error, Result};
use crate::record::{
    Batch, CONTROL_FLAG, HEADER_SIZE, LOG_OVERHEAD, MAGIC, MAGIC_AT, TRANSACTIONAL_FLAG,
    legacy_header,
};
use crate::types::{NO_PRODUCER_ID, Offset, ProducerId, Timestamp};
use bytes::Bytes;
use std::sync::Arc;

/// Size of the smallest message before Kafka 0.11, in bytes.
const LEGACY_SIZE_MIN: i64 = 26;
/// Bytes of headers read at a time, usually as much as lies between two index entries.
const HEADER_WINDOW: usize = 4096;
/// Bytes of whole batches read at a time.
const BATCH_WINDOW: u64 = 1 << 20;

/// The part of a batch that searches need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Position in the file, in bytes.
    pub position: u64,
    /// Size of the batch in bytes.
    pub size: u64,
    /// The offset of the first record; before Kafka 0.11 that of the last one.
    pub base_offset: Offset,
    /// The offset of the last record.
    pub last_offset: Offset,
    /// The largest timestamp of the records.
    pub max_timestamp: Timestamp,
    /// The producer; -1 if there is none.
    pub producer_id: ProducerId,
    /// None before Kafka 0.11.
    pub(super) attributes: Option<i16>,
}

impl Header {
    /// None if no batch begins like this.
    fn decode(bytes: &[u8; HEADER_SIZE], position: u64) -> Option<Header> {
        let int = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let long = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let size = i64::from(int(8)) + LOG_OVERHEAD as i64;
        if let Some((last_offset, max_timestamp)) = legacy_header(bytes)
            && size >= LEGACY_SIZE_MIN
            && (0..Offset::MAX).contains(&last_offset)
        {
            // The first offset in a compressed message is unknown without decompressing it.
            let (size, base_offset) = (size as u64, last_offset);
            let (producer_id, attributes) = (NO_PRODUCER_ID, None);
            return Some(Header {
                position,
                size,
                base_offset,
                last_offset,
                max_timestamp,
                producer_id,
                attributes,
            });
        }
        let (base_offset, delta) = (long(0), int(23));
        let is_sound = bytes[MAGIC_AT] as i8 == MAGIC && size >= HEADER_SIZE as i64;
        let last_offset = base_offset.checked_add(Offset::from(delta))?;
        // No offset follows the largest one.
        if !is_sound || base_offset < 0 || delta < 0 || last_offset == Offset::MAX {
            return None;
        }
        Some(Header {
            position,
            size: size as u64,
            base_offset,
            last_offset,
            max_timestamp: long(35),
            producer_id: long(43),
            attributes: Some(i16::from_be_bytes([bytes[21], bytes[22]])),
        })
    }

    /// Whether the batch is from before Kafka 0.11.
    pub fn is_legacy(&self) -> bool {
        self.attributes.is_none()
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes.is_some_and(|attributes| attributes & TRANSACTIONAL_FLAG != 0)
    }

    /// Whether the batch ends a transaction.
    pub fn is_control(&self) -> bool {
        self.attributes.is_some_and(|attributes| attributes & CONTROL_FLAG != 0)
    }

    /// The position after the batch.
    pub fn end(&self) -> u64 {
        self.position + self.size
    }
}

/// The headers of the batches between two positions of a file.
#[derive(Debug)]
pub struct Headers {
    file: Arc<File>,
    position: u64,
    end: u64,
    access: Access,
    /// The data that `access` did not allow to be read.
    pub missed: Option<FileRange>,
    /// The bytes read last. They are on the heap because searches pass this value around.
    window: Vec<u8>,
    window_start: u64,
}

impl Headers {
    /// The headers of the batches between two positions; at the first one a batch begins.
    pub fn new(file: Arc<File>, position: u64, end: u64) -> Headers {
        Headers {
            file,
            position,
            end,
            access: Access::Waiting,
            missed: None,
            window: Vec::new(),
            window_start: position,
        }
    }

    /// Sets how the file is read.
    pub fn by(self, access: Access) -> Headers {
        Headers { access, ..self }
    }

    /// The next header. None at the end, at an incomplete batch there, or if data was `missed`.
    pub fn next_header(&mut self) -> Result<Option<Header>> {
        let left = (self.end - self.position.min(self.end)) as usize;
        let len = left.min(HEADER_SIZE);
        if len <= MAGIC_AT {
            return Ok(None);
        }
        let mut at = (self.position - self.window_start) as usize;
        if at + len > self.window.len() {
            let len = left.min(HEADER_WINDOW);
            self.window.resize(len, 0);
            self.window_start = self.position;
            let read = self.file.read_by(self.access, &mut self.window, self.position);
            self.window.truncate(read.as_ref().map_or(0, |read| read.unwrap_or(0)));
            if read?.is_none() {
                let (file, position) = (Arc::clone(&self.file), self.position);
                self.missed = Some(FileRange { file, position, len });
                return Ok(None);
            }
            at = 0;
        }
        let Some(bytes) = self.window[at..].get(..len) else { return Ok(None) };
        let mut padded = [0; HEADER_SIZE];
        padded[..len].copy_from_slice(bytes);
        let header = match Header::decode(&padded, self.position) {
            // Only messages from before Kafka 0.11 are shorter.
            None if len < HEADER_SIZE => return Ok(None),
            header => header.ok_or_else(|| self.no_batch())?,
        };
        if header.end() > self.end {
            return Ok(None);
        }
        self.position = header.end();
        Ok(Some(header))
    }

    fn no_batch(&self) -> Error {
        let (path, position) = (self.file.path().display(), self.position);
        Error::corrupt(format!(
            "segment {path}: no batch begins at byte {position}. Restore the file from a copy."
        ))
    }

    /// The position of the next batch.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next header, without consuming it.
    pub fn peek(&mut self) -> Result<Option<Header>> {
        let position = self.position;
        let next = self.next_header();
        self.position = position;
        next
    }

    /// The next header that `wanted` accepts.
    pub fn find(&mut self, wanted: impl Fn(&Header) -> bool) -> Result<Option<Header>> {
        while let Some(header) = self.next_header()? {
            if wanted(&header) {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

/// The whole batches between two positions of a file.
pub(super) struct Batches {
    file: Arc<File>,
    /// The position of the next batch.
    pub position: u64,
    end: u64,
    window: Bytes,
    /// Bytes read at a time.
    window_size: u64,
}

impl Batches {
    pub fn new(file: Arc<File>, position: u64, end: u64) -> Batches {
        Batches { file, position, end, window: Bytes::new(), window_size: BATCH_WINDOW }
    }

    /// Reads about `bytes` bytes at a time.
    pub fn window(mut self, bytes: u64) -> Batches {
        self.window_size = bytes.max(HEADER_WINDOW as u64);
        self
    }

    /// The next batch, with its checksum unchecked. None at the end, or at an incomplete batch
    /// there.
    pub fn next(&mut self) -> Result<Option<Batch>> {
        let left = self.end - self.position;
        let mut size = size_of(&self.window);
        if size.is_none_or(|size| size > self.window.len() as u64) {
            self.read(left.min(size.unwrap_or(0).max(self.window_size)))?;
            size = size_of(&self.window);
            if let Some(size) = size
                && size > self.window.len() as u64
                && size <= left
            {
                self.read(size)?;
            }
        }
        match size {
            Some(size) if size <= self.window.len() as u64 => {
                let batch = Batch::split_stored(&mut self.window)?;
                self.position += size;
                Ok(Some(batch))
            }
            _ => Ok(None),
        }
    }

    fn read(&mut self, len: u64) -> Result<()> {
        let mut window = vec![0; len as usize];
        let read = self.file.read_at(&mut window, self.position)?;
        window.truncate(read);
        self.window = window.into();
        Ok(())
    }
}

/// The size of the batch that begins `bytes`; None if they are too short to tell.
fn size_of(bytes: &[u8]) -> Option<u64> {
    let length = i32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
    Some(u64::try_from(length).unwrap_or(0) + LOG_OVERHEAD as u64)
}
