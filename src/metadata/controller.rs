//! The controller client: the only way in which the broker's half changes anything, and the
//! embedded one-voter controller behind it. Later a remote quorum stands here.
//!
//! One thread owns the metadata log. It takes what waits in its queue, validates and appends one
//! after the other, makes all of it durable with one fsync, publishes, and then answers: many that
//! come at once share the price of one.

mod brokers;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe;
mod elect_leaders;
mod forward;
mod journal;
mod partition_change;
mod placement;
mod reassignments;
mod replicas;
mod state;
mod update_features;
mod view;

#[cfg(test)]
mod tests;

use self::brokers::Heartbeat;
use self::state::State;
use super::preview::{self, Preview};
use super::quorum::{Options, Quorum};
use super::{Image, Published};
use crate::clock::Clock;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{BrokerId, Offset};
use arc_swap::ArcSwap;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    AssignReplicasToDirsRequest, BrokerRegistrationRequest, DescribeQuorumRequest,
    DescribeQuorumResponse,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// Requests that may wait for the controller's thread.
const QUEUE_LENGTH: usize = 1000;
/// Requests that share one fsync at most.
const GROUP_LENGTH: usize = 500;

/// A broker's request that the controller answers, as the client sent it (Envelope's content).
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Which API.
    pub api_key: i16,
    /// Its version.
    pub api_version: i16,
    /// The request's body, checked by `codec::guard`.
    pub body: Bytes,
    /// `User:ANONYMOUS` until there is security.
    pub principal: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
}

/// The answer to a forwarded request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response's body, encoded at the request's version.
    pub body: Bytes,
    /// Offset of the last metadata record written for it, -1 if none was; wait until the broker
    /// has applied it.
    pub offset: Offset,
}

/// What waits for the thread: it is run, and the rest of it when all of its group is durable
/// (true) or will never be (false).
type Job = Box<dyn FnOnce(&mut State) -> Finish + Send>;
type Finish = Box<dyn FnOnce(bool) + Send>;

/// The embedded controller and the client to it, one object while they live in one process.
#[derive(Debug)]
pub struct Controller {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
    shared: Arc<Shared>,
}

/// What the thread shows to the others.
#[derive(Debug)]
struct Shared {
    image: ArcSwap<Image>,
    /// The disk failed; nothing is accepted any more.
    failed: AtomicBool,
}

impl Controller {
    /// Opens (formatting if empty) `__cluster_metadata-0` in `metadata_dir`, replays it, becomes
    /// leader of a new epoch and writes that down. `published` receives the whole state as the
    /// first step, then each later one.
    pub fn open(
        disk: Disk,
        clock: Clock,
        config: Arc<Config>,
        metadata_dir: &Path,
        cluster_id: &str,
        directory_id: uuid::Uuid,
        published: mpsc::Sender<Published>,
    ) -> Result<Arc<Controller>> {
        let options = options(&config, cluster_id, directory_id)?;
        let opened = Quorum::open(disk.clone(), metadata_dir, options, clock.now())?;
        let (mut state, first) = State::lead(disk, clock, config, opened)?;
        let shared = Arc::new(Shared {
            image: ArcSwap::new(first.image.clone()),
            failed: AtomicBool::new(false),
        });
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("controller".to_owned())
            .spawn(move || {
                // Nobody follows: the broker is stopping.
                let _ = published.blocking_send(first);
                run(&mut state, jobs, &published, &for_thread);
                state.close()
            })
            .map_err(|source| Error::disk(metadata_dir, source))?;
        Ok(Arc::new(Controller {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            shared,
        }))
    }

    /// What the metadata log in a directory says, before anything is changed; None if there is none.
    /// A file or a record that is not known here is an error (Config).
    pub fn preview(disk: &Disk, metadata_dir: &Path) -> Result<Option<Preview>> {
        preview::preview(disk, metadata_dir)
    }

    /// The newest committed image.
    pub fn image(&self) -> Arc<Image> {
        self.shared.image.load_full()
    }

    /// Registers this broker; answers its epoch (the offset of its RegisterBrokerRecord).
    pub async fn register(&self, request: BrokerRegistrationRequest) -> Result<i64> {
        self.submit(move |state| state.register_broker(&request)).await
    }

    /// A heartbeat; answers (is fenced, should shut down).
    pub async fn heartbeat(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        applied: Offset,
        want_fence: bool,
        want_shut_down: bool,
    ) -> Result<(bool, bool)> {
        let heartbeat = Heartbeat { broker_id, broker_epoch, applied, want_fence, want_shut_down };
        let status = self.submit(move |state| state.heartbeat(heartbeat)).await?;
        Ok((status.fenced, status.should_shut_down))
    }

    /// Tells which log directories of a broker take no new partitions.
    pub async fn cordon_directories(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        cordoned: Vec<uuid::Uuid>,
    ) -> Result<()> {
        self.submit(move |state| state.cordon_directories(broker_id, broker_epoch, &cordoned)).await
    }

