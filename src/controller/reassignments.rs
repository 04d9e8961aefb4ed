//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455).

use super::placement::check_manual;
use super::view::{ControllerResult, MessageRoom, View, explained, text};
use crate::codec::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use crate::codec::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::codec::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use crate::codec::messages::{
    BrokerId as WireBrokerId, ListPartitionReassignmentsRequest, TopicName,
};
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{Partition, Topic};
use crate::types::BrokerId;
use kafka_protocol::ResponseError;

impl View<'_> {
    /// Starts or cancels reassignments of partitions; each succeeds or fails on its own.
    pub fn alter_reassignments(
        self,
        request: &AlterPartitionReassignmentsRequest,
    ) -> ControllerResult<AlterPartitionReassignmentsResponse> {
        let allow_factor_change = request.allow_replication_factor_change;
        let (mut records, mut responses) = (Vec::new(), Vec::new());
        let mut messages = MessageRoom::new();
        for topic in &request.topics {
            let known = self.image.topics.by_name(&topic.name).ok_or_else(|| {
                let message = format!("No topic is named {}", *topic.name);
                explained(ResponseError::UnknownTopicOrPartition, message)
            });
            let results = topic.partitions.iter().map(|partition| {
                let (code, message) = match &known {
                    Err(_) => messages.item_error(&known),
                    Ok(topic) => {
                        let altered =
                            self.alter_reassignment(topic, partition, allow_factor_change);
                        messages.item_error(&altered.map(|record| records.extend(record)))
                    }
                };
                ReassignablePartitionResponse::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code)
                    .with_error_message(message)
            });
            responses.push(
                ReassignableTopicResponse::default()
                    .with_partitions(results.collect())
                    .with_name(topic.name.clone()),
            );
        }
        let response = AlterPartitionReassignmentsResponse::default()
            .with_error_message(None)
            .with_allow_replication_factor_change(allow_factor_change)
            .with_responses(responses);
        ControllerResult { records, response }
    }

    fn alter_reassignment(
        self,
        topic: &Topic,
        target: &ReassignablePartition,
        allow_factor_change: bool,
    ) -> Result<Option<MetadataRecord>> {
        let index = target.partition_index;
        let partition = self.image.topics.partition(topic.id, index).ok_or_else(|| {
            let message = format!("Unable to find partition {}:{index}.", topic.name);
            explained(ResponseError::UnknownTopicOrPartition, message)
        })?;
        match &target.replicas {
            None => self.cancel(topic, index, partition),
            Some(replicas) => {
                let replicas: Vec<BrokerId> = replicas.iter().map(|id| id.0).collect();
                self.reassign(topic, index, partition, &replicas, allow_factor_change)
            }
        }
    }

    fn reassign(
        self,
        topic: &Topic,
        index: i32,
        partition: &Partition,
        target: &[BrokerId],
        allow_factor_change: bool,
    ) -> Result<Option<MetadataRecord>> {
        check_manual(self, target, None)?;
        let current = settled_replicas(partition);
        if !allow_factor_change && current != target.len() {
            return Err(explained(
                ResponseError::InvalidReplicationFactor,
                format!("The replication factor is changed from {current} to {}", target.len()),
            ));
        }
        let removing = difference(&partition.replicas, target);
        let adding = difference(target, &partition.replicas);
        let replicas = [target, &removing].concat();
        let may_lead = |id| self.is_active(id);
        Ok(self.change_partition(topic, index, partition, &may_lead, |change| {
            // As in Kafka, lists of the current reassignment remain where the new one has none.
            let keep = |new: Vec<BrokerId>, old: &Vec<BrokerId>| {
                if new.is_empty() { old.clone() } else { new }
            };
            let removing = keep(removing, &partition.removing_replicas);
            let adding = keep(adding, &partition.adding_replicas);
            change
                .election(super::partition_change::Election::Online)
                .replicas(replicas, removing, adding)
        }))
    }

    fn cancel(
        self,
        topic: &Topic,
        index: i32,
        partition: &Partition,
    ) -> Result<Option<MetadataRecord>> {
        if !partition.is_reassigning() {
            let message = format!("{}-{index} is not being reassigned", topic.name);
            return Err(explained(ResponseError::NoReassignmentInProgress, message));
        }
        let kept = |list: &[BrokerId]| -> Vec<BrokerId> {
            let new = &partition.adding_replicas;
            list.iter().copied().filter(|id| !new.contains(id)).collect()
        };
        let (replicas, mut isr) = (kept(&partition.replicas), kept(&partition.isr));
        if isr.is_empty() {
            let invalid =
                |message| Error::Explained(ResponseError::InvalidReplicaAssignment, message);
            let first = replicas.first().copied().ok_or_else(|| {
                invalid(format!("{}-{index} would have no replica left", topic.name))
            })?;
            if !self.unclean_election_enabled(&topic.name) {
                return Err(invalid(format!(
                    "{}-{index} would need a leader that may lack records; to allow that, set \
                     unclean.leader.election.enable for the topic",
                    topic.name
                )));
            }
            isr.push(first);
        }
        let may_lead = |id| self.is_active(id);
        Ok(self.change_partition(topic, index, partition, &may_lead, |change| {
            change.isr(isr).replicas(replicas, Vec::new(), Vec::new())
        }))
    }

    /// The reassignments in progress, of the given topics or of all.
    pub fn list_reassignments(
        self,
        request: &ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        let ongoing = |topic: &Topic, indexes: Vec<i32>| {
            let partitions: Vec<OngoingPartitionReassignment> = indexes
                .into_iter()
                .filter_map(|index| {
                    let partition = self.image.topics.partition(topic.id, index)?;
                    partition.is_reassigning().then(|| ongoing_partition(index, partition))
                })
                .collect();
            (!partitions.is_empty()).then(|| {
                OngoingTopicReassignment::default()
                    .with_name(TopicName(text(&*topic.name)))
                    .with_partitions(partitions)
            })
        };
        let topics = match &request.topics {
            None => self
                .image
                .topics
                .iter()
                .filter_map(|topic| ongoing(topic, (0..topic.partitions.len() as i32).collect()))
                .collect(),
            Some(asked) => asked
                .iter()
                .filter_map(|asked| {
                    let topic = self.image.topics.by_name(&asked.name)?;
                    ongoing(topic, asked.partition_indexes.clone())
                })
                .collect(),
        };
        ListPartitionReassignmentsResponse::default().with_error_message(None).with_topics(topics)
    }
}

/// The number of replicas a partition has, or will have once its reassignment is complete.
fn settled_replicas(partition: &Partition) -> usize {
    let gone = |id: &&BrokerId| partition.removing_replicas.contains(id);
    partition.replicas.len() - partition.replicas.iter().filter(gone).count()
}

/// The ids in `of` that are not in `without`, sorted.
fn difference(of: &[BrokerId], without: &[BrokerId]) -> Vec<BrokerId> {
    let mut left: Vec<BrokerId> = of.iter().copied().filter(|id| !without.contains(id)).collect();
    left.sort_unstable();
    left
}

fn ongoing_partition(index: i32, partition: &Partition) -> OngoingPartitionReassignment {
    let ids = |list: &[BrokerId]| list.iter().map(|&id| WireBrokerId(id)).collect();
    OngoingPartitionReassignment::default()
        .with_partition_index(index)
        .with_replicas(ids(&partition.replicas))
        .with_adding_replicas(ids(&partition.adding_replicas))
        .with_removing_replicas(ids(&partition.removing_replicas))
}
