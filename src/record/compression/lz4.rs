//! Frames of LZ4, of which Kafka's clients read a part (Lz4BlockInputStream).
//!
//! ```text
//! magic u32 | flags u8 | largest block u8 | content size u64, where flagged | header checksum u8
//! per block: size u32 (its highest bit: not compressed) | bytes | checksum u32, where flagged
//! size 0 | content checksum u32, where flagged                            (little endian, all of it)
//! ```
//! Blocks do not refer to each other, dictionaries there are none. Content size and checksum are read
//! over. What lies behind the frame is not looked at.

use bytes::{Buf, Bytes};
use lz4::{BlockMode, BlockSize, ContentChecksum, Encoder, EncoderBuilder};
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use twox_hash::XxHash32;

const MAGIC: u32 = 0x184d_2204;
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED: u8 = 0x03;
const UNCOMPRESSED: u32 = 1 << 31;
/// The highest ratio of the codec: one byte of an element stands for at most 255.
const RATIO_MAX: usize = 255;
/// The library needs this much room after what it has written.
const MARGIN_BYTES: usize = 64;
/// A larger buffer is not kept for the next batch. Clients write blocks of 64 KiB.
const SPARE_BYTES_MAX: usize = 64 << 10;
/// Kafka's level for the fast compressor.
const FAST: i32 = 9;

thread_local! {
    /// A buffer for a block. It is kept because clearing it takes as long as decompressing a batch
    /// of 16 KiB.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An encoder that appends a frame to `out`, as Kafka's clients write it.
pub(super) fn encoder(level: i32, out: Vec<u8>) -> Encoder<Vec<u8>> {
    // The library's fast level is 0, and 2 is the lowest of the others.
    let level = if level == FAST { 0 } else { level.max(2).unsigned_abs() };
    EncoderBuilder::new()
        .level(level)
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent)
        .block_checksum(lz4::liblz4::BlockChecksum::NoBlockChecksum)
        .checksum(ContentChecksum::NoChecksum)
        .build(out)
        .expect("compressing into memory does not fail")
}

/// Reads one frame.
pub(super) struct Decoder {
    rest: Bytes,
    flags: u8,
    block_bytes_max: usize,
    buffer: Vec<u8>,
    /// The part of the buffer that is not consumed yet.
    block: Range<usize>,
    is_at_end: bool,
}

impl Decoder {
    pub(super) fn new(mut bytes: Bytes, magic: i8) -> io::Result<Decoder> {
        let start = bytes.clone();
        if bytes.try_get_u32_le().map_err(cut_off)? != MAGIC {
            return corrupt("not an LZ4 frame");
        }
        let flags = bytes.try_get_u8().map_err(cut_off)?;
        if flags & (VERSION_MASK | INDEPENDENT | RESERVED) != VERSION | INDEPENDENT {
            return corrupt("an LZ4 frame of another version, with linked blocks or a dictionary");
        }
        let block_bytes_max = match bytes.try_get_u8().map_err(cut_off)? {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return corrupt("unknown block size of an LZ4 frame"),
        };
        if flags & CONTENT_SIZE != 0 {
            bytes.try_get_u64_le().map_err(cut_off)?;
        }
        let descriptor = &start[4..start.len() - bytes.len()];
        let checksum = (XxHash32::oneshot(0, descriptor) >> 8) as u8;
        // Clients that wrote magic 0 computed the checksum over other bytes.
        if bytes.try_get_u8().map_err(cut_off)? != checksum && magic != 0 {
            return corrupt("wrong checksum of an LZ4 frame's header");
        }
        let buffer = SPARE.take();
        Ok(Decoder { rest: bytes, flags, block_bytes_max, buffer, block: 0..0, is_at_end: false })
    }

    fn read_block(&mut self) -> io::Result<()> {
        let head = self.rest.try_get_u32_le().map_err(cut_off)?;
        let size = (head & !UNCOMPRESSED) as usize;
        if size == 0 {
            self.is_at_end = true;
            if self.flags & CONTENT_CHECKSUM != 0 {
                self.rest.try_get_u32_le().map_err(cut_off)?;
            }
            return Ok(());
        }
        if size > self.block_bytes_max {
            return corrupt("an LZ4 block larger than its frame allows");
        }
        if size > self.rest.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = self.rest.split_to(size);
        if self.flags & BLOCK_CHECKSUM != 0
            && self.rest.try_get_u32_le().map_err(cut_off)? != XxHash32::oneshot(0, &bytes)
        {
            return corrupt("wrong checksum of an LZ4 block");
        }
        let decompressed = if head & UNCOMPRESSED == 0 {
            self.decompress(&bytes)?
        } else {
            let room = self.room(size);
            room.copy_from_slice(&bytes);
            size
        };
        self.block = 0..decompressed;
        // In some places Java's streams treat an empty block as the end.
        self.is_at_end = decompressed == 0;
        Ok(())
    }

    fn decompress(&mut self, block: &[u8]) -> io::Result<usize> {
        let size = self.block_bytes_max.min(block.len() * RATIO_MAX + MARGIN_BYTES);
        let room = self.room(size);
        lz4::block::decompress_to_buffer(block, Some(size as i32), room)
    }

    fn room(&mut self, size: usize) -> &mut [u8] {
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        &mut self.buffer[..size]
    }
}

impl BufRead for Decoder {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.block.is_empty() && !self.is_at_end {
            self.read_block()?;
        }
        Ok(&self.buffer[self.block.clone()])
    }

    fn consume(&mut self, size: usize) {
        self.block.start += size;
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(out)?;
        self.consume(taken);
        Ok(taken)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        if self.buffer.len() <= SPARE_BYTES_MAX {
            let buffer = std::mem::take(&mut self.buffer);
            // The thread is ending, and its thread-local is gone.
            let _ = SPARE.try_with(|place| place.set(buffer));
        }
    }
}

fn cut_off(_: bytes::TryGetError) -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn corrupt<T>(what: &'static str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}
