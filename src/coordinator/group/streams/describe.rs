//! Streams groups in the form of StreamsGroupDescribe.

use super::StreamsGroup;
use super::configure::{ConfiguredSubtopology, InternalTopic};
use super::member::StreamsMember;
use super::tasks::{TaskIds, TaskOffsets, Tasks};
use super::topology::Topology;
use crate::codec::messages::TopicName;
use crate::codec::messages::streams_group_describe_response as response;
use crate::codec::messages::streams_group_describe_response::DescribedGroup;
use crate::codec::schema::group::streams_group_topology_value as record;
use crate::coordinator::group::{listed, text};
use std::collections::{BTreeMap, BTreeSet};

impl StreamsGroup {
    /// Describes the group and its members.
    pub fn described(&self) -> DescribedGroup {
        let members = listed(self.members(), |member| &member.id).map(|member| {
            let target = self.target(&member.id);
            let soft = &self.own.soft;
            described_member(member, &target)
                .with_task_offsets(task_offsets(soft.task_offsets.get(&member.id)))
                .with_task_end_offsets(task_offsets(soft.task_end_offsets.get(&member.id)))
        });
        DescribedGroup::default()
            .with_group_id(text(&self.id).into())
            .with_group_state(self.state().to_string().into())
            .with_group_epoch(self.epoch)
            .with_assignment_epoch(self.assignment_epoch)
            .with_topology(self.described_topology())
            .with_members(members.collect())
            .with_assignor_name(Some("sticky".into()))
    }

    /// Describes the topology, with numbers of partitions if they are known.
    fn described_topology(&self) -> Option<response::Topology> {
        let configured =
            self.own.soft.configured.as_ref().filter(|configured| configured.is_ready());
        if let Some(configured) = configured {
            let subtopologies = configured.subtopologies.iter().flatten();
            let subtopologies = subtopologies.map(|(id, of)| described_configured(id, of));
            return Some(topology_of(configured.epoch, subtopologies));
        }
        self.own.topology.as_deref().map(described_topology)
    }
}

fn described_topology(topology: &Topology) -> response::Topology {
    let subtopologies = topology.subtopologies.values().map(|of| {
        response::Subtopology::default()
            .with_subtopology_id(text(&of.subtopology_id))
            .with_source_topics(sorted(&of.source_topics))
            .with_repartition_sink_topics(sorted(&of.repartition_sink_topics))
            .with_repartition_source_topics(infos(&of.repartition_source_topics))
            .with_state_changelog_topics(infos(&of.state_changelog_topics))
    });
    topology_of(topology.epoch, subtopologies)
}

fn topology_of(
    epoch: i32,
    subtopologies: impl Iterator<Item = response::Subtopology>,
) -> response::Topology {
    response::Topology::default()
        .with_epoch(epoch)
        .with_subtopologies(Some(subtopologies.collect()))
}

fn sorted(names: &[String]) -> Vec<TopicName> {
    let mut names: Vec<TopicName> = names.iter().map(|name| text(name).into()).collect();
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
    response::TopicInfo::default()
        .with_name(text(&topic.name).into())
        .with_partitions(topic.partitions)
        .with_replication_factor(topic.replication_factor)
        .with_topic_configs(configs.map(|of| key_value((&of.key, &of.value))).collect())
}

fn described_configured(id: &str, of: &ConfiguredSubtopology) -> response::Subtopology {
    let names = |topics: &BTreeSet<String>| topics.iter().map(|name| text(name).into()).collect();
    response::Subtopology::default()
        .with_subtopology_id(text(id))
        .with_source_topics(names(&of.source_topics))
        .with_repartition_sink_topics(names(&of.repartition_sink_topics))
        .with_repartition_source_topics(configured_infos(&of.repartition_source_topics))
        .with_state_changelog_topics(configured_infos(&of.state_changelog_topics))
}

fn configured_infos(topics: &BTreeMap<String, InternalTopic>) -> Vec<response::TopicInfo> {
    let info = |(name, topic): (&String, &InternalTopic)| {
        response::TopicInfo::default()
            .with_name(text(name).into())
            .with_partitions(topic.partitions)
            .with_replication_factor(topic.replication_factor)
            .with_topic_configs(topic.configs.iter().map(key_value).collect())
    };
    topics.iter().map(info).collect()
}

fn key_value((key, value): (&String, &String)) -> response::KeyValue {
    response::KeyValue::default().with_key(text(key)).with_value(text(value))
}

fn described_member(member: &StreamsMember, target: &Tasks) -> response::Member {
    let assigned = &member.assigned;
    let endpoint =
        member.own.user_endpoint.as_ref().map(|(host, port)| {
            response::Endpoint::default().with_host(text(host)).with_port(*port)
        });
    response::Member::default()
        .with_member_id(text(&member.id))
        .with_member_epoch(member.epoch)
        .with_instance_id(member.instance_id.as_deref().map(text))
        .with_rack_id(member.rack_id.as_deref().map(text))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_topology_epoch(member.own.topology_epoch)
        .with_process_id(text(&member.own.process_id))
        .with_user_endpoint(endpoint)
        .with_client_tags(member.own.client_tags.iter().map(key_value).collect())
        .with_assignment(assignment(&assigned.active_ids(), &assigned.standby, &assigned.warmup))
        .with_target_assignment(assignment(&target.active, &target.standby, &target.warmup))
}

fn assignment(active: &TaskIds, standby: &TaskIds, warmup: &TaskIds) -> response::Assignment {
    response::Assignment::default()
        .with_active_tasks(ids(active))
        .with_standby_tasks(ids(standby))
        .with_warmup_tasks(ids(warmup))
}

fn task_offsets(offsets: Option<&TaskOffsets>) -> Vec<response::TaskOffset> {
    let of = |((id, partition), offset): (&(String, i32), &i64)| {
        response::TaskOffset::default()
            .with_subtopology_id(text(id))
            .with_partition(*partition)
            .with_offset(*offset)
    };
    offsets.into_iter().flatten().map(of).collect()
}

fn ids(tasks: &TaskIds) -> Vec<response::TaskIds> {
    let ids = tasks.iter().map(|(id, set)| {
        response::TaskIds::default()
            .with_subtopology_id(text(id))
            .with_partitions(set.iter().copied().collect())
    });
    ids.collect()
}
