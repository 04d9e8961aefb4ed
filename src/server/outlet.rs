//! How answers leave: bytes in memory and small file ranges together, larger ones by sendfile. A
//! peer that takes nothing for too long is given up.

use super::pipeline::Held;
use super::transport::Transport;
use crate::codec::Chunk;
use crate::disk::{Access, FileRange};
use crate::error::{Error, Result};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use std::io::{self, IoSlice};
use std::time::Duration;
use tokio::time::timeout;

/// A file range of at most so many bytes is copied and goes out with what is around it: up to there
/// that is cheaper than sendfile and its packet.
const COPIED_MAX: usize = 32 * 1024;
/// So many bytes of small file ranges are in memory at a time.
const COPIED_TOGETHER: usize = 64 * 1024;
/// sendfile moves at most this much per call, so that one socket cannot hold a worker for long.
const SENDFILE_MAX: usize = 1024 * 1024;
/// How long a peer may take nothing while all connections hold too much.
const PATIENCE_MIN: Duration = Duration::from_secs(10);

/// A transport, and what waits to go out there.
pub struct Outlet<'a> {
    pub transport: &'a Transport,
    /// How long the peer may take nothing (`connections.max.idle.ms`); None is for ever.
    pub patience: Option<Duration>,
    /// What the answers hold, ...
    pub weight: usize,
    /// ... told to the others only if they have to wait.
    pub held: &'a mut Held,
}

impl Outlet<'_> {
    /// Writes all of it.
    pub async fn write(mut self, chunks: Vec<Chunk>) -> Result<()> {
        let mut memory = Vec::with_capacity(chunks.len());
        let mut copied = 0;
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) => memory.push(bytes),
                Chunk::File(range) if range.len <= COPIED_MAX => {
                    copied += range.len;
                    if copied > COPIED_TOGETHER {
                        self.write_all(&mut memory).await?;
                        tokio::task::yield_now().await;
                        copied = range.len;
                    }
                    memory.push(in_memory(&range).await?);
                }
                Chunk::File(range) => {
                    self.write_all(&mut memory).await?;
                    self.send_file(&range).await?;
                }
            }
        }
        self.write_all(&mut memory).await
    }

    async fn write_all(&mut self, memory: &mut Vec<Bytes>) -> Result<()> {
        let mut first = 0;
        while first < memory.len() {
            let slices: Vec<IoSlice<'_>> =
                memory[first..].iter().take(64).map(|bytes| IoSlice::new(bytes)).collect();
            match self.transport.try_write_vectored(&slices) {
                Ok(mut written) => {
                    while first < memory.len() && written >= memory[first].len() {
                        written -= memory[first].len();
                        first += 1;
                    }
                    if written > 0 {
                        memory[first].advance(written);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(Error::Disconnected(error)),
            }
        }
        memory.clear();
        Ok(())
    }

    /// Sends a file range from the page cache. What is not there is brought in by a thread that may
    /// wait for the disk.
    async fn send_file(&mut self, range: &FileRange) -> Result<()> {
        let mut position = range.position;
        let end = range.position + range.len as u64;
        while position < end {
            let want = ((end - position) as usize).min(SENDFILE_MAX);
            let next = FileRange { file: range.file.clone(), position, len: want };
            if !next.is_cached() {
                bring_in(next).await;
            }
            match self.transport.try_send_file(range.file.as_ref(), &mut position, want) {
                Ok(0) => return Err(ends_early(position, range)),
                // A socket that takes everything must not keep the worker from the others.
                Ok(_) if position < end => tokio::task::yield_now().await,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(Error::Disconnected(error)),
            }
        }
        Ok(())
    }

    /// Waits until the peer has taken something.
    async fn writable(&mut self) -> Result<()> {
        if self.weight > 0 {
            self.held.add(std::mem::take(&mut self.weight));
        }
        let mut waited = Duration::ZERO;
        loop {
            let left = self.patience.map_or(PATIENCE_MIN, |patience| patience - waited);
            let step = left.min(PATIENCE_MIN);
            if let Ok(ready) = timeout(step, self.transport.writable()).await {
                return ready.map_err(Error::Disconnected);
            }
            waited += step;
            if self.patience.is_some_and(|patience| waited >= patience) || self.held.is_too_much() {
                return Err(Error::Explained(
                    ResponseError::RequestTimedOut,
                    format!("it took nothing of its answers for {} ms", waited.as_millis()),
                ));
            }
        }
    }
}

/// The bytes of a small file range.
async fn in_memory(range: &FileRange) -> Result<Bytes> {
    let mut bytes = BytesMut::zeroed(range.len);
    let read = match range.file.read_by(Access::Cached, &mut bytes, range.position)? {
        Some(read) => read,
        None => {
            bring_in(range.clone()).await;
            range.file.read_at(&mut bytes, range.position)?
        }
    };
    if read < range.len {
        return Err(ends_early(range.position + read as u64, range));
    }
    Ok(bytes.freeze())
}

/// A thread that may wait for the disk reads it; whatever came of it is seen by who needs it next.
async fn bring_in(range: FileRange) {
    drop(tokio::task::spawn_blocking(move || range.bring_in()).await);
}

fn ends_early(at: u64, range: &FileRange) -> Error {
    Error::corrupt(format!("segment ends at {at}, before {}", range.position + range.len as u64))
}
