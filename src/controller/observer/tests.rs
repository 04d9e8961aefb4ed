//! Answers of a quorum, and what they do to a broker's copy of the metadata log.

use super::contacts::Contacts;
use super::replica::{Options, Pace, Question, Replica};
use crate::codec::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
    SnapshotId as SnapshotIdInResponse,
};
use crate::codec::messages::{
    FetchResponse, FetchSnapshotResponse, StrBytes, fetch_snapshot_response,
};
use crate::codec::schema::metadata::{ConfigRecord, FeatureLevelRecord, TopicRecord};
use crate::config::{Compression, Config};
use crate::controller::leader::Leader;
use crate::controller::metadata_log::{LogOptions, TOPIC_ID};
use crate::disk::Disk;
use crate::metadata::control::ControlRecord;
use crate::metadata::features::{METADATA_VERSION, METADATA_VERSION_4_3};
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::metadata::{BROKER_CONFIG, Image, Published};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{LeaderEpoch, Offset};
use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::sync::watch;
use uuid::Uuid;

const NOW: i64 = 1_700_000_000_000;
const NODE: i32 = 7;
const LEADER: i32 = 2;

fn config(overrides: &[(&str, &str)]) -> Config {
    let defaults = [
        ("node.id", "7"),
        ("process.roles", "broker"),
        ("controller.quorum.bootstrap.servers", "a:1,b:1"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let all = defaults.iter().chain(overrides);
    let all: BTreeMap<_, _> = all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::new(all).unwrap()
}

/// A broker's copy, and what it tells of the leader.
struct Copy {
    replica: Replica,
    told: watch::Receiver<Leader>,
}

fn open_with(dir: &Path, overrides: &[(&str, &str)]) -> Copy {
    let config = config(overrides);
    let options = Options {
        node_id: NODE,
        cluster_id: "c".to_owned(),
        directory_id: Uuid::from_u128(1000),
        log: LogOptions::new(&config).unwrap(),
        fetch_bytes: 1000,
        snapshot_bytes: 100,
        max_wait_ms: 500,
    };
    let (told, leader) = Leader::channel();
    let contacts = Contacts::new(&config, told);
    let replica = Replica::open(Disk::Os, &config, dir, options, contacts, NOW).unwrap();
    Copy { replica, told: leader }
}

fn open(dir: &Path) -> Copy {
    open_with(dir, &[])
}

impl Copy {
    /// Where the next Fetch goes, its leader epoch, offset, last epoch and high watermark.
    fn fetch(&mut self) -> (String, LeaderEpoch, Offset, LeaderEpoch, Offset) {
        let (address, question) = self.replica.question();
        let Question::Fetch(request) = question else { panic!("{question:?}") };
        assert_eq!(request.cluster_id.as_deref(), Some("c"));
        assert_eq!(request.replica_state.replica_id.0, NODE);
        let one = &request.topics[0].partitions[0];
        assert_eq!(one.replica_directory_id, Uuid::from_u128(1000));
        let (epoch, last) = (one.current_leader_epoch, one.last_fetched_epoch);
        (address.unwrap(), epoch, one.fetch_offset, last, one.high_watermark)
    }

    /// The next FetchSnapshot: its snapshot and position.
    fn fetch_snapshot(&mut self) -> (SnapshotId, i64) {
        let Question::Snapshot(request) = self.replica.question().1 else { panic!("a Fetch") };
        let one = &request.topics[0].partitions[0];
        let id = SnapshotId { offset: one.snapshot_id.end_offset, epoch: one.snapshot_id.epoch };
        (id, one.position)
    }

    fn answer(&mut self, partition: PartitionData) -> Pace {
        self.replica.fetched(response(partition), NOW).unwrap()
    }

    fn refusal(&mut self, partition: PartitionData) -> String {
        self.replica.fetched(response(partition), NOW).unwrap_err().to_string()
    }

    /// Gives records of epoch 1 and the high watermark.
    fn give(&mut self, batches: &[Batch], high_watermark: Offset) -> Pace {
        self.answer(led(1).with_records(Some(bytes(batches))).with_high_watermark(high_watermark))
    }

    fn take(&mut self) -> Option<Published> {
        self.replica.take().unwrap()
    }
}

fn led(epoch: LeaderEpoch) -> PartitionData {
    let leader = LeaderIdAndEpoch::default().with_leader_id(LEADER.into());
    PartitionData::default().with_current_leader(leader.with_leader_epoch(epoch))
}

fn failed(error: ResponseError, epoch: LeaderEpoch) -> PartitionData {
    led(epoch).with_error_code(error.code())
}

fn response(partition: PartitionData) -> FetchResponse {
    let topic = FetchableTopicResponse::default().with_topic_id(TOPIC_ID);
    let node = NodeEndpoint::default().with_node_id(LEADER.into());
    let node = node.with_host(StrBytes::from_static_str("leader")).with_port(9093);
    FetchResponse::default()
        .with_responses(vec![topic.with_partitions(vec![partition])])
        .with_node_endpoints(vec![node])
}

fn batch(base: Offset, epoch: LeaderEpoch, records: &[MetadataRecord]) -> Batch {
    let mut batch = BatchBuilder::new(base, Compression::Uncompressed);
    for record in records {
        batch.append(NOW, None, Some(&record.encode(METADATA_VERSION_4_3)), &[]);
    }
    let mut batch = batch.build();
    batch.set_leader_epoch(epoch);
    batch
}

fn bytes(batches: &[Batch]) -> Bytes {
    let all = batches.iter().map(Batch::to_bytes);
    all.fold(BytesMut::new(), |mut all, one| {
        all.extend_from_slice(&one);
        all
    })
    .freeze()
}

fn feature() -> MetadataRecord {
    let name = METADATA_VERSION.to_owned();
    let feature_level = METADATA_VERSION_4_3;
    MetadataRecord::FeatureLevel(FeatureLevelRecord { name, feature_level })
}

fn topic(name: &str) -> MetadataRecord {
    let topic_id = Uuid::from_u128(0x1000 + u128::from(name.as_bytes()[0]));
    MetadataRecord::Topic(TopicRecord { name: name.to_owned(), topic_id })
}

fn setting(value: &str) -> MetadataRecord {
    MetadataRecord::Config(ConfigRecord {
        resource_type: BROKER_CONFIG,
        resource_name: String::new(),
        name: "num.partitions".to_owned(),
        value: Some(value.to_owned()),
    })
}

fn topics(image: &Image) -> Vec<String> {
    image.topics.iter().map(|topic| topic.name.to_string()).collect()
}

fn quorum_state(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("__cluster_metadata-0/quorum-state")).unwrap()
}

/// A file with a snapshot that has these topics.
fn snapshot_with(id: SnapshotId, names: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let head = Head {
        last_contained_timestamp: NOW,
        kraft_version: 0,
        voters: None,
        metadata_version: METADATA_VERSION_4_3,
    };
    let records = [feature()].into_iter().chain(names.iter().map(|name| topic(name)));
    let records: Vec<_> = records.collect();
    snapshot::write(&Disk::Os, dir.path(), id, &head, records.into_iter(), NOW).unwrap();
    std::fs::read(dir.path().join(id.file_name())).unwrap()
}

fn told_of(id: SnapshotId, epoch: LeaderEpoch) -> PartitionData {
    let snapshot = SnapshotIdInResponse::default().with_end_offset(id.offset).with_epoch(id.epoch);
    led(epoch).with_snapshot_id(snapshot)
}

fn chunk(id: SnapshotId, all: &[u8], from: usize, to: usize) -> FetchSnapshotResponse {
    let leader = fetch_snapshot_response::LeaderIdAndEpoch::default()
        .with_leader_id(LEADER.into())
        .with_leader_epoch(1);
    let snapshot = fetch_snapshot_response::SnapshotId::default()
        .with_end_offset(id.offset)
        .with_epoch(id.epoch);
    let partition = fetch_snapshot_response::PartitionSnapshot::default()
        .with_current_leader(leader)
        .with_snapshot_id(snapshot)
        .with_size(all.len() as i64)
        .with_position(from as i64)
        .with_unaligned_records(Bytes::copy_from_slice(&all[from..to]));
    let topic = fetch_snapshot_response::TopicSnapshot::default().with_partitions(vec![partition]);
    FetchSnapshotResponse::default().with_topics(vec![topic])
}

#[test]
fn the_leader_is_found_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    assert_eq!(copy.fetch(), ("a:1".to_owned(), 0, 0, 0, -1));
    let lost = crate::error::Error::Closed;
    copy.replica.unanswered("a:1", &lost);
    assert_eq!(copy.fetch().0, "b:1");
    assert_eq!(copy.answer(failed(ResponseError::FencedLeaderEpoch, 3)), Pace::AtOnce);
    assert_eq!(copy.fetch(), ("leader:9093".to_owned(), 3, 0, 0, -1));
    let leader = copy.told.borrow().clone();
    assert_eq!((leader.id, leader.epoch), (Some(LEADER), 3));
    assert_eq!(
        quorum_state(dir.path()),
        r#"{"clusterId":"","leaderId":2,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,"currentVoters":[],"data_version":0}"#
    );
    // An answer of a former epoch says nothing any more.
    assert_eq!(copy.answer(led(2)), Pace::Backoff);
    assert_eq!(copy.answer(failed(ResponseError::UnknownLeaderEpoch, 3)), Pace::Backoff);
    assert_eq!(copy.told.borrow().epoch, 3);
    // A leader that is silent is not asked again before somebody has named it.
    copy.replica.unanswered("leader:9093", &lost);
    assert_ne!(copy.fetch().0, "leader:9093");
    assert_eq!(copy.answer(failed(ResponseError::NotLeaderOrFollower, 3)), Pace::Backoff);
    assert_eq!(copy.fetch().0, "leader:9093");
    // An epoch without a leader.
    let nobody = LeaderIdAndEpoch::default().with_leader_epoch(4);
    let gone = failed(ResponseError::FencedLeaderEpoch, 4).with_current_leader(nobody);
    assert_eq!(copy.answer(gone), Pace::Backoff);
    assert_eq!(*copy.told.borrow(), Leader { id: None, epoch: 4, address: None });
    let us = LeaderIdAndEpoch::default().with_leader_id(NODE.into()).with_leader_epoch(5);
    let told = copy.refusal(failed(ResponseError::NotLeaderOrFollower, 5).with_current_leader(us));
    assert!(told.contains("has this broker's id, node.id=7"), "{told}");
}

