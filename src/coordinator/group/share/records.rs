//! The records of share groups, and how they are replayed.

use super::states::{ByTopic, OfTopic};
use super::{Share, ShareGroup, ShareMember, States, Subscription};
use crate::codec::schema::group::share_group_current_member_assignment_value::TopicPartitions;
use crate::codec::schema::group::share_group_state_partition_metadata_value::{
    TopicInfo, TopicPartitionsInfo,
};
use crate::codec::schema::group::share_group_target_assignment_member_value::TopicPartition;
use crate::codec::schema::group::*;
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::modern::{Kind, MemberState};
use crate::coordinator::group::record::Record;
use crate::types::Timestamp;
use std::sync::Arc;

/// The id of `MemberState::Stable` in the records.
const STABLE: i8 = 0;

impl Kind for Share {
    const NAME: &'static str = "share";
    const GIVEN: &'static str = "partitions";
    const SESSION_TIMEOUT: &'static str = "share.session.timeout.ms";
    const ASSIGNMENT_INTERVAL: &'static str = "share.assignment.interval.ms";
    type Member = Subscription;
    type Target = Partitions;
    type Assigned = Partitions;

    fn count(&mut self, member: &ShareMember) {
        member.own.iter().for_each(|topic| self.topics.add(topic));
    }

    fn discount(&mut self, member: &ShareMember) {
        member.own.iter().for_each(|topic| self.topics.release(topic));
    }

    fn covers(assigned: &Partitions, owned: &Partitions) -> bool {
        owned.iter().all(|(topic, partitions)| {
            assigned.get(topic).is_some_and(|assigned| partitions.is_subset(assigned))
        })
    }

    fn forget_epochs(_assigned: &mut Partitions) {}

    fn member_record(group: &str, id: &str, member: Option<&ShareMember>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let value = member.map(|member| ShareGroupMemberMetadataValue {
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.own.iter().cloned().collect(),
        });
        Record::ShareGroupMemberMetadata(ShareGroupMemberMetadataKey { group_id, member_id }, value)
    }

    fn target_record(group: &str, id: &str, target: Option<&Partitions>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let topics = |target: &Partitions| {
            let topics = target.iter().map(|(topic, partitions)| TopicPartition {
                topic_id: *topic,
                partitions: partitions.iter().copied().collect(),
            });
            ShareGroupTargetAssignmentMemberValue { topic_partitions: topics.collect() }
        };
        let key = ShareGroupTargetAssignmentMemberKey { group_id, member_id };
        Record::ShareGroupTargetAssignmentMember(key, target.map(topics))
    }

    fn target_epoch_record(group: &str, epoch: Option<(i32, Timestamp)>) -> Record {
        let key = ShareGroupTargetAssignmentMetadataKey { group_id: group.to_owned() };
        let value = epoch.map(|(assignment_epoch, assignment_timestamp)| {
            ShareGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp }
        });
        Record::ShareGroupTargetAssignmentMetadata(key, value)
    }

    fn current_record(group: &str, id: &str, member: Option<&ShareMember>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let value = member.map(|member| {
            let topics = member.assigned.iter().map(|(topic, partitions)| TopicPartitions {
                topic_id: *topic,
                partitions: partitions.iter().copied().collect(),
            });
            ShareGroupCurrentMemberAssignmentValue {
                member_epoch: member.epoch,
                previous_member_epoch: member.previous_epoch,
                state: member.state.id(STABLE),
                assigned_partitions: topics.collect(),
            }
        });
        let key = ShareGroupCurrentMemberAssignmentKey { group_id, member_id };
        Record::ShareGroupCurrentMemberAssignment(key, value)
    }
}

impl Record {
    /// The group reached an epoch.
    pub fn share_epoch(group: &str, epoch: i32, metadata_hash: i64) -> Record {
        let key = ShareGroupMetadataKey { group_id: group.to_owned() };
        Record::ShareGroupMetadata(key, Some(ShareGroupMetadataValue { epoch, metadata_hash }))
    }

