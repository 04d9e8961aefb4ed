//! Online migration: a classic group becomes a consumer group when the first member comes that
//! speaks the consumer protocol, and a classic group again when the last such member goes
//! (`group.consumer.migration.policy`).

use super::super::assignor::Partitions;
use super::super::classic_group::{ClassicGroup, Member};
use super::super::outcome::{Outcome, Then};
use super::super::record::Record;
use super::super::shard::{Group, Shard};
use super::super::timers::Timer;
use super::super::{GroupId, MemberId, Ticket};
use super::heartbeat::refuse;
use super::member::ConsumerMember;
use super::{ConsumerGroup, embedded};
use crate::codec::schema::group::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use crate::config::Config;
use crate::coordinator::state_machine::Completion;
use crate::error::Result;
use crate::metadata::Image;
use crate::types::Timestamp;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::JoinGroupResponse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of a consumer group without members of its protocol.
#[derive(Debug)]
pub struct Downgrade {
    /// The classic group.
    pub group: ClassicGroup,
    /// Tombstones of the consumer group, and the classic group's generation.
    pub records: Vec<Record>,
    /// The target assignment is not for the members that are left.
    pub rebalance: bool,
    /// The static member that joined, with its answer.
    pub joined: Option<(Ticket, Box<JoinGroupResponse>)>,
}

impl Downgrade {
    /// The classic group takes over when its records are in the log.
    pub fn outcome<A>(self, answer: A) -> Outcome<A> {
        let Downgrade { group, records, rebalance, joined } = self;
        let id = group.id.clone();
        let then = Then::Downgraded { group: Box::new(group), rebalance, joined };
        Outcome { records, then: Completion::Then((id, then)), answer }
    }
}

/// Whether groups may be converted one way, and the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationPolicy {
    /// From classic to consumer.
    pub upgrade: bool,
    /// From consumer to classic.
    pub downgrade: bool,
}

impl MigrationPolicy {
    /// As the setting says.
    pub fn of(config: &Config) -> MigrationPolicy {
        let policy = config.group_consumer_migration_policy.to_ascii_lowercase();
        let both = policy == "bidirectional";
        MigrationPolicy {
            upgrade: both || policy == "upgrade",
            downgrade: both || policy == "downgrade",
        }
    }
}

impl Shard {
    /// The classic group as a consumer group; the caller writes `records`.
    pub(super) fn upgrade(
        &mut self,
        now: Timestamp,
        id: &str,
        records: &mut Vec<Record>,
    ) -> Result<Arc<ConsumerGroup>> {
        let Some(Group::Classic(classic)) = self.groups.get(id) else {
            unreachable!("the caller has looked");
        };
        check_upgrade(&self.config, classic)?;
        let mut group = ConsumerGroup::from_classic(classic, &self.image)?;
        group.metadata_hash = self.topic_hashes.of_all(&self.image, group.topic_names());
        records.push(Record::group_tombstone(&group.id));
        records.extend(group.records());
        let (classic, mut turn) = self.classic(id, now).expect("it is classic");
        // Whoever waits shall join again, and will find the consumer group.
        classic.give_up(&mut turn, ResponseError::RebalanceInProgress);
        for member in group.members() {
            let timeout_ms = member.classic.as_ref().map_or(0, |c| c.session_timeout_ms);
            let timer = Timer::Session(group.id.clone(), member.id.clone());
            self.timers.set(timer, now + i64::from(timeout_ms));
        }
        tracing::info!("group {id} was a classic group and becomes a consumer group");
        Ok(Arc::new(group))
    }

    /// What becomes of the group if these members go; None if it stays what it is.
    pub(super) fn downgrade_without(
        &self,
        now: Timestamp,
        group: &ConsumerGroup,
        gone: &[&ConsumerMember],
    ) -> Option<Downgrade> {
        let stays = |member: &ConsumerMember| !gone.iter().any(|gone| gone.id == member.id);
        let left: Vec<&ConsumerMember> =
            group.members().map(|member| &**member).filter(|member| stays(member)).collect();
        if left.is_empty() || !self.may_downgrade(&left) {
            return None;
        }
        let ids: Vec<&str> = group.members().map(|member| &*member.id).collect();
        let records = Record::consumer_group_gone(group, &ids);
        let members = left.into_iter().map(|member| (member, member.id.clone()));
        self.downgrade(now, group, members, records, true)
    }

