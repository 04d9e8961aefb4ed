//! Frames of Zstandard.

use bytes::{Buf, Bytes};
use std::cell::Cell;
use std::io::{self, Read};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

/// The largest window that is accepted (128 MiB). It is libzstd's default, and what level 22
/// writes.
const WINDOW_LOG_MAX: u32 = 27;
/// A larger context is not kept for the next batch. Producers' default level has a window of 2 MiB.
const SPARE_BYTES_MAX: usize = 4 << 20;

thread_local! {
    /// Kept because making a context asks for the processor's features, which on a virtual machine
    /// takes longer than decompressing a batch of 16 KiB.
    static SPARE: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Reads one frame after another. A frame that is cut off is an error, except after one that ended
/// in the same piece of input: there Java's stream treats it as the end.
pub(super) struct Decoder {
    /// None only while it is dropped.
    context: Option<DCtx<'static>>,
    rest: Bytes,
    /// How many of the remaining bytes belong to the current piece of input.
    piece_bytes: usize,
    wants_piece: bool,
    ended_in_piece: bool,
}

impl Decoder {
    pub(super) fn new(bytes: Bytes) -> io::Result<Decoder> {
        let context = match SPARE.take() {
            Some(context) => context,
            None => {
                let mut context = DCtx::create();
                context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(failed)?;
                context
            }
        };
        Ok(Decoder {
            context: Some(context),
            rest: bytes,
            piece_bytes: 0,
            wants_piece: true,
            ended_in_piece: true,
        })
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let context = self.context.as_mut().expect("the decoder is not dropped");
        let size = out.len();
        let mut output = OutBuffer::around(out);
        while output.pos() == 0 {
            if self.wants_piece && self.piece_bytes == 0 {
                match self.rest.len() {
                    0 if self.ended_in_piece => break,
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    rest => self.piece_bytes = rest.min(DCtx::in_size()),
                }
                self.ended_in_piece = false;
            }
            let mut input = InBuffer::around(&self.rest[..self.piece_bytes]);
            let hint = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
            let read = input.pos();
            self.rest.advance(read);
            self.piece_bytes -= read;
            self.ended_in_piece |= hint == 0;
            self.wants_piece = if hint == 0 { self.piece_bytes == 0 } else { output.pos() < size };
        }
        Ok(output.pos())
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let spare = self.context.take().filter(|context| context.sizeof() <= SPARE_BYTES_MAX);
        let Some(mut context) = spare else { return };
        if context.reset(ResetDirective::SessionOnly).is_ok() {
            // The thread is ending, and its thread-local is gone.
            let _ = SPARE.try_with(|place| place.set(Some(context)));
        }
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
