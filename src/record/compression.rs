//! The codecs gzip, snappy (in xerial's framing), lz4 (frames) and zstd, with a bound on the
//! decompressed size. Streams are read as the codecs of Kafka's clients read them: otherwise a
//! batch could be stored that consumers cannot read. `tests/fixtures/frames.tsv` has the verdicts
//! of those codecs.

mod gzip;
mod lz4;
mod snappy;
mod zstandard;

use super::invalid;
use crate::config::Compression;
use crate::error::{Error, Result};
use ::lz4::Encoder as Lz4Encoder;
use bytes::{Buf, Bytes, BytesMut};
use flate2::write::GzEncoder;
use kafka_protocol::error::ResponseError;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};

/// The most bytes that a batch may decompress to where no smaller bound is known. Kafka has no such
/// bound and would read a batch of a megabyte that decompresses to a terabyte.
pub const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

/// How much is decompressed at a time by codecs that have no blocks.
const CHUNK_BYTES: usize = 16 << 10;

/// The codec of a batch's records, as in the batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of codecs")]
pub enum CompressionType {
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl CompressionType {
    /// The codec for the three bits of the attributes.
    pub fn from_id(id: u8) -> Result<CompressionType> {
        Ok(match id {
            0 => CompressionType::Uncompressed,
            1 => CompressionType::Gzip,
            2 => CompressionType::Snappy,
            3 => CompressionType::Lz4,
            4 => CompressionType::Zstd,
            // Kafka throws an IllegalArgumentException here, which clients see as
            // UNKNOWN_SERVER_ERROR.
            _ => {
                let message = format!("Unknown compression type id: {id}");
                return Err(Error::Explained(ResponseError::UnknownServerError, message));
            }
        })
    }

    /// The three bits for the attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec of a setting, without its level.
    pub fn of(compression: Compression) -> CompressionType {
        match compression {
            Compression::Uncompressed => CompressionType::Uncompressed,
            Compression::Gzip { .. } => CompressionType::Gzip,
            Compression::Snappy => CompressionType::Snappy,
            Compression::Lz4 { .. } => CompressionType::Lz4,
            Compression::Zstd { .. } => CompressionType::Zstd,
        }
    }
}

/// Compresses into memory, after what is already there.
pub(super) enum Compressor {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Snappy(Box<snappy::Encoder>),
    Lz4(Lz4Encoder<Vec<u8>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Compressor {
    /// A compressor that appends to `out`.
    pub(super) fn new(compression: Compression, out: Vec<u8>) -> Compressor {
        match compression {
            Compression::Uncompressed => Compressor::Plain(out),
            Compression::Gzip { level } => {
                let level = u32::try_from(level)
                    .map_or_else(|_| Default::default(), flate2::Compression::new);
                Compressor::Gzip(GzEncoder::new(out, level))
            }
            Compression::Snappy => Compressor::Snappy(Box::new(snappy::Encoder::new(out))),
            Compression::Lz4 { level } => Compressor::Lz4(lz4::encoder(level, out)),
            Compression::Zstd { level } => Compressor::Zstd(
                zstd::Encoder::new(out, level).expect("the level was checked with the setting"),
            ),
        }
    }

    /// Ends the stream and returns the memory: what was there before, followed by the compressed
    /// bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        let out = match self {
            Compressor::Plain(out) => Ok(out),
            Compressor::Gzip(encoder) => encoder.finish(),
            Compressor::Snappy(encoder) => encoder.finish(),
            Compressor::Lz4(encoder) => {
                let (out, ended) = encoder.finish();
                ended.map(|()| out)
            }
            Compressor::Zstd(encoder) => encoder.finish(),
        };
        out.expect("compressing into memory does not fail")
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Compressor::Plain(out) => out,
            Compressor::Gzip(encoder) => encoder,
            Compressor::Snappy(encoder) => encoder,
            Compressor::Lz4(encoder) => encoder,
            Compressor::Zstd(encoder) => encoder,
        }
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressor")
    }
}

