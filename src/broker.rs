//! Assembly and controlled shutdown: the only file that knows every part.
//!
//! Start: bind the listeners; lock the log directories and look at what is in them; from here on they
//! are changed: open the metadata log and become its leader; register; open the partitions that metadata gives this broker
//! (recovery runs here); be unfenced; accept clients. Stop is the same in reverse.

mod directories;
mod signals;
#[cfg(test)]
mod tests;
mod unserved;

use crate::clock::Clock;
use crate::config::{Config, Listener};
use crate::controller::{self, Controller};
use crate::coordinator::{Groups, Transactions};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::handlers::{Endpoint, Parts};
use crate::log::manager::LogManager;
use crate::metadata::{Image, Published, features};
use crate::replica::Replicas;
use crate::server::{Bound, Server};
use arc_swap::ArcSwap;
use kafka_protocol::messages::BrokerRegistrationRequest;
use kafka_protocol::messages::broker_registration_request::{Feature, Listener as Registered};
use kafka_protocol::protocol::StrBytes;
use signals::Signals;
use std::borrow::Borrow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, info};
use unserved::warn_of_unserved;
use uuid::Uuid;

/// Steps of the metadata log that may wait until this broker has applied them.
const PUBLISHED_MAX: usize = 1024;
/// How long work that was under way may go on when the process ends.
const LAST_WORK: Duration = Duration::from_millis(500);
/// How often a broker that waits for the controller asks again.
const HEARTBEAT_RETRY: Duration = Duration::from_millis(5);
/// How often a full disk is looked for, and room on it.
const ROOM_MS: i64 = 200;
/// How often deleted logs are looked for whose time has come.
const DELETE_MS: i64 = 1_000;
/// How often moves between log directories are taken on.
const MOVE: Duration = Duration::from_millis(100);
/// How often logs that were made many at once are made durable.
const SYNC_MS: i64 = 500;
/// How often it is looked whether the metadata log or log directories have failed.
const TICK: Duration = Duration::from_millis(100);

/// Runs the broker until SIGTERM, SIGINT or SIGHUP; returns after a clean stop, or with the reason
/// why it cannot go on.
pub fn run(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Config(format!("cannot start the runtime: {error}")))?;
    let ended = runtime.block_on(live(config));
    // What still runs may wait for a disk that does not answer.
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

/// Start and stop run in tasks of their own, so that a signal is heard meanwhile.
async fn live(config: Config) -> Result<()> {
    let mut signals = Signals::listen()?;
    let starting = tokio::spawn(Broker::start(config, Disk::Os, Clock::System));
    let mut broker = tokio::select! {
        started = starting => started.map_err(panicked)??,
        signal = signals.next() => {
            info!("stopping: {signal}, before the start was done: the next one recovers the logs");
            return Ok(());
        }
    };
    tokio::select! {
        signal = signals.next() => info!("stopping: {signal}"),
        what = broker.failed() => return Err(Error::Config(what)),
    }
    tokio::select! {
        stopped = tokio::spawn(broker.stop()) => stopped.map_err(panicked)?,
        signal = signals.next_stop() => Err(Error::Config(format!(
            "{signal} came while the broker was stopping: it ends at once, and the next start \
             recovers the logs"
        ))),
    }
}

fn panicked(error: tokio::task::JoinError) -> Error {
    Error::Config(format!("a part of the broker panicked: {error}"))
}

/// A running broker. Who drops it without `stop` has killed it: the next start recovers the logs.
#[derive(Debug)]
pub struct Broker {
    parts: Arc<Parts>,
    server: Server,
    background: JoinSet<()>,
    failed: mpsc::Receiver<String>,
    ports: Vec<(String, u16)>,
    /// None in a process that is only a broker. The applier, which no abort reaches, ends with it.
    controller: Option<Controller>,
}

