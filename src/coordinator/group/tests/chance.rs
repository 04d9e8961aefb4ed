//! Random operations: whatever is done, the log alone brings back what was written down.

use super::super::classic_group::{ClassicGroup, GroupState};
use super::super::record::Record;
use super::super::shard::{Group, Shard};
use super::World;
use crate::config::Config;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What of a classic group the log keeps.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    state: GroupState,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    subscribed_topics: Option<BTreeSet<String>>,
    /// Id, instance, timeouts, subscription, assignment.
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

/// Offsets only, no member ever.
fn simple() -> Kept {
    kept(&ClassicGroup::simple("any".into()))
}

/// Follows what operations write down.
#[derive(Default)]
pub struct Model {
    groups: BTreeMap<String, Kept>,
    /// Groups whose last state could not be written.
    ahead: BTreeSet<String>,
}

impl Model {
    /// Operations have written records, or could not.
    pub fn follow(&mut self, shard: &Shard, records: &[Record], written: bool) {
        for record in records {
            match record {
                Record::GroupMetadata(key, _) if !written => {
                    self.ahead.insert(key.group.clone());
                }
                _ if !written => {}
                Record::GroupMetadata(key, None) => drop(self.groups.remove(&key.group)),
                Record::GroupMetadata(key, Some(_)) => {
                    let group = classic(shard, &key.group).unwrap();
                    let settled = matches!(group.state(), GroupState::Stable | GroupState::Empty);
                    // A group that has just been made may be in its first rebalance already.
                    let kept = if settled { kept(group) } else { simple() };
                    self.groups.insert(key.group.clone(), kept);
                    self.ahead.remove(&key.group);
                }
                Record::OffsetCommit(key, Some(_)) => {
                    self.groups.entry(key.group.clone()).or_insert_with(simple);
                }
                _ => {}
            }
        }
    }
}

/// A step of a random member: what it does and how, chosen by numbers.
fn step(world: &mut World, (what, who, how): (u8, usize, u8)) {
    let group = ["g", "h"][who % 2];
    let ids: Vec<(String, Option<String>, i32)> = classic(&world.shard, group)
        .map(|group| {
            let pending = group.pending_joins.iter().map(|id| (id.to_string(), None));
            let members = group.members().map(|member| {
                (member.id.to_string(), member.instance_id.as_deref().map(str::to_owned))
            });
            members.chain(pending).map(|(id, i)| (id, i, group.generation)).collect()
        })
        .unwrap_or_default();
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
        steps in prop::collection::vec((0u8..17, 0usize..64, 0u8..8), 1..120)
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
        let expected: BTreeSet<&str> = model.groups.keys().map(String::as_str).collect();
        prop_assert_eq!(ids, expected);
        for (id, expected) in &model.groups {
            prop_assert_eq!(&kept(classic(&replayed, id).unwrap()), expected);
            // A group at rest is as it was written down.
            let live = classic(&world.shard, id).unwrap();
            let at_rest = matches!(live.state(), GroupState::Stable | GroupState::Empty);
            if at_rest && !model.ahead.contains(id) {
                prop_assert_eq!(&kept(live), expected);
            }
        }
    }
}
