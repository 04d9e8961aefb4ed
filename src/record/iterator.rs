//! Iterates the records of a batch (DefaultRecord, DefaultRecordBatch.RecordIterator).
//!
//! ```text
//! size varint | attributes i8 = 0 | timestamp delta varlong | offset delta varint
//! key size varint, key | value size varint, value         (-1 is null)
//! header count varint | per header: key size varint, key | value size varint, value
//! ```

use super::compression::Decompressor;
use super::slice::{Malformed, Slice, UsualRecord, varint};
use super::{Batch, MAGIC, invalid};
use crate::error::Result;
use crate::types::{Offset, Timestamp};
use bytes::{Buf, Bytes};

/// A record with its offset and time in full; in the batch they are differences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The offset in the partition.
    pub offset: Offset,
    /// The producer's time, or the broker's if the topic uses log append time; -1 if there is none.
    pub timestamp: Timestamp,
    /// The key. None and an empty key are different.
    pub key: Option<Bytes>,
    /// The value. None is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// The headers in order. A key may occur more than once.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// Iterates the records of one batch and holds only one at a time. It ends after the first error.
#[derive(Debug)]
pub struct Records {
    source: Source,
    base: Base,
    remaining: i32,
}

/// What the batch's header says about all records.
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
    /// An iterator over the records of `batch` that decompresses at most `max_bytes`.
    pub(super) fn new(batch: &Batch, max_bytes: usize) -> Result<Records> {
        let source = if batch.is_compressed() {
            let codec = batch.compression_type()?;
            Source::Compressed(Decompressor::new(codec, MAGIC, batch.payload(), max_bytes)?)
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

    /// Shows `look` the fields of each record that a leader checks. Nothing follows an error.
    #[inline(always)]
    pub(super) fn each_checked(mut self, mut look: impl FnMut(Checked)) -> Result<()> {
        let base = self.base;
        match &mut self.source {
            // An append of small records spends most of its time here.
            Source::Plain(bytes) => {
                let mut rest = Slice(bytes);
                for _ in 0..self.remaining {
                    look(match rest.usual_record() {
                        Some(record) => base.checked(&record),
                        None => base.view(rest.record()?)?.checked(),
                    });
                }
                bytes.advance(bytes.len() - rest.0.len());
            }
            Source::Compressed(stream) => {
                let mut remaining = self.remaining;
                while remaining > 0 {
                    stream.with_chunk(|chunk| {
                        let mut rest = Slice(chunk);
                        while remaining > 0
                            && let Some(record) = rest.usual_record()
                        {
                            look(base.checked(&record));
                            remaining -= 1;
                        }
                        chunk.len() - rest.0.len()
                    })?;
                    // The next record is unusual, or the chunk ends within it.
                    if remaining > 0 {
                        let size = record_size(stream)?;
                        let checked = |body: &[u8]| base.view(body).map(|view| view.checked());
                        look(stream.with_exact(size, checked)??);
                        remaining -= 1;
                    }
                }
            }
        }
        if self.remaining > 0 && !self.source.is_at_end()? { left_over() } else { Ok(()) }
    }

    /// The bytes of the next record, without their size. Nothing follows an error.
    pub(super) fn next_body(&mut self) -> Option<Result<Bytes>> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        let record = self.source.read_record().and_then(|record| {
            if self.remaining == 0 && !self.source.is_at_end()? {
                return left_over();
            }
            Ok(record)
        });
        if record.is_err() {
            self.remaining = 0;
        }
        Some(record)
    }

    /// The fields of a record whose bytes are `body`. Nothing is copied.
    pub(super) fn view<'a>(&self, body: &'a [u8]) -> Result<RecordView<'a>> {
        Ok(self.base.view(body)?)
    }
}

impl Base {
    #[inline(always)]
    fn checked(self, record: &UsualRecord) -> Checked {
        let timestamp = self.timestamp.wrapping_add(record.timestamp_delta);
        Checked {
            offset: self.offset.wrapping_add(record.offset_delta),
            timestamp: self.append_time.unwrap_or(timestamp),
            has_key: record.has_key,
        }
    }

    fn view(self, body: &[u8]) -> Result<RecordView<'_>, Malformed> {
        let mut rest = Slice(body);
        rest.byte()?;
        let timestamp = self.timestamp.wrapping_add(rest.varlong()?);
        let offset = self.offset.wrapping_add(i64::from(rest.varint()?));
        let key = rest.nullable()?;
        let value = rest.nullable()?;
        let header_count = rest.varint()?;
        // A header takes at least one byte, so this check also bounds the allocation.
        if header_count < 0 || header_count as usize > rest.0.len() {
            return Err(Malformed::HeaderCount(header_count));
        }
        let headers = rest.clone();
        for _ in 0..header_count {
            rest.header()?;
        }
        if !rest.0.is_empty() {
            let read = body.len() - rest.0.len();
            return Err(Malformed::RecordEnd { size: body.len(), read });
        }
        let timestamp = self.append_time.unwrap_or(timestamp);
        Ok(RecordView { offset, timestamp, key, value, header_count, headers })
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

/// The fields of a record that a leader checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) offset: Offset,
    pub(super) timestamp: Timestamp,
    pub(super) has_key: bool,
}

/// A record whose fields still point into its bytes.
pub(super) struct RecordView<'a> {
    pub(super) offset: Offset,
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    header_count: i32,
    headers: Slice<'a>,
}

impl RecordView<'_> {
    fn checked(&self) -> Checked {
        let RecordView { offset, timestamp, key, .. } = *self;
        Checked { offset, timestamp, has_key: key.is_some() }
    }

    /// Turns the view into a record that shares `body`, the bytes it was read from.
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

fn left_over<T>() -> Result<T> {
    invalid("The batch has bytes after its last record")
}