    /// What the share coordinators know of the group.
    pub fn share_states(group: &str, states: Option<&States>) -> Record {
        let key = ShareGroupStatePartitionMetadataKey { group_id: group.to_owned() };
        let topics = |topics: &ByTopic| {
            let topics = topics.iter().map(|(topic_id, of)| TopicPartitionsInfo {
                topic_id: *topic_id,
                topic_name: of.name.clone(),
                partitions: of.partitions.iter().copied().collect(),
            });
            topics.collect()
        };
        let value = states.map(|states| ShareGroupStatePartitionMetadataValue {
            initializing_topics: topics(&states.initializing),
            initialized_topics: topics(&states.initialized),
            deleting_topics: (states.deleting.iter())
                .map(|(id, name)| TopicInfo { topic_id: *id, topic_name: name.clone() })
                .collect(),
        });
        Record::ShareGroupStatePartitionMetadata(key, value)
    }
}

impl ShareGroup {
    /// Replays a record of this group. Tombstones of what does not exist change nothing.
    pub fn replay(&mut self, record: &Record) {
        if !matches!(record, Record::ShareGroupCurrentMemberAssignment(..)) {
            // There may be something to assign, or to initialize.
            self.checked_at = None;
        }
        match record {
            Record::ShareGroupMetadata(_, Some(value)) => {
                (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash);
            }
            Record::ShareGroupMemberMetadata(key, Some(value)) => {
                self.change(&key.member_id, |member| describe(member, value));
            }
            Record::ShareGroupMemberMetadata(key, None) => self.forget(&key.member_id),
            Record::ShareGroupCurrentMemberAssignment(key, Some(value)) => {
                self.change(&key.member_id, |member| assign(member, value));
            }
            Record::ShareGroupCurrentMemberAssignment(key, None) => self.dismiss(&key.member_id),
            Record::ShareGroupTargetAssignmentMember(key, value) => {
                let topics = value.iter().flat_map(|value| &value.topic_partitions);
                let target =
                    topics.map(|of| (of.topic_id, of.partitions.iter().copied().collect()));
                self.set_target(&key.member_id, value.as_ref().map(|_| target.collect()));
            }
            Record::ShareGroupTargetAssignmentMetadata(_, value) => {
                let made = value.as_ref();
                self.set_target_epoch(
                    made.map(|of| (of.assignment_epoch, of.assignment_timestamp)),
                );
            }
            Record::ShareGroupStatePartitionMetadata(_, value) => {
                self.own.states = value.as_ref().map(states);
            }
            other => tracing::error!("not a record of a share group: {other:?}"),
        }
    }

    /// The records that delete the group, which is empty.
    pub fn tombstones(&self) -> Vec<Record> {
        let key = ShareGroupMetadataKey { group_id: self.id.to_string() };
        vec![
            Share::target_epoch_record(&self.id, None),
            Record::share_states(&self.id, None),
            Record::ShareGroupMetadata(key, None),
        ]
    }
}

/// Sets what the record says about the member.
fn describe(member: &mut ShareMember, value: &ShareGroupMemberMetadataValue) {
    member.rack_id = value.rack_id.clone();
    member.client_id = value.client_id.clone();
    member.client_host = value.client_host.clone();
    member.own = Arc::new(value.subscribed_topic_names.iter().cloned().collect());
}

/// Sets where the record says the member is, and its partitions.
fn assign(member: &mut ShareMember, value: &ShareGroupCurrentMemberAssignmentValue) {
    member.epoch = value.member_epoch;
    member.previous_epoch = value.previous_member_epoch;
    member.state = MemberState::from_id(value.state, STABLE);
    let topics = value.assigned_partitions.iter();
    let topics = topics.map(|of| (of.topic_id, of.partitions.iter().copied().collect()));
    member.assigned = Arc::new(topics.collect());
}

fn states(value: &ShareGroupStatePartitionMetadataValue) -> States {
    let topics = |topics: &[TopicPartitionsInfo]| {
        let of = |topic: &TopicPartitionsInfo| {
            let partitions = topic.partitions.iter().copied().collect();
            (topic.topic_id, OfTopic { name: topic.topic_name.clone(), partitions })
        };
        topics.iter().map(of).collect()
    };
    let deleting = value.deleting_topics.iter();
    States {
        initializing: topics(&value.initializing_topics),
        initialized: topics(&value.initialized_topics),
        deleting: deleting.map(|topic| (topic.topic_id, topic.topic_name.clone())).collect(),
    }
}