    /// Tells that log directories of a broker have failed.
    pub async fn lose_directories(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        failed: Vec<uuid::Uuid>,
    ) -> Result<()> {
        self.submit(move |state| state.lose_directories(broker_id, broker_epoch, &failed)).await
    }

    /// Tells in which log directories a broker has put its replicas.
    pub async fn assign_replicas(&self, request: AssignReplicasToDirsRequest) -> Result<()> {
        self.submit(move |state| {
            let outcome = state.view().assign_replicas(&request)?;
            state.conclude(outcome).map(drop)
        })
        .await
    }

    /// A block of producer ids: (first, count).
    pub async fn allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        epoch: i64,
    ) -> Result<(i64, i32)> {
        self.submit(move |state| state.allocate_producer_ids(broker_id, epoch)).await
    }

    /// CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs, IncrementalAlterConfigs,
    /// UpdateFeatures, ElectLeaders, Alter/ListPartitionReassignments, DescribeQuorum, ...; other
    /// APIs are UNSUPPORTED_VERSION. An error is one of the whole request.
    pub async fn forward(&self, request: Forwarded) -> Result<Answer> {
        self.submit(move |state| forward::forward(state, &request)).await
    }

    /// DescribeQuorum, on a controller listener.
    pub async fn describe_quorum(
        &self,
        request: DescribeQuorumRequest,
        version: i16,
    ) -> Result<DescribeQuorumResponse> {
        self.submit(move |state| Ok(state.quorum_state().describe(&request, version))).await
    }

    /// NoOp records while idle, snapshots when due; called about every 100 ms. An error says that
    /// the metadata log is lost to us and the broker must stop.
    pub fn tick(&self) -> Result<()> {
        if self.shared.failed.load(Ordering::Acquire) {
            return Err(Error::Code(ResponseError::KafkaStorageError));
        }
        let queue = self.queue()?;
        let job: Job = Box::new(|state| {
            if let Err(error) = state.tick() {
                error!(%error, "the metadata log failed");
            }
            Box::new(|_| {})
        });
        match queue.try_send(job) {
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed),
            // A full queue is not idle, and the next tick is near.
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        }
    }

    /// Accepts nothing more: the thread ends once its queue is empty, and with it whoever follows the
    /// log. Nobody waits for that.
    pub fn leave(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Ends the thread once its queue is empty; flushes and closes the metadata log. Blocks.
    pub fn close(&self) -> Result<()> {
        self.leave();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(Error::Closed)))
    }

    fn queue(&self) -> Result<mpsc::Sender<Job>> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.clone().ok_or(Error::Closed)
    }

    /// Runs `operation` in the thread; answers once what it appended is durable.
    async fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |state| {
            let result = operation(state);
            Box::new(move |durable| {
                let result =
                    if durable { result } else { Err(ResponseError::KafkaStorageError.into()) };
                // Who asked may have gone.
                let _ = sender.send(result);
            })
        });
        self.queue()?.send(job).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

/// The thread's loop: a group of jobs, one fsync, one published step, the answers.
fn run(
    state: &mut State,
    mut jobs: mpsc::Receiver<Job>,
    published: &mpsc::Sender<Published>,
    shared: &Shared,
) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first(state)];
        while group.len() < GROUP_LENGTH
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job(state));
        }
        let durable = match state.flush() {
            Ok(step) => {
                if let Some(step) = step {
                    shared.image.store(step.image.clone());
                    // Nobody follows: the broker is stopping.
                    let _ = published.blocking_send(step);
                }
                true
            }
            Err(error) => {
                if !shared.failed.swap(true, Ordering::AcqRel) {
                    error!(%error, "the metadata log failed; nothing is accepted any more");
                }
                false
            }
        };
        for finish in group {
            finish(durable);
        }
    }
}

fn options(config: &Config, cluster_id: &str, directory_id: uuid::Uuid) -> Result<Options> {
    let voter = |text: &String| text.split('@').next().and_then(|id| id.trim().parse().ok());
    let static_voters: Option<Vec<BrokerId>> =
        config.controller_quorum_voters.iter().map(voter).collect();
    let listeners = config.controller_listeners().into_iter().map(|listener| {
        let host = if listener.host.is_empty() { "localhost".to_owned() } else { listener.host };
        (listener.name, host, listener.port)
    });
    let log = [
        ("segment.bytes", config.metadata_log_segment_bytes.to_string()),
        ("segment.ms", config.metadata_log_segment_ms.to_string()),
        ("segment.jitter.ms", "0".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", i32::MAX.to_string()),
        ("compression.type", "producer".to_owned()),
        ("message.timestamp.type", "CreateTime".to_owned()),
    ];
    let log: BTreeMap<String, String> =
        log.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Options {
        node_id: config.node_id,
        cluster_id: cluster_id.to_owned(),
        directory_id,
        static_voters: static_voters
            .ok_or_else(|| Error::Config("controller.quorum.voters: no node id".to_owned()))?,
        listeners: listeners.collect(),
        log: config.topic(&log)?,
        retention_bytes: config.metadata_max_retention_bytes,
        retention_ms: config.metadata_max_retention_ms,
    })
}
