//! SyncGroup, Heartbeat and LeaveGroup on a classic group.

use super::write::{ClassicThen, Write};
use super::{ClassicGroup, GroupState};
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::{HeartbeatRequest, StrBytes, SyncGroupRequest, SyncGroupResponse};
use crate::coordinator::Ticket;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

/// An answer with an error.
pub fn sync_error(error: ResponseError) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(error.code())
}

impl ClassicGroup {
    /// A member asks for its assignment; the leader brings the assignments of all.
    pub fn sync(
        &mut self,
        turn: &mut Turn<'_>,
        request: &SyncGroupRequest,
        ticket: Ticket,
    ) -> Option<Write> {
        let id = &*request.member_id;
        let error = match self.validate_sync(request) {
            Err(error) => error,
            Ok(()) if self.state() == GroupState::PreparingRebalance => {
                ResponseError::RebalanceInProgress
            }
            Ok(()) => {
                self.pending_syncs.remove(id);
                if self.pending_syncs.is_empty() {
                    turn.timers.cancel(&Timer::Sync(self.id.clone()));
                }
                if self.state() == GroupState::Stable {
                    turn.answer_sync(ticket, self.sync_answer(id));
                    return None;
                }
                let member = self.member_mut(id).expect("validated");
                if let Some(earlier) = member.awaiting_sync.replace(ticket) {
                    turn.answer_sync(earlier, sync_error(ResponseError::RebalanceInProgress));
                }
                return self.is_leader(id).then(|| self.assign(request));
            }
        };
        turn.answer_sync(ticket, sync_error(error));
        None
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ResponseError> {
        let differs = |asked: &Option<StrBytes>, ours: &Option<String>| match (asked, ours) {
            (Some(asked), Some(ours)) => **asked != **ours,
            _ => false,
        };
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            Err(ResponseError::IllegalGeneration)
        } else if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            Err(ResponseError::InconsistentGroupProtocol)
        } else {
            Ok(())
        }
    }

    /// The leader's assignment. Members that the leader left out get nothing.
    fn assign(&self, request: &SyncGroupRequest) -> Write {
        let brought = request.assignments.iter().map(|assignment| {
            // A copy: a slice would keep the whole frame of the request in memory.
            (&*assignment.member_id, Bytes::copy_from_slice(&assignment.assignment))
        });
        let mut assignments: BTreeMap<&str, Bytes> = brought.collect();
        assignments.retain(|id, _| self.member(id).is_some());
        let record = Record::group(self, &assignments);
        let owned = assignments.into_iter().map(|(id, bytes)| (MemberId::from(id), bytes));
        Write { record, then: ClassicThen::Assigned(owned.collect()) }
    }

    /// Keeps a member's session alive.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        request: &HeartbeatRequest,
    ) -> Result<(), ResponseError> {
        let id = &*request.member_id;
        self.validate_member(id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        self.keep_alive(turn, id);
        match self.state() {
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Starts a member's session anew.
    pub fn keep_alive(&self, turn: &mut Turn<'_>, id: &str) {
        if let Some(member) = self.member(id) {
            turn.set_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    /// Members leave. They are named by their ids or, by an operator, by their static instances.
    pub fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        members: &[MemberIdentity],
    ) -> (Vec<MemberResponse>, Option<Write>) {
        let mut answers = Vec::with_capacity(members.len());
        for identity in members {
            let result = self.leave_one(turn, identity);
            let answer = MemberResponse::default()
                .with_member_id(identity.member_id.clone())
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(result.err().map_or(0, |error| error.code()));
            answers.push(answer);
        }
        let someone_left = answers.iter().any(|answer| answer.error_code == 0);
        let write = match self.state() {
            GroupState::Empty => None,
            _ if !someone_left => None,
            _ => {
                let left = answers.iter().filter(|answer| answer.error_code == 0).count();
                self.rebalance_or_complete_join(turn, || format!("{left} members left"))
            }
        };
        (answers, write)
    }

    fn leave_one(
        &mut self,
        turn: &mut Turn<'_>,
        identity: &MemberIdentity,
    ) -> Result<(), ResponseError> {
        let instance = identity.group_instance_id.as_deref();
        let id = match &*identity.member_id {
            "" => instance
                .and_then(|instance| self.static_member(instance))
                .cloned()
                .ok_or(ResponseError::UnknownMemberId)?,
            id if self.pending_joins.contains(id) => MemberId::from(id),
            id => {
                self.validate_member(id, instance)?;
                MemberId::from(id)
            }
        };
        let said = identity.reason.as_deref().unwrap_or("no reason given");
        tracing::info!("group {} loses member {id}: it left ({said})", self.id);
        turn.timers.cancel(&Timer::Session(self.id.clone(), id.clone()));
        self.drop_member(turn, &id);
        Ok(())
    }
}
