//! ElectLeaders (ReplicationControlManager.electLeaders).

use super::partition_change::Election;
use super::view::{ControllerResult, MessageRoom, View, explained, item_error, text};
use crate::codec::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::codec::messages::elect_leaders_response::{
    ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use crate::codec::messages::{StrBytes, TopicName};
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::Topic;
use kafka_protocol::ResponseError;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

impl View<'_> {
    /// Elects preferred leaders, or any available leaders (unclean).
    pub fn elect_leaders(
        self,
        request: &ElectLeadersRequest,
    ) -> ControllerResult<ElectLeadersResponse> {
        let election = match request.election_type {
            PREFERRED => Election::Preferred,
            UNCLEAN => Election::Unclean,
            other => return ControllerResult::unchanged(unknown_type(request, other)),
        };
        let (mut records, mut messages) = (Vec::new(), MessageRoom::new());
        let all = request.topic_partitions.is_none();
        let asked = request.topic_partitions.clone().unwrap_or_else(|| self.all_topics());
        let elect = |named: &TopicPartitions| {
            let topic = self.named(&named.topic);
            let results = named.partitions.iter().filter_map(|&index| match &topic {
                Ok(topic) => {
                    let elected = self.elect_leader(topic, index, election, &mut records);
                    let needless = |error: &Error| error.code() == ResponseError::ElectionNotNeeded;
                    // If all partitions were requested, those that needed no election are left out.
                    let silent = all && elected.as_ref().is_err_and(needless);
                    (!silent).then(|| partition_result(index, messages.item_error(&elected)))
                }
                Err(_) => Some(partition_result(index, messages.item_error(&topic))),
            });
            ReplicaElectionResult::default()
                .with_topic(named.topic.clone())
                .with_partition_result(results.collect())
        };
        let results = asked.iter().map(elect).collect();
        let response = ElectLeadersResponse::default().with_replica_election_results(results);
        ControllerResult { records, response }
    }

    fn all_topics(self) -> Vec<TopicPartitions> {
        let topics = self.image.topics.iter().map(|topic| {
            TopicPartitions::default()
                .with_topic(TopicName(text(&*topic.name)))
                .with_partitions((0..topic.partitions.len() as i32).collect())
        });
        topics.collect()
    }

    fn named(&self, name: &str) -> Result<&Topic> {
        self.image.topics.by_name(name).map(|topic| &**topic).ok_or_else(|| {
            let message = format!("No such topic as {name}");
            explained(ResponseError::UnknownTopicOrPartition, message)
        })
    }

    fn elect_leader(
        self,
        topic: &Topic,
        index: i32,
        election: Election,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<()> {
        let partition = self.image.topics.partition(topic.id, index).ok_or_else(|| {
            let message = format!("No such partition as {}-{index}", topic.name);
            explained(ResponseError::UnknownTopicOrPartition, message)
        })?;
        let has_preferred = partition.replicas.first() == Some(&partition.leader);
        let has_leader = partition.leader >= 0;
        let preferred = election == Election::Preferred;
        if if preferred { has_preferred } else { has_leader } {
            let message = format!("{}-{index} has its leader already", topic.name);
            return Err(explained(ResponseError::ElectionNotNeeded, message));
        }
        let may_lead = |id| self.is_active(id);
        let record = self.change_partition(topic, index, partition, &may_lead, |change| {
            change.election(election)
        });
        let record = record.ok_or_else(|| {
            if preferred {
                Error::Code(ResponseError::PreferredLeaderNotAvailable)
            } else {
                let message = format!("No replica of {}-{index} may lead now", topic.name);
                explained(ResponseError::EligibleLeadersNotAvailable, message)
            }
        })?;
        records.push(record);
        Ok(())
    }
}

fn partition_result(index: i32, error: (i16, Option<StrBytes>)) -> PartitionResult {
    let (code, message) = error;
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(code)
        .with_error_message(message)
}

fn unknown_type(request: &ElectLeadersRequest, election_type: i8) -> ElectLeadersResponse {
    let message = format!("Unknown election type {election_type}");
    let error = item_error::<()>(&Err(explained(ResponseError::InvalidRequest, message)));
    let topics = request.topic_partitions.iter().flatten().map(|topic| {
        let results = topic.partitions.iter().map(|&index| partition_result(index, error.clone()));
        ReplicaElectionResult::default()
            .with_topic(topic.topic.clone())
            .with_partition_result(results.collect())
    });
    ElectLeadersResponse::default()
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_replica_election_results(topics.collect())
}
