//! JoinGroup on a classic group: who may join, under which id, and whether the other members have
//! to join again.

use super::membership::sync_error;
use super::write::{ClassicThen, Write};
use super::{ClassicGroup, GroupState, Member};
use crate::codec::messages::join_group_response::JoinGroupResponseMember;
use crate::codec::messages::{JoinGroupRequest, JoinGroupResponse};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::{RequestContext, Ticket, text};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// From this version on a new dynamic member gets its id first and then joins with it (KIP-394).
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;
/// From this version on a static leader that came back can be told not to assign again (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// How many milliseconds a member that does not know its id yet may wait for a rebalance. Kafka has
/// the same constant.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 300_000;

#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    pub cx: &'a RequestContext,
    pub request: &'a JoinGroupRequest,
    /// The ticket of its answer.
    pub ticket: Ticket,
}

impl Join<'_> {
    fn protocols(&self) -> Vec<(String, Bytes)> {
        // These are copies: a slice would keep the whole frame of the request in memory.
        let copy = |metadata: &Bytes| Bytes::copy_from_slice(metadata);
        self.request.protocols.iter().map(|p| (p.name.to_string(), copy(&p.metadata))).collect()
    }

    fn instance_id(&self) -> Option<&str> {
        self.request.group_instance_id.as_deref()
    }

    /// Whether it is from a dynamic member that has to be told its id first.
    pub fn needs_member_id(&self) -> bool {
        self.request.member_id.is_empty()
            && self.instance_id().is_none()
            && self.cx.api_version >= MEMBER_ID_REQUIRED_VERSION
    }

    /// The rebalance timeout; version 0 of the request uses the session timeout.
    pub fn rebalance_timeout_ms(&self) -> i32 {
        match self.cx.api_version {
            0 => self.request.session_timeout_ms,
            _ => self.request.rebalance_timeout_ms,
        }
    }

    /// The reason for a rebalance, for the log.
    fn reason(&self, id: &str, what: &str) -> String {
        let said = self.request.reason.as_deref().filter(|said| !said.is_empty());
        let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
        format!("member {id} at {} {what}{said}", self.cx.client_host)
    }

    fn member(&self, id: Arc<str>) -> Member {
        Member {
            id,
            instance_id: self.instance_id().map(Arc::from),
            client_id: self.cx.client_id.to_string(),
            client_host: self.cx.client_host.to_string(),
            rebalance_timeout_ms: self.rebalance_timeout_ms(),
            session_timeout_ms: self.request.session_timeout_ms,
            protocols: self.protocols(),
            assignment: Bytes::new(),
            is_new: true,
            awaiting_join: Some(self.ticket),
            awaiting_sync: None,
        }
    }
}

/// An answer with an error.
pub fn join_error(member: &str, error: ResponseError) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_member_id(text(member))
        .with_protocol_name(None)
        .with_error_code(error.code())
}

/// Tells the former member of a static instance that another has taken its place.
fn fence(turn: &mut Turn<'_>, member: &Member) {
    let fenced = ResponseError::FencedInstanceId;
    if let Some(ticket) = member.awaiting_join {
        turn.answer_join(ticket, join_error(&member.id, fenced));
    }
    if let Some(ticket) = member.awaiting_sync {
        turn.answer_sync(ticket, sync_error(fenced));
    }
}

