//! The records of a batch, one by one (DefaultRecord, DefaultRecordBatch.RecordIterator).
//!
//! ```text
//! size varint | attributes i8 = 0 | timestamp delta varlong | offset delta varint
//! key size varint, key | value size varint, value         (-1 is null)
//! header count varint | per header: key size varint, key | value size varint, value
//! ```

use super::Batch;
use super::compression::Decompressor;
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp};
use bytes::{Buf, Bytes};
use kafka_protocol::error::ResponseError;

/// One decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position in the partition.
    pub offset: Offset,
    /// The producer's time, or the broker's under log append time; -1 if none.
    pub timestamp: Timestamp,
    /// None and empty are different keys.
    pub key: Option<Bytes>,
    /// None is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// In order; keys may repeat.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// Iterates the records of one batch, holding one of them at a time. Ends after the first error.
#[derive(Debug)]
pub struct Records {
    source: Source,
    base: Base,
    remaining: i32,
}

/// What the header says of all records.
#[derive(Clone, Copy, Debug)]
struct Base {
    offset: Offset,
    timestamp: Timestamp,
    append_time: Option<Timestamp>,
}

#[derive(Debug)]
enum Source {
    Plain(Bytes),
    Compressed(Decompressor),
}

impl Records {
    /// The records of `batch`, of which at most `max_bytes` are decompressed.
    pub(super) fn new(batch: &Batch, max_bytes: usize) -> Result<Records> {
        let source = if batch.is_compressed() {
            let codec = batch.compression_type()?;
            Source::Compressed(Decompressor::new(codec, batch.payload(), max_bytes)?)
        } else {
            Source::Plain(batch.payload())
        };
        if batch.count() < 0 {
            return invalid(format!("Found invalid record count {}", batch.count()));
        }
        Ok(Records {
            source,
            base: Base {
                offset: batch.base_offset(),
                timestamp: batch.base_timestamp(),
                append_time: batch.append_time(),
            },
            remaining: batch.count(),
        })
    }

    /// The next record's bytes without their size. After an error there is nothing more.
    pub(super) fn next_body(&mut self) -> Option<Result<Bytes>> {
        self.next_with(|source, _| source.read_record())
    }

    /// Shows the next record to `look`, without keeping it. After an error there is nothing more.
    pub(super) fn next_view<T>(&mut self, look: impl FnOnce(&View<'_>) -> T) -> Option<Result<T>> {
        self.next_with(|source, base| match source {
            // For an append of small records this is most of the work: no reference is counted.
            Source::Plain(bytes) => {
                let mut rest = Slice(bytes);
                let seen = base.view(rest.record()?).map(|view| look(&view));
                let read = bytes.len() - rest.0.len();
                bytes.advance(read);
                seen
            }
            Source::Compressed(stream) => {
                let size = record_size(stream)?;
                stream.with_exact(size, |body| base.view(body).map(|view| look(&view)))?
            }
        })
    }

    fn next_with<T>(
        &mut self,
        read: impl FnOnce(&mut Source, Base) -> Result<T>,
    ) -> Option<Result<T>> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        let record = read(&mut self.source, self.base).and_then(|record| {
            if self.remaining == 0 && !self.source.is_at_end()? {
                return invalid("Incorrect declared batch size, records still remaining in file");
            }
            Ok(record)
        });
        if record.is_err() {
            self.remaining = 0;
        }
        Some(record)
    }

    /// What a record's bytes say, nothing copied.
    pub(super) fn view<'a>(&self, body: &'a [u8]) -> Result<View<'a>> {
        self.base.view(body)
    }
}

impl Base {
    fn view(self, body: &[u8]) -> Result<View<'_>> {
        let mut rest = Slice(body);
        rest.byte()?;
        let timestamp = self.timestamp.wrapping_add(rest.varlong()?);
        let offset = self.offset.wrapping_add(i64::from(rest.varint()?));
        let key = rest.nullable()?;
        let value = rest.nullable()?;
        let header_count = rest.varint()?;
        // No header is shorter than a byte, so this also bounds what is allocated for them.
        if header_count < 0 || header_count as usize > rest.0.len() {
            return invalid(format!("Found invalid number of record headers {header_count}"));
        }
        let headers = rest.clone();
        for _ in 0..header_count {
            rest.header()?;
        }
        if !rest.0.is_empty() {
            let (size, read) = (body.len(), body.len() - rest.0.len());
            return invalid(format!(
                "Invalid record size: expected to read {size} bytes in record payload, but \
                 instead read {read}"
            ));
        }
        let timestamp = self.append_time.unwrap_or(timestamp);
        Ok(View { offset, timestamp, key, value, header_count, headers })
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        let body = match self.next_body()? {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        let record = self.view(&body).map(|view| view.to_record(&body));
        if record.is_err() {
            self.remaining = 0;
        }
        Some(record)
    }
}

