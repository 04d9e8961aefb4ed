//! The records of a streams group, and their replay (StreamsCoordinatorRecordHelpers,
//! GroupMetadataManager.replay).

use super::member::{Member, MemberState};
use super::tasks::{Assigned, TaskIds, Tasks};
use super::topology::Topology;
use super::{Configs, StreamsGroup};
use crate::codec::schema::group::streams_group_current_member_assignment_value::TaskIds as CurrentTaskIds;
use crate::codec::schema::group::streams_group_member_metadata_value::{Endpoint, KeyValue};
use crate::codec::schema::group::streams_group_metadata_value::LastAssignmentConfig;
use crate::codec::schema::group::streams_group_target_assignment_member_value::TaskIds as TargetTaskIds;
use crate::codec::schema::group::*;
use crate::coordinator::group::record::Record;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Epoch of a member whose removal has begun.
const REMOVED_EPOCH: i32 = -1;

/// What a member is.
pub fn member(group: &str, member: &Member) -> Record {
    let endpoint = |(host, port): &(String, u16)| Endpoint { host: host.clone(), port: *port };
    let tags = member.client_tags.iter();
    let value = StreamsGroupMemberMetadataValue {
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        topology_epoch: member.topology_epoch,
        process_id: member.process_id.clone(),
        user_endpoint: member.user_endpoint.as_ref().map(endpoint),
        client_tags: tags
            .map(|(key, value)| KeyValue { key: key.clone(), value: value.clone() })
            .collect(),
    };
    Record::StreamsGroupMemberMetadata(member_key(group, &member.id), Some(value))
}

/// The group reached an epoch.
pub fn epoch(
    group: &str,
    epoch: i32,
    metadata_hash: i64,
    validated_topology_epoch: i32,
    configs: &Configs,
) -> Record {
    let config = |(key, value): (&String, &String)| LastAssignmentConfig {
        key: key.clone(),
        value: value.clone(),
    };
    let value = StreamsGroupMetadataValue {
        epoch,
        metadata_hash,
        validated_topology_epoch,
        last_assignment_configs: Some(configs.iter().map(config).collect()),
        ..StreamsGroupMetadataValue::default()
    };
    let key = StreamsGroupMetadataKey { group_id: group.to_owned() };
    Record::StreamsGroupMetadata(key, Some(value))
}

/// The group's topology.
pub fn topology(group: &str, value: StreamsGroupTopologyValue) -> Record {
    let key = StreamsGroupTopologyKey { group_id: group.to_owned() };
    Record::StreamsGroupTopology(key, Some(value))
}

/// What a member is to have.
pub fn target(group: &str, member: &str, tasks: &Tasks) -> Record {
    let ids = |tasks: &TaskIds| {
        let ids = |(id, set): (&String, &std::collections::BTreeSet<i32>)| TargetTaskIds {
            subtopology_id: id.clone(),
            partitions: set.iter().copied().collect(),
        };
        tasks.iter().map(ids).collect()
    };
    let value = StreamsGroupTargetAssignmentMemberValue {
        active_tasks: ids(&tasks.active),
        standby_tasks: ids(&tasks.standby),
        warmup_tasks: ids(&tasks.warmup),
    };
    Record::StreamsGroupTargetAssignmentMember(target_key(group, member), Some(value))
}

/// The target assignment is that of an epoch.
pub fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> Record {
    let key = StreamsGroupTargetAssignmentMetadataKey { group_id: group.to_owned() };
    let value =
        StreamsGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
    Record::StreamsGroupTargetAssignmentMetadata(key, Some(value))
}

/// What a member has, and has to give back.
pub fn current(group: &str, member: &Member) -> Record {
    let value = StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch,
        previous_member_epoch: member.previous_epoch,
        state: member.state.id(),
        active_tasks: ids_with_epochs(&member.assigned),
        standby_tasks: ids(&member.assigned.standby),
        warmup_tasks: ids(&member.assigned.warmup),
        active_tasks_pending_revocation: ids_with_epochs(&member.pending_revocation),
        standby_tasks_pending_revocation: ids(&member.pending_revocation.standby),
        warmup_tasks_pending_revocation: ids(&member.pending_revocation.warmup),
    };
    Record::StreamsGroupCurrentMemberAssignment(current_key(group, &member.id), Some(value))
}

/// A member is no more.
pub fn member_tombstones(group: &str, member: &str) -> [Record; 3] {
    [
        Record::StreamsGroupCurrentMemberAssignment(current_key(group, member), None),
        Record::StreamsGroupTargetAssignmentMember(target_key(group, member), None),
        Record::StreamsGroupMemberMetadata(member_key(group, member), None),
    ]
}

