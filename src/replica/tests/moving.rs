//! Moving partitions from one log directory to another (AlterReplicaLogDirs).

use super::cluster::{Cluster, NOW, batch};
use crate::config::Compression;
use crate::disk::Disk;
use crate::error::Result;
use crate::log::Origin;
use crate::metadata::features;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::replica::partition::Partition;
use crate::types::{Isolation, NO_EPOCH, Offset, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// A broker with two log directories, and a topic of one partition in the first of them.
fn cluster() -> (Cluster, Uuid) {
    let mut cluster = Cluster::with_dirs(Disk::Os, &["a", "b"]);
    let id = cluster.create_topic("t", 1);
    cluster.assign();
    assert_eq!(home(&cluster), cluster.dir.path().join("a"));
    (cluster, id)
}

fn home(cluster: &Cluster) -> PathBuf {
    let id = cluster.images.load().topics.by_name("t").unwrap().id;
    cluster.partition(id, 0).dir().path.clone()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names = Disk::Os.list_dirs(dir).unwrap();
    names.retain(|name| name.starts_with("t-0"));
    names
}

fn alter(cluster: &Cluster, topic: &str, index: i32, to: &Path) -> Result<()> {
    let image = cluster.images.load();
    let to = cluster.replicas.dir_at(to.to_str().unwrap());
    cluster.replicas.alter_dir(&image, &TopicPartition::new(topic, index), to)
}

fn move_to(cluster: &Cluster, dir: &str) {
    alter(cluster, "t", 0, &cluster.dir.path().join(dir)).unwrap();
}

fn take_on(cluster: &Cluster) {
    cluster.replicas.move_logs(&cluster.images);
}

fn append(partition: &Partition, batches: Vec<Batch>) -> Offset {
    partition.append(batches, NO_EPOCH, Origin::Client, -1, NOW).unwrap().base_offset
}

fn sent_by(producer: i64, sequence: i32) -> Batch {
    let builder = BatchBuilder::new(0, Compression::Uncompressed);
    let mut builder = builder.producer(producer, 0, sequence, false);
    builder.append(NOW, None, Some(b"value"), &[]);
    builder.build()
}

fn bytes(partition: &Partition) -> Vec<u8> {
    let (mut from, mut bytes) = (partition.offsets().unwrap().log_start, Vec::new());
    loop {
        let (read, _) = partition.read(from, 1 << 20, Isolation::LogEnd, true).unwrap();
        if read.ranges.is_empty() {
            return bytes;
        }
        for range in read.ranges {
            let mut batches = range.read().unwrap();
            bytes.extend_from_slice(&batches);
            while !batches.is_empty() {
                from = Batch::split_from(&mut batches).unwrap().next_offset();
            }
        }
    }
}

#[test]
fn a_partition_moves_with_all_that_is_known_of_it() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    for sequence in 0..50 {
        append(&partition, vec![sent_by(7, sequence)]);
        append(&partition, vec![batch(40)]);
        if sequence % 20 == 19 {
            partition.log().unwrap().roll(NOW).unwrap();
            cluster.change(id, 0, |change| change.leader = 1);
        }
    }
    partition.delete_records(300).unwrap();
    let (a, b) = (cluster.dir.path().join("a"), cluster.dir.path().join("b"));
    let epochs = fs::read_to_string(a.join("t-0/leader-epoch-checkpoint")).unwrap();
    move_to(&cluster, "b");
    take_on(&cluster);
    let futures = cluster.replicas.futures();
    assert_eq!((futures.len(), futures[0].offset_lag), (1, 0));
    assert!(futures[0].size > 0 && futures[0].dir.path == b);
    assert!(names(&b)[0].ends_with("-future"), "the controller does not know yet");
    // Appends continue.
    append(&partition, vec![batch(3)]);
    assert_eq!(cluster.replicas.futures()[0].offset_lag, 3);
    let (before, offsets) = (bytes(&partition), partition.offsets().unwrap());
    cluster.assign();
    take_on(&cluster);
    assert!(cluster.replicas.futures().is_empty());
    assert_eq!((home(&cluster), names(&b)), (b.clone(), vec!["t-0".to_owned()]));
    assert!(names(&a)[0].ends_with("-delete"));
    assert_eq!((bytes(&partition), partition.offsets().unwrap()), (before, offsets));
    assert!(
        fs::read_to_string(b.join("t-0/leader-epoch-checkpoint"))
            .unwrap()
            .contains(epochs.lines().last().unwrap())
    );
    // A holder of the partition can continue to use it.
    let again = partition.append(vec![sent_by(7, 49)], NO_EPOCH, Origin::Client, -1, NOW);
    assert!(again.is_err(), "the producer is known: {again:?}");
    let end = append(&partition, vec![sent_by(7, 50)]);
    assert_eq!(end, offsets.log_end);
    cluster.replicas.checkpoint();
    for clean in [false, true] {
        if clean {
            cluster.replicas.close(1).unwrap();
        }
        cluster.restart();
        let partition = cluster.partition(id, 0);
        assert_eq!(partition.offsets().unwrap().log_end, end + 1, "clean: {clean}");
        assert_eq!(partition.offsets().unwrap().log_start, 300);
        assert_eq!(home(&cluster), b);
    }
    cluster.replicas.logs.run_deletes(i64::MAX).unwrap();
    assert!(names(&a).is_empty());
}