impl Source {
    fn read_record(&mut self) -> Result<Bytes> {
        match self {
            Source::Plain(bytes) => {
                let mut rest = Slice(bytes);
                let size = rest.record()?.len();
                bytes.advance(bytes.len() - rest.0.len() - size);
                Ok(bytes.split_to(size))
            }
            Source::Compressed(stream) => {
                let size = record_size(stream)?;
                stream.read_exact(size)
            }
        }
    }

    fn is_at_end(&mut self) -> Result<bool> {
        match self {
            Source::Plain(bytes) => Ok(bytes.is_empty()),
            Source::Compressed(stream) => stream.is_at_end(),
        }
    }
}

fn record_size(stream: &mut Decompressor) -> Result<usize> {
    let size = varint(|| stream.read_byte())?;
    usize::try_from(size).or_else(|_| invalid(format!("Invalid record size {size}")))
}

/// A record that still lies in its bytes.
pub(super) struct View<'a> {
    pub(super) offset: Offset,
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    header_count: i32,
    headers: Slice<'a>,
}

impl View<'_> {
    /// Keeps the record, whose bytes are `body`, by sharing them.
    pub(super) fn to_record(&self, body: &Bytes) -> Record {
        let mut rest = self.headers.clone();
        let headers = (0..self.header_count).map(|_| {
            let (key, value) = rest.header().expect("the headers were walked before");
            (body.slice_ref(key), value.map(|value| body.slice_ref(value)))
        });
        Record {
            offset: self.offset,
            timestamp: self.timestamp,
            headers: headers.collect(),
            key: self.key.map(|key| body.slice_ref(key)),
            value: self.value.map(|value| body.slice_ref(value)),
        }
    }
}

/// Bytes that are read from the front.
#[derive(Clone)]
struct Slice<'a>(&'a [u8]);

impl<'a> Slice<'a> {
    #[inline]
    fn byte(&mut self) -> Result<u8> {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                Ok(*byte)
            }
            None => invalid("Found invalid record structure"),
        }
    }

    /// Most numbers in a record have one byte, and sizes one or two.
    #[inline]
    fn varint(&mut self) -> Result<i32> {
        match *self.0 {
            [low, ref rest @ ..] if low < 0x80 => {
                self.0 = rest;
                Ok(zigzag(u64::from(low)) as i32)
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.0 = rest;
                Ok(zigzag(u64::from(low & 0x7f) | u64::from(high) << 7) as i32)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<i32> {
        varint(|| self.byte())
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64> {
        Ok(zigzag(raw_varint(10, || self.byte())?))
    }

    /// A record's bytes without their size.
    #[inline]
    fn record(&mut self) -> Result<&'a [u8]> {
        let size = self.varint()?;
        match usize::try_from(size).ok().and_then(|size| self.0.split_at_checked(size)) {
            Some((body, rest)) => {
                self.0 = rest;
                Ok(body)
            }
            None => invalid(format!(
                "Invalid record size: expected {size} bytes in record payload, but instead the \
                 buffer has only {} remaining bytes.",
                self.0.len()
            )),
        }
    }

    /// A size and as many bytes; a negative size is null.
    #[inline]
    fn nullable(&mut self) -> Result<Option<&'a [u8]>> {
        let size = self.varint()?;
        if size < 0 {
            return Ok(None);
        }
        match self.0.split_at_checked(size as usize) {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(Some(bytes))
            }
            None => invalid("Found invalid record structure"),
        }
    }

    fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>)> {
        match self.nullable()? {
            Some(key) => Ok((key, self.nullable()?)),
            None => invalid("Invalid negative header key size"),
        }
    }
}

/// A zigzag varint of at most 32 bits.
fn varint(next: impl FnMut() -> Result<u8>) -> Result<i32> {
    let raw = raw_varint(5, next)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

fn zigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

fn raw_varint(bytes_max: u32, mut next: impl FnMut() -> Result<u8>) -> Result<u64> {
    let mut value = 0;
    for i in 0..bytes_max {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    invalid("Varint is too long")
}

/// INVALID_RECORD with a sentence.
pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Explained(ResponseError::InvalidRecord, message.into()))
}
