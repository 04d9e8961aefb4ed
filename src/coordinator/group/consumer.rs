//! A group whose members' partitions the coordinator assigns (KIP-848, ConsumerGroup); `modern` has
//! what it has in common with the other kinds.
//!
//! ```text
//!  member       what a member subscribes to, and the partitions it has
//!  heartbeat    ConsumerGroupHeartbeat: join, go on                 fence: leave, be made to leave
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
pub use member::{ConsumerMember, EpochPartitions};
pub use migration::ConsumerThen;
pub use offsets::Permit;

use super::modern::{Counts, Modern, ModernState};
use super::turn::GroupOutcome;
use crate::metadata::Image;
use crate::types::{Offset, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The result of an operation on a consumer group.
pub type ConsumerOutcome<A = ()> = GroupOutcome<ConsumerThen, A>;

pub type ConsumerGroup = Modern<Consumer>;

/// The topics that a regular expression matched (ResolvedRegularExpression).
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    pub topics: BTreeSet<String>,
    /// Offset of the metadata image whose topics were matched.
    pub version: Offset,
    /// When they were matched.
    pub timestamp: Timestamp,
}

/// What only a consumer group has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumer {
    /// Whether the log has a record about the topics' partitions, as Kafka before 4.1 wrote it. It
    /// has to be deleted.
    pub has_partition_metadata: bool,
    resolved: BTreeMap<String, Resolved>,
    // What follows is made from the members.
    /// How many members and resolved regular expressions name a topic.
    topics: Counts,
    /// How many members subscribe by each regular expression.
    regexes: Counts,
    /// The owner's member epoch, for each partition that has an owner.
    partition_epochs: HashMap<(Uuid, i32), i32>,
}

impl Consumer {
    /// Sets or forgets the topics that a regular expression matches.
    pub fn set_resolved(&mut self, regex: &str, resolved: Option<Resolved>) {
        if let Some(before) = self.resolved.remove(regex) {
            before.topics.iter().for_each(|topic| self.topics.release(topic));
        }
        if let Some(resolved) = resolved {
            resolved.topics.iter().for_each(|topic| self.topics.add(topic));
            self.resolved.insert(regex.to_owned(), resolved);
        }
    }

    /// The subscribed topics, in order.
    pub fn topic_names(&self) -> impl Iterator<Item = &String> {
        self.topics.names()
    }
}

impl ConsumerGroup {
    /// Where the group is in its life.
    pub fn state(&self) -> ModernState {
        self.progress()
    }

    /// The regular expressions that have been resolved.
    pub fn resolved(&self) -> &BTreeMap<String, Resolved> {
        &self.own.resolved
    }

    /// Whether `topic` is subscribed to, by name or by regular expression.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.own.topics.of(topic) > 0
    }

    /// Whether a member owns a partition, or still has to give it back.
    pub fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.own.partition_epochs.contains_key(&(topic, partition))
    }

    /// Number of members that subscribe by `regex`.
    pub fn subscribers_by(&self, regex: &str) -> usize {
        self.own.regexes.of(regex)
    }

    /// The regular expressions that members subscribe by.
    pub fn regexes(&self) -> impl Iterator<Item = &str> {
        self.own.regexes.names().map(String::as_str)
    }

    /// The regular expressions that are in use after a member changed.
    pub fn regexes_after<'a>(
        &'a self,
        member: &'a ConsumerMember,
        updated: &'a ConsumerMember,
    ) -> BTreeSet<&'a str> {
        let unused = self.regexes_without(&[member], Some(updated));
        self.regexes().filter(|regex| !unused.contains(regex)).chain(updated.regex()).collect()
    }

    /// The subscribed topics after some members left and one came or changed. The topics of a
    /// regular expression go with its last subscriber, and come when it is resolved.
    pub fn topics_after(&self, gone: &[&ConsumerMember], come: Option<&ConsumerMember>) -> Counts {
        let mut topics = self.own.topics.clone();
        let names = gone.iter().flat_map(|member| member.own.topics.iter());
        names.for_each(|topic| topics.release(topic));
        let names = come.iter().flat_map(|member| member.own.topics.iter());
        names.for_each(|topic| topics.add(topic));
        for regex in self.regexes_without(gone, come) {
            let resolved = self.resolved().get(regex);
            resolved.iter().flat_map(|of| &of.topics).for_each(|topic| topics.release(topic));
        }
        topics
    }

    /// The regular expressions that have no subscriber any more after such a change.
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

    /// The ids of the existing topics that `member` subscribes to.
    pub fn topic_ids(&self, member: &ConsumerMember, image: &Image) -> BTreeSet<Uuid> {
        let resolved = member.regex().and_then(|regex| self.resolved().get(regex));
        let by_regex = resolved.iter().flat_map(|resolved| &resolved.topics);
        let names = member.own.topics.iter().chain(by_regex);
        names.filter_map(|name| image.topics.by_name(name)).map(|topic| topic.id).collect()
    }
}
