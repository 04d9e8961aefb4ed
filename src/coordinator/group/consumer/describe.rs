//! Consumer groups in the form of ConsumerGroupDescribe.

use super::ConsumerGroup;
use super::member::{ConsumerMember, EpochPartitions};
use super::target::{default_assignor, most_wanted};
use crate::codec::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use crate::config::Config;
use crate::coordinator::group::listed;
use crate::coordinator::text;
use crate::metadata::Image;
use std::collections::BTreeMap;
use uuid::Uuid;

impl ConsumerGroup {
    /// Describes the group and its members.
    pub fn describe(&self, config: &Config, image: &Image) -> DescribedGroup {
        let assignor = most_wanted(self.members().map(|member| &**member));
        let assignor = assignor.unwrap_or_else(|| default_assignor(config));
        let members = listed(self.members(), |member| &member.id).map(|member| {
            let target = self.target(&member.id);
            let target = target.iter().map(|(topic, partitions)| {
                (*topic, partitions.iter().copied().collect::<Vec<i32>>())
            });
            describe_member(member, image)
                .with_target_assignment(assignment(target.collect(), image))
        });
        DescribedGroup::default()
            .with_group_id(text(&self.id).into())
            .with_group_state(text(&self.state().to_string()))
            .with_group_epoch(self.epoch)
            .with_assignment_epoch(self.assignment_epoch)
            .with_assignor_name(text(assignor.name()))
            .with_members(members.collect())
    }
}

fn describe_member(member: &ConsumerMember, image: &Image) -> Member {
    // It owns what it has to give back until it has given it back.
    let mut owned: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    let mut add = |partitions: &EpochPartitions| {
        for (topic, partitions) in partitions {
            owned.entry(*topic).or_default().extend(partitions.keys());
        }
    };
    add(&member.assigned);
    add(&member.pending_revocation);
    Member::default()
        .with_member_id(text(&member.id))
        .with_instance_id(member.instance_id.as_deref().map(text))
        .with_rack_id(member.rack_id.as_deref().map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_subscribed_topic_names(
            member.own.topics.iter().map(|name| text(name).into()).collect(),
        )
        .with_subscribed_topic_regex(member.own.topic_regex.as_deref().map(text))
        .with_assignment(assignment(owned, image))
        .with_member_type(if member.is_classic() { 0 } else { 1 })
}

/// An assignment, without topics that do not exist any more.
fn assignment(partitions: BTreeMap<Uuid, Vec<i32>>, image: &Image) -> Assignment {
    let topics = partitions.into_iter().filter_map(|(topic_id, partitions)| {
        let topic = image.topics.by_id(topic_id)?;
        let described = TopicPartitions::default()
            .with_topic_id(topic_id)
            .with_topic_name(text(&topic.name).into())
            .with_partitions(partitions);
        Some(described)
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
