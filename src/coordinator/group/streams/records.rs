//! The records of streams groups, and how they are replayed (StreamsCoordinatorRecordHelpers,
//! GroupMetadataManager.replay).

use super::member::{StreamsMember, StreamsThread};
use super::tasks::{Assigned, TaskIds, Tasks};
use super::topology::Topology;
use super::{Configs, Streams, StreamsGroup};
use crate::codec::schema::group::streams_group_current_member_assignment_value::TaskIds as CurrentTaskIds;
use crate::codec::schema::group::streams_group_member_metadata_value::{Endpoint, KeyValue};
use crate::codec::schema::group::streams_group_metadata_value::LastAssignmentConfig;
use crate::codec::schema::group::streams_group_target_assignment_member_value::TaskIds as TargetTaskIds;
use crate::codec::schema::group::*;
use crate::coordinator::group::modern::{Kind, MemberState, with_epochs};
use crate::coordinator::group::record::Record;
use crate::types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The id of `MemberState::Stable` in the records.
const STABLE: i8 = 1;

impl Kind for Streams {
    const NAME: &'static str = "streams";
    const GIVEN: &'static str = "tasks";
    const SESSION_TIMEOUT: &'static str = "streams.session.timeout.ms";
    const ASSIGNMENT_INTERVAL: &'static str = "streams.assignment.interval.ms";
    type Member = StreamsThread;
    type Target = Tasks;
    type Assigned = Assigned;

    fn count(&mut self, member: &StreamsMember) {
        self.owners.add(&member.assigned, &member.own.process_id);
        self.owners.add(&member.pending_revocation, &member.own.process_id);
    }

    fn discount(&mut self, member: &StreamsMember) {
        self.owners.remove(&member.assigned, &member.own.process_id);
        self.owners.remove(&member.pending_revocation, &member.own.process_id);
    }

    fn covers(assigned: &Assigned, owned: &Tasks) -> bool {
        assigned.contains_all(owned)
    }

    fn forget_epochs(assigned: &mut Assigned) {
        let epochs = assigned.active.values_mut().flat_map(|tasks| tasks.values_mut());
        epochs.for_each(|epoch| *epoch = 0);
    }

    fn member_record(group: &str, id: &str, member: Option<&StreamsMember>) -> Record {
        let key =
            StreamsGroupMemberMetadataKey { group_id: group.to_owned(), member_id: id.to_owned() };
        let endpoint = |(host, port): &(String, u16)| Endpoint { host: host.clone(), port: *port };
        let tag =
            |(key, value): (&String, &String)| KeyValue { key: key.clone(), value: value.clone() };
        let value = member.map(|member| StreamsGroupMemberMetadataValue {
            instance_id: member.instance_id.as_deref().map(str::to_owned),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            topology_epoch: member.own.topology_epoch,
            process_id: member.own.process_id.clone(),
            user_endpoint: member.own.user_endpoint.as_ref().map(endpoint),
            client_tags: member.own.client_tags.iter().map(tag).collect(),
        });
        Record::StreamsGroupMemberMetadata(key, value)
    }

    fn target_record(group: &str, id: &str, target: Option<&Tasks>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let key = StreamsGroupTargetAssignmentMemberKey { group_id, member_id };
        let of = |(id, tasks): (&String, &BTreeSet<i32>)| TargetTaskIds {
            subtopology_id: id.clone(),
            partitions: tasks.iter().copied().collect(),
        };
        let value = target.map(|target| StreamsGroupTargetAssignmentMemberValue {
            active_tasks: target.active.iter().map(of).collect(),
            standby_tasks: target.standby.iter().map(of).collect(),
            warmup_tasks: target.warmup.iter().map(of).collect(),
        });
        Record::StreamsGroupTargetAssignmentMember(key, value)
    }

    fn target_epoch_record(group: &str, epoch: Option<(i32, Timestamp)>) -> Record {
        let key = StreamsGroupTargetAssignmentMetadataKey { group_id: group.to_owned() };
        let value = epoch.map(|(assignment_epoch, assignment_timestamp)| {
            StreamsGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp }
        });
        Record::StreamsGroupTargetAssignmentMetadata(key, value)
    }

    fn current_record(group: &str, id: &str, member: Option<&StreamsMember>) -> Record {
        let (group_id, member_id) = (group.to_owned(), id.to_owned());
        let key = StreamsGroupCurrentMemberAssignmentKey { group_id, member_id };
        let value = member.map(|member| StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: member.epoch,
            previous_member_epoch: member.previous_epoch,
            state: member.state.id(STABLE),
            active_tasks: ids_with_epochs(&member.assigned),
            standby_tasks: ids(&member.assigned.standby),
            warmup_tasks: ids(&member.assigned.warmup),
            active_tasks_pending_revocation: ids_with_epochs(&member.pending_revocation),
            standby_tasks_pending_revocation: ids(&member.pending_revocation.standby),
            warmup_tasks_pending_revocation: ids(&member.pending_revocation.warmup),
        });
        Record::StreamsGroupCurrentMemberAssignment(key, value)
    }
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

pub fn topology(group: &str, value: StreamsGroupTopologyValue) -> Record {
    let key = StreamsGroupTopologyKey { group_id: group.to_owned() };
    Record::StreamsGroupTopology(key, Some(value))
}

