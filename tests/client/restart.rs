//! Acknowledged records survive a stop, clean or not.

use super::{PATIENCE, Seen, config, create_topic, expected, poll, read, send, values};
use crate::support::Broker;
use klamm::metadata::record::MetadataRecord;
use klamm::record::Batch;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

fn check_restarts(stop: fn(&mut Broker)) {
    let mut broker = Broker::start();
    create_topic(&broker, "kept", 1, &[("segment.bytes", "1048576")]);
    let mut written = Vec::new();
    for round in 0..3 {
        let more: Vec<String> =
            values(20_000).iter().map(|value| format!("{round}-{value}")).collect();
        let delivered = send(&broker, &[("enable.idempotence", "true")], "kept", 0, &more);
        assert!(delivered.iter().all(Result::is_ok));
        written.extend(more);
        stop(&mut broker);
        broker.launch();
        let count = written.len();
        let came = read(&broker, "kept", 0, Offset::Beginning, count);
        assert!(came == expected(&written, 0), "round {round}: not what was acknowledged");
        let consumer: BaseConsumer = config(&broker, &[]).create().unwrap();
        let watermarks = consumer.fetch_watermarks("kept", 0, Duration::from_secs(10)).unwrap();
        assert_eq!(watermarks, (0, count as i64));
    }
}

#[test]
fn acknowledged_records_survive_a_clean_stop() {
    check_restarts(Broker::stop);
}

#[test]
fn acknowledged_records_survive_kill_9() {
    check_restarts(Broker::kill);
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused() {
    let broker = Broker::start();
    let data = format!("log.dirs={}", broker.data_dir().display());
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(["--override", &data, "--override", "listeners=PLAINTEXT://127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr) + String::from_utf8_lossy(&second.stdout);
    assert!(said.contains(".lock"), "{said}");
}

#[test]
fn a_clean_stop_fences_the_broker_so_that_the_next_one_need_not_wait() {
    let mut broker = Broker::start();
    create_topic(&broker, "led", 1, &[]);
    broker.stop();
    let log = broker.data_dir().join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = bytes::Bytes::from(std::fs::read(log).unwrap());
    let mut fenced = Vec::new();
    while !bytes.is_empty() {
        let batch = Batch::split_from(&mut bytes).unwrap();
        for record in batch.records(1000).unwrap().into_iter().filter(|_| !batch.is_control()) {
            let record = MetadataRecord::decode(record.value.unwrap()).unwrap();
            if let MetadataRecord::BrokerRegistrationChange(change) = record {
                fenced.push((change.fenced, change.in_controlled_shutdown));
            }
        }
    }
    assert_eq!(fenced, [(-1, 0), (0, 1), (1, 0)], "unfenced, about to go, gone");
}

/// There are many more logs than descriptors, so files are closed and opened again as they are
/// used.
#[test]
fn more_logs_than_descriptors_are_served() {
    const PARTITIONS: i32 = 300;
    let mut broker = Broker::start_limited(128);
    create_topic(&broker, "many", PARTITIONS, &[]);
    for round in 0..2 {
        let producer: BaseProducer = config(&broker, &[]).create().unwrap();
        for partition in 0..PARTITIONS {
            let value = format!("{round} to {partition}");
            let record = BaseRecord::<(), str>::to("many").partition(partition).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let open = std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).unwrap().count();
        assert!(open <= 128, "{open} descriptors");
        if round == 0 {
            broker.kill();
            broker.launch();
        }
    }
    let consumer: BaseConsumer =
        config(&broker, &[("group.id", "unused"), ("enable.auto.commit", "false")])
            .create()
            .unwrap();
    // A response that is being sent holds its files open.
    let mut came = Vec::new();
    for first in (0..PARTITIONS).step_by(30) {
        let mut assignment = TopicPartitionList::new();
        for partition in first..first + 30 {
            assignment.add_partition_offset("many", partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        came.extend(poll(&consumer, 60));
    }
    came.sort();
    let expected = (0..PARTITIONS).flat_map(|partition| {
        (0..2).map(move |round| Seen {
            partition,
            offset: round,
            key: None,
            value: Some(format!("{round} to {partition}").into_bytes()),
        })
    });
    assert!(came == expected.collect::<Vec<_>>());
}

#[test]
fn state_that_nobody_serves_is_told_of_at_start() {
    let mut broker = Broker::start();
    create_topic(&broker, "__remote_log_metadata", 1, &[]);
    broker.stop();
    broker.launch();
    let log = broker.log();
    assert!(log.contains("__remote_log_metadata is here, with 1 partitions"), "{log}");
    // Closed logs take no partition offline while the controller still applies changes.
    assert!(!log.contains("goes offline"), "{log}");
}
