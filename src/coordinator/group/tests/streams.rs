//! The commands of scripts that are about streams groups.
//!
//! `subtopologies=0:read=t1+t2:write=r:store=c;1:from=r*3:join=r` are two: one reads topics, writes
//! a repartition topic and keeps a store; the other reads the repartition topic, which needs 3
//! partitions. `active=0:1+2;1:0` are tasks 0_1, 0_2 and 1_0.

use super::super::kind::Group;
use super::super::record::{GroupKind, Record};
use super::super::shard::Shard;
use super::super::streams::StreamsGroup;
use super::{Args, World};
use crate::codec::messages::streams_group_describe_response::{self as described, DescribedGroup};
use crate::codec::messages::streams_group_heartbeat_request::{
    CopartitionGroup, Endpoint, KeyValue, Subtopology, TaskIds, TaskOffset, TopicInfo, Topology,
};
use crate::codec::messages::streams_group_heartbeat_response::{
    StreamsGroupHeartbeatResponse, TaskIds as GivenTaskIds, TopicPartition,
};
use crate::codec::messages::{StreamsGroupHeartbeatRequest, TopicName};
use crate::coordinator::{RequestContext, text};
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::fmt::Write as _;

impl World {
    pub(super) fn streams(&mut self, args: &Args) -> Result<()> {
        let shown = match args.name.as_str() {
            "describe-streams" => describe(&self.shard.describe_streams(args.get("group"))),
            _ => {
                let cx = RequestContext {
                    api_version: args.number("version", 1),
                    client_id: text("app"),
                    client_host: "/127.0.0.1".into(),
                };
                let request = args.streams_heartbeat();
                let outcome = self.shard.streams_heartbeat(self.now, &cx, &request)?;
                let heartbeat = self.finish(outcome)?;
                let mut shown = answer(&heartbeat.response);
                for topic in heartbeat.missing_topics {
                    let name = topic.name.as_str();
                    let (partitions, factor) = (topic.num_partitions, topic.replication_factor);
                    writeln!(shown, "    create {name} partitions={partitions} factor={factor}")
                        .unwrap();
                }
                shown
            }
        };
        self.output.push_str(&shown);
        Ok(())
    }
}

impl Args {
    fn streams_heartbeat(&self) -> StreamsGroupHeartbeatRequest {
        let member_epoch = self.number("epoch", 0);
        let tasks = |key: &str| {
            let says = member_epoch == 0 || self.has("active") || self.has("standby");
            (says && !self.has("silent")).then(|| tasks(self.get(key)))
        };
        let named = |key: &str| self.named.get(key).map(|named| text(named));
        let tag = |item: &str| {
            let (key, value) = item.split_once(':').unwrap();
            KeyValue::default().with_key(text(key)).with_value(text(value))
        };
        let endpoint = |named: &String| {
            let (host, port) = named.split_once(':').unwrap();
            Endpoint::default().with_host(text(host)).with_port(port.parse().unwrap())
        };
        let timeout = if member_epoch == 0 { 60_000 } else { -1 };
        StreamsGroupHeartbeatRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_member_epoch(member_epoch)
            .with_endpoint_information_epoch(self.number("seen", 0))
            .with_instance_id(named("instance"))
            .with_rack_id(named("rack"))
            .with_rebalance_timeout_ms(self.number("rebalance", timeout))
            .with_topology(self.has("subtopologies").then(|| self.topology()))
            .with_active_tasks(tasks("active"))
            .with_standby_tasks(tasks("standby"))
            .with_warmup_tasks(tasks("warmup"))
            .with_process_id(named("process"))
            .with_user_endpoint(self.named.get("endpoint").map(endpoint))
            .with_client_tags(self.has("tags").then(|| self.list("tags").map(tag).collect()))
            .with_task_offsets(self.has("offsets").then(|| task_offsets(self.get("offsets"))))
            .with_shutdown_application(self.has("shutdown"))
    }