#[test]
fn a_move_is_taken_back_or_turned() {
    let mut cluster = Cluster::with_dirs(Disk::Os, &["a", "b", "c"]);
    let id = cluster.create_topic("t", 1);
    cluster.assign();
    let partition = cluster.partition(id, 0);
    append(&partition, vec![batch(5)]);
    let futures = |cluster: &Cluster, dir: &str| {
        let names = names(&cluster.dir.path().join(dir));
        names.iter().filter(|name| name.ends_with("-future")).count()
    };
    move_to(&cluster, "b");
    take_on(&cluster);
    move_to(&cluster, "b");
    assert_eq!((futures(&cluster, "b"), futures(&cluster, "c")), (1, 0));
    move_to(&cluster, "c");
    assert_eq!((futures(&cluster, "b"), futures(&cluster, "c")), (0, 1));
    // The controller was told of b; now it learns that the partition stays in a.
    cluster.assign();
    move_to(&cluster, "a");
    assert_eq!((futures(&cluster, "b"), futures(&cluster, "c")), (0, 0));
    cluster.assign();
    take_on(&cluster);
    let here = cluster.dir.path().join("a");
    assert!(home(&cluster) == here && names(&here) == ["t-0"]);
    let registered = cluster.images.load().topics.partition(id, 0).unwrap().directory_of(1);
    assert_eq!(registered, cluster.replicas.logs().dirs()[0].id());
    move_to(&cluster, "c");
    cluster.delete_topic(id);
    assert_eq!(futures(&cluster, "c"), 0);
}

#[test]
fn a_log_of_a_deleted_topic_of_the_same_name_stops_no_move() {
    let mut cluster = Cluster::with_dirs(Disk::Os, &["a", "b", "c"]);
    let [a, b, c] = ["a", "b", "c"].map(|name| cluster.dir.path().join(name));
    let id = cluster.create_topic("t", 1);
    cluster.assign();
    append(&cluster.partition(id, 0), vec![batch(5)]);
    move_to(&cluster, "b");
    take_on(&cluster);
    cluster.assign();
    take_on(&cluster);
    move_to(&cluster, "c");
    take_on(&cluster);
    cluster.replicas.logs.run_deletes(i64::MAX).unwrap();
    // It is in a directory that was away.
    fs::create_dir(a.join("t-0")).unwrap();
    let old = "version: 0\ntopic_id: lBHnTetMyXi6gcI8fwQDRQ";
    fs::write(a.join("t-0/partition.metadata"), old).unwrap();
    cluster.restart();
    assert_eq!((home(&cluster), cluster.partition(id, 0).offsets().unwrap().log_end), (b, 5));
    assert!(names(&a)[0].ends_with("-stray") && names(&c)[0].ends_with("-future"));
}

