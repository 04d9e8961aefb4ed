//! A member of a consumer group (ConsumerGroupMember).

use super::LEAVE_EPOCH;
use crate::codec::schema::group::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::codec::schema::group::consumer_group_member_metadata_value::ClassicMemberMetadata;
use crate::codec::schema::group::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
};
use crate::coordinator::group::MemberId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Partitions by their topic's id, each with the epoch at which it was assigned.
pub type EpochPartitions = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// Where a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It is there.
    Stable,
    /// It has to give partitions back first.
    UnrevokedPartitions,
    /// It has what is free; others have to give back the rest.
    UnreleasedPartitions,
    /// A newer broker's.
    Unknown,
}

impl MemberState {
    /// As the record has it.
    pub fn id(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    fn from_id(id: i8) -> MemberState {
        match id {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

/// A member. What may be large is shared, because every heartbeat begins with a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerMember {
    /// Chosen by the client.
    pub id: MemberId,
    /// The group's epoch that it has reached; 0 on its way in, `LEAVE_STATIC_EPOCH` while a static
    /// member is away.
    pub epoch: i32,
    /// The one before: the answer that told it the present one may have been lost.
    pub previous_epoch: i32,
    /// Where it is on its way.
    pub state: MemberState,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`.
    pub rack_id: Option<String>,
    /// How long it may take to give partitions back.
    pub rebalance_timeout_ms: i32,
    /// `client.id`.
    pub client_id: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
    /// Subscribed by name.
    pub topics: Arc<BTreeSet<String>>,
    /// Subscribed by regular expression; empty for none, null in records of old.
    pub topic_regex: Option<String>,
    /// The assignor that it would have.
    pub server_assignor: Option<String>,
    /// What it owns, or may take.
    pub assigned: Arc<EpochPartitions>,
    /// What it has to give back before it goes on.
    pub pending_revocation: Arc<EpochPartitions>,
    /// What it brought to JoinGroup, if it speaks the classic protocol.
    pub classic: Option<Arc<ClassicMemberMetadata>>,
}

impl ConsumerMember {
    /// Someone of whom nothing is known yet.
    pub fn new(id: MemberId) -> ConsumerMember {
        ConsumerMember {
            id,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: String::new(),
            client_host: String::new(),
            topics: Arc::default(),
            topic_regex: Some(String::new()),
            server_assignor: None,
            assigned: Arc::default(),
            pending_revocation: Arc::default(),
            classic: None,
        }
    }

    /// Whether it speaks the classic protocol.
    pub fn is_classic(&self) -> bool {
        self.classic.is_some()
    }

    /// The regular expression it subscribes by, if it does.
    pub fn regex(&self) -> Option<&str> {
        self.topic_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    /// Whether it is where `epoch` wants it.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// What nobody else can have: what it owns and what it has yet to give back.
    pub fn partitions(&self) -> impl Iterator<Item = (Uuid, i32)> {
        let topics = self.assigned.iter().chain(self.pending_revocation.iter());
        topics.flat_map(|(topic, partitions)| partitions.keys().map(|index| (*topic, *index)))
    }

    /// Goes on to `epoch`.
    pub fn move_to(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }

    /// As the record of its subscription says.
    pub fn describe(&mut self, value: &ConsumerGroupMemberMetadataValue) {
        self.instance_id = value.instance_id.as_deref().map(Arc::from);
        self.rack_id = value.rack_id.clone();
        self.client_id = value.client_id.clone();
        self.client_host = value.client_host.clone();
        self.topics = Arc::new(value.subscribed_topic_names.iter().cloned().collect());
        self.topic_regex = value.subscribed_topic_regex.clone();
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.server_assignor = value.server_assignor.clone();
        self.classic = value.classic_member_metadata.clone().map(Arc::new);
    }

    /// As the record of its assignment says; without one it owns nothing.
    pub fn assign(&mut self, value: Option<&ConsumerGroupCurrentMemberAssignmentValue>) {
        let Some(value) = value else {
            self.epoch = LEAVE_EPOCH;
            self.previous_epoch = LEAVE_EPOCH;
            self.assigned = Arc::default();
            self.pending_revocation = Arc::default();
            return;
        };
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_id(value.state);
        self.assigned = Arc::new(with_epochs(&value.assigned_partitions, value.member_epoch));
        self.pending_revocation =
            Arc::new(with_epochs(&value.partitions_pending_revocation, value.member_epoch));
    }
}

/// Before Kafka 4.2 the partitions had no epochs of their own.
fn with_epochs(topics: &[TopicPartitions], member_epoch: i32) -> EpochPartitions {
    let of_topic = |topic: &TopicPartitions| {
        let epochs = topic.assignment_epochs.as_ref();
        let epochs = epochs.filter(|epochs| epochs.len() == topic.partitions.len());
        let epoch = |at: usize| epochs.map_or(member_epoch.max(0), |epochs| epochs[at]);
        let partitions = topic.partitions.iter().enumerate();
        (topic.topic_id, partitions.map(|(at, partition)| (*partition, epoch(at))).collect())
    };
    topics.iter().map(of_topic).collect()
}
