//! Random operations. Whatever is done, the log alone restores what was written.

use super::super::classic::{ClassicGroup, GroupState};
use super::super::consumer::ConsumerGroup;
use super::super::kind::Group;
use super::super::record::Record;
use super::super::shard::Shard;
use super::World;
use crate::config::Config;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// What the log preserves of a classic group.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    state: GroupState,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    subscribed_topics: Option<BTreeSet<String>>,
    /// The members' ids, instances, timeouts, subscriptions and assignments.
    members: Vec<(String, Option<String>, i32, i32, Bytes, Bytes)>,
}

fn kept(group: &ClassicGroup) -> Kept {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members().map(|member| {
        (
            member.id.to_string(),
            member.instance_id.as_deref().map(str::to_owned),
            member.session_timeout_ms,
            member.rebalance_timeout_ms,
            member.metadata(&protocol),
            member.assignment.clone(),
        )
    });
    Kept {
        state: group.state(),
        generation: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol: group.protocol.clone(),
        leader: group.leader.as_deref().map(str::to_owned),
        subscribed_topics: group.subscribed_topics.clone(),
        members: members.collect(),
    }
}

fn classic<'a>(shard: &'a Shard, id: &str) -> Option<&'a ClassicGroup> {
    match shard.groups.get(id) {
        Some(Group::Classic(group)) => Some(group),
        _ => None,
    }
}

fn consumer<'a>(shard: &'a Shard, id: &str) -> Option<&'a ConsumerGroup> {
    match shard.groups.get(id) {
        Some(Group::Consumer(group)) => Some(group),
        _ => None,
    }
}

/// A group with offsets that never had a member.
fn simple() -> Kept {
    kept(&ClassicGroup::simple("any".into()))
}

/// Follows what operations write.
#[derive(Default)]
pub struct Model {
    groups: BTreeMap<String, Kept>,
    /// Groups whose last state could not be written.
    ahead: BTreeSet<String>,
}

impl Model {
    /// Notes that operations have written records, or could not.
    pub fn follow(&mut self, shard: &Shard, records: &[Record], written: bool) {
        for record in records {
            match record {
                Record::GroupMetadata(key, _) if !written => {
                    self.ahead.insert(key.group.clone());
                }
                _ if !written => {}
                Record::GroupMetadata(key, None) => drop(self.groups.remove(&key.group)),
                Record::GroupMetadata(key, Some(value)) => {
                    let group = classic(shard, &key.group).unwrap();
                    let settled = matches!(group.state(), GroupState::Stable | GroupState::Empty);
                    // A group that has just been made or converted may already be in a rebalance.
                    let recorded = ClassicGroup::from_record(&key.group, value);
                    let kept = if settled { kept(group) } else { kept(&recorded) };
                    self.groups.insert(key.group.clone(), kept);
                    self.ahead.remove(&key.group);
                }
                Record::OffsetCommit(key, Some(_)) if consumer(shard, &key.group).is_none() => {
                    self.groups.entry(key.group.clone()).or_insert_with(simple);
                }
                _ => {}
            }
        }
    }
}

/// A member's id, static instance, and generation or epoch.
type Known = (String, Option<String>, i32);

fn members(shard: &Shard, group: &str) -> Vec<Known> {
    let instance = |instance: &Option<Arc<str>>| instance.as_deref().map(str::to_owned);
    if let Some(group) = consumer(shard, group) {
        let known = group
            .members()
            .map(|member| (member.id.to_string(), instance(&member.instance_id), member.epoch));
        return known.collect();
    }
    let Some(group) = classic(shard, group) else { return Vec::new() };
    let pending = group.pending_joins.iter().map(|id| (id.to_string(), None));
    let known = group.members().map(|m| (m.id.to_string(), instance(&m.instance_id)));
    known.chain(pending).map(|(id, instance)| (id, instance, group.generation)).collect()
}

/// What a member of a consumer group says it owns: its last assignment.
fn owned(shard: &Shard, group: &str, member: &str, separator: &str) -> String {
    let member = consumer(shard, group).and_then(|group| group.member(member));
    let topics = member.iter().flat_map(|member| member.assigned.iter());
    let partitions = topics.flat_map(|(id, partitions)| {
        let name = shard.image.topics.by_id(*id).map(|topic| topic.name.clone());
        partitions.keys().filter_map(move |index| Some(format!("{}-{index}", name.as_ref()?)))
    });
    partitions.collect::<Vec<String>>().join(separator)
}

