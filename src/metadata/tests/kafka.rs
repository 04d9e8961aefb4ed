//! Logs and snapshots written by Apache Kafka 4.3.1 are read, and written back identically.

use crate::disk::Disk;
use crate::metadata::control::ControlRecord;
use crate::metadata::loader::Loader;
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::metadata::{
    BROKER_CONFIG, Broker, CLIENT_METRICS_CONFIG, GROUP_CONFIG, TOPIC_CONFIG, features,
};
use crate::record::Batch;
use bytes::Bytes;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kafka-4.3.1/metadata").join(name)
}

fn batches(path: &Path) -> Vec<Batch> {
    let mut bytes = Bytes::from(std::fs::read(path).unwrap());
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        batches.push(Batch::split_from(&mut bytes).unwrap());
    }
    batches
}

const RICH_SNAPSHOT: &str = "rich/__cluster_metadata-0/00000000000000000037-0000000001.checkpoint";
const LOGS: [&str; 2] = [
    "static/__cluster_metadata-0/00000000000000000000.log",
    "rich/__cluster_metadata-0/00000000000000000000.log",
];
/// Logs written at older levels of `metadata.version`.
const OLD_LOGS: [(&str, i16); 3] =
    [("versions/3.3-IV3.log", 7), ("versions/3.6-IV0.log", 12), ("versions/3.9-IV0.log", 21)];

#[test]
fn every_record_is_written_back_byte_for_byte() {
    let files = LOGS.iter().chain(&["static/bootstrap.checkpoint", RICH_SNAPSHOT]);
    let files = files.map(|&file| (file, 30));
    for (file, level) in files.chain(OLD_LOGS) {
        for batch in batches(&fixture(file)).iter().filter(|batch| !batch.is_control()) {
            for record in batch.records(1 << 20).unwrap() {
                let value = record.value.unwrap();
                let decoded = MetadataRecord::decode(value.clone()).unwrap();
                assert_eq!(decoded.encode(level), value, "{file} {decoded:?}");
                // The level can express all of it.
                assert_eq!(decoded.clone().at(level), Some(decoded), "{file}");
            }
        }
    }
}

#[test]
fn control_records_and_the_formatted_snapshot_are_kafkas() {
    let formatted = "rich/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let mut seen = 0;
    for file in LOGS.iter().chain(&[RICH_SNAPSHOT, formatted]) {
        for batch in batches(&fixture(file)).iter().filter(|batch| batch.is_control()) {
            for record in batch.records(1 << 20).unwrap() {
                let decoded = ControlRecord::decode(&record).unwrap();
                assert_eq!(record.key.unwrap(), decoded.key()[..]);
                assert_eq!(record.value.unwrap(), decoded.value(), "{decoded:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6 + 4 + 4, "leader changes, voters, heads and feet");

    // Formatting writes the same bytes, given the same time and directory id.
    let kafka = batches(&fixture(formatted));
    let mut loader = Loader::new("c");
    loader.load_control_batch(&kafka[0]).unwrap();
    let head = Head {
        last_contained_timestamp: loader.timestamp,
        kraft_version: 1,
        voters: loader.voters.map(ControlRecord::Voters),
        metadata_version: 30,
    };
    let dir = tempfile::tempdir().unwrap();
    let now = kafka[0].base_timestamp();
    let none = std::iter::empty();
    snapshot::write(&Disk::Os, dir.path(), SnapshotId::BOOTSTRAP, &head, none, now).unwrap();
    let ours = batches(&dir.path().join(SnapshotId::BOOTSTRAP.file_name()));
    assert_eq!(ours[0].to_bytes(), kafka[0].to_bytes());
    assert_eq!(ours[1].size(), kafka[1].size());
}

#[test]
fn a_snapshot_of_kafka_is_what_its_log_says() {
    let mut from_log = Loader::new("c");
    for batch in batches(&fixture(LOGS[1])).iter().filter(|batch| batch.base_offset() < 37) {
        from_log.load_batch(batch).unwrap();
    }
    let id = SnapshotId { offset: 37, epoch: 1 };
    let contents = snapshot::read(&Disk::Os, &fixture(RICH_SNAPSHOT)).unwrap().unwrap();
    let mut from_snapshot = Loader::new("c");
    snapshot::load(&mut from_snapshot, id, &contents).unwrap();
    assert_eq!(from_snapshot.image, from_log.image);
    assert_eq!(from_snapshot.voters, from_log.voters);
    assert_eq!((from_snapshot.image.kraft_version, from_log.image.kraft_version), (1, 1));

    let normal = |record: &MetadataRecord| match record {
        // Kafka orders the features at random and writes "no cordoned directories" as null or as
        // [].
        MetadataRecord::RegisterBroker(broker) => {
            MetadataRecord::RegisterBroker(Broker::from_record(broker).to_record())
        }
        other => other.clone(),
    };
    let mut kafka: Vec<String> =
        contents.records.iter().map(|record| format!("{:?}", normal(record))).collect();
    let mut ours: Vec<String> =
        from_log.image.to_records().map(|record| format!("{record:?}")).collect();
    kafka.sort();
    ours.sort();
    assert_eq!(ours, kafka);
}

#[test]
fn a_log_of_kafka_says_what_was_done() {
    let mut loader = Loader::new("c");
    for batch in batches(&fixture(LOGS[1])) {
        loader.load_batch(&batch).unwrap();
    }
    let image = &loader.image;
    assert_eq!(image.metadata_version(), features::METADATA_VERSION_4_3);
    assert_eq!(image.feature("share.version"), 1);
    assert!(image.topics.by_name("gone").is_none());
    assert_eq!(image.topics.by_name("kept").unwrap().partitions.len(), 3);
    assert_eq!(image.topics.colliding_with("kept"), None);
    let configs = |kind, name| image.configs_of(kind, name);
    assert_eq!(configs(TOPIC_CONFIG, "kept")["cleanup.policy"], "compact,delete");
    assert_eq!(configs(BROKER_CONFIG, "")["log.cleaner.threads"], "2");
    assert_eq!(configs(GROUP_CONFIG, "g")["consumer.session.timeout.ms"], "46000");
    assert_eq!(configs(CLIENT_METRICS_CONFIG, "m")["interval.ms"], "1000");
    assert_eq!(image.security.scram.len(), 1);
    assert_eq!(image.security.acls.len(), 1);
    assert_eq!(image.security.quotas.values().next().unwrap()["producer_byte_rate"], 1024.0);
    assert_eq!(image.next_producer_id, 1000);
    assert_eq!(image.controllers.len(), 1);
    let broker = &image.brokers[&1];
    assert!(broker.fenced && broker.in_controlled_shutdown, "it stopped cleanly");
}
