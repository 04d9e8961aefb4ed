//! The bytes that a connection has read, before they are taken out as requests. The buffer grows
//! only as bytes arrive, so a size without its bytes costs nothing.

use super::intake::SMALL_MAX;
use super::told::name_of;
use super::transport::Transport;
use crate::error::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use tokio::time::Instant;

/// Bytes of room for the next read.
pub const READ_ROOM: usize = 64 * 1024;
/// Bytes by which the buffer grows at most for one read, unless it holds even more already.
const READ_ROOM_MAX: usize = 1024 * 1024;
/// Bytes that a read may take even if no memory is left for requests.
const READ_MIN: usize = 4 * 1024;

/// The read buffer of a connection.
pub struct Inlet {
    buffer: BytesMut,
    /// How much of the buffer's memory is in use or has been.
    touched: usize,
    /// When bytes last arrived. A request that is complete now was not complete before that.
    pub arrived: Instant,
}

impl Inlet {
    pub fn new(now: Instant) -> Inlet {
        Inlet { buffer: BytesMut::new(), touched: 0, arrived: now }
    }

    /// Reads the bytes that are there, but not many more than `left`. Returns false at the end of
    /// the stream and None if there are no bytes.
    pub fn read(&mut self, transport: &mut Transport, left: usize) -> Result<Option<bool>> {
        // The buffer doubles while a large frame arrives instead of growing by a little at each
        // read.
        let missing = self.announced().unwrap_or(0).saturating_sub(self.buffer.len());
        let room = missing.clamp(READ_ROOM, READ_ROOM_MAX.max(self.buffer.len()));
        self.buffer.reserve(room);
        let mut room = (&mut self.buffer).limit(left.max(READ_MIN));
        let read = transport.try_read(&mut room).map_err(Error::Disconnected)?;
        self.touched = self.touched.max(self.buffer.len());
        if read.is_some_and(|bytes| bytes > 0) {
            self.arrived = Instant::now();
        }
        Ok(read.map(|bytes| bytes > 0))
    }

    /// The bytes of the first request according to its size, which are counted too.
    pub fn announced(&self) -> Option<usize> {
        let size = self.buffer.first_chunk::<4>()?;
        Some(4 + u32::from_be_bytes(*size) as usize)
    }

    /// The API of the first request, once its first bytes have arrived.
    pub fn api_key(&self) -> Option<i16> {
        let key = self.buffer.get(4..6)?.try_into().ok()?;
        Some(i16::from_be_bytes(key))
    }

    /// The size of the first request if it is complete. A size above `max` is an error.
    pub fn whole(&self, max: i32) -> Result<Option<usize>> {
        let Some(announced) = self.announced() else { return Ok(None) };
        let size = announced - 4;
        if size > max as usize {
            return Err(Error::Explained(
                ResponseError::InvalidRequest,
                format!(
                    "it sent {}; as a request it would have {} bytes (socket.request.max.bytes={max})",
                    name_of(&self.buffer),
                    size as u32 as i32
                ),
            ));
        }
        Ok((self.buffer.len() >= announced).then_some(size))
    }

    /// Takes out the first request, which is complete and has `size` bytes.
    pub fn take(&mut self, size: usize) -> Bytes {
        self.buffer.advance(4);
        let request = self.buffer.split_to(size).freeze();
        // Only small requests share the buffer's memory, so the memory of a large one is free as
        // soon as it has been answered.
        if size > SMALL_MAX {
            self.give_back();
        }
        request
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Bytes of memory that the buffer takes.
    pub fn held(&self) -> usize {
        self.touched
    }

    /// Whether it has memory that is not in use.
    pub fn has_room(&self) -> bool {
        let len = self.buffer.len();
        self.touched > len || (len < READ_ROOM && self.buffer.capacity() > len)
    }

    /// Keeps only the bytes of an incomplete request.
    pub fn give_back(&mut self) {
        self.buffer = BytesMut::from(&self.buffer[..]);
        self.touched = self.buffer.len();
    }
}