#[test]
fn refusals_are_kafkas() {
    let (mut cluster, id) = cluster();
    let (a, b) = (cluster.dir.path().join("a"), cluster.dir.path().join("b"));
    let code = |altered: Result<()>| altered.unwrap_err().code();
    let nowhere = Path::new("/nowhere");
    assert_eq!(code(alter(&cluster, "t", 0, nowhere)), ResponseError::LogDirNotFound);
    assert_eq!(code(alter(&cluster, "t", 1, &b)), ResponseError::UnknownTopicOrPartition);
    let long = "x".repeat(230);
    assert_eq!(code(alter(&cluster, &long, 0, &b)), ResponseError::InvalidTopicException);
    cluster.change(id, 0, |change| {
        (change.replicas, change.isr) = (Some(vec![2]), Some(vec![2]));
        change.leader = 2;
    });
    assert_eq!(code(alter(&cluster, "t", 0, &b)), ResponseError::ReplicaNotAvailable);
    // A partition that is not here yet will be created in the requested directory.
    assert_eq!(code(alter(&cluster, "u", 0, &b)), ResponseError::UnknownTopicOrPartition);
    assert_eq!(code(alter(&cluster, "v", 0, &b)), ResponseError::UnknownTopicOrPartition);
    for topic in ["u", "v"] {
        let id = cluster.create_topic(topic, 1);
        assert_eq!(cluster.partition(id, 0).dir().path, b);
    }
    let id = cluster.create_topic("w", 1);
    assert_eq!(cluster.partition(id, 0).dir().path, a);
    let failed = crate::error::Error::disk(&a, std::io::Error::from_raw_os_error(5));
    let _ = cluster.replicas.logs().dirs()[0].observe::<()>(Err(failed));
    assert_eq!(code(alter(&cluster, "w", 0, &b)), ResponseError::KafkaStorageError);
    assert_eq!(code(alter(&cluster, "u", 0, &a)), ResponseError::KafkaStorageError);
    alter(&cluster, "u", 0, &b).unwrap();
}

#[test]
fn the_next_start_goes_on_with_a_move() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    append(&partition, vec![batch(5)]);
    move_to(&cluster, "b");
    take_on(&cluster);
    append(&partition, vec![batch(5)]);
    let before = bytes(&partition);
    cluster.restart();
    take_on(&cluster);
    cluster.assign();
    take_on(&cluster);
    let b = cluster.dir.path().join("b");
    assert_eq!((home(&cluster), names(&b)), (b, vec!["t-0".to_owned()]));
    assert_eq!(bytes(&cluster.partition(id, 0)), before);
}

/// A crash between the two renames: the future log has everything, and the metadata log names it.
#[test]
fn a_swap_that_was_cut_off_is_completed() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    append(&partition, vec![batch(5)]);
    let before = bytes(&partition);
    move_to(&cluster, "b");
    take_on(&cluster);
    let (a, b) = (cluster.dir.path().join("a"), cluster.dir.path().join("b"));
    let gone = a.join(format!("t-0.{}-delete", Uuid::new_v4().simple()));
    fs::rename(a.join("t-0"), gone).unwrap();
    cluster.assign();
    drop(partition);
    cluster.restart();
    assert_eq!((home(&cluster), names(&b)), (b, vec!["t-0".to_owned()]));
    assert_eq!(bytes(&cluster.partition(id, 0)), before);
}

#[test]
fn a_failing_target_ends_the_move_and_nothing_else() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    append(&partition, vec![batch(5)]);
    move_to(&cluster, "b");
    take_on(&cluster);
    cluster.assign();
    let b = cluster.dir.path().join("b");
    let failed = crate::error::Error::disk(&b, std::io::Error::from_raw_os_error(5));
    let _ = cluster.replicas.logs().dirs()[1].observe::<()>(Err(failed));
    take_on(&cluster);
    assert!(cluster.replicas.futures().is_empty());
    append(&partition, vec![batch(5)]);
    cluster.assign();
    let registered = cluster.images.load().topics.partition(id, 0).unwrap().directory_of(1);
    assert_eq!(registered, cluster.replicas.logs().dirs()[0].id());
}

