//! The stream of bytes under a connection.

use bytes::BytesMut;
use futures_util::FutureExt;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// A connection's stream, and the few things that are done with one.
///
/// TLS will be a second variant. Its records are made in this process, so `try_send_file` will read
/// the file range into a bounded buffer and encrypt it there, or leave both to the kernel (kTLS).
#[derive(Debug)]
pub enum Transport {
    /// Bytes go as they are.
    Plain(TcpStream),
}

impl Transport {
    /// Waits until there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.readable().await,
        }
    }

    /// Reads into the room that `buffer` has; 0 at the end of the stream.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read_buf(buffer).await,
        }
    }

    /// As `read`, but does not wait: None if nothing is there.
    pub fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<usize>> {
        // Unlike `try_read_buf` it takes a read that leaves room for the last one, and does not ask
        // the kernel once more.
        unconstrained(self.read(buffer)).now_or_never().transpose()
    }

    /// Waits until the peer has taken something, or can take something.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.writable().await,
        }
    }

    /// Writes what the peer can take now, `WouldBlock` if nothing.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.try_write_vectored(slices),
        }
    }

    /// Sends what the peer can take now of the `length` bytes at `position`, which it moves on;
    /// `WouldBlock` if nothing. The bytes go from the page cache and never enter this process.
    pub fn try_send_file(
        &self,
        file: impl AsFd,
        position: &mut u64,
        length: usize,
    ) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(socket, file, Some(position), length)?)
            }),
        }
    }

    /// Ends this side of the stream.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.shutdown().await,
        }
    }

    /// Whether the peer has ended its side, as far as the system has told: nobody reads what it
    /// has sent before.
    pub fn is_peer_gone(&self) -> bool {
        match self {
            Transport::Plain(socket) => {
                let ready = socket.ready(Interest::READABLE).now_or_never();
                matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
            }
        }
    }
}
