//! Which member sent a heartbeat: a known one, a new one, or a static member that comes back under
//! another id; and what is written when members leave.

use super::{Kind, LEAVE_STATIC_EPOCH, Member, Modern, refuse, refuse_if};
use crate::codec::messages::StrBytes;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::Turn;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// A request by which a member joins or stays.
#[derive(Debug)]
pub struct Admission<'a, K: Kind> {
    pub id: &'a str,
    /// `group.instance.id` of a static member.
    pub instance: Option<&'a str>,
    /// Whether an unknown member may join.
    pub may_create: bool,
    /// Its epoch and what it owns; None if it speaks the classic protocol.
    pub epoch: Option<(i32, Option<&'a K::Target>)>,
}

/// Checks a heartbeat's ids: none may be blank, and only static members leave for a while.
pub fn check_speaker(
    epoch: i32,
    group: &StrBytes,
    member: Option<&StrBytes>,
    instance: Option<&StrBytes>,
    rack: Option<&StrBytes>,
) -> Result<()> {
    let is_blank = |text: Option<&StrBytes>| text.is_some_and(|text| text.trim().is_empty());
    refuse_if(is_blank(member), "MemberId is blank.")?;
    refuse_if(is_blank(Some(group)), "GroupId can't be empty.")?;
    refuse_if(is_blank(instance), "InstanceId is blank.")?;
    refuse_if(is_blank(rack), "RackId is blank.")?;
    refuse_if(
        epoch == LEAVE_STATIC_EPOCH && instance.is_none(),
        "Only a static member may leave for a while: InstanceId is missing.",
    )?;
    refuse_if(epoch < LEAVE_STATIC_EPOCH, "MemberEpoch is below -2.")
}

impl<K: Kind> Modern<K> {
    /// Refuses one more member if there are `limit` already.
    pub fn check_room(&self, limit: i32) -> Result<()> {
        if self.size() < usize::try_from(limit).unwrap_or(0) {
            return Ok(());
        }
        let kind = K::NAME;
        let message = format!("The {kind} group is full: it may have {limit} members.");
        refuse(ResponseError::GroupMaxSizeReached, message)
    }

    /// Refuses `id`, unless it is a member, if there are `limit` members already.
    pub fn check_stranger(&self, limit: i32, id: &str) -> Result<()> {
        self.member(id).map_or_else(|| self.check_room(limit), |_| Ok(()))
    }

    /// The member `id`, or UNKNOWN_MEMBER_ID.
    pub fn known_member(&self, id: &str) -> Result<&Arc<Member<K>>> {
        self.member(id).map_or_else(
            || {
                let message = format!("Member {id} is not a member of group {}.", self.id);
                refuse(ResponseError::UnknownMemberId, message)
            },
            Ok,
        )
    }

    /// The present member of a static instance, or UNKNOWN_MEMBER_ID.
    pub fn known_instance(&self, instance: &str) -> Result<&Arc<Member<K>>> {
        self.static_member(instance).map_or_else(
            || {
                let message = format!(
                    "The group has no static member with instance id \
                                       {instance}."
                );
                refuse(ResponseError::UnknownMemberId, message)
            },
            Ok,
        )
    }

    /// The member that sent a request. A static one has to be the present member of its instance,
    /// else it gets FENCED_INSTANCE_ID.
    pub fn speaker(&self, id: &str, instance: Option<&str>) -> Result<&Arc<Member<K>>> {
        let Some(instance) = instance else { return self.known_member(id) };
        let member = self.known_instance(instance)?;
        if *member.id == *id {
            return Ok(member);
        }
        let message = format!(
            "Instance id {instance} belongs to member {} now: member {id} is fenced.",
            member.id
        );
        refuse(ResponseError::FencedInstanceId, message)
    }

    /// The member's state before its request. `records` gets those of a static member that comes
    /// back under another id.
    pub fn admit(
        &self,
        admission: &Admission<'_, K>,
        records: &mut Vec<Record>,
    ) -> Result<Arc<Member<K>>> {
        let Admission { id, instance, may_create, epoch } = *admission;
        if !may_create {
            let member = self.speaker(id, instance)?;
            if let Some((received, owned)) = epoch {
                member.check_epoch(received, owned)?;
            }
            return Ok(member.clone());
        }
        let former = instance.and_then(|instance| self.static_member(instance));
        let Some(former) = former else { return Ok(self.known_or_new(id)) };
        let speaks_classic = epoch.is_none() || K::speaks_classic(former);
        if !speaks_classic && former.epoch != LEAVE_STATIC_EPOCH {
            let message = format!(
                "Member {id} cannot join with instance id {}: member {} has it and has not left.",
                instance.unwrap_or_default(),
                former.id
            );
            return refuse(ResponseError::UnreleasedInstanceId, message);
        }
        Ok(Arc::new(self.replace(former, id, records)))
    }

    /// Writes down that the static member `former` is back as `id`, with what it had.
    fn replace(&self, former: &Member<K>, id: &str, records: &mut Vec<Record>) -> Member<K> {
        let (group, target) = (&*self.id, self.target(&former.id));
        let back = Member { id: MemberId::from(id), epoch: 0, previous_epoch: 0, ..former.clone() };
        records.extend(self.gone(&former.id));
        records.push(K::member_record(group, id, Some(&back)));
        records.push(K::target_record(group, id, Some(&target)));
        records.push(K::current_record(group, id, Some(&back)));
        back
    }

    /// The record of a static member that leaves for now. It has nothing to give back meanwhile.
    pub fn leave_for_now(&self, turn: &mut Turn<'_>, member: &Member<K>) -> Record {
        let (id, instance) = (&member.id, member.instance_id.as_deref().unwrap_or_default());
        tracing::info!(
            "group {}: static member {instance} ({id}) went away and may come back",
            self.id
        );
        turn.timers.cancel(&self.rebalance_timer(id));
        K::current_record(&self.id, id, Some(&member.away()))
    }

    /// Stops the timers of members that leave for good, and returns the records that delete them.
    pub fn without<'a>(
        &self,
        turn: &mut Turn<'_>,
        gone: impl Iterator<Item = &'a Member<K>>,
    ) -> Vec<Record>
    where
        K: 'a,
    {
        let forgotten = gone.flat_map(|member| {
            turn.cancel_timers(self.timers_of(&member.id));
            self.gone(&member.id)
        });
        forgotten.collect()
    }

    /// The records that delete a member and all that it has.
    fn gone(&self, id: &str) -> [Record; 3] {
        [
            K::current_record(&self.id, id, None),
            K::target_record(&self.id, id, None),
            K::member_record(&self.id, id, None),
        ]
    }
}
