//! The records of consumer groups, and the state that they make when they are replayed.

use super::member::{ConsumerMember, EpochPartitions};
use super::{ConsumerGroup, Resolved};
use crate::codec::schema::group::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::codec::schema::group::consumer_group_target_assignment_member_value::TopicPartition;
use crate::codec::schema::group::*;
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::record::Record;
use crate::types::Timestamp;
use std::sync::Arc;

impl Record {
    /// The group that a record of a consumer group is of.
    pub fn consumer_group(&self) -> Option<&str> {
        Some(match self {
            Record::ConsumerGroupMetadata(key, _) => &key.group_id,
            Record::ConsumerGroupPartitionMetadata(key, _) => &key.group_id,
            Record::ConsumerGroupMemberMetadata(key, _) => &key.group_id,
            Record::ConsumerGroupTargetAssignmentMetadata(key, _) => &key.group_id,
            Record::ConsumerGroupTargetAssignmentMember(key, _) => &key.group_id,
            Record::ConsumerGroupCurrentMemberAssignment(key, _) => &key.group_id,
            Record::ConsumerGroupRegularExpression(key, _) => &key.group_id,
            _ => return None,
        })
    }

    /// What a member subscribes to.
    pub fn consumer_member(group: &str, member: &ConsumerMember) -> Record {
        let value = ConsumerGroupMemberMetadataValue {
            instance_id: member.instance_id.as_deref().map(str::to_owned),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.topics.iter().cloned().collect(),
            subscribed_topic_regex: member.topic_regex.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            server_assignor: member.server_assignor.clone(),
            classic_member_metadata: member.classic.as_deref().cloned(),
        };
        Record::ConsumerGroupMemberMetadata(member_key(group, &member.id), Some(value))
    }

    /// A group reached an epoch.
    pub fn consumer_epoch(group: &str, epoch: i32, metadata_hash: i64) -> Record {
        let key = ConsumerGroupMetadataKey { group_id: group.to_owned() };
        Record::ConsumerGroupMetadata(
            key,
            Some(ConsumerGroupMetadataValue { epoch, metadata_hash }),
        )
    }

    /// What a member shall own.
    pub fn consumer_target(group: &str, member: &str, target: &Partitions) -> Record {
        let topics = target.iter().map(|(topic_id, partitions)| TopicPartition {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        });
        let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect() };
        Record::ConsumerGroupTargetAssignmentMember(target_key(group, member), Some(value))
    }

    /// The epoch that the target assignment is for.
    pub fn consumer_target_epoch(group: &str, epoch: i32, now: Timestamp) -> Record {
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: group.to_owned() };
        let value = ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: epoch,
            assignment_timestamp: now,
        };
        Record::ConsumerGroupTargetAssignmentMetadata(key, Some(value))
    }

    /// What a member owns and where it is on its way.
    pub fn consumer_current(group: &str, member: &ConsumerMember) -> Record {
        let value = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: member.epoch,
            previous_member_epoch: member.previous_epoch,
            state: member.state.id(),
            assigned_partitions: topic_partitions(&member.assigned),
            partitions_pending_revocation: topic_partitions(&member.pending_revocation),
        };
        Record::ConsumerGroupCurrentMemberAssignment(current_key(group, &member.id), Some(value))
    }

    /// The topics that a regular expression matches; None when nobody subscribes by it any more.
    pub fn consumer_regex(group: &str, regex: &str, resolved: Option<&Resolved>) -> Record {
        let key = ConsumerGroupRegularExpressionKey {
            group_id: group.to_owned(),
            regular_expression: regex.to_owned(),
        };
        let value = |resolved: &Resolved| ConsumerGroupRegularExpressionValue {
            topics: resolved.topics.iter().cloned().collect(),
            version: resolved.version,
            timestamp: resolved.timestamp,
        };
        Record::ConsumerGroupRegularExpression(key, resolved.map(value))
    }

    /// Forgets the topics' partitions as Kafka before 4.1 kept them.
    pub fn no_partition_metadata(group: &str) -> Record {
        let key = ConsumerGroupPartitionMetadataKey { group_id: group.to_owned() };
        Record::ConsumerGroupPartitionMetadata(key, None)
    }

    /// Forgets what a member owns.
    pub fn no_consumer_current(group: &str, member: &str) -> Record {
        Record::ConsumerGroupCurrentMemberAssignment(current_key(group, member), None)
    }

    /// Forgets what a member shall own.
    pub fn no_consumer_target(group: &str, member: &str) -> Record {
        Record::ConsumerGroupTargetAssignmentMember(target_key(group, member), None)
    }

    /// Forgets a member, which owns nothing any more.
    pub fn no_consumer_member(group: &str, member: &str) -> Record {
        Record::ConsumerGroupMemberMetadata(member_key(group, member), None)
    }

    /// Forgets a member and all it has.
    pub fn consumer_member_gone(group: &str, member: &str) -> [Record; 3] {
        [
            Record::no_consumer_current(group, member),
            Record::no_consumer_target(group, member),
            Record::no_consumer_member(group, member),
        ]
    }

    /// Forgets a group whose members have these ids, and all it has.
    pub fn consumer_group_gone(group: &ConsumerGroup, members: &[&str]) -> Vec<Record> {
        let id = &*group.id;
        let mut records = Vec::new();
        records.extend(members.iter().map(|member| Record::no_consumer_current(id, member)));
        records.extend(members.iter().map(|member| Record::no_consumer_target(id, member)));
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: id.to_owned() };
        records.push(Record::ConsumerGroupTargetAssignmentMetadata(key, None));
        records.extend(members.iter().map(|member| Record::no_consumer_member(id, member)));
        let regexes = group.resolved().keys();
        records.extend(regexes.map(|regex| Record::consumer_regex(id, regex, None)));
        records.push(Record::no_partition_metadata(id));
        let key = ConsumerGroupMetadataKey { group_id: id.to_owned() };
        records.push(Record::ConsumerGroupMetadata(key, None));
        records
    }
}

