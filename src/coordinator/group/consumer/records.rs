//! The records of consumer groups, and how they are replayed.

use super::member::{ConsumerMember, EpochPartitions, Subscription};
use super::{Consumer, ConsumerGroup, Resolved};
use crate::codec::schema::group::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::codec::schema::group::consumer_group_target_assignment_member_value::TopicPartition;
use crate::codec::schema::group::*;
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::modern::{Kind, MemberState, with_epochs};
use crate::coordinator::group::record::Record;
use crate::types::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The id of `MemberState::Stable` in the records.
const STABLE: i8 = 0;

impl Kind for Consumer {
    const NAME: &'static str = "consumer";
    const GIVEN: &'static str = "partitions";
    const SESSION_TIMEOUT: &'static str = "consumer.session.timeout.ms";
    const ASSIGNMENT_INTERVAL: &'static str = "consumer.assignment.interval.ms";
    type Member = Subscription;
    type Target = Partitions;
    type Assigned = EpochPartitions;

    fn count(&mut self, member: &ConsumerMember) {
        member.own.topics.iter().for_each(|topic| self.topics.add(topic));
        member.regex().into_iter().for_each(|regex| self.regexes.add(regex));
        for partition in member.partitions() {
            let epoch = self.partition_epochs.entry(partition).or_insert(member.epoch);
            *epoch = member.epoch.max(*epoch);
        }
    }

    fn discount(&mut self, member: &ConsumerMember) {
        member.own.topics.iter().for_each(|topic| self.topics.release(topic));
        member.regex().into_iter().for_each(|regex| self.regexes.release(regex));
        for partition in member.partitions() {
            // Another member may own it at a later epoch by now.
            if self.partition_epochs.get(&partition) == Some(&member.epoch) {
                self.partition_epochs.remove(&partition);
            }
        }
    }

    fn covers(assigned: &EpochPartitions, owned: &Partitions) -> bool {
        owned.iter().all(|(topic, partitions)| {
            let assigned = assigned.get(topic);
            assigned.is_some_and(|topic| partitions.iter().all(|index| topic.contains_key(index)))
        })
    }

    fn forget_epochs(assigned: &mut EpochPartitions) {
        let epochs = assigned.values_mut().flat_map(|partitions| partitions.values_mut());
        epochs.for_each(|epoch| *epoch = 0);
    }

    fn speaks_classic(member: &ConsumerMember) -> bool {
        member.is_classic()
    }

    fn member_record(group: &str, id: &str, member: Option<&ConsumerMember>) -> Record {
        let key =
            ConsumerGroupMemberMetadataKey { group_id: group.to_owned(), member_id: id.to_owned() };
        let value = member.map(|member| ConsumerGroupMemberMetadataValue {
            instance_id: member.instance_id.as_deref().map(str::to_owned),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.own.topics.iter().cloned().collect(),
            subscribed_topic_regex: member.own.topic_regex.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            server_assignor: member.own.server_assignor.clone(),
            classic_member_metadata: member.own.classic.as_deref().cloned(),
        });
        Record::ConsumerGroupMemberMetadata(key, value)
    }

    fn target_record(group: &str, id: &str, target: Option<&Partitions>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id };
        let topic = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| TopicPartition {
            topic_id: *topic,
            partitions: partitions.iter().copied().collect(),
        };
        let value = target.map(|target| ConsumerGroupTargetAssignmentMemberValue {
            topic_partitions: target.iter().map(topic).collect(),
        });
        Record::ConsumerGroupTargetAssignmentMember(key, value)
    }

    fn target_epoch_record(group: &str, epoch: Option<(i32, Timestamp)>) -> Record {
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: group.to_owned() };
        let value = epoch.map(|(assignment_epoch, assignment_timestamp)| {
            ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp }
        });
        Record::ConsumerGroupTargetAssignmentMetadata(key, value)
    }

    fn current_record(group: &str, id: &str, member: Option<&ConsumerMember>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id };
        let value = member.map(|member| ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: member.epoch,
            previous_member_epoch: member.previous_epoch,
            state: member.state.id(STABLE),
            assigned_partitions: topic_partitions(&member.assigned),
            partitions_pending_revocation: topic_partitions(&member.pending_revocation),
        });
        Record::ConsumerGroupCurrentMemberAssignment(key, value)
    }
}

impl Record {
    /// The group reached an epoch.
    pub fn consumer_epoch(group: &str, epoch: i32, metadata_hash: i64) -> Record {
        let key = ConsumerGroupMetadataKey { group_id: group.to_owned() };
        let value = ConsumerGroupMetadataValue { epoch, metadata_hash };
        Record::ConsumerGroupMetadata(key, Some(value))
    }

