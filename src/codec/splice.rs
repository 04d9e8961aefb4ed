//! Encodes a response around file ranges that never enter memory.
//!
//! A `records` field that is to come from files is given as `placeholder(len)`. The encoder writes
//! its length and then hands us its bytes, which we know by their address: there the frame is cut,
//! and the next group of file ranges takes their place.
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

/// No field of a frame is larger.
const LARGEST: usize = i32::MAX as usize;

/// What is reserved where the system does not grant `LARGEST`; it holds a batch of Kafka's default
/// `socket.request.max.bytes`.
const LARGE: usize = 256 << 20;

/// Bytes that small answers fit in.
const HEAD_SIZE: usize = 512;

/// The bytes of the frame that say how long the rest is.
const SIZE_BYTES: usize = 4;

static REGION: OnceLock<Mmap> = OnceLock::new();

/// Addresses that nobody reads: they take no memory.
fn region() -> &'static [u8] {
    REGION.get_or_init(|| {
        let reserve = |len| MmapOptions::new().len(len).no_reserve_swap().map_anon();
        let map = reserve(LARGEST).or_else(|_| reserve(LARGE));
        map.and_then(|map| map.make_read_only())
            .expect("a process may reserve 256 MiB of addresses")
    })
}

/// Stands for `len` bytes of files in a response that goes through `encode_with_files`. An empty
/// one is just empty and stands for no group of files.
pub fn placeholder(len: usize) -> Bytes {
    Bytes::from_static(&region()[..len])
}

/// A frame that cuts itself where a placeholder is written.
pub struct Splice {
    /// What was written since the last cut.
    head: BytesMut,
    /// The first piece, held back because it begins with the frame's size.
    first: Option<BytesMut>,
    /// The pieces before `head`; the place of the first is kept free.
    chunks: Vec<Chunk>,
    files: vec::IntoIter<Vec<FileRange>>,
    /// Bytes in `first` and `chunks`.
    cut_off: usize,
}

impl Splice {
    /// An empty frame; `files` is what placeholders are replaced by, in their order.
    pub fn new(files: Vec<Vec<FileRange>>) -> Splice {
        let mut head = BytesMut::with_capacity(HEAD_SIZE);
        head.put_bytes(0, SIZE_BYTES);
        Splice { head, first: None, chunks: Vec::new(), files: files.into_iter(), cut_off: 0 }
    }

    /// The frame, its size first.
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

/// Whether these are bytes of a placeholder.
fn is_placeholder(bytes: &[u8]) -> bool {
    let region = REGION.get();
    !bytes.is_empty() && region.is_some_and(|map| map.as_ptr_range().contains(&bytes.as_ptr()))
}

// SAFETY: every method but `put_slice` is `BytesMut`'s own, on the same buffer, so what they
// promise of remaining and initialised bytes holds; `put_slice` writes only through `BytesMut`.
unsafe impl BufMut for Splice {
    fn remaining_mut(&self) -> usize {
        self.head.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller's promise, passed on.
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