#[test]
fn nothing_is_published_before_all_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[batch(0, 1, &[feature(), topic("a")])], 4);
    assert!(copy.take().is_none());
    // The last batch is not committed, and the one before it comes once more.
    let more = [batch(0, 1, &[feature(), topic("a")]), batch(2, 1, &[setting("1"), topic("b")])];
    copy.give(&[&more[..], &[batch(4, 1, &[topic("c")])]].concat(), 4);
    let step = copy.take().unwrap();
    assert_eq!((topics(&step.image), step.image.offset), (vec!["a".to_owned(), "b".into()], 3));
    assert_eq!(step.delta.changed_topics.len(), 2);
    assert!(copy.take().is_none());
    assert_eq!(copy.fetch().2, 5);
    copy.give(&[], 5);
    let step = copy.take().unwrap();
    assert_eq!((step.image.topics.len(), step.delta.changed_topics.len()), (3, 1));
    assert_eq!(copy.fetch(), ("leader:9093".to_owned(), 1, 5, 1, 5));
    // A batch that came in part is asked for again.
    let whole = bytes(&[batch(5, 1, &[topic("d")])]);
    let part = led(1).with_records(Some(whole.slice(..whole.len() - 1))).with_high_watermark(6);
    copy.answer(part);
    assert_eq!(copy.fetch().2, 5);
    let mut damaged = whole.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(copy.answer(led(1).with_records(Some(damaged.into()))), Pace::Backoff);
    assert_eq!(copy.fetch().2, 5);
}

