//! What the controller tells about itself: DescribeQuorum, DescribeCluster for controllers.

use super::super::quorum::TOPIC_NAME;
use super::view::{View, text};
use crate::types::{BrokerId, LeaderEpoch, Offset, Timestamp};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::{
    DescribeClusterBroker, DescribeClusterResponse,
};
use kafka_protocol::messages::describe_quorum_request::DescribeQuorumRequest;
use kafka_protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::messages::{BrokerId as WireBrokerId, TopicName};
use uuid::Uuid;

/// EndpointType of DescribeCluster.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// The state of the quorum of one.
#[derive(Clone, Debug)]
pub(super) struct QuorumState {
    pub leader: BrokerId,
    pub epoch: LeaderEpoch,
    /// One past the last committed record.
    pub high_watermark: Offset,
    /// The voter's directory; nil while the settings name the voters.
    pub directory_id: Uuid,
    pub listeners: Vec<(String, String, u16)>,
    pub now: Timestamp,
}

impl QuorumState {
    /// Who votes, who leads and how far everyone is.
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

impl View<'_> {
    /// DescribeCluster as a controller listener answers it: controllers instead of brokers, by
    /// the endpoints of the listener that was asked.
    pub fn describe_controllers(
        self,
        request: &DescribeClusterRequest,
        version: i16,
        listener: &str,
        leader: BrokerId,
    ) -> DescribeClusterResponse {
        let response =
            DescribeClusterResponse::default().with_cluster_id(text(&*self.image.cluster_id));
        if request.endpoint_type != CONTROLLERS {
            let (code, message) = wrong_endpoint(request.endpoint_type, version);
            return response.with_error_code(code.code()).with_error_message(Some(text(message)));
        }
        let controllers = self.image.controllers.values().filter_map(|controller| {
            let point = controller.end_points.iter().find(|point| point.name == listener)?;
            Some(
                DescribeClusterBroker::default()
                    .with_broker_id(WireBrokerId(controller.controller_id))
                    .with_host(text(&point.host))
                    .with_port(i32::from(point.port)),
            )
        });
        let controllers: Vec<DescribeClusterBroker> = controllers.collect();
        let known = controllers.iter().any(|controller| controller.broker_id.0 == leader);
        response
            .with_endpoint_type(CONTROLLERS)
            .with_controller_id(WireBrokerId(if known { leader } else { -1 }))
            .with_brokers(controllers)
    }
}

fn wrong_endpoint(endpoint_type: i8, version: i16) -> (ResponseError, String) {
    let (code, message) = if endpoint_type == BROKERS {
        let message = "The request was sent to an endpoint of type CONTROLLER, but we wanted an \
                       endpoint of type BROKER";
        (ResponseError::MismatchedEndpointType, message.to_owned())
    } else {
        let message = format!("Unsupported endpoint type {endpoint_type}");
        (ResponseError::UnsupportedEndpointType, message)
    };
    (if version == 0 { ResponseError::InvalidRequest } else { code }, message)
}
