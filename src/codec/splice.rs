//! Encodes responses with file ranges in them, without reading the files.
//!
//! A handler sets a `records` field that comes from files to `placeholder(len)`. The encoder writes
//! the field's length and then hands over the placeholder's bytes, which are recognised by their
//! address. There the frame is cut and the next group of file ranges is inserted.
#![allow(unsafe_code)]

use super::{Chunk, Reply};
use crate::disk::FileRange;
use bytes::buf::UninitSlice;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::buf::ByteBufMut;
use memmap2::{Mmap, MmapOptions};
use std::ops::Range;
use std::sync::OnceLock;
use std::vec;

/// No field of a frame is larger than this.
const LARGEST: usize = i32::MAX as usize;

/// The bytes to reserve if the system does not allow `LARGEST`. They suffice for a batch of Kafka's
/// default `socket.request.max.bytes`.
const LARGE: usize = 256 << 20;

/// The initial room for a response, enough for small ones.
const HEAD_SIZE: usize = 512;

/// The bytes of the size at the beginning of a frame.
const SIZE_BYTES: usize = 4;

static REGION: OnceLock<Mmap> = OnceLock::new();

/// The addresses of all placeholders. Nobody reads them, so they take no memory.
fn region() -> &'static [u8] {
    REGION.get_or_init(|| {
        let reserve = |len| MmapOptions::new().len(len).no_reserve_swap().map_anon();
        let map = reserve(LARGEST).or_else(|_| reserve(LARGE));
        map.and_then(|map| map.make_read_only())
            .expect("a process may reserve 256 MiB of addresses")
    })
}

/// Stands for `len` bytes from files in a response that `encode_with_files` encodes. With a `len`
/// of 0 it is just an empty field, for which there is no group of files.
pub fn placeholder(len: usize) -> Bytes {
    Bytes::from_static(&region()[..len])
}

/// A frame under construction that is cut at each placeholder.
pub struct Splice {
    /// What has been written since the last cut.
    head: BytesMut,
    /// The first piece. It is kept apart because the frame's size is written into it at the end.
    first: Option<BytesMut>,
    /// The pieces before `head`. `chunks[0]` is reserved for `first`.
    chunks: Vec<Chunk>,
    files: vec::IntoIter<Vec<FileRange>>,
    /// The bytes in `first` and `chunks`.
    cut_off: usize,
}

impl Splice {
    /// An empty frame. `files` replace the placeholders, in order.
    pub fn new(files: Vec<Vec<FileRange>>) -> Splice {
        let mut head = BytesMut::with_capacity(HEAD_SIZE);
        head.put_bytes(0, SIZE_BYTES);
        Splice { head, first: None, chunks: Vec::new(), files: files.into_iter(), cut_off: 0 }
    }

    /// Completes the frame and writes its size.
    pub fn finish(mut self) -> Reply {
        assert_eq!(self.files.len(), 0, "every group of files has its placeholder");
        self.cut();
        let mut first = self.first.expect("a cut makes a first piece");
        let Ok(size) = i32::try_from(self.cut_off - SIZE_BYTES) else {
            return Reply::Failed(format!("a frame of {} bytes", self.cut_off));
        };
        first[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        self.chunks[0] = Chunk::Bytes(first.freeze());
        Reply::Frame(self.chunks)
    }

    fn cut(&mut self) {
        let piece = self.head.split();
        self.cut_off += piece.len();
        if self.first.is_none() {
            self.first = Some(piece);
            self.chunks.push(Chunk::Bytes(Bytes::new()));
        } else if !piece.is_empty() {
            self.chunks.push(Chunk::Bytes(piece.freeze()));
        }
    }

    fn insert_files(&mut self, len: usize) {
        self.cut();
        let group = self.files.next().expect("every placeholder has its group of files");
        let total: usize = group.iter().map(|range| range.len).sum();
        assert_eq!(total, len, "a placeholder is as long as its files");
        self.cut_off += len;
        self.chunks.extend(group.into_iter().map(Chunk::File));
    }
}

/// Whether these are the bytes of a placeholder.
fn is_placeholder(bytes: &[u8]) -> bool {
    let region = REGION.get();
    !bytes.is_empty() && region.is_some_and(|map| map.as_ptr_range().contains(&bytes.as_ptr()))
}

// SAFETY: every method except `put_slice` calls `BytesMut`'s method on the same buffer, so the
// trait's promises about remaining and initialised bytes hold; `put_slice` writes only through
// `BytesMut`.
unsafe impl BufMut for Splice {
    fn remaining_mut(&self) -> usize {
        self.head.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller promises what `BytesMut` requires.
        unsafe { self.head.advance_mut(count) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.head.chunk_mut()
    }

    fn put_slice(&mut self, bytes: &[u8]) {
        if is_placeholder(bytes) {
            self.insert_files(bytes.len());
        } else {
            self.head.put_slice(bytes);
        }
    }
}

impl ByteBufMut for Splice {
    fn offset(&self) -> usize {
        unreachable!("only the crate's record encoder seeks, and records come encoded")
    }

    fn seek(&mut self, _: usize) {
        unreachable!("only the crate's record encoder seeks, and records come encoded")
    }

    fn range(&mut self, _: Range<usize>) -> &mut [u8] {
        unreachable!("only the crate's record encoder seeks, and records come encoded")
    }
}

#[cfg(test)]
mod tests;
