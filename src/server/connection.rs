//! One connection: reads requests, starts them in order and answers them in order.

use super::Shared;
use super::inlet::{Inlet, READ_ROOM};
use super::intake::{self, Share};
use super::outlet::{Held, Outlet, weight_of};
use super::pipeline::{Answered, Pipeline, Started};
use super::quotas::{self, Activity};
use super::told::shown;
use super::transport::Transport;
use crate::codec::{self, Chunk, Reply, RequestHeader};
use crate::error::{Error, Result};
use crate::handlers::{self, Context, Session};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use kafka_protocol::error::ResponseError;
use std::future::{poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, trace};

/// How long a quiet connection keeps its read buffer. Until then one frame after the other uses the
/// same memory, which is still in the processor's cache.
const BUFFER_KEPT: Duration = Duration::from_secs(1);
/// Answers are collected until they have this many bytes, and then written together.
const WRITE_BATCH: usize = 256 * 1024;
/// How often a connection with unfinished requests checks whether its peer has gone, and whether
/// others need its memory.
const LOOK: Duration = Duration::from_secs(1);
/// How often a connection that waits for memory checks whether some is free.
const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// After the last answer, a peer that sends nothing for this long is taken to have read it.
const QUIET: Duration = Duration::from_millis(500);
/// After the last answer, a peer that goes on sending is waited for this long.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// The idle limit of connections that have none.
const FAR: Duration = Duration::from_secs(30 * 86_400);

