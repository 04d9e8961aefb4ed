//! Streams groups in the form of StreamsGroupDescribe.

use super::StreamsGroup;
use super::configure::{ConfiguredSubtopology, InternalTopic};
use super::member::StreamsMember;
use super::tasks::{TaskIds, TaskOffsets, Tasks};
use super::topology::Topology;
use crate::codec::schema::group::streams_group_topology_value as record;
use crate::codec::schema::message::streams_group_describe_response as response;
use crate::codec::schema::message::streams_group_describe_response::DescribedGroup;
use crate::coordinator::group::listed;
use std::collections::{BTreeMap, BTreeSet};

impl StreamsGroup {
    /// Describes the group and its members.
    pub fn described(&self) -> DescribedGroup {
        let members = listed(self.members(), |member| &member.id).map(|member| {
            let target = self.target(&member.id);
            let soft = &self.own.soft;
            response::Member {
                task_offsets: task_offsets(soft.task_offsets.get(&member.id)),
                task_end_offsets: task_offsets(soft.task_end_offsets.get(&member.id)),
                ..described_member(member, &target)
            }
        });
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state().to_string(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            topology: self.described_topology(),
            members: members.collect(),
            assignor_name: Some("sticky".to_owned()),
            ..DescribedGroup::default()
        }
    }

    /// Describes the topology, with numbers of partitions if they are known.
    fn described_topology(&self) -> Option<response::Topology> {
        let configured =
            self.own.soft.configured.as_ref().filter(|configured| configured.is_ready());
        if let Some(configured) = configured {
            let subtopologies = configured.subtopologies.iter().flatten();
            let subtopologies =
                subtopologies.map(|(id, of)| described_configured(id, of)).collect();
            return Some(response::Topology {
                epoch: configured.epoch,
                subtopologies: Some(subtopologies),
            });
        }
        self.own.topology.as_deref().map(described_topology)
    }
}

fn described_topology(topology: &Topology) -> response::Topology {
    let subtopologies = topology.subtopologies.values().map(|of| response::Subtopology {
        subtopology_id: of.subtopology_id.clone(),
        source_topics: sorted(&of.source_topics),
        repartition_sink_topics: sorted(&of.repartition_sink_topics),
        repartition_source_topics: infos(&of.repartition_source_topics),
        state_changelog_topics: infos(&of.state_changelog_topics),
    });
    response::Topology { epoch: topology.epoch, subtopologies: Some(subtopologies.collect()) }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn infos(topics: &[record::TopicInfo]) -> Vec<response::TopicInfo> {
    let mut infos: Vec<response::TopicInfo> = topics.iter().map(info).collect();
    infos.sort_by(|a, b| a.name.cmp(&b.name));
    infos
}

fn info(topic: &record::TopicInfo) -> response::TopicInfo {
    let configs = topic.topic_configs.iter();
    response::TopicInfo {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: configs
            .map(|of| response::KeyValue { key: of.key.clone(), value: of.value.clone() })
            .collect(),
    }
}

fn described_configured(id: &str, of: &ConfiguredSubtopology) -> response::Subtopology {
    let names = |topics: &BTreeSet<String>| topics.iter().cloned().collect();
    response::Subtopology {
        subtopology_id: id.to_owned(),
        source_topics: names(&of.source_topics),
        repartition_sink_topics: names(&of.repartition_sink_topics),
        repartition_source_topics: configured_infos(&of.repartition_source_topics),
        state_changelog_topics: configured_infos(&of.state_changelog_topics),
    }
}

fn configured_infos(topics: &BTreeMap<String, InternalTopic>) -> Vec<response::TopicInfo> {
    let info = |(name, topic): (&String, &InternalTopic)| response::TopicInfo {
        name: name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: key_values(&topic.configs),
    };
    topics.iter().map(info).collect()
}

fn key_values(values: &BTreeMap<String, String>) -> Vec<response::KeyValue> {
    let pair = |(key, value): (&String, &String)| response::KeyValue {
        key: key.clone(),
        value: value.clone(),
    };
    values.iter().map(pair).collect()
}

fn described_member(member: &StreamsMember, target: &Tasks) -> response::Member {
    let endpoint = member.own.user_endpoint.as_ref();
    response::Member {
        member_id: member.id.to_string(),
        member_epoch: member.epoch,
        instance_id: member.instance_id.as_deref().map(str::to_owned),
        rack_id: member.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        topology_epoch: member.own.topology_epoch,
        process_id: member.own.process_id.clone(),
        user_endpoint: endpoint
            .map(|(host, port)| response::Endpoint { host: host.clone(), port: *port }),
        client_tags: key_values(&member.own.client_tags),
        assignment: response::Assignment {
            active_tasks: ids(&member.assigned.active_ids()),
            standby_tasks: ids(&member.assigned.standby),
            warmup_tasks: ids(&member.assigned.warmup),
        },
        target_assignment: response::Assignment {
            active_tasks: ids(&target.active),
            standby_tasks: ids(&target.standby),
            warmup_tasks: ids(&target.warmup),
        },
        ..response::Member::default()
    }
}

fn task_offsets(offsets: Option<&TaskOffsets>) -> Vec<response::TaskOffset> {
    let of = |((id, partition), offset): (&(String, i32), &i64)| response::TaskOffset {
        subtopology_id: id.clone(),
        partition: *partition,
        offset: *offset,
    };
    offsets.into_iter().flatten().map(of).collect()
}

fn ids(tasks: &TaskIds) -> Vec<response::TaskIds> {
    let ids = tasks.iter().map(|(id, set)| response::TaskIds {
        subtopology_id: id.clone(),
        partitions: set.iter().copied().collect(),
    });
    ids.collect()
}
