//! Assembles the broker: the only file that knows every part, and in which order they start and
//! stop.
//!
//! At start it binds the listeners, then locks the log directories and examines what is in them.
//! Only then does it change them: it opens the metadata log and becomes its leader or, as a broker
//! only, follows the leader until it has all that is committed; it registers,
//! opens the partitions that the metadata assigns to this broker (recovery runs here), gets
//! unfenced, and accepts clients. A stop does the same in reverse.
//!
//! ```text
//!  signals               what ends the process
//!  listeners             sockets, and the ports that are advertised
//!  directories unserved  what a start finds and whether it may go on; what klamm does not serve
//!  identity              cluster id, directory ids, the previous broker epoch
//!  quorum                the metadata log, led or followed
//!  lifecycle heartbeats  registration, the session with the controller, controlled shutdown
//!  applier               applies the steps of the metadata log to the parts
//!  background            periodic work
//! ```

mod applier;
mod background;
mod directories;
mod heartbeats;
mod identity;
mod lifecycle;
mod listeners;
mod quorum;
mod signals;
#[cfg(test)]
mod tests;
mod unserved;

use crate::clock::Clock;
use crate::config::{Config, LiveConfig};
use crate::controller;
use crate::coordinator::{Groups, InternalTopics, Persister, ShareStates, Transactions};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::handlers::Parts;
use crate::log::manager::LogManager;
use crate::peers::Peers;
use crate::replica::Replicas;
use crate::server::Server;
use crate::share::SharePartitions;
use applier::Applier;
use arc_swap::ArcSwap;
use heartbeats::Heartbeats;
use identity::{introduce, new_cluster_id, previous_broker_epoch};
use quorum::Quorum;
use signals::Signals;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::info;
use unserved::warn_of_unserved;

/// The most steps of the metadata log that may wait to be applied.
const PUBLISHED_MAX: usize = 1024;
/// How long unfinished work may go on when the process ends.
const LAST_WORK: Duration = Duration::from_millis(500);

