//! The controller of a cluster as a broker reaches it: one of several other nodes, whichever is the
//! active one.
//!
//! ```text
//!  channel     a connection to the active controller, for one purpose
//!  envelope    a client's request, packed for the controller, and its answer
//! ```

mod channel;
mod envelope;
#[cfg(test)]
pub(crate) mod tests;

use self::channel::{Ask, Channel};
use super::brokers::{BrokerStatus, Heartbeat};
use super::envelope::{Answer, Forwarded, Requester};
use super::leader::Leader;
use crate::client::{Options, Ranges};
use crate::codec::messages::alter_partition_request::PartitionData;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::{
    AllocateProducerIdsRequest, AlterPartitionRequest, AlterPartitionResponse,
    AssignReplicasToDirsRequest, BrokerHeartbeatRequest, BrokerRegistrationRequest,
    CreateTopicsRequest, CreateTopicsResponse, EnvelopeRequest, EnvelopeResponse,
};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::{Image, features};
use crate::types::BrokerId;
use arc_swap::ArcSwap;
use kafka_protocol::ResponseError;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a request may wait for an active controller, with all attempts (BrokerServer).
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client may wait for topics that are created on the way, or for producer ids. If it
/// gets no answer by then, it asks again.
const ON_THE_WAY: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The active controller of a cluster.
///
/// Each purpose has its own connection, as in Kafka's broker, so that a heartbeat never waits for
/// another request.
#[derive(Debug)]
pub struct Remote {
    pub(super) image: Arc<ArcSwap<Image>>,
    failed: watch::Receiver<Option<String>>,
    /// How long a registration or heartbeat may take, `broker.heartbeat.interval.ms`: then the next
    /// one says more.
    beat: Duration,
    /// `request.timeout.ms`.
    request_timeout_ms: i32,
    heartbeats: Channel,
    forwarding: Channel,
    isr: Channel,
    assignments: Channel,
}

impl Remote {
    /// The active controller that `leader` names. `image` is kept up to date, and `failed` is set,
    /// by whoever follows the metadata log.
    pub fn new(
        config: &Config,
        leader: &watch::Receiver<Leader>,
        image: Arc<ArcSwap<Image>>,
        failed: watch::Receiver<Option<String>>,
    ) -> Arc<Remote> {
        let ms = |ms: i32| Duration::from_millis(ms.max(1).unsigned_abs().into());
        let beat = ms(config.broker_heartbeat_interval_ms);
        let socket_timeout = ms(config.controller_socket_timeout_ms);
        let channel = |request_timeout: Duration| {
            let options = Options {
                client_id: config.node_id.to_string(),
                request_timeout,
                max_in_flight: 1,
                max_answer_bytes: ANSWER_BYTES_MAX,
            };
            Channel::new(leader.clone(), options)
        };
        Arc::new(Remote {
            image,
            failed,
            beat,
            request_timeout_ms: config.request_timeout_ms,
            heartbeats: channel(socket_timeout.min(beat)),
            forwarding: channel(socket_timeout),
            isr: channel(socket_timeout),
            assignments: channel(socket_timeout),
        })
    }

    /// See [`super::Client::failure`].
    pub(super) fn failure(&self) -> Option<String> {
        let is_followed = self.failed.has_changed().is_ok();
        let why = self.failed.borrow().clone();
        why.or_else(|| (!is_followed).then(|| Error::Closed.to_string()))
    }

    /// Connects for forwarded requests before there are any; clients are told no versions then that
    /// the active controller does not serve.
    pub(super) async fn connect(&self) {
        self.forwarding.connect(self.beat).await;
    }

    /// The versions that the active controller serves, as far as they are known.
    pub(super) fn ranges(&self) -> Option<Arc<Ranges>> {
        self.forwarding.ranges()
    }

    pub(super) async fn register(&self, request: BrokerRegistrationRequest) -> Result<i64> {
        let ask = Ask::<BrokerRegistrationRequest, _> {
            versions: 0..=4,
            request: |_| request.clone(),
            error: |response| response.error_code,
            patience: self.beat,
        };
        Ok(self.heartbeats.ask(ask).await?.broker_epoch)
    }

