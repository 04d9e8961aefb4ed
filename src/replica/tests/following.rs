//! Following: two brokers copy a partition from each other, whichever leads.

use super::cluster::{NOW, batch};
use super::pair::Pair;
use crate::error::Error;
use crate::log::Origin;
use crate::replica::fetcher::Answer;
use crate::replica::partition::Offsets;
use crate::types::{NO_EPOCH, Offset};
use kafka_protocol::error::ResponseError;
use std::time::Duration;

/// Appends a batch of `count` records as the leader.
fn append(pair: &Pair, count: usize) {
    let leader = pair.partition(pair.leader);
    leader.append(vec![batch(count)], NO_EPOCH, Origin::Client, 1, NOW).unwrap();
}

/// Both logs have the same batches and epochs from where both begin.
#[track_caller]
fn assert_equal(pair: &Pair) {
    let (one, two) = (pair.partition(1), pair.partition(2));
    let (ours, theirs) = (one.offsets().unwrap(), two.offsets().unwrap());
    let ends = |offsets: Offsets| (offsets.log_end, offsets.high_watermark, offsets.last_stable);
    assert_eq!(ends(ours), ends(theirs));
    let begin = ours.log_start.max(theirs.log_start);
    assert!(pair.bytes(1, begin) == pair.bytes(2, begin), "the bytes differ");
    let (one, two) = (one.log().unwrap(), two.log().unwrap());
    for offset in begin..ours.log_end {
        assert_eq!(one.epoch_at(offset), two.epoch_at(offset), "epoch at {offset}");
    }
}

fn ends(pair: &Pair) -> (Offset, Offset) {
    let end = |id| pair.partition(id).offsets().unwrap().log_end;
    (end(1), end(2))
}

#[test]
fn a_follower_gets_every_batch_and_the_high_watermark() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    append(&pair, 2);
    pair.catch_up();
    assert_eq!(ends(&pair), (5, 5));
    assert_eq!(pair.partition(2).offsets().unwrap().high_watermark, 5);
    append(&pair, 1);
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn a_follower_flushes_before_it_tells_what_it_has() {
    for (interval, flushed) in [("1", 5), ("4", 5), ("6", 0)] {
        let mut pair = Pair::new(&[], &[("flush.messages", interval)]);
        append(&pair, 3);
        append(&pair, 2);
        pair.catch_up();
        let recovery_point = pair.partition(2).log().unwrap().recovery_point();
        assert_eq!(recovery_point, flushed, "flush.messages={interval}");
    }
}

#[test]
fn a_follower_on_a_full_disk_hears_what_is_committed_and_goes_on_once_there_is_room() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    pair.catch_up();
    append(&pair, 2);
    let dir = pair.partition(2).dir();
    fill(&dir);
    for _ in 0..50 {
        pair.now += Duration::from_millis(100);
        let Some(answer) = pair.ask() else { continue };
        pair.deliver(1, answer);
    }
    assert_eq!(ends(&pair), (5, 3));
    assert!(dir.look_for_room().unwrap());
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn who_has_a_full_disk_hands_over_what_others_have_and_keeps_what_only_it_has() {
    let mut pair = Pair::new(&[], &[]);
    let hands_over = |pair: &Pair, id| pair.replicas(id).should_hand_over(&pair.image());
    fill(&pair.partition(1).dir());
    assert!(!hands_over(&pair, 1), "it is the only one in sync");
    pair.set_isr(&[1, 2]);
    assert!(hands_over(&pair, 1));
    assert!(!hands_over(&pair, 2), "its disk is not full");
    pair.elect(2);
    fill(&pair.partition(2).dir());
    assert!(hands_over(&pair, 1) && !hands_over(&pair, 2));
    assert!(pair.partition(1).dir().look_for_room().unwrap());
    assert!(!hands_over(&pair, 1));
}

/// Lets a disk be full until somebody looks for room.
fn fill(dir: &crate::log::manager::LogDir) {
    let no_space = std::io::Error::from(std::io::ErrorKind::StorageFull);
    dir.release_reserve(&Error::disk(&dir.path, no_space));
}

#[test]
fn a_leader_that_nobody_waited_for_loses_what_only_it_has() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    pair.catch_up();
    append(&pair, 7);
    pair.elect(2);
    append(&pair, 1);
    pair.catch_up();
    assert_eq!(ends(&pair), (4, 4), "below the high watermark of the first leader, which was 10");
    assert_equal(&pair);
}

#[test]
fn histories_that_forked_several_times_are_joined_where_they_parted() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    pair.catch_up();
    for leader in [2, 1, 1, 2, 1, 2] {
        pair.elect(leader);
        append(&pair, 2);
    }
    pair.catch_up();
    assert_eq!(ends(&pair).0, 9, "what 2 has appended");
    assert_equal(&pair);
    // An epoch without a record.
    pair.elect(1);
    pair.elect(2);
    append(&pair, 1);
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn an_answer_from_before_an_election_does_nothing() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    let late = pair.ask().unwrap();
    pair.elect(1);
    pair.deliver(1, late);
    assert_eq!(ends(&pair), (3, 0), "its epoch is over");
    pair.catch_up();
    append(&pair, 1);
    let late = pair.ask().unwrap();
    pair.elect(2);
    pair.deliver(1, late);
    assert_eq!(ends(&pair), (4, 3), "2 leads itself now");
}

