//! The handle to the controller. All waiting for it happens here; the rest of the module is
//! synchronous.

use super::brokers::{BrokerStatus, Heartbeat};
use super::envelope::{Answer, Forwarded, Requester};
use super::remote::Remote;
use super::state::ControllerState;
use super::{alter_configs, apis};
use crate::client::Ranges;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::{
    AlterConfigsRequest, AlterPartitionRequest, AlterPartitionResponse,
    AssignReplicasToDirsRequest, BrokerRegistrationRequest, CreateTopicsRequest,
    CreateTopicsResponse, IncrementalAlterConfigsRequest,
};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::sync::lock;
use crate::types::{BrokerId, Offset};
use arc_swap::ArcSwap;
use kafka_protocol::ResponseError;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, oneshot, watch};

/// Requests that may be queued for the controller's thread; further ones wait to be queued.
const QUEUE_LENGTH: usize = 1000;

/// The handle to the controller, wherever it runs. All code that changes metadata holds one.
#[derive(Clone, Debug)]
pub enum Client {
    /// The controller is a thread of this process.
    Embedded(Arc<Embedded>),
    /// This process is only a broker, and the controllers are other nodes.
    Remote(Arc<Remote>),
}

impl Client {
    /// A client of a controller that has ended.
    #[cfg(test)]
    pub fn closed() -> Client {
        let (_, failed) = watch::channel(None);
        Client::Embedded(Embedded::new(Arc::default(), failed).0)
    }

    /// The newest committed image.
    pub fn image(&self) -> Arc<Image> {
        match self {
            Client::Embedded(controller) => controller.image.load_full(),
            Client::Remote(controller) => controller.image.load_full(),
        }
    }

    /// Why the metadata log can no longer be written or followed, in which case the broker must
    /// stop.
    pub fn failure(&self) -> Option<String> {
        match self {
            Client::Embedded(controller) => controller.failure(),
            Client::Remote(controller) => controller.failure(),
        }
    }

    /// Whether the controllers are other nodes.
    pub fn is_remote(&self) -> bool {
        matches!(self, Client::Remote(_))
    }

    /// Finds out what a remote controller serves, unless that takes long.
    pub async fn connect(&self) {
        if let Client::Remote(controller) = self {
            controller.connect().await;
        }
    }

    /// The versions that a remote controller serves; None if they are not known.
    pub fn ranges(&self) -> Option<Arc<Ranges>> {
        match self {
            Client::Embedded(_) => None,
            Client::Remote(controller) => controller.ranges(),
        }
    }

    /// Registers this broker and returns its epoch, the offset of its RegisterBrokerRecord.
    pub async fn register(&self, request: BrokerRegistrationRequest) -> Result<i64> {
        match self {
            Client::Embedded(controller) => {
                controller.submit(move |state| state.register_broker(&request)).await
            }
            Client::Remote(controller) => controller.register(request).await,
        }
    }

    /// Sends a heartbeat, and with it which log directories have failed or are cordoned.
    pub async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<BrokerStatus> {
        match self {
            Client::Embedded(controller) => {
                controller.submit(move |state| state.heartbeat(&heartbeat)).await
            }
            Client::Remote(controller) => controller.heartbeat(heartbeat).await,
        }
    }

