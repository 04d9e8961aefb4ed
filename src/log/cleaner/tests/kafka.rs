//! The same logs, cleaned by Kafka 4.3.1 and by us.

use super::model::{CODECS, Model};
use super::*;

/// The topic's settings in Kafka (see tests/fixtures/README.md).
fn kafkas() -> TopicConfig {
    TopicConfig { segment_bytes: 3000, ..compacted() }
}

/// Appends to the logs `t-0` (no compression) and `t-1` (all codecs) in the directory named by
/// KLAMM_CLEANER_INPUT, for Kafka to clean. KLAMM_CLEANER_ROUND is the seed.
#[test]
#[ignore = "makes the fixtures"]
fn write_input() {
    let dir = PathBuf::from(std::env::var("KLAMM_CLEANER_INPUT").unwrap());
    let round: u64 = std::env::var("KLAMM_CLEANER_ROUND").unwrap().parse().unwrap();
    let codecs: [&[Compression]; 2] = [&CODECS[..1], CODECS];
    for (partition, codecs) in codecs.into_iter().enumerate() {
        let log = open(&dir.join(format!("t-{partition}")), &kafkas(), 0, false);
        let f = Fixture { log: Mutex::new(log), ..Fixture::new(kafkas()) };
        let random = fastrand::Rng::with_seed(round);
        let mut model = Model::of(f, random, codecs, 100 * round as i64);
        model.now = crate::clock::Clock::System.now();
        model.run(80, false);
        model.f.put("active", Some("1"));
        model.f.log().close().unwrap();
    }
}

/// Cleans `input/t-<partition>` of `round`, which was already cleaned below `checkpoint`, at the
/// time at which Kafka did; the new delete horizons reveal that time.
fn clean(round: &Path, partition: i32, checkpoint: Offset) -> Fixture {
    let dir = temporary();
    let name = format!("t-{partition}");
    copy(&round.join("input").join(&name), &dir.path().join(&name), |name| name.ends_with(".log"));
    let now = time_of_pass(&round.join("kafka").join(&name));
    let config = kafkas();
    let log = Mutex::new(open(&dir.path().join(&name), &config, 0, false));
    let f = Fixture { cleaner: cleaner(dir.path(), &[]), dir, config, log };
    let end = f.log().log_end_offset();
    f.log().set_high_watermark(end);
    let partition = f.log().topic_partition().clone();
    f.cleaner.state().checkpoints.set(f.dir.path(), &partition, checkpoint).unwrap();
    assert!(f.clean(now));
    assert_eq!(f.checkpoint(), end - 1);
    f
}

fn time_of_pass(dir: &Path) -> Timestamp {
    let horizon = batches_in(dir).iter().filter_map(Batch::delete_horizon_ms).max().unwrap();
    horizon - kafkas().delete_retention_ms
}

fn batches_in(dir: &Path) -> Vec<Batch> {
    let copied = temporary();
    let path = copied.path().join(dir.file_name().unwrap());
    copy(dir, &path, |name| name.ends_with(".log"));
    read(&open(&path, &kafkas(), 0, false), Isolation::LogEnd).0
}

/// The files of the sealed segments, by name. Kafka removes an empty transaction index together
/// with the segment that it replaces.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = Disk::Os.list(dir).unwrap();
    names.retain(|name| segment::SUFFIXES.iter().any(|suffix| name.ends_with(suffix)));
    let active = names.iter().filter(|name| name.ends_with(".log")).max().unwrap()[..20].to_owned();
    names.retain(|name| !name.starts_with(&active));
    names.into_iter().map(|name| (name.clone(), fs::read(dir.join(&name)).unwrap())).collect()
}

fn check(round: &Path, checkpoint: Offset) {
    let ours = clean(round, 0, checkpoint);
    let (ours, kafkas) = (files(&ours.path_of(0)), files(&round.join("kafka/t-0")));
    assert_eq!(ours.keys().collect::<Vec<_>>(), kafkas.keys().collect::<Vec<_>>());
    for (name, bytes) in ours {
        assert!(bytes == kafkas[&name], "{name} differs");
    }
    // Encoders differ in how they compress the same records.
    let ours = clean(round, 1, checkpoint);
    let (ours, kafkas) = (ours.batches().0, batches_in(&round.join("kafka/t-1")));
    assert_eq!(ours.len(), kafkas.len());
    for (ours, kafkas) in ours.iter().zip(&kafkas) {
        let header = |batch: &Batch| {
            let bytes = batch.to_bytes();
            // All of the header except length and checksum.
            [&bytes[..8], &bytes[12..17], &bytes[21..61]].concat()
        };
        assert_eq!(header(ours), header(kafkas));
        assert_eq!(ours.records(1 << 20).unwrap(), kafkas.records(1 << 20).unwrap());
    }
}

impl Fixture {
    fn path_of(&self, partition: i32) -> PathBuf {
        self.dir.path().join(format!("t-{partition}"))
    }
}

/// The third round has batches that were cleaned twice before, and new ones.
#[test]
fn kafka_cleans_the_same_log_to_the_same_bytes() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kafka-4.3.1/cleaned");
    match std::env::var("KLAMM_CLEANER_OUTPUT") {
        Err(_) => check(Path::new(fixture), 306),
        Ok(dir) => {
            let checkpoint = std::env::var("KLAMM_CLEANER_CHECKPOINT").unwrap();
            check(Path::new(&dir), checkpoint.parse().unwrap());
        }
    }
}
