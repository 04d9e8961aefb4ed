//! Members of a streams group that leave, and members that are removed.

use super::answer::Heartbeat;
use super::member::StreamsMember;
use super::{StreamsGroup, records};
use crate::codec::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use crate::coordinator::group::MemberId;
use crate::coordinator::group::modern::LEAVE_STATIC_EPOCH;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::error::Result;

impl StreamsGroup {
    /// Handles a heartbeat with a leave epoch.
    pub fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<(Vec<Record>, Heartbeat)> {
        if request.shutdown_application {
            let member = MemberId::from(request.member_id.as_str());
            self.own.soft.shutdown_requested_by.get_or_insert(member);
        }
        let member = self.speaker(&request.member_id, request.instance_id.as_deref())?;
        let records = match request.member_epoch {
            LEAVE_STATIC_EPOCH => vec![self.leave_for_now(turn, member)],
            _ => self.fence(turn, member, "it left"),
        };
        let response = StreamsGroupHeartbeatResponse::default()
            .with_member_id(request.member_id.clone())
            .with_member_epoch(request.member_epoch)
            .with_status(Some(Vec::new()));
        Ok((records, Heartbeat { response, missing_topics: Vec::new() }))
    }

    /// The records that remove a member. Its timers are stopped.
    fn fence(&self, turn: &mut Turn<'_>, member: &StreamsMember, why: &str) -> Vec<Record> {
        let (id, epoch) = (&self.id, self.epoch + 1);
        tracing::info!("group {id} loses member {} and moves to epoch {epoch}: {why}", member.id);
        let mut records = self.without(turn, std::iter::once(member));
        let topology_epoch = self.own.validated_topology_epoch;
        let configs = &self.own.last_configs;
        records.push(records::epoch(id, epoch, self.metadata_hash, topology_epoch, configs));
        records
    }

    /// Fires a timer of the group or of a member.
    pub fn expire(&self, turn: &mut Turn<'_>, timer: &Timer) -> Vec<Record> {
        if matches!(timer, Timer::FirstAssignment(_)) {
            return self.make_first_assignment(turn);
        }
        let overdue = self.overdue(timer);
        overdue.map(|(member, why)| self.fence(turn, member, why)).unwrap_or_default()
    }
}