/// Decompresses up to a bound. Its memory grows with the bytes that have been read, whatever size
/// they announce.
pub(super) struct Decompressor {
    stream: Box<dyn BufRead + Send>,
    bytes_max: usize,
    remaining: usize,
    /// The record that is being read. Its memory is used again once the last record is dropped.
    record: BytesMut,
}

impl Decompressor {
    /// A decompressor of `bytes`, which are from a batch or message with this magic. It fails with
    /// INVALID_RECORD after `bytes_max` decompressed bytes.
    pub(super) fn new(
        codec: CompressionType,
        magic: i8,
        bytes: Bytes,
        bytes_max: usize,
    ) -> Result<Decompressor> {
        let stream: Box<dyn BufRead + Send> = match codec {
            CompressionType::Uncompressed => Box::new(bytes.reader()),
            CompressionType::Gzip => Box::new(buffered(gzip::Decoder::new(bytes).map_err(failed)?)),
            CompressionType::Snappy => Box::new(snappy::Decoder::new(bytes).map_err(failed)?),
            CompressionType::Lz4 => Box::new(lz4::Decoder::new(bytes, magic).map_err(failed)?),
            CompressionType::Zstd => {
                Box::new(buffered(zstandard::Decoder::new(bytes).map_err(failed)?))
            }
        };
        Ok(Decompressor { stream, bytes_max, remaining: bytes_max, record: BytesMut::new() })
    }

    /// Shows `look` the bytes that are decompressed already: at least one, or none at the end.
    /// `look` returns how many of them to consume.
    pub(super) fn with_chunk(&mut self, look: impl FnOnce(&[u8]) -> usize) -> Result<()> {
        let read = look(self.chunk()?);
        self.consume(read)
    }

    pub(super) fn read_byte(&mut self) -> Result<u8> {
        match self.chunk()?.first().copied() {
            Some(byte) => {
                self.consume(1)?;
                Ok(byte)
            }
            None => invalid("The compressed batch ends before its last record"),
        }
    }

    /// Shows `look` the next `size` bytes. They are copied only if they lie in two chunks.
    pub(super) fn with_exact<T>(
        &mut self,
        size: usize,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        match self.chunk()?.get(..size) {
            Some(bytes) => {
                let seen = look(bytes);
                self.consume(size)?;
                Ok(seen)
            }
            None => Ok(look(&self.read_exact(size)?)),
        }
    }

    /// Reads the next `size` bytes.
    pub(super) fn read_exact(&mut self, size: usize) -> Result<Bytes> {
        // Taken out so that `chunk` can borrow the rest of `self`.
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        while record.len() < size {
            let chunk = self.chunk()?;
            let taken = chunk.len().min(size - record.len());
            if taken == 0 {
                let there = record.len();
                return invalid(format!(
                    "The compressed batch has {there} bytes of a record of {size}"
                ));
            }
            record.extend_from_slice(&chunk[..taken]);
            self.consume(taken)?;
        }
        let bytes = record.split().freeze();
        self.record = record;
        Ok(bytes)
    }

    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.chunk()?.is_empty())
    }

    /// The bytes that are decompressed already: at least one, or none at the end.
    fn chunk(&mut self) -> Result<&[u8]> {
        self.stream.fill_buf().map_err(failed)
    }

    fn consume(&mut self, size: usize) -> Result<()> {
        self.stream.consume(size);
        match self.remaining.checked_sub(size) {
            Some(remaining) => {
                self.remaining = remaining;
                Ok(())
            }
            None => Err(Error::TooExpanded { bytes_max: self.bytes_max }),
        }
    }
}

fn buffered<T: Read>(stream: T) -> BufReader<T> {
    BufReader::with_capacity(CHUNK_BYTES, stream)
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

/// Kafka throws a KafkaException, which clients see as UNKNOWN_SERVER_ERROR and do not retry.
fn failed(error: io::Error) -> Error {
    let message = format!("Failed to decompress record stream: {error}");
    Error::Explained(ResponseError::UnknownServerError, message)
}
