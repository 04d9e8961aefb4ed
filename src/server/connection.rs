//! One connection: read requests, start them in order, answer them in order.

use super::Shared;
use super::outlet::Outlet;
use super::pipeline::{Answered, Held, Pipeline, Started, weight_of};
use super::quotas::{self, Activity};
use super::told::{name_of, shown};
use super::transport::Transport;
use crate::codec::{self, Chunk, Reply};
use crate::error::{Error, Result};
use crate::handlers::{self, Context, Session};
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use kafka_protocol::error::ResponseError;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, trace};

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
    session: Arc<Session>,
    transport: Transport,
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
    /// When the last bytes came: no whole request has been in `input` for longer.
    arrived: Instant,
    /// When it last read, answered or wrote something.
    last_active: Instant,
    /// Where others see it, if this connection may have to make room.
    activity: Option<Activity>,
}

impl Connection {
    /// Takes over a stream that was just accepted.
    pub fn new(
        shared: Arc<Shared>,
        transport: Transport,
        session: Session,
        activity: Option<Activity>,
    ) -> Connection {
        let idle_max = u64::try_from(shared.parts.config.connections_max_idle_ms).ok();
        let now = Instant::now();
        Connection {
            session: Arc::new(session),
            transport,
            input: BytesMut::new(),
            pipeline: Pipeline::new(shared.held.clone()),
            output: Vec::new(),
            output_bytes: 0,
            output_weight: 0,
            unsent: Held::new(shared.held.clone()),
            idle_max: idle_max.map(Duration::from_millis),
            arrived: now,
            last_active: now,
            activity,
            shared,
        }
    }

    /// Serves until the peer leaves, breaks the protocol, is idle too long, or the broker stops.
    pub async fn serve(mut self, stopped: watch::Receiver<bool>) {
        match self.run(stopped).await {
            Ok(()) => {}
            Err(Error::Disconnected(error)) => {
                debug!(peer = %shown(self.session.peer), %error, "connection lost");
            }
            Err(error) => {
                let why = error.message().unwrap_or_else(|| error.to_string());
                self.shared.told.closed(self.session.peer, &self.session.listener, why);
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
            let look_at = if is_idle || may_read { self.idle_at() } else { Instant::now() + LOOK };
            tokio::select! {
                _ = stopped.changed() => return self.finish().await,
                Some(answer) = self.pipeline.next() => self.answered(answer)?,
                ready = self.transport.readable(), if may_read => {
                    ready.map_err(Error::Disconnected)?;
                    if !self.read()? {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(look_at), if is_idle || !may_read => match is_idle {
                    true => self.check_idle()?,
                    false if self.transport.is_peer_gone() => return Ok(()),
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

    /// The broker stops: nothing new is begun, what was begun is answered, and the answers arrive.
    /// A socket that is closed with unread bytes in it takes back what the peer has not read yet;
    /// so this side ends, and what comes in goes nowhere until the peer's side ends too.
    async fn finish(&mut self) -> Result<()> {
        while let Some(answer) = self.pipeline.next().await {
            self.answered(answer)?;
            self.write().await?;
        }
        self.transport.shutdown().await.map_err(Error::Disconnected)?;
        let mut nowhere = BytesMut::with_capacity(READ_ROOM);
        loop {
            nowhere.clear();
            let quiet_at = self.last_active + QUIET;
            match timeout_at(quiet_at, self.transport.read(&mut nowhere)).await {
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
        match self.transport.try_read(&mut self.input).map_err(Error::Disconnected)? {
            Some(0) => Ok(false),
            Some(_) => {
                self.arrived = Instant::now();
                self.last_active = self.arrived;
                if let Some(activity) = &self.activity {
                    activity.store(quotas::at(self.last_active.into()), Ordering::Relaxed);
                }
                Ok(true)
            }
            None => Ok(true),
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
            let mut body = self.input.split_to(size).freeze();
            let header = codec::decode_header(&mut body)?;
            // What made room for it, or its own arrival, has just read the clock.
            let (api_key, dequeued) = (header.api_key, self.last_active);
            let request = Started { api_key, bytes: size, arrived: self.arrived, dequeued };
            let (parts, session) = (self.shared.parts.clone(), self.session.clone());
            let context = Context { parts, session, header };
            self.pipeline.push(request, handlers::dispatch(context, body));
            self.collect_ready()?;
        }
        Ok(())
    }

    /// Takes the answers that are ready, in order, without waiting.
    fn collect_ready(&mut self) -> Result<()> {
        while let Some(Some(answer)) = self.pipeline.next().now_or_never() {
            self.answered(answer)?;
        }
        Ok(())
    }

    fn answered(&mut self, answer: Answered) -> Result<()> {
        let Answered { request, at, reply } = answer;
        self.last_active = self.last_active.max(at);
        trace!(
            peer = %shown(self.session.peer),
            "API {}: waited {:?}, then took {:?}",
            request.api_key,
            request.dequeued - request.arrived,
            at - request.dequeued
        );
        match reply? {
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

    /// Writes all collected answers. Most peers take them at once, just after the last one was ready;
    /// only one that does not costs another look at the clock.
    async fn write(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let chunks = std::mem::take(&mut self.output);
        self.output_bytes = 0;
        let outlet = Outlet {
            transport: &self.transport,
            patience: self.idle_max,
            weight: std::mem::take(&mut self.output_weight),
            held: &mut self.unsent,
        };
        let mut has_waited = false;
        {
            let mut writing = pin!(outlet.write(chunks));
            poll_fn(|cx| {
                let written = writing.as_mut().poll(cx);
                has_waited |= written.is_pending();
                written
            })
            .await?;
        }
        if has_waited {
            self.last_active = Instant::now();
        }
        self.unsent.clear();
        Ok(())
    }
}
