//! Members of a consumer group that still speak the classic protocol: JoinGroup is a heartbeat
//! that says everything, SyncGroup brings the assignment, and Heartbeat tells when to join again
//! (GroupMetadataManager.classicGroupJoinToConsumerGroup and those after it).

use super::super::join::{Join, join_error};
use super::super::membership::sync_error;
use super::super::outcome::{Outcome, Parked, Then};
use super::super::shard::Shard;
use super::super::timers::Timer;
use super::super::{RequestContext, Ticket, text};
use super::heartbeat::{Admission, Change, check_instance, refuse};
use super::member::{ConsumerMember, MemberState};
use super::migration::{MigrationPolicy, classic_metadata};
use super::{ConsumerGroup, embedded};
use crate::codec::schema::consumer::ConsumerProtocolSubscription;
use crate::coordinator::state_machine::{Completion, StateMachine};
use crate::error::Result;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
    SyncGroupResponse,
};
use std::sync::Arc;

impl Shard {
    /// A JoinGroup to a group that has members.
    pub fn join_consumer(
        &mut self,
        now: Timestamp,
        join: Join<'_>,
        group: Arc<ConsumerGroup>,
    ) -> Outcome {
        self.try_join(now, join, group).unwrap_or_else(|error| {
            // Unlike a classic group, Kafka does not tell the member its id here.
            let refusal = join_error("", error.code());
            self.answer(join.ticket, Parked::Join(refusal));
            Outcome::answer(())
        })
    }

