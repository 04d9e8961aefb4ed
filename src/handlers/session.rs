//! A connection as its requests see it: who is at the other end, and which way they came.

use super::Endpoint;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Who every client is while there is no authentication.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// What all requests of a connection have in common; made when the connection is accepted.
#[derive(Debug)]
pub struct Session {
    /// Name of the listener that accepted it.
    pub listener: Arc<str>,
    /// Which half of the node that listener belongs to.
    pub endpoint: Endpoint,
    /// The address of the other end.
    pub peer: SocketAddr,
    /// The same as Kafka shows it, without the port: `/127.0.0.1`.
    pub client_host: String,
    /// What the client says it is; set once, by its first valid ApiVersions of version 3 or later.
    pub software: OnceLock<Software>,
    /// Held by the request that appends: a produce that has to wait before it appends keeps its
    /// turn, so that those behind it do not overtake it.
    pub turn: tokio::sync::Mutex<()>,
}

/// A client's library and its version (KIP-511).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// As `apache-kafka-java`.
    pub name: String,
    /// As `4.3.1`.
    pub version: String,
}

impl Session {
    /// The session of a connection that `listener` has accepted.
    pub fn new(listener: Arc<str>, endpoint: Endpoint, peer: SocketAddr) -> Session {
        Session {
            listener,
            endpoint,
            peer,
            client_host: format!("/{}", peer.ip().to_canonical()),
            software: OnceLock::new(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Who asks. What TLS or SASL has found out will be a field of the session, and be told here.
    pub fn principal(&self) -> &str {
        ANONYMOUS
    }
}