    /// What becomes of the group if a static member is replaced by `new`, which speaks the classic
    /// protocol; None if it stays what it is.
    pub(super) fn downgrade_with(
        &self,
        now: Timestamp,
        group: &ConsumerGroup,
        (old, new): (&ConsumerMember, &ConsumerMember),
        rebalance: bool,
    ) -> Option<Downgrade> {
        // The new one has taken the old one's place in the log already.
        let present = |member: &ConsumerMember| member.id == old.id;
        let ids = group.members();
        let ids = ids.map(|member| if present(member) { &*new.id } else { &*member.id });
        let records = Record::consumer_group_gone(group, &ids.collect::<Vec<&str>>());
        let members = group
            .members()
            .map(|member| (if present(member) { new } else { member }, member.id.clone()));
        self.downgrade(now, group, members, records, rebalance)
    }

    /// Whether these members may be a classic group.
    pub(super) fn may_downgrade(&self, members: &[&ConsumerMember]) -> bool {
        let limit = usize::try_from(self.config.group_max_size).unwrap_or(0);
        members.iter().all(|member| member.is_classic())
            && MigrationPolicy::of(&self.config).downgrade
            && members.len() <= limit
    }

    /// Each member comes with whose target it gets.
    fn downgrade<'a>(
        &self,
        now: Timestamp,
        group: &ConsumerGroup,
        members: impl Iterator<Item = (&'a ConsumerMember, MemberId)>,
        mut records: Vec<Record>,
        rebalance: bool,
    ) -> Option<Downgrade> {
        let mut classic_members = Vec::new();
        let mut owners = BTreeMap::new();
        for (member, owner) in members {
            classic_members.push(classic_member(member)?);
            owners.insert(member.id.clone(), owner);
        }
        let mut classic = ClassicGroup::stable(group.id.clone(), group.epoch, classic_members, now);
        let protocol = classic.protocol.clone()?;
        for member in classic.members_mut() {
            let version = embedded::version(&member.metadata(&protocol))?;
            let target = group.target(&owners[&member.id]);
            member.assignment = embedded::encode_assignment(&target, &self.image, version);
        }
        records.push(Record::group(&classic, &classic.assignments()));
        tracing::info!("group {} was a consumer group and becomes a classic group", group.id);
        Some(Downgrade { group: classic, records, rebalance, joined: None })
    }

    /// The records of a downgrade are in the log, or could not be written.
    pub fn finish_downgrade(
        &mut self,
        now: Timestamp,
        id: &GroupId,
        group: ClassicGroup,
        rebalance: bool,
    ) {
        self.cancel_timers(id);
        self.groups.insert(id.clone(), Group::Classic(Box::new(group)));
        let (group, mut turn) = self.classic(id, now).expect("it has just been put there");
        for member in group.members() {
            turn.set_session(group, &member.id, member.session_timeout_ms);
        }
        if rebalance {
            let reason = || "it was a consumer group".to_owned();
            let write = group.prepare_rebalance(&mut turn, reason);
            assert!(write.is_none(), "nobody has joined yet");
        }
    }
}

fn check_upgrade(config: &Config, group: &ClassicGroup) -> Result<()> {
    let limit = usize::try_from(config.group_consumer_max_size).unwrap_or(0);
    let reason = if !MigrationPolicy::of(config).upgrade {
        "online upgrade is disabled"
    } else if !group.uses_consumer_protocol() {
        "the group does not use the consumer embedded protocol"
    } else if group.size() > limit {
        "the group size exceeds the consumer group maximum size"
    } else {
        return Ok(());
    };
    cannot_upgrade(&group.id, reason)
}

fn cannot_upgrade<T>(id: &str, reason: &str) -> Result<T> {
    let message = format!("Cannot upgrade classic group {id} to consumer group because {reason}.");
    refuse(ResponseError::GroupIdNotFound, message)
}