    fn topology(&self) -> Topology {
        let items = self.get("subtopologies").split(';').filter(|item| !item.is_empty());
        Topology::default()
            .with_epoch(self.number("topology", 0))
            .with_subtopologies(items.map(subtopology).collect())
    }
}

fn subtopology(item: &str) -> Subtopology {
    let mut fields = item.split(':');
    let mut of = Subtopology::default().with_subtopology_id(text(fields.next().unwrap()));
    for field in fields {
        let (name, value) = field.split_once('=').unwrap();
        let names = || value.split('+').map(|name| text(name).into()).collect();
        let infos = || value.split('+').map(info).collect();
        match name {
            "read" => of.source_topics = names(),
            "write" => of.repartition_sink_topics = names(),
            "from" => of.repartition_source_topics = infos(),
            "store" => of.state_changelog_topics = infos(),
            "pattern" => of.source_topic_regex = value.split('+').map(text).collect(),
            "join" => {
                let group = copartitioned(&of, value);
                of.copartition_groups.push(group);
            }
            other => panic!("{other}"),
        }
    }
    of
}

/// A topic with its number of partitions, as `r*3`.
fn info(item: &str) -> TopicInfo {
    let (name, partitions) = item.split_once('*').unwrap_or((item, "0"));
    let config = KeyValue::default().with_key("cleanup.policy".into()).with_value("compact".into());
    TopicInfo::default()
        .with_name(text(name).into())
        .with_partitions(partitions.parse().unwrap())
        .with_topic_configs(vec![config])
}

fn copartitioned(of: &Subtopology, value: &str) -> CopartitionGroup {
    let mut group = CopartitionGroup::default();
    for topic in value.split('+') {
        let at = |index: usize| i16::try_from(index).unwrap();
        let source = of.source_topics.iter().position(|source| source.as_str() == topic);
        let repartition =
            of.repartition_source_topics.iter().position(|info| info.name.as_str() == topic);
        group.source_topics.extend(source.map(at));
        group.repartition_source_topics.extend(repartition.map(at));
    }
    group
}

fn tasks(told: &str) -> Vec<TaskIds> {
    let ids = |item: &str| {
        let (id, partitions) = item.split_once(':').unwrap();
        let partitions = partitions.split('+').map(|partition| partition.parse().unwrap());
        TaskIds::default().with_subtopology_id(text(id)).with_partitions(partitions.collect())
    };
    told.split(';').filter(|item| !item.is_empty()).map(ids).collect()
}

/// How far the states of tasks 0_1 and 0_2 are, as `0:1@500+2@9`.
fn task_offsets(told: &str) -> Vec<TaskOffset> {
    let of = |item: &str| {
        let (id, tasks) = item.split_once(':').unwrap();
        let offset = |task: &str| {
            let (partition, offset) = task.split_once('@').unwrap();
            TaskOffset::default()
                .with_subtopology_id(text(id))
                .with_partition(partition.parse().unwrap())
                .with_offset(offset.parse().unwrap())
        };
        tasks.split('+').map(offset).collect::<Vec<_>>()
    };
    told.split(';').filter(|item| !item.is_empty()).flat_map(of).collect()
}

/// `0_0,0_1`
fn ids<'a>(tasks: impl Iterator<Item = (&'a str, &'a Vec<i32>)>) -> String {
    let of =
        |(id, set): (&'a str, &'a Vec<i32>)| set.iter().map(move |task| format!("{id}_{task}"));
    let ids: Vec<String> = tasks.flat_map(of).collect();
    ids.join(",")
}

/// A label and a text; nothing if the text is empty.
fn labelled(label: &str, ids: &str) -> String {
    if ids.is_empty() { String::new() } else { format!(" {label}={ids}") }
}

