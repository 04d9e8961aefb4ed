//! The rebalance of a classic group: everybody joins, the leader assigns, everybody gets a share.
//!
//! ```text
//! Empty -> PreparingRebalance -> CompletingRebalance -> Stable -> PreparingRebalance ...
//!             `-> Empty (nobody left)   `-> PreparingRebalance (someone came, changed or went)
//! ```

use super::join::join_error;
use super::membership::sync_error;
use super::write::{ClassicThen, Write};
use super::{ClassicGroup, GroupState, InitialDelay};
use crate::codec::messages::SyncGroupResponse;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::text;
use crate::types::Sample;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

impl ClassicGroup {
    /// Starts a rebalance; or, if one is under way and all have joined, completes its join phase.
    pub fn rebalance_or_complete_join(
        &mut self,
        turn: &mut Turn<'_>,
        reason: impl FnOnce() -> String,
    ) -> Option<Write> {
        match self.state() {
            GroupState::PreparingRebalance => {
                self.reasons.add(reason);
                self.complete_join_if_all_came(turn)
            }
            _ => self.prepare_rebalance(turn, reason),
        }
    }

    /// Starts a rebalance. Members learn of it from their next heartbeat and join again.
    pub fn prepare_rebalance(
        &mut self,
        turn: &mut Turn<'_>,
        reason: impl FnOnce() -> String,
    ) -> Option<Write> {
        self.reasons.add(reason);
        tracing::debug!("group {} prepares to rebalance: {}", self.id, self.reasons);
        if self.state() == GroupState::CompletingRebalance {
            self.reset_assignments(turn, ResponseError::RebalanceInProgress);
        }
        self.pending_syncs.clear();
        turn.timers.cancel(&Timer::Sync(self.id.clone()));
        let is_initial = self.state() == GroupState::Empty;
        self.transition(GroupState::PreparingRebalance, turn.now);
        if is_initial {
            // When an application starts, its members come one after the other, so wait for more of
            // them.
            let delay_ms = turn.config.group_initial_rebalance_delay_ms;
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.set_initial_delay(turn, delay_ms, remaining_ms);
            None
        } else if self.has_all_joined() {
            self.complete_join(turn)
        } else {
            self.set_join_timer(turn, self.rebalance_timeout_ms());
            None
        }
    }

