//! The commands of scripts that are about share groups.
//!
//! What a heartbeat or an alteration asks of the share coordinators is shown as `initialize`;
//! `initialized group=g partitions=t-0` says that they have done it, and `failed=t-1` that they
//! could not. What a deletion asks of them is shown as `delete`.

use super::super::assignor::Partitions;
use super::super::kind::Group;
use super::super::modern::Kind;
use super::super::record::{GroupKind, Record};
use super::super::shard::{Shard, ShardOutcome};
use super::super::share::{Initialization, Share, ShareGroup, check};
use super::consumer::{partitions, shown_target};
use super::{Args, World, show};
use crate::codec::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use crate::codec::messages::share_group_describe_response::DescribedGroup;
use crate::codec::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, StrBytes};
use crate::codec::schema::group::ShareGroupStatePartitionMetadataValue;
use crate::codec::schema::group::share_group_state_partition_metadata_value::TopicPartitionsInfo;
use crate::coordinator::{RequestContext, text};
use crate::error::Result;
use crate::metadata::Image;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use uuid::Uuid;

impl World {
    pub(super) fn share(&mut self, args: &Args) -> Result<()> {
        let group = args.get("group");
        let image = self.shard.image.clone();
        let shown = match args.name.as_str() {
            "describe-share" => described(&self.shard.describe_share(group)),
            "initialized" => {
                let of = |key| partitions(args.get(key), ',', &image);
                let (made, failed) = (of("partitions"), of("failed"));
                let (group, turn) = self.shard.share_group(self.now, group)?;
                let record = group.note_initialized(turn.image, &made, &failed);
                self.finish(ShardOutcome::replay(vec![record], String::new()))?
            }
            "alter-share" => {
                let topics = args.alterations();
                let outcome = self.shard.alter_share_offsets(self.now, group, &topics)?;
                let (asked, answers) = self.finish(outcome)?;
                let mut shown = initialize(&asked, &image);
                for topic in answers {
                    for partition in topic.partitions {
                        let (index, code) = (partition.partition_index, partition.error_code);
                        let name = topic.topic_name.as_str();
                        writeln!(shown, "{name}-{index} {}", show::code(code)).unwrap();
                    }
                }
                shown
            }
            "delete-share-offsets" => self.delete_share_offsets(args)?,
            "delete-share-states" => {
                let (group, turn) = self.shard.share_group(self.now, group)?;
                let (records, asked) = group.delete_states(turn.image)?;
                let asked = self.finish(ShardOutcome::replay(records, asked))?;
                format!("delete {}\n", shown_target(&asked, &image))
            }
            _ => self.share_member(args)?,
        };
        self.output.push_str(&shown);
        Ok(())
    }

    fn share_member(&mut self, args: &Args) -> Result<String> {
        let cx = RequestContext {
            api_version: 1,
            client_id: text("c"),
            client_host: "/127.0.0.1".into(),
        };
        let request = args.share_heartbeat();
        check(&request)?;
        let outcome = self.shard.share_heartbeat(self.now, &cx, &request)?;
        let heartbeat = self.finish(outcome)?;
        let image = &self.shard.image;
        let mut shown = answer(&heartbeat.response, image);
        shown.push_str(
            &heartbeat.missing.iter().map(|asked| initialize(asked, image)).collect::<String>(),
        );
        Ok(shown)
    }

    fn delete_share_offsets(&mut self, args: &Args) -> Result<String> {
        let image = self.shard.image.clone();
        let group = args.get("group");
        let (found, turn) = self.shard.share_group(self.now, group)?;
        let (records, asked) = found.delete_offsets(turn.image, args.list("topics").collect())?;
        let (mut shown, mut deleted) = (String::new(), BTreeSet::new());
        for (name, asked) in self.finish(ShardOutcome::replay(records, asked))? {
            match asked {
                Ok((topic, partitions)) => {
                    deleted.insert(topic);
                    let partitions = Partitions::from([(topic, partitions)]);
                    writeln!(shown, "{name} delete {}", shown_target(&partitions, &image)).unwrap();
                }
                Err(error) => writeln!(shown, "{name} {}", show::failure(&error)).unwrap(),
            }
        }
        if args.has("done") && !deleted.is_empty() {
            let (group, _) = self.shard.share_group(self.now, group)?;
            let outcome = ShardOutcome::replay(vec![group.note_deleted(&deleted)], ());
            self.finish(outcome)?;
        }
        Ok(shown)
    }
}

