//! One connection: read requests, start them in order, answer them in order.

use super::{host_of, prepare};
use crate::codec::{self, Chunk, Reply};
use crate::disk::{Access, FileRange};
use crate::error::{Error, Result};
use crate::handlers::{self, Context, Endpoint, Parts};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{FuturesOrdered, StreamExt};
use futures_util::{FutureExt, future::BoxFuture};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tracing::{debug, info};

/// Room for the next read; a larger frame grows the buffer as its bytes arrive, so that a size
/// that nobody sends the bytes for costs nothing.
const READ_ROOM: usize = 64 * 1024;
/// A connection that is quiet for so long holds no buffer. Until then the same memory, still in the
/// processor's cache, takes one frame after the other.
const BUFFER_KEPT: Duration = Duration::from_secs(1);
/// At most this much is made room for at once.
const READ_ROOM_MAX: usize = 1024 * 1024;
/// Answers are collected to at most this many bytes before they are written.
const WRITE_BATCH: usize = 256 * 1024;
/// A file range of at most so many bytes is copied and goes out with what is around it: up to there
/// that is cheaper than sendfile and its packet.
const COPIED_MAX: usize = 32 * 1024;
/// So many bytes of small file ranges are in memory at a time.
const COPIED_TOGETHER: usize = 64 * 1024;
/// sendfile moves at most this much per call, so that one socket cannot hold a worker for long.
const SENDFILE_MAX: usize = 1024 * 1024;

/// A request that has been started: its frame's size and its answer.
type Started = BoxFuture<'static, (usize, Result<Reply>)>;

/// A client's connection.
pub struct Connection {
    parts: Arc<Parts>,
    listener: Arc<str>,
    endpoint: Endpoint,
    socket: TcpStream,
    client_host: String,
    /// Who appends.
    turn: Arc<tokio::sync::Mutex<()>>,
    input: BytesMut,
    /// Requests under way, answered in the order they came in.
    started: FuturesOrdered<Started>,
    started_bytes: usize,
    output: Vec<Chunk>,
    output_bytes: usize,
    last_active: Instant,
}

impl Connection {
    /// Takes over a socket that was just accepted.
    pub fn new(
        parts: Arc<Parts>,
        listener: Arc<str>,
        endpoint: Endpoint,
        socket: TcpStream,
        peer: SocketAddr,
    ) -> Connection {
        prepare(&socket);
        Connection {
            parts,
            listener,
            endpoint,
            socket,
            client_host: host_of(peer),
            turn: Arc::default(),
            input: BytesMut::new(),
            started: FuturesOrdered::new(),
            started_bytes: 0,
            output: Vec::new(),
            output_bytes: 0,
            last_active: Instant::now(),
        }
    }

    /// Serves until the peer leaves, breaks the protocol, is idle too long, or the broker stops.
    pub async fn serve(mut self, mut stopped: watch::Receiver<bool>) {
        let peer = self.client_host.clone();
        match self.run(&mut stopped).await {
            Ok(()) => {}
            Err(Error::Disconnected(error)) => debug!(peer, %error, "connection lost"),
            Err(error) => info!(peer, %error, "closing the connection"),
        }
    }

