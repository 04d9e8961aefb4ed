//! The client side of the protocol: requests from this node to another.
//!
//! A [`Connection`] has one stream, plain or encrypted. One task writes its requests in order,
//! another gives each answer to the request that waits for it. The number of requests under way and
//! the size of an answer are limited. If a request is not answered in time, the connection is
//! closed, as in Kafka's NetworkClient, because the peer is stuck or does not follow the protocol.
//!
//! A [`Client`] has an address. It connects when it is first used and negotiates versions. After a
//! connection was lost it connects again; the pause before grows with each failure. It never
//! repeats a request, as only the caller knows whether that is safe.

mod connection;

#[cfg(test)]
mod tests;

pub use connection::{Connection, Ranges};

use crate::error::{Error, Result};
use kafka_protocol::protocol::Request;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// The shortest pause before another attempt to connect.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// The options of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// The client id of this node.
    pub client_id: String,
    /// How long a connection may take to open, and a request to be answered.
    pub request_timeout: Duration,
    /// How many requests may be sent before the first is answered.
    pub max_in_flight: usize,
    /// The most bytes that an answer may have.
    pub max_answer_bytes: usize,
}

/// A client of one address, which connects when needed.
#[derive(Debug)]
pub struct Client {
    address: String,
    options: Options,
    link: Mutex<Link>,
}

/// The connection, if it is open, and when the next attempt is allowed.
#[derive(Debug, Default)]
struct Link {
    connection: Option<Arc<Connection>>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Client {
    /// A client of `host:port`. It does not connect yet.
    pub fn new(address: String, options: Options) -> Client {
        Client { address, options, link: Mutex::default() }
    }

    /// `host:port` of the peer.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request at the highest of `versions` that the peer serves, and returns the response.
    /// UNSUPPORTED_VERSION if there is none; after Disconnected the request may have been carried
    /// out.
    pub async fn ask<R: Request>(
        &self,
        versions: RangeInclusive<i16>,
        request: &R,
    ) -> Result<R::Response> {
        let connection = self.connection().await?;
        connection.ask(connection.version_of(R::KEY, versions)?, request).await
    }

    /// The open connection, or a new one.
    pub async fn connection(&self) -> Result<Arc<Connection>> {
        let deadline = Instant::now() + self.options.request_timeout;
        let mut link = timeout_at(deadline, self.link.lock()).await.map_err(|_| too_late())?;
        if let Some(open) = link.connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        link.connection = None;
        if let Some(moment) = link.not_before.filter(|moment| *moment < deadline) {
            tokio::time::sleep_until(moment).await;
        }
        let connected = timeout_at(deadline, self.connect()).await;
        match connected.unwrap_or_else(|_| Err(too_late())) {
            Ok(connection) => {
                *link = Link { connection: Some(Arc::new(connection)), ..Link::default() };
                Ok(link.connection.clone().expect("it was just put there"))
            }
            Err(error) => {
                link.not_before = Some(Instant::now() + backoff(link.failures));
                link.failures = link.failures.saturating_add(1);
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Connection> {
        let unreachable =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.address));
        let socket = TcpStream::connect(&self.address).await.map_err(unreachable);
        let socket = socket.map_err(Error::Disconnected)?;
        socket.set_nodelay(true).map_err(Error::Disconnected)?;
        let mut connection = Connection::open(socket, self.options.clone());
        connection.agree_on_versions().await?;
        Ok(connection)
    }
}

/// The pause after a failure that `failures` others preceded in a row.
fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX)
}

fn too_late() -> Error {
    Error::Disconnected(io::ErrorKind::TimedOut.into())
}