    fn try_join(
        &mut self,
        now: Timestamp,
        join: Join<'_>,
        group: Arc<ConsumerGroup>,
    ) -> Result<Outcome> {
        let Join { request, ticket, .. } = join;
        let policy = MigrationPolicy::of(&self.config);
        if !policy.upgrade && !policy.downgrade {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        let is_unknown = request.member_id.is_empty();
        let id = self.member_id(&request.member_id);
        self.check_room(&group, &id)?;
        if !group.supports_classic(request) {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        if join.needs_member_id() {
            let answer = join_error(&id, ResponseError::MemberIdRequired);
            self.answer(ticket, Parked::Join(answer));
            return Ok(Outcome::answer(()));
        }
        let instance = request.group_instance_id.as_deref();
        let mut records = Vec::new();
        let admission = Admission {
            id: &id,
            instance,
            may_create: instance.is_none() || is_unknown,
            epoch: None,
        };
        let member = group.admit(admission, &mut records)?;
        let metadata = &request.protocols.first().expect("supported").metadata;
        let subscription = embedded::subscription(metadata);
        let subscription = subscription.ok_or(ResponseError::UnknownServerError)?;
        let updated = updated(&member, &join, &subscription);
        let change = Change { now, group, member, updated, records, checked: false };
        self.join_with(change, join, &subscription)
    }

    fn join_with(
        &mut self,
        mut change: Change,
        join: Join<'_>,
        subscription: &ConsumerProtocolSubscription,
    ) -> Result<Outcome> {
        let owned = subscription.owned_partitions.iter().map(|t| (&t.topic, &t.partitions));
        let owned = embedded::by_id(owned, &self.image);
        let group = change.group.clone();
        let existing = join.request.group_instance_id.as_deref();
        let existing = existing.and_then(|instance| group.static_member(instance));
        let replaces = existing.filter(|existing| self.leaves_only_classic(&group, existing));
        let bump = self.subscribe(&mut change)?.changed;
        let epoch = self.follow_topics(&mut change, bump);
        let Some(old) = replaces else {
            let target = self.follow_epoch(&mut change, epoch)?;
            self.reconcile(&mut change, &target, bump, Some(&owned))?;
            return Ok(self.joined(change, join));
        };
        let rebalance = group.assignment_epoch < epoch;
        if !rebalance {
            let target = (epoch, group.target(&old.id));
            self.reconcile(&mut change, &target, bump, Some(&owned))?;
        }
        let new = change.updated.clone();
        let downgrade = self.downgrade_with(change.now, &group, (old, &new), rebalance);
        let mut downgrade = downgrade.ok_or(ResponseError::GroupIdNotFound)?;
        change.records.append(&mut downgrade.records);
        downgrade.records = change.records;
        downgrade.joined = Some((join.ticket, Box::new(answer(&new))));
        Ok(downgrade.outcome(()))
    }

    /// Whether a classic member in the place of `old` makes the group one of classic members only.
    fn leaves_only_classic(&self, group: &ConsumerGroup, old: &ConsumerMember) -> bool {
        let limit = usize::try_from(self.config.group_max_size).unwrap_or(0);
        !old.is_classic()
            && group.members().all(|member| member.is_classic() || member.id == old.id)
            && MigrationPolicy::of(&self.config).downgrade
            && group.size() <= limit
    }

    fn joined(&mut self, change: Change, join: Join<'_>) -> Outcome {
        let (id, now) = (change.group.id.clone(), change.now);
        let then = Then::JoinedConsumer {
            ticket: join.ticket,
            answer: Box::new(answer(&change.updated)),
            session_timeout_ms: join.request.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms(),
        };
        let records = self.finish_change(change);
        if records.is_empty() {
            self.complete(now, (id, then), Ok(()));
            return Outcome::answer(());
        }
        Outcome { records, then: Completion::ReplayThen((id, then)), answer: () }
    }

    /// A SyncGroup: a member takes its assignment.
    pub fn sync_consumer(
        &mut self,
        now: Timestamp,
        request: &SyncGroupRequest,
        ticket: Ticket,
        group: &ConsumerGroup,
    ) -> Outcome {
        let answer = self.try_sync(now, request, group);
        let answer = answer.unwrap_or_else(|error| sync_error(error.code()));
        self.answer(ticket, Parked::Sync(answer));
        Outcome::answer(())
    }

    fn try_sync(
        &mut self,
        now: Timestamp,
        request: &SyncGroupRequest,
        group: &ConsumerGroup,
    ) -> Result<SyncGroupResponse> {
        let instance = request.group_instance_id.as_deref();
        let member = group.classic_member(&request.member_id, instance, request.generation_id)?;
        let metadata = member.classic.as_ref().expect("a classic member");
        let protocol = metadata.supported_protocols.first();
        let protocol = protocol.ok_or(ResponseError::UnknownServerError)?;
        let differs = |asked: Option<&str>, ours: &str| asked.is_some_and(|asked| asked != ours);
        if differs(request.protocol_type.as_deref(), embedded::PROTOCOL_TYPE)
            || differs(request.protocol_name.as_deref(), &protocol.name)
        {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        // Who has partitions to give back has joined already, and will be called again.
        let is_behind = group.assignment_epoch > member.epoch;
        if is_behind && member.state != MemberState::UnrevokedPartitions {
            self.expect_join(now, group, member);
            return Err(ResponseError::RebalanceInProgress.into());
        }
        self.timers.cancel(&Timer::MemberSync(group.id.clone(), member.id.clone()));
        self.set_classic_session(now, group, member, metadata.session_timeout_ms);
        let version = embedded::version(&protocol.metadata);
        let version = version.ok_or(ResponseError::UnknownServerError)?;
        let partitions = embedded::without_epochs(&member.assigned);
        let assignment = embedded::encode_assignment(&partitions, &self.image, version);
        Ok(SyncGroupResponse::default()
            .with_protocol_type(request.protocol_type.clone())
            .with_protocol_name(request.protocol_name.clone())
            .with_assignment(assignment))
    }

    /// A Heartbeat: REBALANCE_IN_PROGRESS calls the member to join again, to give back what it has
    /// to, or to get what has become free.
    pub fn heartbeat_consumer(
        &mut self,
        now: Timestamp,
        request: &HeartbeatRequest,
        group: &ConsumerGroup,
    ) -> Result<Outcome> {
        let instance = request.group_instance_id.as_deref();
        let member = group.classic_member(&request.member_id, instance, request.generation_id)?;
        let timeout_ms = member.classic.as_ref().expect("a classic member").session_timeout_ms;
        self.set_classic_session(now, group, member, timeout_ms);
        let is_called = member.epoch < group.assignment_epoch
            || match member.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !group.is_waiting(member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if is_called {
            self.expect_join(now, group, member);
            return Err(ResponseError::RebalanceInProgress.into());
        }
        Ok(Outcome::answer(()))
    }

    /// A LeaveGroup: members go, by their ids or by their static instances.
    pub fn leave_consumer(
        &mut self,
        now: Timestamp,
        request: &LeaveGroupRequest,
        group: Arc<ConsumerGroup>,
    ) -> Outcome<Vec<MemberResponse>> {
        let mut answers = Vec::with_capacity(request.members.len());
        let mut gone: Vec<Arc<ConsumerMember>> = Vec::new();
        for identity in &request.members {
            let found = group.identified(identity);
            let answer = MemberResponse::default()
                .with_member_id(identity.member_id.clone())
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(found.as_ref().err().map_or(0, |error| error.code().code()));
            answers.push(answer);
            let is_new = |member: &Arc<_>| !gone.iter().any(|gone| Arc::ptr_eq(gone, member));
            gone.extend(found.ok().cloned().filter(is_new));
        }
        self.fence(now, group, &gone, "it left", answers)
    }

    fn set_classic_session(
        &mut self,
        now: Timestamp,
        group: &ConsumerGroup,
        member: &ConsumerMember,
        timeout_ms: i32,
    ) {
        let timer = Timer::Session(group.id.clone(), member.id.clone());
        self.timers.set(timer, now + i64::from(timeout_ms));
    }

    fn expect_join(&mut self, now: Timestamp, group: &ConsumerGroup, member: &ConsumerMember) {
        let timer = Timer::MemberJoin(group.id.clone(), member.id.clone());
        if !self.timers.is_set(&timer) {
            self.timers.set(timer, now + i64::from(member.rebalance_timeout_ms));
        }
    }

    /// The records of a join are in the log, or could not be written.
    pub fn finish_join(
        &mut self,
        now: Timestamp,
        group: &Arc<str>,
        ticket: Ticket,
        answer: JoinGroupResponse,
        (session_timeout_ms, rebalance_timeout_ms): (i32, i32),
    ) {
        let member: Arc<str> = Arc::from(&*answer.member_id);
        let (group, member) = (|| group.clone(), || member.clone());
        self.timers.cancel(&Timer::MemberJoin(group(), member()));
        let session = now + i64::from(session_timeout_ms);
        self.timers.set(Timer::Session(group(), member()), session);
        let sync = now + i64::from(rebalance_timeout_ms);
        self.timers.set(Timer::MemberSync(group(), member()), sync);
        self.answer(ticket, Parked::Join(answer));
    }
}

impl ConsumerGroup {
    /// Whether someone with these protocols may join: those that are there have one in common.
    fn supports_classic(&self, request: &JoinGroupRequest) -> bool {
        let speaks = |member: &ConsumerMember, name: &str| {
            let protocols = member.classic.as_ref().map(|classic| &classic.supported_protocols);
            protocols.is_none_or(|protocols| protocols.iter().any(|p| p.name == name))
        };
        let spoken_by_all = |name: &str| self.members().all(|member| speaks(member, name));
        &*request.protocol_type == embedded::PROTOCOL_TYPE
            && request.protocols.iter().any(|protocol| spoken_by_all(&protocol.name))
    }

    /// A member that speaks the classic protocol and knows its generation.
    fn classic_member(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<&Arc<ConsumerMember>> {
        let member = match instance {
            None => self.known_member(id)?,
            Some(instance) => {
                let member = self.known_instance(instance)?;
                check_instance(member, id, instance)?;
                member
            }
        };
        if !member.is_classic() {
            let message = format!("Member {id} does not use the classic protocol.");
            return refuse(ResponseError::UnknownMemberId, message);
        }
        if member.epoch != generation {
            return Err(ResponseError::IllegalGeneration.into());
        }
        Ok(member)
    }

    /// The member that LeaveGroup means; an operator names the instance only.
    fn identified(&self, identity: &MemberIdentity) -> Result<&Arc<ConsumerMember>> {
        let id = &*identity.member_id;
        let Some(instance) = identity.group_instance_id.as_deref() else {
            return self.known_member(id);
        };
        let member = self.known_instance(instance)?;
        if !id.is_empty() {
            check_instance(member, id, instance)?;
        }
        Ok(member)
    }

    /// Whether someone else still has to give back what the member waits for.
    fn is_waiting(&self, member: &ConsumerMember) -> bool {
        let has = |topic, index| {
            member.assigned.get(topic).is_some_and(|topic| topic.contains_key(index))
        };
        let target = self.target(&member.id);
        let mut wanted = target.iter().flat_map(|(topic, p)| p.iter().map(move |i| (topic, i)));
        wanted.any(|(topic, index)| !has(topic, index) && self.is_owned(*topic, *index))
    }
}

fn updated(
    member: &ConsumerMember,
    join: &Join<'_>,
    subscription: &ConsumerProtocolSubscription,
) -> ConsumerMember {
    let RequestContext { client_id, client_host, .. } = join.cx;
    let request = join.request;
    let mut updated = member.clone();
    if let Some(instance) = &request.group_instance_id {
        updated.instance_id = Some(Arc::from(&**instance));
    }
    if let Some(rack) = subscription.rack_id.as_ref().filter(|rack| !rack.is_empty()) {
        updated.rack_id = Some(rack.clone());
    }
    updated.rebalance_timeout_ms = join.rebalance_timeout_ms();
    updated.topics = Arc::new(subscription.topics.iter().cloned().collect());
    updated.topic_regex = Some(String::new());
    updated.client_id = client_id.clone();
    updated.client_host = client_host.clone();
    let protocols = request.protocols.iter().map(|p| (&*p.name, &p.metadata));
    updated.classic = Some(Arc::new(classic_metadata(request.session_timeout_ms, protocols)));
    updated
}

fn answer(member: &ConsumerMember) -> JoinGroupResponse {
    let protocols = member.classic.iter().flat_map(|classic| &classic.supported_protocols);
    JoinGroupResponse::default()
        .with_member_id(text(&member.id))
        .with_generation_id(member.epoch)
        .with_protocol_type(Some(text(embedded::PROTOCOL_TYPE)))
        .with_protocol_name(protocols.map(|protocol| text(&protocol.name)).next())
}
