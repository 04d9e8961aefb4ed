//! CreateTopics (ReplicationControlManager.createTopics, ControllerApis.createTopics).

use super::configs::{self, Operation};
use super::metadata_log::TOPIC_NAME as METADATA_TOPIC_NAME;
use super::placement::{self, check_manual, new_partition, nobody_active};
use super::view::{
    ControllerResult, RECORDS_PER_REQUEST_MAX, View, explained, item_error, too_large,
};
use crate::codec::messages::TopicName;
use crate::codec::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::codec::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use crate::codec::schema::metadata::TopicRecord;
use crate::error::Result;
use crate::metadata::TOPIC_CONFIG;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{Partition, reason_invalid};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;
use uuid::Uuid;

/// In the result of a topic that was not created: the number of partitions or replicas.
const UNKNOWN_COUNT: i32 = -1;

impl View<'_> {
    /// Creates topics; each succeeds or fails on its own.
    pub fn create_topics(
        self,
        request: &CreateTopicsRequest,
    ) -> ControllerResult<CreateTopicsResponse> {
        let mut times: BTreeMap<&TopicName, usize> = BTreeMap::new();
        for topic in &request.topics {
            *times.entry(&topic.name).or_default() += 1;
        }
        let (mut records, mut results) = (Vec::new(), Vec::new());
        let too_many = self.check_count(request);
        for topic in &request.topics {
            let prohibited = topic.name.as_str() == METADATA_TOPIC_NAME;
            if times[&topic.name] > 1 || prohibited {
                continue;
            }
            let created = match &too_many {
                Err(error) => Err(explained(error.code(), error.message().unwrap_or_default())),
                Ok(()) => self.create_topic(topic, &mut records),
            };
            results.push(created.unwrap_or_else(|error| failed(&topic.name, &Err(error))));
        }
        results.extend(refused(&times));
        ControllerResult { records, response: CreateTopicsResponse::default().with_topics(results) }
            .unless(request.validate_only)
    }

    /// Refuses, before building anything, more partitions than one batch of records may hold.
    fn check_count(self, request: &CreateTopicsRequest) -> Result<()> {
        let count = |topic: &CreatableTopic| match topic.num_partitions {
            _ if !topic.assignments.is_empty() => topic.assignments.len(),
            -1 => self.config.num_partitions as usize,
            count => count.max(0) as usize,
        };
        if request.topics.iter().map(count).sum::<usize>() > RECORDS_PER_REQUEST_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    fn create_topic(
        self,
        topic: &CreatableTopic,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<CreatableTopicResult> {
        self.check_name(topic.name.as_str())?;
        let config_records = self.creation_configs(topic)?;
        let partitions = self.new_partitions(topic)?;
        let topic_id = random_topic_id();
        let replication_factor = partitions.first().map_or(-1, |first| first.replicas.len() as i16);
        let result = CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic_id)
            .with_error_message(None)
            .with_num_partitions(partitions.len() as i32)
            .with_replication_factor(replication_factor)
            .with_configs(Some(configs::created_topic_configs(self, &topic.configs)));
        let mut made =
            vec![MetadataRecord::Topic(TopicRecord { name: topic.name.to_string(), topic_id })];
        made.extend(config_records);
        made.extend(placement::records(topic_id, 0, partitions));
        if records.len() + made.len() > RECORDS_PER_REQUEST_MAX {
            return Err(too_large());
        }
        records.extend(made);
        Ok(result)
    }

    fn check_name(self, name: &str) -> Result<()> {
        let invalid = |message| Err(explained(ResponseError::InvalidTopicException, message));
        if self.image.topics.by_name(name).is_some() {
            return Err(explained(
                ResponseError::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        if let Some(reason) = reason_invalid(name) {
            return invalid(format!("Topic name is invalid: {reason}"));
        }
        match self.image.topics.colliding_with(name) {
            Some(other) => invalid(format!("Topic '{name}' collides with existing topic: {other}")),
            None => Ok(()),
        }
    }

    fn creation_configs(self, topic: &CreatableTopic) -> Result<Vec<MetadataRecord>> {
        let missing: Vec<&str> = topic
            .configs
            .iter()
            .filter(|config| config.value.is_none())
            .map(|config| config.name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(explained(
                ResponseError::InvalidConfig,
                format!("Null value not supported for topic configs: {}", missing.join(",")),
            ));
        }
        let operations: BTreeMap<String, Operation> = topic
            .configs
            .iter()
            .filter_map(|config| {
                let value = config.value.as_ref()?.to_string();
                Some((config.name.to_string(), Operation::Set(value)))
            })
            .collect();
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let resource = (TOPIC_CONFIG, topic.name.to_string());
        let mut records = self.alter_resource(&resource, &operations, true)?;
        records.extend(self.clear_elr_records(&records));
        Ok(records)
    }

    fn new_partitions(self, topic: &CreatableTopic) -> Result<Vec<Partition>> {
        if !topic.assignments.is_empty() {
            return self.assigned_partitions(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(explained(
                ResponseError::InvalidReplicationFactor,
                format!(
                    "{} is no number of replicas; -1 takes default.replication.factor",
                    topic.replication_factor
                ),
            ));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            return Err(explained(
                ResponseError::InvalidPartitions,
                format!(
                    "{} is no number of partitions; -1 takes num.partitions",
                    topic.num_partitions
                ),
            ));
        }
        let or_default = |value: i32, default: i32| if value == -1 { default } else { value };
        let count = or_default(topic.num_partitions, self.config.num_partitions) as usize;
        let factor = i32::from(topic.replication_factor);
        let factor = or_default(factor, self.config.default_replication_factor);
        placement::place(self, count, factor)?
            .into_iter()
            .map(|replicas| new_partition(self, replicas).ok_or_else(|| nobody_active(factor)))
            .collect()
    }

    fn assigned_partitions(self, topic: &CreatableTopic) -> Result<Vec<Partition>> {
        let unless = |condition: bool, what: &str| {
            if condition {
                return Ok(());
            }
            Err(explained(
                ResponseError::InvalidRequest,
                format!("The replicas are assigned already; leave {what} at -1"),
            ))
        };
        unless(topic.replication_factor == -1, "the replication factor")?;
        unless(topic.num_partitions == -1, "the number of partitions")?;
        let invalid = |message| explained(ResponseError::InvalidReplicaAssignment, message);
        let mut partitions: BTreeMap<i32, Partition> = BTreeMap::new();
        let mut factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if partitions.contains_key(&index) {
                return Err(invalid(format!("Partition {index} is assigned twice")));
            }
            let replicas: Vec<i32> = assignment.broker_ids.iter().map(|id| id.0).collect();
            check_manual(self, &replicas, factor)?;
            factor = Some(replicas.len());
            let partition = new_partition(self, replicas);
            let partition = partition.ok_or_else(|| placement::nobody_active_manually(index))?;
            partitions.insert(index, partition);
        }
        if (0..).zip(partitions.keys()).any(|(expected, index)| expected != *index) {
            // Kafka's own tests compare this sentence.
            let message = "partitions should be a consecutive 0-based integer sequence";
            return Err(invalid(message.to_owned()));
        }
        Ok(partitions.into_values().collect())
    }
}

/// The results for duplicate names and for the metadata topic, which nobody may create.
fn refused(times: &BTreeMap<&TopicName, usize>) -> Vec<CreatableTopicResult> {
    let prohibited = format!("Creation of internal topic {METADATA_TOPIC_NAME} is prohibited.");
    let refusal = |(name, times): (&&TopicName, &usize)| {
        let message = match *times {
            1 if name.as_str() == METADATA_TOPIC_NAME => prohibited.as_str(),
            1 => return None,
            _ => "Duplicate topic name.",
        };
        Some(failed(name, &Err(explained(ResponseError::InvalidRequest, message))))
    };
    times.iter().filter_map(refusal).collect()
}

fn failed(name: &TopicName, result: &Result<()>) -> CreatableTopicResult {
    let (code, message) = item_error(result);
    CreatableTopicResult::default()
        .with_name(name.clone())
        .with_error_code(code)
        .with_error_message(message)
        .with_num_partitions(UNKNOWN_COUNT)
        .with_replication_factor(UNKNOWN_COUNT as i16)
        .with_configs(Some(Vec::new()))
}

/// A random topic id, avoiding those that Kafka reserves and those whose text begins with `-`
/// (Uuid.randomUuid).
pub(super) fn random_topic_id() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if id.as_u128() > 100 && !crate::types::uuid_to_text(id).starts_with('-') {
            return id;
        }
    }
}
