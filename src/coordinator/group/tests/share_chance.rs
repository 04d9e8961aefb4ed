//! Random operations on a share group. The log alone restores it, and left alone it comes to rest
//! with every partition in somebody's hands.

use super::super::kind::Group;
use super::super::record::Record;
use super::super::shard::Shard;
use super::super::share::ShareGroup;
use super::World;
use crate::config::Config;
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

fn group(shard: &Shard) -> Option<&ShareGroup> {
    match shard.groups.get("g") {
        Some(Group::Share(group)) => Some(group),
        _ => None,
    }
}

/// The partitions whose states are being made; only the even ones if `half`.
fn initializing(shard: &Shard, half: bool) -> String {
    let record = group(shard).map(ShareGroup::states_record);
    let Some(Record::ShareGroupStatePartitionMetadata(_, Some(value))) = record else {
        return String::new();
    };
    let partitions = value.initializing_topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter().filter(|index| !half || **index % 2 == 0);
        partitions.map(|index| format!("{}-{index}", topic.topic_name))
    });
    partitions.collect::<Vec<_>>().join(",")
}

/// A step of a random member, of an operator or of the share coordinators, chosen by numbers.
fn step(world: &mut World, (what, who, how): (u8, u8, u8)) {
    let id = format!("m{}", who % 4);
    let member = group(&world.shard).and_then(|group| group.member(&id).cloned());
    let epoch = member.map_or(1, |member| member.epoch);
    let topics = ["t", "t,u", "u", "none"][usize::from(how % 4)];
    let partitions = initializing(&world.shard, how % 2 == 0);
    let line = match what {
        0 | 1 => format!("share group=g member={id} topics={topics}"),
        2..=7 => format!("share group=g member={id} epoch={epoch}"),
        8 => format!("share group=g member={id} epoch={} topics={topics}", (epoch - 1).max(1)),
        9 => format!("share group=g member={id} epoch=-1"),
        10 | 11 => format!("initialized group=g partitions={partitions}"),
        12 => format!("initialized group=g failed={partitions}"),
        13 => {
            let topic = usize::from(who % 2);
            format!("topic name={} id={} partitions={}", ["t", "u"][topic], topic + 1, how % 4 + 1)
        }
        14 => format!("alter-share group=g offsets=t-{}:{how}", who % 4),
        15 => format!("delete-share-offsets group=g topics={topics} done"),
        16 => "delete-share-states group=g".to_owned(),
        17 => "delete groups=g".to_owned(),
        18 => "fail error=NotLeaderOrFollower".to_owned(),
        19 => format!("forget-topic name=t id={}", 1 + who % 2),
        _ => String::new(),
    };
    match line.is_empty() {
        true => world.advance(i64::from(how) * 2_500),
        false => drop(world.run(&line)),
    }
}

/// All partitions of the topics that somebody subscribes to.
fn wanted(world: &World) -> BTreeSet<(Uuid, i32)> {
    let group = group(&world.shard).unwrap();
    let topics = ["t", "u"].into_iter().filter(|name| group.is_subscribed_to(name));
    let topics = topics.filter_map(|name| world.shard.image.topics.by_name(name));
    let partitions = topics.flat_map(|topic| {
        (0..).zip(&topic.partitions).map(|(index, _)| (topic.id, index)).collect::<Vec<_>>()
    });
    partitions.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_replayed_log_is_the_share_group_that_was(
        steps in prop::collection::vec((0u8..22, 0u8..8, 0u8..8), 1..120)
    ) {
        let mut world = World::new(Config::default());
        world.run("topic name=t id=1 partitions=2");
        for numbers in steps {
            step(&mut world, numbers);
        }
        let replayed = world.replayed();
        prop_assert_eq!(group(&replayed), group(&world.shard));
        // The share coordinators may have lost a request: it is made again after 30 seconds.
        for _ in 0..24 {
            world.advance(1_500);
            for member in 0..4 {
                step(&mut world, (2, member, 0));
            }
            step(&mut world, (10, 0, 1));
        }
        let Some(group) = group(&world.shard).filter(|group| !group.is_empty()) else {
            return Ok(());
        };
        let given = group.members().flat_map(|member| member.assigned.iter());
        let given = given.flat_map(|(id, set)| set.iter().map(|index| (*id, *index)));
        prop_assert_eq!(given.collect::<BTreeSet<_>>(), wanted(&world));
        let (epoch, assigned) = (group.epoch, group.assignment_epoch);
        prop_assert!(group.members().all(|member| (member.epoch, assigned) == (epoch, epoch)));
    }
}
