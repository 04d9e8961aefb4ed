//! CreatePartitions (ReplicationControlManager.createPartitions).

use super::placement::{self, check_manual, new_partition, nobody_active, nobody_active_manually};
use super::view::{
    ControllerResult, RECORDS_PER_REQUEST_MAX, View, explained, item_error, too_large,
};
use crate::codec::messages::TopicName;
use crate::codec::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use crate::codec::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::Partition;
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;

impl View<'_> {
    /// Adds partitions to topics; each topic succeeds or fails on its own.
    pub fn create_partitions(
        self,
        request: &CreatePartitionsRequest,
    ) -> ControllerResult<CreatePartitionsResponse> {
        let mut times: BTreeMap<&TopicName, usize> = BTreeMap::new();
        for topic in &request.topics {
            *times.entry(&topic.name).or_default() += 1;
        }
        let duplicate = |(name, _): (&&TopicName, &usize)| {
            let message = "Duplicate topic name.";
            result(name, &Err(explained(ResponseError::InvalidRequest, message)))
        };
        let mut results: Vec<CreatePartitionsTopicResult> =
            times.iter().filter(|(_, times)| **times > 1).map(duplicate).collect();
        let mut records = Vec::new();
        for topic in request.topics.iter().filter(|topic| times[&topic.name] == 1) {
            results.push(result(&topic.name, &self.add_partitions(topic, &mut records)));
        }
        ControllerResult {
            records,
            response: CreatePartitionsResponse::default().with_results(results),
        }
        .unless(request.validate_only)
    }

    fn add_partitions(
        self,
        request: &CreatePartitionsTopic,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<()> {
        let topic = self.image.topics.by_name(&request.name);
        let topic = topic.ok_or(Error::Code(ResponseError::UnknownTopicOrPartition))?;
        let current = topic.partitions.len() as i32;
        let additional = additional(request, current)?;
        let factor = topic.partitions.front().map_or(1, |first| first.replicas.len());
        let partitions = match &request.assignments {
            Some(assignments) => self.assigned(assignments, current, factor)?,
            None => self.placed(additional, factor as i32)?,
        };
        let made = placement::records(topic.id, current, partitions);
        if records.len() + additional > RECORDS_PER_REQUEST_MAX {
            return Err(too_large());
        }
        records.extend(made);
        Ok(())
    }

    fn placed(self, additional: usize, factor: i32) -> Result<Vec<Partition>> {
        // Any larger number is refused anyway, so do not build that many first.
        placement::place(self, additional.min(RECORDS_PER_REQUEST_MAX + 1), factor)?
            .into_iter()
            .map(|replicas| new_partition(self, replicas).ok_or_else(|| nobody_active(factor)))
            .collect()
    }

    fn assigned(
        self,
        assignments: &[CreatePartitionsAssignment],
        first: i32,
        factor: usize,
    ) -> Result<Vec<Partition>> {
        (first..)
            .zip(assignments)
            .map(|(index, assignment)| {
                let replicas: Vec<i32> = assignment.broker_ids.iter().map(|id| id.0).collect();
                check_manual(self, &replicas, Some(factor))?;
                new_partition(self, replicas).ok_or_else(|| nobody_active_manually(index))
            })
            .collect()
    }
}

/// The number of partitions to add to the `current` ones.
fn additional(request: &CreatePartitionsTopic, current: i32) -> Result<usize> {
    let invalid = |message| Err(explained(ResponseError::InvalidPartitions, message));
    let (name, count) = (request.name.as_str(), request.count);
    if count == current {
        return invalid(format!("Topic already has {current} partition(s)."));
    }
    if count < current {
        return invalid(format!(
            "The topic {name} currently has {current} partition(s); {count} would not be an \
             increase."
        ));
    }
    let additional = (count - current) as usize;
    match &request.assignments {
        Some(given) if given.len() != additional => Err(explained(
            ResponseError::InvalidReplicaAssignment,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) \
                 were specified.",
                given.len()
            ),
        )),
        _ => Ok(additional),
    }
}

fn result(name: &TopicName, result: &Result<()>) -> CreatePartitionsTopicResult {
    let (code, message) = item_error(result);
    CreatePartitionsTopicResult::default()
        .with_name(name.clone())
        .with_error_code(code)
        .with_error_message(message)
}
