//! Classic groups: members join, leave and die, and others continue from the committed offsets.

use super::{PATIENCE, config, create_topic, poll, send, values};
use crate::support::Broker;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn member(broker: &Broker, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut all = vec![
        ("group.id", "group"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("session.timeout.ms", "6000"),
    ];
    all.extend(settings);
    let consumer: BaseConsumer = config(broker, &all).create().unwrap();
    consumer.subscribe(&["shared"]).unwrap();
    consumer
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect()
}

/// Polls all members until together they own `partitions` partitions, each once.
fn settle(members: &[&BaseConsumer], partitions: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        for member in members {
            assert!(member.poll(Duration::from_millis(20)).is_none_or(|message| message.is_ok()));
        }
        let owned: Vec<BTreeSet<i32>> = members.iter().map(|member| assigned(member)).collect();
        let distinct: BTreeSet<i32> = owned.iter().flatten().copied().collect();
        let total: usize = owned.iter().map(BTreeSet::len).sum();
        if distinct.len() == partitions
            && total == partitions
            && owned.iter().all(|o| !o.is_empty())
        {
            return;
        }
        assert!(Instant::now() < end, "does not come to rest: {owned:?}");
    }
}

fn check_members_share(strategy: &str) {
    let broker = Broker::start();
    create_topic(&broker, "shared", 6, &[]);
    let settings = [("partition.assignment.strategy", strategy)];
    let first = member(&broker, &settings);
    settle(&[&first], 6);
    let second = member(&broker, &settings);
    settle(&[&first, &second], 6);
    let third = member(&broker, &settings);
    settle(&[&first, &second, &third], 6);
    drop(second);
    settle(&[&first, &third], 6);
}

#[test]
fn members_that_join_and_leave_share_all_partitions_eagerly() {
    check_members_share("range,roundrobin");
}

#[test]
fn members_that_join_and_leave_share_all_partitions_cooperatively() {
    check_members_share("cooperative-sticky");
}

#[test]
fn a_new_member_resumes_from_the_committed_offsets() {
    let mut broker = Broker::start();
    create_topic(&broker, "shared", 1, &[]);
    send(&broker, &[], "shared", 0, &values(20));
    let first = member(&broker, &[]);
    let came = poll(&first, 12);
    assert_eq!(came.last().unwrap().offset, 11);
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);
    let second = member(&broker, &[]);
    assert_eq!(poll(&second, 8)[0].offset, 12);
    drop(second);
    broker.stop();
    broker.launch();
    let third = member(&broker, &[]);
    assert_eq!(poll(&third, 8)[0].offset, 12, "what was committed is there after a restart");
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let broker = Broker::start();
    create_topic(&broker, "shared", 4, &[]);
    let first = member(&broker, &[("group.instance.id", "one"), ("session.timeout.ms", "30000")]);
    let second = member(&broker, &[("group.instance.id", "two"), ("session.timeout.ms", "30000")]);
    settle(&[&first, &second], 4);
    let owned = assigned(&second);
    drop(first);
    let again = member(&broker, &[("group.instance.id", "one"), ("session.timeout.ms", "30000")]);
    settle(&[&again, &second], 4);
    assert_eq!(assigned(&second), owned, "the other member kept what it had");
}

#[test]
fn what_a_silent_member_owned_goes_to_the_others() {
    let broker = Broker::start();
    create_topic(&broker, "shared", 2, &[]);
    let first = member(&broker, &[]);
    let silent = member(&broker, &[("max.poll.interval.ms", "6000")]);
    settle(&[&first, &silent], 2);
    // `silent` no longer polls, so librdkafka leaves the group for it after 6 s.
    settle(&[&first], 2);
}
