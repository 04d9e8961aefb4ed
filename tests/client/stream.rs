//! A gigabyte through librdkafka, complete and in order: `compat/run librdkafka`, or `cargo test
//! --test klamm -- --ignored stream`.

use super::{PATIENCE, config, create_topic};
use crate::support::Broker;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 4;
const RECORD: usize = 1024;
const RECORDS: u64 = 1 << 20;

/// Record `n`: its number, then bytes that are derived from it.
fn payload(n: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(n);
    let mut payload = n.to_be_bytes().to_vec();
    payload.extend((8..RECORD).map(|_| random.u8(..)));
    payload
}

#[test]
#[ignore = "a gigabyte: run by compat/librdkafka"]
fn a_gigabyte_stream_arrives_whole_and_in_order() {
    let broker = Broker::start();
    create_topic(&broker, "stream", PARTITIONS, &[]);
    let consumer: BaseConsumer =
        config(&broker, &[("group.id", "unused"), ("check.crcs", "true")]).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset("stream", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| produce(&broker));
        consume(&consumer);
    });
}

/// Sends all records; record `n` goes to partition `n % PARTITIONS`.
fn produce(broker: &Broker) {
    let settings = [("enable.idempotence", "true"), ("linger.ms", "5")];
    let producer: BaseProducer = config(broker, &settings).create().unwrap();
    for n in 0..RECORDS {
        let payload = payload(n);
        let mut record = BaseRecord::<(), [u8]>::to("stream")
            .partition((n % PARTITIONS as u64) as i32)
            .payload(&payload);
        while let Err((error, again)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full);
            producer.poll(Duration::from_millis(10));
            record = again;
        }
    }
    producer.flush(PATIENCE).unwrap();
}

fn consume(consumer: &BaseConsumer) {
    let mut next = vec![0u64; PARTITIONS as usize];
    let mut last_progress = Instant::now();
    while next.iter().sum::<u64>() < RECORDS {
        assert!(last_progress.elapsed() < PATIENCE, "nothing comes any more: {next:?}");
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let expected = &mut next[message.partition() as usize];
        assert_eq!(message.offset() as u64, *expected);
        let n = *expected * PARTITIONS as u64 + message.partition() as u64;
        assert!(message.payload() == Some(&payload(n)), "record {n} is not what was sent");
        *expected += 1;
        last_progress = Instant::now();
    }
}
