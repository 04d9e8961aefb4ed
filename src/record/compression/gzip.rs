//! Members of gzip (RFC 1952), read as Java's GZIPInputStream reads them.

use bytes::{Buf, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{self, Read};

const DEFLATE: u8 = 8;
const HEADER_CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Reads one member after another. Bytes after them that do not begin a member are ignored.
pub(super) struct Decoder {
    rest: Bytes,
    inflate: Decompress,
    /// The checksum of the current member's decompressed bytes.
    crc: Crc,
    is_at_end: bool,
}

impl Decoder {
    pub(super) fn new(mut bytes: Bytes) -> io::Result<Decoder> {
        skip_header(&mut bytes)?;
        let inflate = Decompress::new(false);
        Ok(Decoder { rest: bytes, inflate, crc: Crc::new(), is_at_end: false })
    }

    fn end_member(&mut self) -> io::Result<()> {
        let crc = self.rest.try_get_u32_le().map_err(cut_off)?;
        let size = self.rest.try_get_u32_le().map_err(cut_off)?;
        if (crc, size) != (self.crc.sum(), self.crc.amount()) {
            return Err(corrupt("wrong checksum or size of a gzip member"));
        }
        self.is_at_end = skip_header(&mut self.rest).is_err();
        self.inflate.reset(false);
        self.crc.reset();
        Ok(())
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_at_end && !out.is_empty() {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(&self.rest, out, FlushDecompress::None)?;
            let read = (self.inflate.total_in() - before.0) as usize;
            let written = (self.inflate.total_out() - before.1) as usize;
            self.rest.advance(read);
            self.crc.update(&out[..written]);
            if status == Status::StreamEnd {
                self.end_member()?;
            } else if read == 0 && written == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// Skips a member's header. Reserved flags are ignored.
fn skip_header(bytes: &mut Bytes) -> io::Result<()> {
    let mut rest = &bytes[..];
    if rest.try_get_u16_le().map_err(cut_off)? != 0x8b1f {
        return Err(corrupt("not a gzip member"));
    }
    if rest.try_get_u8().map_err(cut_off)? != DEFLATE {
        return Err(corrupt("a gzip member with another method than deflate"));
    }
    let flags = rest.try_get_u8().map_err(cut_off)?;
    // Time, level and system.
    skip(&mut rest, 6)?;
    if flags & EXTRA != 0 {
        let size = rest.try_get_u16_le().map_err(cut_off)?;
        skip(&mut rest, usize::from(size))?;
    }
    for _ in 0..(flags & (NAME | COMMENT)).count_ones() {
        let end = rest.iter().position(|byte| *byte == 0);
        skip(&mut rest, end.ok_or(io::ErrorKind::UnexpectedEof)? + 1)?;
    }
    if flags & HEADER_CHECKSUM != 0 {
        let mut crc = Crc::new();
        crc.update(&bytes[..bytes.len() - rest.len()]);
        if rest.try_get_u16_le().map_err(cut_off)? != crc.sum() as u16 {
            return Err(corrupt("wrong checksum of a gzip header"));
        }
    }
    let size = bytes.len() - rest.len();
    bytes.advance(size);
    Ok(())
}

fn skip(rest: &mut &[u8], size: usize) -> io::Result<()> {
    *rest = rest.get(size..).ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(())
}

fn cut_off(_: bytes::TryGetError) -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn corrupt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
