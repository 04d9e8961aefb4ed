//! Listeners: accept connections, count them, stop them.

pub mod connection;

use crate::config::{self, Config, Listener};
use crate::error::{Error, Result};
use crate::handlers::{Endpoint, Parts};
use connection::Connection;
use rustix::net::sockopt;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

/// How long open connections may finish what they have begun when the broker stops.
const GRACE: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted, as far as the system lets them (`somaxconn`). All
/// clients of a broker that comes back are there at once, and whom the kernel turns away comes
/// again after a second: Kafka's 50 (`socket.listen.backlog.size`) are too few.
const BACKLOG: i32 = 4096;

/// A bound listener, not yet accepting.
#[derive(Debug)]
pub struct Bound {
    /// Name, host and protocol as configured.
    pub listener: Listener,
    /// Whether the controller's APIs are served on it.
    pub endpoint: Endpoint,
    socket: TcpListener,
}

impl Bound {
    /// Binds the listener's address; an error names the listener and the address.
    pub async fn bind(listener: Listener, endpoint: Endpoint, config: &Config) -> Result<Bound> {
        let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
        let socket = TcpListener::bind((host, listener.port)).await.map_err(|e| {
            Error::Config(format!(
                "cannot listen on {}://{host}:{}: {e}. Is another broker running there? Change \
                 `listeners`.",
                listener.name, listener.port
            ))
        })?;
        if let Err(error) = tune(&socket, config) {
            debug!(%error, "the listener stays as it is");
        }
        Ok(Bound { listener, endpoint, socket })
    }

    /// `name://host:port`, with the port it got.
    fn address(&self) -> Listener {
        Listener { port: self.port(), ..self.listener.clone() }
    }

    /// The port it got, where port 0 was asked for.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(self.listener.port, |address| address.port())
    }
}

/// All listeners of the broker, accepting.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    acceptors: JoinSet<()>,
}

impl Server {
    /// Starts to accept on `bound`.
    pub fn start(bound: Vec<Bound>, parts: &Arc<Parts>) -> Server {
        let (stop, stopped) = watch::channel(false);
        let counts = Arc::new(Counts::new(parts));
        let mut acceptors = JoinSet::new();
        for bound in bound {
            info!("awaiting connections on {}", bound.address());
            acceptors.spawn(accept(bound, parts.clone(), counts.clone(), stopped.clone()));
        }
        Server { stop, acceptors }
    }

    /// Stops accepting, lets connections finish what they have begun, closes them.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.acceptors.join_next().await.is_some() {}
    }
}

async fn accept(
    bound: Bound,
    parts: Arc<Parts>,
    counts: Arc<Counts>,
    mut stopped: watch::Receiver<bool>,
) {
    let name: Arc<str> = bound.listener.name.as_str().into();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = bound.socket.accept() => match accepted {
                Ok((socket, peer)) => match counts.admit(peer.ip()) {
                    Some(place) => {
                        let connection = Connection::new(
                            parts.clone(), name.clone(), bound.endpoint, socket, peer);
                        let stopped = stopped.clone();
                        connections.spawn(async move {
                            connection.serve(stopped).await;
                            drop(place);
                        });
                    }
                    None => warn!(%peer, "too many connections; closing the new one"),
                },
                Err(error) => pause_after(error).await,
            },
        }
    }
    info!(listener = %name, "no longer accepting connections");
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        debug!("closing connections that did not finish in time");
    }
}

/// Out of file descriptors or memory: existing connections must go on, so wait for better times.
async fn pause_after(error: std::io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Open connections, in all and by address (`max.connections`, `max.connections.per.ip`).
#[derive(Debug)]
struct Counts {
    max: usize,
    max_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// An admitted connection; gives its place back when dropped.
struct Place {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    fn new(parts: &Parts) -> Counts {
        Counts {
            max: parts.config.max_connections.max(0) as usize,
            max_per_address: parts.config.max_connections_per_ip.max(0) as usize,
            open: Mutex::default(),
        }
    }

    fn admit(self: &Arc<Counts>, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let here = open.entry(address).or_default();
        if total >= self.max || *here >= self.max_per_address {
            return None;
        }
        *here += 1;
        Some(Place { counts: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = open.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// The peer as Kafka shows it in DescribeGroups and logs: `/127.0.0.1`.
fn host_of(peer: SocketAddr) -> String {
    format!("/{}", peer.ip().to_canonical())
}

/// Connections inherit their buffers from the listener; -1 leaves one to the system. So does klamm
/// with the receive buffer where it is Kafka's default, which Kafka's own server.properties says
/// too: 100 KiB make large batches a fifth dearer.
fn tune(socket: &TcpListener, config: &Config) -> io::Result<()> {
    let (send, receive) = (config.socket_send_buffer_bytes, config.socket_receive_buffer_bytes);
    if let Ok(size) = usize::try_from(send) {
        sockopt::set_socket_send_buffer_size(socket, size)?;
    }
    let kafkas = config::setting("socket.receive.buffer.bytes").and_then(|setting| setting.default);
    if let Ok(size) = usize::try_from(receive)
        && kafkas != Some(&*receive.to_string())
    {
        sockopt::set_socket_recv_buffer_size(socket, size)?;
    }
    rustix::net::listen(socket, BACKLOG)?;
    Ok(())
}

/// What a connection has of its own.
fn prepare(socket: &TcpStream) {
    // Answers are whole frames: waiting for more to send only delays them.
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The sizes that a listener's connections have; Linux says the double of what it was asked for.
    async fn buffers(settings: &[(&str, &str)]) -> (usize, usize) {
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let config = Config::new(settings.collect()).unwrap();
        let listener = config.listeners().remove(0);
        let listener = Listener { host: "127.0.0.1".to_owned(), port: 0, ..listener };
        let bound = Bound::bind(listener, Endpoint::Broker, &config).await.unwrap();
        let client = TcpStream::connect(("127.0.0.1", bound.port())).await.unwrap();
        let (served, _) = bound.socket.accept().await.unwrap();
        drop(client);
        let send = sockopt::socket_send_buffer_size(&served).unwrap();
        (send, sockopt::socket_recv_buffer_size(&served).unwrap())
    }

    #[tokio::test]
    async fn connections_have_the_buffers_of_the_settings() {
        const SEND: &str = "socket.send.buffer.bytes";
        const RECEIVE: &str = "socket.receive.buffer.bytes";
        let (send, receive) = buffers(&[(SEND, "-1"), (RECEIVE, "-1")]).await;
        assert_eq!(buffers(&[]).await, (204_800, receive), "Kafka's default, and the system's");
        assert_eq!(buffers(&[(SEND, "50000"), (RECEIVE, "70000")]).await, (100_000, 140_000));
        assert_eq!(buffers(&[(SEND, "-1"), (RECEIVE, "102400")]).await, (send, receive));
    }
}
