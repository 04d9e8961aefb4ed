//! Topics, configs and groups with librdkafka's admin client.

use super::{admin, block_on, config, create_topic, read, send, values};
use crate::support::Broker;
use rdkafka::admin::{
    AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(10);

fn partitions(broker: &Broker, topic: &str) -> usize {
    let consumer: BaseConsumer = config(broker, &[]).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), SECONDS).unwrap();
    metadata.topics()[0].partitions().len()
}

#[test]
fn topics_are_made_grown_and_deleted() {
    let broker = Broker::start_with(&[("auto.create.topics.enable", "false")]);
    create_topic(&broker, "made", 3, &[]);
    assert_eq!(partitions(&broker, "made"), 3);
    let options = AdminOptions::new();
    let again = NewTopic::new("made", 1, TopicReplication::Fixed(1));
    let code =
        |result: Result<String, (String, RDKafkaErrorCode)>| result.map_err(|(_, code)| code);
    let made = block_on(admin(&broker).create_topics([&again], &options)).unwrap();
    assert_eq!(
        made.into_iter().map(code).collect::<Vec<_>>(),
        [Err(RDKafkaErrorCode::TopicAlreadyExists)]
    );
    let bad = NewTopic::new("bad name", 1, TopicReplication::Fixed(1));
    let made = block_on(admin(&broker).create_topics([&bad], &options)).unwrap();
    assert_eq!(
        made.into_iter().map(code).collect::<Vec<_>>(),
        [Err(RDKafkaErrorCode::InvalidTopic)]
    );
    let replicated = NewTopic::new("replicated", 1, TopicReplication::Fixed(3));
    let made = block_on(admin(&broker).create_topics([&replicated], &options)).unwrap();
    let refused = [Err(RDKafkaErrorCode::InvalidReplicationFactor)];
    assert_eq!(made.into_iter().map(code).collect::<Vec<_>>(), refused);

    let more = NewPartitions::new("made", 5);
    block_on(admin(&broker).create_partitions([&more], &options)).unwrap()[0].clone().unwrap();
    assert_eq!(partitions(&broker, "made"), 5);
    block_on(admin(&broker).delete_topics(&["made"], &options)).unwrap()[0].clone().unwrap();
    assert_eq!(partitions(&broker, "made"), 0);
    let missing = block_on(admin(&broker).delete_topics(&["made"], &options)).unwrap();
    let code = missing[0].clone().map_err(|(_, code)| code);
    assert_eq!(code, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
}

#[test]
fn topic_configs_are_shown_with_their_source_and_take_effect() {
    let broker = Broker::start();
    create_topic(&broker, "tuned", 1, &[("retention.ms", "3600000")]);
    let options = AdminOptions::new();
    let describe = || {
        let asked = [ResourceSpecifier::Topic("tuned")];
        let described = block_on(admin(&broker).describe_configs(&asked, &options)).unwrap();
        described.into_iter().next().unwrap().unwrap()
    };
    let described = describe();
    let entry = described.get("retention.ms").unwrap();
    assert_eq!(entry.value.as_deref(), Some("3600000"));
    assert_eq!(entry.source, ConfigSource::DynamicTopic);
    let entry = described.get("segment.bytes").unwrap();
    assert_eq!(entry.value.as_deref(), Some("1073741824"));
    assert!(entry.is_default);

    let change =
        AlterConfig::new(ResourceSpecifier::Topic("tuned")).set("max.message.bytes", "1000");
    let changed = block_on(admin(&broker).alter_configs([&change], &options)).unwrap();
    assert!(changed[0].is_ok());
    assert!(send(&broker, &[], "tuned", 0, &["x".repeat(2000)])[0].is_err());
    assert!(send(&broker, &[], "tuned", 0, &values(1))[0].is_ok());
}

#[test]
fn deleted_records_are_gone_and_the_log_starts_later() {
    let broker = Broker::start();
    send(&broker, &[], "cut", 0, &values(10));
    let mut until = TopicPartitionList::new();
    until.add_partition_offset("cut", 0, Offset::Offset(6)).unwrap();
    block_on(admin(&broker).delete_records(&until, &AdminOptions::new())).unwrap();
    let consumer: BaseConsumer = config(&broker, &[]).create().unwrap();
    assert_eq!(consumer.fetch_watermarks("cut", 0, SECONDS).unwrap(), (6, 10));
    assert_eq!(read(&broker, "cut", 0, Offset::Beginning, 4)[0].offset, 6);
}

#[test]
fn groups_are_listed_and_deleted() {
    let broker = Broker::start();
    send(&broker, &[], "shared", 0, &values(3));
    let settings = [("group.id", "listed"), ("auto.offset.reset", "earliest")];
    let consumer: BaseConsumer = config(&broker, &settings).create().unwrap();
    consumer.subscribe(&["shared"]).unwrap();
    super::poll(&consumer, 3);
    let groups = consumer.fetch_group_list(Some("listed"), SECONDS).unwrap();
    let group = &groups.groups()[0];
    assert_eq!(
        (group.name(), group.state(), group.protocol_type()),
        ("listed", "Stable", "consumer")
    );
    assert_eq!(group.members().len(), 1);
    drop(consumer);
    let options = AdminOptions::new();
    block_on(admin(&broker).delete_groups(&["listed"], &options)).unwrap()[0].clone().unwrap();
    let consumer: BaseConsumer = config(&broker, &[]).create().unwrap();
    assert!(consumer.fetch_group_list(None, SECONDS).unwrap().groups().is_empty());
}
