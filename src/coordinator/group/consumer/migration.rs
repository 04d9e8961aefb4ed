//! Online migration (`group.consumer.migration.policy`): a classic group becomes a consumer group
//! when the first member joins that speaks the consumer protocol, and becomes a classic group again
//! when the last such member leaves.

use super::member::ConsumerMember;
use super::{Consumer, ConsumerGroup, ConsumerOutcome, embedded};
use crate::codec::messages::JoinGroupResponse;
use crate::codec::schema::group::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use crate::config::Config;
use crate::coordinator::Ticket;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::classic::{ClassicGroup, Member, join_error};
use crate::coordinator::group::modern::{Kind, refuse};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::state_machine::Completion;
use crate::error::Result;
use crate::metadata::Image;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A consumer group that becomes a classic one.
#[derive(Debug)]
pub struct Downgrade {
    pub group: Box<ClassicGroup>,
    /// The consumer group's tombstones, and the classic group's generation.
    pub records: Vec<Record>,
    /// Whether the target assignment does not fit the remaining members, so that they have to join
    /// again.
    pub rebalance: bool,
    /// The static member that joined, with its answer.
    pub joined: Option<(Ticket, Box<JoinGroupResponse>)>,
}

impl Downgrade {
    /// An outcome after whose append the classic group takes over.
    pub fn outcome<A>(mut self, answer: A) -> ConsumerOutcome<A> {
        let records = std::mem::take(&mut self.records);
        let then = Completion::Then((self.group.id.clone(), ConsumerThen::Downgraded(self)));
        ConsumerOutcome { records, then, answer }
    }
}

/// What a consumer group does after its records were appended, or could not be.
#[derive(Debug)]
pub enum ConsumerThen {
    /// It becomes a classic group.
    Downgraded(Downgrade),
    /// A classic member has joined it.
    Joined {
        /// The ticket of its JoinGroup.
        ticket: Ticket,
        answer: Box<JoinGroupResponse>,
        /// How many milliseconds it may be silent.
        session_timeout_ms: i32,
        /// How many milliseconds it may take to ask for its assignment.
        rebalance_timeout_ms: i32,
    },
}

/// Which conversions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationPolicy {
    /// Whether classic groups may become consumer groups.
    pub upgrade: bool,
    /// Whether consumer groups may become classic groups.
    pub downgrade: bool,
}

impl MigrationPolicy {
    /// The policy in the settings.
    pub fn of(config: &Config) -> MigrationPolicy {
        let policy = config.group_consumer_migration_policy.to_ascii_lowercase();
        let both = policy == "bidirectional";
        MigrationPolicy {
            upgrade: both || policy == "upgrade",
            downgrade: both || policy == "downgrade",
        }
    }
}

impl ConsumerGroup {
    /// A consumer group in the place of a classic one, and the records that make it.
    pub fn in_place_of(
        classic: &mut ClassicGroup,
        turn: &mut Turn<'_>,
    ) -> Result<(ConsumerGroup, Vec<Record>)> {
        let mut records = classic.tombstones();
        if classic.is_empty() {
            turn.cancel_timers(classic.timers());
            return Ok((ConsumerGroup::new(classic.id.clone()), records));
        }
        check_upgrade(&turn.config, classic)?;
        let mut group = ConsumerGroup::from_classic(classic, turn.image)?;
        group.metadata_hash = turn.topic_hashes.of_all(turn.image, group.own.topic_names());
        records.extend(group.records());
        // Members whose requests wait have to join again, and then find the consumer group.
        classic.give_up(turn, ResponseError::RebalanceInProgress);
        for member in group.members() {
            let timeout_ms = member.own.classic.as_ref().map_or(0, |c| c.session_timeout_ms);
            turn.set_session(&group.id, &member.id, timeout_ms);
        }
        tracing::info!("group {} was a classic group and becomes a consumer group", group.id);
        Ok((group, records))
    }