impl ConsumerGroup {
    /// The group as its last generation left it; every member is where it shall be.
    fn from_classic(classic: &ClassicGroup, image: &Image) -> Result<ConsumerGroup> {
        let mut group = ConsumerGroup::new(classic.id.clone());
        group.epoch = classic.generation;
        group.assignment_epoch = classic.generation;
        // While the first members are still coming together nothing has been chosen yet.
        let protocol = classic.protocol.clone().or_else(|| classic.select_protocol());
        let protocol = protocol.unwrap_or_default();
        for member in classic.members() {
            let assigned = assigned_before(&classic.id, member, image)?;
            let Some(subscription) = embedded::subscription(&member.metadata(&protocol)) else {
                return cannot_upgrade(&classic.id, "the embedded consumer protocol is malformed");
            };
            let mut new = ConsumerMember::new(member.id.clone());
            new.epoch = classic.generation;
            new.previous_epoch = classic.generation;
            new.instance_id = member.instance_id.clone();
            new.rack_id = subscription.rack_id.filter(|rack| !rack.is_empty());
            new.rebalance_timeout_ms = member.rebalance_timeout_ms;
            new.client_id = member.client_id.clone();
            new.client_host = member.client_host.clone();
            new.topics = Arc::new(subscription.topics.into_iter().collect());
            let with_epochs = assigned.iter().map(|(topic, partitions)| {
                let epoch = |index: &i32| (*index, classic.generation);
                (*topic, partitions.iter().map(epoch).collect())
            });
            new.assigned = Arc::new(with_epochs.collect());
            new.classic = Some(Arc::new(classic_metadata(
                member.session_timeout_ms,
                member.protocols.iter().map(|(name, metadata)| (&**name, metadata)),
            )));
            group.set_target(&member.id, Some(assigned));
            group.put(new);
        }
        Ok(group)
    }

    /// The records that make this group.
    fn records(&self) -> Vec<Record> {
        let id = &self.id;
        let mut records = Vec::new();
        records.extend(self.members().map(|member| Record::consumer_member(id, member)));
        records.push(Record::consumer_epoch(id, self.epoch, self.metadata_hash));
        let target = |member: &Arc<ConsumerMember>| {
            Record::consumer_target(id, &member.id, &self.target(&member.id))
        };
        records.extend(self.members().map(target));
        records.push(Record::consumer_target_epoch(
            id,
            self.assignment_epoch,
            self.assignment_timestamp,
        ));
        records.extend(self.members().map(|member| Record::consumer_current(id, member)));
        records
    }
}

/// Empty if the member has never synced.
fn assigned_before(id: &str, member: &Member, image: &Image) -> Result<Partitions> {
    if member.assignment.is_empty() {
        return Ok(Partitions::new());
    }
    let Some(assignment) = embedded::assignment(&member.assignment) else {
        return cannot_upgrade(id, "the embedded consumer protocol is malformed");
    };
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return cannot_upgrade(
            id,
            "an unsupported custom assignor is in use. Please refer to the documentation or switch \
             to a default assignor before re-attempting the upgrade",
        );
    }
    let topics = assignment.assigned_partitions.iter().map(|t| (&t.topic, &t.partitions));
    Ok(embedded::by_id(topics, image))
}

/// What a member brought to JoinGroup, as it is kept.
pub(super) fn classic_metadata<'a>(
    session_timeout_ms: i32,
    protocols: impl Iterator<Item = (&'a str, &'a Bytes)>,
) -> ClassicMemberMetadata {
    let protocols = protocols.map(|(name, metadata)| ClassicProtocol {
        name: name.to_owned(),
        // A copy: a slice would keep the whole frame of the request in memory.
        metadata: Bytes::copy_from_slice(metadata),
    });
    ClassicMemberMetadata { session_timeout_ms, supported_protocols: protocols.collect() }
}

/// None if it does not speak the classic protocol.
fn classic_member(member: &ConsumerMember) -> Option<Member> {
    let metadata = member.classic.as_ref()?;
    let protocols = metadata.supported_protocols.iter();
    Some(Member {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: metadata.session_timeout_ms,
        protocols: protocols.map(|p| (p.name.clone(), p.metadata.clone())).collect(),
        assignment: Bytes::new(),
        is_new: false,
        awaiting_join: None,
        awaiting_sync: None,
    })
}
