//! A group whose partitions the coordinator assigns (KIP-848, ConsumerGroup).
//!
//! Three things follow each other, and each is a record: what the members subscribe to moves the
//! *group epoch*; for an epoch the assignor makes a *target assignment*; and each member's *current
//! assignment* goes there in steps that it confirms by its heartbeats, so that no partition has two
//! owners.
//!
//! ```text
//!  member       one member: its subscription, what it owns, where it is on its way
//!  heartbeat    ConsumerGroupHeartbeat: join, go on, leave          fence: who goes, and what of it
//!  regex        subscriptions by regular expression
//!  target       group epoch -> target assignment (by an assignor)
//!  reconcile    target assignment -> the member's next step
//!  classic_member  those that still speak the classic protocol
//!  migration    classic group <-> consumer group
//!  embedded     what classic consumers bring and take               offsets: who may commit
//!  records      the records, and the state they make               describe: what is shown
//! ```

mod classic_member;
mod describe;
mod embedded;
mod fence;
mod heartbeat;
mod member;
mod migration;
mod offsets;
mod reconcile;
mod records;
mod regex;
mod target;

#[cfg(test)]
pub use embedded::encode_assignment;
pub use heartbeat::check_heartbeat;
pub use member::{ConsumerMember, EpochPartitions, MemberState};
pub use migration::Then;
pub use offsets::{Committer, Permit};

use super::assignor::Partitions;
use super::{GroupId, MemberId, turn};
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::types::{Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// What an operation on a consumer group asks for.
pub type Outcome<A = ()> = turn::Outcome<Then, A>;

/// The member leaves.
pub const LEAVE_EPOCH: i32 = -1;
/// The static member goes, and will come back before its session ends.
pub const LEAVE_STATIC_EPOCH: i32 = -2;
/// Of a group that has just been made.
const FIRST_EPOCH: i32 = 1;

/// Where a group is in its life (ConsumerGroupState).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerGroupState {
    /// No members; perhaps offsets.
    Empty,
    /// The subscriptions changed and there is no target assignment for them yet.
    Assigning,
    /// Members are on their way to their targets.
    Reconciling,
    /// Every member is where it shall be.
    Stable,
}

/// As ListGroups and ConsumerGroupDescribe write it.
impl fmt::Display for ConsumerGroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The topics that a regular expression matched (ResolvedRegularExpression).
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// By name.
    pub topics: BTreeSet<String>,
    /// Offset of the metadata image that was looked through.
    pub version: Offset,
    /// When.
    pub timestamp: Timestamp,
}

/// A consumer group, as its records say.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// `group.id`.
    pub id: GroupId,
    /// Moves whenever a new target assignment is called for.
    pub epoch: i32,
    /// What the subscribed topics were at that epoch.
    pub metadata_hash: i64,
    /// The epoch that the target assignment was made for.
    pub assignment_epoch: i32,
    /// When it was made; 0 if that is not known.
    pub assignment_timestamp: Timestamp,
    /// Whether there is a record about the topics' partitions, of Kafka before 4.1, to be deleted.
    pub has_partition_metadata: bool,
    /// The metadata image for which `metadata_hash` was last found to be right. Not in the log.
    pub checked_at: Option<Offset>,
    members: BTreeMap<MemberId, Arc<ConsumerMember>>,
    targets: BTreeMap<MemberId, Arc<Partitions>>,
    resolved: BTreeMap<String, Resolved>,
    // What follows is made from the members.
    static_members: BTreeMap<Arc<str>, MemberId>,
    /// How many members and resolved regular expressions name a topic.
    topics: BTreeMap<String, usize>,
    /// How many members subscribe by a regular expression.
    regexes: BTreeMap<String, usize>,
    /// The owner's member epoch, for each partition that is not free.
    partition_epochs: HashMap<(Uuid, i32), i32>,
}