fn answer(response: &StreamsGroupHeartbeatResponse) -> String {
    let mut shown = format!("{} epoch={}", response.member_id, response.member_epoch);
    let given = |tasks: &Option<Vec<GivenTaskIds>>| {
        ids(tasks.iter().flatten().map(|of| (of.subtopology_id.as_str(), &of.partitions)))
    };
    match &response.active_tasks {
        None => shown.push_str(" as before"),
        Some(_) => write!(shown, " active={}", given(&response.active_tasks)).unwrap(),
    }
    shown.push_str(&labelled("standby", &given(&response.standby_tasks)));
    shown.push_str(&labelled("warmup", &given(&response.warmup_tasks)));
    shown.push('\n');
    for status in response.status.iter().flatten() {
        writeln!(shown, "    status {}: {}", status.status_code, status.status_detail).unwrap();
    }
    let partitions = |of: &[TopicPartition]| {
        let topics = of.iter().map(|topic| format!("{}:{:?}", topic.topic.0, topic.partitions));
        topics.collect::<Vec<_>>().join(" ")
    };
    for of in response.partitions_by_user_endpoint.iter().flatten() {
        let (host, port) = (&of.user_endpoint.host, of.user_endpoint.port);
        let (active, standby) =
            (partitions(&of.active_partitions), partitions(&of.standby_partitions));
        let epoch = response.endpoint_information_epoch;
        writeln!(shown, "    endpoint {host}:{port} ({epoch}) active {active} standby {standby}")
            .unwrap();
    }
    shown
}

fn describe(group: &DescribedGroup) -> String {
    if let Some(error) = ResponseError::try_from_code(group.error_code) {
        let message = group.error_message.as_deref().unwrap_or_default();
        return format!("{} {error:?}: {message}\n", group.group_id.0);
    }
    let (epoch, assigned) = (group.group_epoch, group.assignment_epoch);
    let (id, state) = (&group.group_id.0, &group.group_state);
    let mut shown = format!("{id} {state} epoch={epoch} assigned={assigned}\n");
    let names = |topics: &[TopicName]| {
        topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join("+")
    };
    let infos = |topics: &[described::TopicInfo]| {
        let topics = topics.iter().map(|topic| format!("{}*{}", topic.name.0, topic.partitions));
        topics.collect::<Vec<_>>().join("+")
    };
    for of in group.topology.iter().filter_map(|topology| topology.subtopologies.as_ref()).flatten()
    {
        let (read, write) = (names(&of.source_topics), names(&of.repartition_sink_topics));
        let (from, store) =
            (infos(&of.repartition_source_topics), infos(&of.state_changelog_topics));
        let id = &of.subtopology_id;
        writeln!(shown, "    {id}: read={read} write={write} from={from} store={store}").unwrap();
    }
    let given = |tasks: &[described::TaskIds]| {
        ids(tasks.iter().map(|of| (of.subtopology_id.as_str(), &of.partitions)))
    };
    for member in &group.members {
        let (id, epoch, process) = (&member.member_id, member.member_epoch, &member.process_id);
        let active = given(&member.assignment.active_tasks);
        let standby = labelled("standby", &given(&member.assignment.standby_tasks));
        let target = given(&member.target_assignment.active_tasks);
        writeln!(
            shown,
            "    {id} of {process} epoch={epoch} active={active}{standby} target={target}"
        )
        .unwrap();
    }
    shown
}

/// The group, with one line for each member.
pub fn state(group: &StreamsGroup) -> String {
    let described = group.described();
    describe(&described)
}