    pub(super) async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<BrokerStatus> {
        let knows_cordoned = self.image.load().metadata_version() >= features::CORDONED_LOG_DIRS;
        let request = BrokerHeartbeatRequest::default()
            .with_broker_id(heartbeat.broker_id.into())
            .with_broker_epoch(heartbeat.broker_epoch)
            .with_current_metadata_offset(heartbeat.applied)
            .with_want_fence(heartbeat.want_fence)
            .with_want_shut_down(heartbeat.want_shut_down)
            .with_offline_log_dirs(heartbeat.offline);
        let cordoned = heartbeat.cordoned.filter(|_| knows_cordoned);
        let ask = Ask::<BrokerHeartbeatRequest, _> {
            versions: 1..=2,
            request: |version| {
                let cordoned = cordoned.clone().filter(|_| version >= 2);
                request.clone().with_cordoned_log_dirs(cordoned)
            },
            error: |response| response.error_code,
            patience: self.beat,
        };
        let response = self.heartbeats.ask(ask).await?;
        let (fenced, should_shut_down) = (response.is_fenced, response.should_shut_down);
        Ok(BrokerStatus { fenced, should_shut_down })
    }

    pub(super) async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        newest: i16,
    ) -> Result<AlterPartitionResponse> {
        let ask = Ask::<AlterPartitionRequest, _> {
            versions: 2..=newest,
            request: |version| match version {
                2 => without_epochs(request.clone()),
                _ => request.clone(),
            },
            error: |response| response.error_code,
            patience: PATIENCE,
        };
        self.isr.ask(ask).await
    }

    pub(super) async fn assign_replicas(&self, request: AssignReplicasToDirsRequest) -> Result<()> {
        let ask = Ask::<AssignReplicasToDirsRequest, _> {
            versions: 0..=0,
            request: |_| request.clone(),
            error: |response| response.error_code,
            patience: PATIENCE,
        };
        self.assignments.ask(ask).await.map(drop)
    }

    /// An error tells the client to try again, as in Kafka, whose broker answers so whenever it has
    /// no producer ids left.
    pub(super) async fn allocate_producer_ids(
        &self,
        id: BrokerId,
        epoch: i64,
    ) -> Result<(i64, i32)> {
        let request = AllocateProducerIdsRequest::default();
        let request = request.with_broker_id(id.into()).with_broker_epoch(epoch);
        let ask = Ask::<AllocateProducerIdsRequest, _> {
            versions: 0..=0,
            request: |_| request.clone(),
            error: |response| response.error_code,
            patience: ON_THE_WAY,
        };
        let response = self.forwarding.ask(ask).await.map_err(|error| {
            tracing::warn!(%error, "no producer ids from the controller");
            Error::Code(ResponseError::CoordinatorLoadInProgress)
        })?;
        Ok((response.producer_id_start.0, response.producer_id_len))
    }

    pub(super) async fn create_topics(
        &self,
        by: Requester,
        topics: Vec<CreatableTopic>,
    ) -> Result<CreateTopicsResponse> {
        let request = CreateTopicsRequest::default()
            .with_topics(topics)
            .with_timeout_ms(self.request_timeout_ms);
        const VERSIONS: RangeInclusive<i16> = 2..=7;
        if by.address.is_none() {
            let ask = Ask::<CreateTopicsRequest, _> {
                versions: VERSIONS,
                request: |_| request.clone(),
                error: |response| {
                    response
                        .topics
                        .iter()
                        .map(|topic| topic.error_code)
                        .find(is_elsewhere)
                        .unwrap_or(0)
                },
                patience: ON_THE_WAY,
            };
            return self.forwarding.ask(ask).await;
        }
        let version = *VERSIONS.end();
        let packed = envelope::pack(&by, envelope::frame(version, &request)?);
        let response = self.send(packed, ON_THE_WAY).await?;
        envelope::unpack::<CreateTopicsRequest>(version, response)
    }

    /// A client's request is passed on as it came.
    pub(super) async fn forward(&self, request: Forwarded) -> Result<Answer> {
        let version = request.request.version();
        let packed = envelope::pack(&request.by, request.request.frame());
        let response = self.send(packed, PATIENCE).await?;
        let body = envelope::open(request.api_key, version, response)?;
        // The answer does not say which record was the last. The client sees the change when the
        // broker has applied it.
        Ok(Answer { body, offset: -1 })
    }

    async fn send(&self, packed: EnvelopeRequest, patience: Duration) -> Result<EnvelopeResponse> {
        let ask = Ask::<EnvelopeRequest, _> {
            versions: 0..=0,
            request: |_| packed.clone(),
            error: |response| response.error_code,
            patience,
        };
        self.forwarding.ask(ask).await
    }
}

fn is_elsewhere(code: &i16) -> bool {
    *code == ResponseError::NotController.code()
}

/// Version 2 names the members of an ISR without their epochs.
fn without_epochs(mut request: AlterPartitionRequest) -> AlterPartitionRequest {
    let partitions = request.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    partitions.for_each(|partition: &mut PartitionData| {
        let isr = std::mem::take(&mut partition.new_isr_with_epochs);
        partition.new_isr = isr.into_iter().map(|member| member.broker_id).collect();
    });
    request
}
