//! The state that requests are validated against, and their outcomes.

use super::partition_change::{Election, PartitionChange, Surroundings};
use crate::codec::messages::StrBytes;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::features;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{Partition, Topic, UNASSIGNED_DIRECTORY};
use crate::metadata::{Broker, Image, TOPIC_CONFIG};
use crate::types::BrokerId;
use kafka_protocol::ResponseError;
use uuid::Uuid;

/// The most records that one request may lead to (QuorumController.MAX_RECORDS_PER_USER_OP).
pub(super) const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// The outcome of a request: records to be committed atomically, and the response.
#[derive(Debug)]
pub(super) struct ControllerResult<T> {
    pub records: Vec<MetadataRecord>,
    pub response: T,
}

impl<T> ControllerResult<T> {
    /// A response without any change.
    pub fn unchanged(response: T) -> ControllerResult<T> {
        ControllerResult { records: Vec::new(), response }
    }

    /// Drops the records if the request only asked for validation.
    pub fn unless(mut self, validate_only: bool) -> ControllerResult<T> {
        if validate_only {
            self.records.clear();
        }
        self
    }
}

/// An error with a message in Kafka's words.
pub(super) fn explained(code: ResponseError, message: impl Into<String>) -> Error {
    Error::Explained(code, message.into())
}

/// A string for a response.
pub(super) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// The error when a request would write more records than fit in one batch.
pub(super) fn too_large() -> Error {
    explained(
        ResponseError::PolicyViolation,
        format!(
            "The request has too many partitions and settings; divide it into requests that \
             write at most {RECORDS_PER_REQUEST_MAX} records"
        ),
    )
}

/// Error code and message for one item of a response.
pub(super) fn item_error<T>(result: &Result<T>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(_) => (0, None),
        Err(error) => (error.code().code(), error.message().map(text)),
    }
}

/// The most bytes of error messages in one response.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The remaining room for error messages in one response. A message for each of very many
/// partitions would make the response many times as long as the request, so later ones get their
/// code only.
#[derive(Debug)]
pub(super) struct MessageRoom {
    left: usize,
}

impl MessageRoom {
    pub fn new() -> MessageRoom {
        MessageRoom { left: MESSAGE_BYTES_MAX }
    }

    /// As the function `item_error`, but without the message if there is no room for it.
    pub fn item_error<T>(&mut self, result: &Result<T>) -> (i16, Option<StrBytes>) {
        let (code, message) = match result {
            Err(error) if self.left == 0 => (error.code().code(), None),
            other => item_error(other),
        };
        let length = message.as_ref().map_or(0, |message| message.len());
        let has_room = length <= self.left;
        self.left = self.left.saturating_sub(length);
        (code, message.filter(|_| has_room))
    }
}

/// The state that a request is validated against.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub image: &'a Image,
    /// The settings in the file, overridden by those in the metadata log.
    pub config: &'a Config,
}

impl<'a> View<'a> {
    /// A registered broker, whatever its state.
    pub fn broker(self, id: BrokerId) -> Option<&'a Broker> {
        self.image.brokers.get(&id).map(|broker| &**broker)
    }

    /// Whether the broker is registered, unfenced and not shutting down.
    pub fn is_active(self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(Broker::is_active)
    }

    /// Checks that a request comes from the broker's latest registration.
    pub fn check_broker_epoch(self, id: BrokerId, epoch: i64) -> Result<&'a Broker> {
        let stale = |message| explained(ResponseError::StaleBrokerEpoch, message);
        let broker =
            self.broker(id).ok_or_else(|| stale(format!("Broker {id} is not registered")))?;
        if broker.epoch != epoch {
            let latest = broker.epoch;
            return Err(stale(format!("Broker {id} has epoch {latest}, not {epoch}")));
        }
        Ok(broker)
    }

    /// The log directory for a new replica on this broker.
    pub fn default_dir(self, id: BrokerId) -> Uuid {
        self.broker(id).map_or(UNASSIGNED_DIRECTORY, Broker::default_dir)
    }

    /// The topic's `min.insync.replicas`, capped at its number of replicas.
    pub fn min_isr(self, topic: &Topic) -> usize {
        let configs = self.image.configs_of(TOPIC_CONFIG, &topic.name);
        let set = configs.get("min.insync.replicas").and_then(|value| value.trim().parse().ok());
        let replicas = topic.partitions.front().map_or(1, |first| first.replicas.len());
        set.unwrap_or(self.config.min_insync_replicas as usize).min(replicas)
    }

    /// The topic's `unclean.leader.election.enable`.
    pub fn unclean_election_enabled(self, topic: &str) -> bool {
        let configs = self.image.configs_of(TOPIC_CONFIG, topic);
        let set = configs.get("unclean.leader.election.enable");
        set.map_or(self.config.unclean_leader_election_enable, |value| {
            value.trim().eq_ignore_ascii_case("true")
        })
    }

    /// Builds the record of a change to a partition. Only brokers accepted by `may_lead` can be
    /// elected.
    pub fn change_partition(
        self,
        topic: &Topic,
        partition_id: i32,
        partition: &Partition,
        may_lead: &dyn Fn(BrokerId) -> bool,
        change: impl for<'c> FnOnce(PartitionChange<'c>) -> PartitionChange<'c>,
    ) -> Option<MetadataRecord> {
        let acceptable = |id: BrokerId| {
            let directory = partition.directory_of(id).unwrap_or(UNASSIGNED_DIRECTORY);
            may_lead(id) && self.broker(id).is_some_and(|broker| broker.has_online_dir(directory))
        };
        let around = Surroundings {
            acceptable: &acceptable,
            default_dir: &|id| self.default_dir(id),
            min_isr: self.min_isr(topic),
            elr_enabled: self.image.elr_enabled(),
            shrinking_makes_epoch: self.image.metadata_version()
                < features::EPOCH_SURVIVES_SHRINKING,
        };
        let start = PartitionChange::new(topic.id, partition_id, partition, &around);
        let election = if self.unclean_election_enabled(&topic.name) {
            Election::Unclean
        } else {
            Election::Online
        };
        change(start.election(election)).build()
    }
}

/// All partitions of all topics, as (topic, partition id, partition).
pub(super) fn all_partitions(image: &Image) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
    image.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter().zip(0..);
        partitions.map(move |(partition, id)| (&**topic, id, &**partition))
    })
}
