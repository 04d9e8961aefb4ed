//! The client side of the wire: how this node asks another one.
//!
//! A [`Connection`] belongs to one stream, plain or encrypted. Two tasks serve it: one writes
//! requests in the order they come, the other gives each answer to who waits for it. It is bounded
//! in the requests under way and in the size of an answer. A request that is not answered in time
//! ends the connection, as in Kafka's NetworkClient: its peer has stopped, or lies.
//!
//! A [`Client`] belongs to an address. It connects when it is first asked, agrees on versions, and
//! connects anew after a connection was lost, each time after a longer pause. It never asks twice:
//! only the caller knows whether a request may be repeated.

mod connection;

#[cfg(test)]
mod tests;

pub use connection::Connection;

use crate::error::{Error, Result};
use kafka_protocol::protocol::Request;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// The shortest pause before an address that could not be reached is tried again.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What holds for a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// What this node calls itself.
    pub client_id: String,
    /// How long a connection may take to open, and a request to be answered.
    pub request_timeout: Duration,
    /// Requests that may be written before the first of them is answered.
    pub max_in_flight: usize,
    /// Bytes that an answer may have.
    pub max_answer_bytes: usize,
}

/// A way to one address.
#[derive(Debug)]
pub struct Client {
    address: String,
    options: Options,
    link: Mutex<Link>,
}

/// The connection, if there is one, and when the next may be tried.
#[derive(Debug, Default)]
struct Link {
    connection: Option<Arc<Connection>>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Client {
    /// A client of `host:port` that has not connected yet.
    pub fn new(address: String, options: Options) -> Client {
        Client { address, options, link: Mutex::default() }
    }

    /// Asks at the highest of `versions` that the peer has too (else UNSUPPORTED_VERSION).
    /// Disconnected says that the request may or may not have been carried out.
    pub async fn ask<R: Request>(
        &self,
        versions: RangeInclusive<i16>,
        request: &R,
    ) -> Result<R::Response> {
        let connection = self.connection().await?;
        connection.ask(connection.version_of(R::KEY, versions)?, request).await
    }

    /// The open connection, or a new one.
    async fn connection(&self) -> Result<Arc<Connection>> {
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

/// The pause after so many failures in a row before this one.
fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX)
}

fn too_late() -> Error {
    Error::Disconnected(io::ErrorKind::TimedOut.into())
}
