//! Share groups in the form of ShareGroupDescribe.

use super::{ShareGroup, ShareMember};
use crate::codec::messages::share_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use crate::coordinator::group::{listed, text};
use crate::metadata::Image;

impl ShareGroup {
    /// Describes the group and its members.
    pub fn described(&self, image: &Image) -> DescribedGroup {
        let members = listed(self.members(), |member| &member.id);
        DescribedGroup::default()
            .with_group_id(text(&self.id).into())
            .with_group_state(text(&self.state().to_string()))
            .with_group_epoch(self.epoch)
            .with_assignment_epoch(self.assignment_epoch)
            .with_assignor_name("simple".into())
            .with_members(members.map(|member| described_member(member, image)).collect())
    }
}

/// A member, with its partitions of topics that still exist.
fn described_member(member: &ShareMember, image: &Image) -> Member {
    let topics = member.assigned.iter().filter_map(|(topic_id, partitions)| {
        let topic = image.topics.by_id(*topic_id)?;
        let described = TopicPartitions::default()
            .with_topic_id(*topic_id)
            .with_topic_name(text(&topic.name).into())
            .with_partitions(partitions.iter().copied().collect());
        Some(described)
    });
    Member::default()
        .with_member_id(text(&member.id))
        .with_rack_id(member.rack_id.as_deref().map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_subscribed_topic_names(member.own.iter().map(|name| text(name).into()).collect())
        .with_assignment(Assignment::default().with_topic_partitions(topics.collect()))
}
