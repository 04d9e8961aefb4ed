//! A connection as its requests see it: who the client is and how it is connected.

use super::Endpoint;
use crate::controller::Requester;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The principal of every client while there is no authentication.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// What all requests of a connection share. It is made when the connection is accepted.
#[derive(Debug)]
pub struct Session {
    /// Tells the connections of the broker apart.
    pub id: u64,
    /// The name of the listener that accepted the connection.
    pub listener: Arc<str>,
    /// The half of the node that the listener belongs to.
    pub endpoint: Endpoint,
    /// The client's address and port.
    pub peer: SocketAddr,
    /// The client's address as Kafka shows it, without the port: `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// The client's software; set once, by its first valid ApiVersions of version 3 or later.
    pub software: OnceLock<Software>,
    /// The turn to append. A produce request that waits before it appends holds the lock, so that
    /// the requests behind it do not overtake it.
    pub turn: tokio::sync::Mutex<()>,
}

/// The name and version of a client library (KIP-511).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// For example `apache-kafka-java`.
    pub name: String,
    /// For example `4.3.1`.
    pub version: String,
}

impl Session {
    /// The session of a connection that `listener` has accepted from `peer`.
    pub fn new(listener: Arc<str>, endpoint: Endpoint, peer: SocketAddr) -> Session {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Session {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            listener,
            endpoint,
            peer,
            client_host: format!("/{}", peer.ip().to_canonical()).into(),
            software: OnceLock::new(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The client as the one who requests a change of the metadata.
    pub fn requester(&self) -> Requester {
        Requester {
            principal: self.principal().to_owned(),
            client_host: self.client_host.clone(),
            address: Some(self.peer.ip().to_canonical()),
        }
    }

    /// The client's principal. With TLS or SASL it will be a field of the session.
    pub fn principal(&self) -> &str {
        ANONYMOUS
    }
}
