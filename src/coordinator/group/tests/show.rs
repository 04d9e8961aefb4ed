//! Records, answers and state, as scripts show them.

use super::super::GroupId;
use super::super::classic::ClassicGroup;
use super::super::kind::Group;
use super::super::record::Record;
use super::super::shard::Shard;
use super::consumer::{decoded_assignment, show_group};
use crate::codec::messages::consumer_protocol_subscription::TopicPartition;
use crate::codec::messages::describe_groups_response::DescribedGroup;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::list_groups_response::ListedGroup;
use crate::codec::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::codec::messages::{
    ConsumerProtocolSubscription, JoinGroupResponse, OffsetCommitResponse, OffsetDeleteResponse,
    SyncGroupResponse,
};
use crate::error::{Error, Result};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::{Decodable, Encodable};
use std::fmt::Write as _;

/// A consumer's subscription to `t1+t2` (version 0 of ConsumerProtocolSubscription), or
/// `t1/t1-0+t1-1` with the partitions it owns (version 1).
pub fn subscription(text: &str) -> Bytes {
    let (topics, owned) = text.split_once('/').unwrap_or((text, ""));
    let version = i16::from(text.contains('/'));
    let topics = topics.split('+').filter(|topic| !topic.is_empty());
    let owned = owned.split('+').filter_map(|item| item.rsplit_once('-'));
    let owned = owned.map(|(topic, index)| {
        TopicPartition::default()
            .with_topic(super::text(topic).into())
            .with_partitions(vec![index.parse().unwrap()])
    });
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    ConsumerProtocolSubscription::default()
        .with_topics(topics.map(super::text).collect())
        .with_owned_partitions(owned.collect())
        .encode(&mut bytes, version)
        .unwrap();
    bytes.freeze()
}

fn topics(metadata: &Bytes) -> String {
    if metadata.len() < 2 {
        return String::new();
    }
    let mut metadata = metadata.slice(2..);
    let decoded = ConsumerProtocolSubscription::decode(&mut metadata, 0).unwrap();
    decoded.topics.iter().map(|topic| topic.to_string()).collect::<Vec<_>>().join("+")
}

pub fn code(code: i16) -> String {
    ResponseError::try_from_code(code).map_or_else(|| "ok".to_owned(), |error| format!("{error:?}"))
}

/// The error with this name, as `NotLeaderOrFollower`.
pub fn error(name: &str) -> ResponseError {
    let all = (-1..150).filter_map(ResponseError::try_from_code);
    all.into_iter().find(|error| format!("{error:?}") == name).unwrap()
}

pub fn failure(error: &Error) -> String {
    match error {
        Error::Explained(_, message) => format!("{:?}: {message}", error.code()),
        _ => format!("{:?}", error.code()),
    }
}

pub fn join(answer: &JoinGroupResponse) -> String {
    if answer.error_code != 0 && answer.error_code != 82 {
        return format!("join {} member={}", code(answer.error_code), answer.member_id);
    }
    let mut line = format!(
        "join {} generation={} protocol={} member={} leader={}",
        code(answer.error_code),
        answer.generation_id,
        answer.protocol_name.as_deref().unwrap_or("null"),
        answer.member_id,
        answer.leader
    );
    if answer.skip_assignment {
        line.push_str(" skip-assignment");
    }
    for member in &answer.members {
        let instance = member.group_instance_id.as_deref();
        let instance = instance.map(|instance| format!("@{instance}")).unwrap_or_default();
        write!(line, "\n    {}{instance} {}", member.member_id, topics(&member.metadata)).unwrap();
    }
    line
}

pub fn sync(answer: &SyncGroupResponse) -> String {
    match answer.error_code {
        0 => format!("sync ok assignment={}", decoded_assignment(&answer.assignment)),
        error => format!("sync {}", code(error)),
    }
}

pub fn leave(answers: &[MemberResponse]) -> String {
    let line = |answer: &MemberResponse| {
        let instance = answer.group_instance_id.as_deref();
        let instance = instance.map(|instance| format!("@{instance}")).unwrap_or_default();
        format!("{}{instance} {}\n", answer.member_id, code(answer.error_code))
    };
    answers.iter().map(line).collect()
}

pub fn commit(response: &OffsetCommitResponse) -> String {
    let partitions = response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let result = code(partition.error_code);
            format!("{}-{} {result}\n", &*topic.name.0, partition.partition_index)
        })
    });
    partitions.collect()
}

pub fn fetch(group: &OffsetFetchResponseGroup) -> String {
    let mut lines = String::new();
    for topic in &group.topics {
        for partition in &topic.partitions {
            let (name, index) = (&topic.name.0, partition.partition_index);
            let metadata = partition.metadata.as_deref().unwrap_or("null");
            let (offset, epoch) = (partition.committed_offset, partition.committed_leader_epoch);
            let result = code(partition.error_code);
            writeln!(lines, "{name}-{index} {result} offset={offset} epoch={epoch} {metadata:?}")
                .unwrap();
        }
    }
    lines
}

