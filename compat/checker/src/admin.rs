//! What is asked around the workload: topics, configurations, positions and ends.

use crate::client::{Client, GaveUp, Node, is_retriable};
use crate::workload::COPY_TOPIC;
use kafka_protocol::ResponseError as Code;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::describe_producers_request::TopicRequest;
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DescribeProducersRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, ListTransactionsRequest, MetadataResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    UpdateFeaturesRequest,
};
use std::time::Instant;

const LATEST: i64 = -1;
/// As many replicas as the broker gives a topic by default.
const DEFAULT_REPLICAS: i16 = -1;

impl Client {
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<(), GaveUp> {
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("segment.bytes"))
            .with_value(Some(StrBytes::from_static_str("1048576")));
        let topic = CreatableTopic::default()
            .with_name(StrBytes::from_string(name.to_owned()).into())
            .with_num_partitions(partitions)
            .with_replication_factor(DEFAULT_REPLICAS)
            .with_configs(vec![config]);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let code = |response: &CreateTopicsResponse| response.topics[0].error_code;
        let code = code(&self.ask_until_ready(&Node::Any, 5, &request, code)?);
        let exists = Code::TopicAlreadyExists.code();
        assert!(code == 0 || code == exists, "create topic: {code}");
        (0..partitions).try_for_each(|partition| self.end_of(name, partition, false).map(drop))
    }

    /// Sets configurations of a resource of this type.
    pub fn alter_configs(
        &mut self,
        kind: i8,
        name: &str,
        configs: &[(&str, &str)],
    ) -> Result<(), GaveUp> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let configs = configs.iter().map(|(name, value)| {
            AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.ask(&Node::Any, 1, &request)?;
        let answer = &answer.responses[0];
        assert_eq!(answer.error_code, 0, "{name}: {:?}", answer.error_message);
        Ok(())
    }

    /// Raises a feature, or leaves it where it is.
    pub fn raise_feature(&mut self, name: &str, level: i16) -> Result<(), GaveUp> {
        let update = FeatureUpdateKey::default()
            .with_feature(StrBytes::from_string(name.to_owned()))
            .with_max_version_level(level)
            .with_upgrade_type(1);
        let request = UpdateFeaturesRequest::default()
            .with_timeout_ms(30_000)
            .with_feature_updates(vec![update]);
        let answer = self.ask(&Node::Any, 1, &request)?;
        assert_eq!(answer.error_code, 0, "{name}: {:?}", answer.error_message);
        Ok(())
    }

    /// The log's end, or its last stable offset.
    pub fn end_of(&mut self, topic: &str, index: i32, is_stable: bool) -> Result<i64, GaveUp> {
        let leader = Node::leader(topic, index);
        let partition = ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(LATEST);
        let topic = ListOffsetsTopic::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(i8::from(is_stable))
            .with_topics(vec![topic]);
        let code = |response: &klamm::codec::messages::ListOffsetsResponse| {
            response.topics[0].partitions[0].error_code
        };
        let response = self.ask_until_ready(&leader, 6, &request, code)?;
        let found = &response.topics[0].partitions[0];
        assert_eq!(found.error_code, 0, "ListOffsets");
        Ok(found.offset)
    }

    /// Who holds a partition open and what the coordinators know of transactions, for a reader.
    pub fn describe_open(&mut self, topic: &str, index: i32) -> Result<String, GaveUp> {
        let asked = TopicRequest::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partition_indexes(vec![index]);
        let producers = DescribeProducersRequest::default().with_topics(vec![asked]);
        let producers = self.ask(&Node::leader(topic, index), 0, &producers)?;
        let mut transactions = Vec::new();
        for _ in 0..self.nodes() {
            let there = self.ask(&Node::Any, 0, &ListTransactionsRequest::default())?;
            transactions.extend(there.transaction_states);
        }
        let active = &producers.topics[0].partitions[0].active_producers;
        let holding = active.iter().filter(|producer| producer.current_txn_start_offset >= 0);
        let holding: Vec<String> = holding.map(|producer| format!("{producer:?}")).collect();
        Ok(format!("{topic}-{index}: {holding:?}, of {transactions:?}"))
    }

    /// What a group has committed, once no transaction is open on it; -1 for nothing.
    pub fn position_of(&mut self, group: &str, topic: &str, index: i32) -> Result<i64, GaveUp> {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partition_indexes(vec![index]);
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(StrBytes::from_string(group.to_owned()).into())
            .with_topics(Some(vec![topic]));
        let request =
            OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
        let code = |response: &OffsetFetchResponse| {
            let group = &response.groups[0];
            let first = group.topics.first().map_or(0, |topic| topic.partitions[0].error_code);
            if group.error_code == 0 { first } else { group.error_code }
        };
        let coordinator = Node::Group(group.to_owned());
        loop {
            self.prove_coordinator(group, &coordinator)?;
            let Ok(response) = self.ask_once(&coordinator, 8, &request) else { continue };
            if is_retriable(code(&response)) {
                self.pause();
                continue;
            }
            assert_eq!(code(&response), 0, "OffsetFetch");
            return Ok(response.groups[0].topics[0].partitions[0].committed_offset);
        }
    }

    /// Commits a position that nobody reads. A coordinator that has been replaced and does not
    /// know it yet still answers with old positions, as Kafka's does, but it cannot write.
    fn prove_coordinator(&mut self, group: &str, coordinator: &Node) -> Result<(), GaveUp> {
        let topic = OffsetCommitRequestTopic::default()
            .with_name(StrBytes::from_static_str(COPY_TOPIC).into())
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        let request = OffsetCommitRequest::default()
            .with_group_id(StrBytes::from_string(group.to_owned()).into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let code = |response: &OffsetCommitResponse| response.topics[0].partitions[0].error_code;
        let response = self.ask_until_ready(coordinator, 8, &request, code)?;
        assert_eq!(code(&response), 0, "OffsetCommit");
        Ok(())
    }

    /// Waits until each partition of these topics has a leader and all of its replicas are in
    /// sync; answers the leaders' epochs.
    pub fn settled(&mut self, topics: &[&str]) -> Result<Vec<i32>, GaveUp> {
        loop {
            let metadata = self.metadata(topics);
            if let Some(epochs) = metadata.ok().and_then(|metadata| settled_epochs(&metadata)) {
                return Ok(epochs);
            }
            if Instant::now() > self.give_up {
                return Err(GaveUp);
            }
            self.pause();
        }
    }
}

/// The leaders' epochs if every replica is in sync.
fn settled_epochs(metadata: &MetadataResponse) -> Option<Vec<i32>> {
    let mut epochs = Vec::new();
    for topic in &metadata.topics {
        for partition in &topic.partitions {
            let is_full = partition.isr_nodes.len() == partition.replica_nodes.len();
            let is_settled = is_full && partition.error_code == 0;
            epochs.push(is_settled.then_some(partition.leader_epoch)?);
        }
        if topic.error_code != 0 {
            return None;
        }
    }
    Some(epochs)
}
