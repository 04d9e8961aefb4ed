//! The commands of scripts that are about consumer groups: topics, settings of groups, heartbeats.

use super::super::assignor::Partitions;
use super::super::consumer::{ConsumerGroup, EpochPartitions, check_heartbeat, encode_assignment};
use super::super::record::Record;
use super::super::{RequestContext, text};
use super::{Args, World, show, topic_id};
use crate::codec::messages::consumer_group_describe_response::{Assignment, DescribedGroup};
use crate::codec::messages::consumer_group_heartbeat_request::TopicPartitions;
use crate::codec::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, StrBytes,
};
use crate::codec::schema::consumer::ConsumerProtocolAssignment;
use crate::codec::schema::group::consumer_group_current_member_assignment_value::TopicPartitions as Current;
use crate::codec::schema::group::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
};
use crate::codec::schema::metadata::{
    ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use crate::coordinator::state_machine::StateMachine;
use crate::error::Result;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{GROUP_CONFIG, Image};
use bytes::Bytes;
use kafka_protocol::protocol::Decodable;
use std::fmt::Write as _;
use std::sync::Arc;
use uuid::Uuid;

impl World {
    /// `topic name=t id=1 partitions=4`, or more partitions, or `gone`.
    pub fn topic(&mut self, args: &Args) {
        let (name, topic_id) = (args.get("name"), topic_id(args.get("id")));
        let known = self.shard.image.topics.by_id(topic_id).cloned();
        let mut records = Vec::new();
        if args.has("gone") {
            records.push(MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id }));
        } else if known.is_none() {
            let record = TopicRecord { name: name.to_owned(), topic_id };
            records.push(MetadataRecord::Topic(record));
        }
        let first = known.map_or(0, |topic| i32::try_from(topic.partitions.len()).unwrap());
        for partition_id in first..args.number("partitions", 1) {
            records.push(MetadataRecord::Partition(PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                ..PartitionRecord::default()
            }));
        }
        self.change_metadata(&records);
    }

    /// `config group=g consumer.session.timeout.ms=50000`
    pub fn config(&mut self, args: &Args) {
        let configs = args.named.iter().filter(|(key, _)| *key != "group");
        let records: Vec<MetadataRecord> = configs
            .map(|(name, value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type: GROUP_CONFIG,
                    resource_name: args.get("group").to_owned(),
                    name: name.clone(),
                    value: Some(value.clone()),
                })
            })
            .collect();
        self.change_metadata(&records);
    }

    fn change_metadata(&mut self, records: &[MetadataRecord]) {
        for record in records {
            self.metadata.replay(record).unwrap();
        }
        let mut image = Image::clone(&self.metadata.take().image);
        image.offset = self.shard.image.offset + 1;
        self.shard.apply(&Arc::new(image));
    }

    /// `member group=g member=m epoch=0 topics=t,u owns=t-0`
    pub fn member(&mut self, args: &Args) -> Result<String> {
        let request = args.member(&self.shard.image);
        let cx = RequestContext {
            api_version: args.number("version", 1),
            client_id: text(args.get("client")),
            client_host: "/127.0.0.1".into(),
        };
        check_heartbeat(&self.config, cx.api_version, &request)?;
        let outcome = self.shard.consumer_heartbeat(self.now, &cx, &request)?;
        let answer = self.finish(outcome)?;
        Ok(show_heartbeat(&answer, &self.shard.image))
    }

    /// Checks that no partition belongs to two members, and that no member is at an epoch that its
    /// group has not reached.
    pub fn check_consumers(&self) {
        for group in self.consumers() {
            let mut owned: Vec<(Uuid, i32)> =
                group.members().flat_map(|member| member.partitions()).collect();
            let count = owned.len();
            owned.sort_unstable();
            owned.dedup();
            assert_eq!(
                owned.len(),
                count,
                "a partition has two owners: {}",
                show_group(group, &self.shard.image)
            );
            assert!(group.assignment_epoch <= group.epoch);
            assert!(group.members().all(|member| member.epoch <= group.assignment_epoch));
        }
    }
}

impl Args {
    fn member(&self, image: &Image) -> ConsumerGroupHeartbeatRequest {
        let names = |key| self.list(key).map(|name| text(name).into()).collect();
        let owned = || {
            let owned = partitions(self.get("owns").trim_matches(','), ',', image).into_iter();
            let topic = |(topic_id, partitions): (Uuid, std::collections::BTreeSet<i32>)| {
                TopicPartitions::default()
                    .with_topic_id(topic_id)
                    .with_partitions(partitions.into_iter().collect())
            };
            owned.map(topic).collect()
        };
        let joins = self.number("epoch", 0) == 0;
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_member_epoch(self.number("epoch", 0))
            .with_instance_id(self.optional("instance"))
            .with_rack_id(self.optional("rack"))
            .with_rebalance_timeout_ms(self.number("rebalance", if joins { 300_000 } else { -1 }))
            .with_subscribed_topic_names(self.has("topics").then(|| names("topics")))
            .with_subscribed_topic_regex(self.optional("regex"))
            .with_server_assignor(self.optional("assignor"))
            .with_topic_partitions((joins || self.has("owns")).then(owned))
    }
}