    /// Changes the ISR of partitions that the broker leads.
    pub async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        version: i16,
    ) -> Result<AlterPartitionResponse> {
        match self {
            Client::Embedded(controller) => {
                let alter = move |state: &mut ControllerState| {
                    let outcome = state.view().alter_partition(&request, version)?;
                    Ok(state.conclude(outcome)?.0)
                };
                controller.submit(alter).await
            }
            Client::Remote(controller) => controller.alter_partition(request, version).await,
        }
    }

    /// Reports in which log directories a broker has placed its replicas.
    pub async fn assign_replicas(&self, request: AssignReplicasToDirsRequest) -> Result<()> {
        match self {
            Client::Embedded(controller) => {
                let assign = move |state: &mut ControllerState| {
                    let outcome = state.view().assign_replicas(&request)?;
                    state.conclude(outcome).map(drop)
                };
                controller.submit(assign).await
            }
            Client::Remote(controller) => controller.assign_replicas(request).await,
        }
    }

    /// Allocates a block of producer ids; returns (first id, number of ids).
    pub async fn allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        epoch: i64,
    ) -> Result<(i64, i32)> {
        match self {
            Client::Embedded(controller) => {
                controller.submit(move |state| state.allocate_producer_ids(broker_id, epoch)).await
            }
            Client::Remote(controller) => controller.allocate_producer_ids(broker_id, epoch).await,
        }
    }

    /// Creates topics as a CreateTopics request does. Returns the response and the offset of the
    /// last record written for it, -1 if there was none or it is not known.
    pub async fn create_topics(
        &self,
        by: Requester,
        topics: Vec<CreatableTopic>,
    ) -> Result<(CreateTopicsResponse, Offset)> {
        match self {
            Client::Embedded(controller) => {
                let request = CreateTopicsRequest::default().with_topics(topics);
                let create = move |state: &mut ControllerState| {
                    state.in_name_of(by, |state| state.change(|view| view.create_topics(&request)))
                };
                controller.submit(create).await
            }
            Client::Remote(controller) => Ok((controller.create_topics(by, topics).await?, -1)),
        }
    }

    /// Why `config`'s broker refuses some of the changes of settings that a request asks for, in
    /// their order. It asks a remote controller only for the others.
    pub fn refused_alterations(
        &self,
        request: &IncrementalAlterConfigsRequest,
        config: &Config,
    ) -> Vec<Option<Error>> {
        alter_configs::refusals(alter_configs::alterations(request), &self.image(), config)
    }

    /// As `refused_alterations`, for a request that replaces all settings of a resource.
    pub fn refused_replacements(
        &self,
        request: &AlterConfigsRequest,
        config: &Config,
    ) -> Vec<Option<Error>> {
        alter_configs::refusals(alter_configs::replacements(request), &self.image(), config)
    }

    /// Forwards a client's request. An embedded controller serves the APIs that `apis.rs` lists; any
    /// other is UNSUPPORTED_VERSION. An error concerns the request as a whole.
    pub async fn forward(&self, request: Forwarded) -> Result<Answer> {
        match self {
            Client::Embedded(controller) => {
                controller.submit(move |state| apis::forward(state, &request)).await
            }
            Client::Remote(controller) => controller.forward(request).await,
        }
    }
}

/// A queued request. The thread runs it, and then runs the returned closure once everything in its
/// group is durable (true) or is known to have failed (false).
pub(super) type Job = Box<dyn FnOnce(&mut ControllerState) -> Finish + Send>;
pub(super) type Finish = Box<dyn FnOnce(bool) + Send>;
pub(super) type Jobs = std::sync::mpsc::Receiver<Job>;

/// The embedded controller as its clients hold it.
#[derive(Debug)]
pub struct Embedded {
    /// None once nothing more is accepted.
    queue: Mutex<Option<std::sync::mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
    /// The newest committed image, set by the thread.
    pub(super) image: ArcSwap<Image>,
    /// See [`ControllerState::failed`].
    failed: watch::Receiver<Option<String>>,
}

impl Embedded {
    /// Also returns the thread's end of the queue.
    pub(super) fn new(
        image: Arc<Image>,
        failed: watch::Receiver<Option<String>>,
    ) -> (Arc<Embedded>, Jobs) {
        let (queue, jobs) = std::sync::mpsc::channel();
        let embedded = Embedded {
            queue: Mutex::new(Some(queue)),
            room: Arc::new(Semaphore::new(QUEUE_LENGTH)),
            image: ArcSwap::new(image),
            failed,
        };
        (Arc::new(embedded), jobs)
    }

    /// Stops accepting requests.
    pub(super) fn close(&self) {
        lock(&self.queue).take();
    }

    fn failure(&self) -> Option<String> {
        let is_running = self.failed.has_changed().is_ok();
        let why = self.failed.borrow().clone();
        why.or_else(|| (!is_running).then(|| Error::Closed.to_string()))
    }

    /// Runs `operation` in the thread and returns its result once what it appended is durable.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut ControllerState) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let room = self.room.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let job: Job = Box::new(move |state| {
            drop(room);
            let result = operation(state);
            Box::new(move |durable| {
                let result =
                    if durable { result } else { Err(ResponseError::KafkaStorageError.into()) };
                // The caller may have stopped waiting.
                let _ = sender.send(result);
            })
        });
        self.send(job)?;
        receiver.await.map_err(|_| Error::Closed)?
    }

    fn send(&self, job: Job) -> Result<()> {
        let queue = lock(&self.queue);
        queue.as_ref().and_then(|queue| queue.send(job).ok()).ok_or(Error::Closed)
    }
}