impl Args {
    fn share_heartbeat(&self) -> ShareGroupHeartbeatRequest {
        let names = || self.list("topics").map(|name| text(name).into()).collect();
        ShareGroupHeartbeatRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_member_epoch(self.number("epoch", 0))
            .with_rack_id(self.named.get("rack").map(|named| text(named)))
            .with_subscribed_topic_names(self.has("topics").then(names))
    }

    /// `offsets=t-0:5,u-1:-1`
    fn alterations(&self) -> Vec<AlterShareGroupOffsetsRequestTopic> {
        let topic = |item: &str| {
            let (partition, offset) = item.split_once(':').unwrap();
            let (topic, index) = partition.rsplit_once('-').unwrap();
            let partition = AlterShareGroupOffsetsRequestPartition::default()
                .with_partition_index(index.parse().unwrap())
                .with_start_offset(offset.parse().unwrap());
            AlterShareGroupOffsetsRequestTopic::default()
                .with_topic_name(text(topic).into())
                .with_partitions(vec![partition])
        };
        self.list("offsets").map(topic).collect()
    }
}

fn initialize(asked: &Initialization, image: &Image) -> String {
    let offsets = asked.offsets.iter().map(|((topic, index), offset)| {
        let partition = Partitions::from([(*topic, [*index].into())]);
        format!("{}:{offset}", shown_target(&partition, image).trim_matches(['[', ']']))
    });
    let offsets: Vec<String> = offsets.collect();
    format!("    initialize {} at epoch {}\n", offsets.join(" "), asked.epoch)
}

fn answer(response: &ShareGroupHeartbeatResponse, image: &Image) -> String {
    let id = response.member_id.as_ref().map_or("null", StrBytes::as_str);
    let assignment = response.assignment.as_ref().map(|assignment| {
        let topics = assignment.topic_partitions.iter();
        let topics = topics.map(|of| (of.topic_id, of.partitions.iter().copied().collect()));
        shown_target(&topics.collect(), image)
    });
    let assignment = assignment.unwrap_or_else(|| "as before".to_owned());
    format!("{id} epoch={} {assignment}\n", response.member_epoch)
}

fn described(group: &DescribedGroup) -> String {
    if group.error_code != 0 {
        let message = group.error_message.as_deref().unwrap_or("null");
        return format!("{} {}: {message}\n", &*group.group_id.0, show::code(group.error_code));
    }
    let (id, state, assignor) = (&*group.group_id.0, &group.group_state, &group.assignor_name);
    let (epoch, assigned) = (group.group_epoch, group.assignment_epoch);
    let mut shown = format!("{id} {state} epoch={epoch} assigned={assigned} assignor={assignor}\n");
    for member in &group.members {
        let topics = member.assignment.topic_partitions.iter().flat_map(|of| {
            of.partitions.iter().map(|index| format!("{}-{index}", of.topic_name.as_str()))
        });
        let topics: Vec<String> = topics.collect();
        let subscribed: Vec<&str> =
            member.subscribed_topic_names.iter().map(|name| name.as_str()).collect();
        let (id, epoch) = (&member.member_id, member.member_epoch);
        let (subscribed, topics) = (subscribed.join("+"), topics.join(" "));
        writeln!(shown, "    {id} epoch={epoch} topics={subscribed} has=[{topics}]").unwrap();
    }
    shown
}

/// The group, its members, and what the share coordinators know of it.
pub fn state(group: &ShareGroup, image: &Image) -> String {
    let mut shown = described(&group.described(image));
    if let Record::ShareGroupStatePartitionMetadata(_, Some(value)) = group.states_record() {
        writeln!(shown, "    states {}", states(&value)).unwrap();
    }
    shown
}

fn states(value: &ShareGroupStatePartitionMetadataValue) -> String {
    let topics = |topics: &[TopicPartitionsInfo]| {
        let topics = topics
            .iter()
            .flat_map(|of| of.partitions.iter().map(|index| format!("{}-{index}", of.topic_name)));
        topics.collect::<Vec<_>>().join(" ")
    };
    let deleting: Vec<&str> = value.deleting_topics.iter().map(|of| &*of.topic_name).collect();
    format!(
        "initializing=[{}] initialized=[{}] deleting=[{}]",
        topics(&value.initializing_topics),
        topics(&value.initialized_topics),
        deleting.join(" ")
    )
}

