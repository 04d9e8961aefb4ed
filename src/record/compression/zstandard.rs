//! Frames of Zstandard.

use bytes::{Buf, Bytes};
use std::cell::Cell;
use std::io::{self, Read};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

/// libzstd's default, which its decoders allocate at most (128 MiB): level 22 writes such windows.
const WINDOW_LOG_MAX: u32 = 27;
/// A larger context is not kept: a window of the level that producers use unasked has 2 MiB.
const SPARE_BYTES_MAX: usize = 4 << 20;

thread_local! {
    /// Making a context asks the processor what it is, which costs a virtual machine more than to
    /// decompress a batch of 16 KiB.
    static SPARE: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Reads frames, one behind the other.
pub(super) struct Decoder {
    /// There until it is dropped.
    context: Option<DCtx<'static>>,
    rest: Bytes,
    is_between_frames: bool,
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
        Ok(Decoder { context: Some(context), rest: bytes, is_between_frames: true })
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let context = self.context.as_mut().expect("the decoder is not dropped");
        let mut output = OutBuffer::around(out);
        while output.pos() == 0 && !(self.is_between_frames && self.rest.is_empty()) {
            let mut input = InBuffer::around(&self.rest);
            let hint = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
            let read = input.pos();
            self.rest.advance(read);
            self.is_between_frames = hint == 0;
            if read == 0 && output.pos() == 0 && !self.is_between_frames {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(output.pos())
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let spare = self.context.take().filter(|context| context.sizeof() <= SPARE_BYTES_MAX);
        let Some(mut context) = spare else { return };
        if context.reset(ResetDirective::SessionOnly).is_ok() {
            // A thread that ends has no place for it.
            let _ = SPARE.try_with(|place| place.set(Some(context)));
        }
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
