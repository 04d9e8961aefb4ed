//! One connection to another node: requests are sent in order and answered in order.

use super::{Options, too_late};
use crate::codec::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader, StrBytes};
use crate::codec::{self, guard};
use crate::error::{Error, Result};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::{Decodable, Encodable, Request};
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The room for an answer before its first bytes have come. Then the buffer doubles as they come.
const READ_ROOM: usize = 64 * 1024;
/// The version of ApiVersions to try first. A peer that lacks it answers in version 0.
const API_VERSIONS: i16 = 4;

/// The first and last version of each API that a peer serves, by API key.
pub type Ranges = BTreeMap<i16, (i16, i16)>;

/// A connection to another node. It is closed when dropped.
#[derive(Debug)]
pub struct Connection {
    options: Options,
    requests: mpsc::Sender<Outgoing>,
    next_correlation_id: AtomicI32,
    /// What the peer serves. Empty until `agree_on_versions`.
    ranges: Arc<Ranges>,
    tasks: [AbortHandle; 2],
    /// Why the connection ended.
    end: Arc<OnceLock<io::Error>>,
}

/// A frame to be written, and the request that waits for its answer.
struct Outgoing {
    frame: Bytes,
    waiting: Waiting,
}

/// A request that waits for the answer with its correlation id.
struct Waiting {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

impl Connection {
    /// Takes over an open stream. It must be called within a tokio runtime.
    pub fn open<S>(stream: S, options: Options) -> Connection
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let (requests, outgoing) = mpsc::channel(1);
        let (written, waiting) = mpsc::channel(options.max_in_flight.max(1));
        let end = Arc::new(OnceLock::new());
        let (reason, max) = (end.clone(), options.max_answer_bytes);
        let writing = tokio::spawn(write_requests(writer, outgoing, written));
        let reading = tokio::spawn(async move {
            let ended = read_answers(reader, waiting, max).await;
            let _ = reason.set(ended.expect_err("it reads until something fails"));
        });
        Connection {
            options,
            requests,
            next_correlation_id: AtomicI32::new(0),
            ranges: Arc::default(),
            tasks: [writing.abort_handle(), reading.abort_handle()],
            end,
        }
    }

    /// Whether the connection takes no more requests.
    pub fn is_closed(&self) -> bool {
        self.tasks.iter().any(AbortHandle::is_finished)
    }

    /// Asks the peer which versions it serves (ApiVersions, KIP-35 and KIP-511).
    pub async fn agree_on_versions(&mut self) -> Result<()> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name("klamm".into())
            .with_client_software_version(env!("CARGO_PKG_VERSION").into());
        let mut body = self.exchange(API_VERSIONS, &request).await?;
        let mut version = API_VERSIONS;
        if body.first_chunk() == Some(&ResponseError::UnsupportedVersion.code().to_be_bytes()) {
            version = 0;
            body = self.exchange(version, &request).await?;
        }
        let response = codec::decode_response::<ApiVersionsRequest>(body, version)?;
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            return Err(error.into());
        }
        let ranges = response.api_keys.iter();
        let ranges = ranges.map(|api| (api.api_key, (api.min_version, api.max_version)));
        self.ranges = Arc::new(ranges.collect());
        Ok(())
    }

    /// The versions that the peer serves; empty until `agree_on_versions`.
    pub fn ranges(&self) -> &Arc<Ranges> {
        &self.ranges
    }

    /// The highest of `versions` that the peer serves, too; UNSUPPORTED_VERSION if there is none.
    pub fn version_of(&self, api_key: i16, versions: RangeInclusive<i16>) -> Result<i16> {
        let (first, last) = self.ranges.get(&api_key).copied().unwrap_or((0, -1));
        let highest = last.min(*versions.end());
        if highest < first.max(*versions.start()) {
            let message = format!(
                "API {api_key}: the peer serves versions {first} to {last}, and {} to {} are \
                 needed",
                versions.start(),
                versions.end()
            );
            return Err(Error::Explained(ResponseError::UnsupportedVersion, message));
        }
        Ok(highest)
    }

    /// Sends a request at this version and returns its response.
    pub async fn ask<R: Request>(&self, version: i16, request: &R) -> Result<R::Response> {
        codec::decode_response::<R>(self.exchange(version, request).await?, version)
    }

    /// Sends a request and returns the body of its response.
    async fn exchange<R: Request>(&self, version: i16, request: &R) -> Result<Bytes> {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed);
        let frame = self.frame(version, correlation_id, request)?;
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing { frame, waiting: Waiting { correlation_id, answer } };
        let exchange = async {
            self.requests.send(outgoing).await.map_err(|_| self.lost())?;
            answered.await.map_err(|_| self.lost())
        };
        let Ok(answer) = timeout(self.options.request_timeout, exchange).await else {
            self.close();
            return Err(too_late());
        };
        let mut answer = answer?;
        let header_version = guard::response_header_version(R::KEY, version);
        ResponseHeader::decode(&mut answer, header_version).map_err(|error| {
            Error::corrupt(format!("response header of API {}: {error}", R::KEY))
        })?;
        Ok(answer)
    }

    fn frame<R: Request>(&self, version: i16, correlation_id: i32, request: &R) -> Result<Bytes> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(StrBytes::from_string(self.options.client_id.clone())));
        let failed =
            |error| Error::corrupt(format!("request of API {} v{version}: {error}", R::KEY));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).map_err(failed)?;
        request.encode(&mut frame, version).map_err(failed)?;
        let size = i32::try_from(frame.len() - 4).map_err(|error| failed(error.into()))?;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        Ok(frame.freeze())
    }

    fn close(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// The error for a request that the connection cannot answer any more.
    fn lost(&self) -> Error {
        let source = match self.end.get() {
            Some(error) => io::Error::new(error.kind(), error.to_string()),
            None => io::ErrorKind::ConnectionAborted.into(),
        };
        Error::Disconnected(source)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// Writes requests until the connection is dropped or the stream fails. The bounded queue of
/// waiting requests limits how many are under way.
async fn write_requests<S: AsyncWrite>(
    mut stream: WriteHalf<S>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    written: mpsc::Sender<Waiting>,
) {
    while let Some(request) = outgoing.recv().await {
        let waits = written.send(request.waiting).await.is_ok();
        if !waits || stream.write_all(&request.frame).await.is_err() {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

/// Reads answers until the stream ends or the peer breaks the protocol.
async fn read_answers<S: AsyncRead>(
    mut stream: ReadHalf<S>,
    mut waiting: mpsc::Receiver<Waiting>,
    max: usize,
) -> io::Result<()> {
    let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    loop {
        let size = stream.read_i32().await?;
        let size = usize::try_from(size).ok().filter(|size| (4..=max).contains(size));
        let size = size.ok_or_else(|| broken(format!("an answer larger than {max} bytes")))?;
        let frame = read_frame(&mut stream, size).await?;
        let first = waiting.try_recv().map_err(|_| broken("an answer to nothing".to_owned()))?;
        if frame.first_chunk() != Some(&first.correlation_id.to_be_bytes()) {
            return Err(broken("an answer to another request".to_owned()));
        }
        // The caller may have given up.
        let _ = first.answer.send(frame);
    }
}

async fn read_frame<S: AsyncRead>(stream: &mut ReadHalf<S>, size: usize) -> io::Result<Bytes> {
    let mut frame = BytesMut::new();
    while frame.len() < size {
        let missing = size - frame.len();
        frame.reserve(missing.min(READ_ROOM.max(frame.len())));
        let room = frame.spare_capacity_mut().len().min(missing);
        if stream.read_buf(&mut (&mut frame).limit(room)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}
