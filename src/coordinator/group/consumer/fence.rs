//! Members of a consumer group that leave, and members that are removed.

use super::member::ConsumerMember;
use super::{ConsumerGroup, ConsumerOutcome};
use crate::codec::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::coordinator::group::modern::LEAVE_STATIC_EPOCH;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::text;
use crate::error::Result;
use crate::types::Sample;
use std::sync::Arc;

impl ConsumerGroup {
    /// Handles a heartbeat with a leave epoch.
    pub fn leave(
        &self,
        turn: &mut Turn<'_>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerOutcome<ConsumerGroupHeartbeatResponse>> {
        let answer = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(&request.member_id)))
            .with_member_epoch(request.member_epoch);
        let member = self.speaker(&request.member_id, request.instance_id.as_deref())?;
        Ok(match request.member_epoch {
            LEAVE_STATIC_EPOCH => {
                ConsumerOutcome::replay(vec![self.leave_for_now(turn, member)], answer)
            }
            _ => self.fence(turn, std::slice::from_ref(member), "it left", answer),
        })
    }

    /// Removes members. If only members remain that speak the classic protocol, the group becomes a
    /// classic one.
    pub fn fence<A>(
        &self,
        turn: &mut Turn<'_>,
        gone: &[Arc<ConsumerMember>],
        why: &str,
        answer: A,
    ) -> ConsumerOutcome<A> {
        if gone.is_empty() {
            return ConsumerOutcome::answer(answer);
        }
        let mut named = Sample::default();
        gone.iter().for_each(|member| named.add(|| member.id.to_string()));
        let (id, epoch) = (&self.id, self.epoch + 1);
        tracing::info!("group {id} loses member {named} and moves to epoch {epoch}: {why}");
        let gone: Vec<&ConsumerMember> = gone.iter().map(|member| &**member).collect();
        if let Some(downgrade) = self.downgrade_without(turn, &gone) {
            return downgrade.outcome(answer);
        }
        let mut records = self.without(turn, gone.iter().copied());
        for regex in self.regexes_without(&gone, None) {
            records.push(Record::consumer_regex(&self.id, regex, None));
        }
        let topics = self.topics_after(&gone, None);
        let hash = turn.topic_hashes.of_all(turn.image, topics.names());
        records.push(Record::consumer_epoch(id, epoch, hash));
        ConsumerOutcome::replay(records, answer)
    }

    /// Fires a timer of the group or of a member.
    pub fn expire(&self, turn: &mut Turn<'_>, timer: &Timer) -> ConsumerOutcome {
        if matches!(timer, Timer::Regexes(_)) {
            return self.resolve_regexes(turn);
        }
        match self.overdue(timer) {
            Some((member, why)) => self.fence(turn, std::slice::from_ref(member), why, ()),
            None => ConsumerOutcome::answer(()),
        }
    }
}
