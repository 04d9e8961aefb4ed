//! How long members may be silent, and how long they may take to give something back.

use super::{Kind, Member, MemberState, Modern};
use crate::coordinator::group::MemberId;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use std::sync::Arc;

impl<K: Kind> Modern<K> {
    /// Expects a heartbeat of a member in time.
    pub fn expect_heartbeat(&self, turn: &mut Turn<'_>, member: &MemberId) {
        let timeout_ms = turn.group_setting(&self.id, K::SESSION_TIMEOUT);
        turn.set_session(&self.id, member, timeout_ms);
    }

    /// Expects a member to give something back in time, if it has to.
    pub fn expect_revocation(&self, turn: &mut Turn<'_>, member: &Member<K>) {
        let timer = self.rebalance_timer(&member.id);
        match member.state {
            MemberState::Unrevoked => turn.set_timer(timer, member.rebalance_timeout_ms),
            _ => turn.timers.cancel(&timer),
        }
    }

    /// The group was read from the log: expects signs of life of its members.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        for member in self.members() {
            self.expect_heartbeat(turn, &member.id);
            self.expect_revocation(turn, member);
        }
    }

    /// The member that is to be fenced now that `timer` has fired, and why; None if there is none.
    pub fn overdue(&self, timer: &Timer) -> Option<(&Arc<Member<K>>, &'static str)> {
        let (id, why) = match timer {
            Timer::Session(_, id) => (id, "its session expired, so it is fenced"),
            Timer::Rebalance(_, id) => {
                (id, "it did not give back in time what it had to, so it is fenced")
            }
            Timer::MemberJoin(_, id) => (id, "it did not join again in time, so it is fenced"),
            Timer::MemberSync(_, id) => (id, "it did not sync in time, so it is fenced"),
            _ => return None,
        };
        let member = self.member(id)?;
        let has_given_back =
            matches!(timer, Timer::Rebalance(..)) && member.state != MemberState::Unrevoked;
        (!has_given_back).then_some((member, why))
    }

    /// All timers that may run for the group.
    pub fn timers(&self) -> Vec<Timer> {
        let of_group: [fn(_) -> Timer; 3] =
            [Timer::Regexes, Timer::FirstAssignment, Timer::Initializing];
        let of_group = of_group.map(|timer| timer(self.id.clone()));
        self.members().flat_map(|member| self.timers_of(&member.id)).chain(of_group).collect()
    }

    /// All timers that may run for a member.
    pub(super) fn timers_of(&self, member: &MemberId) -> [Timer; 4] {
        let of_member: [fn(_, _) -> Timer; 4] =
            [Timer::Session, Timer::Rebalance, Timer::MemberJoin, Timer::MemberSync];
        of_member.map(|timer| timer(self.id.clone(), member.clone()))
    }

    pub(super) fn rebalance_timer(&self, member: &MemberId) -> Timer {
        Timer::Rebalance(self.id.clone(), member.clone())
    }
}