#[test]
fn batches_of_a_later_epoch_are_left_out() {
    let pair = Pair::new(&[], &[]);
    append(&pair, 3);
    let Answer::Fetch(mut answer) = pair.ask().unwrap() else { panic!("it fetches") };
    let data = &mut answer.responses[0].partitions[0];
    let known = data.records.clone().unwrap();
    let mut newer = known.to_vec();
    newer[..8].copy_from_slice(&3i64.to_be_bytes());
    newer[12..16].copy_from_slice(&9i32.to_be_bytes());
    data.records = Some([&known[..], &newer].concat().into());
    pair.deliver(1, Answer::Fetch(answer));
    assert_eq!(ends(&pair).1, 3);
}

#[test]
fn a_batch_with_a_wrong_checksum_is_asked_for_again_later() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    let Answer::Fetch(mut answer) = pair.ask().unwrap() else { panic!("it fetches") };
    let data = &mut answer.responses[0].partitions[0];
    let mut bytes = data.records.clone().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    data.records = Some(bytes.into());
    pair.deliver(1, Answer::Fetch(answer));
    assert_eq!(ends(&pair).1, 0);
    // The leader is told to forget the partition, and then is left alone.
    let forgets = pair.ask().unwrap();
    pair.deliver(1, forgets);
    assert!(pair.ask().is_none());
    pair.now += Duration::from_millis(1001);
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn a_leader_that_does_not_know_yet_that_it_leads_is_soon_asked_again() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let begun = pair.now;
        let mut answer = loop {
            match pair.ask() {
                Some(Answer::Fetch(answer)) if !answer.responses.is_empty() => break answer,
                // It has forgotten the partition.
                Some(answer) => pair.deliver(1, answer),
                None => pair.now += Duration::from_millis(1),
            }
        };
        pauses.push((pair.now - begun).as_millis());
        let data = &mut answer.responses[0].partitions[0];
        data.error_code = ResponseError::NotLeaderOrFollower.code();
        pair.deliver(1, Answer::Fetch(answer));
    }
    assert_eq!(pauses, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1000]);
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn a_follower_behind_the_start_of_the_leaders_log_begins_there() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    pair.catch_up();
    append(&pair, 5);
    append(&pair, 4);
    // In the middle of a batch, which is copied whole.
    pair.partition(1).delete_records(10).unwrap();
    pair.catch_up();
    let offsets = pair.partition(2).offsets().unwrap();
    assert_eq!((offsets.log_start, offsets.log_end), (10, 12));
    assert_equal(&pair);
}

#[test]
fn the_start_of_the_log_follows_the_leaders() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    append(&pair, 3);
    pair.catch_up();
    pair.partition(1).delete_records(4).unwrap();
    pair.catch_up();
    assert_eq!(pair.partition(2).offsets().unwrap().log_start, 4);
}

#[test]
fn a_leader_that_began_again_is_followed_from_its_first_record() {
    let mut pair = Pair::new(&[], &[]);
    append(&pair, 3);
    pair.catch_up();
    pair.elect(2);
    append(&pair, 4);
    // As if broker 1 had lost everything and begun again.
    pair.partition(1).restart_at(1, 0).unwrap();
    pair.elect(1);
    append(&pair, 1);
    pair.catch_up();
    assert_eq!(ends(&pair), (1, 1));
    assert_equal(&pair);
}

#[test]
fn a_follower_beyond_its_limit_waits_unless_it_is_in_sync() {
    let rates = [("follower.replication.throttled.rate", "1000")];
    let settings = [("follower.replication.throttled.replicas", "0:2")];
    let mut pair = Pair::with_rates(&rates, &[("replica.fetch.max.bytes", "1")], &settings);
    (0..20).for_each(|_| append(&pair, 50));
    let behind = |pair: &Pair| ends(pair).0 - ends(pair).1;
    while let Some(answer) = pair.ask() {
        pair.deliver(1, answer);
    }
    assert!(behind(&pair) > 0 && ends(&pair).1 > 0, "{:?}", ends(&pair));
    let held = ends(&pair);
    pair.now += Duration::from_secs(60);
    while let Some(answer) = pair.ask() {
        pair.deliver(1, answer);
    }
    assert!(ends(&pair).1 > held.1, "the rate has fallen");
}

/// One life of a pair, decided by the seed.
fn live(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let small = [("replica.fetch.max.bytes", "300")];
    let properties: &[_] = if random.bool() { &small } else { &[] };
    let mut pair = Pair::new(properties, &[("internal.segment.bytes", "400")]);
    let mut late: Option<(i32, Answer)> = None;
    for _ in 0..random.usize(10..60) {
        match random.u32(0..20) {
            0..7 => append(&pair, random.usize(1..5)),
            7..13 => {
                if late.is_none()
                    && let Some(answer) = pair.ask()
                {
                    late = Some((pair.leader, answer));
                }
            }
            13..17 => {
                if let Some((from, answer)) = late.take() {
                    pair.deliver(from, answer);
                }
            }
            17 => {
                let leader = pair.partition(pair.leader);
                let end = leader.offsets().unwrap().high_watermark;
                leader.delete_records(random.i64(0..=end)).unwrap();
                leader.clean_up(NOW).unwrap();
            }
            18 => pair.now += Duration::from_secs(1),
            _ => pair.elect(random.i32(1..=2)),
        }
    }
    if let Some((from, answer)) = late {
        pair.deliver(from, answer);
    }
    append(&pair, 1);
    pair.catch_up();
    assert_equal(&pair);
}

#[test]
fn whatever_happens_both_logs_become_equal() {
    for seed in 0..100 {
        if std::panic::catch_unwind(|| live(seed)).is_err() {
            panic!("seed {seed}");
        }
    }
}