/// A step of a random member of a consumer group.
fn consumer_step(world: &mut World, (what, who, how): (u8, usize, u8)) {
    let group = ["g", "h"][who % 2];
    let ids = members(&world.shard, group);
    let (id, instance, epoch) = match ids.get(who / 2 % (ids.len() + 1)) {
        Some(member) => member.clone(),
        None => (format!("m{}", who % 5), (how & 1 == 1).then(|| format!("i{}", who % 3)), 0),
    };
    let owns = owned(&world.shard, group, &id, ",");
    let mut line = format!("group={group} member={id} client=c");
    if let Some(instance) = instance {
        line += &format!(" instance={instance}");
    }
    let topics = ["t", "t,u", "u", ""][usize::from(how) % 4];
    let line = match what {
        0 | 1 => format!("member {line} epoch=0 topics={topics} rebalance=9000"),
        2 => {
            format!("member {line} epoch=0 regex={}.* topics= rebalance=9000", ["t", "u"][who % 2])
        }
        3..=6 => format!("member {line} epoch={epoch} owns={owns}"),
        7 => format!("member {line} epoch={epoch}"),
        8 => format!("member {line} epoch={epoch} owns={owns} topics={topics}"),
        9 => format!("member {line} epoch={}", if how < 4 { -1 } else { -2 }),
        10 => {
            let id = 1 + who % 2;
            format!("topic name={} id={id} partitions={}", ["t", "u"][id - 1], how + 1)
        }
        11 => format!("topic id={} gone", 1 + who % 2),
        12..=14 => {
            let owns = owned(&world.shard, group, &id, "+");
            format!("join {line} version=3 protocols=range:{}/{owns}", topics.replace(',', "+"))
        }
        15 => format!("sync {line} generation={epoch}"),
        16 => format!("heartbeat {line} generation={epoch}"),
        _ => format!("commit {line} generation={epoch} offsets=t-{}:{how} id=1", who % 4),
    };
    if what == 11 && world.shard.image.topics.by_id(Uuid::from_u128(1 + who as u128 % 2)).is_none()
    {
        return;
    }
    world.run(&line);
}

/// A step of a random member, chosen by numbers.
fn step(world: &mut World, (what, who, how): (u8, usize, u8)) {
    if what >= 17 {
        return consumer_step(world, (what - 17, who, how));
    }
    let group = ["g", "h"][who % 2];
    let ids = members(&world.shard, group);
    let (id, instance, generation) = match ids.get(who % (ids.len() + 1)) {
        Some(member) => member.clone(),
        None => (String::new(), (how & 1 == 1).then(|| format!("i{}", who % 3)), -1),
    };
    let generation = generation - i32::from(how == 7);
    let mut line = format!("group={group} member={id} generation={generation} version={}", 3 + how);
    if let Some(instance) = instance {
        line += &format!(" instance={instance}");
    }
    let protocols = ["range:t", "range:t,rr:t", "rr:u,range:u", "rr:t"][usize::from(how) % 4];
    let commit = format!("commit {line} offsets=t-{}:{} metadata=m", who % 4, how);
    let assign: Vec<String> = ids.iter().map(|(id, ..)| format!("{id}:{how}")).collect();
    let line = match what {
        0..=3 => format!("join {line} client=c protocols={protocols}"),
        4..=6 => format!("sync {line} assign={}", assign.join(",")),
        7 => format!("heartbeat {line}"),
        8 => format!("leave group={group} members={id}"),
        9 | 10 => commit,
        11 => format!("delete-offsets group={group} offsets=t-{}", who % 4),
        12 => format!("delete groups={group}"),
        13 => "fail error=NotLeaderOrFollower".to_owned(),
        14 => format!("commit group={group} offsets=u-0:1 retention={}", u32::from(how) * 1_000),
        _ => String::new(),
    };
    if line.is_empty() {
        world.advance(i64::from(how) * 4_000);
        return;
    }
    world.run(&line);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_replayed_log_is_the_state_that_was_written(
        steps in prop::collection::vec((0u8..35, 0usize..64, 0u8..8), 1..200)
    ) {
        let mut config = Config::default();
        config.group_max_size = 4;
        config.offsets_retention_check_interval_ms = 7_000;
        config.offsets_retention_minutes = 1;
        let mut world = World::new(config);
        for numbers in steps {
            step(&mut world, numbers);
        }
        let model = &world.model;
        let replayed = world.replayed();
        prop_assert_eq!(&replayed.offsets, &world.shard.offsets);
        let ids: BTreeSet<&str> = replayed.groups.keys().map(|id| &**id).collect();
        let consumers = world.consumers().map(|group| &*group.id);
        let expected: BTreeSet<&str> = model.groups.keys().map(String::as_str).chain(consumers).collect();
        prop_assert_eq!(ids, expected);
        // A consumer group always equals its records.
        for group in world.consumers() {
            prop_assert_eq!(consumer(&replayed, &group.id), Some(group));
        }
        for (id, expected) in &model.groups {
            prop_assert_eq!(&kept(classic(&replayed, id).unwrap()), expected);
            // A group at rest equals what was written.
            let live = classic(&world.shard, id).unwrap();
            let at_rest = matches!(live.state(), GroupState::Stable | GroupState::Empty);
            if at_rest && !model.ahead.contains(id) {
                prop_assert_eq!(&kept(live), expected);
            }
        }
    }
}
