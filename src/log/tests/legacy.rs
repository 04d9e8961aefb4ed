//! A log begun before Kafka 0.11: messages of magic 0 and 1 in each codec, written by the code of
//! Kafka 4.3.1, and what it reads from them (`legacy.txt`).

use super::*;
use crate::log::cleaner::Cleaner;
use std::fs;
use std::sync::Mutex;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kafka-4.3.1/legacy");
const END: Offset = 239;

/// Offset, timestamp, key and value of a record.
type Row = (Offset, Timestamp, Option<String>, Option<String>);

/// What Kafka reads: last offset, largest timestamp and size of each batch, and the records.
fn expected() -> (Vec<(Offset, Timestamp, u64)>, Vec<Row>) {
    let text = fs::read_to_string(format!("{FIXTURE}/legacy.txt")).unwrap();
    let (mut batches, mut rows) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(batch) = line.strip_prefix("batch ") {
            let numbers: Vec<i64> = batch.split(' ').map(|n| n.parse().unwrap()).collect();
            batches.push((numbers[1], numbers[2], numbers[3] as u64));
            continue;
        }
        let fields: Vec<&str> = line.split('|').collect();
        let nullable = |text: &str| (text != "-").then(|| text.to_owned());
        let (offset, timestamp) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        rows.push((offset, timestamp, nullable(fields[2]), nullable(fields[3])));
    }
    (batches, rows)
}

/// The directory of a partition with one segment of such messages and no other file.
fn begun_long_ago(file: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("t-0");
    fs::create_dir(&path).unwrap();
    fs::copy(format!("{FIXTURE}/{file}"), path.join("00000000000000000000.log")).unwrap();
    (dir, path)
}

fn small() -> TopicConfig {
    TopicConfig { index_interval_bytes: 300, segment_bytes: 20_000, ..config() }
}

fn rows(log: &Log) -> Vec<Row> {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let mut rows = Vec::new();
    for segment in &log.segments {
        let mut batches = segment.batches_from(0).unwrap();
        while let Some(batch) = batches.next().unwrap() {
            assert!(batch.checksum_holds());
            for record in batch.records(1 << 20).unwrap() {
                let (key, value) = (record.key.map(text), record.value.map(text));
                rows.push((record.offset, record.timestamp, key, value));
            }
        }
    }
    rows
}

#[test]
fn every_message_is_read_as_kafka_reads_it() {
    let (_dir, path) = begun_long_ago("legacy.log");
    let original = fs::read(path.join("00000000000000000000.log")).unwrap();
    for clean in [false, true] {
        let point = if clean { END } else { 0 };
        let mut log = open(&path, &small(), point, clean);
        log.set_high_watermark(END);
        let (batches, expected) = expected();
        assert_eq!((log.log_end_offset(), log.size()), (END, original.len() as u64));
        assert_eq!(rows(&log), expected);
        let mut headers = log.segments[0].headers_at(0).unwrap();
        for batch in batches {
            let header = headers.next_header().unwrap().unwrap();
            assert_eq!((header.last_offset, header.max_timestamp, header.size), batch);
        }
        assert!(headers.next_header().unwrap().is_none());
        // Consumers get the stored bytes, from any offset on.
        for from in 0..END {
            let read = log.read(from, 1 << 20, Isolation::HighWatermark, true).unwrap();
            let range = &read.ranges[0];
            assert_eq!(range.read().unwrap(), original[range.position as usize..]);
            let file = log.segments[0].file().unwrap();
            let first = scan::Headers::new(file, range.position, log.size()).next_header().unwrap();
            assert!(first.unwrap().last_offset >= from);
        }
        for timestamp in (1_499_999_999_900..1_500_000_002_500).step_by(37) {
            let first = expected.iter().find(|row| row.1 >= timestamp).map(|row| row.0);
            let found = log.offset_for_timestamp(timestamp).unwrap().map(|found| found.offset);
            assert_eq!(found, first, "{timestamp}");
        }
        log.close().unwrap();
        assert_eq!(fs::read(path.join("00000000000000000000.log")).unwrap(), original);
    }
}

#[test]
fn what_is_torn_is_cut_off() {
    let (_dir, path) = begun_long_ago("legacy.log");
    let file = path.join("00000000000000000000.log");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(open(&path, &small(), 0, false).log_end_offset(), END - 1);
    bytes.truncate(at - 87);
    fs::write(&file, &bytes).unwrap();
    assert!(open(&path, &small(), 0, false).log_end_offset() < END - 1);
}

/// The header checksum of these messages differs from the LZ4 standard.
#[test]
fn lz4_frames_of_magic_0_are_read() {
    let (_dir, path) = begun_long_ago("legacy-lz4.log");
    let log = open(&path, &small(), 0, false);
    assert_eq!(log.log_end_offset(), 3);
    let keys: Vec<_> = rows(&log).into_iter().map(|row| row.2.unwrap()).collect();
    assert_eq!(keys, ["key 0", "key 1", "key 2"]);
}

#[test]
fn what_is_sound_but_not_understood_is_refused_and_stays() {
    let (_dir, path) = begun_long_ago("legacy-lz4.log");
    let file = path.join("00000000000000000000.log");
    let mut bytes = fs::read(&file).unwrap();
    bytes[17] = 5; // a codec that nobody knows
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.sum().to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let before = fs::read(&file).unwrap();
    let options = OpenOptions {
        config: Arc::new(small()),
        log_start_offset: 0,
        recovery_point: 0,
        cleaned_below: 0,
        stopped: Stopped::Unknown,
        leader_epochs: None,
        now: NOW,
    };
    let error = Log::open(&Disk::Os, &path, options).unwrap_err();
    assert!(matches!(error, Error::Config(_)) && error.to_string().contains("0.11"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// Compaction writes the remaining records in today's format.
#[test]
fn compaction_keeps_the_last_of_every_key() {
    let (dir, path) = begun_long_ago("legacy.log");
    let config = TopicConfig {
        compact: true,
        delete: false,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: i64::MAX,
        ..small()
    };
    let mut log = open(&path, &config, 0, false);
    log.roll(NOW).unwrap();
    log.set_high_watermark(END);
    let log = Mutex::new(log);
    let settings = [("log.dirs".to_owned(), dir.path().display().to_string())].into();
    let config = crate::config::Config::new(settings).unwrap();
    let cleaner =
        Cleaner::open(&Disk::Os, &config.into(), [dir.path().to_owned()].into_iter()).unwrap();
    let candidate = cleaner.examine(&mut log.lock().unwrap(), NOW).unwrap().unwrap();
    assert!(cleaner.clean(&candidate, &|| Ok(log.lock().unwrap()), NOW).unwrap());
    let (_, all) = expected();
    let is_last = |row: &&Row| {
        row.2.is_some() && !all.iter().any(|other| other.2 == row.2 && other.0 > row.0)
    };
    let last: Vec<Row> = all.iter().filter(is_last).cloned().collect();
    assert_eq!(rows(&log.lock().unwrap()), last);
}