/// A client's connection.
pub struct Connection {
    shared: Arc<Shared>,
    session: Arc<Session>,
    transport: Transport,
    inlet: Inlet,
    /// The requests that have been started and not been answered.
    pipeline: Pipeline,
    /// The memory that `inlet` and `pipeline` take.
    share: Share,
    output: Vec<Chunk>,
    output_bytes: usize,
    output_weight: usize,
    /// The weight of the answers that are being written, while the peer does not take them.
    unsent: Held,
    /// `socket.request.max.bytes`.
    request_max: i32,
    /// `queued.max.requests`.
    requests_max: usize,
    /// `connections.max.idle.ms`; None if connections may be idle without a limit.
    idle_max: Option<Duration>,
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
        let config = shared.parts.config.get();
        let idle_max = u64::try_from(config.connections_max_idle_ms).ok();
        let now = Instant::now();
        Connection {
            session: Arc::new(session),
            transport,
            inlet: Inlet::new(now),
            pipeline: Pipeline::new(),
            share: Share::new(&shared.intake),
            output: Vec::new(),
            output_bytes: 0,
            output_weight: 0,
            unsent: Held::new(shared.held.clone()),
            request_max: config.socket_request_max_bytes,
            requests_max: config.queued_max_requests.max(1) as usize,
            idle_max: idle_max.map(Duration::from_millis),
            last_active: now,
            activity,
            shared,
        }
    }

    /// Serves requests until the peer leaves, breaks the protocol or is idle for too long, or the
    /// broker stops.
    pub async fn serve(mut self, stopped: watch::Receiver<bool>) {
        let ended = self.run(stopped).await;
        self.shared.parts.share.disconnected(self.session.id);
        match ended {
            Ok(()) => {}
            Err(Error::Disconnected(error)) => {
                debug!(peer = %shown(self.session.peer), %error, "connection lost");
            }
            Err(error) => {
                let why = error.message().unwrap_or_else(|| error.to_string());
                self.shared.told.closed(self.session.peer, &self.session.listener, why);
                // Others get the memory at once.
                let Connection { mut transport, inlet, pipeline, share, output, unsent, .. } = self;
                drop((inlet, pipeline, share, output, unsent));
                // If the peer is lost, too, nothing is left to be done.
                let _ = part(&mut transport).await;
            }
        }
    }

    async fn run(&mut self, stopped: watch::Receiver<bool>) -> Result<()> {
        let mut changing = stopped.clone();
        let mut stop = pin!(changing.changed());
        let mut due = pin!(tokio::time::sleep_until(self.check_at()));
        loop {
            // It cannot fail, as the sender outlives all connections.
            if stopped.has_changed().unwrap_or(true) {
                return self.finish().await;
            }
            let started = self.start_requests().and_then(|()| self.collect_ready());
            self.account();
            // The answers before the one that ends the connection.
            self.write().await?;
            started?;
            let may_read = self.may_start();
            if may_read && !matches!(self.whole_frame(), Ok(None)) {
                continue;
            }
            // Requests only delay the check, so the timer is left alone and may fire early.
            let check_at = self.check_at();
            if check_at < due.deadline() {
                due.as_mut().reset(check_at);
            }
            tokio::select! {
                biased;
                _ = stop.as_mut() => return self.finish().await,
                Some(answer) = self.pipeline.next() => self.answered(answer)?,
                ready = self.transport.readable(), if may_read => {
                    ready.map_err(Error::Disconnected)?;
                    if self.share.is_too_large() {
                        self.wait_for_memory(stop.as_mut()).await?;
                    } else if !self.read()? {
                        return Ok(());
                    }
                }
                () = due.as_mut() => {
                    if !self.check(may_read)? {
                        return Ok(());
                    }
                    due.as_mut().reset(self.check_at());
                }
            }
        }
    }

    /// When `check` is due if nothing happens first.
    fn check_at(&self) -> Instant {
        let idle_max = self.idle_max.unwrap_or(FAR);
        let idle_at = self.last_active
            + if self.inlet.has_room() { BUFFER_KEPT.min(idle_max) } else { idle_max };
        match self.pipeline.is_empty() {
            true if self.inlet.is_empty() => idle_at,
            true => idle_at.min(Instant::now() + LOOK),
            false => Instant::now() + LOOK,
        }
    }

    /// Looks for a reason to end the connection: it has been idle for too long, or holds memory that
    /// others need and does not use it. Returns false if the peer has gone.
    fn check(&mut self, may_read: bool) -> Result<bool> {
        let began = self.pipeline.began();
        if began.is_none() {
            self.check_idle()?;
        } else if !may_read && self.transport.is_peer_gone() {
            return Ok(false);
        }
        let is_incomplete = may_read && !self.inlet.is_empty();
        self.share.check(is_incomplete.then_some(self.inlet.arrived), began)?;
        Ok(true)
    }

    /// Gives the buffer of a quiet connection back; fails if it has been idle for too long.
    fn check_idle(&mut self) -> Result<()> {
        if self.inlet.has_room() && self.last_active.elapsed() >= BUFFER_KEPT {
            self.inlet.give_back();
        }
        match self.idle_max {
            Some(max) if self.last_active.elapsed() >= max => Err(Error::Explained(
                ResponseError::RequestTimedOut,
                format!("it was idle for {} ms (connections.max.idle.ms)", max.as_millis()),
            )),
            _ => Ok(()),
        }
    }

    /// Updates the memory that this connection is counted with. If it has too much, it gives back
    /// the part that is not in use.
    fn account(&mut self) {
        let next = self.whole_frame().ok().and(self.inlet.announced()).unwrap_or(0);
        self.share.set(self.inlet.held() + self.pipeline.bytes(), next);
        if self.share.is_too_large() && self.inlet.has_room() {
            self.inlet.give_back();
            self.share.set(self.inlet.held() + self.pipeline.bytes(), next);
        }
    }

    /// Waits until this connection may take more memory, or the broker stops. Requests that have been
    /// started are answered meanwhile.
    async fn wait_for_memory(&mut self, mut stop: Pin<&mut impl Future>) -> Result<()> {
        let since = Instant::now();
        let mut turn = pin!(self.share.turn());
        while self.share.is_too_large() {
            tokio::select! {
                _ = stop.as_mut() => return Ok(()),
                turn = &mut turn => self.share.take(turn),
                Some(answer) = self.pipeline.next() => {
                    self.answered(answer)?;
                    self.write().await?;
                    self.account();
                }
                () = tokio::time::sleep(MEMORY_LOOK) => {}
            }
            if since.elapsed() >= intake::PATIENCE {
                return Err(self.share.closed("its request waited too long"));
            }
        }
        Ok(())
    }

    /// Ends the connection when the broker stops: starts nothing more, and answers what has been
    /// started.
    async fn finish(&mut self) -> Result<()> {
        while let Some(answer) = self.pipeline.next().await {
            self.answered(answer)?;
            self.write().await?;
        }
        part(&mut self.transport).await
    }

    /// Reads the bytes that are there; false at the end of the stream.
    fn read(&mut self) -> Result<bool> {
        let read = self.inlet.read(&mut self.transport, self.share.left())?;
        if read == Some(true) {
            self.last_active = self.inlet.arrived;
            if let Some(activity) = &self.activity {
                activity.store(quotas::at(self.last_active.into()), Ordering::Relaxed);
            }
        }
        Ok(read != Some(false))
    }

    /// The size of the first frame in the buffer if it is complete.
    fn whole_frame(&self) -> Result<Option<usize>> {
        self.inlet.whole(self.request_max)
    }

    /// Whether the limits allow another request to start.
    fn may_start(&self) -> bool {
        self.pipeline.takes(self.inlet.api_key())
            && self.pipeline.has_room(self.requests_max, self.request_max as usize)
    }

    /// Starts each complete request in the buffer. A request is polled once before the next one
    /// starts, so appends happen in the order of the requests.
    fn start_requests(&mut self) -> Result<()> {
        while self.may_start() && self.output_bytes < WRITE_BATCH {
            // `last_active` is the current time: this request's arrival, or the answer that made
            // room for it, has just set it.
            let (arrived, dequeued) = (self.inlet.arrived, self.last_active);
            let started = |api_key, bytes| Started { api_key, bytes, arrived, dequeued };
            let answer = match self.take_request() {
                Ok(None) => break,
                Ok(Some((bytes, header, frame))) => {
                    let request = started(header.api_key, bytes);
                    let (parts, session) = (self.shared.parts.clone(), self.session.clone());
                    let context = Context { parts, session, header };
                    self.pipeline.start(request, handlers::dispatch(context, frame))
                }
                // It ends the connection when the requests before it have been answered.
                Err(error) => self.pipeline.start(started(-1, 0), ready(Err(error))),
            };
            if let Some(answer) = answer {
                self.answered(answer)?;
            }
        }
        Ok(())
    }

    /// Takes the first request out of the buffer if it is complete: its size, header and frame.
    fn take_request(&mut self) -> Result<Option<(usize, RequestHeader, Bytes)>> {
        let Some(size) = self.whole_frame()? else { return Ok(None) };
        let frame = self.inlet.take(size);
        let header = codec::decode_header(&frame)?;
        Ok(Some((size, header, frame)))
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
            share: &self.share,
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

/// Closes the connection so that the last answers arrive. If a socket is closed while it has unread
/// bytes, the peer loses the answers it has not read yet. So this side shuts down first and discards
/// what it receives until the peer closes, too.
async fn part(transport: &mut Transport) -> Result<()> {
    transport.shutdown().await.map_err(Error::Disconnected)?;
    let mut nowhere = BytesMut::with_capacity(READ_ROOM);
    let end = Instant::now() + FAREWELL_MAX;
    loop {
        nowhere.clear();
        match timeout_at(end.min(Instant::now() + QUIET), transport.read(&mut nowhere)).await {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Error::Disconnected(error)),
        }
    }
}
