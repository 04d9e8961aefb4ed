//! The records of classic groups, and the state that they make.

use super::{ClassicGroup, GroupState, Member};
use crate::codec::schema::group::group_metadata_value::MemberMetadata;
use crate::codec::schema::group::{GroupMetadataKey, GroupMetadataValue};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::{GroupId, MemberId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Record {
    /// The group's generation, with the assignment of each member.
    pub fn group(group: &ClassicGroup, assignments: &BTreeMap<&str, Bytes>) -> Record {
        let protocol = group.protocol.as_deref();
        let members = group.members().map(|member| MemberMetadata {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(protocol.expect("a group with members has a protocol")),
            assignment: assignments.get(&*member.id).cloned().unwrap_or_default(),
        });
        let value = GroupMetadataValue {
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            generation: group.generation,
            protocol: group.protocol.clone(),
            leader: group.leader.as_deref().map(str::to_owned),
            current_state_timestamp: group.state_timestamp.unwrap_or(-1),
            members: members.collect(),
        };
        Record::GroupMetadata(GroupMetadataKey { group: group.id.to_string() }, Some(value))
    }

    /// A group that has just been made and has had no generation.
    pub fn new_group(group: &ClassicGroup) -> Record {
        let value = GroupMetadataValue {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            current_state_timestamp: group.state_timestamp.unwrap_or(-1),
            members: Vec::new(),
        };
        Record::GroupMetadata(GroupMetadataKey { group: group.id.to_string() }, Some(value))
    }

    /// A tombstone: the group is gone.
    pub fn group_tombstone(group: &GroupId) -> Record {
        Record::GroupMetadata(GroupMetadataKey { group: group.to_string() }, None)
    }
}

impl ClassicGroup {
    /// The group as its last generation left it.
    pub fn from_record(id: &str, value: &GroupMetadataValue) -> ClassicGroup {
        let protocol = value.protocol.clone();
        let mut group = ClassicGroup {
            generation: value.generation,
            protocol: protocol.clone(),
            leader: value.leader.as_deref().map(MemberId::from),
            ..ClassicGroup::simple(GroupId::from(id))
        };
        for member in &value.members {
            // Version 0 of the record has no rebalance timeout.
            let rebalance_timeout_ms = match member.rebalance_timeout {
                -1 => member.session_timeout,
                timeout_ms => timeout_ms,
            };
            let subscription = (protocol.clone().unwrap_or_default(), member.subscription.clone());
            group.add(
                &value.protocol_type,
                Member {
                    id: MemberId::from(&*member.member_id),
                    instance_id: member.group_instance_id.as_deref().map(Arc::from),
                    client_id: member.client_id.clone(),
                    client_host: member.client_host.clone(),
                    rebalance_timeout_ms,
                    session_timeout_ms: member.session_timeout,
                    protocols: vec![subscription],
                    assignment: member.assignment.clone(),
                    is_new: false,
                    awaiting_join: None,
                    awaiting_sync: None,
                },
            );
        }
        let timestamp = value.current_state_timestamp;
        group.protocol_type =
            (!value.protocol_type.is_empty()).then(|| value.protocol_type.clone());
        group.state_timestamp = (timestamp != -1).then_some(timestamp);
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }
}
