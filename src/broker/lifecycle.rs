//! The broker from the controller's view: what it registers with, when it is ready to run, and how
//! it leaves.

use super::heartbeats::Heartbeats;
use super::identity::directory_ids;
use super::listeners::port_of;
use crate::codec::messages::broker_registration_request::{Feature, Listener};
use crate::codec::messages::{BrokerRegistrationRequest, StrBytes};
use crate::config::Config;
use crate::error::Result;
use crate::handlers::Parts;
use crate::log::manager::LogManager;
use crate::metadata::features;
use crate::server::Bound;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};
use uuid::Uuid;

/// The longest controlled shutdown (KafkaBroker).
const LEAVE_MAX: Duration = Duration::from_secs(5 * 60);

pub(super) fn registration(
    config: &Config,
    cluster_id: &str,
    bound: &[Bound],
    logs: &LogManager,
    previous_broker_epoch: i64,
) -> BrokerRegistrationRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let listeners = config.advertised_listeners().into_iter().map(|listener| {
        Listener::default()
            .with_name(text(&listener.name))
            .with_host(text(&listener.host))
            .with_port(port_of(&listener, bound))
            .with_security_protocol(listener.protocol.id())
    });
    let features = features::SUPPORTED.iter().map(|(name, min, max)| {
        Feature::default()
            .with_name(text(name))
            .with_min_supported_version(*min)
            .with_max_supported_version(*max)
    });
    BrokerRegistrationRequest::default()
        .with_broker_id(config.node_id.into())
        .with_cluster_id(text(cluster_id))
        .with_incarnation_id(Uuid::new_v4())
        .with_listeners(listeners.collect())
        .with_features(features.collect())
        .with_rack(config.broker_rack.as_deref().map(text))
        .with_log_dirs(directory_ids(logs))
        .with_previous_broker_epoch(previous_broker_epoch)
}

/// Waits until this broker has applied its registration and the controller has unfenced it. What it
/// hosts is open then.
pub(super) async fn become_running(parts: &Parts, heartbeats: &Heartbeats) -> Result<()> {
    heartbeats.follow(parts.applied.clone());
    parts.wait_until_applied(parts.broker_epoch).await?;
    heartbeats.set_cordoned(parts.replicas.cordoned_dirs());
    // A partition that was created again in another directory has no leader until this is told.
    tell_assignments(parts).await;
    parts.controller.connect().await;
    heartbeats.run().await?;
    parts.wait_until_applied(parts.controller.image().offset).await
}

/// Logs the lines that Testcontainers modules and init scripts wait for, as Kafka prints them.
pub(super) fn announce(config: &Config) {
    let id = config.node_id;
    info!("Broker {id} is unfenced. Transitioning from RECOVERY to RUNNING.");
    info!("[KafkaRaftServer nodeId={id}] Kafka Server started");
}

/// Whenever the metadata changes: tells the controller which log directories are cordoned, and the
/// log whether the controller has fenced this broker.
pub(super) async fn watch_metadata(parts: Arc<Parts>, heartbeats: Arc<Heartbeats>) {
    let id = parts.config.get().node_id;
    // The record that unfences a broker for the first time comes after the answer that says so.
    let mut was_fenced = None;
    let mut applied = parts.applied.clone();
    while applied.changed().await.is_ok() {
        heartbeats.set_cordoned(parts.replicas.cordoned_dirs());
        let is_fenced = parts.image.load().brokers.get(&id).is_none_or(|broker| broker.fenced);
        match (was_fenced, is_fenced) {
            (Some(false), true) if heartbeats.is_full() => {}
            (Some(false), true) => warn!(
                "the controller has fenced this broker, because heartbeats did not reach it in \
                 time or the broker was unregistered: it leads nothing until it is unfenced"
            ),
            (Some(true), false) => info!("the controller has unfenced this broker again"),
            _ => {}
        }
        if was_fenced.is_some() || !is_fenced {
            was_fenced = Some(is_fenced);
        }
    }
}

/// Tells the controller in which log directories new or moved partitions are.
pub(super) async fn tell_assignments(parts: &Parts) {
    let version = parts.image.load().metadata_version();
    while let Some(request) = parts.replicas.next_assignments(parts.broker_epoch, version) {
        let Err(error) = parts.controller.assign_replicas(request.clone()).await else { continue };
        error!(%error, "the controller refused to hear where partitions lie");
        if parts.controller.is_remote() {
            parts.replicas.note_again(request);
            return;
        }
    }
}

/// Shuts down in a controlled way. The first heartbeat takes our leaderships away and a later one
/// fences us; otherwise the next controller would wait for our session to expire before it
/// registers this broker again. Before that, the next start must be able to find out which log
/// directory is missing or has another id.
pub(super) async fn leave_cluster(parts: &Parts, heartbeats: &Heartbeats) -> Result<()> {
    parts.replicas.leave();
    let session_ms = parts.config.get().broker_session_timeout_ms.max(1).unsigned_abs();
    let session_timeout = Duration::from_millis(session_ms.into());
    if tokio::time::timeout(session_timeout, tell_assignments(parts)).await.is_err() {
        error!("the controller was not told where all partitions lie");
    }
    heartbeats.leave(LEAVE_MAX, session_timeout).await
}
