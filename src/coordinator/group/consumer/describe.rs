//! ConsumerGroupDescribe.

use super::super::listed;
use super::super::shard::Shard;
use super::super::text;
use super::member::{ConsumerMember, EpochPartitions};
use super::target::most_wanted;
use crate::metadata::Image;
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use std::collections::BTreeMap;
use uuid::Uuid;

impl Shard {
    /// A consumer group with its members, or why there is none.
    pub fn describe_consumer(&self, id: &str) -> DescribedGroup {
        let described = DescribedGroup::default().with_group_id(text(id).into());
        let group = match self.consumer(id) {
            Ok(group) => group,
            Err(error) => {
                return described
                    .with_error_code(error.code().code())
                    .with_error_message(error.message().as_deref().map(text));
            }
        };
        let assignor = most_wanted(group.members().map(|member| &**member));
        let assignor = assignor.unwrap_or_else(|| self.default_assignor());
        let members = listed(group.members(), |member| &member.id).map(|member| {
            let target = group.target(&member.id);
            let target = target.iter().map(|(topic, partitions)| {
                (*topic, partitions.iter().copied().collect::<Vec<i32>>())
            });
            describe_member(member, &self.image)
                .with_target_assignment(assignment(target.collect(), &self.image))
        });
        described
            .with_group_state(text(&group.state().to_string()))
            .with_group_epoch(group.epoch)
            .with_assignment_epoch(group.assignment_epoch)
            .with_assignor_name(text(assignor.name()))
            .with_members(members.collect())
    }
}

fn describe_member(member: &ConsumerMember, image: &Image) -> Member {
    // It answers for what it has to give back until it has.
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
        .with_subscribed_topic_names(member.topics.iter().map(|name| text(name).into()).collect())
        .with_subscribed_topic_regex(member.topic_regex.as_deref().map(text))
        .with_assignment(assignment(owned, image))
        .with_member_type(if member.is_classic() { 0 } else { 1 })
}

/// Without the topics that are no more.
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