    fn set_initial_delay(&mut self, turn: &mut Turn<'_>, delay_ms: i32, remaining_ms: i32) {
        self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms, member_added: false });
        self.set_join_timer(turn, delay_ms);
    }

    fn set_join_timer(&self, turn: &mut Turn<'_>, timeout_ms: i32) {
        turn.timers.set(Timer::Join(self.id.clone()), turn.now + i64::from(timeout_ms));
    }

    /// Completes the join phase if all members have joined; the first rebalance waits for its
    /// timer.
    pub fn complete_join_if_all_came(&mut self, turn: &mut Turn<'_>) -> Option<Write> {
        let preparing = self.state() == GroupState::PreparingRebalance;
        if preparing && self.initial_delay.is_none() && self.has_all_joined() {
            return self.complete_join(turn);
        }
        None
    }

    /// Fires a timer of the group.
    pub fn expire(&mut self, turn: &mut Turn<'_>, timer: &Timer) -> Option<Write> {
        match timer {
            Timer::Session(_, member) => self.session_expired(turn, member),
            Timer::Join(_) => self.join_expired(turn),
            Timer::Sync(_) => self.sync_expired(turn),
            _ => None,
        }
    }

    /// The time for joining is over.
    fn join_expired(&mut self, turn: &mut Turn<'_>) -> Option<Write> {
        if let Some(delay) = self.initial_delay
            && delay.member_added
            && delay.remaining_ms != 0
        {
            let next = turn.config.group_initial_rebalance_delay_ms.min(delay.remaining_ms);
            self.set_initial_delay(turn, next, (delay.remaining_ms - delay.delay_ms).max(0));
            return None;
        }
        self.complete_join(turn)
    }

    /// Removes the members that did not join, and begins the next generation.
    fn complete_join(&mut self, turn: &mut Turn<'_>) -> Option<Write> {
        turn.timers.cancel(&Timer::Join(self.id.clone()));
        self.initial_delay = None;
        let absent: Vec<MemberId> = (self.members())
            .filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for member in absent {
            self.reasons
                .add(|| format!("member {member} did not join again in time and is removed"));
            self.remove(&member);
            turn.timers.cancel(&Timer::Session(self.id.clone(), member));
        }
        if self.size() > 0 && !self.elect_leader() {
            // There are only static members and none of them came. Their session timeouts decide.
            self.set_join_timer(turn, self.rebalance_timeout_ms());
            return None;
        }
        self.generation += 1;
        self.pending_syncs.clear();
        self.protocol = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.tell_of_generation();
        if self.size() == 0 {
            self.transition(GroupState::Empty, turn.now);
            let record = Record::group(self, &BTreeMap::new());
            return Some(Write { record, then: ClassicThen::Emptied });
        }
        self.transition(GroupState::CompletingRebalance, turn.now);
        self.announce_generation(turn);
        None
    }

    /// Logs the rebalance in one line, now that the group's members are known.
    fn tell_of_generation(&mut self) {
        let (id, generation, size) = (&self.id, self.generation, self.size());
        let reasons = std::mem::take(&mut self.reasons);
        match &self.protocol {
            Some(protocol) => tracing::info!(
                "group {id} has {size} members in generation {generation}, protocol {protocol}: \
                 {reasons}"
            ),
            None => tracing::info!("group {id} is empty in generation {generation}: {reasons}"),
        }
    }

    /// Whether somebody leads: the leader if it has joined, or else another that has.
    fn elect_leader(&mut self) -> bool {
        let leader = self.leader.as_deref().and_then(|id| self.member(id));
        if leader.is_some_and(|member| member.awaiting_join.is_some()) {
            return true;
        }
        let came = self.members().find(|member| member.awaiting_join.is_some());
        let Some(id) = came.map(|member| member.id.clone()) else { return false };
        self.leader = Some(id);
        true
    }

    fn announce_generation(&mut self, turn: &mut Turn<'_>) {
        for id in self.member_ids() {
            let answer = self.join_answer(&id, self.is_leader(&id));
            let member = self.member_mut(&id).expect("just listed");
            member.is_new = false;
            let (ticket, timeout_ms) = (member.awaiting_join.take(), member.session_timeout_ms);
            if let Some(ticket) = ticket {
                turn.answer_join(ticket, answer);
            }
            turn.set_session(&self.id, &id, timeout_ms);
            self.pending_syncs.insert(id);
        }
        let deadline = turn.now + i64::from(self.rebalance_timeout_ms());
        turn.timers.set(Timer::Sync(self.id.clone()), deadline);
    }

    /// Removes the members that have not asked for their assignment in time.
    fn sync_expired(&mut self, turn: &mut Turn<'_>) -> Option<Write> {
        let rebalanced = [GroupState::CompletingRebalance, GroupState::Stable];
        if self.pending_syncs.is_empty() || !rebalanced.contains(&self.state()) {
            return None;
        }
        let mut late = Sample::default();
        for member in std::mem::take(&mut self.pending_syncs) {
            self.remove(&member);
            late.add(|| member.to_string());
            turn.timers.cancel(&Timer::Session(self.id.clone(), member));
        }
        let reason = format!("did not ask for their assignment in time and are removed: {late}");
        self.prepare_rebalance(turn, || reason)
    }

    /// Removes a member that was silent for too long.
    fn session_expired(&mut self, turn: &mut Turn<'_>, id: &str) -> Option<Write> {
        if self.pending_joins.contains(id) {
            self.remove(id);
        } else {
            let member = self.member(id)?;
            if member.has_satisfied_heartbeat() {
                return None;
            }
            let (group, timeout_ms) = (&self.id, member.session_timeout_ms);
            tracing::info!("group {group} loses member {id}: it was silent for {timeout_ms} ms");
            self.drop_member(turn, id);
            let reason = || format!("member {id} expired");
            if self.state() != GroupState::PreparingRebalance {
                return self.rebalance_or_complete_join(turn, reason);
            }
            self.reasons.add(reason);
        }
        let all_came = self.state() == GroupState::PreparingRebalance && self.has_all_joined();
        if all_came { self.complete_join(turn) } else { None }
    }

    /// Removes a member, and tells it so if a request of it waits; it may join again.
    pub fn drop_member(&mut self, turn: &mut Turn<'_>, id: &str) {
        let Some(removed) = self.remove(id) else { return };
        if let Some(ticket) = removed.awaiting_join {
            turn.answer_join(ticket, join_error("", ResponseError::UnknownMemberId));
        }
        if let Some(ticket) = removed.awaiting_sync {
            turn.answer_sync(ticket, sync_error(ResponseError::UnknownMemberId));
        }
    }

    /// The assignments of all members.
    pub fn assignments(&self) -> BTreeMap<&str, Bytes> {
        self.members().map(|member| (&*member.id, member.assignment.clone())).collect()
    }

    /// Goes on after the leader's assignment was written, or could not be.
    pub fn finish_assignment(
        &mut self,
        turn: &mut Turn<'_>,
        mut assignments: BTreeMap<MemberId, Bytes>,
        result: Result<(), ResponseError>,
    ) {
        if let Err(error) = result {
            self.reset_assignments(turn, error);
            let reason = || format!("the assignment could not be written: {error}");
            let write = self.rebalance_or_complete_join(turn, reason);
            assert!(write.is_none(), "nobody has joined the new rebalance yet");
            return;
        }
        for member in self.members_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        self.transition(GroupState::Stable, turn.now);
        self.hand_out(turn, None);
    }

    fn reset_assignments(&mut self, turn: &mut Turn<'_>, error: ResponseError) {
        for member in self.members_mut() {
            member.assignment = Bytes::new();
        }
        self.hand_out(turn, Some(error));
    }

    /// Answers all waiting requests with an error.
    pub fn give_up(&mut self, turn: &mut Turn<'_>, error: ResponseError) {
        for member in self.members_mut() {
            if let Some(ticket) = member.awaiting_join.take() {
                turn.answer_join(ticket, join_error(&member.id, error));
            }
            if let Some(ticket) = member.awaiting_sync.take() {
                turn.answer_sync(ticket, sync_error(error));
            }
        }
    }

    /// Answers the SyncGroups that wait. A session that ended while its request waited was ignored,
    /// so it starts anew.
    fn hand_out(&mut self, turn: &mut Turn<'_>, error: Option<ResponseError>) {
        for id in self.member_ids() {
            let answer = match error {
                None => self.sync_answer(&id),
                Some(error) => sync_error(error),
            };
            let member = self.member_mut(&id).expect("just listed");
            let timeout_ms = member.session_timeout_ms;
            if let Some(ticket) = member.awaiting_sync.take() {
                turn.answer_sync(ticket, answer);
                turn.set_session(&self.id, &id, timeout_ms);
            }
        }
    }

    /// The answer to a SyncGroup of the member `id`.
    pub fn sync_answer(&self, id: &str) -> SyncGroupResponse {
        let assignment = self.member(id).map(|member| member.assignment.clone());
        SyncGroupResponse::default()
            .with_protocol_type(self.protocol_type.as_deref().map(text))
            .with_protocol_name(self.protocol.as_deref().map(text))
            .with_assignment(assignment.unwrap_or_default())
    }
}