fn member_key(group: &str, member: &str) -> ConsumerGroupMemberMetadataKey {
    ConsumerGroupMemberMetadataKey { group_id: group.to_owned(), member_id: member.to_owned() }
}

fn target_key(group: &str, member: &str) -> ConsumerGroupTargetAssignmentMemberKey {
    let (group_id, member_id) = (group.to_owned(), member.to_owned());
    ConsumerGroupTargetAssignmentMemberKey { group_id, member_id }
}

fn current_key(group: &str, member: &str) -> ConsumerGroupCurrentMemberAssignmentKey {
    let (group_id, member_id) = (group.to_owned(), member.to_owned());
    ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id }
}

fn topic_partitions(partitions: &EpochPartitions) -> Vec<TopicPartitions> {
    let topics = partitions.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    });
    topics.collect()
}

impl ConsumerGroup {
    /// Replays a record of this group; tombstones of what is not there change nothing.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::ConsumerGroupMetadata(_, Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::ConsumerGroupPartitionMetadata(_, value) => {
                self.has_partition_metadata = value.is_some();
            }
            Record::ConsumerGroupMemberMetadata(key, Some(value)) => {
                self.change_member(&key.member_id, |member| member.describe(value));
            }
            Record::ConsumerGroupMemberMetadata(key, None) => self.forget(&key.member_id),
            Record::ConsumerGroupCurrentMemberAssignment(key, value) => {
                if value.is_some() || self.member(&key.member_id).is_some() {
                    self.change_member(&key.member_id, |member| member.assign(value.as_ref()));
                }
            }
            Record::ConsumerGroupTargetAssignmentMember(key, value) => {
                self.set_target(&key.member_id, value.as_ref().map(partitions));
            }
            Record::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                let written = value.as_ref();
                self.assignment_epoch = written.map_or(-1, |value| value.assignment_epoch);
                self.assignment_timestamp = written.map_or(0, |value| value.assignment_timestamp);
            }
            Record::ConsumerGroupRegularExpression(key, value) => {
                self.set_resolved(&key.regular_expression, value.as_ref().map(resolved));
            }
            other => unreachable!("not a record of a consumer group: {other:?}"),
        }
    }

    /// What is written when the group, which is empty, is no more.
    pub fn tombstones(&self) -> Vec<Record> {
        Record::consumer_group_gone(self, &[])
    }

    fn change_member(&mut self, id: &str, change: impl FnOnce(&mut ConsumerMember)) {
        let known = self.member(id).map(|member| ConsumerMember::clone(member));
        let mut member = known.unwrap_or_else(|| ConsumerMember::new(Arc::from(id)));
        change(&mut member);
        self.put(member);
    }
}

fn partitions(value: &ConsumerGroupTargetAssignmentMemberValue) -> Partitions {
    let topics = value.topic_partitions.iter();
    topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect()
}

fn resolved(value: &ConsumerGroupRegularExpressionValue) -> Resolved {
    Resolved {
        topics: value.topics.iter().cloned().collect(),
        version: value.version,
        timestamp: value.timestamp,
    }
}
