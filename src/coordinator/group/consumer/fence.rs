//! Members that go, or are made to go.

use super::super::outcome::Outcome;
use super::super::record::Record;
use super::super::shard::Shard;
use super::super::timers::Timer;
use super::super::{GroupId, text};
use super::heartbeat::{check_instance, refuse};
use super::member::{ConsumerMember, MemberState};
use super::{ConsumerGroup, LEAVE_STATIC_EPOCH};
use crate::error::Result;
use crate::types::{Sample, Timestamp};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::sync::Arc;

impl Shard {
    /// A heartbeat with a leave epoch.
    pub(super) fn consumer_leave(
        &mut self,
        now: Timestamp,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Outcome<ConsumerGroupHeartbeatResponse>> {
        let group = self.consumer(&request.group_id)?.clone();
        let id = &*request.member_id;
        let answer = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(id)))
            .with_member_epoch(request.member_epoch);
        let member = match request.instance_id.as_deref() {
            None => group.known_member(id)?,
            Some(instance) => {
                let member = group.known_instance(instance)?;
                check_instance(member, id, instance)?;
                if request.member_epoch == LEAVE_STATIC_EPOCH {
                    tracing::info!(
                        "group {}: static member {instance} ({id}) went away and may come back",
                        group.id
                    );
                    let record = Record::consumer_current(&group.id, &away(member));
                    return Ok(Outcome::replay(vec![record], answer));
                }
                member
            }
        };
        let gone = [member.clone()];
        Ok(self.fence(now, group, &gone, "it left", answer))
    }

    /// Removes members; if only members are left that speak the classic protocol, the group
    /// becomes a classic one.
    pub fn fence<A>(
        &mut self,
        now: Timestamp,
        group: Arc<ConsumerGroup>,
        gone: &[Arc<ConsumerMember>],
        why: &str,
        answer: A,
    ) -> Outcome<A> {
        if gone.is_empty() {
            return Outcome::answer(answer);
        }
        let mut named = Sample::default();
        gone.iter().for_each(|member| named.add(|| member.id.to_string()));
        let (id, epoch) = (&group.id, group.epoch + 1);
        tracing::info!("group {id} loses member {named} and moves to epoch {epoch}: {why}");
        let gone: Vec<&ConsumerMember> = gone.iter().map(|member| &**member).collect();
        if let Some(downgrade) = self.downgrade_without(now, &group, &gone) {
            return downgrade.outcome(answer);
        }
        let mut records = Vec::new();
        for member in &gone {
            records.extend(Record::consumer_member_gone(&group.id, &member.id));
        }
        for regex in group.regexes_without(&gone, None) {
            records.push(Record::consumer_regex(&group.id, regex, None));
        }
        let topics = group.topics_after(&gone, None);
        let hash = self.topic_hashes.of_all(&self.image, topics.keys());
        records.push(Record::consumer_epoch(&group.id, group.epoch + 1, hash));
        for member in &gone {
            for timer in member_timers(&group.id, member) {
                self.timers.cancel(&timer);
            }
        }
        Outcome::replay(records, answer)
    }

    /// A timer of a member has fired.
    pub fn consumer_timer(&mut self, now: Timestamp, timer: &Timer) -> Outcome {
        let (group, id, why) = match timer {
            Timer::Session(group, id) => (group, id, "its session expired"),
            Timer::Rebalance(group, id) => (group, id, "it did not give partitions back in time"),
            Timer::MemberJoin(group, id) => (group, id, "it did not join again in time"),
            Timer::MemberSync(group, id) => (group, id, "it did not sync in time"),
            other => unreachable!("{other:?} is not a member's"),
        };
        let Ok(group) = self.consumer(group).cloned() else { return Outcome::answer(()) };
        let Some(member) = group.member(id).cloned() else { return Outcome::answer(()) };
        // A static member that went away meanwhile has nothing to give back.
        let is_over =
            member.state != MemberState::UnrevokedPartitions || member.epoch == LEAVE_STATIC_EPOCH;
        if matches!(timer, Timer::Rebalance(..)) && is_over {
            return Outcome::answer(());
        }
        self.fence(now, group, &[member], &format!("{why}, so it is fenced"), ())
    }

    /// Expects heartbeats of the members that were loaded.
    pub fn loaded_consumer(&mut self, now: Timestamp, group: &Arc<ConsumerGroup>) {
        for member in group.members() {
            self.set_consumer_session(now, &group.id, &member.id);
            if member.state == MemberState::UnrevokedPartitions {
                let timer = Timer::Rebalance(group.id.clone(), member.id.clone());
                let deadline = now + i64::from(member.rebalance_timeout_ms);
                self.timers.set(timer, deadline);
            }
        }
    }
}

impl ConsumerGroup {
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
