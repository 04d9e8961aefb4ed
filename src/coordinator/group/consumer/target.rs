//! The target assignment of a group's epoch (TargetAssignmentBuilder).

use super::heartbeat::Change;
use super::{ConsumerGroup, ConsumerMember};
use crate::config::Config;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::assignor::{Assignor, Partitions, Subscriber};
use crate::coordinator::group::modern::refuse;
use crate::coordinator::group::turn::Turn;
use crate::error::Result;
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

impl Change<'_> {
    /// The epoch of the target assignment and the member's part of it. The assignment is made again
    /// if the group's epoch is newer and the last one is old enough.
    pub fn follow_epoch(&mut self, turn: &Turn<'_>, epoch: i32) -> Result<(i32, Arc<Partitions>)> {
        let group = self.group;
        let updated = &self.updated;
        let last = || {
            let holder = match updated.instance_id.as_deref() {
                Some(instance) => group.static_member(instance).map(|member| member.id.clone()),
                None => Some(updated.id.clone()),
            };
            let target = holder.map(|holder| group.target(&holder)).unwrap_or_default();
            (group.assignment_epoch, target)
        };
        if group.assignment_epoch >= epoch || !group.may_assign(turn) {
            return Ok(last());
        }
        let assignor = group.preferred_assignor(&self.member, updated);
        let assignor = assignor.unwrap_or_else(|| default_assignor(&turn.config));
        let mut targets = assign(turn.image, group, updated, assignor, epoch)?;
        group.write_targets(turn, epoch, &targets, &mut self.records);
        Ok((epoch, Arc::new(targets.remove(&updated.id).unwrap_or_default())))
    }
}

/// The first of `group.consumer.assignors`.
pub fn default_assignor(config: &Config) -> Assignor {
    let first = config.group_consumer_assignors.first();
    first.and_then(|name| Assignor::by_name(name)).unwrap_or(Assignor::Uniform)
}

fn assign(
    image: &Image,
    group: &ConsumerGroup,
    updated: &ConsumerMember,
    assignor: Assignor,
    epoch: i32,
) -> Result<BTreeMap<MemberId, Partitions>> {
    let present = updated.instance_id.as_deref().and_then(|i| group.static_member(i));
    let predecessor = present.filter(|present| present.id != updated.id);
    let is_other = |member: &&Arc<ConsumerMember>| {
        member.id != updated.id && predecessor.is_none_or(|gone| gone.id != member.id)
    };
    let members: Vec<&ConsumerMember> =
        (group.members().filter(is_other)).map(|member| &**member).chain([updated]).collect();
    let topics = Subscriptions::of(group, &members, image);
    let owner = |member: &ConsumerMember| match predecessor {
        Some(gone) if member.id == updated.id => group.target(&gone.id),
        _ => group.target(&member.id),
    };
    let owned: Vec<Arc<Partitions>> = members.iter().map(|member| owner(member)).collect();
    let subscribers: Vec<Subscriber<'_>> = (members.iter().zip(&owned))
        .map(|(member, owned)| Subscriber {
            id: &member.id,
            instance_id: member.instance_id.as_deref(),
            topics: topics.of_member(member),
            owned,
        })
        .collect();
    assignor.assign(&subscribers, &topics.counts(image)).or_else(|error| {
        let message = format!("the assignor failed at group epoch {epoch}: {error}");
        tracing::error!(group = &*group.id, "{message}");
        refuse(ResponseError::UnknownServerError, message)
    })
}

impl ConsumerGroup {
    /// The assignor that most members prefer, once `member` has become `updated`.
    pub fn preferred_assignor(
        &self,
        member: &ConsumerMember,
        updated: &ConsumerMember,
    ) -> Option<Assignor> {
        let others = self.members().filter(|other| {
            let replaced = other.instance_id.is_some() && other.instance_id == member.instance_id;
            other.id != member.id && !replaced
        });
        most_wanted(others.map(|other| &**other).chain([updated]))
    }
}

/// The assignor with the most votes.
pub fn most_wanted<'a>(members: impl Iterator<Item = &'a ConsumerMember>) -> Option<Assignor> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for name in members.filter_map(|member| member.own.server_assignor.as_deref()) {
        *votes.entry(name).or_default() += 1;
    }
    let most = votes.into_iter().max_by_key(|(_, count)| *count)?;
    Assignor::by_name(most.0)
}

/// The topics of members. Members with the same subscription share a set.
struct Subscriptions<'a> {
    sets: BTreeMap<Key<'a>, BTreeSet<Uuid>>,
}

type Key<'a> = (&'a BTreeSet<String>, Option<&'a str>);

impl<'a> Subscriptions<'a> {
    fn of(
        group: &ConsumerGroup,
        members: &[&'a ConsumerMember],
        image: &Image,
    ) -> Subscriptions<'a> {
        let mut sets = BTreeMap::new();
        for member in members {
            let ids = || group.topic_ids(member, image);
            sets.entry(key(member)).or_insert_with(ids);
        }
        Subscriptions { sets }
    }

    fn of_member(&self, member: &'a ConsumerMember) -> &BTreeSet<Uuid> {
        &self.sets[&key(member)]
    }

    fn counts(&self, image: &Image) -> BTreeMap<Uuid, i32> {
        let ids = self.sets.values().flatten();
        let topics = ids.filter_map(|id| image.topics.by_id(*id));
        let count = |length| i32::try_from(length).expect("Kafka counts partitions in i32");
        topics.map(|topic| (topic.id, count(topic.partitions.len()))).collect()
    }
}

fn key(member: &ConsumerMember) -> Key<'_> {
    (&member.own.topics, member.regex())
}
