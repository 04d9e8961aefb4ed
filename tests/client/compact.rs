//! Compaction in a running broker: a change of its settings, and a stop in the middle of a pass.

use super::{admin, block_on, config, create_topic};
use crate::support::Broker;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Creates a compacted topic with 3 MB of few keys, of which 2 MB are in closed segments.
fn fill(broker: &Broker) {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    create_topic(broker, "t", 1, &settings);
    let producer: ThreadedProducer<_> = config(broker, &[]).create().unwrap();
    let value = "x".repeat(10_000);
    for n in 0..300 {
        let key = format!("{}", n % 7);
        let record = BaseRecord::to("t").partition(0).key(&key).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Waits until a file in the topic's directory has a `wanted` name.
fn wait_for(broker: &Broker, wanted: impl Fn(&str) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let entries = std::fs::read_dir(broker.data_dir().join("t-0")).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        if names.any(|name| wanted(&name)) {
            return;
        }
        assert!(Instant::now() < end, "nothing is cleaned\n{}", broker.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sets a dynamic setting of the broker.
fn set(broker: &Broker, name: &str, value: &str) {
    let config = AlterConfig::new(ResourceSpecifier::Broker(1)).set(name, value);
    let altered = block_on(admin(broker).alter_configs([&config], &AdminOptions::new())).unwrap();
    assert!(altered[0].is_ok(), "{altered:?}");
}

#[test]
fn a_slow_pass_ends_with_the_broker_and_a_new_rate_counts_at_once() {
    let slow = [
        ("log.cleaner.backoff.ms", "50"),
        // At this rate a pass over 3 MB takes minutes.
        ("log.cleaner.io.max.bytes.per.second", "10000"),
    ];
    let mut broker = Broker::start_with(&slow);
    fill(&broker);
    std::thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    broker.stop();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    broker.launch();
    std::thread::sleep(Duration::from_millis(300));
    set(&broker, "log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308");
    wait_for(&broker, |name| name.ends_with(".log.deleted"));
}
