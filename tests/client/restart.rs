//! What was acknowledged is there after a stop, clean or not.

use super::{config, create_topic, expected, read, send, values};
use crate::support::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;
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
