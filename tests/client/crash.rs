//! Kills the broker under load, again and again. No acknowledged record may be lost, no record of
//! an idempotent producer may be duplicated, and records must keep their order.

use super::{PATIENCE, config, create_topic, read};
use crate::support::Broker;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::Offset;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PARTITIONS: usize = 2;
const PRODUCERS: usize = 4;

type Sender = ThreadedProducer<Acknowledged>;

/// The acknowledged records, as value and offset, and the errors of the others.
type Answers = (Vec<(String, i64)>, Vec<KafkaError>);

#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<Answers>>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let mut seen = self.0.lock().unwrap();
        match result {
            Ok(message) => {
                let value = String::from_utf8_lossy(message.payload().unwrap()).into_owned();
                seen.0.push((value, message.offset()));
            }
            Err((error, _)) => seen.1.push(error.clone()),
        }
    }
}

fn is_idempotent(producer: usize) -> bool {
    producer.is_multiple_of(2)
}

fn producer(broker: &Broker, index: usize, seen: &Acknowledged) -> Sender {
    let settings = [
        ("acks", "all"),
        ("enable.idempotence", if is_idempotent(index) { "true" } else { "false" }),
        // A retry must not overtake another request; idempotent producers ensure this themselves.
        ("max.in.flight", if is_idempotent(index) { "5" } else { "1" }),
        ("retries", "1000000"),
        ("message.timeout.ms", "60000"),
        ("retry.backoff.ms", "20"),
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "50"),
        ("linger.ms", "2"),
    ];
    config(broker, &settings).create_with_context(seen.clone()).unwrap()
}

/// Sends numbers in order until told to stop. Returns how many.
fn produce(producer: &Sender, index: usize, stop: &AtomicBool) -> usize {
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let value = format!("{index}-{sent}");
        let record = BaseRecord::<(), str>::to("crash").partition((index / 2) as i32);
        producer.send(record.payload(&value)).map_err(|(error, _)| error).unwrap();
        sent += 1;
        std::thread::sleep(Duration::from_micros(300));
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    sent
}

/// The numbers of a producer that a partition contains, with their offsets, in log order.
fn numbers(values: &[(String, i64)], producer: usize) -> Vec<(usize, i64)> {
    let prefix = format!("{producer}-");
    let number = |(value, offset): &(String, i64)| {
        Some((value.strip_prefix(&prefix)?.parse().unwrap(), *offset))
    };
    values.iter().filter_map(number).collect()
}

fn check(values: &[(String, i64)], producer: usize, sent: usize, seen: &Acknowledged) {
    let (acknowledged, refused) = &*seen.0.lock().unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    let held = numbers(values, producer);
    let offsets: HashSet<(usize, i64)> = held.iter().copied().collect();
    let lost: Vec<_> =
        numbers(acknowledged, producer).into_iter().filter(|a| !offsets.contains(a)).collect();
    assert!(lost.is_empty(), "producer {producer}: acknowledged, but not there: {lost:?}");
    assert_eq!(acknowledged.len(), sent, "producer {producer}");
    let mut next = 0;
    for (number, offset) in held {
        assert!(number <= next, "producer {producer}: {number} at {offset} overtakes {next}");
        let is_repeated = number < next;
        assert!(!(is_repeated && is_idempotent(producer)), "{number} comes twice, at {offset}");
        next = next.max(number + 1);
    }
    assert_eq!(next, sent, "producer {producer}");
}

fn crash(cycles: usize) {
    let mut broker = Broker::start();
    create_topic(&broker, "crash", PARTITIONS as i32, &[("segment.bytes", "1048576")]);
    let stop = AtomicBool::new(false);
    let seen: Vec<Acknowledged> = (0..PRODUCERS).map(|_| Acknowledged::default()).collect();
    let producers: Vec<Sender> = (0..PRODUCERS).map(|n| producer(&broker, n, &seen[n])).collect();
    let sent: Vec<usize> = std::thread::scope(|scope| {
        let stop = &stop;
        let threads: Vec<_> = producers
            .iter()
            .enumerate()
            .map(|(index, producer)| scope.spawn(move || produce(producer, index, stop)))
            .collect();
        for cycle in 0..cycles as u64 {
            std::thread::sleep(Duration::from_millis(100 + cycle * 379 % 700));
            broker.kill();
            broker.launch();
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    println!("{cycles} crashes, {} records", sent.iter().sum::<usize>());
    for partition in 0..PARTITIONS {
        let consumer: BaseConsumer = config(&broker, &[]).create().unwrap();
        let end = consumer.fetch_watermarks("crash", partition as i32, PATIENCE).unwrap().1;
        let records = read(&broker, "crash", partition as i32, Offset::Beginning, end as usize);
        let values: Vec<(String, i64)> = records
            .into_iter()
            .map(|seen| (String::from_utf8(seen.value.unwrap()).unwrap(), seen.offset))
            .collect();
        for index in [2 * partition, 2 * partition + 1] {
            check(&values, index, sent[index], &seen[index]);
        }
    }
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    crash(10);
}

#[test]
#[ignore = "four minutes: cargo test --test klamm -- --ignored kill_9"]
fn kill_9_loses_nothing_acknowledged_in_200_cycles() {
    crash(200);
}