impl Broker {
    /// Starts a broker and returns when it serves. Nothing is changed in the directories before the
    /// listeners are bound and it is clear that the start may go on.
    pub async fn start(config: Config, disk: Disk, clock: Clock) -> Result<Broker> {
        let config = Arc::new(config);
        let bound = bind(&config).await?;
        let mut logs = LogManager::open(disk.clone(), &config)?;
        let cluster_id = directories::check(&logs, &config)?;
        introduce(&config, &cluster_id, &logs.metadata_dir().path);
        tell_of_listeners(&config, &bound);
        // From here on the directories are changed.
        logs.unmark_clean_shutdown()?;
        logs.format(&cluster_id, config.node_id)?;
        let clean_epoch = previous_broker_epoch(&logs);
        let (publish, published) = mpsc::channel(PUBLISHED_MAX);
        let controller = Controller::open(
            disk,
            clock.clone(),
            config.clone(),
            &logs.metadata_dir().path,
            &cluster_id,
            metadata_directory_id(&logs)?,
            publish,
        )?;
        let registration = registration(&config, &cluster_id, &bound, &logs, clean_epoch);
        let broker_epoch = controller.client().register(registration).await?;
        let (parts, applier) = assemble(config, clock, logs, controller.client(), broker_epoch);
        let mut background = JoinSet::new();
        let (fail, mut failed) = mpsc::channel(1);
        let applier_fails = fail.clone();
        background.spawn_blocking(move || applier.run(published, &applier_fails));
        if let Err(error) = become_running(&parts).await {
            return Err(failed.try_recv().map_or(error, Error::Config));
        }
        warn_of_unserved(&parts.image.load());
        start_background(&parts, &mut background, fail);
        let ports = bound.iter().map(|b| (b.listener.name.clone(), b.port())).collect();
        let server = Server::start(bound, &parts);
        announce(&parts.config);
        Ok(Broker { parts, server, background, failed, ports, controller: Some(controller) })
    }

    /// The ports listened on, by listener name: where the configuration says 0, this is what it got.
    pub fn ports(&self) -> &[(String, u16)] {
        &self.ports
    }