/// A group without members is no more.
pub fn group_tombstones(group: &str) -> [Record; 3] {
    let group_id = || group.to_owned();
    let target = StreamsGroupTargetAssignmentMetadataKey { group_id: group_id() };
    let topology = StreamsGroupTopologyKey { group_id: group_id() };
    [
        Record::StreamsGroupTargetAssignmentMetadata(target, None),
        Record::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id: group_id() }, None),
        Record::StreamsGroupTopology(topology, None),
    ]
}

impl Record {
    /// The group that a record of a streams group is of.
    pub fn streams_group(&self) -> Option<&str> {
        Some(match self {
            Record::StreamsGroupMetadata(key, _) => &key.group_id,
            Record::StreamsGroupMemberMetadata(key, _) => &key.group_id,
            Record::StreamsGroupTargetAssignmentMetadata(key, _) => &key.group_id,
            Record::StreamsGroupTargetAssignmentMember(key, _) => &key.group_id,
            Record::StreamsGroupCurrentMemberAssignment(key, _) => &key.group_id,
            Record::StreamsGroupTopology(key, _) => &key.group_id,
            _ => return None,
        })
    }
}

fn member_key(group: &str, member: &str) -> StreamsGroupMemberMetadataKey {
    StreamsGroupMemberMetadataKey { group_id: group.to_owned(), member_id: member.to_owned() }
}

fn target_key(group: &str, member: &str) -> StreamsGroupTargetAssignmentMemberKey {
    let (group_id, member_id) = (group.to_owned(), member.to_owned());
    StreamsGroupTargetAssignmentMemberKey { group_id, member_id }
}

fn current_key(group: &str, member: &str) -> StreamsGroupCurrentMemberAssignmentKey {
    let (group_id, member_id) = (group.to_owned(), member.to_owned());
    StreamsGroupCurrentMemberAssignmentKey { group_id, member_id }
}

fn ids(tasks: &TaskIds) -> Vec<CurrentTaskIds> {
    let ids = |(id, set): (&String, &std::collections::BTreeSet<i32>)| CurrentTaskIds {
        subtopology_id: id.clone(),
        partitions: set.iter().copied().collect(),
        ..CurrentTaskIds::default()
    };
    tasks.iter().map(ids).collect()
}

fn ids_with_epochs(assigned: &Assigned) -> Vec<CurrentTaskIds> {
    let ids = |(id, tasks): (&String, &BTreeMap<i32, i32>)| CurrentTaskIds {
        subtopology_id: id.clone(),
        partitions: tasks.keys().copied().collect(),
        assignment_epochs: Some(tasks.values().copied().collect()),
    };
    assigned.active.iter().map(ids).collect()
}

