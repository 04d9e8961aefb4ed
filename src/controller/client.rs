//! The way to the controller, and all waiting for it: the rest of the module is synchronous.

use super::apis;
use super::brokers::Heartbeat;
use super::state::State;
use crate::codec::Checked;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::types::{BrokerId, Offset};
use arc_swap::ArcSwap;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    AlterPartitionRequest, AlterPartitionResponse, AssignReplicasToDirsRequest,
    BrokerRegistrationRequest,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot, watch};

/// Requests that may wait for the controller's thread; more wait for their turn to wait.
const QUEUE_LENGTH: usize = 1000;

/// A client's request that the controller answers, as it came (Envelope's content).
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Which API.
    pub api_key: i16,
    /// The request, which only the controller decodes.
    pub request: Checked,
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

/// The way to the controller, wherever it is: what everyone holds who changes metadata.
///
/// It is an enum although it has one variant, because there will be two and no third: `Remote`, of
/// a process that is only a broker, will send the same requests to the quorum's leader through
/// [`crate::client`], and belongs here. Each method then has a line for each, and the compiler
/// names those that do not.
#[derive(Clone, Debug)]
pub enum Client {
    /// The controller is a thread of this process.
    Embedded(Arc<Embedded>),
}

impl Client {
    /// The newest committed image.
    pub fn image(&self) -> Arc<Image> {
        let Client::Embedded(controller) = self;
        controller.image.load_full()
    }

    /// An error says that the metadata log is lost to us, so that the broker must stop.
    pub fn check(&self) -> Result<()> {
        let Client::Embedded(controller) = self;
        controller.check()
    }

    /// Registers this broker; answers its epoch (the offset of its RegisterBrokerRecord).
    pub async fn register(&self, request: BrokerRegistrationRequest) -> Result<i64> {
        let Client::Embedded(controller) = self;
        controller.submit(move |state| state.register_broker(&request)).await
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
        let Client::Embedded(controller) = self;
        let heartbeat = Heartbeat { broker_id, broker_epoch, applied, want_fence, want_shut_down };
        let status = controller.submit(move |state| state.heartbeat(heartbeat)).await?;
        Ok((status.fenced, status.should_shut_down))
    }

    /// Changes the ISR of partitions that the broker leads.
    pub async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        version: i16,
    ) -> Result<AlterPartitionResponse> {
        let Client::Embedded(controller) = self;
        let alter = move |state: &mut State| {
            let outcome = state.view().alter_partition(&request, version)?;
            Ok(state.conclude(outcome)?.0)
        };
        controller.submit(alter).await
    }

    /// Tells which log directories of a broker take no new partitions.
    pub async fn cordon_directories(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        cordoned: Vec<uuid::Uuid>,
    ) -> Result<()> {
        let Client::Embedded(controller) = self;
        let cordon =
            move |state: &mut State| state.cordon_directories(broker_id, broker_epoch, &cordoned);
        controller.submit(cordon).await
    }

    /// Tells that log directories of a broker have failed.
    pub async fn lose_directories(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        failed: Vec<uuid::Uuid>,
    ) -> Result<()> {
        let Client::Embedded(controller) = self;
        let lose =
            move |state: &mut State| state.lose_directories(broker_id, broker_epoch, &failed);
        controller.submit(lose).await
    }

    /// Tells in which log directories a broker has put its replicas.
    pub async fn assign_replicas(&self, request: AssignReplicasToDirsRequest) -> Result<()> {
        let Client::Embedded(controller) = self;
        let assign = move |state: &mut State| {
            let outcome = state.view().assign_replicas(&request)?;
            state.conclude(outcome).map(drop)
        };
        controller.submit(assign).await
    }

    /// A block of producer ids: (first, count).
    pub async fn allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        epoch: i64,
    ) -> Result<(i64, i32)> {
        let Client::Embedded(controller) = self;
        controller.submit(move |state| state.allocate_producer_ids(broker_id, epoch)).await
    }

    /// Passes a client's request on (`apis.rs` says which); other APIs are UNSUPPORTED_VERSION. An
    /// error is one of the whole request.
    pub async fn forward(&self, request: Forwarded) -> Result<Answer> {
        let Client::Embedded(controller) = self;
        controller.submit(move |state| apis::forward(state, &request)).await
    }
}

/// What waits for the thread: it is run, and the rest of it when all of its group is durable
/// (true) or will never be (false).
pub(super) type Job = Box<dyn FnOnce(&mut State) -> Finish + Send>;
pub(super) type Finish = Box<dyn FnOnce(bool) + Send>;
pub(super) type Jobs = std::sync::mpsc::Receiver<Job>;

/// The clients' side of the embedded controller.
#[derive(Debug)]
pub struct Embedded {
    /// None when nothing more is accepted.
    queue: Mutex<Option<std::sync::mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
    /// The newest committed image, which the thread puts here.
    pub(super) image: ArcSwap<Image>,
    /// The disk failed, and nothing is accepted any more. Its sender goes with the thread.
    failed: watch::Receiver<bool>,
}

impl Embedded {
    /// With the end of the queue that is the thread's.
    pub(super) fn new(image: Arc<Image>, failed: watch::Receiver<bool>) -> (Arc<Embedded>, Jobs) {
        let (queue, jobs) = std::sync::mpsc::channel();
        let embedded = Embedded {
            queue: Mutex::new(Some(queue)),
            room: Arc::new(Semaphore::new(QUEUE_LENGTH)),
            image: ArcSwap::new(image),
            failed,
        };
        (Arc::new(embedded), jobs)
    }

    /// Accepts nothing more.
    pub(super) fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn check(&self) -> Result<()> {
        let is_running = self.failed.has_changed().is_ok();
        match *self.failed.borrow() {
            true => Err(ResponseError::KafkaStorageError.into()),
            false if is_running => Ok(()),
            false => Err(Error::Closed),
        }
    }

    /// Runs `operation` in the thread; answers once what it appended is durable.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let room = self.room.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let job: Job = Box::new(move |state| {
            drop(room);
            let result = operation(state);
            Box::new(move |durable| {
                let result =
                    if durable { result } else { Err(ResponseError::KafkaStorageError.into()) };
                // Who asked may have gone.
                let _ = sender.send(result);
            })
        });
        self.send(job)?;
        receiver.await.map_err(|_| Error::Closed)?
    }

    fn send(&self, job: Job) -> Result<()> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().and_then(|queue| queue.send(job).ok()).ok_or(Error::Closed)
    }
}
