//! The topology of an application: what its subtopologies read, write and store (StreamsTopology).

use crate::codec::messages::{StrBytes, streams_group_heartbeat_request as request};
use crate::codec::schema::group::StreamsGroupTopologyValue;
use crate::codec::schema::group::streams_group_topology_value::{
    CopartitionGroup, Subtopology, TopicConfig, TopicInfo,
};
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};

/// A topology as the members declare it.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The version of the topology. Only the first one is possible yet.
    pub epoch: i32,
    /// The subtopologies by id.
    pub subtopologies: BTreeMap<String, Subtopology>,
}

impl Topology {
    /// The topology of a member that joins. What makes Kafka fail by accident is an
    /// UNKNOWN_SERVER_ERROR.
    pub fn from_request(topology: &request::Topology) -> Result<Topology> {
        if topology.epoch < 0 {
            return Err(unexpected("The topology epoch is below 0."));
        }
        let subtopologies = topology.subtopologies.iter().map(subtopology);
        let value = StreamsGroupTopologyValue {
            epoch: topology.epoch,
            subtopologies: subtopologies.collect(),
        };
        let known = Topology::from_record(&value);
        match known.subtopologies.len() == value.subtopologies.len() {
            true => Ok(known),
            false => Err(unexpected("Duplicate key: a subtopology is there twice.")),
        }
    }

    /// The topology in a record.
    pub fn from_record(value: &StreamsGroupTopologyValue) -> Topology {
        let subtopologies = value.subtopologies.iter();
        let by_id = subtopologies.map(|of| (of.subtopology_id.clone(), of.clone())).collect();
        Topology { epoch: value.epoch, subtopologies: by_id }
    }

    /// All topics that have to exist.
    pub fn required_topics(&self) -> BTreeSet<String> {
        let of = |subtopology: &Subtopology| {
            let internal =
                [&subtopology.repartition_source_topics, &subtopology.state_changelog_topics];
            let internal = internal.into_iter().flatten().map(|topic| topic.name.clone());
            subtopology.source_topics.iter().cloned().chain(internal).collect::<Vec<_>>()
        };
        self.subtopologies.values().flat_map(of).collect()
    }

    /// The subtopology that reads `topic`.
    pub fn reader_of(&self, topic: &str) -> Option<&str> {
        let mut subtopologies = self.subtopologies.values();
        let reader = subtopologies.find(|of| {
            of.source_topics.iter().any(|source| source == topic)
                || of.repartition_source_topics.iter().any(|source| source.name == topic)
        });
        reader.map(|subtopology| subtopology.subtopology_id.as_str())
    }
}

/// The record of a request's topology, in the request's order.
pub fn to_record(topology: &request::Topology) -> StreamsGroupTopologyValue {
    StreamsGroupTopologyValue {
        epoch: topology.epoch,
        subtopologies: topology.subtopologies.iter().map(subtopology).collect(),
    }
}

/// The error for an exception in Kafka that is not one of the protocol's errors.
pub fn unexpected(message: &str) -> Error {
    Error::Explained(ResponseError::UnknownServerError, message.to_owned())
}

fn subtopology(of: &request::Subtopology) -> Subtopology {
    let copartitioned = of.copartition_groups.iter().map(|group| CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_source_topics: group.repartition_source_topics.clone(),
    });
    Subtopology {
        subtopology_id: of.subtopology_id.to_string(),
        source_topics: of.source_topics.iter().map(|name| name.to_string()).collect(),
        source_topic_regex: of.source_topic_regex.iter().map(StrBytes::to_string).collect(),
        state_changelog_topics: of.state_changelog_topics.iter().map(topic).collect(),
        repartition_sink_topics: of.repartition_sink_topics.iter().map(|n| n.to_string()).collect(),
        repartition_source_topics: of.repartition_source_topics.iter().map(topic).collect(),
        copartition_groups: copartitioned.collect(),
    }
}

fn topic(info: &request::TopicInfo) -> TopicInfo {
    let config = |of: &request::KeyValue| TopicConfig {
        key: of.key.to_string(),
        value: of.value.to_string(),
    };
    TopicInfo {
        name: info.name.to_string(),
        partitions: info.partitions,
        replication_factor: info.replication_factor,
        topic_configs: info.topic_configs.iter().map(config).collect(),
    }
}
