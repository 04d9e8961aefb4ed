//! The answer to a heartbeat: the member's tasks if they changed, where other members can be
//! queried (EndpointToPartitionsManager), and the problems of the group.

use super::StreamsGroup;
use super::configure::{Configured, ConfiguredSubtopology, StatusCode};
use super::member::StreamsMember;
use super::request::OFFSETS_VERSION;
use super::tasks::TaskIds;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::streams_group_heartbeat_response::{
    Endpoint, EndpointToPartitions, Status, TaskIds as ResponseTaskIds, TopicPartition,
};
use crate::codec::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use crate::coordinator::group::modern::JOIN_EPOCH;
use crate::coordinator::group::text;
use crate::coordinator::group::turn::Turn;
use crate::metadata::Image;
use std::collections::BTreeMap;

/// Kafka 4.4's internal setting `group.streams.task.offset.interval.ms`, in milliseconds.
const TASK_OFFSET_INTERVAL_MS: i32 = 60_000;
/// Kafka 4.4's internal setting `group.streams.acceptable.recovery.lag`, in records.
const ACCEPTABLE_RECOVERY_LAG: i64 = 10_000;

/// The result of a heartbeat.
#[derive(Debug)]
pub struct Heartbeat {
    pub response: StreamsGroupHeartbeatResponse,
    /// Internal topics that the group needs and that do not exist.
    pub missing_topics: Vec<CreatableTopic>,
}

impl Heartbeat {
    /// Adds to the status why topics are still missing. `failures` is empty if nothing failed.
    pub fn tell_failures(&mut self, failures: &str) {
        let code = StatusCode::MissingInternalTopics.code();
        let mut statuses = self.response.status.iter_mut().flatten();
        if let Some(status) = statuses.find(|status| status.status_code == code)
            && !failures.is_empty()
        {
            let detail = format!("{}; Creation failed: {failures}.", status.status_detail);
            status.status_detail = detail.into();
        }
    }
}

/// What an answer is made from.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The version of the request.
    pub version: i16,
    /// The member before the heartbeat.
    pub before: &'a StreamsMember,
    /// The member after the heartbeat.
    pub after: &'a StreamsMember,
    /// The group's topology, matched with the topics.
    pub configured: &'a Configured,
    /// Whether the group existed before.
    pub was_there: bool,
}

impl StreamsGroup {
    /// The answer to a heartbeat.
    pub fn answer(
        &mut self,
        turn: &Turn<'_>,
        heard: Heard<'_>,
        request: &StreamsGroupHeartbeatRequest,
        mut statuses: Vec<Status>,
    ) -> Heartbeat {
        let Heard { version, before, after, configured, was_there } = heard;
        let interval_ms = turn.group_setting(&self.id, "streams.heartbeat.interval.ms");
        let mut response = StreamsGroupHeartbeatResponse::default()
            .with_member_id(text(&after.id))
            .with_member_epoch(after.epoch)
            .with_heartbeat_interval_ms(interval_ms);
        if version >= OFFSETS_VERSION {
            response.task_offset_interval_ms = TASK_OFFSET_INTERVAL_MS;
            response.acceptable_recovery_lag = ACCEPTABLE_RECOVERY_LAG;
        }
        if request.member_epoch == JOIN_EPOCH || before.assigned != after.assigned {
            response.active_tasks = Some(ids(&after.assigned.active_ids()));
            response.standby_tasks = Some(ids(&after.assigned.standby));
            response.warmup_tasks = Some(ids(&after.assigned.warmup));
            if after.own.user_endpoint.is_some() {
                self.own.soft.endpoint_epoch += 1;
            }
        }
        if self.own.soft.endpoint_epoch != request.endpoint_information_epoch {
            let others =
                self.members().map(|member| &**member).filter(|member| member.id != after.id);
            let endpoint = |member| endpoint(member, configured, turn.image);
            let endpoints = others.chain([after]).filter_map(endpoint).collect();
            response.partitions_by_user_endpoint = Some(endpoints);
        }
        if was_there {
            response.endpoint_information_epoch = self.own.soft.endpoint_epoch;
        }
        let mut missing_topics = Vec::new();
        if let Some((status, detail)) = &configured.problem {
            let missing = configured.missing.iter();
            missing_topics.extend(missing.map(|(name, topic)| topic.creatable(name)));
            statuses.push(status.with_detail(detail));
        }
        if let Some(member) = &self.own.soft.shutdown_requested_by {
            let detail = format!(
                "Member {member} met a fatal error and asked that the whole application shuts \
                 down."
            );
            statuses.push(StatusCode::ShutdownApplication.with_detail(&detail));
        }
        response.status = Some(statuses);
        Heartbeat { response, missing_topics }
    }
}

fn ids(tasks: &TaskIds) -> Vec<ResponseTaskIds> {
    let ids = tasks.iter().map(|(id, set)| {
        ResponseTaskIds::default()
            .with_subtopology_id(text(id))
            .with_partitions(set.iter().copied().collect())
    });
    ids.collect()
}

/// The endpoint of a member's process and the partitions it can be queried about; None if it has no
/// endpoint.
fn endpoint(
    member: &StreamsMember,
    configured: &Configured,
    image: &Image,
) -> Option<EndpointToPartitions> {
    let (host, port) = member.own.user_endpoint.as_ref()?;
    let none = BTreeMap::new();
    let subtopologies = configured.subtopologies.as_ref().unwrap_or(&none);
    let active = member.assigned.active_ids();
    let standby = source_partitions(&member.assigned.standby, subtopologies, image);
    let endpoint = EndpointToPartitions::default()
        .with_user_endpoint(Endpoint::default().with_host(text(host)).with_port(*port))
        .with_active_partitions(source_partitions(&active, subtopologies, image))
        .with_standby_partitions(standby);
    Some(endpoint)
}

/// The partitions that the tasks read.
fn source_partitions(
    tasks: &TaskIds,
    subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    image: &Image,
) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for (id, tasks) in tasks {
        let Some(subtopology) = subtopologies.get(id) else { continue };
        let repartition = subtopology.repartition_source_topics.keys();
        for topic in subtopology.source_topics.iter().chain(repartition) {
            let count = image.topics.by_name(topic).map_or(0, |topic| topic.partitions.len());
            // The topic may have fewer partitions than its subtopology has tasks.
            let of_topic = TopicPartition::default()
                .with_topic(text(topic).into())
                .with_partitions(tasks.iter().copied().take(count).collect());
            partitions.push(of_topic);
        }
    }
    partitions
}