#[test]
fn what_the_leader_does_not_have_is_removed_unless_it_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[batch(0, 1, &[feature(), topic("a")]), batch(2, 1, &[topic("b")])], 2);
    assert!(copy.take().is_some());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 2));
    assert_eq!(copy.fetch(), ("leader:9093".to_owned(), 2, 3, 1, 2));
    let end = |epoch, end| EpochEndOffset::default().with_epoch(epoch).with_end_offset(end);
    copy.answer(led(2).with_diverging_epoch(end(1, 2)));
    assert_eq!(copy.fetch(), ("leader:9093".to_owned(), 2, 2, 1, 2));
    let new = led(2).with_records(Some(bytes(&[batch(2, 2, &[topic("c")])])));
    copy.answer(new.with_high_watermark(3));
    assert_eq!(topics(&copy.take().unwrap().image), ["a", "c"]);
    let told = copy.refusal(led(2).with_diverging_epoch(end(1, 1)));
    assert!(told.contains("records below 3 were committed"), "{told}");
}

#[test]
fn a_snapshot_takes_the_place_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[batch(0, 1, &[feature(), topic("a"), setting("3")])], 3);
    assert!(copy.take().is_some());
    let id = SnapshotId { offset: 50, epoch: 1 };
    let all = snapshot_with(id, &["b"]);
    copy.answer(told_of(id, 1));
    assert_eq!(copy.fetch_snapshot(), (id, 0));
    copy.replica.snapshot_fetched(chunk(id, &all, 0, 100), NOW).unwrap();
    assert_eq!(copy.fetch_snapshot(), (id, 100));
    // Damage is noticed, and all is asked for again.
    let mut damaged = all.clone();
    damaged[150] ^= 1;
    let last = chunk(id, &damaged, 100, all.len());
    assert_eq!(copy.replica.snapshot_fetched(last, NOW).unwrap(), Pace::Backoff);
    assert_eq!(copy.fetch().2, 3);
    copy.answer(told_of(id, 1));
    copy.replica.snapshot_fetched(chunk(id, &all, 0, 100), NOW).unwrap();
    copy.replica.snapshot_fetched(chunk(id, &all, 100, all.len()), NOW).unwrap();
    assert_eq!(copy.fetch(), ("leader:9093".to_owned(), 1, 50, 1, 50));
    let step = copy.take().unwrap();
    assert_eq!((topics(&step.image), step.image.offset), (vec!["b".to_owned()], 49));
    let deleted: Vec<_> = step.delta.deleted_topics.iter().map(|topic| &*topic.name).collect();
    assert_eq!((deleted, step.delta.changed_topics.len()), (vec!["a"], 1));
    assert_eq!(step.delta.changed_configs, [(BROKER_CONFIG, String::new())]);
    copy.give(&[batch(50, 1, &[topic("c")])], 51);
    assert_eq!(topics(&copy.take().unwrap().image), ["b", "c"]);
    // The next start begins with it.
    copy.replica.close(NOW).unwrap();
    let mut copy = open(dir.path());
    assert_eq!(copy.fetch(), ("a:1".to_owned(), 1, 51, 1, -1));
    copy.give(&[], 51);
    assert_eq!(topics(&copy.take().unwrap().image), ["b", "c"]);
}

