//! What an operation on a group needs besides the group, and what it returns.

use super::record::Record;
use super::timers::{Timer, Timers};
use super::topic_hash::TopicHashes;
use super::{GroupId, MemberId, Ticket};
use crate::codec::messages::{JoinGroupResponse, SyncGroupResponse};
use crate::config::Config;
use crate::coordinator::state_machine;
use crate::metadata::{GROUP_CONFIG, Image};
use crate::types::{Offset, Timestamp};
use arc_swap::Guard;
use std::sync::Arc;
use uuid::{Builder, Uuid};

/// The result of an operation on a group. `T` is what may follow an append besides a replay.
pub type GroupOutcome<T, A = ()> = state_machine::Outcome<Record, (GroupId, T), A>;

/// The answer to a request that may have waited.
#[derive(Clone, Debug, PartialEq)]
pub enum Parked {
    /// The answer to a JoinGroup.
    Join(JoinGroupResponse),
    /// The answer to a SyncGroup.
    Sync(SyncGroupResponse),
}

/// What an operation needs besides its group.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The time of the operation.
    pub now: Timestamp,
    pub config: Guard<Arc<Config>>,
    pub image: &'a Image,
    /// Offset of the first image, or of a later one in which topics were created.
    pub topics_made_at: Offset,
    /// The hashes of the topics in `image`.
    pub topic_hashes: &'a mut TopicHashes,
    pub timers: &'a mut Timers,
    /// The answers to waiting requests, perhaps including this one.
    pub answers: &'a mut Vec<(Ticket, Parked)>,
    /// The source of member ids.
    pub random: &'a mut fastrand::Rng,
}

impl Turn<'_> {
    pub fn answer_join(&mut self, ticket: Ticket, answer: JoinGroupResponse) {
        self.answers.push((ticket, Parked::Join(answer)));
    }

    pub fn answer_sync(&mut self, ticket: Ticket, answer: SyncGroupResponse) {
        self.answers.push((ticket, Parked::Sync(answer)));
    }

    /// Sets or moves a timer to `timeout_ms` from now.
    pub fn set_timer(&mut self, timer: Timer, timeout_ms: i32) {
        self.timers.set(timer, self.now + i64::from(timeout_ms));
    }

    /// Ends the session of `member` in `timeout_ms`, unless it sends something.
    pub fn set_session(&mut self, group: &GroupId, member: &MemberId, timeout_ms: i32) {
        self.set_timer(Timer::Session(group.clone(), member.clone()), timeout_ms);
    }

    /// Stops timers, if they run.
    pub fn cancel_timers(&mut self, timers: impl IntoIterator<Item = Timer>) {
        timers.into_iter().for_each(|timer| self.timers.cancel(&timer));
    }

    /// A member id of the form `name-<uuid>`, by which an operator can tell whose it is.
    pub fn new_member_id(&mut self, name: &str) -> MemberId {
        Arc::from(format!("{name}-{}", self.new_uuid()))
    }

    pub fn new_uuid(&mut self) -> Uuid {
        Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid()
    }

    /// The value of a numeric group setting, such as `streams.session.timeout.ms`
    /// (GroupConfigManager).
    pub fn group_setting(&self, group: &str, name: &str) -> i32 {
        let of_group = self.image.configs_of(GROUP_CONFIG, group);
        self.config.group_i32(name, &of_group)
    }
}
