//! Reads a record's fields from its bytes (ByteUtils.readVarint, DefaultRecord.readFrom).
//!
//! Reading small records spends its time here, so an error is a small value; it becomes a message
//! only when somebody reads it.

use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Malformed {
    /// They end too early.
    Short,
    /// A varint has more bytes than a number of its type can need.
    Varint,
    /// The batch has fewer bytes left than the record's size says.
    RecordSize {
        size: i32,
        remaining: usize,
    },
    /// The record's fields end before the record does.
    RecordEnd {
        size: usize,
        read: usize,
    },
    HeaderCount(i32),
    NullHeaderKey,
}

impl From<Malformed> for Error {
    #[cold]
    fn from(malformed: Malformed) -> Error {
        let message = match malformed {
            Malformed::Short => "Found invalid record structure".to_owned(),
            Malformed::Varint => "Varint is too long".to_owned(),
            Malformed::RecordSize { size, remaining } => {
                format!("A record says {size} bytes; the batch has only {remaining} more")
            }
            Malformed::RecordEnd { size, read } => {
                format!("A record says {size} bytes; its fields have {read}")
            }
            Malformed::HeaderCount(count) => format!("A record says {count} headers"),
            Malformed::NullHeaderKey => "Invalid negative header key size".to_owned(),
        };
        Error::Explained(ResponseError::InvalidRecord, message)
    }
}

/// The fields of a record that are checked but not kept.
pub(super) struct UsualRecord {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i64,
    pub(super) has_key: bool,
}

/// The size of a null key or value: -1, as a zigzag varint.
const NULL: u8 = 1;

/// Bytes that are consumed from the front.
#[derive(Clone)]
pub(super) struct Slice<'a>(pub(super) &'a [u8]);

impl<'a> Slice<'a> {
    #[inline(always)]
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline(always)]
    fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(bytes)
    }

    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<i32, Malformed> {
        match self.short_varint() {
            Some(raw) => Ok(zigzag(raw) as i32),
            None => varint(|| self.byte()),
        }
    }

    #[inline(always)]
    pub(super) fn varlong(&mut self) -> Result<i64, Malformed> {
        match self.short_varint() {
            Some(raw) => Ok(zigzag(raw)),
            None => raw_varint(10, || self.byte()).map(zigzag),
        }
    }

    #[inline(always)]
    fn short_varint(&mut self) -> Option<u64> {
        let (raw, bits) = short_varint(self.two_bytes()?)?;
        self.0 = self.0.get(bits / 8..)?;
        Some(raw)
    }

    #[inline(always)]
    fn two_bytes(&self) -> Option<u64> {
        match *self.0 {
            [low, high, ..] => Some(u64::from(u16::from_le_bytes([low, high]))),
            [low] => Some(u64::from(low)),
            [] => None,
        }
    }

    /// The record at the front if it is a usual one: no number in it takes more than two bytes, and
    /// it has no headers. This takes half the time of reading it field by field.
    #[inline(always)]
    pub(super) fn usual_record(&mut self) -> Option<UsualRecord> {
        let front = u64::from_le_bytes(*self.0.first_chunk()?);
        let (size, size_bits) = short_varint(front)?;
        // The attributes are one byte and always 0.
        let front = front >> size_bits >> 8;
        let (timestamp_delta, timestamp_bits) = short_varint(front)?;
        let (offset_delta, offset_bits) = short_varint(front >> timestamp_bits)?;
        let key_at = (size_bits + 8 + timestamp_bits + offset_bits) / 8;
        let end = length(size)? + size_bits / 8;
        let mut rest = Slice(self.0.get(key_at..end)?);
        let has_key = rest.0.first() != Some(&NULL);
        rest.0 = if has_key { rest.0.get(rest.field_size()?..)? } else { &rest.0[1..] };
        let header_count_at = rest.field_size()?;
        if header_count_at + 1 != rest.0.len() || rest.0[header_count_at] != 0 {
            return None;
        }
        self.0 = &self.0[end..];
        Some(UsualRecord {
            timestamp_delta: zigzag(timestamp_delta),
            offset_delta: zigzag(offset_delta),
            has_key,
        })
    }

    /// The number of bytes of the key or value at the front, which is not null, including the
    /// varint before it.
    #[inline(always)]
    fn field_size(&self) -> Option<usize> {
        let (size, bits) = short_varint(self.two_bytes()?)?;
        Some(length(size)? + bits / 8)
    }

    /// The record at the front, without its size.
    #[inline(always)]
    pub(super) fn record(&mut self) -> Result<&'a [u8], Malformed> {
        let size = self.varint()?;
        let remaining = self.0.len();
        let body = usize::try_from(size).ok().and_then(|size| self.bytes(size));
        body.ok_or(Malformed::RecordSize { size, remaining })
    }

    /// The next size and as many bytes; None for a negative size.
    #[inline(always)]
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let size = self.varint()?;
        if size < 0 {
            return Ok(None);
        }
        self.bytes(size as usize).map(Some).ok_or(Malformed::Short)
    }

    pub(super) fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), Malformed> {
        match self.nullable()? {
            Some(key) => Ok((key, self.nullable()?)),
            None => Err(Malformed::NullHeaderKey),
        }
    }
}

/// Reads a zigzag varint of at most 32 bits.
pub(super) fn varint<E: From<Malformed>>(next: impl FnMut() -> Result<u8, E>) -> Result<i32, E> {
    let raw = raw_varint(5, next)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// A varint of one or two bytes, still in zigzag form, and how many bits it takes. The bytes are
/// given as a little-endian number, padded with zeros.
#[inline(always)]
fn short_varint(bytes: u64) -> Option<(u64, usize)> {
    if bytes & 0x80 == 0 {
        Some((bytes & 0x7f, 8))
    } else if bytes & 0x8000 == 0 {
        Some(((bytes & 0x7f) | ((bytes >> 1) & 0x3f80), 16))
    } else {
        None
    }
}

/// Decodes a zigzag number that is not negative.
#[inline(always)]
fn length(raw: u64) -> Option<usize> {
    (raw & 1 == 0).then_some((raw >> 1) as usize)
}

fn zigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[cold]
fn raw_varint<E: From<Malformed>>(
    bytes_max: u32,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<u64, E> {
    let mut value = 0;
    for i in 0..bytes_max {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed::Varint.into())
}
