//! The other brokers of the cluster: where they listen for brokers, and the connections to them.
//!
//! There is one connection to a broker for each [`Purpose`], so that requests of one kind never
//! wait behind those of another. The address is that of the inter-broker listener in the image. It
//! is looked up for each request, because a broker that restarts may have another.

use crate::client::{Client, Options};
use crate::config::{LiveConfig, SecurityProtocol};
use crate::error::{Error, Result};
use crate::metadata::{Broker, Image};
use crate::sync::lock;
use crate::types::BrokerId;
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::Request;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many requests of one purpose may be under way to a broker.
const IN_FLIGHT_MAX: usize = 5;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Copying partitions from their leader. Each fetcher has a connection of its own, see
    /// [`Peers::client`].
    Replication,
    /// Short requests to coordinators, such as AddPartitionsToTxn.
    Coordination,
    /// Markers of transactions (WriteTxnMarkers), which are answered once they are replicated.
    Markers,
    /// The state of share groups, whose writes are answered once they are replicated.
    ShareState,
    /// Dead letters for topics that are led elsewhere.
    DeadLetters,
}

/// The connections to the other brokers. They are made when they are first used.
#[derive(Debug)]
pub struct Peers {
    config: LiveConfig,
    images: Arc<ArcSwap<Image>>,
    clients: Mutex<HashMap<(BrokerId, Purpose), Arc<Client>>>,
}

impl Peers {
    /// Without a connection so far. `images` holds the image in effect.
    pub fn new(config: LiveConfig, images: Arc<ArcSwap<Image>>) -> Arc<Peers> {
        Arc::new(Peers { config, images, clients: Mutex::default() })
    }

    /// Sends a request to a broker at the highest of `versions` that both serve, and returns the
    /// response. A broker that is not registered or is fenced is BROKER_NOT_AVAILABLE at once, as
    /// only the caller knows whether to try again.
    pub async fn ask<R: Request>(
        &self,
        purpose: Purpose,
        broker: BrokerId,
        versions: RangeInclusive<i16>,
        request: &R,
    ) -> Result<R::Response> {
        let address = self.address(broker)?;
        self.shared(purpose, broker, address).ask(versions, request).await
    }

    /// `host:port` of a broker that is registered and not fenced.
    pub fn address(&self, broker: BrokerId) -> Result<String> {
        self.address_if(broker, |broker| !broker.fenced)
    }

    /// `host:port` of a broker that is registered. It may be fenced and still lead partitions.
    pub fn registered_address(&self, broker: BrokerId) -> Result<String> {
        self.address_if(broker, |_| true)
    }

    fn address_if(&self, id: BrokerId, is_fit: impl Fn(&Broker) -> bool) -> Result<String> {
        let image = self.images.load();
        let registered = image.brokers.get(&id).filter(|broker| is_fit(broker));
        let registered = registered.ok_or_else(|| {
            let message = format!("broker {id} is fenced or not registered");
            Error::Explained(ResponseError::BrokerNotAvailable, message)
        })?;
        inter_broker_address(registered, &self.config.get().inter_broker_listener())
    }

    /// The id of this broker.
    pub fn own_id(&self) -> BrokerId {
        self.config.get().node_id
    }

    /// The epoch of this broker's registration; -1 if the image does not have it yet.
    pub fn own_epoch(&self) -> i64 {
        self.images.load().brokers.get(&self.own_id()).map_or(-1, |broker| broker.epoch)
    }

    /// A client of `address` that shares its connection with nobody. `client_id` is what the other
    /// broker logs.
    pub fn client(&self, purpose: Purpose, address: String, client_id: String) -> Client {
        let config = self.config.get();
        let (timeout_ms, max_answer_bytes) = match purpose {
            // The leader exceeds replica.fetch.response.max.bytes for a large batch only.
            Purpose::Replication => (config.replica_socket_timeout_ms, i32::MAX),
            Purpose::Coordination
            | Purpose::Markers
            | Purpose::ShareState
            | Purpose::DeadLetters => (config.request_timeout_ms, config.socket_request_max_bytes),
        };
        let options = Options {
            client_id,
            request_timeout: Duration::from_millis(timeout_ms.max(0) as u64),
            max_in_flight: IN_FLIGHT_MAX,
            max_answer_bytes: max_answer_bytes.max(0) as usize,
        };
        Client::new(address, options)
    }

    fn shared(&self, purpose: Purpose, broker: BrokerId, address: String) -> Arc<Client> {
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&(broker, purpose))
            && client.address() == address
        {
            return Arc::clone(client);
        }
        let client_id = self.config.get().node_id.to_string();
        let client = Arc::new(self.client(purpose, address, client_id));
        clients.insert((broker, purpose), Arc::clone(&client));
        client
    }
}

/// `host:port` of a broker's listener for brokers. This is the only place that looks at how that
/// listener is secured.
pub fn inter_broker_address(broker: &Broker, listener: &str) -> Result<String> {
    let id = broker.id;
    let found = broker.listeners.iter().find(|(name, ..)| name == listener);
    let (_, host, port, protocol) = found.ok_or_else(|| {
        let message = format!("broker {id} has no listener {listener} for other brokers");
        Error::Explained(ResponseError::BrokerNotAvailable, message)
    })?;
    if *protocol != SecurityProtocol::Plaintext.id() {
        return Err(Error::Config(format!(
            "Broker {id} cannot be reached: its listener {listener} is not PLAINTEXT, and klamm \
             does not speak TLS and SASL to other brokers yet."
        )));
    }
    Ok(match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    })
}

#[cfg(test)]
mod tests;