    /// The topics that a regular expression matches; None if nobody subscribes by it any more.
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

    /// Deletes the topics' partitions as Kafka before 4.1 wrote them.
    pub fn no_partition_metadata(group: &str) -> Record {
        let key = ConsumerGroupPartitionMetadataKey { group_id: group.to_owned() };
        Record::ConsumerGroupPartitionMetadata(key, None)
    }

    /// Deletes a group whose members have these ids, with all that belongs to it.
    pub fn consumer_group_gone(group: &ConsumerGroup, members: &[&str]) -> Vec<Record> {
        let id = &*group.id;
        let mut records = Vec::new();
        records.extend(members.iter().map(|member| Consumer::current_record(id, member, None)));
        records.extend(members.iter().map(|member| Consumer::target_record(id, member, None)));
        records.push(Consumer::target_epoch_record(id, None));
        records.extend(members.iter().map(|member| Consumer::member_record(id, member, None)));
        let regexes = group.resolved().keys();
        records.extend(regexes.map(|regex| Record::consumer_regex(id, regex, None)));
        records.push(Record::no_partition_metadata(id));
        let key = ConsumerGroupMetadataKey { group_id: id.to_owned() };
        records.push(Record::ConsumerGroupMetadata(key, None));
        records
    }
}

fn topic_partitions(partitions: &EpochPartitions) -> Vec<TopicPartitions> {
    let topics = partitions.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    });
    topics.collect()
}

fn epoch_partitions(topics: &[TopicPartitions], member_epoch: i32) -> EpochPartitions {
    let of_topic = |of: &TopicPartitions| {
        let epochs = of.assignment_epochs.as_deref();
        (of.topic_id, with_epochs(&of.partitions, epochs, member_epoch.max(0)))
    };
    topics.iter().map(of_topic).collect()
}

impl ConsumerGroup {
    /// Replays a record of this group. Tombstones of what does not exist change nothing.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::ConsumerGroupMetadata(_, Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::ConsumerGroupPartitionMetadata(_, value) => {
                self.own.has_partition_metadata = value.is_some();
            }
            Record::ConsumerGroupMemberMetadata(key, Some(value)) => {
                self.change(&key.member_id, |member| describe(member, value));
            }
            Record::ConsumerGroupMemberMetadata(key, None) => self.forget(&key.member_id),
            Record::ConsumerGroupCurrentMemberAssignment(key, Some(value)) => {
                self.change(&key.member_id, |member| assign(member, value));
            }
            Record::ConsumerGroupCurrentMemberAssignment(key, None) => self.dismiss(&key.member_id),
            Record::ConsumerGroupTargetAssignmentMember(key, value) => {
                self.set_target(&key.member_id, value.as_ref().map(partitions));
            }
            Record::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                let made = value.as_ref();
                self.set_target_epoch(
                    made.map(|of| (of.assignment_epoch, of.assignment_timestamp)),
                );
            }
            Record::ConsumerGroupRegularExpression(key, value) => {
                self.own.set_resolved(&key.regular_expression, value.as_ref().map(resolved));
            }
            other => unreachable!("not a record of a consumer group: {other:?}"),
        }
    }

    /// The records that delete the group, which is empty.
    pub fn tombstones(&self) -> Vec<Record> {
        Record::consumer_group_gone(self, &[])
    }
}

/// Sets what the record says about the member.
fn describe(member: &mut ConsumerMember, value: &ConsumerGroupMemberMetadataValue) {
    member.instance_id = value.instance_id.as_deref().map(Arc::from);
    member.rack_id = value.rack_id.clone();
    member.client_id = value.client_id.clone();
    member.client_host = value.client_host.clone();
    member.rebalance_timeout_ms = value.rebalance_timeout_ms;
    member.own = Subscription {
        topics: Arc::new(value.subscribed_topic_names.iter().cloned().collect()),
        topic_regex: value.subscribed_topic_regex.clone(),
        server_assignor: value.server_assignor.clone(),
        classic: value.classic_member_metadata.clone().map(Arc::new),
    };
}

/// Sets where the record says the member is, and its partitions.
fn assign(member: &mut ConsumerMember, value: &ConsumerGroupCurrentMemberAssignmentValue) {
    member.epoch = value.member_epoch;
    member.previous_epoch = value.previous_member_epoch;
    member.state = MemberState::from_id(value.state, STABLE);
    member.assigned = Arc::new(epoch_partitions(&value.assigned_partitions, value.member_epoch));
    member.pending_revocation =
        Arc::new(epoch_partitions(&value.partitions_pending_revocation, value.member_epoch));
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
