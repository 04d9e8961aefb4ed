//! One connection: read requests, start them in order, answer them in order.

use super::Shared;
use super::outlet::Outlet;
use super::pipeline::{Held, Pipeline, weight_of};
use super::quotas::{self, Activity};
use super::told::{name_of, shown};
use crate::codec::{self, Chunk, Reply};
use crate::error::{Error, Result};
use crate::handlers::{self, Context, Endpoint};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use kafka_protocol::error::ResponseError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

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
/// How often a connection whose answers wait is looked at: its peer may have gone.
const LOOK: Duration = Duration::from_secs(1);
/// A peer that sent nothing for so long after the last answer has read it, or never will.
const QUIET: Duration = Duration::from_millis(500);
/// What an idle connection waits for that may be idle for ever.
const FAR: Duration = Duration::from_secs(30 * 86_400);

/// A client's connection.
pub struct Connection {
    shared: Arc<Shared>,
    listener: Arc<str>,
    endpoint: Endpoint,
    socket: TcpStream,
    peer: SocketAddr,
    /// The peer as Kafka shows it in DescribeGroups: `/127.0.0.1`.
    client_host: String,
    /// Who appends.
    turn: Arc<tokio::sync::Mutex<()>>,
    input: BytesMut,
    /// Requests under way, answered in the order they came in.
    pipeline: Pipeline,
    output: Vec<Chunk>,
    output_bytes: usize,
    output_weight: usize,
    /// What is being written and the peer does not take.
    unsent: Held,
    /// `connections.max.idle.ms`; None is for ever.
    idle_max: Option<Duration>,
    last_active: Instant,
    /// Where others see it, if this connection may have to make room.
    activity: Option<Activity>,
}

impl Connection {
    /// Takes over a socket that was just accepted.
    pub fn new(
        shared: Arc<Shared>,
        listener: Arc<str>,
        endpoint: Endpoint,
        socket: TcpStream,
        peer: SocketAddr,
        activity: Option<Activity>,
    ) -> Connection {
        let idle_max = u64::try_from(shared.parts.config.connections_max_idle_ms).ok();
        Connection {
            listener,
            endpoint,
            socket,
            peer,
            client_host: format!("/{}", peer.ip().to_canonical()),
            turn: Arc::default(),
            input: BytesMut::new(),
            pipeline: Pipeline::new(shared.held.clone()),
            output: Vec::new(),
            output_bytes: 0,
            output_weight: 0,
            unsent: Held::new(shared.held.clone()),
            idle_max: idle_max.map(Duration::from_millis),
            last_active: Instant::now(),
            activity,
            shared,
        }
    }

    /// Serves until the peer leaves, breaks the protocol, is idle too long, or the broker stops.
    pub async fn serve(mut self, stopped: watch::Receiver<bool>) {
        match self.run(stopped).await {
            Ok(()) => {}
            Err(Error::Disconnected(error)) => {
                debug!(peer = %shown(self.peer), %error, "connection lost");
            }
            Err(error) => {
                let why = error.message().unwrap_or_else(|| error.to_string());
                self.shared.told.closed(self.peer, &self.listener, why);
            }
        }
    }

