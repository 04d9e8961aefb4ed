//! Compaction, as readers of the log see it.
#![allow(clippy::unwrap_used)]

mod disturbance;
mod kafka;
mod model;
mod range;

use super::*;
use crate::config::{Compression, TopicConfig};
use crate::log::tests::{NOW, config, open, temporary};
use crate::log::{Origin, file_name, segment};
use crate::record::builder::BatchBuilder;
use crate::record::{Batch, Record};
use crate::types::{Isolation, NO_PRODUCER_ID, ProducerId};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use tempfile::TempDir;

const KIB: i32 = 1024;

/// A compacted log in a directory of its own, with a cleaner.
struct Fixture {
    dir: TempDir,
    config: TopicConfig,
    log: Mutex<Log>,
    cleaner: Cleaner,
}

/// A record as a reader gets it, with its batch.
#[derive(Clone, Debug)]
struct Seen {
    batch: Batch,
    record: Record,
}

/// Small segments that are always dirty enough to be cleaned.
fn compacted() -> TopicConfig {
    TopicConfig {
        compact: true,
        delete: false,
        segment_bytes: 2 * KIB,
        index_interval_bytes: 200,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 1000,
        ..config()
    }
}

fn cleaner(dir: &Path, more: &[(&str, &str)]) -> Cleaner {
    let mut settings: BTreeMap<String, String> =
        more.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    settings.insert("log.dirs".to_owned(), dir.display().to_string());
    let config = Config::new(settings).unwrap();
    Cleaner::open(&Disk::Os, &config.into(), std::iter::once(dir.to_owned())).unwrap()
}

impl Fixture {
    fn new(config: TopicConfig) -> Fixture {
        Fixture::at(temporary(), config)
    }

    fn at(dir: TempDir, config: TopicConfig) -> Fixture {
        let log = Mutex::new(open(&dir.path().join("t-0"), &config, 0, true));
        let cleaner = cleaner(dir.path(), &[]);
        Fixture { dir, config, log, cleaner }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("t-0")
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Appends a batch and moves the high watermark to its end.
    fn append(&self, batch: Batch) -> Offset {
        let mut log = self.log();
        let origin = if batch.is_control() { Origin::Coordinator } else { Origin::Client };
        let base_offset = log.append(vec![batch], 3, origin, NOW).unwrap().base_offset;
        let end = log.log_end_offset();
        log.set_high_watermark(end);
        base_offset
    }

    fn put(&self, key: &str, value: Option<&str>) -> Offset {
        self.append(keyed(&[(key, value)], NOW))
    }

    /// Begins a new segment, so that everything so far is sealed.
    fn roll(&self) {
        self.log().roll(NOW).unwrap();
    }

    fn examine(&self, now: Timestamp) -> Option<Candidate> {
        self.cleaner.examine(&mut self.log(), now).unwrap()
    }

    /// Cleans the log if it is due; returns whether it was.
    fn clean(&self, now: Timestamp) -> bool {
        let Some(candidate) = self.examine(now) else { return false };
        self.cleaner.clean(&candidate, &|| Ok(self.log()), now).unwrap()
    }

    fn checkpoint(&self) -> Offset {
        let partition = self.log().topic_partition().clone();
        self.cleaner.state().checkpoints.get(self.dir.path(), &partition).unwrap_or(0)
    }

    /// All batches, and the aborted transactions reported to a reader of everything.
    fn batches(&self) -> (Vec<Batch>, Vec<(ProducerId, Offset)>) {
        read(&self.log(), Isolation::LogEnd)
    }

    /// All records except those of control batches.
    fn records(&self) -> Vec<Seen> {
        self.batches().0.iter().filter(|batch| !batch.is_control()).flat_map(records_of).collect()
    }

    /// Key, value and offset of each record.
    fn seen(&self) -> Vec<(String, Option<String>, Offset)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let show = |Seen { record, .. }: Seen| {
            (text(&record.key.unwrap()), record.value.as_deref().map(text), record.offset)
        };
        self.records().into_iter().map(show).collect()
    }

    fn names(&self) -> Vec<String> {
        Disk::Os.list(&self.path()).unwrap()
    }
}

