//! What a request is validated against, and what comes of it.

use super::partition_change::{Election, PartitionChange, Surroundings};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::features;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{Partition, Topic, UNASSIGNED_DIRECTORY};
use crate::metadata::{Broker, Image, TOPIC_CONFIG};
use crate::types::BrokerId;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// The most records that one request may come to (QuorumController.MAX_RECORDS_PER_USER_OP).
pub(super) const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// The records that a request comes to, which count together, and its answer.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    pub records: Vec<MetadataRecord>,
    pub response: T,
}

impl<T> Outcome<T> {
    /// An answer without any change.
    pub fn unchanged(response: T) -> Outcome<T> {
        Outcome { records: Vec::new(), response }
    }

    /// The records only if the request was more than a question (`validate_only`).
    pub fn unless(mut self, validate_only: bool) -> Outcome<T> {
        if validate_only {
            self.records.clear();
        }
        self
    }
}

/// A failure in Kafka's words.
pub(super) fn explained(code: ResponseError, message: impl Into<String>) -> Error {
    Error::Explained(code, message.into())
}

/// A string of a response.
pub(super) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// Error code and message of one item of a response.
pub(super) fn item_error<T>(result: &Result<T>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(_) => (0, None),
        Err(error) => (error.code().code(), error.message().map(text)),
    }
}

/// So many bytes of explanations are in one answer.
const TOLD_BYTES_MAX: usize = 1024 * 1024;

/// What was told of the items of one answer. A sentence about each of very many partitions would
/// make the answer many times as long as the request; past a point their codes must do.
#[derive(Debug)]
pub(super) struct Told {
    left: usize,
}

impl Told {
    /// Nothing yet.
    pub fn new() -> Told {
        Told { left: TOLD_BYTES_MAX }
    }

    /// As `item_error`, without the message when there is no room for it.
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

/// The state that a request meets.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub image: &'a Image,
    /// With what the metadata log says on top.
    pub config: &'a Config,
}

impl<'a> View<'a> {
    /// A broker that is registered, whatever its state.
    pub fn broker(self, id: BrokerId) -> Option<&'a Broker> {
        self.image.brokers.get(&id).map(|broker| &**broker)
    }

    /// Registered, unfenced and not shutting down.
    pub fn is_active(self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(Broker::is_active)
    }

    /// Checks that a broker's request comes from its latest registration.
    pub fn check_broker_epoch(self, id: BrokerId, epoch: i64) -> Result<&'a Broker> {
        let stale = |message| explained(ResponseError::StaleBrokerEpoch, message);
        let broker = self
            .broker(id)
            .ok_or_else(|| stale(format!("No broker registration found for broker id {id}")))?;
        if broker.epoch != epoch {
            let expected = broker.epoch;
            return Err(stale(format!(
                "Expected broker epoch {expected}, but got broker epoch {epoch}"
            )));
        }
        Ok(broker)
    }

    /// The directory of a new replica on this broker.
    pub fn default_dir(self, id: BrokerId) -> Uuid {
        self.broker(id).map_or(UNASSIGNED_DIRECTORY, Broker::default_dir)
    }

    /// `min.insync.replicas` of a topic, at most its number of replicas.
    pub fn min_isr(self, topic: &Topic) -> usize {
        let configs = self.image.configs_of(TOPIC_CONFIG, &topic.name);
        let set = configs.get("min.insync.replicas").and_then(|value| value.trim().parse().ok());
        let replicas = topic.partitions.front().map_or(1, |first| first.replicas.len());
        set.unwrap_or(self.config.min_insync_replicas as usize).min(replicas)
    }

    /// `unclean.leader.election.enable` of a topic.
    pub fn unclean_election_enabled(self, topic: &str) -> bool {
        let configs = self.image.configs_of(TOPIC_CONFIG, topic);
        let set = configs.get("unclean.leader.election.enable");
        set.map_or(self.config.unclean_leader_election_enable, |value| {
            value.trim().eq_ignore_ascii_case("true")
        })
    }

    /// Changes a partition by `change`, with elections by those brokers whom `may_lead` names.
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

/// All partitions of all topics, with what names them.
pub(super) fn all_partitions(image: &Image) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
    image.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter().zip(0..);
        partitions.map(move |(partition, id)| (&**topic, id, &**partition))
    })
}
