//! librdkafka against the real binary.

mod admin;
mod compact;
mod consume;
mod consumer_groups;
mod crash;
mod full;
mod groups;
mod produce;
mod restart;
mod stream;
mod transactions;

use crate::support::Broker;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A record, in the form in which tests compare it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

pub fn seen(message: &BorrowedMessage<'_>) -> Seen {
    Seen {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
    }
}

pub fn config(broker: &Broker, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap());
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

/// The result of each record that was sent: its partition and offset, or the error.
type Delivered = Arc<Mutex<Vec<Result<(i32, i64), KafkaError>>>>;

#[derive(Clone, Default)]
pub struct Deliveries(Delivered);

impl rdkafka::ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let result = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().unwrap().push(result);
    }
}

/// Sends values in order to one partition. Returns the partition and offset of each.
pub fn send(
    broker: &Broker,
    settings: &[(&str, &str)],
    topic: &str,
    partition: i32,
    values: &[String],
) -> Vec<Result<(i32, i64), KafkaError>> {
    let deliveries = Deliveries::default();
    // Only one thread polls, as delivery reports could overtake each other otherwise.
    let producer: BaseProducer<Deliveries> =
        config(broker, settings).create_with_context(deliveries.clone()).unwrap();
    for value in values {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    std::mem::take(&mut *deliveries.0.lock().unwrap())
}

pub fn values(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("value-{n:06}")).collect()
}

pub fn admin(broker: &Broker) -> AdminClient<DefaultClientContext> {
    config(broker, &[]).create().unwrap()
}

pub fn create_topic(broker: &Broker, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let made = block_on(admin(broker).create_topics([&topic], &AdminOptions::new())).unwrap();
    assert_eq!(made, [Ok(name.to_owned())]);
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Reads `count` records of a partition from `from` on, without a group.
pub fn read(broker: &Broker, topic: &str, partition: i32, from: Offset, count: usize) -> Vec<Seen> {
    let consumer: BaseConsumer =
        config(broker, &[("group.id", "unused"), ("enable.auto.commit", "false")])
            .create()
            .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, from).unwrap();
    consumer.assign(&assignment).unwrap();
    poll(&consumer, count)
}

/// Polls until `count` records have come; panics if they do not come in time.
pub fn poll(consumer: &BaseConsumer, count: usize) -> Vec<Seen> {
    let end = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while records.len() < count {
        assert!(Instant::now() < end, "{} of {count} records came", records.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(seen(&message.unwrap()));
        }
    }
    records
}

/// The records of partition 0 that consumers must read.
pub fn expected(values: &[String], first: i64) -> Vec<Seen> {
    let record = |(at, value): (usize, &String)| Seen {
        partition: 0,
        offset: first + at as i64,
        key: None,
        value: Some(value.clone().into_bytes()),
    };
    values.iter().enumerate().map(record).collect()
}
