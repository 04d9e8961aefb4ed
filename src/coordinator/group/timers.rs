//! The deadlines of a shard in order of time. Firing a timer only removes it; the shard then
//! decides what happens, so that expiry is a function of `now`.

use super::{GroupId, MemberId};
use crate::types::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// What a deadline is about. A timer that is set again moves its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A member's session ends unless it sends something.
    Session(GroupId, MemberId),
    /// The join phase of a rebalance ends.
    Join(GroupId),
    /// The sync phase of a rebalance ends.
    Sync(GroupId),
    /// A member has to release partitions or tasks (KIP-848, KIP-1071).
    Rebalance(GroupId, MemberId),
    /// A classic member of a consumer group has to join again.
    MemberJoin(GroupId, MemberId),
    /// A classic member of a consumer group has to ask for its assignment.
    MemberSync(GroupId, MemberId),
    /// The regular expressions of a consumer group have to be resolved.
    Regexes(GroupId),
    /// A new streams group gets its first assignment.
    FirstAssignment(GroupId),
    /// The states of a share group's partitions are being made; if that takes longer, they are asked
    /// for again.
    Initializing(GroupId),
    /// Expired offsets have to be looked for.
    OffsetExpiration,
}

impl Timer {
    /// The group that it is about; None if it is about all groups.
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Timer::Session(group, _)
            | Timer::Join(group)
            | Timer::Sync(group)
            | Timer::Rebalance(group, _)
            | Timer::MemberJoin(group, _)
            | Timer::MemberSync(group, _)
            | Timer::Regexes(group)
            | Timer::FirstAssignment(group)
            | Timer::Initializing(group) => Some(group),
            Timer::OffsetExpiration => None,
        }
    }
}

/// The timers of one shard.
#[derive(Debug, Default)]
pub struct Timers {
    deadlines: HashMap<Timer, Timestamp>,
    by_time: BTreeSet<(Timestamp, Timer)>,
}

impl Timers {
    /// Sets or moves a timer.
    pub fn set(&mut self, timer: Timer, deadline: Timestamp) {
        if let Some(old) = self.deadlines.insert(timer.clone(), deadline) {
            self.by_time.remove(&(old, timer.clone()));
        }
        self.by_time.insert((deadline, timer));
    }

    /// Stops a timer if it runs.
    pub fn cancel(&mut self, timer: &Timer) {
        if let Some(deadline) = self.deadlines.remove(timer) {
            self.by_time.remove(&(deadline, timer.clone()));
        }
    }

    /// Whether a timer runs.
    pub fn is_set(&self, timer: &Timer) -> bool {
        self.deadlines.contains_key(timer)
    }

    /// Removes the earliest timer that is due and returns it.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }

    /// When the earliest timer is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_time_order_and_once() {
        let mut timers = Timers::default();
        let session = |member: &str| Timer::Session("g".into(), member.into());
        timers.set(session("a"), 30);
        timers.set(session("b"), 10);
        timers.set(Timer::Join("g".into()), 20);
        timers.set(session("b"), 40);
        timers.cancel(&Timer::Join("g".into()));
        timers.cancel(&Timer::Sync("g".into()));
        assert_eq!(timers.next_deadline(), Some(30));
        assert_eq!(timers.take_due(29), None);
        assert_eq!(timers.take_due(40), Some(session("a")));
        assert_eq!(timers.take_due(40), Some(session("b")));
        assert_eq!(timers.take_due(i64::MAX), None);
    }
}