impl StreamsGroup {
    /// Replays a record of this group; tombstones of what is not there change nothing.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::StreamsGroupMetadata(_, Some(value)) => self.replay_epoch(value),
            Record::StreamsGroupMemberMetadata(key, value) => match value {
                Some(value) => self.replay_member(&key.member_id, value),
                None => self.remove_member(&key.member_id),
            },
            Record::StreamsGroupTargetAssignmentMetadata(_, value) => {
                let written = value.as_ref();
                self.target_epoch = written.map_or(REMOVED_EPOCH, |value| value.assignment_epoch);
                self.target_timestamp = written.map_or(0, |value| value.assignment_timestamp);
            }
            Record::StreamsGroupTargetAssignmentMember(key, Some(value)) => {
                self.target.insert(key.member_id.as_str().into(), Tasks::from_record(value));
            }
            Record::StreamsGroupTargetAssignmentMember(key, None) => {
                self.target.remove(key.member_id.as_str());
            }
            Record::StreamsGroupCurrentMemberAssignment(key, value) => {
                self.replay_current(&key.member_id, value.as_ref());
            }
            Record::StreamsGroupTopology(_, value) => {
                self.topology = value.as_ref().map(|value| Arc::new(Topology::from_record(value)));
            }
            _ => unreachable!("not a record of a streams group: {record:?}"),
        }
    }

    fn replay_epoch(&mut self, value: &StreamsGroupMetadataValue) {
        let configs = value.last_assignment_configs.iter().flatten();
        self.epoch = value.epoch;
        self.metadata_hash = value.metadata_hash;
        self.validated_topology_epoch = value.validated_topology_epoch;
        self.last_configs = configs.map(|of| (of.key.clone(), of.value.clone())).collect();
    }

    fn replay_member(&mut self, id: &str, value: &StreamsGroupMemberMetadataValue) {
        let member = self.members.get(id).cloned().unwrap_or_else(|| Member::new(id));
        let endpoint = value.user_endpoint.as_ref();
        self.put_member(Member {
            instance_id: value.instance_id.clone(),
            rack_id: value.rack_id.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            topology_epoch: value.topology_epoch,
            process_id: value.process_id.clone(),
            user_endpoint: endpoint.map(|endpoint| (endpoint.host.clone(), endpoint.port)),
            client_tags: value
                .client_tags
                .iter()
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect(),
            ..member
        });
    }

    fn replay_current(
        &mut self,
        id: &str,
        value: Option<&StreamsGroupCurrentMemberAssignmentValue>,
    ) {
        let member = self.members.get(id).cloned();
        match (member, value) {
            (None, None) => {}
            (Some(member), None) => self.put_member(Member {
                epoch: REMOVED_EPOCH,
                previous_epoch: REMOVED_EPOCH,
                assigned: Assigned::default(),
                pending_revocation: Assigned::default(),
                ..member
            }),
            (member, Some(value)) => self.put_member(Member {
                epoch: value.member_epoch,
                previous_epoch: value.previous_member_epoch,
                state: MemberState::from_id(value.state),
                assigned: Assigned {
                    active: from_ids_with_epochs(&value.active_tasks, value.member_epoch),
                    standby: from_ids(&value.standby_tasks),
                    warmup: from_ids(&value.warmup_tasks),
                },
                pending_revocation: Assigned {
                    active: from_ids_with_epochs(
                        &value.active_tasks_pending_revocation,
                        value.member_epoch,
                    ),
                    standby: from_ids(&value.standby_tasks_pending_revocation),
                    warmup: from_ids(&value.warmup_tasks_pending_revocation),
                },
                ..member.unwrap_or_else(|| Member::new(id))
            }),
        }
    }
}

#[cfg(test)]
impl StreamsGroup {
    /// A record of this group, made of what it is now.
    pub(in crate::coordinator::group) fn remade(&self, record: &Record) -> Option<Record> {
        let id = &*self.id;
        match record {
            Record::StreamsGroupMetadata(_, Some(_)) => Some(epoch(
                id,
                self.epoch,
                self.metadata_hash,
                self.validated_topology_epoch,
                &self.last_configs,
            )),
            Record::StreamsGroupMemberMetadata(key, Some(_)) => {
                self.members.get(&*key.member_id).map(|of| member(id, of))
            }
            Record::StreamsGroupTargetAssignmentMetadata(_, Some(_)) => {
                Some(target_epoch(id, self.target_epoch, self.target_timestamp))
            }
            Record::StreamsGroupTargetAssignmentMember(key, Some(_)) => {
                self.target.get(&*key.member_id).map(|of| target(id, &key.member_id, of))
            }
            Record::StreamsGroupCurrentMemberAssignment(key, Some(_)) => {
                self.members.get(&*key.member_id).map(|of| current(id, of))
            }
            _ => None,
        }
    }
}

impl Tasks {
    fn from_record(value: &StreamsGroupTargetAssignmentMemberValue) -> Tasks {
        let ids = |tasks: &Vec<TargetTaskIds>| {
            let ids = |of: &TargetTaskIds| {
                (of.subtopology_id.clone(), of.partitions.iter().copied().collect())
            };
            tasks.iter().map(ids).collect()
        };
        Tasks {
            active: ids(&value.active_tasks),
            standby: ids(&value.standby_tasks),
            warmup: ids(&value.warmup_tasks),
        }
    }
}

fn from_ids(tasks: &[CurrentTaskIds]) -> TaskIds {
    let ids =
        |of: &CurrentTaskIds| (of.subtopology_id.clone(), of.partitions.iter().copied().collect());
    tasks.iter().map(ids).collect()
}

/// Brokers before 4.3 wrote no epochs; the member's stands for them.
fn from_ids_with_epochs(
    tasks: &[CurrentTaskIds],
    member_epoch: i32,
) -> BTreeMap<String, BTreeMap<i32, i32>> {
    let ids = |of: &CurrentTaskIds| {
        let epochs = of.assignment_epochs.as_ref();
        let epochs = epochs.filter(|epochs| epochs.len() == of.partitions.len());
        let epoch = |at: usize| epochs.map_or(member_epoch, |epochs| epochs[at]);
        let tasks = of.partitions.iter().enumerate().map(|(at, task)| (*task, epoch(at)));
        (of.subtopology_id.clone(), tasks.collect())
    };
    tasks.iter().map(ids).collect()
}