    /// The classic group that remains if these members leave; None if it stays a consumer group.
    pub(super) fn downgrade_without(
        &self,
        turn: &Turn<'_>,
        gone: &[&ConsumerMember],
    ) -> Option<Downgrade> {
        let stays = |member: &ConsumerMember| !gone.iter().any(|gone| gone.id == member.id);
        let left: Vec<&ConsumerMember> =
            self.members().map(|member| &**member).filter(|member| stays(member)).collect();
        if left.is_empty() || !may_downgrade(&turn.config, &left) {
            return None;
        }
        let ids: Vec<&str> = self.members().map(|member| &*member.id).collect();
        let records = Record::consumer_group_gone(self, &ids);
        let members = left.into_iter().map(|member| (member, member.id.clone()));
        self.downgrade(turn, members, records, true)
    }

    /// The classic group that remains if `new`, which speaks the classic protocol, takes the place
    /// of the static member `old`; None if it stays a consumer group.
    pub(super) fn downgrade_with(
        &self,
        turn: &Turn<'_>,
        (old, new): (&ConsumerMember, &ConsumerMember),
        rebalance: bool,
    ) -> Option<Downgrade> {
        // In the log the new member has already taken the old one's place.
        let present = |member: &ConsumerMember| member.id == old.id;
        let ids = self.members();
        let ids = ids.map(|member| if present(member) { &*new.id } else { &*member.id });
        let records = Record::consumer_group_gone(self, &ids.collect::<Vec<&str>>());
        let members = self
            .members()
            .map(|member| (if present(member) { new } else { member }, member.id.clone()));
        self.downgrade(turn, members, records, rebalance)
    }

    /// The classic group of these members. Each comes with the id of the member whose target it
    /// gets.
    fn downgrade<'a>(
        &self,
        turn: &Turn<'_>,
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
        let mut classic =
            ClassicGroup::stable(self.id.clone(), self.epoch, classic_members, turn.now);
        let protocol = classic.protocol.clone()?;
        for member in classic.members_mut() {
            let version = embedded::version(&member.metadata(&protocol))?;
            let target = self.target(&owners[&member.id]);
            member.assignment = embedded::encode_assignment(&target, turn.image, version);
        }
        records.push(Record::group(&classic, &classic.assignments()));
        tracing::info!("group {} was a consumer group and becomes a classic group", self.id);
        Some(Downgrade { group: Box::new(classic), records, rebalance, joined: None })
    }

    /// Goes on after the records before `then` were written, or could not be. Returns the classic
    /// group that takes over, if one does.
    pub fn complete(
        &self,
        turn: &mut Turn<'_>,
        then: ConsumerThen,
        appended: Result<(), ResponseError>,
    ) -> Option<Box<ClassicGroup>> {
        match (then, appended) {
            (ConsumerThen::Joined { ticket, answer, .. }, Err(error)) => {
                turn.answer_join(ticket, join_error(&answer.member_id, error));
                None
            }
            (
                ConsumerThen::Joined { ticket, answer, session_timeout_ms, rebalance_timeout_ms },
                Ok(()),
            ) => {
                let timeouts = (session_timeout_ms, rebalance_timeout_ms);
                self.finish_join(turn, (ticket, *answer), timeouts);
                None
            }
            (ConsumerThen::Downgraded(Downgrade { joined, .. }), Err(error)) => {
                let (ticket, answer) = joined?;
                turn.answer_join(ticket, join_error(&answer.member_id, error));
                None
            }
            (ConsumerThen::Downgraded(Downgrade { mut group, rebalance, joined, .. }), Ok(())) => {
                turn.cancel_timers(self.timers());
                group.expect_members(turn);
                if rebalance {
                    group.regroup(turn, || "it was a consumer group".to_owned());
                }
                if let Some((ticket, answer)) = joined {
                    turn.answer_join(ticket, *answer);
                }
                Some(group)
            }
        }
    }
}

/// Whether these members may be a classic group.
fn may_downgrade(config: &Config, members: &[&ConsumerMember]) -> bool {
    let limit = usize::try_from(config.group_max_size).unwrap_or(0);
    members.iter().all(|member| member.is_classic())
        && MigrationPolicy::of(config).downgrade
        && members.len() <= limit
}

