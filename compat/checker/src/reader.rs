//! librdkafka's consumer with read_committed, its partitions assigned by hand.

use crate::history::{Record, Step};
use crate::workload::{Run, partition_of, place};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Errors of the connection are no news here.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, _: KafkaError, _: &str) {}
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ConsumerContext for Quiet {}

pub struct Reader<'a> {
    run: &'a Run,
    consumer: BaseConsumer<Quiet>,
    /// Next offsets.
    positions: BTreeMap<i32, i64>,
    is_at_end: bool,
}

impl<'a> Reader<'a> {
    /// Reads these partitions from these offsets on.
    pub fn new(run: &'a Run, positions: impl Iterator<Item = (i32, i64)>) -> Reader<'a> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", &run.bootstrap)
            .set("group.id", "checker-readers")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // A position that the broker does not know would go unseen otherwise: the reader then
            // starts over, which is an anomaly.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.error.backoff.ms", "20")
            .set("socket.timeout.ms", "3000")
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "200")
            .create_with_context(Quiet)
            .expect("a valid configuration");
        let reader = Reader { run, consumer, positions: positions.collect(), is_at_end: false };
        reader.assign();
        reader
    }

    fn assign(&self) {
        let mut list = TopicPartitionList::new();
        for (partition, position) in &self.positions {
            let (topic, index) = place(*partition);
            list.add_partition_offset(topic, index, Offset::Offset(*position))
                .expect("an offset that exists");
        }
        self.consumer.assign(&list).expect("partitions that exist");
    }

    /// Starts again this many offsets earlier.
    pub fn go_back(&mut self, offsets: i64) {
        for position in self.positions.values_mut() {
            *position = (*position - offsets).max(0);
        }
        self.assign();
    }

    /// Whether the last poll has found the end of what is committed.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// One step of at most so many records and so much time.
    pub fn poll(&mut self, most: usize, time: Duration, steps: &mut Vec<Step>) {
        let end = Instant::now() + time;
        self.is_at_end = false;
        let mut records = Vec::new();
        while records.len() < most && Instant::now() < end {
            let message = match self.consumer.poll(Duration::from_millis(10)) {
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.is_at_end = true;
                    break;
                }
                _ => continue,
            };
            let payload = message.payload().and_then(|payload| std::str::from_utf8(payload).ok());
            let value = payload.and_then(|text| text.parse().ok()).unwrap_or(0);
            let partition = partition_of(message.topic(), message.partition());
            let offset = message.offset();
            self.positions.insert(partition, offset + 1);
            records.push(Record { partition, offset, value });
        }
        if !records.is_empty() {
            steps.push(Step::Poll { at: self.run.now(), records });
        }
    }
}
