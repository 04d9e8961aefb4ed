//! One connection: reads requests, starts them in order and answers them in order.

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

/// Bytes of room for the next read. The buffer grows only as the bytes of a larger frame arrive, so
/// a size without its bytes costs nothing.
const READ_ROOM: usize = 64 * 1024;
/// How long a quiet connection keeps its read buffer. Until then one frame after the other uses the
/// same memory, which is still in the processor's cache.
const BUFFER_KEPT: Duration = Duration::from_secs(1);
/// Bytes by which the buffer grows at most for one read, unless it holds even more already.
const READ_ROOM_MAX: usize = 1024 * 1024;
/// Answers are collected until they have this many bytes, and then written together.
const WRITE_BATCH: usize = 256 * 1024;
/// How often a connection that waits for answers checks whether its peer has gone.
const LOOK: Duration = Duration::from_secs(1);
/// After the last answer, a peer that sends nothing for this long is taken to have read it.
const QUIET: Duration = Duration::from_millis(500);
/// The idle limit of connections that have none.
const FAR: Duration = Duration::from_secs(30 * 86_400);

/// A client's connection.
pub struct Connection {
    shared: Arc<Shared>,
    session: Arc<Session>,
    transport: Transport,
    input: BytesMut,
    /// The requests that have been started and not been answered.
    pipeline: Pipeline,
    output: Vec<Chunk>,
    output_bytes: usize,
    output_weight: usize,
    /// The weight of the answers that are being written, while the peer does not take them.
    unsent: Held,
    /// `connections.max.idle.ms`; None if connections may be idle without a limit.
    idle_max: Option<Duration>,
    /// When bytes last arrived. A request that is complete now was not complete before that.
    arrived: Instant,
    /// When the connection last read, answered or wrote something.
    last_active: Instant,
    /// Where this connection shows its activity, if it may be closed to make room for another.
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

    /// Serves requests until the peer leaves, breaks the protocol or is idle for too long, or the
    /// broker stops.
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
            // It cannot fail, as the sender outlives all connections.
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

    /// When an idle connection gives back its buffer or, without a buffer, is closed.
    fn idle_at(&self) -> Instant {
        let idle_max = self.idle_max.unwrap_or(FAR);
        let has_room = self.input.capacity() > self.input.len();
        self.last_active + if has_room { BUFFER_KEPT.min(idle_max) } else { idle_max }
    }

    /// Gives the buffer of a quiet connection back; fails if it has been idle for too long.
    fn check_idle(&mut self) -> Result<()> {
        // Keeps only the bytes of an incomplete frame.
        self.input = BytesMut::from(&self.input[..]);
        match self.idle_max {
            Some(max) if self.last_active.elapsed() >= max => Err(Error::Explained(
                ResponseError::RequestTimedOut,
                format!("it was idle for {} ms (connections.max.idle.ms)", max.as_millis()),
            )),
            _ => Ok(()),
        }
    }

    /// Ends the connection when the broker stops: starts nothing more, answers what has been
    /// started and makes sure that the answers arrive. If a socket is closed while it has unread
    /// bytes, the peer loses the answers it has not read yet. So this side shuts down first and
    /// discards what it receives until the peer closes, too.
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

    /// Reads the bytes that are there; false at the end of the stream.
    fn read(&mut self) -> Result<bool> {
        let wanted = match self.input.get(..4) {
            Some(size) => 4 + u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize,
            None => 0,
        };
        // The buffer doubles while a large frame arrives instead of growing by a little at each
        // read.
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

    /// The size of the first frame in the buffer if it is complete. A size that no request may have
    /// is an error.
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

    /// Whether the limits allow another request to start.
    fn may_start(&self) -> bool {
        let config = &self.shared.parts.config;
        self.pipeline.has_room(
            config.queued_max_requests.max(1) as usize,
            config.socket_request_max_bytes as usize,
        )
    }

    /// Starts each complete request in the buffer. A request is polled once before the next one
    /// starts, so appends happen in the order of the requests.
    fn start_requests(&mut self) -> Result<()> {
        while self.may_start() && self.output_bytes < WRITE_BATCH {
            let Some(size) = self.whole_frame()? else { break };
            self.input.advance(4);
            let mut body = self.input.split_to(size).freeze();
            let header = codec::decode_header(&mut body)?;
            // `last_active` is the current time: this request's arrival, or the answer that made
            // room for it, has just set it.
            let (api_key, dequeued) = (header.api_key, self.last_active);
            let request = Started { api_key, bytes: size, arrived: self.arrived, dequeued };
            let (parts, session) = (self.shared.parts.clone(), self.session.clone());
            let context = Context { parts, session, header };
            self.pipeline.push(request, handlers::dispatch(context, body));
            self.collect_ready()?;
        }
        Ok(())
    }

    /// Takes the answers that are next in order and ready, without waiting.
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

    /// Writes all collected answers. The clock is read only if the peer does not take them at once;
    /// if it does, `last_active` is recent enough.
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