/// The tombstones of a group without members.
pub fn group_tombstones(group: &str) -> Vec<Record> {
    let group_id = || group.to_owned();
    let topology = StreamsGroupTopologyKey { group_id: group_id() };
    vec![
        Streams::target_epoch_record(group, None),
        Record::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id: group_id() }, None),
        Record::StreamsGroupTopology(topology, None),
    ]
}

fn ids(tasks: &TaskIds) -> Vec<CurrentTaskIds> {
    let ids = |(id, set): (&String, &BTreeSet<i32>)| CurrentTaskIds {
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
    /// Replays a record of this group. Tombstones of what does not exist change nothing.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::StreamsGroupMetadata(_, Some(value)) => {
                let configs = value.last_assignment_configs.iter().flatten();
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
                self.own.validated_topology_epoch = value.validated_topology_epoch;
                self.own.last_configs =
                    configs.map(|of| (of.key.clone(), of.value.clone())).collect();
            }
            Record::StreamsGroupMemberMetadata(key, Some(value)) => {
                self.change(&key.member_id, |member| describe(member, value));
            }
            Record::StreamsGroupMemberMetadata(key, None) => self.remove_member(&key.member_id),
            Record::StreamsGroupTargetAssignmentMetadata(_, value) => {
                let made = value.as_ref();
                self.set_target_epoch(
                    made.map(|of| (of.assignment_epoch, of.assignment_timestamp)),
                );
            }
            Record::StreamsGroupTargetAssignmentMember(key, value) => {
                self.set_target(&key.member_id, value.as_ref().map(Tasks::from_record));
            }
            Record::StreamsGroupCurrentMemberAssignment(key, Some(value)) => {
                self.change(&key.member_id, |member| assign(member, value));
            }
            Record::StreamsGroupCurrentMemberAssignment(key, None) => self.dismiss(&key.member_id),
            Record::StreamsGroupTopology(_, value) => {
                let topology = value.as_ref().map(Topology::from_record);
                self.own.topology = topology.map(Arc::new);
            }
            _ => unreachable!("not a record of a streams group: {record:?}"),
        }
    }
}

/// Sets what the record says about the member.
fn describe(member: &mut StreamsMember, value: &StreamsGroupMemberMetadataValue) {
    let endpoint = value.user_endpoint.as_ref();
    let tags = value.client_tags.iter();
    member.instance_id = value.instance_id.as_deref().map(Arc::from);
    member.rack_id = value.rack_id.clone();
    member.client_id = value.client_id.clone();
    member.client_host = value.client_host.clone();
    member.rebalance_timeout_ms = value.rebalance_timeout_ms;
    member.own = StreamsThread {
        topology_epoch: value.topology_epoch,
        process_id: value.process_id.clone(),
        user_endpoint: endpoint.map(|endpoint| (endpoint.host.clone(), endpoint.port)),
        client_tags: tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
    };
}

/// Sets where the record says the member is, and its tasks.
fn assign(member: &mut StreamsMember, value: &StreamsGroupCurrentMemberAssignmentValue) {
    let assigned = |active: &[CurrentTaskIds], standby, warmup| {
        let active = from_ids_with_epochs(active, value.member_epoch);
        Arc::new(Assigned { active, standby: from_ids(standby), warmup: from_ids(warmup) })
    };
    member.epoch = value.member_epoch;
    member.previous_epoch = value.previous_member_epoch;
    member.state = MemberState::from_id(value.state, STABLE);
    member.assigned = assigned(&value.active_tasks, &value.standby_tasks, &value.warmup_tasks);
    member.pending_revocation = assigned(
        &value.active_tasks_pending_revocation,
        &value.standby_tasks_pending_revocation,
        &value.warmup_tasks_pending_revocation,
    );
}

#[cfg(test)]
impl StreamsGroup {
    /// A record of this group, made from its present state.
    pub(in crate::coordinator::group) fn remade(&self, record: &Record) -> Option<Record> {
        let id = &*self.id;
        match record {
            Record::StreamsGroupMetadata(_, Some(_)) => Some(epoch(
                id,
                self.epoch,
                self.metadata_hash,
                self.own.validated_topology_epoch,
                &self.own.last_configs,
            )),
            Record::StreamsGroupMemberMetadata(key, Some(_)) => {
                self.member(&key.member_id).map(|of| Streams::member_record(id, &of.id, Some(of)))
            }
            Record::StreamsGroupTargetAssignmentMetadata(_, Some(_)) => {
                Some(Streams::target_epoch_record(
                    id,
                    Some((self.assignment_epoch, self.assignment_timestamp)),
                ))
            }
            Record::StreamsGroupTargetAssignmentMember(key, Some(_)) => {
                let target = self.target(&key.member_id);
                Some(Streams::target_record(id, &key.member_id, Some(&target)))
            }
            Record::StreamsGroupCurrentMemberAssignment(key, Some(_)) => {
                self.member(&key.member_id).map(|of| Streams::current_record(id, &of.id, Some(of)))
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

fn from_ids_with_epochs(
    tasks: &[CurrentTaskIds],
    member_epoch: i32,
) -> BTreeMap<String, BTreeMap<i32, i32>> {
    let ids = |of: &CurrentTaskIds| {
        let epochs = of.assignment_epochs.as_deref();
        (of.subtopology_id.clone(), with_epochs(&of.partitions, epochs, member_epoch))
    };
    tasks.iter().map(ids).collect()
}