fn check_upgrade(config: &Config, group: &ClassicGroup) -> Result<()> {
    let limit = usize::try_from(config.group_consumer_max_size).unwrap_or(0);
    let reason = if !MigrationPolicy::of(config).upgrade {
        "group.consumer.migration.policy does not allow it"
    } else if !group.uses_consumer_protocol() {
        "its members are not consumers"
    } else if group.size() > limit {
        "it has more members than group.consumer.max.size allows"
    } else {
        return Ok(());
    };
    cannot_upgrade(&group.id, reason)
}

fn cannot_upgrade<T>(id: &str, reason: &str) -> Result<T> {
    let message = format!("The classic group {id} cannot become a consumer group: {reason}.");
    refuse(ResponseError::GroupIdNotFound, message)
}

impl ConsumerGroup {
    /// The consumer group that continues a classic one's last generation; every member has reached
    /// its target.
    fn from_classic(classic: &ClassicGroup, image: &Image) -> Result<ConsumerGroup> {
        let mut group = ConsumerGroup::new(classic.id.clone());
        group.epoch = classic.generation;
        group.assignment_epoch = classic.generation;
        // While the first members are still joining no protocol has been chosen.
        let protocol = classic.protocol.clone().or_else(|| classic.select_protocol());
        let protocol = protocol.unwrap_or_default();
        for member in classic.members() {
            let assigned = assigned_before(&classic.id, member, image)?;
            let Some(subscription) = embedded::subscription(&member.metadata(&protocol)) else {
                return cannot_upgrade(
                    &classic.id,
                    "a member's metadata or assignment cannot be \
                                                    read",
                );
            };
            let mut new = ConsumerMember::new(member.id.clone());
            new.epoch = classic.generation;
            new.previous_epoch = classic.generation;
            new.instance_id = member.instance_id.clone();
            new.rack_id = subscription.rack_id.filter(|rack| !rack.is_empty());
            new.rebalance_timeout_ms = member.rebalance_timeout_ms;
            new.client_id = member.client_id.clone();
            new.client_host = member.client_host.clone();
            new.own.topics = Arc::new(subscription.topics.into_iter().collect());
            let with_epochs = assigned.iter().map(|(topic, partitions)| {
                let epoch = |index: &i32| (*index, classic.generation);
                (*topic, partitions.iter().map(epoch).collect())
            });
            new.assigned = Arc::new(with_epochs.collect());
            new.own.classic = Some(Arc::new(classic_metadata(
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
        records.extend(self.members().map(|of| Consumer::member_record(id, &of.id, Some(of))));
        records.push(Record::consumer_epoch(id, self.epoch, self.metadata_hash));
        records.extend(self.members().map(|of| {
            let target = self.target(&of.id);
            Consumer::target_record(id, &of.id, Some(&target))
        }));
        let made = (self.assignment_epoch, self.assignment_timestamp);
        records.push(Consumer::target_epoch_record(id, Some(made)));
        records.extend(self.members().map(|of| Consumer::current_record(id, &of.id, Some(of))));
        records
    }
}

/// What the member was assigned; empty if it has never synced.
fn assigned_before(id: &str, member: &Member, image: &Image) -> Result<Partitions> {
    if member.assignment.is_empty() {
        return Ok(Partitions::new());
    }
    let Some(assignment) = embedded::assignment(&member.assignment) else {
        return cannot_upgrade(id, "a member's metadata or assignment cannot be read");
    };
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return cannot_upgrade(
            id,
            "its assignor keeps data of its own (user data). Change the members to one of \
             Kafka's own assignors first",
        );
    }
    let topics = assignment.assigned_partitions.iter().map(|t| (&t.topic, &t.partitions));
    Ok(embedded::by_id(topics, image))
}

/// What a member sent with JoinGroup, in the form of its record.
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

/// The member of a classic group; None if it does not speak the classic protocol.
fn classic_member(member: &ConsumerMember) -> Option<Member> {
    let metadata = member.own.classic.as_ref()?;
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
