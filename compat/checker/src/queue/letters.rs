//! Reads the dead letters.

use crate::client::GaveUp;
use crate::history::Record;
use crate::queue::history::NO_VALUE;
use crate::workload::{Run, partition_of};
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// All dead letters, as the records that they are of.
pub fn read(run: &Run, topic: &str, partitions: i32) -> Result<Vec<Record>, GaveUp> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap)
        .set("group.id", "checker-letters")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a valid configuration");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("partitions that exist");
    let (mut letters, mut ends) = (Vec::new(), 0);
    while ends < partitions {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => letters.push(origin(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            _ if Instant::now() > run.give_up => return Err(GaveUp),
            _ => {}
        }
    }
    Ok(letters)
}

/// The record that became this dead letter.
fn origin(letter: &BorrowedMessage<'_>) -> Record {
    let header = |name: &str| {
        let headers = letter.headers()?;
        let found = headers.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    let number = |name: &str| header(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
    let topic = header("__dlq.errors.topic").unwrap_or_default();
    let value = letter.payload().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    Record {
        partition: partition_of(&topic, number("__dlq.errors.partition") as i32),
        offset: number("__dlq.errors.offset"),
        value: value.unwrap_or(NO_VALUE),
    }
}
