//! What an operation on a classic group wants written, and how the group goes on after it.

use super::{ClassicGroup, Member};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::{Outcome, Turn};
use crate::coordinator::group::{GroupId, MemberId};
use crate::coordinator::state_machine::Completion;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

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
    /// The group is empty; without the record its former generation comes back with a restart,
    /// whose members time out.
    Emptied,
    /// The members get what the leader assigned.
    Assigned(BTreeMap<MemberId, Bytes>),
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

impl Write {
    /// What a group wants written, if anything, with the answer.
    pub fn outcome<A>(write: Option<Write>, group: &GroupId, answer: A) -> Outcome<Then, A> {
        match write {
            None => Outcome::answer(answer),
            Some(Write { record, then }) => {
                let then = Completion::Then((group.clone(), then));
                Outcome { records: vec![record], then, answer }
            }
        }
    }
}

impl ClassicGroup {
    /// The record before `then` is in the log, or could not be written.
    pub fn complete(
        &mut self,
        turn: &mut Turn<'_>,
        then: Then,
        appended: Result<(), ResponseError>,
    ) {
        match then {
            Then::Emptied => {}
            Then::Assigned(assignments) => self.finish_assignment(turn, assignments, appended),
            Then::KeepStatic { id, old, leader_before, skip } => {
                self.finish_replacement(turn, (id, *old, leader_before, skip), appended);
            }
        }
    }

    /// The group was read from the log: expects its members, and calls them together anew if the
    /// limit of a group's size was lowered; who joins first may stay.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        self.expect_members(turn);
        let max_size = usize::try_from(turn.config.group_max_size).unwrap_or(0);
        if self.size() > max_size {
            self.regroup(turn, || {
                format!("more than group.max.size={max_size} members were loaded")
            });
        }
    }

    /// Expects a sign of life of every member.
    pub fn expect_members(&self, turn: &mut Turn<'_>) {
        for member in self.members() {
            turn.set_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    /// Calls members together who do not know of this group yet.
    pub fn regroup(&mut self, turn: &mut Turn<'_>, reason: impl FnOnce() -> String) {
        let write = self.prepare_rebalance(turn, reason);
        assert!(write.is_none(), "nobody has joined yet");
    }
}
