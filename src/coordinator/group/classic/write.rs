//! The record that an operation on a classic group writes, and what the group does after that.

use super::{ClassicGroup, Member};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::{GroupOutcome, Turn};
use crate::coordinator::group::{GroupId, MemberId};
use crate::coordinator::state_machine::Completion;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

/// The record of a classic group, and what follows the append.
#[derive(Debug)]
pub struct Write {
    /// The record of the group's generation.
    pub record: Record,
    /// What follows the append.
    pub then: ClassicThen,
}

/// What a classic group does after its record was appended, or could not be.
#[derive(Debug)]
pub enum ClassicThen {
    /// Nothing: the group is empty. If the record could not be written, a restart brings its last
    /// generation back, whose members then time out.
    Emptied,
    /// The members get the leader's assignments.
    Assigned(BTreeMap<MemberId, Bytes>),
    /// The static member `old` has got the id `id`.
    KeepStatic {
        id: MemberId,
        /// The member before that.
        old: Box<Member>,
        /// The leader before that.
        leader_before: Option<MemberId>,
        /// Whether the client knows SkipAssignment.
        skip: bool,
    },
}

impl Write {
    /// The outcome of an operation that may want a record written.
    pub fn outcome<A>(
        write: Option<Write>,
        group: &GroupId,
        answer: A,
    ) -> GroupOutcome<ClassicThen, A> {
        match write {
            None => GroupOutcome::answer(answer),
            Some(Write { record, then }) => {
                let then = Completion::Then((group.clone(), then));
                GroupOutcome { records: vec![record], then, answer }
            }
        }
    }
}

impl ClassicGroup {
    /// Goes on after the record was appended, or could not be.
    pub fn complete(
        &mut self,
        turn: &mut Turn<'_>,
        then: ClassicThen,
        appended: Result<(), ResponseError>,
    ) {
        match then {
            ClassicThen::Emptied => {}
            ClassicThen::Assigned(owned) => self.finish_assignment(turn, owned, appended),
            ClassicThen::KeepStatic { id, old, leader_before, skip } => {
                self.finish_replacement(turn, (id, *old, leader_before, skip), appended);
            }
        }
    }

    /// Expects the members' heartbeats after a load. If the limit of the group's size was lowered,
    /// the members have to join again, and the first ones may stay.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        self.expect_members(turn);
        let max_size = usize::try_from(turn.config.group_max_size).unwrap_or(0);
        if self.size() > max_size {
            self.regroup(turn, || {
                format!("more than group.max.size={max_size} members were loaded")
            });
        }
    }

    /// Begins the session of every member.
    pub fn expect_members(&self, turn: &mut Turn<'_>) {
        for member in self.members() {
            turn.set_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    /// Starts a rebalance in which nobody has joined yet.
    pub fn regroup(&mut self, turn: &mut Turn<'_>, reason: impl FnOnce() -> String) {
        let write = self.prepare_rebalance(turn, reason);
        assert!(write.is_none(), "nobody has joined yet");
    }
}
