//! The byte stream under a connection.

use bytes::BufMut;
use futures_util::FutureExt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// The stream of a connection and its few operations.
///
/// TLS will be a second variant. Its records are encrypted in this process, so `try_send_file` will
/// read the file range into a bounded buffer and encrypt it there, or leave both to the kernel
/// (kTLS).
#[derive(Debug)]
pub enum Transport {
    /// Not encrypted.
    Plain(TcpStream),
}

impl Transport {
    /// Waits until there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => poll_fn(|cx| socket.poll_read_ready(cx)).await,
        }
    }

    /// Reads into the spare room of `buffer`; returns 0 at the end of the stream.
    pub async fn read(&mut self, buffer: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read_buf(buffer).await,
        }
    }

    /// As `read` but without waiting: None if nothing is there.
    pub fn try_read(&mut self, buffer: &mut impl BufMut) -> io::Result<Option<usize>> {
        // A read that leaves room in the buffer is known to be the last one here; `try_read_buf`
        // would ask the kernel again.
        unconstrained(self.read(buffer)).now_or_never().transpose()
    }

    /// Waits until the peer can take something.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.writable().await,
        }
    }

    /// Writes what the peer can take now; `WouldBlock` if it takes nothing.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.try_write_vectored(slices),
        }
    }

    /// Sends as many of the `length` bytes at `position` as the peer can take now and advances
    /// `position`; `WouldBlock` if it takes none. The bytes go from the page cache to the socket
    /// and never enter this process.
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

    /// Whether the kernel knows that the peer has closed its side, even if its last bytes were not
    /// read.
    pub fn is_peer_gone(&self) -> bool {
        match self {
            Transport::Plain(socket) => {
                let ready = socket.ready(Interest::READABLE).now_or_never();
                matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
            }
        }
    }
}
