//! Members of a consumer group that still speak the classic protocol. Their JoinGroup is a full
//! heartbeat, SyncGroup returns the assignment, and Heartbeat tells them when to join again
//! (GroupMetadataManager.classicGroupJoinToConsumerGroup and its neighbours).

use super::heartbeat::{Change, member_id};
use super::member::ConsumerMember;
use super::migration::{MigrationPolicy, classic_metadata};
use super::{ConsumerGroup, ConsumerOutcome, ConsumerThen, embedded};
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
    SyncGroupResponse,
};
use crate::codec::schema::consumer::ConsumerProtocolSubscription;
use crate::config::Config;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::classic::{Join, join_error, sync_error};
use crate::coordinator::group::modern::{Admission, MemberState, refuse};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::state_machine::Completion;
use crate::coordinator::{Ticket, text};
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

impl ConsumerGroup {
    /// Handles a JoinGroup to a group that has members.
    pub fn join(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> ConsumerOutcome {
        self.try_join(turn, join).unwrap_or_else(|error| {
            // Unlike with a classic group, Kafka does not tell the member its id here.
            turn.answer_join(join.ticket, join_error("", error.code()));
            ConsumerOutcome::answer(())
        })
    }

    fn try_join(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> Result<ConsumerOutcome> {
        let Join { request, ticket, .. } = join;
        let policy = MigrationPolicy::of(&turn.config);
        if !policy.upgrade && !policy.downgrade {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        let is_unknown = request.member_id.is_empty();
        let id = member_id(turn, &request.member_id);
        self.check_stranger(turn.config.group_consumer_max_size, &id)?;
        if !self.supports_classic(request) {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        if join.needs_member_id() {
            turn.answer_join(ticket, join_error(&id, ResponseError::MemberIdRequired));
            return Ok(ConsumerOutcome::answer(()));
        }
        let instance = request.group_instance_id.as_deref();
        let mut records = Vec::new();
        let admission = Admission {
            id: &id,
            instance,
            may_create: instance.is_none() || is_unknown,
            epoch: None,
        };
        let member = self.admit(&admission, &mut records)?;
        let metadata = &request.protocols.first().expect("supported").metadata;
        let subscription = embedded::subscription(metadata);
        let subscription = subscription.ok_or(ResponseError::UnknownServerError)?;
        let updated = updated(&member, &join, &subscription);
        let change = Change { group: self, member, updated, records, checked: false };
        match change.join(turn, join, &subscription)? {
            Joined::Downgraded(outcome) => Ok(outcome),
            Joined::Stayed { records, then, checked } => {
                self.note_check(turn, checked);
                let id = self.id.clone();
                if records.is_empty() {
                    self.complete(turn, then, Ok(()));
                    return Ok(ConsumerOutcome::answer(()));
                }
                Ok(ConsumerOutcome {
                    records,
                    then: Completion::ReplayThen((id, then)),
                    answer: (),
                })
            }
        }
    }

    /// Whether only classic members remain once one takes the place of `old`, so that the group has
    /// to become a classic one.
    fn leaves_only_classic(&self, config: &Config, old: &ConsumerMember) -> bool {
        let limit = usize::try_from(config.group_max_size).unwrap_or(0);
        !old.is_classic()
            && self.members().all(|member| member.is_classic() || member.id == old.id)
            && MigrationPolicy::of(config).downgrade
            && self.size() <= limit
    }

    /// Handles a SyncGroup: the member gets its assignment.
    pub fn sync(
        &self,
        turn: &mut Turn<'_>,
        request: &SyncGroupRequest,
        ticket: Ticket,
    ) -> ConsumerOutcome {
        let answer = self.try_sync(turn, request);
        let answer = answer.unwrap_or_else(|error| sync_error(error.code()));
        turn.answer_sync(ticket, answer);
        ConsumerOutcome::answer(())
    }

    fn try_sync(
        &self,
        turn: &mut Turn<'_>,
        request: &SyncGroupRequest,
    ) -> Result<SyncGroupResponse> {
        let instance = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance, request.generation_id)?;
        let metadata = member.own.classic.as_ref().expect("a classic member");
        let protocol = metadata.supported_protocols.first();
        let protocol = protocol.ok_or(ResponseError::UnknownServerError)?;
        let differs = |asked: Option<&str>, ours: &str| asked.is_some_and(|asked| asked != ours);
        if differs(request.protocol_type.as_deref(), embedded::PROTOCOL_TYPE)
            || differs(request.protocol_name.as_deref(), &protocol.name)
        {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        // A member that has to give partitions back has joined already, and will be called again.
        let is_behind = self.assignment_epoch > member.epoch;
        if is_behind && member.state != MemberState::Unrevoked {
            self.expect_join(turn, member);
            return Err(ResponseError::RebalanceInProgress.into());
        }
        turn.timers.cancel(&Timer::MemberSync(self.id.clone(), member.id.clone()));
        turn.set_session(&self.id, &member.id, metadata.session_timeout_ms);
        let version = embedded::version(&protocol.metadata);
        let version = version.ok_or(ResponseError::UnknownServerError)?;
        let partitions = embedded::without_epochs(&member.assigned);
        let assignment = embedded::encode_assignment(&partitions, turn.image, version);
        Ok(SyncGroupResponse::default()
            .with_protocol_type(request.protocol_type.clone())
            .with_protocol_name(request.protocol_name.clone())
            .with_assignment(assignment))
    }

    /// Handles a Heartbeat. REBALANCE_IN_PROGRESS calls the member to join again, so that it gives
    /// back what it has to, or gets what has become free.
    pub fn classic_heartbeat(&self, turn: &mut Turn<'_>, request: &HeartbeatRequest) -> Result<()> {
        let instance = request.group_instance_id.as_deref();
        let member = self.classic_member(&request.member_id, instance, request.generation_id)?;
        let timeout_ms = member.own.classic.as_ref().expect("a classic member").session_timeout_ms;
        turn.set_session(&self.id, &member.id, timeout_ms);
        let is_called = member.epoch < self.assignment_epoch
            || match member.state {
                MemberState::Unrevoked => true,
                MemberState::Unreleased => !self.is_waiting(member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if is_called {
            self.expect_join(turn, member);
            return Err(ResponseError::RebalanceInProgress.into());
        }
        Ok(())
    }

    /// Handles a LeaveGroup: members leave, named by their ids or by their static instances.
    pub fn classic_leave(
        &self,
        turn: &mut Turn<'_>,
        request: &LeaveGroupRequest,
    ) -> ConsumerOutcome<Vec<MemberResponse>> {
        let mut answers = Vec::with_capacity(request.members.len());
        let mut gone: Vec<Arc<ConsumerMember>> = Vec::new();
        for identity in &request.members {
            let found = self.identified(identity);
            let answer = MemberResponse::default()
                .with_member_id(identity.member_id.clone())
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(found.as_ref().err().map_or(0, |error| error.code().code()));
            answers.push(answer);
            let is_new = |member: &Arc<_>| !gone.iter().any(|gone| Arc::ptr_eq(gone, member));
            gone.extend(found.ok().cloned().filter(is_new));
        }
        self.fence(turn, &gone, "it left", answers)
    }

    fn expect_join(&self, turn: &mut Turn<'_>, member: &ConsumerMember) {
        let timer = Timer::MemberJoin(self.id.clone(), member.id.clone());
        if !turn.timers.is_set(&timer) {
            turn.set_timer(timer, member.rebalance_timeout_ms);
        }
    }

    /// Goes on after the records of a join were written.
    pub fn finish_join(
        &self,
        turn: &mut Turn<'_>,
        (ticket, answer): (Ticket, JoinGroupResponse),
        (session_timeout_ms, rebalance_timeout_ms): (i32, i32),
    ) {
        let member: MemberId = Arc::from(&*answer.member_id);
        turn.timers.cancel(&Timer::MemberJoin(self.id.clone(), member.clone()));
        turn.set_session(&self.id, &member, session_timeout_ms);
        turn.set_timer(Timer::MemberSync(self.id.clone(), member), rebalance_timeout_ms);
        turn.answer_join(ticket, answer);
    }

    /// Whether a member with these protocols may join: it needs one that all members support.
    fn supports_classic(&self, request: &JoinGroupRequest) -> bool {
        let speaks = |member: &ConsumerMember, name: &str| {
            let protocols = member.own.classic.as_ref().map(|classic| &classic.supported_protocols);
            protocols.is_none_or(|protocols| protocols.iter().any(|p| p.name == name))
        };
        let spoken_by_all = |name: &str| self.members().all(|member| speaks(member, name));
        &*request.protocol_type == embedded::PROTOCOL_TYPE
            && request.protocols.iter().any(|protocol| spoken_by_all(&protocol.name))
    }

    /// A member that speaks the classic protocol and is in this generation.
    fn classic_member(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<&Arc<ConsumerMember>> {
        let member = self.speaker(id, instance)?;
        if !member.is_classic() {
            let message = format!(
                "Member {id} speaks the consumer protocol, but this request is \
                                   of the classic one."
            );
            return refuse(ResponseError::UnknownMemberId, message);
        }
        if member.epoch != generation {
            return Err(ResponseError::IllegalGeneration.into());
        }
        Ok(member)
    }

    /// The member that a LeaveGroup names. An operator names only the instance.
    fn identified(&self, identity: &MemberIdentity) -> Result<&Arc<ConsumerMember>> {
        match identity.group_instance_id.as_deref() {
            Some(instance) if identity.member_id.is_empty() => self.known_instance(instance),
            instance => self.speaker(&identity.member_id, instance),
        }
    }

    /// Whether others still have to give back what the member waits for.
    fn is_waiting(&self, member: &ConsumerMember) -> bool {
        let has = |topic, index| {
            member.assigned.get(topic).is_some_and(|topic| topic.contains_key(index))
        };
        let target = self.target(&member.id);
        let mut wanted = target.iter().flat_map(|(topic, p)| p.iter().map(move |i| (topic, i)));
        wanted.any(|(topic, index)| !has(topic, index) && self.is_owned(*topic, *index))
    }
}

impl Change<'_> {
    fn join(
        mut self,
        turn: &mut Turn<'_>,
        join: Join<'_>,
        subscription: &ConsumerProtocolSubscription,
    ) -> Result<Joined> {
        let owned = subscription.owned_partitions.iter().map(|t| (&t.topic, &t.partitions));
        let owned = embedded::by_id(owned, turn.image);
        let group = self.group;
        let existing = join.request.group_instance_id.as_deref();
        let existing = existing.and_then(|instance| group.static_member(instance));
        let replaces =
            existing.filter(|existing| group.leaves_only_classic(&turn.config, existing));
        let bump = self.subscribe(turn)?.changed;
        let epoch = self.follow_topics(turn, bump);
        let Some(old) = replaces else {
            let target = self.follow_epoch(turn, epoch)?;
            self.reconcile(turn, &target, bump, Some(&owned))?;
            let then = ConsumerThen::Joined {
                ticket: join.ticket,
                answer: Box::new(answer(&self.updated)),
                session_timeout_ms: join.request.session_timeout_ms,
                rebalance_timeout_ms: join.rebalance_timeout_ms(),
            };
            return Ok(Joined::Stayed { records: self.records, then, checked: self.checked });
        };
        let rebalance = group.assignment_epoch < epoch;
        if !rebalance {
            let target = (epoch, group.target(&old.id));
            self.reconcile(turn, &target, bump, Some(&owned))?;
        }
        let new = self.updated;
        let downgrade = group.downgrade_with(turn, (old, &new), rebalance);
        let mut downgrade = downgrade.ok_or(ResponseError::GroupIdNotFound)?;
        self.records.append(&mut downgrade.records);
        downgrade.records = self.records;
        downgrade.joined = Some((join.ticket, Box::new(answer(&new))));
        Ok(Joined::Downgraded(downgrade.outcome(())))
    }
}

/// The result of a JoinGroup.
enum Joined {
    /// The group becomes a classic one.
    Downgraded(ConsumerOutcome),
    /// The group stays a consumer group.
    Stayed { records: Vec<Record>, then: ConsumerThen, checked: bool },
}

fn updated(
    member: &ConsumerMember,
    join: &Join<'_>,
    subscription: &ConsumerProtocolSubscription,
) -> ConsumerMember {
    let request = join.request;
    let mut updated = member.clone();
    let instance = request.group_instance_id.as_deref();
    let rack = subscription.rack_id.as_deref().filter(|rack| !rack.is_empty());
    updated.hear(join.cx, instance, rack, join.rebalance_timeout_ms());
    updated.own.topics = Arc::new(subscription.topics.iter().cloned().collect());
    updated.own.topic_regex = Some(String::new());
    let protocols = request.protocols.iter().map(|p| (&*p.name, &p.metadata));
    updated.own.classic = Some(Arc::new(classic_metadata(request.session_timeout_ms, protocols)));
    updated
}

fn answer(member: &ConsumerMember) -> JoinGroupResponse {
    let protocols = member.own.classic.iter().flat_map(|classic| &classic.supported_protocols);
    JoinGroupResponse::default()
        .with_member_id(text(&member.id))
        .with_generation_id(member.epoch)
        .with_protocol_type(Some(text(embedded::PROTOCOL_TYPE)))
        .with_protocol_name(protocols.map(|protocol| text(&protocol.name)).next())
}
