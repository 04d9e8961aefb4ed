//! DescribeQuorum: what the controller says about the quorum.

use super::metadata_log::TOPIC_NAME;
use super::view::text;
use crate::codec::messages::describe_quorum_request::DescribeQuorumRequest;
use crate::codec::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use crate::codec::messages::{BrokerId as WireBrokerId, TopicName};
use crate::types::{BrokerId, LeaderEpoch, Offset, Timestamp};
use kafka_protocol::ResponseError;
use uuid::Uuid;

const UNKNOWN_PARTITION: &str = "The quorum has the partition __cluster_metadata-0 only";

/// The state of a quorum with one voter.
#[derive(Clone, Debug)]
pub(super) struct QuorumState {
    pub leader: BrokerId,
    pub epoch: LeaderEpoch,
    /// One past the last committed record.
    pub high_watermark: Offset,
    /// The voter's directory id; nil while the voters come from the settings.
    pub directory_id: Uuid,
    pub listeners: Vec<(String, String, u16)>,
    pub now: Timestamp,
}

impl QuorumState {
    /// The leader, the voters and how far each has got in the log.
    pub fn describe(
        &self,
        request: &DescribeQuorumRequest,
        version: i16,
    ) -> DescribeQuorumResponse {
        let asked = request.topics.iter().map(|topic| {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            (topic.topic_name.clone(), indexes.collect::<Vec<i32>>())
        });
        let asked: Vec<(TopicName, Vec<i32>)> = asked.collect();
        let ours = matches!(&asked[..], [(name, indexes)]
            if name.as_str() == TOPIC_NAME && indexes[..] == [0]);
        if !ours {
            let topics = asked.into_iter().map(|(name, indexes)| {
                let partitions = indexes.into_iter().map(|index| {
                    PartitionData::default()
                        .with_partition_index(index)
                        .with_error_code(ResponseError::UnknownTopicOrPartition.code())
                        .with_error_message(Some(text(UNKNOWN_PARTITION)))
                });
                let partitions = partitions.collect();
                TopicData::default().with_topic_name(name).with_partitions(partitions)
            });
            return DescribeQuorumResponse::default().with_topics(topics.collect());
        }
        let topic = TopicData::default()
            .with_topic_name(TopicName(text(TOPIC_NAME)))
            .with_partitions(vec![self.partition(version)]);
        let nodes = if version >= 2 { vec![self.node()] } else { Vec::new() };
        DescribeQuorumResponse::default().with_topics(vec![topic]).with_nodes(nodes)
    }

    fn partition(&self, version: i16) -> PartitionData {
        let mut voter = ReplicaState::default()
            .with_replica_id(WireBrokerId(self.leader))
            .with_log_end_offset(self.high_watermark);
        if version >= 1 {
            voter.last_fetch_timestamp = self.now;
            voter.last_caught_up_timestamp = self.now;
        }
        if version >= 2 {
            voter.replica_directory_id = self.directory_id;
        }
        PartitionData::default()
            .with_leader_id(WireBrokerId(self.leader))
            .with_leader_epoch(self.epoch)
            .with_high_watermark(self.high_watermark)
            .with_current_voters(vec![voter])
    }

    fn node(&self) -> Node {
        let listeners = self.listeners.iter().map(|(name, host, port)| {
            Listener::default().with_name(text(name)).with_host(text(host)).with_port(*port)
        });
        Node::default().with_node_id(WireBrokerId(self.leader)).with_listeners(listeners.collect())
    }
}
