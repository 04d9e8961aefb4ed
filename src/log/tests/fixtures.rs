//! A directory written by Kafka 4.3.1: plain, idempotent and transactional producers, commits and
//! aborts, three segments by size and time. It opens unchanged, and whatever is rebuilt or
//! rewritten from its batches is identical to the last byte.

use super::*;
use std::collections::BTreeMap;
use std::fs;

const LOG_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kafka-4.3.1/log-dir");
const END: Offset = 548;

/// The settings of the topic.
fn fixture_config() -> TopicConfig {
    TopicConfig { segment_bytes: 40_000, index_interval_bytes: 1000, ..config() }
}

/// The contents of all files in a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::<_, _>::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Asserts that two directories are equal, naming the file that differs and the position.
#[track_caller]
fn assert_same(ours: &Path, kafkas: &Path) {
    let (ours, kafkas) = (files(ours), files(kafkas));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&kafkas));
    for (name, bytes) in &ours {
        let differs = bytes.iter().zip(&kafkas[name]).position(|(a, b)| a != b);
        assert!(bytes == &kafkas[name], "{name} differs at {differs:?}: {} bytes", bytes.len());
    }
}

/// A copy of Kafka's directory.
fn copy() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("fix-0");
    fs::create_dir(&to).unwrap();
    for (name, bytes) in files(&kafkas()) {
        fs::write(to.join(name), bytes).unwrap();
    }
    (dir, to)
}

fn kafkas() -> PathBuf {
    Path::new(LOG_DIR).join("fix-0")
}

#[test]
fn a_clean_directory_opens_and_closes_unchanged() {
    let (_dir, path) = copy();
    let mut log = open(&path, &fixture_config(), END, true);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.latest_epoch()), (0, END, 0));
    assert_eq!((log.size(), log.active_producers().len()), (21_904 + 39_985 + 14_404, 3));
    let topic_id = partition_metadata::read(&Disk::Os, &path, false).unwrap().unwrap();
    log.set_topic_id(topic_id).unwrap();
    log.close().unwrap();
    assert_same(&path, &kafkas());
}

#[test]
fn indexes_epochs_and_producers_are_rebuilt_as_kafka_wrote_them() {
    let (_dir, path) = copy();
    for name in files(&path).keys() {
        if !name.ends_with(".log") && name != "partition.metadata" {
            fs::remove_file(path.join(name)).unwrap();
        }
    }
    let mut log = open(&path, &fixture_config(), 0, false);
    assert_eq!((log.recovery_point(), log.log_end_offset()), (0, END));
    log.close().unwrap();
    assert_same(&path, &kafkas());
}

#[test]
fn the_same_batches_make_the_same_files() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("fix-0");
    let mut ours = open(&path, &fixture_config(), 0, true);
    let (_copy, copied) = copy();
    let theirs = open(&copied, &fixture_config(), END, true);
    let topic_id = partition_metadata::read(&Disk::Os, &kafkas(), false).unwrap().unwrap();
    ours.set_topic_id(topic_id).unwrap();
    for segment in &theirs.segments {
        let mut batches = segment.batches_from(0).unwrap();
        while let Some(batch) = batches.next().unwrap() {
            ours.append(vec![batch], 0, Origin::Replication, NOW).unwrap();
        }
    }
    assert_eq!(ours.active_producers().len(), 3);
    ours.close().unwrap();
    assert_same(&path, &kafkas());
}

#[test]
fn aborted_transactions_are_found() {
    let (_dir, path) = copy();
    let mut log = open(&path, &fixture_config(), END, true);
    log.set_high_watermark(END);
    assert_eq!(log.last_stable_offset(), END);
    let mut from = 260;
    let mut aborted = Vec::new();
    while from < END {
        let read = log.read(from, 1 << 20, Isolation::Committed, true).unwrap();
        from = batches(&read).last().unwrap().1 + 1;
        aborted.extend(read.aborted);
    }
    // A transaction that spans two segments is reported for each of them.
    aborted.sort_unstable();
    aborted.dedup();
    let of = |id| aborted.iter().filter(|(producer, _)| *producer == id).count();
    assert_eq!((of(1), of(2)), (4, 4), "{aborted:?}");
}

/// The answers of Kafka's ListOffsets for this log (kafka-get-offsets --time).
#[test]
fn timestamps_lead_to_offsets() {
    let (_dir, path) = copy();
    let log = open(&path, &fixture_config(), END, true);
    let max = log.offset_of_max_timestamp().unwrap().unwrap();
    let mut all = Vec::new();
    for segment in &log.segments {
        let mut batches = segment.batches_from(0).unwrap();
        while let Some(batch) = batches.next().unwrap() {
            all.extend(batch.records(1 << 20).unwrap());
        }
    }
    let largest = all.iter().map(|record| record.timestamp).max().unwrap();
    let first = all.iter().find(|record| record.timestamp == largest).unwrap();
    assert_eq!((max.timestamp, max.offset, max.leader_epoch), (largest, first.offset, 0));
    for timestamp in (1_699_999_999_900..1_700_000_012_000).step_by(97).chain([largest + 1]) {
        let expected = all.iter().find(|record| record.timestamp >= timestamp).map(|r| r.offset);
        let found = log.offset_for_timestamp(timestamp).unwrap().map(|found| found.offset);
        assert_eq!(found, expected, "{timestamp}");
    }
}
