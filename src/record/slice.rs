//! A record's bytes read from the front (ByteUtils.readVarint, DefaultRecord.readFrom).
//!
//! Small records spend their time here: what can go wrong is a small value, put into words only
//! when it does.

use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Malformed {
    /// They end too early.
    Short,
    /// A varint has more bytes than its number could need.
    Varint,
    /// The batch has fewer bytes left than the record's size.
    RecordSize {
        size: i32,
        remaining: usize,
    },
    /// The record's fields end before its size does.
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
            Malformed::RecordSize { size, remaining } => format!(
                "Invalid record size: expected {size} bytes in record payload, but instead the \
                 buffer has only {remaining} remaining bytes."
            ),
            Malformed::RecordEnd { size, read } => format!(
                "Invalid record size: expected to read {size} bytes in record payload, but \
                 instead read {read}"
            ),
            Malformed::HeaderCount(count) => {
                format!("Found invalid number of record headers {count}")
            }
            Malformed::NullHeaderKey => "Invalid negative header key size".to_owned(),
        };
        Error::Explained(ResponseError::InvalidRecord, message)
    }
}

/// Bytes that are read from the front.
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

    /// Most numbers in a record have one byte, and sizes one or two.
    #[inline(always)]
    fn short_varint(&mut self) -> Option<u64> {
        match *self.0 {
            [low, ref rest @ ..] if low < 0x80 => {
                self.0 = rest;
                Some(u64::from(low))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.0 = rest;
                Some(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => None,
        }
    }

    /// A record's bytes without their size.
    #[inline(always)]
    pub(super) fn record(&mut self) -> Result<&'a [u8], Malformed> {
        let size = self.varint()?;
        let remaining = self.0.len();
        let body = usize::try_from(size).ok().and_then(|size| self.bytes(size));
        body.ok_or(Malformed::RecordSize { size, remaining })
    }

    /// A size and as many bytes; a negative size is null.
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

/// A zigzag varint of at most 32 bits.
pub(super) fn varint<E: From<Malformed>>(next: impl FnMut() -> Result<u8, E>) -> Result<i32, E> {
    let raw = raw_varint(5, next)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
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