    /// What its handlers work with, for who calls them without a socket (benches/paths).
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Resolves when the broker cannot go on, with the reason; it is not stopped cleanly then.
    pub async fn failed(&mut self) -> String {
        match self.failed.recv().await {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// Stops cleanly: nothing acknowledged needs recovery at the next start. What fails on the way
    /// does not keep the rest from being closed; the first failure is the answer.
    pub async fn stop(mut self) -> Result<()> {
        // Timers end; the applier, which no abort reaches, goes on until the controller is closed.
        self.background.abort_all();
        let parts = self.parts;
        let left = leave_cluster(&parts).await;
        self.server.stop().await;
        parts.transactions.close();
        parts.groups.close();
        let logs = parts.replicas.close(parts.broker_epoch);
        let metadata = self.controller.map_or(Ok(()), Controller::close);
        left.and(logs).and(metadata)?;
        info!("stopped");
        Ok(())
    }
}

/// Gives up what this broker leads. The first answer takes the leaderships, the next fences: without
/// that the next controller would wait for our session to end before it registers this broker again.
async fn leave_cluster(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
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

/// Says who starts here: what a reader of the log has to know of everything that follows.
fn introduce(config: &Config, cluster_id: &str, metadata_dir: &Path) {
    info!(
        "klamm {} starts as process {}: cluster.id={cluster_id}, node.id={}, process.roles={}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        config.node_id,
        config.process_roles.join(",")
    );
    let dirs = config.log_dirs.join(",");
    info!("data: log.dirs={dirs}, the metadata log in {}", metadata_dir.display());
}

fn tell_of_listeners(config: &Config, bound: &[Bound]) {
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

/// The lines that Testcontainers modules and init scripts wait for, as Kafka prints them.
fn announce(config: &Config) {
    let id = config.node_id;
    info!(
        "[BrokerLifecycleManager id={id}] The broker has been unfenced. Transitioning from RECOVERY to RUNNING."
    );
    info!("[KafkaRaftServer nodeId={id}] Kafka Server started");
}

/// Applies the metadata log's steps to the broker's half, in order.
struct Applier {
    replicas: Arc<Replicas>,
    groups: Arc<Groups>,
    transactions: Arc<Transactions>,
    image: Arc<ArcSwap<Image>>,
    applied: watch::Sender<i64>,
}

impl Applier {
    /// Until the controller ends. A broker that did not apply everything would serve something else
    /// than the metadata log says: it fails, with the reason.
    fn run(self, published: mpsc::Receiver<Published>, fail: &mpsc::Sender<String>) {
        let followed = catch_unwind(AssertUnwindSafe(|| self.follow(published)));
        let reason = match followed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("the metadata log could not be applied: {error}"),
            Err(_) => "applying the metadata log panicked; see above".to_owned(),
        };
        // If another failure was told already, that one counts.
        let _ = fail.try_send(reason);
    }

    fn follow(&self, mut published: mpsc::Receiver<Published>) -> Result<()> {
        while let Some(step) = published.blocking_recv() {
            self.replicas.apply(&step.image, &step.delta)?;
            self.groups.apply(&step.image, &step.delta);
            self.transactions.apply(&step.image);
            self.image.store(step.image.clone());
            self.applied.send_replace(step.image.offset);
        }
        Ok(())
    }
}

/// The broker's half, and who keeps it in step with the metadata log.
fn assemble(
    config: Arc<Config>,
    clock: Clock,
    logs: LogManager,
    controller: controller::Client,
    broker_epoch: i64,
) -> (Arc<Parts>, Applier) {
    let replicas = Replicas::new(config.clone(), clock.clone(), logs);
    let groups = Groups::new(config.clone(), clock.clone(), replicas.clone());
    let transactions = Transactions::new(
        config.clone(),
        clock.clone(),
        replicas.clone(),
        groups.clone(),
        controller.clone(),
        broker_epoch,
    );
    let image = Arc::new(ArcSwap::from(controller.image()));
    let (applied, watch_applied) = watch::channel(-1);
    let applier = Applier {
        replicas: replicas.clone(),
        groups: groups.clone(),
        transactions: transactions.clone(),
        image: image.clone(),
        applied,
    };
    let applied = watch_applied;
    let parts = Parts {
        config,
        clock,
        broker_epoch,
        replicas,
        groups,
        transactions,
        controller,
        image,
        applied,
    };
    (Arc::new(parts), applier)
}

/// The ids of all log directories, sorted as Kafka sorts them.
fn directory_ids(logs: &LogManager) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> =
        logs.dirs().iter().filter_map(|dir| Some(dir.meta.as_ref()?.directory_id)).collect();
    ids.sort();
    ids
}

/// The id of the directory that holds the metadata log.
fn metadata_directory_id(logs: &LogManager) -> Result<Uuid> {
    let dir = logs.metadata_dir();
    let meta = dir.meta.as_ref().map(|meta| meta.directory_id);
    meta.ok_or_else(|| Error::Config(format!("{} cannot be used", dir.path.display())))
}

/// The epoch under which this broker stopped cleanly; -1 unless every directory says the same.
fn previous_broker_epoch(logs: &LogManager) -> i64 {
    let online = logs.dirs().iter().filter(|dir| !dir.is_offline());
    let mut epochs = online.map(|dir| dir.clean_shutdown.unwrap_or(-1));
    let first = epochs.next().unwrap_or(-1);
    if epochs.all(|epoch| epoch == first) { first } else { -1 }
}

async fn bind(config: &Config) -> Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for listener in config.controller_listeners() {
        bound.push(Bound::bind(listener, Endpoint::Controller, config).await?);
    }
    for listener in config.listeners() {
        bound.push(Bound::bind(listener, Endpoint::Broker, config).await?);
    }
    Ok(bound)
}

fn registration(
    config: &Config,
    cluster_id: &str,
    bound: &[Bound],
    logs: &LogManager,
    previous_broker_epoch: i64,
) -> BrokerRegistrationRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let listeners = config.advertised_listeners().into_iter().map(|listener| {
        Registered::default()
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

/// An advertised port 0 means the one that the listener of that name got.
fn port_of<B: Borrow<Bound>>(advertised: &Listener, bound: &[B]) -> u16 {
    let same =
        bound.iter().map(Borrow::borrow).find(|bound| bound.listener.name == advertised.name);
    match same {
        Some(bound) if advertised.port == 0 => bound.port(),
        _ => advertised.port,
    }
}

/// Heartbeats until the controller has unfenced us and we have applied that.
async fn become_running(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
    let mut applied = parts.applied.clone();
    applied.wait_for(|offset| *offset >= epoch).await.map_err(|_| Error::Closed)?;
    tell_cordoned(parts).await?;
    loop {
        let offset = *applied.borrow();
        let (fenced, _) = parts.controller.heartbeat(id, epoch, offset, false, false).await?;
        if !fenced {
            let newest = parts.controller.image().offset;
            applied.wait_for(|offset| *offset >= newest).await.map_err(|_| Error::Closed)?;
            return Ok(());
        }
        tokio::time::sleep(HEARTBEAT_RETRY).await;
    }
}

/// What runs from time to time: heartbeats, checkpoints, retention.
fn start_background(parts: &Arc<Parts>, tasks: &mut JoinSet<()>, fail: mpsc::Sender<String>) {
    let config = &parts.config;
    let settle_ms = config.replica_high_watermark_checkpoint_interval_ms;
    repeat(tasks, settle_ms, parts, |parts| parts.replicas.settle());
    let checkpoint_ms = config
        .log_flush_offset_checkpoint_interval_ms
        .min(config.log_flush_start_offset_checkpoint_interval_ms);
    repeat(tasks, checkpoint_ms.into(), parts, |parts| parts.replicas.checkpoint());
    let retention_ms = config.log_retention_check_interval_ms;
    repeat(tasks, retention_ms, parts, |parts| parts.replicas.clean_up());
    repeat(tasks, DELETE_MS, parts, |parts| parts.replicas.run_deletes());
    let expiry_ms = config.producer_id_expiration_check_interval_ms;
    repeat(tasks, expiry_ms.into(), parts, |parts| parts.replicas.expire_producers());
    if config.log_cleaner_enable {
        tasks.spawn(compact(parts.clone()));
    }
    let flush_ms = config.log_flush_scheduler_interval_ms;
    repeat(tasks, flush_ms, parts, |parts| parts.replicas.flush_due());
    repeat(tasks, ROOM_MS, parts, |parts| parts.replicas.watch_room(&parts.image.load()));
    repeat(tasks, SYNC_MS, parts, |parts| parts.replicas.sync_new_logs());
    tasks.spawn(move_logs(parts.clone()));
    tasks.spawn(heartbeat(parts.clone()));
    tasks.spawn(tell_directories(parts.clone()));
    tasks.spawn(watch_over(parts.clone(), fail));
}

/// Tells when the metadata log or the last log directory is lost.
async fn watch_over(parts: Arc<Parts>, fail: mpsc::Sender<String>) {
    loop {
        tokio::time::sleep(TICK).await;
        let reason = match parts.controller.check() {
            Err(error) => format!("the metadata log cannot be written any more: {error}"),
            Ok(()) if parts.replicas.is_offline() => {
                "all log directories are offline; see the errors above".to_owned()
            }
            Ok(()) => continue,
        };
        // The receiver is gone only when the broker stops anyway.
        let _ = fail.send(reason).await;
        return;
    }
}

/// Compaction, on as many threads as `log.cleaner.threads` says at the time.
async fn compact(parts: Arc<Parts>) {
    let mut threads: JoinSet<()> = JoinSet::new();
    loop {
        let config = parts.replicas.config();
        let pause = Duration::from_millis(config.log_cleaner_backoff_ms.max(1) as u64);
        while threads.len() < config.log_cleaner_threads.max(0) as usize {
            let parts = parts.clone();
            threads.spawn(async move {
                tokio::time::sleep(pause).await;
                if tokio::task::spawn_blocking(move || parts.replicas.compact()).await.is_err() {
                    error!("compaction panicked; it is tried again");
                }
            });
        }
        // The settings may change while all of them are busy.
        tokio::select! {
            _ = threads.join_next(), if !threads.is_empty() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes moves between log directories on while there are some.
async fn move_logs(parts: Arc<Parts>) {
    loop {
        parts.replicas.has_moves().await;
        let moving = parts.clone();
        let moved = tokio::task::spawn_blocking(move || moving.replicas.move_logs(&moving.image));
        if moved.await.is_err() {
            error!("a move between log directories panicked; it is tried again");
        }
        tokio::time::sleep(MOVE).await;
    }
}

/// Tells the controller where the partitions lie and which log directories have failed.
async fn tell_directories(parts: Arc<Parts>) {
    let mut told = Vec::new();
    loop {
        tokio::time::sleep(TICK).await;
        let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
        while let Some(request) = parts.replicas.next_assignments(epoch) {
            if let Err(error) = parts.controller.assign_replicas(request).await {
                error!(%error, "the controller refused to hear where partitions lie");
            }
        }
        let failed = parts.replicas.failed_directories();
        if failed != told {
            match parts.controller.lose_directories(id, epoch, failed.clone()).await {
                Ok(()) => told = failed,
                Err(error) => error!(%error, "the controller refused a failed directory"),
            }
        }
    }
}

/// Calls `work` on the blocking pool every `interval_ms`.
fn repeat(
    tasks: &mut JoinSet<()>,
    interval_ms: i64,
    parts: &Arc<Parts>,
    work: impl Fn(&Parts) + Send + Sync + Copy + 'static,
) {
    let parts = parts.clone();
    let pause = Duration::from_millis(interval_ms.max(1) as u64);
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            let parts = parts.clone();
            if tokio::task::spawn_blocking(move || work(&parts)).await.is_err() {
                error!("background work panicked; it is tried again");
            }
        }
    });
}

/// Tells the controller which log directories take no new partitions, if that has changed.
async fn tell_cordoned(parts: &Parts) -> Result<()> {
    let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
    let cordoned = parts.replicas.cordoned_dirs();
    let image = parts.controller.image();
    let is_news = |broker: &crate::metadata::Broker| broker.cordoned_log_dirs != cordoned;
    if image.brokers.get(&id).is_some_and(|broker| is_news(broker)) {
        parts.controller.cordon_directories(id, epoch, cordoned).await?;
    }
    Ok(())
}

async fn heartbeat(parts: Arc<Parts>) {
    let pause = Duration::from_millis(parts.config.broker_heartbeat_interval_ms.max(1) as u64);
    loop {
        tokio::time::sleep(pause).await;
        let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
        let applied = *parts.applied.borrow();
        if let Err(error) = tell_cordoned(&parts).await {
            error!(%error, "the controller was not told which log directories are cordoned");
        }
        if let Err(error) = parts.controller.heartbeat(id, epoch, applied, false, false).await {
            error!(%error, "the controller refused a heartbeat");
        }
    }
}
