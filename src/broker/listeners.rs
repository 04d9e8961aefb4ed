//! The sockets that are listened on, and the ports that are advertised.

use crate::config::{Config, Listener};
use crate::error::{Error, Result};
use crate::handlers::Endpoint;
use crate::server::Bound;
use std::borrow::Borrow;
use tokio::net::lookup_host;
use tracing::info;

/// Binds all listeners, those of the controller first. A host name in
/// `max.connections.per.ip.overrides` that has no address is an error, as in Kafka.
pub(super) async fn bind(config: &Config) -> Result<Vec<Bound>> {
    for (host, _) in config.max_connections_per_ip_overrides()? {
        if let Err(error) = lookup_host((host.as_str(), 0)).await {
            return Err(Error::Config(format!(
                "max.connections.per.ip.overrides names {host}, which has no address: {error}. \
                 Correct the name there or in the name service, or remove it."
            )));
        }
    }
    let mut bound = Vec::new();
    for listener in config.controller_listeners() {
        bound.push(Bound::bind(listener, Endpoint::Controller, config).await?);
    }
    for listener in config.listeners() {
        bound.push(Bound::bind(listener, Endpoint::Broker, config).await?);
    }
    Ok(bound)
}

pub(super) fn tell_of_listeners(config: &Config, bound: &[Bound]) {
    let advertised = config.advertised_listeners();
    for bound in bound {
        let told = advertised.iter().find(|told| told.name == bound.listener.name);
        let told = told.map(|told| Listener { port: port_of(told, &[bound]), ..told.clone() });
        match told {
            Some(told) => info!("listening on {}, advertised as {told}", bound.address()),
            None => info!("listening on {}, for controllers", bound.address()),
        }
    }
}

/// The advertised port. 0 stands for the port that the listener of the same name was assigned.
pub(super) fn port_of<B: Borrow<Bound>>(advertised: &Listener, bound: &[B]) -> u16 {
    let same =
        bound.iter().map(Borrow::borrow).find(|bound| bound.listener.name == advertised.name);
    match same {
        Some(bound) if advertised.port == 0 => bound.port(),
        _ => advertised.port,
    }
}
