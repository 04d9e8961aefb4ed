//! Random operations. Whatever is done, the log alone restores what was written, no two clients
//! ever get the same producer, and a prepared transaction ends as it was decided.

use super::super::metadata::{NO_PRODUCER_EPOCH, Transaction};
use super::super::state::TransactionState;
use super::{Job, World};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What the log preserves.
fn kept(world: &World) -> BTreeMap<String, Transaction> {
    let keep = |known: &Transaction| {
        let mut known = known.clone();
        known.last_producer_epoch = NO_PRODUCER_EPOCH;
        if known.state.is_prepared() {
            // Which partitions have their marker has to be found out again.
            known.partitions = BTreeSet::new();
        }
        known
    };
    let all = world.machine.transactions.iter();
    all.map(|(id, known)| (id.to_string(), keep(known))).collect()
}

/// A step of a random client, chosen by numbers. It is mostly correct and sometimes has an old
/// epoch.
fn step(world: &mut World, (what, who, how): (u8, u8, u8)) {
    let id = ["a", "b", "c"][usize::from(who) % 3];
    let producer = world.machine.get(id).map(|known| known.producer);
    let named = producer.map_or("producer=0:0".to_owned(), |producer| {
        format!("producer={}:{}", producer.id, producer.epoch - i16::from(how == 0))
    });
    let client = if how % 2 == 0 { 2 } else { 0 };
    let line = match what {
        0 | 1 => format!("init id={id}"),
        2 => format!("init id={id} {named}"),
        3..=5 => format!("add id={id} {named} partitions=t-{},u-{} client={client}", how, who),
        6 | 7 => format!("commit id={id} {named} client={client}"),
        8 => format!("abort id={id} {named} client={client}"),
        9 => "fail error=NotEnoughReplicas".to_owned(),
        10 => format!("advance ms={}", u32::from(how) * 20_000),
        11 => "restart".to_owned(),
        // Version 0 preserves less.
        12 => format!("feature version={}", 1 + how % 2),
        _ => return work(world, how),
    };
    world.run(&line);
}

/// Writes some of the markers, or aborts a transaction that takes too long.
fn work(world: &mut World, how: u8) {
    let jobs = world.machine.jobs();
    world.machine.take(&jobs);
    for job in jobs {
        match job {
            Job::Abort(id, producer) => {
                let (pid, epoch) = (producer.id, producer.epoch);
                world.run(&format!("abort-overdue id={id} producer={pid}:{epoch}"));
            }
            Job::Finish(id, prepared) => {
                let count = if how == 0 { 1 } else { prepared.partitions.len() };
                let some: Vec<String> =
                    prepared.partitions.iter().take(count).map(ToString::to_string).collect();
                let (pid, epoch) = (prepared.producer.id, prepared.producer.epoch);
                let line = format!("markers id={id} producer={pid}:{epoch}");
                world.run(&format!("{line} partitions={}", some.join(",")));
                let complete = world.machine.get(&id).unwrap();
                let expected = match prepared.state {
                    TransactionState::PrepareCommit => TransactionState::CompleteCommit,
                    _ => TransactionState::CompleteAbort,
                };
                assert!(complete.state == prepared.state || complete.state == expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_replayed_log_is_the_state_that_was_written(
        steps in prop::collection::vec((0u8..17, 0u8..3, 0u8..8), 1..120)
    ) {
        let mut world = World::new(2);
        for numbers in steps {
            let before = kept(&world);
            step(&mut world, numbers);
            let now = kept(&world);
            for (id, known) in &now {
                let Some(before) = before.get(id) else { continue };
                // An epoch that a producer had never comes back.
                prop_assert!(
                    known.producer.id > before.producer.id
                        || (known.producer.id == before.producer.id
                            && known.producer.epoch >= before.producer.epoch)
                );
            }
            let ids: BTreeSet<i64> = now.values().map(|known| known.producer.id).collect();
            prop_assert_eq!(ids.len(), now.len(), "a producer has one transactional id");
        }
        let live = kept(&world);
        let open: Vec<&str> =
            live.iter().filter(|(_, known)| known.state.is_prepared()).map(|(id, _)| &**id).collect();
        world.restart();
        prop_assert_eq!(&kept(&world), &live);
        // After a crash, everything that is prepared is finished.
        let jobs = world.machine.jobs();
        let finished: Vec<&str> = jobs.iter().map(|job| match job {
            Job::Finish(id, _) | Job::Abort(id, _) => &**id,
        }).collect();
        prop_assert_eq!(finished, open);
    }
}