fn read(log: &Log, isolation: Isolation) -> (Vec<Batch>, Vec<(ProducerId, Offset)>) {
    let (mut batches, mut aborted, mut next) = (Vec::new(), Vec::new(), log.log_start_offset());
    loop {
        let read = log.read(next, 700, isolation, true).unwrap();
        if read.ranges.is_empty() {
            return (batches, aborted);
        }
        aborted.extend(read.aborted);
        for range in read.ranges {
            let mut bytes = range.read().unwrap();
            while Batch::next_size(&bytes).unwrap().is_some() {
                let batch = Batch::split_from(&mut bytes).unwrap();
                assert!(batch.checksum_holds() && batch.next_offset() > next, "{batch:?}");
                next = batch.next_offset();
                batches.push(batch);
            }
        }
    }
}

fn records_of(batch: &Batch) -> Vec<Seen> {
    let records = batch.records(1 << 20).unwrap();
    records.into_iter().map(|record| Seen { batch: batch.clone(), record }).collect()
}

fn keyed(records: &[(&str, Option<&str>)], timestamp: Timestamp) -> Batch {
    fill(BatchBuilder::new(0, Compression::Uncompressed), records, timestamp)
}

fn fill(
    mut builder: BatchBuilder,
    records: &[(&str, Option<&str>)],
    timestamp: Timestamp,
) -> Batch {
    for (key, value) in records {
        let header = ("h".into(), Some("v".into()));
        builder.append(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[header]);
    }
    builder.build()
}

/// A batch that belongs to a transaction.
fn transactional(id: ProducerId, sequence: i32, records: &[(&str, Option<&str>)]) -> Batch {
    let builder = BatchBuilder::new(0, Compression::Uncompressed);
    fill(builder.producer(id, 0, sequence, true), records, NOW)
}

fn marker(id: ProducerId, commit: bool) -> Batch {
    marker_at(id, commit, NOW)
}

fn marker_at(id: ProducerId, commit: bool, timestamp: Timestamp) -> Batch {
    let builder = BatchBuilder::new(0, Compression::Uncompressed).control();
    let mut builder = builder.producer(id, 0, -1, true);
    builder.append(timestamp, Some(&[0, 0, 0, u8::from(commit)]), Some(&[0; 6]), &[]);
    builder.build()
}