    async fn run(&mut self, mut stopped: watch::Receiver<bool>) -> Result<()> {
        loop {
            // It never fails: whoever sends it outlives the connections.
            if stopped.has_changed().unwrap_or(true) {
                return self.finish().await;
            }
            self.start_requests()?;
            self.collect_ready()?;
            self.write().await?;
            let may_read = self.may_start();
            if may_read && self.whole_frame()?.is_some() {
                continue;
            }
            let is_idle = self.pipeline.is_empty();
            let look_at = if is_idle { self.idle_at() } else { Instant::now() + LOOK };
            tokio::select! {
                _ = stopped.changed() => return self.finish().await,
                Some(answer) = self.pipeline.next() => self.answered(answer)?,
                ready = self.socket.readable(), if may_read => {
                    ready.map_err(Error::Disconnected)?;
                    if !self.read()? {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(look_at), if is_idle || !may_read => match is_idle {
                    true => self.check_idle()?,
                    false if self.is_peer_gone() => return Ok(()),
                    false => {}
                }
            }
        }
    }

    /// When something is to be done about an idle connection.
    fn idle_at(&self) -> Instant {
        let idle_max = self.idle_max.unwrap_or(FAR);
        let has_room = self.input.capacity() > self.input.len();
        self.last_active + if has_room { BUFFER_KEPT.min(idle_max) } else { idle_max }
    }

    /// One that is quiet gives its buffer back, and is closed later.
    fn check_idle(&mut self) -> Result<()> {
        // Keeps only what has arrived of a frame.
        self.input = BytesMut::from(&self.input[..]);
        match self.idle_max {
            Some(max) if self.last_active.elapsed() >= max => Err(Error::Explained(
                ResponseError::RequestTimedOut,
                format!("it was idle for {} ms (connections.max.idle.ms)", max.as_millis()),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the peer has ended its side, as far as the system has told: nobody reads what it
    /// has sent before.
    fn is_peer_gone(&self) -> bool {
        let ready = self.socket.ready(Interest::READABLE).now_or_never();
        matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
    }

    /// The broker stops: nothing new is begun, what was begun is answered, and the answers arrive.
    /// A socket that is closed with unread bytes in it takes back what the peer has not read yet;
    /// so this side ends, and what comes in goes nowhere until the peer's side ends too.
    async fn finish(&mut self) -> Result<()> {
        while let Some(answer) = self.pipeline.next().await {
            self.answered(answer)?;
            self.write().await?;
        }
        self.socket.shutdown().await.map_err(Error::Disconnected)?;
        let mut nowhere = BytesMut::with_capacity(READ_ROOM);
        loop {
            nowhere.clear();
            let quiet_at = self.last_active + QUIET;
            match timeout_at(quiet_at, self.socket.read_buf(&mut nowhere)).await {
                Ok(Ok(0)) | Err(_) => return Ok(()),
                Ok(Ok(_)) => self.last_active = Instant::now(),
                Ok(Err(error)) => return Err(Error::Disconnected(error)),
            }
        }
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
                if let Some(activity) = &self.activity {
                    activity.store(quotas::at(self.last_active.into()), Ordering::Relaxed);
                }
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
        let max = self.shared.parts.config.socket_request_max_bytes;
        if size < 0 || size > max {
            return Err(Error::Explained(
                ResponseError::InvalidRequest,
                format!(
                    "it sent {}; as a request it would have {size} bytes \
                     (socket.request.max.bytes={max})",
                    name_of(&self.input)
                ),
            ));
        }
        Ok((self.input.len() - 4 >= size as usize).then_some(size as usize))
    }

    /// Whether one more request may start.
    fn may_start(&self) -> bool {
        let config = &self.shared.parts.config;
        self.pipeline.has_room(
            config.queued_max_requests.max(1) as usize,
            config.socket_request_max_bytes as usize,
        )
    }

    /// Starts each whole request in the buffer: its future is polled once, before the next one
    /// starts, so appends happen in the order of the requests.
    fn start_requests(&mut self) -> Result<()> {
        while self.may_start() && self.output_bytes < WRITE_BATCH {
            let Some(size) = self.whole_frame()? else { break };
            self.input.advance(4);
            let frame = self.input.split_to(size).freeze();
            let (context, body) = self.context(frame)?;
            self.pipeline.push(size, handlers::dispatch(context, body));
            self.collect_ready()?;
        }
        Ok(())
    }

    fn context(&self, mut frame: Bytes) -> Result<(Context, Bytes)> {
        let header = codec::decode_header(&mut frame)?;
        let context = Context {
            parts: self.shared.parts.clone(),
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
        while let Some(Some(answer)) = self.pipeline.next().now_or_never() {
            self.answered(answer)?;
        }
        Ok(())
    }

    fn answered(&mut self, answer: Result<Reply>) -> Result<()> {
        match answer? {
            Reply::Frame(chunks) => {
                for chunk in &chunks {
                    self.output_bytes += chunk.len();
                    self.output_weight += weight_of(chunk);
                }
                self.output.extend(chunks);
                Ok(())
            }
            Reply::None => Ok(()),
            Reply::Failed(what) => Err(Error::corrupt(what)),
        }
    }

    /// Writes all collected answers.
    async fn write(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let chunks = std::mem::take(&mut self.output);
        self.output_bytes = 0;
        let outlet = Outlet {
            socket: &self.socket,
            patience: self.idle_max,
            weight: std::mem::take(&mut self.output_weight),
            held: &mut self.unsent,
        };
        outlet.write(chunks).await?;
        self.unsent.clear();
        self.last_active = Instant::now();
        Ok(())
    }
}
