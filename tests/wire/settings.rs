//! Dynamic settings: what one is set to holds for whoever reads it, without a restart.

use super::{Peer, call, set, text, wait_for};
use crate::support::Broker;
use bytes::Bytes;
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::{
    ConsumerGroupHeartbeatRequest, CreateTopicsRequest, FindCoordinatorRequest, ProduceRequest,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::time::Duration;

const MESSAGE_TOO_LARGE: i16 = 10;

fn create(peer: &Peer, topic: &str, settings: &[(&str, &str)]) {
    let configs = settings.iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(text(topic).into())
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(peer, 7, &request).topics[0].error_code, 0);
}

/// Produces one record of that size, always under the same key; answers the error code.
fn produce(peer: &Peer, topic: &str, size: usize) -> i16 {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(1_700_000_000_000, Some(b"key"), Some(&vec![b'x'; size]), &[]);
    let records: Bytes = builder.build().to_bytes();
    let data = PartitionProduceData::default().with_records(Some(records));
    let topic =
        TopicProduceData::default().with_name(text(topic).into()).with_partition_data(vec![data]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(9000).with_topic_data(vec![topic]);
    call(peer, 8, &request).responses[0].partition_responses[0].error_code
}

#[test]
fn a_log_takes_what_the_setting_allows_at_the_time() {
    let broker = Broker::start();
    let peer = &Peer::connect(broker.port);
    create(peer, "t", &[]);
    assert_eq!(produce(peer, "t", 2000), 0);
    set(peer, "message.max.bytes", "1000");
    assert_eq!(produce(peer, "t", 2000), MESSAGE_TOO_LARGE);
    set(peer, "message.max.bytes", "3000");
    assert_eq!(produce(peer, "t", 2000), 0);
}

#[test]
fn a_group_assigns_as_soon_as_the_setting_lets_it() {
    let broker = Broker::start_with(&[("group.consumer.assignment.interval.ms", "15000")]);
    let peer = &Peer::connect(broker.port);
    create(peer, "t", &[]);
    let keys = vec![text("g")];
    call(peer, 6, &FindCoordinatorRequest::default().with_coordinator_keys(keys));
    let joins = |member: &str| {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(text("g").into())
            .with_member_id(text(member))
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![text("t").into()]))
            .with_topic_partitions(Some(Vec::new()))
    };
    let epoch = |member: &str| {
        let answer = call(peer, 1, &joins(member));
        (answer.error_code == 0).then_some(answer.member_epoch)
    };
    wait_for("the coordinator", || epoch("one").is_some());
    let first = epoch("one").unwrap();
    assert_eq!(epoch("two"), Some(first), "its assignment has to wait");
    set(peer, "group.consumer.assignment.interval.ms", "0");
    assert!(epoch("two").unwrap() > first);
}

/// The next pass was to begin in an hour.
#[test]
fn the_cleaner_begins_when_the_new_setting_says() {
    let broker = Broker::start_with(&[("log.cleaner.backoff.ms", "3600000")]);
    let peer = &Peer::connect(broker.port);
    let compacted = [("cleanup.policy", "compact"), ("segment.bytes", "1048576")];
    create(peer, "t", &compacted);
    (0..5).for_each(|_| assert_eq!(produce(peer, "t", 600_000), 0));
    let is_cleaned = || {
        let mut names = std::fs::read_dir(broker.data_dir().join("t-0")).unwrap();
        names.any(|name| name.unwrap().file_name().to_str().unwrap().ends_with(".log.deleted"))
    };
    std::thread::sleep(Duration::from_millis(300));
    assert!(!is_cleaned());
    set(peer, "log.cleaner.backoff.ms", "10");
    wait_for("a log that was cleaned", is_cleaned);
}
