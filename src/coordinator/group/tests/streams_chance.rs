//! Random operations on a streams group. The log alone restores it, and no task ever belongs to two
//! members.

use super::super::kind::Group;
use super::super::shard::Shard;
use super::super::streams::StreamsGroup;
use super::World;
use crate::codec::messages::streams_group_describe_response::TaskIds;
use crate::config::Config;
use proptest::prelude::*;

const TOPOLOGY: &str = "subtopologies=0:read=t:write=r;1:from=r:store=c";

fn group(shard: &Shard) -> Option<&StreamsGroup> {
    match shard.groups.get("g") {
        Some(Group::Streams(group)) => Some(group),
        _ => None,
    }
}

/// `0:1+2;1:0`
fn owned(tasks: &[TaskIds]) -> String {
    let ids = tasks.iter().map(|of| {
        let partitions: Vec<String> = of.partitions.iter().map(i32::to_string).collect();
        format!("{}:{}", of.subtopology_id, partitions.join("+"))
    });
    ids.collect::<Vec<_>>().join(";")
}

/// A step of a random member, chosen by numbers.
fn step(world: &mut World, (what, who, how): (u8, u8, u8)) {
    let id = format!("m{}", who % 4);
    let described = group(&world.shard).map(StreamsGroup::described);
    let member =
        described.as_ref().and_then(|of| of.members.iter().find(|of| of.member_id.as_str() == id));
    let epoch = member.map_or(1, |member| member.member_epoch);
    let tasks = member.map_or_else(String::new, |member| {
        let (active, standby) = (&member.assignment.active_tasks, &member.assignment.standby_tasks);
        format!("active={} standby={}", owned(active), owned(standby))
    });
    let line = match what {
        0..=2 => format!("streams group=g member={id} process=p{} {TOPOLOGY}", who % 2),
        3..=8 => format!("streams group=g member={id} epoch={epoch} {tasks}"),
        9 => format!("streams group=g member={id} epoch={}", (epoch - i32::from(how % 2)).max(1)),
        10 => format!("streams group=g member={id} epoch=-1"),
        11 => format!("commit group=g member={id} generation={epoch} offsets=t-0:{how}"),
        12 => "delete groups=g".to_owned(),
        13 => format!("config group=g streams.num.standby.replicas={}", how % 3),
        14 => {
            let topic = usize::from(how % 3);
            format!("topic name={} id={} partitions=2", ["t", "r", "c"][topic], topic + 1)
        }
        15 => "fail error=NotLeaderOrFollower".to_owned(),
        16 => "commit group=g offsets=t-0:1".to_owned(),
        _ => String::new(),
    };
    match line.is_empty() {
        true => world.advance(i64::from(how) * 2_500),
        false => drop(world.run(&line)),
    }
    if let Some(group) = group(&world.shard) {
        group.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_replayed_log_is_the_streams_group_that_was(
        steps in prop::collection::vec((0u8..18, 0u8..8, 0u8..8), 1..120)
    ) {
        let mut world = World::new(Config::default());
        for (at, topic) in ["t", "r", "c"].iter().enumerate() {
            world.run(&format!("topic name={topic} id={} partitions=2", at + 1));
        }
        for numbers in steps {
            step(&mut world, numbers);
        }
        let replayed = world.replayed();
        prop_assert_eq!(&replayed.offsets, &world.shard.offsets);
        let kept = |shard: &Shard| group(shard).map(StreamsGroup::kept);
        prop_assert_eq!(kept(&replayed), kept(&world.shard));
        // Left alone with members that do as they are told, it comes to rest.
        world.run("config group=g streams.num.standby.replicas=1");
        if group(&world.shard).is_some() {
            world.advance(4_000);
            for round in 0..40u8 {
                step(&mut world, (3, round % 4, 0));
                world.advance(if round % 8 == 7 { 1_000 } else { 10 });
            }
            let state = group(&world.shard).map(|group| group.state().to_string());
            prop_assert!(["Stable", "Empty"].contains(&state.unwrap().as_str()));
        }
    }
}