/// A record of a share group; None if it is another kind's.
pub fn record(record: &Record, image: &Image) -> Option<String> {
    let (_, group) = record.group_named().filter(|(kind, _)| *kind == GroupKind::Share)?;
    let given = |topics: &mut dyn Iterator<Item = (Uuid, &Vec<i32>)>| {
        let topics = topics.map(|(id, partitions)| (id, partitions.iter().copied().collect()));
        shown_target(&topics.collect(), image)
    };
    let none = "tombstone".to_owned();
    Some(match record {
        Record::ShareGroupMetadata(_, value) => {
            let value = value.as_ref().map(|of| {
                let hash = if of.metadata_hash == 0 { "no topics" } else { "hashed topics" };
                format!("epoch={} {hash}", of.epoch)
            });
            format!("share {group} {}", value.unwrap_or(none))
        }
        Record::ShareGroupMemberMetadata(key, value) => {
            let value = value.as_ref().map(|of| {
                let rack = of.rack_id.as_ref().map(|rack| format!(" rack={rack}"));
                let topics = of.subscribed_topic_names.join("+");
                format!("topics={topics}{}", rack.unwrap_or_default())
            });
            format!("share-member {} {}", key.member_id, value.unwrap_or(none))
        }
        Record::ShareGroupTargetAssignmentMetadata(_, value) => {
            let value = value
                .as_ref()
                .map(|of| format!("epoch={} at={}", of.assignment_epoch, of.assignment_timestamp));
            format!("share-target {}", value.unwrap_or(none))
        }
        Record::ShareGroupTargetAssignmentMember(key, value) => {
            let value = value.as_ref().map(|of| {
                given(&mut of.topic_partitions.iter().map(|of| (of.topic_id, &of.partitions)))
            });
            format!("share-target {} {}", key.member_id, value.unwrap_or(none))
        }
        Record::ShareGroupCurrentMemberAssignment(key, value) => {
            let value = value.as_ref().map(|of| {
                let topics = &mut of.assigned_partitions.iter();
                let has = given(&mut topics.map(|of| (of.topic_id, &of.partitions)));
                let (epoch, previous) = (of.member_epoch, of.previous_member_epoch);
                let state = if of.state == 0 { "" } else { " unstable" };
                format!("epoch={epoch} after={previous}{state} has={has}")
            });
            format!("share-current {} {}", key.member_id, value.unwrap_or(none))
        }
        Record::ShareGroupStatePartitionMetadata(_, value) => {
            format!("share-states {}", value.as_ref().map_or(none, states))
        }
        _ => unreachable!("not of a share group"),
    })
}

/// A record that was replayed, made again from the group's state after that; None for a tombstone.
pub fn remade(shard: &Shard, record: &Record) -> Option<Record> {
    let Group::Share(group) = shard.groups.get(record.group_named()?.1)? else { return None };
    let member = |id: &str| group.member(id).map(|member| &**member);
    let id = &*group.id;
    Some(match record {
        Record::ShareGroupMetadata(_, Some(_)) => {
            Record::share_epoch(id, group.epoch, group.metadata_hash)
        }
        Record::ShareGroupMemberMetadata(key, Some(_)) => {
            Share::member_record(id, &key.member_id, member(&key.member_id))
        }
        Record::ShareGroupTargetAssignmentMetadata(_, Some(_)) => {
            let made = (group.assignment_epoch, group.assignment_timestamp);
            Share::target_epoch_record(id, Some(made))
        }
        Record::ShareGroupTargetAssignmentMember(key, Some(_)) => {
            Share::target_record(id, &key.member_id, Some(&group.target(&key.member_id)))
        }
        Record::ShareGroupCurrentMemberAssignment(key, Some(_)) => {
            Share::current_record(id, &key.member_id, member(&key.member_id))
        }
        Record::ShareGroupStatePartitionMetadata(_, Some(_)) => group.states_record(),
        _ => return None,
    })
}