pub fn delete_offsets(response: &OffsetDeleteResponse) -> String {
    let partitions = response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let result = code(partition.error_code);
            format!("{}-{} {result}\n", &*topic.name.0, partition.partition_index)
        })
    });
    partitions.collect()
}

pub fn delete(ids: &[GroupId], results: Vec<Result<()>>) -> String {
    let lines = ids.iter().zip(results).map(|(id, result)| {
        let result = result.map_or_else(|error| failure(&error), |()| "ok".to_owned());
        format!("{id} {result}\n")
    });
    lines.collect()
}

pub fn describe(group: &DescribedGroup) -> String {
    let mut lines = format!(
        "{} {} {} protocol={:?}:{:?}\n",
        &*group.group_id.0,
        code(group.error_code),
        group.group_state,
        &*group.protocol_type,
        &*group.protocol_data
    );
    for member in &group.members {
        let assignment = decoded_assignment(&member.member_assignment);
        let (id, host, topics) =
            (&member.member_id, &member.client_host, topics(&member.member_metadata));
        writeln!(lines, "    {id} {host} {topics} assignment={assignment}").unwrap();
    }
    lines
}

pub fn list(mut groups: Vec<ListedGroup>) -> String {
    groups.sort_by_key(|group| group.group_id.0.to_string());
    let line = |group: &ListedGroup| {
        let (id, state) = (&*group.group_id.0, &group.group_state);
        format!("{id} {} {state} {:?}\n", group.group_type, &*group.protocol_type)
    };
    groups.iter().map(line).collect()
}

pub fn record(record: &Record) -> String {
    match record {
        Record::OffsetCommit(key, None) => {
            format!("offset {} {}-{} tombstone", key.group, key.topic, key.partition)
        }
        Record::OffsetCommit(key, Some(value)) => {
            let expires = match value.expire_timestamp {
                -1 => String::new(),
                at => format!(" expires={at}"),
            };
            format!(
                "offset {} {}-{} offset={} epoch={} {:?} at={}{expires}",
                key.group,
                key.topic,
                key.partition,
                value.offset,
                value.leader_epoch,
                value.metadata,
                value.commit_timestamp
            )
        }
        Record::GroupMetadata(key, None) => format!("group {} tombstone", key.group),
        Record::GroupMetadata(key, Some(value)) => {
            let mut line = format!(
                "group {} generation={} protocol={:?}:{} leader={} at={}",
                key.group,
                value.generation,
                value.protocol_type,
                value.protocol.as_deref().unwrap_or("null"),
                value.leader.as_deref().unwrap_or("null"),
                value.current_state_timestamp
            );
            for member in &value.members {
                let instance = member.group_instance_id.as_deref();
                let instance = instance.map(|instance| format!("@{instance}")).unwrap_or_default();
                let (topics, assignment) =
                    (topics(&member.subscription), decoded_assignment(&member.assignment));
                let id = &member.member_id;
                write!(line, "\n    {id}{instance} {topics} assignment={assignment}").unwrap();
            }
            line
        }
        other => super::streams::record(other).unwrap_or_else(|| format!("{other:?}")),
    }
}

pub fn state(shard: &Shard) -> String {
    let mut groups: Vec<_> = shard.groups.iter().collect();
    groups.sort_by_key(|(id, _)| (*id).clone());
    let mut lines = String::new();
    for (id, group) in groups {
        match group {
            Group::Classic(group) => lines.push_str(&classic(group)),
            Group::Consumer(group) => lines.push_str(&show_group(group, &shard.image)),
            Group::Streams(group) => lines.push_str(&super::streams::state(group)),
            Group::Share(group) => lines.push_str(&super::share::state(group, &shard.image)),
        }
        for (topic, partitions) in shard.offsets.of(id).into_iter().flatten() {
            for (partition, committed) in partitions {
                writeln!(lines, "    {topic}-{partition} offset={}", committed.offset).unwrap();
            }
        }
    }
    lines
}

fn classic(group: &ClassicGroup) -> String {
    let mut lines = format!(
        "{} {} generation={} protocol={}:{} leader={}\n",
        group.id,
        group.state(),
        group.generation,
        group.protocol_type.as_deref().unwrap_or("none"),
        group.protocol.as_deref().unwrap_or("none"),
        group.leader.as_deref().unwrap_or("none")
    );
    for member in group.members() {
        let instance = member.instance_id.as_deref();
        let instance = instance.map(|instance| format!("@{instance}")).unwrap_or_default();
        let waits = match (member.awaiting_join, member.awaiting_sync) {
            (Some(ticket), _) => format!(" joins by #{ticket}"),
            (_, Some(ticket)) => format!(" syncs by #{ticket}"),
            _ => String::new(),
        };
        let assignment = decoded_assignment(&member.assignment);
        writeln!(lines, "    {}{instance} assignment={assignment}{waits}", member.id).unwrap();
    }
    for member in &group.pending_joins {
        writeln!(lines, "    {member} has to join again").unwrap();
    }
    lines
}