/// Copies those files of `from` that are `wanted`.
fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) {
    fs::create_dir_all(to).unwrap();
    for name in Disk::Os.list(from).unwrap().iter().filter(|name| wanted(name)) {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[test]
fn the_last_record_of_every_key_stays_where_it_was() {
    let f = Fixture::new(compacted());
    f.append(keyed(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], NOW));
    f.append(keyed(&[("a", Some("2")), ("a", Some("3")), ("d", Some("1"))], NOW));
    f.roll();
    f.put("b", Some("2"));
    f.roll();
    f.put("c", Some("2"));
    let modified = f.log().segments[1].modified().unwrap();
    assert!(f.clean(NOW));
    let owned = |k: &str, v: &str, o| (k.to_owned(), Some(v.to_owned()), o);
    // The active segment is not cleaned, so "c" is still there twice.
    let expected = [owned("c", "1", 2), owned("a", "3", 4), owned("d", "1", 5), owned("b", "2", 6)];
    assert_eq!(f.seen()[..4], expected);
    assert_eq!(f.seen()[4..], [owned("c", "2", 7)]);
    let (batches, _) = f.batches();
    let extent: Vec<_> = batches.iter().map(|b| (b.base_offset(), b.last_offset())).collect();
    assert_eq!(extent, [(0, 2), (3, 5), (6, 6), (7, 7)], "batches keep their offsets");
    assert!(batches.iter().all(|batch| batch.leader_epoch() == 3));
    assert!(f.records().iter().all(|seen| seen.record.headers.len() == 1));
    // Two segments became one; the old files wait to be removed.
    assert_eq!(f.log().segments.len(), 2);
    assert_eq!(f.log().segments[0].modified().unwrap(), modified);
    let deleted = |f: &Fixture| f.names().iter().filter(|n| n.ends_with(".log.deleted")).count();
    assert_eq!(deleted(&f), 2);
    f.log().clean_up(NOW + f.config.file_delete_delay_ms).unwrap();
    assert!(f.names().iter().all(|n| !n.contains(".deleted") && !n.contains(".cleaned")));
    // The content that Kafka writes.
    let text = fs::read_to_string(f.dir.path().join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(text, "0\n1\nt 0 7\n");
    // Nothing is dirty any more.
    assert!(!f.clean(NOW + 1_000_000));
}

#[test]
fn tombstones_stay_for_delete_retention_ms_after_their_first_pass() {
    let f = Fixture::new(compacted());
    f.append(keyed(&[("a", Some("1")), ("b", Some("1"))], NOW));
    f.append(keyed(&[("a", None), ("c", Some("1"))], NOW - 5));
    f.roll();
    let offsets = |f: &Fixture| f.seen().iter().map(|(.., offset)| *offset).collect::<Vec<_>>();
    assert!(f.clean(NOW));
    assert_eq!(offsets(&f), [1, 2, 3]);
    let tombstone = f.records()[1].clone();
    assert_eq!(tombstone.batch.delete_horizon_ms(), Some(NOW + 1000));
    assert_eq!((tombstone.record.timestamp, tombstone.batch.max_timestamp()), (NOW - 5, NOW - 5));
    for (later, left) in [(999, 3), (1000, 2)] {
        f.put("z", Some("1"));
        f.roll();
        assert!(f.clean(NOW + later));
        assert_eq!(offsets(&f).len(), left + 1, "{later} ms later");
    }
    // The delete horizon of a batch does not change once it is set.
    let horizon = f.records()[1].batch.delete_horizon_ms();
    assert_eq!(horizon, Some(NOW + 1000));
}

#[test]
fn a_marker_goes_delete_retention_ms_after_the_last_record_of_its_transaction() {
    for commit in [true, false] {
        let f = Fixture::new(compacted());
        f.append(transactional(7, 0, &[("a", Some("1")), ("b", Some("1"))]));
        f.append(marker(7, commit));
        f.append(transactional(7, 2, &[("x", Some("1"))]));
        f.append(marker(7, true));
        f.put("a", Some("2"));
        f.put("b", Some("2"));
        f.roll();
        let control = |f: &Fixture| {
            let (batches, _) = f.batches();
            let control = batches.into_iter().filter(Batch::is_control);
            control
                .map(|batch| (batch.base_offset(), batch.delete_horizon_ms()))
                .collect::<Vec<_>>()
        };
        let again = |later| {
            f.put("z", None);
            f.roll();
            assert!(f.clean(NOW + later));
        };
        assert!(f.clean(NOW));
        assert_eq!(f.seen().len(), 3);
        assert_eq!(control(&f), [(2, None), (4, None)], "a record of it was seen in this pass");
        again(1);
        assert_eq!(control(&f), [(2, Some(NOW + 1001)), (4, None)]);
        again(1000);
        assert_eq!(control(&f).len(), 2);
        again(1001);
        assert_eq!(control(&f), [(4, None)]);
        assert!(f.names().iter().all(|n| !n.ends_with(".txnindex")), "{:?}", f.names());
    }
}

#[test]
fn the_last_batch_of_a_producer_stays_if_empty() {
    let f = Fixture::new(compacted());
    let sent = |id, sequence, key: &str| {
        let builder = BatchBuilder::new(0, Compression::Zstd { level: 3 });
        fill(builder.producer(id, 2, sequence, false), &[(key, Some("1")), (key, Some("2"))], NOW)
    };
    f.append(sent(5, 0, "a"));
    f.append(sent(5, 2, "a"));
    f.append(sent(6, 0, "a"));
    f.put("a", Some("3"));
    f.roll();
    assert!(f.clean(NOW));
    let (batches, _) = f.batches();
    let shape: Vec<_> = batches
        .iter()
        .map(|b| (b.base_offset(), b.last_offset(), b.count(), b.base_sequence(), b.attributes()))
        .collect();
    assert_eq!(shape, [(2, 3, 0, 2, 0), (4, 5, 0, 0, 0), (6, 6, 1, -1, 0)]);
    assert_eq!(batches[0].max_timestamp(), NOW);
    assert_eq!(batches[0].base_timestamp(), -1);
    // It goes once the producer has sent more.
    f.append(sent(5, 4, "b"));
    f.roll();
    assert!(f.clean(NOW));
    assert_eq!(f.batches().0[0].base_offset(), 4);
}

/// The end of the cleaned part is known even if all its records are gone.
#[test]
fn the_last_batch_of_a_pass_stays_if_empty() {
    let f = Fixture::new(TopicConfig { delete_retention_ms: 0, ..compacted() });
    f.put("a", None);
    f.roll();
    assert!(f.clean(NOW));
    f.put("b", None);
    f.roll();
    assert!(f.clean(NOW));
    f.put("c", None);
    f.roll();
    assert!(f.clean(NOW));
    let (batches, _) = f.batches();
    assert_eq!(batches.iter().map(Batch::base_offset).collect::<Vec<_>>(), [2]);
    assert_eq!(f.log().log_end_offset(), 3);
}

#[test]
fn a_small_map_takes_several_passes() {
    let f = Fixture::new(compacted());
    let small = "1048577"; // room for 40 keys with this load factor
    let settings = [
        ("log.cleaner.dedupe.buffer.size", small),
        ("log.cleaner.io.buffer.load.factor", "0.00092"),
        ("log.cleaner.io.buffer.size", "0"),
    ];
    let f = Fixture { cleaner: cleaner(f.dir.path(), &settings), ..f };
    for n in 0..200 {
        let (a, b) = (format!("{}", n % 100), format!("{}", n % 37));
        f.append(keyed(&[(&a, Some("1")), (&b, Some("2"))], NOW));
    }
    f.roll();
    let mut passes = 0;
    while f.clean(NOW) {
        passes += 1;
        assert!(passes < 50);
    }
    assert!(passes > 5, "{passes}");
    let seen = f.seen();
    let keys: BTreeMap<_, _> = seen.iter().map(|(key, _, offset)| (key, offset)).collect();
    assert_eq!((seen.len(), keys.len(), f.checkpoint()), (100, 100, 400));
    assert_eq!(keys[&"0".to_owned()], &(2 * 185 + 1), "the last 0 is b's");
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let f = Fixture::new(compacted());
    f.put("a", Some("1"));
    f.put("a", Some("2"));
    f.roll();
    let file = f.log().segments[0].path(segment::SUFFIX);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let candidate = f.examine(NOW).unwrap();
    let error = f.cleaner.clean(&candidate, &|| Ok(f.log()), NOW).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert!(f.names().iter().all(|name| !name.ends_with(".cleaned")));
    assert!(f.examine(NOW).is_none(), "it is not tried again and again");
    f.cleaner.forget(&TopicPartition::new("t", 0)).unwrap();
    assert!(f.examine(NOW).is_some());
}

/// A sealed segment that was cut short where a batch ends: what is left of it stays, with the
/// indexes that tell of the rest.
#[test]
fn what_was_cut_short_is_not_compacted() {
    let f = Fixture::new(compacted());
    for n in 0..60 {
        f.append(keyed(&[(&format!("key {}", n % 7), Some("a value"))], NOW + n));
    }
    f.roll();
    let (end, sizes) = {
        let mut log = f.log();
        let mut batches = log.segments[1].batches_from(0).unwrap();
        let mut sizes = Vec::new();
        while batches.next().unwrap().is_some() {
            sizes.push(batches.position);
        }
        log.close().unwrap();
        (log.log_end_offset(), sizes)
    };
    let second = f.log().segments[1].base_offset();
    let file = f.path().join(file_name(second, ".log"));
    for size in sizes[..sizes.len() - 1].iter().rev() {
        let mut bytes = fs::read(&file).unwrap();
        bytes.resize(*size as usize, 0);
        fs::write(&file, bytes).unwrap();
        *f.log() = open(&f.path(), &compacted(), end, true);
        f.log().set_high_watermark(end);
        let names = f.names();
        let candidate = Cleaner::examine(&cleaner(f.dir.path(), &[]), &mut f.log(), NOW);
        let candidate = candidate.unwrap().unwrap();
        let cleaned = cleaner(f.dir.path(), &[]).clean(&candidate, &|| Ok(f.log()), NOW);
        let what = cleaned.unwrap_err().to_string();
        assert!(what.contains("its indexes tell"), "{size}: {what}");
        assert_eq!(f.names(), names, "{size}");
    }
}
