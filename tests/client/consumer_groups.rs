//! Groups of the consumer protocol (KIP-848) with librdkafka: the broker assigns partitions, and a
//! group can change over from the classic protocol with live members.

use super::{PATIENCE, config, create_topic, poll, send, values};
use crate::support::Broker;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A broker with short times. It decides on heartbeats and sessions, and its defaults are long.
fn quick_broker() -> Broker {
    Broker::start_with(&[
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "200"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "3000"),
        ("group.consumer.assignment.interval.ms", "0"),
    ])
}

fn member(broker: &Broker, topics: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut all = vec![
        ("group.id", "group"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("group.protocol", "consumer"),
    ];
    all.extend(settings);
    let consumer: BaseConsumer = config(broker, &all).create().unwrap();
    consumer.subscribe(&[topics]).unwrap();
    consumer
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect()
}

/// Polls all members until they own these numbers of partitions, in any order.
fn settle(members: &[&BaseConsumer], shares: &[usize]) {
    let end = Instant::now() + PATIENCE;
    loop {
        for member in members {
            if let Some(Err(error)) = member.poll(Duration::from_millis(20)) {
                // The client reports these while the broker is away, and then continues.
                let code = error.rdkafka_error_code();
                let away = [BrokerTransportFailure, AllBrokersDown].map(Some);
                assert!(away.contains(&code), "{error}");
            }
        }
        let owned: Vec<BTreeSet<i32>> = members.iter().map(|member| assigned(member)).collect();
        let distinct: BTreeSet<i32> = owned.iter().flatten().copied().collect();
        let mut sizes: Vec<usize> = owned.iter().map(BTreeSet::len).collect();
        sizes.sort_unstable();
        if sizes == shares && distinct.len() == shares.iter().sum::<usize>() {
            return;
        }
        assert!(Instant::now() < end, "does not come to rest at {shares:?}: {owned:?}");
    }
}

#[test]
fn members_of_the_consumer_protocol_share_all_partitions() {
    let broker = quick_broker();
    create_topic(&broker, "shared", 6, &[]);
    let first = member(&broker, "shared", &[]);
    settle(&[&first], &[6]);
    let second = member(&broker, "shared", &[]);
    settle(&[&first, &second], &[3, 3]);
    let third = member(&broker, "shared", &[]);
    settle(&[&first, &second, &third], &[2, 2, 2]);
    drop(second);
    settle(&[&first, &third], &[3, 3]);
}

#[test]
fn a_member_of_the_consumer_protocol_resumes_from_the_committed_offsets() {
    let mut broker = quick_broker();
    create_topic(&broker, "shared", 1, &[]);
    send(&broker, &[], "shared", 0, &values(20));
    let first = member(&broker, "shared", &[("group.remote.assignor", "range")]);
    assert_eq!(poll(&first, 12).last().unwrap().offset, 11);
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);
    let second = member(&broker, "shared", &[]);
    assert_eq!(poll(&second, 8)[0].offset, 12);
    drop(second);
    broker.stop();
    broker.launch();
    let third = member(&broker, "shared", &[]);
    assert_eq!(poll(&third, 8)[0].offset, 12, "what was committed is there after a restart");
}

#[test]
fn a_member_of_the_consumer_protocol_goes_on_after_a_restart_of_the_broker() {
    let mut broker = quick_broker();
    create_topic(&broker, "shared", 4, &[]);
    let first = member(&broker, "shared", &[]);
    let second = member(&broker, "shared", &[]);
    settle(&[&first, &second], &[2, 2]);
    let owned = assigned(&first);
    broker.kill();
    broker.launch();
    let third = member(&broker, "shared", &[("group.instance.id", "third")]);
    settle(&[&first, &second, &third], &[1, 1, 2]);
    assert!(assigned(&first).is_subset(&owned), "it keeps some of what it had");
}

#[test]
fn a_static_member_of_the_consumer_protocol_comes_back_to_what_it_had() {
    let broker = quick_broker();
    create_topic(&broker, "shared", 4, &[]);
    let first = member(&broker, "shared", &[("group.instance.id", "one")]);
    let second = member(&broker, "shared", &[("group.instance.id", "two")]);
    settle(&[&first, &second], &[2, 2]);
    let owned = (assigned(&first), assigned(&second));
    drop(first);
    let again = member(&broker, "shared", &[("group.instance.id", "one")]);
    settle(&[&again, &second], &[2, 2]);
    assert_eq!((assigned(&again), assigned(&second)), owned);
}

#[test]
fn a_pattern_is_matched_by_the_broker() {
    let broker = quick_broker();
    create_topic(&broker, "shared-by-pattern", 2, &[]);
    create_topic(&broker, "not-shared", 2, &[]);
    let first = member(&broker, "^shared.*", &[]);
    settle(&[&first], &[2]);
}

#[test]
fn a_group_changes_its_protocol_while_members_live() {
    let broker = quick_broker();
    create_topic(&broker, "shared", 4, &[]);
    let classic = [
        ("group.protocol", "classic"),
        // A cooperative member cannot change over again right after it has come back; nor can it
        // with Kafka.
        ("partition.assignment.strategy", "range"),
        ("heartbeat.interval.ms", "200"),
    ];
    let old = member(&broker, "shared", &classic);
    settle(&[&old], &[4]);
    let new = member(&broker, "shared", &[]);
    settle(&[&old, &new], &[2, 2]);
    drop(new);
    settle(&[&old], &[4]);
    let new = member(&broker, "shared", &[]);
    settle(&[&old, &new], &[2, 2]);
    drop(old);
    settle(&[&new], &[4]);
}
