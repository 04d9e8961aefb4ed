//! ElectLeaders (ReplicationControlManager.electLeaders).

use super::super::record::MetadataRecord;
use super::partition_change::Election;
use super::view::{Outcome, View, explained, item_error, text};
use crate::error::Result;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use kafka_protocol::messages::elect_leaders_response::{
    ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

impl View<'_> {
    /// Elects preferred leaders, or leaders at any price.
    pub fn elect_leaders(self, request: &ElectLeadersRequest) -> Outcome<ElectLeadersResponse> {
        let election = match request.election_type {
            PREFERRED => Election::Preferred,
            UNCLEAN => Election::Unclean,
            other => return Outcome::unchanged(unknown_type(request, other)),
        };
        let mut records = Vec::new();
        let all = request.topic_partitions.is_none();
        let asked = request.topic_partitions.clone().unwrap_or_else(|| self.all_topics());
        let elect = |topic: &TopicPartitions| {
            let results = topic.partitions.iter().filter_map(|&index| {
                let elected = self.elect_leader(&topic.topic, index, election, &mut records);
                let needless =
                    |error: &crate::error::Error| error.code() == ResponseError::ElectionNotNeeded;
                // Who asks for everything is not told of what was right before.
                let silent = all && elected.as_ref().is_err_and(needless);
                (!silent).then(|| partition_result(index, &elected))
            });
            ReplicaElectionResult::default()
                .with_topic(topic.topic.clone())
                .with_partition_result(results.collect())
        };
        let results = asked.iter().map(elect).collect();
        let response = ElectLeadersResponse::default().with_replica_election_results(results);
        Outcome { records, response }
    }

    fn all_topics(self) -> Vec<TopicPartitions> {
        let topics = self.image.topics.iter().map(|topic| {
            TopicPartitions::default()
                .with_topic(TopicName(text(&*topic.name)))
                .with_partitions((0..topic.partitions.len() as i32).collect())
        });
        topics.collect()
    }

    fn elect_leader(
        self,
        name: &str,
        index: i32,
        election: Election,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<()> {
        let unknown = |message| explained(ResponseError::UnknownTopicOrPartition, message);
        let topic = self.image.topics.by_name(name);
        let topic = topic.ok_or_else(|| unknown(format!("No such topic as {name}")))?;
        let partition = self.image.topics.partition(topic.id, index);
        let partition =
            partition.ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
        let has_preferred = partition.replicas.first() == Some(&partition.leader);
        let has_leader = partition.leader >= 0;
        let preferred = election == Election::Preferred;
        if if preferred { has_preferred } else { has_leader } {
            let message = "Leader election not needed for topic partition.";
            return Err(explained(ResponseError::ElectionNotNeeded, message));
        }
        let may_lead = |id| self.is_active(id);
        let record = self.change_partition(topic, index, partition, &may_lead, |change| {
            change.election(election)
        });
        let record = record.ok_or_else(|| {
            if preferred {
                let message = "The preferred leader was not available.";
                explained(ResponseError::PreferredLeaderNotAvailable, message)
            } else {
                let message = "Eligible topic partition leaders are not available.";
                explained(ResponseError::EligibleLeadersNotAvailable, message)
            }
        })?;
        records.push(record);
        Ok(())
    }
}

fn partition_result(index: i32, result: &Result<()>) -> PartitionResult {
    let (code, message) = item_error(result);
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(code)
        .with_error_message(message)
}

fn unknown_type(request: &ElectLeadersRequest, election_type: i8) -> ElectLeadersResponse {
    let message = format!("Unknown election type {election_type}");
    let result = Err(explained(ResponseError::InvalidRequest, message));
    let topics = request.topic_partitions.iter().flatten().map(|topic| {
        let partitions = topic.partitions.iter().map(|&index| partition_result(index, &result));
        ReplicaElectionResult::default()
            .with_topic(topic.topic.clone())
            .with_partition_result(partitions.collect())
    });
    ElectLeadersResponse::default()
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_replica_election_results(topics.collect())
}