impl ConsumerGroup {
    /// An empty group.
    pub fn new(id: GroupId) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            assignment_epoch: FIRST_EPOCH,
            assignment_timestamp: 0,
            has_partition_metadata: false,
            checked_at: None,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            resolved: BTreeMap::new(),
            static_members: BTreeMap::new(),
            topics: BTreeMap::new(),
            regexes: BTreeMap::new(),
            partition_epochs: HashMap::new(),
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerGroupState::Assigning
        } else if self.members().any(|member| !member.is_reconciled_to(self.assignment_epoch)) {
            ConsumerGroupState::Reconciling
        } else {
            ConsumerGroupState::Stable
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of members.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Arc<ConsumerMember>> {
        self.members.values()
    }

    /// The member `id`.
    pub fn member(&self, id: &str) -> Option<&Arc<ConsumerMember>> {
        self.members.get(id)
    }

    /// The member `id`, or UNKNOWN_MEMBER_ID.
    pub fn known_member(&self, id: &str) -> Result<&Arc<ConsumerMember>> {
        self.member(id).ok_or_else(|| {
            let message = format!("Member {id} is not a member of group {}.", self.id);
            Error::Explained(ResponseError::UnknownMemberId, message)
        })
    }

    /// The present member of a static instance.
    pub fn static_member(&self, instance: &str) -> Option<&Arc<ConsumerMember>> {
        self.member(self.static_members.get(instance)?)
    }

    /// What `member` shall own.
    pub fn target(&self, member: &str) -> Arc<Partitions> {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    /// All that was assigned, also to members who went since.
    pub fn targets(&self) -> &BTreeMap<MemberId, Arc<Partitions>> {
        &self.targets
    }

    /// The regular expressions that have been resolved.
    pub fn resolved(&self) -> &BTreeMap<String, Resolved> {
        &self.resolved
    }

    /// Whether `topic` is subscribed to, by name or by regular expression.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Whether someone, this member perhaps, owns a partition or still has to give it back.
    pub fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.partition_epochs.contains_key(&(topic, partition))
    }

    /// Number of members that subscribe by `regex`.
    pub fn subscribers_by(&self, regex: &str) -> usize {
        self.regexes.get(regex).copied().unwrap_or(0)
    }

    /// The regular expressions that members subscribe by.
    pub fn regexes(&self) -> impl Iterator<Item = &str> {
        self.regexes.keys().map(String::as_str)
    }

    /// Whether members subscribe by regular expressions.
    pub fn uses_regexes(&self) -> bool {
        !self.regexes.is_empty()
    }

    /// The regular expressions after a member changed.
    pub fn regexes_after<'a>(
        &'a self,
        member: &'a ConsumerMember,
        updated: &'a ConsumerMember,
    ) -> BTreeSet<&'a str> {
        let unused = self.regexes_without(&[member], Some(updated));
        self.regexes().filter(|regex| !unused.contains(regex)).chain(updated.regex()).collect()
    }

    /// The subscribed topics, in order.
    pub fn topic_names(&self) -> impl Iterator<Item = &String> {
        self.topics.keys()
    }

    /// Adds a member, or puts it in the place of the one of its id.
    pub fn put(&mut self, member: ConsumerMember) {
        self.forget(&member.id.clone());
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        for topic in member.topics.iter() {
            *self.topics.entry(topic.clone()).or_default() += 1;
        }
        if let Some(regex) = member.regex() {
            *self.regexes.entry(regex.to_owned()).or_default() += 1;
        }
        for partition in member.partitions() {
            let epoch = self.partition_epochs.entry(partition).or_insert(member.epoch);
            *epoch = member.epoch.max(*epoch);
        }
        self.members.insert(member.id.clone(), Arc::new(member));
    }

    /// Takes a member out.
    pub fn forget(&mut self, id: &str) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance_id
            && self.static_members.get(instance) == Some(&member.id)
        {
            self.static_members.remove(instance);
        }
        for topic in member.topics.iter() {
            release(&mut self.topics, topic);
        }
        if let Some(regex) = member.regex() {
            release(&mut self.regexes, regex);
        }
        for partition in member.partitions() {
            // Another member may own it at a later epoch by now.
            if self.partition_epochs.get(&partition) == Some(&member.epoch) {
                self.partition_epochs.remove(&partition);
            }
        }
    }

    /// Sets or forgets what a member shall own.
    pub fn set_target(&mut self, member: &str, target: Option<Partitions>) {
        match target {
            Some(target) => self.targets.insert(MemberId::from(member), Arc::new(target)),
            None => self.targets.remove(member),
        };
    }

    /// Sets or forgets the topics that a regular expression matches.
    pub fn set_resolved(&mut self, regex: &str, resolved: Option<Resolved>) {
        if let Some(before) = self.resolved.remove(regex) {
            before.topics.iter().for_each(|topic| release(&mut self.topics, topic));
        }
        if let Some(resolved) = resolved {
            for topic in &resolved.topics {
                *self.topics.entry(topic.clone()).or_default() += 1;
            }
            self.resolved.insert(regex.to_owned(), resolved);
        }
    }

    /// The subscribed topics after some members went and one came, or changed. The topics of a
    /// regular expression go with its last subscriber, and come when it is resolved.
    pub fn topics_after(
        &self,
        gone: &[&ConsumerMember],
        come: Option<&ConsumerMember>,
    ) -> BTreeMap<String, usize> {
        let mut topics = self.topics.clone();
        for topic in gone.iter().flat_map(|member| member.topics.iter()) {
            release(&mut topics, topic);
        }
        for topic in come.iter().flat_map(|member| member.topics.iter()) {
            *topics.entry(topic.clone()).or_default() += 1;
        }
        for regex in self.regexes_without(gone, come) {
            for topic in self.resolved.get(regex).iter().flat_map(|resolved| &resolved.topics) {
                release(&mut topics, topic);
            }
        }
        topics
    }

    /// The regular expressions that nobody subscribes by any more after such a change.
    pub fn regexes_without<'a>(
        &self,
        gone: &[&'a ConsumerMember],
        come: Option<&ConsumerMember>,
    ) -> BTreeSet<&'a str> {
        let mut leavers: BTreeMap<&str, usize> = BTreeMap::new();
        for regex in gone.iter().filter_map(|member| member.regex()) {
            *leavers.entry(regex).or_default() += 1;
        }
        let kept = come.and_then(ConsumerMember::regex);
        let is_unused =
            |regex: &str, count| kept != Some(regex) && self.subscribers_by(regex) == count;
        leavers
            .into_iter()
            .filter(|(regex, count)| is_unused(regex, *count))
            .map(|(r, _)| r)
            .collect()
    }

    /// Ids of the topics of `member` that exist.
    pub fn topic_ids(&self, member: &ConsumerMember, image: &Image) -> BTreeSet<Uuid> {
        let resolved = member.regex().and_then(|regex| self.resolved.get(regex));
        let by_regex = resolved.iter().flat_map(|resolved| &resolved.topics);
        let names = member.topics.iter().chain(by_regex);
        names.filter_map(|name| image.topics.by_name(name)).map(|topic| topic.id).collect()
    }
}

/// One less counts on `key`.
fn release(counts: &mut BTreeMap<String, usize>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Two groups are alike if their records are.
impl PartialEq for ConsumerGroup {
    fn eq(&self, other: &ConsumerGroup) -> bool {
        let epochs = |group: &ConsumerGroup| {
            (group.epoch, group.metadata_hash, group.assignment_epoch, group.assignment_timestamp)
        };
        epochs(self) == epochs(other)
            && self.id == other.id
            && self.has_partition_metadata == other.has_partition_metadata
            && self.members == other.members
            && self.targets == other.targets
            && self.resolved == other.resolved
            && self.topics == other.topics
            && self.regexes == other.regexes
            && self.static_members == other.static_members
            && self.partition_epochs == other.partition_epochs
    }
}