#[test]
fn a_snapshot_that_is_gone_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    let id = SnapshotId { offset: 50, epoch: 1 };
    let all = snapshot_with(id, &["b"]);
    copy.answer(told_of(id, 1));
    copy.replica.snapshot_fetched(chunk(id, &all, 0, 100), NOW).unwrap();
    let mut gone = chunk(id, &all, 0, 0);
    gone.topics[0].partitions[0].error_code = ResponseError::SnapshotNotFound.code();
    assert_eq!(copy.replica.snapshot_fetched(gone, NOW).unwrap(), Pace::Backoff);
    assert_eq!(copy.fetch().2, 0);
    let files = std::fs::read_dir(dir.path().join("__cluster_metadata-0")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains(".part")), "{names:?}");
}

#[test]
fn a_restart_goes_on_where_the_log_ends_and_publishes_only_what_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 5));
    let records = bytes(&[batch(0, 5, &[feature(), topic("a")]), batch(2, 5, &[topic("b")])]);
    copy.answer(led(5).with_records(Some(records)).with_high_watermark(2));
    // It is killed.
    drop(copy);
    let mut copy = open(dir.path());
    assert_eq!(copy.fetch(), ("a:1".to_owned(), 5, 3, 5, -1));
    // A new leader does not know yet what is committed.
    copy.answer(led(5).with_high_watermark(-1));
    assert!(copy.take().is_none());
    copy.answer(led(5).with_high_watermark(2));
    assert_eq!(topics(&copy.take().unwrap().image), ["a"]);
}

/// The process ended when a snapshot had come and the log still ended before it.
#[test]
fn a_snapshot_beyond_the_log_begins_it_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[batch(0, 1, &[feature(), topic("a")])], 2);
    drop(copy);
    let id = SnapshotId { offset: 9, epoch: 1 };
    let path = dir.path().join("__cluster_metadata-0").join(id.file_name());
    std::fs::write(path, snapshot_with(id, &["b"])).unwrap();
    let mut copy = open(dir.path());
    assert_eq!(copy.fetch(), ("a:1".to_owned(), 1, 9, 1, -1));
    copy.give(&[], 9);
    assert_eq!(topics(&copy.take().unwrap().image), ["b"]);
}

