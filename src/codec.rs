//! Bytes to messages and back. (Stub: the codec engineer replaces this.)

pub mod guard;
pub mod schema;

use crate::disk::FileRange;
use bytes::Bytes;

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A part of a file, sent by sendfile.
    File(FileRange),
}

/// What a handler answers: nothing (Produce with acks=0) or a whole frame, size first.
#[derive(Clone, Debug)]
pub enum Reply {
    /// No answer at all.
    None,
    /// The frame.
    Frame(Vec<Chunk>),
}
