//! Transactions with librdkafka, which adds partitions to them itself (transaction version 1).

use super::{PATIENCE, config, create_topic};
use crate::support::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

fn producer(broker: &Broker, id: &str) -> BaseProducer {
    let producer: BaseProducer = config(broker, &[("transactional.id", id)]).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer, value: &str) {
    let record = BaseRecord::<(), str>::to("t").partition(0).payload(value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// What a read_committed consumer reads up to the end of the log.
fn committed(broker: &Broker) -> Vec<String> {
    let settings =
        [("group.id", "reader"), ("enable.auto.commit", "false"), ("enable.partition.eof", "true")];
    let consumer: BaseConsumer = config(broker, &settings).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let end = Instant::now() + PATIENCE;
    let mut values = Vec::new();
    loop {
        assert!(Instant::now() < end, "no end after {values:?}");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return values,
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn await_committed(broker: &Broker, expected: &[&str]) {
    let end = Instant::now() + PATIENCE;
    while committed(broker) != expected {
        assert!(Instant::now() < end, "{:?}", committed(broker));
    }
}

#[test]
fn commits_show_and_aborts_do_not_also_after_a_crash() {
    let mut broker = Broker::start();
    create_topic(&broker, "t", 1, &[]);
    let first = producer(&broker, "x");
    for (value, commits) in [("a", true), ("b", false), ("c", true)] {
        first.begin_transaction().unwrap();
        send(&first, value);
        first.flush(PATIENCE).unwrap();
        match commits {
            true => first.commit_transaction(PATIENCE).unwrap(),
            false => first.abort_transaction(PATIENCE).unwrap(),
        }
    }
    await_committed(&broker, &["a", "c"]);
    // This transaction is open when the broker dies. The next producer of the id aborts it.
    first.begin_transaction().unwrap();
    send(&first, "d");
    first.flush(PATIENCE).unwrap();
    broker.kill();
    broker.launch();
    assert_eq!(committed(&broker), ["a", "c"]);
    let second = producer(&broker, "x");
    second.begin_transaction().unwrap();
    send(&second, "e");
    second.flush(PATIENCE).unwrap();
    second.commit_transaction(PATIENCE).unwrap();
    assert!(first.commit_transaction(PATIENCE).is_err(), "fenced");
    await_committed(&broker, &["a", "c", "e"]);
}

#[test]
fn offsets_are_committed_with_the_transaction() {
    let broker = Broker::start();
    create_topic(&broker, "t", 1, &[]);
    let consumer: BaseConsumer = config(&broker, &[("group.id", "g")]).create().unwrap();
    let group: ConsumerGroupMetadata = consumer.group_metadata().unwrap();
    let producer = producer(&broker, "x");
    let mut asked = TopicPartitionList::new();
    asked.add_partition("t", 0);
    for (offset, commits, expected) in [(5, true, 5), (6, false, 5), (7, true, 7)] {
        producer.begin_transaction().unwrap();
        send(&producer, "value");
        producer.flush(PATIENCE).unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
        producer.send_offsets_to_transaction(&offsets, &group, PATIENCE).unwrap();
        match commits {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => producer.abort_transaction(PATIENCE).unwrap(),
        }
        let found = consumer.committed_offsets(asked.clone(), PATIENCE).unwrap();
        assert_eq!(found.elements()[0].offset(), Offset::Offset(expected));
    }
}