pub fn record(record: &Record) -> Option<String> {
    let (_, group) = record.group_named().filter(|(kind, _)| *kind == GroupKind::Streams)?;
    Some(match record {
        Record::StreamsGroupMetadata(_, Some(value)) => {
            let configs = value.last_assignment_configs.iter().flatten();
            let configs: Vec<_> = configs.map(|of| format!("{}={}", of.key, of.value)).collect();
            let (epoch, topology) = (value.epoch, value.validated_topology_epoch);
            let hash = if value.metadata_hash == 0 { "no topics" } else { "hashed topics" };
            format!(
                "streams {group} epoch={epoch} topology={topology} {hash} {}",
                configs.join(",")
            )
        }
        Record::StreamsGroupMetadata(_, None) => format!("streams {group} tombstone"),
        Record::StreamsGroupMemberMetadata(key, None) => {
            format!("member {} tombstone", key.member_id)
        }
        Record::StreamsGroupMemberMetadata(key, Some(value)) => {
            let (process, topology) = (&value.process_id, value.topology_epoch);
            let endpoint = value.user_endpoint.as_ref();
            let endpoint =
                endpoint.map(|of| format!(" at {}:{}", of.host, of.port)).unwrap_or_default();
            let tags = value.client_tags.iter().map(|tag| format!(" {}:{}", tag.key, tag.value));
            let tags: String = tags.collect();
            let timeout = value.rebalance_timeout_ms;
            let id = &key.member_id;
            format!(
                "member {id} process={process} topology={topology} timeout={timeout}{endpoint}{tags}"
            )
        }
        Record::StreamsGroupTargetAssignmentMetadata(_, None) => "target tombstone".to_owned(),
        Record::StreamsGroupTargetAssignmentMetadata(_, Some(value)) => {
            format!("target epoch={} at={}", value.assignment_epoch, value.assignment_timestamp)
        }
        Record::StreamsGroupTargetAssignmentMember(key, None) => {
            format!("target {} tombstone", key.member_id)
        }
        Record::StreamsGroupTargetAssignmentMember(key, Some(value)) => {
            let active = ids(value
                .active_tasks
                .iter()
                .map(|of| (of.subtopology_id.as_str(), &of.partitions)));
            let standby =
                value.standby_tasks.iter().map(|of| (of.subtopology_id.as_str(), &of.partitions));
            let standby = labelled("standby", &ids(standby));
            format!("target {} active={active}{standby}", key.member_id)
        }
        Record::StreamsGroupCurrentMemberAssignment(key, None) => {
            format!("current {} tombstone", key.member_id)
        }
        Record::StreamsGroupCurrentMemberAssignment(key, Some(value)) => {
            current(&key.member_id, value)
        }
        Record::StreamsGroupTopology(_, None) => "topology tombstone".to_owned(),
        Record::StreamsGroupTopology(_, Some(value)) => {
            let count = value.subtopologies.len();
            format!("topology epoch={} subtopologies={count}", value.epoch)
        }
        _ => unreachable!("not of a streams group"),
    })
}

fn current(
    id: &str,
    value: &crate::codec::schema::group::StreamsGroupCurrentMemberAssignmentValue,
) -> String {
    let state = match value.state {
        1 => "stable",
        2 => "has to give back",
        3 => "waits for others",
        _ => "unknown",
    };
    let (epoch, previous) = (value.member_epoch, value.previous_member_epoch);
    let mut line = format!("current {id} {state} epoch={epoch} after={previous}");
    let parts = [
        ("active", &value.active_tasks),
        ("standby", &value.standby_tasks),
        ("back", &value.active_tasks_pending_revocation),
        ("standby-back", &value.standby_tasks_pending_revocation),
    ];
    for (label, tasks) in parts {
        let with_epochs = tasks.iter().flat_map(|of| {
            of.partitions.iter().enumerate().map(|(at, task)| {
                let since = of.assignment_epochs.as_ref().and_then(|epochs| epochs.get(at));
                let since = since.map(|epoch| format!("@{epoch}"));
                format!("{}_{task}{}", of.subtopology_id, since.unwrap_or_default())
            })
        });
        let shown: Vec<String> = with_epochs.collect();
        line.push_str(&labelled(label, &shown.join(",")));
    }
    line
}

/// A record that was replayed, made again from the group's state after that.
pub fn remade(shard: &Shard, record: &Record) -> Option<Record> {
    match shard.groups.get(record.group_named()?.1) {
        Some(Group::Streams(group)) => group.remade(record),
        _ => None,
    }
}