/// `t-0,t-1`
pub fn partitions(text: &str, separator: char, image: &Image) -> Partitions {
    let mut partitions = Partitions::new();
    for item in text.split(separator).filter(|item| !item.is_empty()) {
        let (topic, index) = item.rsplit_once('-').unwrap();
        let id = image.topics.by_name(topic).map_or_else(|| topic_id(topic), |topic| topic.id);
        partitions.entry(id).or_default().insert(index.parse().unwrap());
    }
    partitions
}

/// The assignment `t-0+t-1`, as a leader of the classic protocol encodes it.
pub fn encoded_assignment(text: &str, image: &Image) -> Bytes {
    encode_assignment(&partitions(text, '+', image), image, 3)
}

/// The reverse. What is not an assignment is shown as it is.
pub fn decoded_assignment(assignment: &Bytes) -> String {
    if assignment.first() != Some(&0) {
        return String::from_utf8_lossy(assignment).into_owned();
    }
    let mut bytes = assignment.slice(2..);
    let decoded = ConsumerProtocolAssignment::decode(&mut bytes, 3).unwrap();
    let topics = decoded.assigned_partitions.iter();
    let shown: Vec<String> = topics
        .flat_map(|topic| topic.partitions.iter().map(|index| format!("{}-{index}", topic.topic)))
        .collect();
    format!("[{}]", shown.join(" "))
}

fn shown<'a>(topics: impl Iterator<Item = (&'a Uuid, Vec<String>)>, image: &Image) -> String {
    let mut items = Vec::new();
    for (id, partitions) in topics {
        let name = image.topics.by_id(*id).map(|topic| topic.name.to_string());
        let name = name.unwrap_or_else(|| format!("#{}", id.as_u128()));
        items.extend(partitions.into_iter().map(|partition| format!("{name}-{partition}")));
    }
    items.sort();
    format!("[{}]", items.join(" "))
}

pub fn shown_target(partitions: &Partitions, image: &Image) -> String {
    let texts = |p: &std::collections::BTreeSet<i32>| p.iter().map(ToString::to_string).collect();
    shown(partitions.iter().map(|(id, partitions)| (id, texts(partitions))), image)
}

fn shown_current(partitions: &EpochPartitions, image: &Image) -> String {
    let texts = |p: &std::collections::BTreeMap<i32, i32>| {
        p.iter().map(|(index, epoch)| format!("{index}@{epoch}")).collect()
    };
    shown(partitions.iter().map(|(id, partitions)| (id, texts(partitions))), image)
}

fn show_heartbeat(answer: &ConsumerGroupHeartbeatResponse, image: &Image) -> String {
    let texts = |p: &[i32]| p.iter().map(ToString::to_string).collect();
    let assignment = answer.assignment.as_ref().map_or_else(String::new, |assignment| {
        let topics = assignment.topic_partitions.iter();
        let topics = topics.map(|topic| (&topic.topic_id, texts(&topic.partitions)));
        format!(" assignment={}", shown(topics, image))
    });
    let id = answer.member_id.as_ref().map_or("null", StrBytes::as_str);
    format!("member {id} epoch={}{assignment}\n", answer.member_epoch)
}

fn shown_member(value: &ConsumerGroupMemberMetadataValue) -> String {
    let mut line = String::new();
    let optional = [
        ("@", value.instance_id.as_deref()),
        (" rack=", value.rack_id.as_deref()),
        (" regex=", value.subscribed_topic_regex.as_deref().filter(|r| !r.is_empty())),
        (" assignor=", value.server_assignor.as_deref()),
    ];
    for (name, text) in optional.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        write!(line, "{name}{text}").unwrap();
    }
    write!(line, " topics={}", value.subscribed_topic_names.join("+")).unwrap();
    if let Some(classic) = &value.classic_member_metadata {
        let names: Vec<&str> = classic.supported_protocols.iter().map(|p| &*p.name).collect();
        write!(line, " classic={}", names.join("+")).unwrap();
    }
    line
}

fn shown_current_record(
    value: &ConsumerGroupCurrentMemberAssignmentValue,
    image: &Image,
) -> String {
    let current = |topics: &[Current]| {
        let texts = |topic: &Current| {
            let epochs = topic.assignment_epochs.as_ref().unwrap();
            topic.partitions.iter().zip(epochs).map(|(i, e)| format!("{i}@{e}")).collect()
        };
        shown(topics.iter().map(|topic| (&topic.topic_id, texts(topic))), image)
    };
    let state = ["stable", "unrevoked", "unreleased"];
    let state = state.get(usize::try_from(value.state).unwrap()).unwrap_or(&"unknown");
    format!(
        "epoch={} previous={} {state} owns={} revokes={}",
        value.member_epoch,
        value.previous_member_epoch,
        current(&value.assigned_partitions),
        current(&value.partitions_pending_revocation)
    )
}

