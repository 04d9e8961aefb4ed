//! Directories that Kafka formatted at each older `metadata.version` can be opened, and we write
//! into them only what that version knows.

use super::support::*;
use crate::codec::messages::ApiKey;
use crate::codec::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use crate::codec::messages::update_features_response::UpdateFeaturesResponse;
use crate::metadata::features;
use crate::metadata::record::MetadataRecord;
use crate::record::Batch;
use bytes::Bytes;
use std::path::Path;

/// The levels of `kafka-storage format --release-version`, from 3.3-IV3 to 4.0-IV3.
const LEVELS: std::ops::RangeInclusive<i16> = 7..=25;

const SETTINGS: [(&str, &str); 2] = [
    ("metadata.log.max.record.bytes.between.snapshots", "2000"),
    ("metadata.max.retention.bytes", "1"),
];

/// A freshly formatted directory.
fn formatted(level: i16) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("versions/{}.checkpoint", features::metadata_version_name(level));
    std::fs::copy(fixture(&name), dir.path().join("bootstrap.checkpoint")).unwrap();
    dir
}

/// (key, version) of every record in the metadata log.
fn written(dir: &Path) -> Vec<(u8, u8)> {
    let log = dir.join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = Bytes::from(std::fs::read(log).unwrap());
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let batch = Batch::split_from(&mut bytes).unwrap();
        if batch.is_control() {
            continue;
        }
        for record in batch.records(1 << 20).unwrap() {
            let value = record.value.unwrap();
            MetadataRecord::decode(value.clone()).unwrap();
            found.push((value[1], value[2]));
        }
    }
    found
}

/// The version in which Kafka writes a record type at `level`; None if it writes none.
fn kafkas_version(key: u8, level: i16) -> Option<u8> {
    let risen = |levels: &[i16]| levels.iter().filter(|&&one| level >= one).count() as u8;
    match key {
        // RegisterBroker.
        0 => Some(1 + risen(&[8, 17, 30])),
        // Partition and PartitionChange.
        3 | 5 => Some(risen(&[17, 23])),
        // Transactions.
        23..=25 => (level >= 13).then_some(0),
        // Controllers.
        27 => (level >= 15).then_some(0),
        _ => Some(0),
    }
}

async fn check_level(level: i16) {
    let dir = formatted(level);
    let node = Node::start(dir.path(), &[]).await;
    assert_eq!(node.image().metadata_version(), level);
    assert_eq!(node.create(topic("t", 2)).await, (0, None));
    let before = node.image();
    let epoch = node.stop().await;
    for (key, version) in written(dir.path()) {
        // A registration change is written in the lowest version that can hold it.
        if key != 17 {
            assert_eq!(Some(version), kafkas_version(key, level), "record {key} at {level}");
        }
    }

    // The state in memory equals what the log says.
    let mut node = Node::open(dir.path(), &SETTINGS);
    let after = node.image();
    assert_eq!(after.topics.by_name("t").unwrap().id, before.topics.by_name("t").unwrap().id);
    node.register(epoch).await;
    assert_eq!(node.beat(false).await, (false, false), "unfenced at {level}");
    let partition = node.image().topics.by_name("t").unwrap().partitions[0].clone();
    assert_eq!((partition.leader, &partition.isr[..]), (1, &[1][..]), "at {level}");
    assert_eq!(node.image().brokers[&1].log_dirs.is_empty(), level < 17);
    // Before 4.3 a directory cannot be cordoned.
    node.cordon(vec![DIRECTORY]).await;
    assert!(node.image().brokers[&1].cordoned_log_dirs.is_empty());
    check_upgrade(&node, level).await;
    node.tick().await;
    let upgraded = node.image();
    node.close();
    let node = Node::open(dir.path(), &[]);
    let reopened = node.image();
    assert_eq!(reopened.features, upgraded.features);
    assert_eq!(reopened.topics.by_name("t").unwrap().partitions.len(), 2);
    node.close();
}

/// Upgrades as `kafka-features upgrade` does.
async fn check_upgrade(node: &Node, level: i16) {
    let update = FeatureUpdateKey::default()
        .with_feature(text("metadata.version"))
        .with_max_version_level(features::METADATA_VERSION_4_3)
        .with_upgrade_type(1);
    let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
    let answer: UpdateFeaturesResponse = node.ask(ApiKey::UpdateFeatures, 2, &request).await;
    assert_eq!(answer.error_code, 0, "upgrade from {level}: {answer:?}");
    assert_eq!(node.image().metadata_version(), features::METADATA_VERSION_4_3);
    assert_eq!(node.create(topic("u", 1)).await, (0, None));
    if level >= features::DIRECTORIES {
        node.cordon(vec![DIRECTORY]).await;
        assert_eq!(node.image().brokers[&1].cordoned_log_dirs, [DIRECTORY]);
        assert_ne!(node.create(topic("v", 1)).await.0, 0, "all directories are cordoned");
        node.cordon(Vec::new()).await;
        assert_eq!(node.create(topic("v", 1)).await, (0, None));
    }
}

#[tokio::test]
async fn a_directory_of_every_older_version_is_opened_written_and_upgraded() {
    for level in LEVELS {
        check_level(level).await;
    }
}

#[test]
fn every_level_has_kafkas_name() {
    for (level, name) in [(7, "3.3-IV3"), (12, "3.6-IV0"), (21, "3.9-IV0"), (25, "4.0-IV3")] {
        assert_eq!(features::metadata_version_name(level), name);
    }
    assert_eq!(features::metadata_version_name(features::METADATA_VERSION_4_3), "4.3-IV0");
    assert_eq!(features::metadata_version_name(features::NEWEST_METADATA_VERSION), "4.4-IV2");
    assert_eq!(features::metadata_version_name(6), "6");
}
