//! Several log directories, one of which fails, at a start or while the broker runs. A file in
//! place of the directory simulates a lost disk, as permissions do not stop root.

use super::{Peer, call};
use crate::support::Broker;
use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const STORAGE_ERROR: i16 = 56;
const PARTITIONS: i32 = 9;

/// Creates a topic: the error code.
pub fn create(broker: &Broker, topic: &str, partitions: i32) -> i16 {
    let creatable = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request =
        CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(10_000);
    call(&Peer::connect(broker.port), 7, &request).topics[0].error_code
}

/// Sets `cordoned.log.dirs` of the broker 1.
fn cordon(broker: &Broker, dirs: &str) {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let setting = AlterableConfig::default()
        .with_name(text("cordoned.log.dirs"))
        .with_value(Some(text(dirs)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(text("1"))
        .with_configs(vec![setting]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = &call(&Peer::connect(broker.port), 1, &request).responses[0];
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
}

struct Jbod {
    root: TempDir,
    broker: Broker,
}

impl Jbod {
    /// A broker with the log directories a, b and c, and a topic with three partitions in each.
    fn start() -> Jbod {
        let root = TempDir::new().unwrap();
        let dirs = ["a", "b", "c"].map(|name| root.path().join(name).display().to_string());
        let broker = Broker::start_with(&[("log.dirs", &dirs.join(",")), ("node.id", "1")]);
        let jbod = Jbod { root, broker };
        jbod.create("t", PARTITIONS);
        (0..PARTITIONS).for_each(|partition| assert_eq!(jbod.produce("t", partition), (0, 0)));
        for dir in ["a", "b", "c"] {
            assert_eq!(jbod.logs_in(dir, "t").len(), 3, "{dir}");
        }
        jbod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The partitions of a topic that are in a directory.
    fn logs_in(&self, dir: &str, topic: &str) -> Vec<i32> {
        let names = fs::read_dir(self.path(dir)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<i32> = names
            .filter_map(|name| name.strip_prefix(topic)?.strip_prefix('-')?.parse().ok())
            .collect();
        found.sort_unstable();
        found
    }

    /// Makes the directory `b` unusable.
    fn take_away(&self) {
        fs::rename(self.path("b"), self.path("kept")).unwrap();
        fs::write(self.path("b"), "no directory").unwrap();
    }

    fn give_back(&self) {
        fs::remove_file(self.path("b")).unwrap();
        fs::rename(self.path("kept"), self.path("b")).unwrap();
    }

    fn create(&self, topic: &str, partitions: i32) {
        assert_eq!(create(&self.broker, topic, partitions), 0);
    }

    /// Appends a record. Returns the error code and base offset.
    fn produce(&self, topic: &str, partition: i32) -> (i16, i64) {
        let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
        builder.append(1_700_000_000_000, None, Some(b"value"), &[]);
        let records: Bytes = builder.build().to_bytes();
        let data =
            PartitionProduceData::default().with_index(partition).with_records(Some(records));
        let topic =
            TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let response = call(&Peer::connect(self.broker.port), 9, &request);
        let answer = &response.responses[0].partition_responses[0];
        (answer.error_code, answer.base_offset)
    }

    /// The error code and number of partitions of each log directory.
    fn describe(&self) -> Vec<(String, i16, usize)> {
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let response = call(&Peer::connect(self.broker.port), 4, &request);
        let dirs = response.results.iter().map(|dir| {
            let partitions = dir.topics.iter().map(|topic| topic.partitions.len()).sum();
            let path = Path::new(dir.log_dir.as_str()).file_name().unwrap();
            (path.to_str().unwrap().to_owned(), dir.error_code, partitions)
        });
        dirs.collect()
    }

    /// The error code and leader of each partition in the metadata.
    fn leaders(&self, topic: &str) -> Vec<(i16, i32)> {
        let asked = metadata_request::MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
        let response = call(&Peer::connect(self.broker.port), 9, &request);
        let mut partitions: Vec<_> = response.topics[0].partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        partitions.iter().map(|p| (p.error_code, p.leader_id.0)).collect()
    }

    /// The partitions in `lost` must be unusable and all others usable; `offset` is the next offset
    /// of the latter.
    fn check(&self, lost: &[i32], offset: i64) {
        for partition in 0..PARTITIONS {
            let (code, base_offset) = self.produce("t", partition);
            if lost.contains(&partition) {
                let refused = [STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER].contains(&code);
                assert!(refused, "{partition}: {code}");
            } else {
                assert_eq!((code, base_offset), (0, offset), "{partition}");
            }
        }
        let expected = [("a", 0, 3), ("b", STORAGE_ERROR, 0), ("c", 0, 3)];
        let expected = expected.map(|(name, code, count)| (name.to_owned(), code, count));
        assert_eq!(self.describe(), expected);
    }

    fn wait_for_leaders(&self, lost: &[i32]) {
        let end = Instant::now() + Duration::from_secs(10);
        let expected: Vec<(i16, i32)> = (0..PARTITIONS)
            .map(|p| if lost.contains(&p) { (LEADER_NOT_AVAILABLE, -1) } else { (0, 1) })
            .collect();
        while self.leaders("t") != expected {
            assert!(Instant::now() < end, "{:?}", self.leaders("t"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

#[test]
fn relative_directories_are_told_and_named_as_absolute_ones() {
    let root = TempDir::new().unwrap();
    let up =
        std::env::current_dir().unwrap().components().skip(1).map(|_| "../").collect::<String>();
    let dirs = ["a", "b"].map(|name| format!("{up}{}/{name}", &root.path().to_str().unwrap()[1..]));
    let broker = Broker::start_with(&[("log.dirs", &dirs.join(","))]);
    let jbod = Jbod { root, broker };
    jbod.create("t", 2);
    let peer = Peer::connect(jbod.broker.port);
    let request = DescribeLogDirsRequest::default().with_topics(None);
    let told = call(&peer, 4, &request).results;
    assert!(told.iter().all(|dir| Path::new(dir.log_dir.as_str()).is_absolute()), "{told:?}");
    let dirs = told.into_iter().map(|dir| {
        let topic =
            AlterReplicaLogDirTopic::default().with_name(name("t")).with_partitions(vec![0]);
        AlterReplicaLogDir::default().with_path(dir.log_dir).with_topics(vec![topic])
    });
    for dir in dirs {
        let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
        assert_eq!(call(&peer, 2, &request).results[0].partitions[0].error_code, 0);
    }
}

#[test]
fn a_directory_that_fails_at_start_is_offline_alone() {
    let mut jbod = Jbod::start();
    let lost = jbod.logs_in("b", "t");
    jbod.broker.stop();
    jbod.take_away();
    jbod.broker.launch();
    assert!(jbod.broker.log().contains("/b: a file is in the place of this directory"));
    jbod.wait_for_leaders(&lost);
    jbod.check(&lost, 1);
    assert_eq!(jbod.logs_in("a", "t").len() + jbod.logs_in("c", "t").len(), 6);
    jbod.create("new", 4);
    assert_eq!((jbod.logs_in("a", "new").len(), jbod.logs_in("c", "new").len()), (2, 2));
    assert_eq!(jbod.produce("new", 3), (0, 0));
    jbod.broker.stop();

    // The directory comes back with everything in it.
    jbod.give_back();
    jbod.broker.launch();
    jbod.wait_for_leaders(&[]);
    for partition in 0..PARTITIONS {
        let next = if lost.contains(&partition) { 1 } else { 2 };
        assert_eq!(jbod.produce("t", partition), (0, next), "{partition}");
    }
}

#[test]
fn a_directory_that_fails_while_the_broker_runs_is_offline_alone() {
    let mut jbod = Jbod::start();
    let lost = jbod.logs_in("b", "t");
    std::thread::sleep(Duration::from_millis(500));
    jbod.take_away();
    jbod.wait_for_leaders(&lost);
    jbod.check(&lost, 1);
    jbod.create("new", 4);
    assert_eq!((jbod.logs_in("a", "new").len(), jbod.logs_in("c", "new").len()), (2, 2));
    // The stop is clean for the other directories.
    jbod.broker.signal("TERM");
    let (status, last) = jbod.broker.end();
    let reason = " ERROR Exiting: no clean stop, so the next start recovers the logs: ";
    assert!(status == Some(1) && last.contains(reason) && last.contains("/b"), "{last}");
    for (dir, is_clean) in [("a", true), ("kept", false), ("c", true)] {
        let path = jbod.path(dir).join(".kafka_cleanshutdown");
        assert_eq!(path.exists(), is_clean, "{dir}");
    }
    jbod.give_back();
    jbod.broker.launch();
    jbod.wait_for_leaders(&[]);
    for partition in 0..PARTITIONS {
        let next = if lost.contains(&partition) { 1 } else { 2 };
        assert_eq!(jbod.produce("t", partition), (0, next), "{partition}");
    }
}

/// The controller may not know yet where the partitions are.
#[test]
fn partitions_of_a_broker_that_was_killed_at_once_wait_for_their_directory() {
    let mut jbod = Jbod::start();
    jbod.create("fresh", PARTITIONS);
    (0..PARTITIONS).for_each(|partition| assert_eq!(jbod.produce("fresh", partition), (0, 0)));
    jbod.broker.kill();
    jbod.take_away();
    let lost = jbod.logs_in("kept", "fresh");
    assert_eq!(lost.len(), 3);
    jbod.broker.launch();
    for partition in 0..PARTITIONS {
        let (code, offset) = jbod.produce("fresh", partition);
        match lost.contains(&partition) {
            true => assert!([STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER].contains(&code), "{offset}"),
            false => assert_eq!((code, offset), (0, 1), "{partition}"),
        }
    }
    jbod.broker.kill();
    jbod.give_back();
    jbod.broker.launch();
    jbod.wait_for_leaders(&[]);
    for partition in lost {
        assert_eq!(jbod.produce("fresh", partition), (0, 1), "{partition}");
    }
}

#[test]
fn without_the_metadata_log_there_is_no_start() {
    let mut jbod = Jbod::start();
    jbod.broker.stop();
    fs::rename(jbod.path("a"), jbod.path("kept")).unwrap();
    fs::write(jbod.path("a"), "no directory").unwrap();
    let dirs = ["a", "b"].map(|name| jbod.path(name).display().to_string()).join(",");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(["--override", &format!("log.dirs={dirs}")])
        .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&jbod.path("a").display().to_string()), "{said}");
}

#[test]
fn a_partition_moves_while_it_is_written() {
    let mut jbod = Jbod::start();
    let to = jbod.path("c").display().to_string();
    let moved = jbod.logs_in("b", "t")[0];
    let topic = AlterReplicaLogDirTopic::default().with_name(name("t"));
    let dir = AlterReplicaLogDir::default()
        .with_path(StrBytes::from_string(to))
        .with_topics(vec![topic.with_partitions(vec![moved, PARTITIONS])]);
    let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
    let response = call(&Peer::connect(jbod.broker.port), 2, &request);
    let codes: Vec<i16> =
        response.results[0].partitions.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [0, UNKNOWN_TOPIC_OR_PARTITION]);
    let (end, mut next) = (Instant::now() + Duration::from_secs(20), 1);
    while jbod.logs_in("b", "t").contains(&moved) || !jbod.logs_in("c", "t").contains(&moved) {
        assert_eq!(jbod.produce("t", moved), (0, next));
        next += 1;
        assert!(Instant::now() < end);
    }
    assert_eq!(jbod.produce("t", moved), (0, next));
    jbod.broker.kill();
    jbod.broker.launch();
    jbod.wait_for_leaders(&[]);
    assert_eq!(jbod.produce("t", moved), (0, next + 1));
    assert_eq!((jbod.logs_in("b", "t").len(), jbod.logs_in("c", "t").len()), (2, 4));
}

#[test]
fn a_cordon_does_not_wait_for_a_heartbeat() {
    let hour = ("broker.heartbeat.interval.ms", "3600000");
    let broker =
        Broker::start_with(&[hour, ("broker.session.timeout.ms", "7200000"), ("node.id", "1")]);
    for (dirs, error) in [("*", INVALID_REPLICATION_FACTOR), ("", 0)] {
        cordon(&broker, dirs);
        let end = Instant::now() + Duration::from_secs(10);
        let answers =
            (0..).map(|n| create(&broker, &format!("{n}{}", dirs.len()), 1)).find(|answer| {
                std::thread::sleep(Duration::from_millis(10));
                *answer == error || Instant::now() > end
            });
        assert_eq!(answers, Some(error), "cordoned: {dirs:?}");
    }
}