    async fn run(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<()> {
        let idle_max =
            Duration::from_millis(self.parts.config.connections_max_idle_ms.max(0) as u64);
        let mut stopped = pin!(stopped.changed());
        loop {
            self.start_requests()?;
            self.collect_ready()?;
            self.write().await?;
            if self.may_start() && self.whole_frame()?.is_some() {
                continue;
            }
            let has_room = self.input.capacity() > self.input.len();
            let kept = if has_room { BUFFER_KEPT.min(idle_max) } else { idle_max };
            let idle_at = self.last_active + kept;
            let may_read = self.may_start();
            tokio::select! {
                _ = &mut stopped => return self.finish().await,
                Some((bytes, answer)) = self.started.next() => self.answered(bytes, answer)?,
                ready = self.socket.readable(), if may_read => {
                    ready.map_err(Error::Disconnected)?;
                    if !self.read()? {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(idle_at), if self.started.is_empty() => {
                    if kept < idle_max {
                        self.give_buffer_back();
                        continue;
                    }
                    debug!(peer = self.client_host, "idle for connections.max.idle.ms");
                    return Ok(());
                }
            }
        }
    }

    /// The broker stops: what was begun is answered, nothing new is begun.
    async fn finish(&mut self) -> Result<()> {
        while let Some((bytes, answer)) = self.started.next().await {
            self.answered(bytes, answer)?;
            self.write().await?;
        }
        Ok(())
    }

    /// Reads what is there; false at the end of the stream.
    fn read(&mut self) -> Result<bool> {
        let wanted = match self.input.get(..4) {
            Some(size) => 4 + u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize,
            None => 0,
        };
        // Large frames double the buffer while they arrive instead of growing it bit by bit.
        let missing = wanted.saturating_sub(self.input.len());
        let room = missing.clamp(READ_ROOM, READ_ROOM_MAX.max(self.input.len()));
        self.input.reserve(room);
        // Unlike `try_read_buf` it takes a read that leaves room for the last one, and does not ask
        // the kernel once more.
        match unconstrained(self.socket.read_buf(&mut self.input)).now_or_never() {
            Some(Ok(0)) => Ok(false),
            Some(Ok(_)) => {
                self.last_active = Instant::now();
                Ok(true)
            }
            None => Ok(true),
            Some(Err(error)) => Err(Error::Disconnected(error)),
        }
    }

    /// Size of the first frame if all of it is here. A size no request may have is an error.
    fn whole_frame(&self) -> Result<Option<usize>> {
        let Some(size) = self.input.get(..4) else { return Ok(None) };
        let size = i32::from_be_bytes([size[0], size[1], size[2], size[3]]);
        let max = self.parts.config.socket_request_max_bytes;
        if size < 0 || size > max {
            return Err(Error::corrupt(format!(
                "request size {size} (socket.request.max.bytes is {max})"
            )));
        }
        Ok((self.input.len() - 4 >= size as usize).then_some(size as usize))
    }

    /// Requests under way are bounded in count and bytes; one may always start.
    fn may_start(&self) -> bool {
        let config = &self.parts.config;
        self.started.is_empty()
            || (self.started.len() < config.queued_max_requests.max(1) as usize
                && self.started_bytes < config.socket_request_max_bytes as usize)
    }

    /// Starts each whole request in the buffer: its future is polled once, before the next one
    /// starts, so appends happen in the order of the requests.
    fn start_requests(&mut self) -> Result<()> {
        while self.may_start() && self.output_bytes < WRITE_BATCH {
            let Some(size) = self.whole_frame()? else { break };
            self.input.advance(4);
            let frame = self.input.split_to(size).freeze();
            let (context, body) = self.context(frame)?;
            let answer = handlers::dispatch(context, body).map(move |answer| (size, answer));
            self.started_bytes += size;
            self.started.push_back(answer.boxed());
            self.collect_ready()?;
        }
        Ok(())
    }

    /// Keeps only what has arrived of a frame.
    fn give_buffer_back(&mut self) {
        self.input = BytesMut::from(&self.input[..]);
    }

    fn context(&self, mut frame: Bytes) -> Result<(Context, Bytes)> {
        let header = codec::decode_header(&mut frame)?;
        let context = Context {
            parts: self.parts.clone(),
            api_key: header.api_key,
            api_version: header.api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            client_host: self.client_host.clone(),
            listener: self.listener.clone(),
            endpoint: self.endpoint,
            turn: self.turn.clone(),
        };
        Ok((context, frame))
    }

    /// Takes the answers that are ready, in order, without waiting.
    fn collect_ready(&mut self) -> Result<()> {
        while let Some(Some((bytes, answer))) = self.started.next().now_or_never() {
            self.answered(bytes, answer)?;
        }
        Ok(())
    }

    fn answered(&mut self, bytes: usize, answer: Result<Reply>) -> Result<()> {
        self.started_bytes -= bytes;
        match answer? {
            Reply::Frame(chunks) => {
                self.output_bytes += chunks.iter().map(Chunk::len).sum::<usize>();
                self.output.extend(chunks);
                Ok(())
            }
            Reply::None => Ok(()),
            Reply::Failed(what) => Err(Error::corrupt(what)),
        }
    }

    /// Writes all collected answers: bytes in memory and small file ranges together, larger ones by
    /// sendfile.
    async fn write(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let chunks = std::mem::take(&mut self.output);
        self.output_bytes = 0;
        let mut memory = Vec::with_capacity(chunks.len());
        let mut copied = 0;
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) => memory.push(bytes),
                Chunk::File(range) if range.len <= COPIED_MAX => {
                    copied += range.len;
                    if copied > COPIED_TOGETHER {
                        write_all(&self.socket, &mut memory).await?;
                        tokio::task::yield_now().await;
                        copied = range.len;
                    }
                    memory.push(in_memory(&range).await?);
                }
                Chunk::File(range) => {
                    write_all(&self.socket, &mut memory).await?;
                    send_file(&self.socket, &range).await?;
                }
            }
        }
        write_all(&self.socket, &mut memory).await?;
        self.last_active = Instant::now();
        Ok(())
    }
}

async fn write_all(socket: &TcpStream, memory: &mut Vec<Bytes>) -> Result<()> {
    let mut first = 0;
    while first < memory.len() {
        let slices: Vec<IoSlice<'_>> =
            memory[first..].iter().take(64).map(|bytes| IoSlice::new(bytes)).collect();
        match socket.try_write_vectored(&slices) {
            Ok(mut written) => {
                while first < memory.len() && written >= memory[first].len() {
                    written -= memory[first].len();
                    first += 1;
                }
                if written > 0 {
                    memory[first].advance(written);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.writable().await.map_err(Error::Disconnected)?;
            }
            Err(error) => return Err(Error::Disconnected(error)),
        }
    }
    memory.clear();
    Ok(())
}

/// Sends a file range from the page cache; its bytes never enter this process. What is not there
/// is brought in by a thread that may wait for the disk.
async fn send_file(socket: &TcpStream, range: &FileRange) -> Result<()> {
    let mut position = range.position;
    let end = range.position + range.len as u64;
    while position < end {
        let want = ((end - position) as usize).min(SENDFILE_MAX);
        let next = FileRange { file: range.file.clone(), position, len: want };
        if !next.is_cached() {
            bring_in(next).await;
        }
        let sent = socket
            .async_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(socket, range.file.as_ref(), Some(&mut position), want)?)
            })
            .await
            .map_err(Error::Disconnected)?;
        if sent == 0 {
            return Err(ends_early(position, range));
        }
        if position < end {
            // A socket that takes everything must not keep the worker from the others.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
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