/// Runs the broker until SIGTERM, SIGINT or SIGHUP. Returns after a clean stop, or with the reason
/// why the broker cannot go on.
pub fn run(config: Config) -> Result<()> {
    let built = |runtime: std::io::Result<Runtime>| {
        runtime.map_err(|error| Error::Config(format!("cannot start the runtime: {error}")))
    };
    let runtime = built(Builder::new_multi_thread().enable_all().build())?;
    // Signals have a thread of their own: all others may be writing to a log that nobody reads.
    let signals = built(Builder::new_current_thread().enable_all().build())?;
    let ended = signals.block_on(live(config, runtime.handle()));
    // Work that is still running may be waiting for a disk that does not answer.
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

/// Runs start and stop in tasks of their own, so that signals are noticed meanwhile.
async fn live(config: Config, runtime: &Handle) -> Result<()> {
    let mut signals = Signals::listen()?;
    let mut starting = runtime.spawn(Broker::start(config, Disk::Os, Clock::System));
    let (started, early) = tokio::select! {
        started = &mut starting => (started, None),
        // An almost finished start may already serve clients, so it is stopped like a running
        // broker.
        signal = signals.next() => match timeout(LAST_WORK, &mut starting).await {
            Ok(started) => (started, Some(signal)),
            Err(_) => {
                // In a task, because whoever reads the log may have stopped reading.
                let tell = async move {
                    info!("stopping: {signal}, before the start was done: the next recovers the logs");
                };
                let _ = timeout(LAST_WORK, runtime.spawn(tell)).await;
                return Ok(());
            }
        },
    };
    let mut broker = started.map_err(panicked)??;
    let signal = match early {
        Some(signal) => signal,
        None => tokio::select! {
            signal = signals.next() => signal,
            what = broker.failed() => return Err(Error::Config(what)),
        },
    };
    // In the task, too, because whoever reads the log may have stopped reading.
    let stopping = async move {
        info!("stopping: {signal}");
        broker.stop().await
    };
    tokio::select! {
        stopped = runtime.spawn(stopping) => stopped.map_err(panicked)?,
        signal = signals.next_stop() => {
            std::thread::spawn(|| {
                std::thread::sleep(2 * LAST_WORK);
                std::process::exit(1);
            });
            Err(Error::Config(format!(
                "{signal} came while the broker was stopping: it ends at once, and the next start \
                 recovers the logs"
            )))
        }
    }
}

fn panicked(error: tokio::task::JoinError) -> Error {
    Error::Config(format!("a part of the broker panicked: {error}"))
}

/// A running broker. Dropping it without `stop` is like a kill: the next start recovers the logs.
#[derive(Debug)]
pub struct Broker {
    parts: Arc<Parts>,
    heartbeats: Arc<Heartbeats>,
    server: Server,
    background: JoinSet<()>,
    failed: mpsc::Receiver<String>,
    ports: Vec<(String, u16)>,
    /// The applier ignores aborts and ends with it.
    quorum: Quorum,
}

impl Broker {
    /// Starts a broker and returns once it serves. Nothing in the directories is changed until the
    /// listeners are bound and the start is known to be safe.
    pub async fn start(config: Config, disk: Disk, clock: Clock) -> Result<Broker> {
        let bound = listeners::bind(&config).await?;
        let live = LiveConfig::from(config.clone());
        let mut logs = LogManager::open(disk.clone(), &live)?;
        let cluster_id = match directories::check(&logs, &config)? {
            Some(known) => known,
            None => new_cluster_id(&config).await?,
        };
        introduce(&config, &cluster_id, &logs.metadata_dir().path);
        listeners::tell_of_listeners(&config, &bound);
        // The directories are changed from here on.
        logs.claim()?;
        if !config.is_broker_only() {
            logs.unmark()?;
        }
        logs.format(&cluster_id, config.node_id)?;
        let clean_epoch = previous_broker_epoch(&logs, &config);
        let (publish, published) = mpsc::channel(PUBLISHED_MAX);
        let quorum =
            Quorum::open(disk, clock.clone(), &config, &logs, &cluster_id, publish).await?;
        if config.is_broker_only() {
            // So far the last stop was a clean one, however long there was no controller.
            logs.unmark()?;
        }
        let controller = quorum.client(&config);
        let registration =
            lifecycle::registration(&config, &cluster_id, &bound, &logs, clean_epoch);
        let (heartbeats, broker_epoch) =
            Heartbeats::begin(controller.clone(), registration, &config).await?;
        let (parts, applier) = assemble(live, clock, logs, controller, broker_epoch);
        let mut background = JoinSet::new();
        let (fail, mut failed) = mpsc::channel(1);
        let applier_fails = fail.clone();
        background.spawn_blocking(move || applier.run(published, &applier_fails));
        if let Err(error) = lifecycle::become_running(&parts, &heartbeats).await {
            let why = failed.try_recv().ok().or_else(|| parts.controller.failure());
            return Err(why.map_or(error, Error::Config));
        }
        warn_of_unserved(&parts.image.load());
        let heartbeats = Arc::new(heartbeats);
        background::start(&parts, &heartbeats, &mut background, fail);
        let ports = bound.iter().map(|b| (b.listener.name.clone(), b.port())).collect();
        let server = Server::start(bound, &parts);
        lifecycle::announce(&parts.config.get());
        Ok(Broker { parts, heartbeats, server, background, failed, ports, quorum })
    }

    /// The ports listened on, by listener name. A port configured as 0 appears as the one assigned.
    pub fn ports(&self) -> &[(String, u16)] {
        &self.ports
    }

    /// What the handlers work with, for callers without a socket (benches/paths).
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Resolves with the reason once the broker cannot go on. There is no clean stop then.
    pub async fn failed(&mut self) -> String {
        match self.failed.recv().await {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// Stops cleanly, so that nothing acknowledged needs recovery at the next start. If a step
    /// fails, the rest is still closed; returns the first failure.
    pub async fn stop(mut self) -> Result<()> {
        // Timers end here. The applier ignores the abort and goes on until the metadata
        // log is closed.
        self.background.abort_all();
        let parts = self.parts;
        let left = lifecycle::leave_cluster(&parts, &self.heartbeats).await;
        self.server.stop().await;
        parts.share_states.close();
        parts.transactions.close();
        parts.groups.close();
        let logs = parts.replicas.close(parts.broker_epoch);
        let metadata = self.quorum.close();
        left.and(logs).and(metadata)?;
        info!("stopped");
        Ok(())
    }
}

/// Builds the parts of the broker, and the applier that keeps them in step with the metadata log.
fn assemble(
    config: LiveConfig,
    clock: Clock,
    logs: LogManager,
    controller: controller::Client,
    broker_epoch: i64,
) -> (Arc<Parts>, Applier) {
    let image = Arc::new(ArcSwap::from(controller.image()));
    let peers = Peers::new(config.clone(), image.clone());
    let replicas = Replicas::new(config.clone(), clock.clone(), logs);
    replicas.copy_through(peers.clone());
    let (tell_applied, applied) = watch::channel(-1);
    let internal_topics =
        InternalTopics::new(config.clone(), clock.clone(), controller.clone(), applied.clone());
    let share_states = ShareStates::new(config.clone(), clock.clone(), replicas.clone());
    let persister = Persister::new(
        config.get().node_id,
        image.clone(),
        share_states.clone(),
        peers.clone(),
        internal_topics.clone(),
    );
    let groups = Groups::new(
        config.clone(),
        clock.clone(),
        replicas.clone(),
        internal_topics.clone(),
        persister.clone(),
    );
    let transactions = Transactions::new(
        config.clone(),
        clock.clone(),
        replicas.clone(),
        groups.clone(),
        controller.clone(),
        peers.clone(),
        broker_epoch,
    );
    let share = SharePartitions::new(
        config.clone(),
        clock.clone(),
        image.clone(),
        replicas.clone(),
        persister.clone(),
        peers.clone(),
        internal_topics.clone(),
    );
    let applier = Applier {
        config: config.clone(),
        replicas: replicas.clone(),
        groups: groups.clone(),
        transactions: transactions.clone(),
        share_states: share_states.clone(),
        share: share.clone(),
        image: image.clone(),
        applied: tell_applied,
    };
    let parts = Parts {
        config,
        clock,
        broker_epoch,
        peers,
        replicas,
        groups,
        transactions,
        share_states,
        persister,
        share,
        internal_topics,
        controller,
        image,
        applied,
    };
    (Arc::new(parts), applier)
}
