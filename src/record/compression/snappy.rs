//! Snappy in the framing of xerial's SnappyOutputStream, which Kafka's clients write.
//!
//! ```text
//! 82 "SNAPPY" 00 | version i32 | lowest compatible version i32     (may come again between blocks)
//! per block: compressed size i32 | one raw snappy block of at most 32 KiB (others may be larger)
//! ```
//! Bytes without that header are one raw block, as SnappyInputStream takes them to be.

use bytes::{Buf, Bytes};
use std::io::{self, BufRead, Read, Write};

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const HEADER_SIZE: usize = 16;
const SIZE_BYTES: usize = 4;
const VERSION: i32 = 1;
const BLOCK_SIZE: usize = 32 << 10;
/// The highest ratio of the codec: an element of three bytes stands for at most 64.
const RATIO_MAX: usize = 22;

/// Writes blocks in xerial's framing.
pub(in crate::record) struct Encoder {
    out: Vec<u8>,
    block: Vec<u8>,
    raw: snap::raw::Encoder,
}

impl Encoder {
    pub(super) fn new(mut out: Vec<u8>) -> Encoder {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&VERSION.to_be_bytes());
        Encoder { out, block: Vec::with_capacity(BLOCK_SIZE), raw: snap::raw::Encoder::new() }
    }

    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.flush()?;
        Ok(self.out)
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK_SIZE {
            self.flush()?;
        }
        let taken = bytes.len().min(BLOCK_SIZE - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            let compressed = self.raw.compress_vec(&self.block)?;
            self.out.extend_from_slice(&(compressed.len() as i32).to_be_bytes());
            self.out.extend_from_slice(&compressed);
            self.block.clear();
        }
        Ok(())
    }
}

/// Reads blocks in xerial's framing, or one raw block.
pub(in crate::record) struct Decoder {
    rest: Bytes,
    framed: bool,
    block: Bytes,
}

impl Decoder {
    pub(super) fn new(mut bytes: Bytes) -> io::Result<Decoder> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let framed = bytes.len() >= HEADER_SIZE && bytes.starts_with(&MAGIC);
        if framed {
            bytes.advance(HEADER_SIZE);
        }
        Ok(Decoder { rest: bytes, framed, block: Bytes::new() })
    }

    /// The compressed bytes of the next block.
    fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        if !self.framed {
            let block = std::mem::take(&mut self.rest);
            return Ok(Some(block).filter(|block| !block.is_empty()));
        }
        while self.rest.starts_with(&MAGIC[..SIZE_BYTES]) {
            self.skip_header()?;
        }
        // Fewer bytes than a size are the end. Kafka's clients do not treat them as an error.
        if self.rest.len() < SIZE_BYTES {
            return Ok(None);
        }
        let size = self.rest.get_u32() as usize;
        if size > self.rest.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(self.rest.split_to(size)))
    }

    /// Skips a header between blocks. Its version is checked only here. Bytes that begin like its
    /// magic and go on differently are the end.
    fn skip_header(&mut self) -> io::Result<()> {
        let header = self.rest.get(..HEADER_SIZE).ok_or(io::ErrorKind::UnexpectedEof)?;
        let is_header = header.starts_with(&MAGIC);
        let version = (&header[MAGIC.len()..]).get_i32();
        self.rest.advance(HEADER_SIZE);
        let is_right = if is_header { version >= VERSION } else { self.rest.len() < SIZE_BYTES };
        if is_right { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

impl BufRead for Decoder {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.block.is_empty() {
            let Some(compressed) = self.next_block()? else { break };
            // The size comes from the peer, so it is bounded by the codec's highest ratio.
            let size = snap::raw::decompress_len(&compressed)?;
            if compressed.is_empty() || size > compressed.len() * RATIO_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.block = snap::raw::Decoder::new().decompress_vec(&compressed)?.into();
        }
        Ok(&self.block)
    }

    fn consume(&mut self, size: usize) {
        self.block.advance(size);
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let taken = out.len().min(self.fill_buf()?.len());
        self.block.copy_to_slice(&mut out[..taken]);
        Ok(taken)
    }
}