#[test]
fn what_is_not_known_ends_it_before_anything_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[batch(0, 1, &[feature(), topic("a")])], 2);
    assert!(copy.take().is_some());
    let mut unknown = BatchBuilder::new(2, Compression::Uncompressed);
    unknown.append(NOW, None, Some(&[1, 99, 0]), &[]);
    let mut unknown = unknown.build();
    unknown.set_leader_epoch(1);
    let told = copy.refusal(led(1).with_records(Some(bytes(&[unknown]))).with_high_watermark(3));
    assert!(told.contains("what this klamm does not know"), "{told}");
    assert!(copy.take().is_none());

    let newer = MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: METADATA_VERSION.to_owned(),
        feature_level: 99,
    });
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    let records = bytes(&[batch(0, 1, &[newer])]);
    let told = copy.refusal(led(1).with_records(Some(records)).with_high_watermark(1));
    assert!(told.contains("metadata.version is finalized at 99"), "{told}");
}

#[test]
fn the_controllers_of_another_cluster_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    let response =
        FetchResponse::default().with_error_code(ResponseError::InconsistentClusterId.code());
    let told = copy.replica.fetched(response, NOW).unwrap_err().to_string();
    assert!(told.contains("belong to another cluster than this broker"), "{told}");
}

/// The voters in the log decide the version of `quorum-state`, and a voter with our id is refused.
#[test]
fn voters_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    let voters = |id: i32| {
        let listeners = [("CONTROLLER".to_owned(), "voter".to_owned(), 5)];
        let records = [
            ControlRecord::KRaftVersion(1),
            ControlRecord::single_voter(id, Uuid::from_u128(9), &listeners),
        ];
        let mut batch = BatchBuilder::new(0, Compression::Uncompressed).control();
        for record in &records {
            batch.append(NOW, Some(&record.key()), Some(&record.value()), &[]);
        }
        let mut batch = batch.build();
        batch.set_leader_epoch(1);
        batch
    };
    copy.give(&[voters(5), batch(2, 1, &[feature()])], 3);
    assert!(copy.take().is_some());
    // The answer does not say where the new leader is, but the log does.
    let leader = LeaderIdAndEpoch::default().with_leader_id(5.into()).with_leader_epoch(2);
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 2).with_current_leader(leader));
    assert_eq!(copy.fetch().0, "voter:5");
    assert_eq!(
        quorum_state(dir.path()),
        r#"{"leaderId":5,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#
    );

    let dir = tempfile::tempdir().unwrap();
    let mut copy = open(dir.path());
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    copy.give(&[voters(NODE), batch(2, 1, &[feature()])], 3);
    let told = copy.replica.take().unwrap_err().to_string();
    assert!(told.contains("has this broker's id, node.id=7"), "{told}");
}

#[test]
fn snapshots_are_made_and_old_ones_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let small = [
        ("metadata.log.max.record.bytes.between.snapshots", "1"),
        ("metadata.max.retention.bytes", "1"),
    ];
    let mut copy = open_with(dir.path(), &small);
    copy.answer(failed(ResponseError::FencedLeaderEpoch, 1));
    let mut records = vec![feature()];
    for (base, name) in ["a", "b", "c"].into_iter().enumerate() {
        records.push(topic(name));
        let base = if base == 0 { 0 } else { base as Offset + 1 };
        let end = base + records.len() as Offset;
        copy.give(&[batch(base, 1, &std::mem::take(&mut records))], end);
        copy.take().unwrap();
        copy.replica.tick(NOW).unwrap();
        // The next call finds it finished.
        copy.replica.close(NOW).unwrap();
        copy = open_with(dir.path(), &small);
    }
    let files = std::fs::read_dir(dir.path().join("__cluster_metadata-0")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let made: Vec<_> = names.filter_map(|name| SnapshotId::parse(&name)).collect();
    assert_eq!(made, [SnapshotId { offset: 4, epoch: 1 }]);
    copy.give(&[], 4);
    assert_eq!(topics(&copy.take().unwrap().image), ["a", "b", "c"]);
}

#[test]
fn whoever_is_not_told_the_cluster_id_reads_how_to_go_on() {
    let why = super::withheld(ResponseError::UnsupportedVersion);
    assert!(why.contains("CLUSTER_ID"), "{why}");
    let why = super::withheld(ResponseError::MismatchedEndpointType);
    assert!(why.contains("a broker's listener"), "{why}");
}
