//! Static members of streams groups (`group.instance.id`, Kafka 4.4): one that went for a while finds
//! its tasks when it is back, under another member id.

use super::member::Member;
use super::request::{JOIN_EPOCH, LEAVE_STATIC_EPOCH};
use super::tasks::Assigned;
use super::{StreamsGroup, records};
use crate::codec::schema::message::StreamsGroupHeartbeatRequest;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::record::Record;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;

impl Member {
    /// A static member that went and means to come back.
    pub fn gone_for_now(&self) -> Member {
        let mut member = Member { epoch: LEAVE_STATIC_EPOCH, ..self.clone() };
        member.pending_revocation = Assigned::default();
        for since in member.assigned.active.values_mut().flat_map(|tasks| tasks.values_mut()) {
            *since = 0;
        }
        member
    }
}

impl StreamsGroup {
    /// The present member of a static instance.
    pub fn static_member(&self, instance: &str) -> Option<&Member> {
        self.members.values().find(|member| member.instance_id.as_deref() == Some(instance))
    }

    /// The member that a request is of, which is not about to join.
    pub fn speaking_member(&self, request: &StreamsGroupHeartbeatRequest) -> Result<&Member> {
        let id = request.member_id.as_str();
        let Some(instance) = request.instance_id.as_deref() else { return self.member(id) };
        let Some(member) = self.static_member(instance) else {
            let message = format!("Instance id {instance} is unknown.");
            return Err(Error::Explained(ResponseError::UnknownMemberId, message));
        };
        if *member.id == *id {
            return Ok(member);
        }
        let message = format!(
            "Static member {id} with instance id {instance} was fenced by member {}.",
            member.id
        );
        Err(Error::Explained(ResponseError::FencedInstanceId, message))
    }

    /// The group as it will be when a static member that comes back has taken the place of the one
    /// it was, and the records of that; None if the request is nothing like it.
    pub fn with_static_member_replaced(
        &self,
        records: &mut Vec<Record>,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<Option<StreamsGroup>> {
        let joins = request.member_epoch == JOIN_EPOCH;
        let instance = request.instance_id.as_deref().filter(|_| joins);
        let Some(old) = instance.and_then(|instance| self.static_member(instance)) else {
            return Ok(None);
        };
        if old.epoch != LEAVE_STATIC_EPOCH {
            let message = format!(
                "Static member {} with instance id {} cannot join the group because the instance \
                 id is owned by {} member.",
                request.member_id,
                instance.unwrap_or_default(),
                old.id
            );
            return Err(Error::Explained(ResponseError::UnreleasedInstanceId, message));
        }
        let id = MemberId::from(request.member_id.as_str());
        let new = Member { id, epoch: 0, previous_epoch: 0, ..old.clone() };
        let target = self.target.get(&old.id).cloned().unwrap_or_default();
        let from = records.len();
        records.extend(records::member_tombstones(&self.id, &old.id));
        records.push(records::member(&self.id, &new));
        records.push(records::target(&self.id, &new.id, &target));
        records.push(records::current(&self.id, &new));
        let mut group = self.clone();
        records[from..].iter().for_each(|record| group.replay(record));
        Ok(Some(group))
    }
}
