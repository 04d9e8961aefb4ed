//! Writes answers: bytes in memory together with small file ranges, larger ranges by sendfile. A
//! peer that takes nothing for too long loses its connection.

use super::intake::Share;
use super::transport::Transport;
use crate::codec::Chunk;
use crate::disk::{self, Access, FileRange};
use crate::error::{Error, Result};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::timeout;

/// File ranges of up to this many bytes are copied and sent together with their neighbours, which
/// is cheaper than a sendfile call and a packet of their own.
const COPIED_MAX: usize = 32 * 1024;
/// At most this many bytes of small file ranges are in memory at a time.
const COPIED_TOGETHER: usize = 64 * 1024;
/// sendfile moves at most this many bytes per call, so that one socket cannot hold a worker for
/// long.
const SENDFILE_MAX: usize = 1024 * 1024;
/// How long a peer may take nothing while all connections together hold too much.
const PATIENCE_MIN: Duration = Duration::from_secs(10);

/// While the answers that peers have not taken hold this many bytes on all connections together,
/// peers that do not read are disconnected early.
const HELD_IN_ALL_MAX: usize = 128 << 20;
/// The weight of a file range, in bytes. It needs no memory but keeps its file open, so it weighs
/// more if the process may open few files.
static FILE_WEIGHT: LazyLock<usize> = LazyLock::new(|| {
    let files = disk::momentary_descriptors();
    (HELD_IN_ALL_MAX / files).max(64 << 10)
});

/// The weight of a part of an answer, in bytes, until it is sent.
pub fn weight_of(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::File(_) => *FILE_WEIGHT,
    }
}

/// The weight of all answers, on all connections, that peers have not taken yet.
pub type Total = Arc<AtomicUsize>;

/// A connection's part of the total. It is subtracted when dropped.
#[derive(Debug)]
pub struct Held {
    own: usize,
    total: Total,
}

impl Held {
    pub fn new(total: Total) -> Held {
        Held { own: 0, total }
    }

    pub fn add(&mut self, weight: usize) {
        self.own += weight;
        self.total.fetch_add(weight, Ordering::Relaxed);
    }

    /// Subtracts all of it from the total.
    pub fn clear(&mut self) {
        if self.own > 0 {
            self.total.fetch_sub(std::mem::take(&mut self.own), Ordering::Relaxed);
        }
    }

    /// Whether all connections together hold too much.
    pub fn is_too_much(&self) -> bool {
        self.total.load(Ordering::Relaxed) > HELD_IN_ALL_MAX
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A transport and the answers to be written to it.
pub struct Outlet<'a> {
    pub transport: &'a Transport,
    /// How long the peer may take nothing (`connections.max.idle.ms`); None if without a limit.
    pub patience: Option<Duration>,
    /// The weight of the answers (`weight_of`).
    pub weight: usize,
    /// Where `weight` is added once the answers have to wait for the peer.
    pub held: &'a mut Held,
    /// The memory of the connection's requests.
    pub share: &'a Share,
}

impl Outlet<'_> {
    /// Writes all chunks.
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

    /// Sends a file range from the page cache. Parts that are not in the cache are read by a thread
    /// that may wait for the disk.
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
                // A socket that takes everything must not keep the worker from other tasks.
                Ok(_) if position < end => tokio::task::yield_now().await,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(Error::Disconnected(error)),
            }
        }
        Ok(())
    }

    /// Waits until the peer can take more; fails if it takes nothing for too long.
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
            let is_in_the_way = self.held.is_too_much() || self.share.is_in_the_way();
            if is_in_the_way || self.patience.is_some_and(|patience| waited >= patience) {
                return Err(Error::Explained(
                    ResponseError::RequestTimedOut,
                    format!("it took nothing of its answers for {} ms", waited.as_millis()),
                ));
            }
        }
    }
}

/// Reads a small file range into memory.
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

/// Reads a range into the page cache on a thread that may wait for the disk. A failure shows when
/// the range is read next.
async fn bring_in(range: FileRange) {
    drop(tokio::task::spawn_blocking(move || range.bring_in()).await);
}

fn ends_early(at: u64, range: &FileRange) -> Error {
    Error::corrupt(format!("segment ends at {at}, before {}", range.position + range.len as u64))
}
