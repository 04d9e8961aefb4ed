//! The broker from the controller's view: registered, unfenced, kept alive by heartbeats, shut down
//! (BrokerLifecycleManager).

use super::identity::directory_ids;
use super::listeners::port_of;
use crate::codec::messages::broker_registration_request::{Feature, Listener};
use crate::codec::messages::{BrokerRegistrationRequest, StrBytes};
use crate::config::Config;
use crate::error::Result;
use crate::handlers::Parts;
use crate::log::manager::LogManager;
use crate::metadata::{Broker, features};
use crate::server::Bound;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info};
use uuid::Uuid;

/// How often a broker that waits for the controller asks again.
const HEARTBEAT_RETRY: Duration = Duration::from_millis(5);

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

/// Sends heartbeats until the controller has unfenced us and we have applied that.
pub(super) async fn become_running(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.get().node_id, parts.broker_epoch);
    parts.wait_until_applied(epoch).await?;
    tell_cordoned(parts).await?;
    // A partition that was created again in another directory has no leader until this is told.
    tell_assignments(parts).await;
    loop {
        let applied = *parts.applied.borrow();
        let (fenced, _) = parts.controller.heartbeat(id, epoch, applied, false, false).await?;
        if !fenced {
            return parts.wait_until_applied(parts.controller.image().offset).await;
        }
        tokio::time::sleep(HEARTBEAT_RETRY).await;
    }
}

/// Logs the lines that Testcontainers modules and init scripts wait for, as Kafka prints them.
pub(super) fn announce(config: &Config) {
    let id = config.node_id;
    info!("Broker {id} is unfenced. Transitioning from RECOVERY to RUNNING.");
    info!("[KafkaRaftServer nodeId={id}] Kafka Server started");
}

/// Sends heartbeats while the broker runs.
pub(super) async fn heartbeat(parts: Arc<Parts>) {
    let pause =
        Duration::from_millis(parts.config.get().broker_heartbeat_interval_ms.max(1) as u64);
    loop {
        tokio::time::sleep(pause).await;
        let (id, epoch) = (parts.config.get().node_id, parts.broker_epoch);
        let applied = *parts.applied.borrow();
        if let Err(error) = parts.controller.heartbeat(id, epoch, applied, false, false).await {
            error!(%error, "the controller refused a heartbeat");
        }
    }
}

/// Tells the controller of cordoned log directories as soon as the metadata changes.
pub(super) async fn watch_cordons(parts: Arc<Parts>) {
    let mut applied = parts.applied.clone();
    while applied.changed().await.is_ok() {
        if let Err(error) = tell_cordoned(&parts).await {
            error!(%error, "the controller was not told which log directories are cordoned");
        }
    }
}

/// Tells the controller which log directories take no new partitions, if that has changed.
async fn tell_cordoned(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.get().node_id, parts.broker_epoch);
    let cordoned = parts.replicas.cordoned_dirs();
    let image = parts.controller.image();
    let is_news = |broker: &Broker| broker.cordoned_log_dirs != cordoned;
    if image.brokers.get(&id).is_some_and(|broker| is_news(broker)) {
        parts.controller.cordon_directories(id, epoch, cordoned).await?;
    }
    Ok(())
}

/// Tells the controller in which log directories new or moved partitions are.
pub(super) async fn tell_assignments(parts: &Parts) {
    while let Some(request) = parts.replicas.next_assignments(parts.broker_epoch) {
        if let Err(error) = parts.controller.assign_replicas(request).await {
            error!(%error, "the controller refused to hear where partitions lie");
        }
    }
}

/// Shuts down in a controlled way. The first heartbeat takes our leaderships away and the next one
/// fences us; otherwise the next controller would wait for our session to expire before it
/// registers this broker again. Before that, the next start must be able to find out which log
/// directory is missing or has another id.
pub(super) async fn leave_cluster(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.get().node_id, parts.broker_epoch);
    tell_assignments(parts).await;
    loop {
        let applied = *parts.applied.borrow();
        let asked = parts.controller.heartbeat(id, epoch, applied, false, true);
        let (_, may_go) = asked.await?;
        if may_go {
            return Ok(());
        }
        tokio::time::sleep(HEARTBEAT_RETRY).await;
    }
}
