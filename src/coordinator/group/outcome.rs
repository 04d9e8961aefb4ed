//! What an operation on a group leaves behind, and what it has at hand.

use super::classic_group::{ClassicGroup, Member};
use super::record::Record;
use super::shard::{Group, Shard};
use super::timers::{Timer, Timers};
use super::{GroupId, MemberId, Ticket, join, membership};
use crate::config::Config;
use crate::coordinator::state_machine::{self, Completion};
use crate::types::Timestamp;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Builder;

/// What an operation on a shard asks for.
pub type Outcome<A = ()> = state_machine::Outcome<Shard, A>;

impl<A> Outcome<A> {
    /// What a classic group wants written, if anything.
    pub fn classic(group: &GroupId, write: Option<Write>, answer: A) -> Outcome<A> {
        match write {
            None => Outcome::answer(answer),
            Some(Write { record, then }) => {
                let then = Completion::Then((group.clone(), then));
                Outcome { records: vec![record], then, answer }
            }
        }
    }
}

/// A classic group's record, and what follows it.
#[derive(Debug)]
pub struct Write {
    /// The group's generation.
    pub record: Record,
    /// What follows.
    pub then: Then,
}

/// How a classic group goes on after its record was appended, or could not be.
#[derive(Debug)]
pub enum Then {
    /// The group was made by the JoinGroup `ticket`, in the place of an empty one perhaps; without
    /// its record it is not.
    Created(Ticket, Option<Box<Group>>),
    /// The group is empty; without the record its former generation comes back with a restart,
    /// whose members time out.
    Emptied,
    /// The members get what the leader assigned.
    Assigned(BTreeMap<MemberId, Bytes>),
    /// A consumer group has become `group`.
    Downgraded {
        /// The classic group.
        group: Box<ClassicGroup>,
        /// Its members have to come together anew.
        rebalance: bool,
        /// The static member that did it, with its answer.
        joined: Option<(Ticket, Box<JoinGroupResponse>)>,
    },
    /// A classic member has joined a consumer group.
    JoinedConsumer {
        /// Its JoinGroup.
        ticket: Ticket,
        /// The answer.
        answer: Box<JoinGroupResponse>,
        /// How long it may be silent.
        session_timeout_ms: i32,
        /// How long it may take to ask for its assignment.
        rebalance_timeout_ms: i32,
    },
    /// A static member `old` is `id` now.
    KeepStatic {
        /// The new id.
        id: MemberId,
        /// The member as it was.
        old: Box<Member>,
        /// Who led then.
        leader_before: Option<MemberId>,
        /// The client knows SkipAssignment.
        skip: bool,
    },
}

/// An answer to a request that may have waited.
#[derive(Clone, Debug, PartialEq)]
pub enum Parked {
    /// To a JoinGroup.
    Join(JoinGroupResponse),
    /// To a SyncGroup.
    Sync(SyncGroupResponse),
}

/// What an operation has at hand beside its group.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The time.
    pub now: Timestamp,
    /// The broker's settings.
    pub config: &'a Config,
    /// The shard's timers.
    pub timers: &'a mut Timers,
    /// Answers to parked requests, this one perhaps among them.
    pub answers: &'a mut Vec<(Ticket, Parked)>,
    /// For member ids.
    pub random: &'a mut fastrand::Rng,
}

impl Turn<'_> {
    /// Answers a JoinGroup.
    pub fn answer_join(&mut self, ticket: Ticket, answer: JoinGroupResponse) {
        self.answers.push((ticket, Parked::Join(answer)));
    }

    /// Answers a SyncGroup.
    pub fn answer_sync(&mut self, ticket: Ticket, answer: SyncGroupResponse) {
        self.answers.push((ticket, Parked::Sync(answer)));
    }

    /// Tells the former self of a static member that there is another now.
    pub fn fence(&mut self, member: &Member) {
        let fenced = ResponseError::FencedInstanceId;
        if let Some(ticket) = member.awaiting_join {
            self.answer_join(ticket, join::join_error(&member.id, fenced));
        }
        if let Some(ticket) = member.awaiting_sync {
            self.answer_sync(ticket, membership::sync_error(fenced));
        }
    }

    /// Expects a sign of life of `member` within `timeout_ms`.
    pub fn set_session(&mut self, group: &ClassicGroup, member: &MemberId, timeout_ms: i32) {
        let timer = Timer::Session(group.id.clone(), member.clone());
        self.timers.set(timer, self.now + i64::from(timeout_ms));
    }

    /// `name-<uuid>`: ids tell an operator whose they are.
    pub fn new_member_id(&mut self, name: &str) -> MemberId {
        let bytes = self.random.u128(..).to_be_bytes();
        let id = Builder::from_random_bytes(bytes).into_uuid();
        Arc::from(format!("{name}-{id}"))
    }
}