/// A record of a consumer group; None if it is another kind's.
pub fn show_record(record: &Record, image: &Image) -> Option<String> {
    Some(match record {
        Record::ConsumerGroupMetadata(key, value) => match value {
            None => format!("consumer-group {} tombstone", key.group_id),
            Some(value) => format!("consumer-group {} epoch={}", key.group_id, value.epoch),
        },
        Record::ConsumerGroupPartitionMetadata(key, None) => {
            format!("consumer-topics {} tombstone", key.group_id)
        }
        Record::ConsumerGroupMemberMetadata(key, value) => {
            let of = format!("consumer-member {} {}", key.group_id, key.member_id);
            value.as_ref().map_or_else(
                || format!("{of} tombstone"),
                |value| format!("{of}{}", shown_member(value)),
            )
        }
        Record::ConsumerGroupTargetAssignmentMetadata(key, value) => match value {
            None => format!("consumer-target {} tombstone", key.group_id),
            Some(value) => format!(
                "consumer-target {} epoch={} at={}",
                key.group_id, value.assignment_epoch, value.assignment_timestamp
            ),
        },
        Record::ConsumerGroupTargetAssignmentMember(key, value) => {
            let value = value.as_ref().map_or_else(
                || "tombstone".to_owned(),
                |value| {
                    let texts = |p: &[i32]| p.iter().map(ToString::to_string).collect();
                    let topics = value.topic_partitions.iter();
                    shown(topics.map(|t| (&t.topic_id, texts(&t.partitions))), image)
                },
            );
            format!("consumer-target {} {} {value}", key.group_id, key.member_id)
        }
        Record::ConsumerGroupCurrentMemberAssignment(key, value) => {
            let value = value.as_ref().map(|value| shown_current_record(value, image));
            let value = value.unwrap_or_else(|| "tombstone".to_owned());
            format!("consumer-current {} {} {value}", key.group_id, key.member_id)
        }
        Record::ConsumerGroupRegularExpression(key, value) => {
            let value = value.as_ref().map_or_else(
                || "tombstone".to_owned(),
                |value| {
                    format!(
                        "topics={} version={} at={}",
                        value.topics.join("+"),
                        value.version,
                        value.timestamp
                    )
                },
            );
            format!("consumer-regex {} {} {value}", key.group_id, key.regular_expression)
        }
        _ => return None,
    })
}

pub fn show_group(group: &ConsumerGroup, image: &Image) -> String {
    let mut lines = format!(
        "{} {} epoch={} assigned={}\n",
        group.id,
        group.state(),
        group.epoch,
        group.assignment_epoch
    );
    for member in group.members() {
        let instance = member.instance_id.as_deref().map(|instance| format!("@{instance}"));
        writeln!(
            lines,
            "    {}{}{} epoch={} {:?} owns={} revokes={} target={}",
            member.id,
            instance.unwrap_or_default(),
            if member.is_classic() { " classic" } else { "" },
            member.epoch,
            member.state,
            shown_current(&member.assigned, image),
            shown_current(&member.pending_revocation, image),
            shown_target(&group.target(&member.id), image)
        )
        .unwrap();
    }
    for (regex, resolved) in group.resolved() {
        let topics: Vec<&str> = resolved.topics.iter().map(String::as_str).collect();
        writeln!(lines, "    regex {regex} topics={}", topics.join("+")).unwrap();
    }
    lines
}

pub fn show_described(group: &DescribedGroup) -> String {
    if group.error_code != 0 {
        let message = group.error_message.as_deref().unwrap_or("null");
        return format!("{} {}: {message}\n", &*group.group_id.0, show::code(group.error_code));
    }
    let mut lines = format!(
        "{} {} epoch={} assigned={} assignor={}\n",
        &*group.group_id.0,
        group.group_state,
        group.group_epoch,
        group.assignment_epoch,
        group.assignor_name
    );
    let shown = |assignment: &Assignment| {
        let topics = assignment.topic_partitions.iter().flat_map(|topic| {
            topic.partitions.iter().map(|index| format!("{}-{index}", &*topic.topic_name.0))
        });
        format!("[{}]", topics.collect::<Vec<_>>().join(" "))
    };
    for member in &group.members {
        writeln!(
            lines,
            "    {} type={} epoch={} owns={} target={}",
            member.member_id,
            member.member_type,
            member.member_epoch,
            shown(&member.assignment),
            shown(&member.target_assignment)
        )
        .unwrap();
    }
    lines
}