#[test]
fn the_rate_is_bounded_and_may_change() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    for _ in 0..40 {
        append(&partition, vec![batch(5000)]);
    }
    cluster.configure_broker("replica.alter.log.dirs.io.max.bytes.per.second", "1000");
    move_to(&cluster, "b");
    let replicas = Arc::clone(&cluster.replicas);
    let images = arc_swap::ArcSwap::from(cluster.images.load_full());
    let moving = std::thread::spawn(move || replicas.move_logs(&images));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let lag = cluster.replicas.futures()[0].offset_lag;
    assert!(lag > 0 && !moving.is_finished(), "{lag}");
    cluster.configure_broker("replica.alter.log.dirs.io.max.bytes.per.second", "1000000000");
    moving.join().unwrap();
    assert_eq!(cluster.replicas.futures()[0].offset_lag, 0);
}

/// A move that was waiting for its rate when it was cancelled must not touch the next move.
#[test]
fn a_move_that_is_taken_back_at_a_low_rate_may_begin_again() {
    let mut cluster = Cluster::with_dirs(Disk::Os, &["a", "b"]);
    let ids = ["t", "u"].map(|topic| cluster.create_topic(topic, 1));
    cluster.assign();
    let dirs = [cluster.dir.path().join("a"), cluster.dir.path().join("b")];
    for (topic, id) in ["t", "u"].iter().zip(ids) {
        for _ in 0..20 {
            append(&cluster.partition(id, 0), vec![batch(5000)]);
        }
        let here = cluster.partition(id, 0).dir().path.clone();
        let there = dirs.iter().find(|dir| **dir != here).unwrap();
        alter(&cluster, topic, 0, there).unwrap();
    }
    cluster.configure_broker("replica.alter.log.dirs.io.max.bytes.per.second", "1000");
    let replicas = Arc::clone(&cluster.replicas);
    let images = arc_swap::ArcSwap::from(cluster.images.load_full());
    let moving = std::thread::spawn(move || replicas.move_logs(&images));
    std::thread::sleep(std::time::Duration::from_millis(200));
    for (topic, id) in ["t", "u"].iter().zip(ids) {
        let here = cluster.partition(id, 0).dir().path.clone();
        alter(&cluster, topic, 0, &here).unwrap();
    }
    cluster.configure_broker("replica.alter.log.dirs.io.max.bytes.per.second", "1000000000");
    moving.join().unwrap();
    for (topic, id) in ["t", "u"].iter().zip(ids) {
        let here = cluster.partition(id, 0).dir().path.clone();
        let there = dirs.iter().find(|dir| **dir != here).unwrap();
        alter(&cluster, topic, 0, there).unwrap();
    }
    take_on(&cluster);
    let futures = cluster.replicas.futures();
    assert!(futures.len() == 2 && futures.iter().all(|future| future.offset_lag == 0));
}

#[test]
fn a_moved_log_is_settled_where_it_lies_now_whatever_becomes_of_the_other_directory() {
    let (mut cluster, id) = cluster();
    let partition = cluster.partition(id, 0);
    append(&partition, vec![batch(3)]);
    move_to(&cluster, "b");
    take_on(&cluster);
    cluster.assign();
    take_on(&cluster);
    assert_eq!(home(&cluster), cluster.dir.path().join("b"));
    append(&partition, vec![batch(1)]);
    let a = cluster.dir.path().join("a");
    let failed = crate::error::Error::disk(&a, std::io::Error::from_raw_os_error(5));
    let _ = cluster.replicas.logs().observe::<()>(Err(failed));
    (0..2).for_each(|_| cluster.replicas.settle());
    let log = cluster.dir.path().join("b/t-0");
    assert!(log.join("00000000000000000004.snapshot").exists());
}

#[test]
fn the_controller_hears_where_logs_lie_once_its_version_has_log_directories() {
    let mut cluster = Cluster::with_dirs(Disk::Os, &["a"]);
    cluster.create_topic("t", 1);
    let replicas = &cluster.replicas;
    assert_eq!(replicas.next_assignments(1, features::DIRECTORIES - 1), None);
    assert!(replicas.next_assignments(1, features::DIRECTORIES).is_some());
    assert_eq!(replicas.next_assignments(1, features::DIRECTORIES), None, "told once");
}