impl ClassicGroup {
    /// Handles a JoinGroup from a member with or without an id.
    pub fn join(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> Option<Write> {
        let id = &*join.request.member_id;
        let names = join.request.protocols.iter().map(|protocol| &*protocol.name);
        let error = if !self.has_room_for(id, turn.config.group_max_size) {
            self.remove(id);
            turn.answer_join(join.ticket, join_error("", ResponseError::GroupMaxSizeReached));
            return None;
        } else if !self.supports(&join.request.protocol_type, names) {
            ResponseError::InconsistentGroupProtocol
        } else if id.is_empty() {
            return self.join_new(turn, join);
        } else if self.pending_joins.contains(id) && join.instance_id().is_none() {
            return self.add_member(turn, join, Arc::from(id));
        } else if let Err(error) = self.validate_member(id, join.instance_id()) {
            error
        } else {
            return self.rejoin(turn, join);
        };
        turn.answer_join(join.ticket, join_error(id, error));
        None
    }

    /// Whether there is room. During a rebalance only those that have joined count, so that a group
    /// that has become too large leaves out those that come last.
    fn has_room_for(&self, id: &str, max_size: i32) -> bool {
        let max_size = usize::try_from(max_size).unwrap_or(0);
        let member = self.member(id);
        match self.state() {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join() < max_size
            }
            _ => member.is_some() || self.size() < max_size,
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> Option<Write> {
        let id = turn.new_member_id(join.instance_id().unwrap_or(&join.cx.client_id));
        if let Some(instance) = join.instance_id() {
            return match self.static_member(instance).cloned() {
                Some(old) => self.replace_static(turn, join, &old, id),
                None => self.add_member(turn, join, id),
            };
        }
        if join.cx.api_version < MEMBER_ID_REQUIRED_VERSION {
            return self.add_member(turn, join, id);
        }
        self.pending_joins.insert(id.clone());
        turn.set_session(&self.id, &id, join.request.session_timeout_ms);
        turn.answer_join(join.ticket, join_error(&id, ResponseError::MemberIdRequired));
        None
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, join: Join<'_>, id: Arc<str>) -> Option<Write> {
        if let Some(delay) = &mut self.initial_delay {
            delay.member_added = true;
        }
        self.add(&join.request.protocol_type, join.member(id.clone()));
        // The member does not know its id and so cannot send heartbeats, and nobody would notice if
        // its client went away. A time limit keeps such members from piling up.
        turn.set_session(&self.id, &id, NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.rebalance_or_complete_join(turn, || join.reason(&id, "joined"))
    }

    /// A member of the group joins, perhaps again.
    fn rejoin(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> Option<Write> {
        let id = &*join.request.member_id;
        let member = self.member(id).expect("validated");
        let changed = member.protocols != join.protocols();
        let answer = match self.state() {
            GroupState::PreparingRebalance => return self.update_and_rebalance(turn, join),
            _ if changed => return self.update_and_rebalance(turn, join),
            // It may have missed the first answer.
            GroupState::CompletingRebalance => self.join_answer(id, self.is_leader(id)),
            // The leader may know of a change that the members' metadata does not show.
            GroupState::Stable if self.is_leader(id) => {
                return self.update_and_rebalance(turn, join);
            }
            GroupState::Stable => self.join_answer(id, false),
            GroupState::Empty => join_error(id, ResponseError::UnknownMemberId),
        };
        turn.answer_join(join.ticket, answer);
        None
    }

    fn update_and_rebalance(&mut self, turn: &mut Turn<'_>, join: Join<'_>) -> Option<Write> {
        let id = &*join.request.member_id;
        self.update(turn, id, &join);
        // A member that joins because a rebalance calls it is not a reason for that rebalance.
        if self.state() == GroupState::PreparingRebalance {
            return self.complete_join_if_all_came(turn);
        }
        self.prepare_rebalance(turn, || join.reason(id, "joined again"))
    }

    fn update(&mut self, turn: &mut Turn<'_>, id: &str, join: &Join<'_>) {
        let member = self.member_mut(id).expect("validated");
        member.protocols = join.protocols();
        member.rebalance_timeout_ms = join.rebalance_timeout_ms();
        member.session_timeout_ms = join.request.session_timeout_ms;
        if let Some(earlier) = member.awaiting_join.replace(join.ticket) {
            turn.answer_join(earlier, join_error(id, ResponseError::RebalanceInProgress));
        }
    }

    /// A static member has come back without its id. It takes its former place, and if nothing else
    /// has changed the other members are not disturbed.
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        join: Join<'_>,
        old_id: &str,
        id: Arc<str>,
    ) -> Option<Write> {
        let leader_before = self.leader.clone();
        let old = self.member(old_id).expect("a static member is a member").clone();
        fence(turn, &old);
        tracing::info!(
            "group {}: member {id} takes the place of {old_id}, which is fenced: static member {}",
            self.id,
            join.instance_id().unwrap_or_default()
        );
        let old = Member { awaiting_join: None, awaiting_sync: None, ..old };
        let new = Member { id: id.clone(), is_new: false, ..old.clone() };
        self.replace(old_id, new);
        turn.set_session(&self.id, &id, old.session_timeout_ms);
        self.update(turn, &id, &join);
        match self.state() {
            GroupState::Stable if self.protocol == self.select_protocol() => {
                let assignments = self.assignments();
                let record = Record::group(self, &assignments);
                let skip = join.cx.api_version >= SKIP_ASSIGNMENT_VERSION;
                let then = ClassicThen::KeepStatic { id, old: Box::new(old), leader_before, skip };
                Some(Write { record, then })
            }
            // The leader may have been told the old id, and would assign partitions to nobody.
            GroupState::Stable | GroupState::CompletingRebalance => {
                self.prepare_rebalance(turn, || format!("member {id} took the place of {old_id}"))
            }
            GroupState::PreparingRebalance => self.complete_join_if_all_came(turn),
            GroupState::Empty => unreachable!("an empty group has no static members"),
        }
    }

    /// Goes on after the record of a replaced static member was written, or could not be.
    pub fn finish_replacement(
        &mut self,
        turn: &mut Turn<'_>,
        (id, old, leader_before, skip): (Arc<str>, Member, Option<Arc<str>>, bool),
        result: Result<(), ResponseError>,
    ) {
        let Some(ticket) = self.member_mut(&id).and_then(|member| member.awaiting_join.take())
        else {
            return;
        };
        // Before version 9 the client must not learn that it is the leader: it would make an
        // assignment, which the stable group would ignore.
        let mut answer = self.join_answer(&id, skip && self.is_leader(&id));
        if !skip {
            answer.leader = text(leader_before.as_deref().unwrap_or_default());
        }
        answer.skip_assignment = skip && self.is_leader(&id);
        if let Err(error) = result {
            let (old_id, timeout_ms) = (old.id.clone(), old.session_timeout_ms);
            self.replace(&id, old);
            turn.set_session(&self.id, &old_id, timeout_ms);
            answer = answer.with_member_id(text("")).with_members(Vec::new());
            answer.leader = text(leader_before.as_deref().unwrap_or_default());
            answer.skip_assignment = false;
            answer.error_code = error.code();
        }
        // The member may have come back with other topics under the same protocol.
        self.subscribed_topics = self.compute_subscribed_topics();
        turn.answer_join(ticket, answer);
    }

    /// The present generation as a member sees it; the leader is shown all members.
    pub fn join_answer(&self, id: &str, with_members: bool) -> JoinGroupResponse {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members().filter(|_| with_members).map(|member| {
            JoinGroupResponseMember::default()
                .with_member_id(text(&member.id))
                .with_group_instance_id(member.instance_id.as_deref().map(text))
                .with_metadata(member.metadata(protocol))
        });
        JoinGroupResponse::default()
            .with_members(members.collect())
            .with_member_id(text(id))
            .with_generation_id(self.generation)
            .with_protocol_name(self.protocol.as_deref().map(text))
            .with_protocol_type(self.protocol_type.as_deref().map(text))
            .with_leader(text(self.leader.as_deref().unwrap_or_default()))
    }
}
