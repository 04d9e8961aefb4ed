//! Members that go, or are made to go.

use super::heartbeat::{check_instance, refuse};
use super::member::{ConsumerMember, MemberState};
use super::{ConsumerGroup, LEAVE_STATIC_EPOCH, Outcome};
use crate::coordinator::group::GroupId;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::text;
use crate::error::Result;
use crate::types::Sample;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::sync::Arc;

impl ConsumerGroup {
    /// A heartbeat with a leave epoch.
    pub fn leave(
        &self,
        turn: &mut Turn<'_>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Outcome<ConsumerGroupHeartbeatResponse>> {
        let id = &*request.member_id;
        let answer = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(id)))
            .with_member_epoch(request.member_epoch);
        let member = match request.instance_id.as_deref() {
            None => self.known_member(id)?,
            Some(instance) => {
                let member = self.known_instance(instance)?;
                check_instance(member, id, instance)?;
                if request.member_epoch == LEAVE_STATIC_EPOCH {
                    tracing::info!(
                        "group {}: static member {instance} ({id}) went away and may come back",
                        self.id
                    );
                    let record = Record::consumer_current(&self.id, &away(member));
                    return Ok(Outcome::replay(vec![record], answer));
                }
                member
            }
        };
        Ok(self.fence(turn, std::slice::from_ref(member), "it left", answer))
    }

    /// Removes members; if only members are left that speak the classic protocol, the group
    /// becomes a classic one.
    pub fn fence<A>(
        &self,
        turn: &mut Turn<'_>,
        gone: &[Arc<ConsumerMember>],
        why: &str,
        answer: A,
    ) -> Outcome<A> {
        if gone.is_empty() {
            return Outcome::answer(answer);
        }
        let mut named = Sample::default();
        gone.iter().for_each(|member| named.add(|| member.id.to_string()));
        let (id, epoch) = (&self.id, self.epoch + 1);
        tracing::info!("group {id} loses member {named} and moves to epoch {epoch}: {why}");
        let gone: Vec<&ConsumerMember> = gone.iter().map(|member| &**member).collect();
        if let Some(downgrade) = self.downgrade_without(turn, &gone) {
            return downgrade.outcome(answer);
        }
        let mut records = Vec::new();
        for member in &gone {
            records.extend(Record::consumer_member_gone(&self.id, &member.id));
        }
        for regex in self.regexes_without(&gone, None) {
            records.push(Record::consumer_regex(&self.id, regex, None));
        }
        let topics = self.topics_after(&gone, None);
        let hash = turn.topic_hashes.of_all(turn.image, topics.keys());
        records.push(Record::consumer_epoch(id, epoch, hash));
        for member in &gone {
            turn.cancel_timers(member_timers(id, member));
        }
        Outcome::replay(records, answer)
    }

    /// A timer of the group or of a member has fired.
    pub fn expire(&self, turn: &mut Turn<'_>, timer: &Timer) -> Outcome {
        let (id, why) = match timer {
            Timer::Regexes(_) => return self.resolve_regexes(turn),
            Timer::Session(_, id) => (id, "its session expired"),
            Timer::Rebalance(_, id) => (id, "it did not give partitions back in time"),
            Timer::MemberJoin(_, id) => (id, "it did not join again in time"),
            Timer::MemberSync(_, id) => (id, "it did not sync in time"),
            _ => return Outcome::answer(()),
        };
        let Some(member) = self.member(id) else { return Outcome::answer(()) };
        // A static member that went away meanwhile has nothing to give back.
        let is_over =
            member.state != MemberState::UnrevokedPartitions || member.epoch == LEAVE_STATIC_EPOCH;
        if matches!(timer, Timer::Rebalance(..)) && is_over {
            return Outcome::answer(());
        }
        self.fence(turn, std::slice::from_ref(member), &format!("{why}, so it is fenced"), ())
    }

    /// The group was read from the log: expects heartbeats of its members.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        for member in self.members() {
            self.expect_heartbeat(turn, &member.id);
            if member.state == MemberState::UnrevokedPartitions {
                let timer = Timer::Rebalance(self.id.clone(), member.id.clone());
                turn.set_timer(timer, member.rebalance_timeout_ms);
            }
        }
    }

    /// The present member of a static instance, or UNKNOWN_MEMBER_ID.
    pub fn known_instance(&self, instance: &str) -> Result<&Arc<ConsumerMember>> {
        match self.static_member(instance) {
            Some(member) => Ok(member),
            None => {
                let message = format!("Instance id {instance} is unknown.");
                refuse(ResponseError::UnknownMemberId, message)
            }
        }
    }

    /// All timers that may run for this group.
    pub fn timers(&self) -> Vec<Timer> {
        let members = self.members().flat_map(|member| member_timers(&self.id, member));
        members.chain([Timer::Regexes(self.id.clone())]).collect()
    }
}

fn member_timers(group: &GroupId, member: &ConsumerMember) -> [Timer; 4] {
    let (group, member) = (|| group.clone(), || member.id.clone());
    [
        Timer::Session(group(), member()),
        Timer::Rebalance(group(), member()),
        Timer::MemberJoin(group(), member()),
        Timer::MemberSync(group(), member()),
    ]
}

/// A static member that will come back: what it has is kept for it, from the beginning.
fn away(member: &ConsumerMember) -> ConsumerMember {
    let mut away = member.clone();
    away.epoch = LEAVE_STATIC_EPOCH;
    away.pending_revocation = Arc::default();
    for partitions in Arc::make_mut(&mut away.assigned).values_mut() {
        partitions.values_mut().for_each(|epoch| *epoch = 0);
    }
    away
}
