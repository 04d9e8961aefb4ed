//! Accepts connections on the listeners, limits their number and closes them when the broker stops.

pub mod connection;
mod inlet;
mod intake;
mod listen;
mod memory;
mod outlet;
mod pipeline;
mod quotas;
mod told;
mod transport;

pub use listen::Bound;

use crate::handlers::{Endpoint, Parts, Session};
use connection::Connection;
use intake::Intake;
use outlet::Total;
use quotas::{Open, Quotas};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use told::ConnectionLog;
use tracing::{debug, info, warn};
use transport::Transport;

/// How long connections may take to finish their requests when the broker stops.
const GRACE: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    parts: Arc<Parts>,
    /// The weight of all answers that peers have not taken yet.
    held: Total,
    /// The memory of all requests that have not been answered.
    intake: Intake,
    told: ConnectionLog,
}

/// All listeners of the broker, each with a task that accepts connections.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    acceptors: JoinSet<()>,
    /// The task that gives free memory back to the system. It ends with the server.
    _memory: JoinSet<()>,
}

impl Server {
    /// Starts to accept connections on `bound`.
    pub fn start(bound: Vec<Bound>, parts: &Arc<Parts>) -> Server {
        let (stop, stopped) = watch::channel(false);
        let config = parts.config.get();
        let shared = Arc::new(Shared {
            parts: parts.clone(),
            held: Total::default(),
            intake: Intake::new(&config),
            told: ConnectionLog::default(),
        });
        let open = Open::default();
        let broker = Quotas::new(&config, &open);
        let controller = Quotas::new(&config, &open);
        let mut acceptors = JoinSet::new();
        for bound in bound {
            info!("awaiting connections on {}", bound.address());
            let quotas = match bound.endpoint {
                Endpoint::Broker => broker.clone(),
                Endpoint::Controller => controller.clone(),
            };
            let acceptor = Acceptor {
                name: bound.listener.name.as_str().into(),
                endpoint: bound.endpoint,
                shared: shared.clone(),
                quotas,
                connections: JoinSet::new(),
                stopped: stopped.clone(),
            };
            acceptors.spawn(acceptor.run(bound));
        }
        let mut memory = JoinSet::new();
        memory.spawn(memory::give_back());
        Server { stop, acceptors, _memory: memory }
    }

    /// Stops accepting, lets connections finish the requests they have started, then closes them.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.acceptors.join_next().await.is_some() {}
    }
}

/// Accepts the connections of one listener.
struct Acceptor {
    name: Arc<str>,
    endpoint: Endpoint,
    shared: Arc<Shared>,
    quotas: Arc<Quotas>,
    connections: JoinSet<()>,
    stopped: watch::Receiver<bool>,
}

impl Acceptor {
    async fn run(mut self, bound: Bound) {
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                _ = stopped.changed() => break,
                Some(_) = self.connections.join_next() => {}
                accepted = bound.socket.accept() => match accepted {
                    Ok((socket, peer)) => tokio::select! {
                        _ = stopped.changed() => break,
                        () = self.admit(Transport::Plain(socket), peer) => {}
                    },
                    Err(error) => pause_after(error).await,
                },
            }
        }
        // From here on clients are refused at once, so they try another broker or come back later.
        drop(bound);
        info!(listener = %self.name, "no longer accepting connections");
        let finished = async { while self.connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finished).await.is_err() {
            debug!("closing connections that did not finish in time");
        }
    }

    /// Serves a connection when the limits allow it. Until then later connections wait in the
    /// kernel's queue.
    async fn admit(&mut self, transport: Transport, peer: SocketAddr) {
        let Shared { parts, told, .. } = &*self.shared;
        let tell = |why| told.tell(why);
        let place = self.quotas.admit(&self.name, peer.ip(), &parts.config, tell).await;
        let place = match place {
            Ok(place) => place,
            Err(why) => return told.closed(peer, &self.name, why),
        };
        let session = Session::new(self.name.clone(), self.endpoint, peer);
        let activity = self.quotas.activity();
        let connection = Connection::new(self.shared.clone(), transport, session, activity.clone());
        let (stopped, id) = (self.stopped.clone(), place.id());
        let connections = &mut self.connections;
        let start = || {
            connections.spawn(async move {
                connection.serve(stopped).await;
                drop(place);
            })
        };
        match activity {
            Some(activity) => self.quotas.note(&id, peer, activity, start),
            None => drop(start()),
        }
    }
}

/// Waits after a failure to accept, such as a lack of file descriptors or memory: meanwhile open
/// connections go on and may free some.
async fn pause_after(error: std::io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
