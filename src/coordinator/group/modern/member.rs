//! A member of a group, of whatever kind (ModernGroupMember).

use super::{JOIN_EPOCH, Kind, LEAVE_STATIC_EPOCH, refuse};
use crate::coordinator::RequestContext;
use crate::coordinator::group::MemberId;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a member is on its way to its target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it is to have.
    Stable,
    /// It has to give something back before it goes on.
    Unrevoked,
    /// It has what is free; others have yet to give back the rest.
    Unreleased,
    /// A newer broker wrote a state that this one does not know.
    Unknown,
}

impl MemberState {
    const UNKNOWN_ID: i8 = 127;

    /// As records have it that give `Stable` the id `stable`.
    pub fn id(self, stable: i8) -> i8 {
        match self {
            MemberState::Stable => stable,
            MemberState::Unrevoked => stable + 1,
            MemberState::Unreleased => stable + 2,
            MemberState::Unknown => MemberState::UNKNOWN_ID,
        }
    }

    /// The state of an id of such records.
    pub fn from_id(id: i8, stable: i8) -> MemberState {
        let known = [MemberState::Stable, MemberState::Unrevoked, MemberState::Unreleased];
        let found = known.into_iter().find(|state| state.id(stable) == id);
        found.unwrap_or(MemberState::Unknown)
    }
}

/// Partitions with the epochs in which a member got them. Older brokers wrote none; the
/// member's epoch takes their place.
pub fn with_epochs(
    partitions: &[i32],
    epochs: Option<&[i32]>,
    member_epoch: i32,
) -> BTreeMap<i32, i32> {
    let epochs = epochs.filter(|epochs| epochs.len() == partitions.len());
    let epoch = |at: usize| epochs.map_or(member_epoch, |epochs| epochs[at]);
    partitions.iter().enumerate().map(|(at, partition)| (*partition, epoch(at))).collect()
}

/// A member. What may be large is shared, because every heartbeat begins with a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<K: Kind> {
    /// Chosen by the client.
    pub id: MemberId,
    /// The group's epoch that it has reached; 0 on its way in, `LEAVE_STATIC_EPOCH` while a static
    /// member is away.
    pub epoch: i32,
    /// The one before: the answer that told it the present one may have been lost.
    pub previous_epoch: i32,
    /// Where it is on its way to its target.
    pub state: MemberState,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`.
    pub rack_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// The client's address, as `/127.0.0.1`.
    pub client_host: String,
    /// How many milliseconds it may take to give something back.
    pub rebalance_timeout_ms: i32,
    /// What it owns, or may take.
    pub assigned: Arc<K::Assigned>,
    /// What it has to give back before it goes on.
    pub pending_revocation: Arc<K::Assigned>,
    /// What only members of this kind have.
    pub own: K::Member,
}

impl<K: Kind> Member<K> {
    /// A member of whom nothing but its id is known yet.
    pub fn new(id: MemberId) -> Member<K> {
        Member {
            id,
            epoch: JOIN_EPOCH,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: String::new(),
            client_host: String::new(),
            assigned: Arc::default(),
            pending_revocation: Arc::default(),
            own: K::Member::default(),
        }
    }

    /// Whether it has all that the target assignment of `epoch` gives it.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// Enters `epoch`, and remembers the one before.
    pub fn move_to(&mut self, epoch: i32) {
        (self.previous_epoch, self.epoch) = (self.epoch, epoch);
    }

    /// Notes who sent its request and what that says of the member; what it leaves out stays.
    pub fn hear(
        &mut self,
        cx: &RequestContext,
        instance: Option<&str>,
        rack: Option<&str>,
        rebalance_timeout_ms: i32,
    ) {
        str::clone_into(&cx.client_id, &mut self.client_id);
        str::clone_into(&cx.client_host, &mut self.client_host);
        self.instance_id = instance.map(Arc::from).or(self.instance_id.take());
        self.rack_id = rack.map(str::to_owned).or(self.rack_id.take());
        if rebalance_timeout_ms != -1 {
            self.rebalance_timeout_ms = rebalance_timeout_ms;
        }
    }

    /// Refuses an epoch that is not the member's. It may be one behind if it owns nothing that it
    /// was not given: the answer that told it of the next one may have been lost.
    pub fn check_epoch(&self, received: i32, owned: Option<&K::Target>) -> Result<()> {
        let missed_an_answer = || {
            received == self.previous_epoch
                && owned.is_some_and(|owned| K::covers(&self.assigned, owned))
        };
        let difference = match received.cmp(&self.epoch) {
            _ if received == JOIN_EPOCH => return Ok(()),
            Ordering::Greater => "greater",
            Ordering::Less if !missed_an_answer() => "smaller",
            _ => return Ok(()),
        };
        // Kafka's tests of brokers compare this text.
        let message = format!(
            "The {} group member has a {difference} member epoch ({received}) than the one known \
             by the group coordinator ({}). The member must abandon all its partitions and rejoin.",
            K::NAME,
            self.epoch
        );
        refuse(ResponseError::FencedMemberEpoch, message)
    }

    /// Why a member cannot go on whose state is not known here, unless it owns nothing.
    pub fn is_in_unknown_state(&self) -> Error {
        let (kind, given) = (K::NAME, K::GIVEN);
        let message = format!(
            "The coordinator does not know what this member of the {kind} group has: it must \
             give up its {given} and join again."
        );
        Error::Explained(ResponseError::FencedMemberEpoch, message)
    }

    /// The static member while it is away: what it has is kept for it, as if from the beginning.
    pub fn away(&self) -> Member<K> {
        let mut away = Member { epoch: LEAVE_STATIC_EPOCH, ..self.clone() };
        away.pending_revocation = Arc::default();
        K::forget_epochs(Arc::make_mut(&mut away.assigned));
        away
    }
}
