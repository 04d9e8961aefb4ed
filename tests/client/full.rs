//! A full disk, on a real file system of a few MiB.

use super::{admin, block_on, config, create_topic, expected, read, send};
use crate::support::Broker;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SECONDS: Duration = Duration::from_secs(10);
const NO_RETRIES: &[(&str, &str)] = &[
    ("message.send.max.retries", "0"),
    // One record per request, so that each is accepted or refused alone.
    ("batch.num.messages", "1"),
    ("max.in.flight", "1"),
];

/// A tmpfs that is unmounted when dropped.
struct Mount(TempDir);

impl Mount {
    /// None if mounting is not allowed; the test then says that it is skipped.
    fn new(size: &str) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(dir.path());
        match command.output() {
            Ok(output) if output.status.success() => Some(Mount(dir)),
            Ok(output) => {
                println!("skipped: cannot mount: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped: cannot mount: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn start(&self, settings: &[(&str, &str)]) -> Broker {
        let dirs = self.path().join("data").display().to_string();
        let own = [("log.dirs", dirs.as_str()), ("offsets.topic.num.partitions", "2")];
        Broker::start_with(&[&own, settings].concat())
    }

    /// Uses up every free byte.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

fn large_values(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| format!("{n:06}-{}", "x".repeat(30_000))).collect()
}

/// A broker and the values that it has accepted, in order.
struct Load<'a> {
    broker: &'a Broker,
    written: Vec<String>,
}

impl Load<'_> {
    /// Sends until the disk is full. Records are accepted up to one of them, and all later ones are
    /// refused.
    fn until_full(&mut self) {
        let values = large_values(self.written.len(), 300);
        let sent = send(self.broker, NO_RETRIES, "t", 0, &values);
        let taken = sent.iter().take_while(|result| result.is_ok()).count();
        assert!(taken < values.len(), "never full");
        for refused in &sent[taken..] {
            let code = refused.as_ref().unwrap_err().rdkafka_error_code();
            assert_eq!(code, Some(RDKafkaErrorCode::KafkaStorageError));
        }
        self.written.extend_from_slice(&values[..taken]);
    }

    /// Sends `count` records with a producer that retries, as producers do by default. All must be
    /// accepted without a restart.
    fn goes_on(&mut self, count: usize) {
        let more = large_values(self.written.len(), count);
        let settings = [("enable.idempotence", "true"), ("retry.backoff.ms", "20")];
        let sent = send(self.broker, &settings, "t", 0, &more);
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        self.written.extend(more);
    }

    fn check(&self, from: usize) {
        let written = &self.written[from..];
        let seen = read(self.broker, "t", 0, Offset::Offset(from as i64), written.len());
        assert!(seen == expected(written, from as i64), "not what was acknowledged");
    }
}

fn commit(broker: &Broker, offset: i64) {
    let consumer: BaseConsumer = config(broker, &[("group.id", "g")]).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    consumer.assign(&offsets).unwrap();
    let committed = consumer.committed(SECONDS).unwrap();
    let found = committed.find_partition("t", 0).unwrap().offset();
    assert_eq!(found, Offset::Offset(offset));
}

fn set(broker: &Broker, name: &str, value: &str) {
    let config = AlterConfig::new(ResourceSpecifier::Topic("t")).set(name, value);
    let altered = block_on(admin(broker).alter_configs([&config], &AdminOptions::new())).unwrap();
    assert!(altered[0].is_ok(), "{altered:?}");
}

fn delete_records(broker: &Broker, below: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(below)).unwrap();
    let deleted = block_on(admin(broker).delete_records(&offsets, &AdminOptions::new())).unwrap();
    assert!(deleted.find_partition("t", 0).unwrap().error().is_ok());
}

fn first_offset(broker: &Broker) -> i64 {
    let consumer: BaseConsumer = config(broker, &[]).create().unwrap();
    consumer.fetch_watermarks("t", 0, SECONDS).unwrap().0
}

/// The first offset once retention deletes no more. While the disk is full it runs several times a
/// second.
fn settled_first_offset(broker: &Broker) -> i64 {
    let mut first = first_offset(broker);
    loop {
        std::thread::sleep(Duration::from_secs(1));
        match first_offset(broker) {
            same if same == first => return first,
            later => first = later,
        }
    }
}

#[test]
fn a_full_disk_refuses_producers_only_and_heals() {
    let Some(mount) = Mount::new("8m") else { return };
    let mut broker = mount.start(&[]);
    create_topic(&broker, "t", 1, &[("segment.bytes", "1048576")]);
    commit(&broker, 0);
    let mut load = Load { broker: &broker, written: Vec::new() };
    load.until_full();
    load.check(0);
    commit(&broker, 5);
    set(&broker, "segment.bytes", "1048577");
    create_topic(&broker, "other", 1, &[]);
    let options = AdminOptions::new();
    let deleted = block_on(admin(&broker).delete_topics(&["other"], &options)).unwrap();
    assert_eq!(deleted, [Ok("other".to_owned())]);
    // Deleting records makes room at once, without a restart.
    let below = load.written.len() as i64 / 2;
    delete_records(&broker, below);
    load.goes_on(3);
    load.check(below as usize);
    // Now no byte is free, not even for the files that the broker writes at its stop and start.
    load.until_full();
    let written = load.written;
    let filler = mount.fill();
    broker.signal("TERM");
    let (status, last) = broker.end();
    assert_eq!(status, Some(1), "{last}");
    assert!(last.contains("no clean stop") && last.contains("No space left"), "{last}");
    mount.fill();
    broker.launch();
    let mut load = Load { broker: &broker, written };
    load.check(below as usize);
    commit(&broker, 7);
    let sent = send(&broker, NO_RETRIES, "t", 0, &large_values(0, 1));
    assert!(sent[0].is_err());
    std::fs::remove_file(filler).unwrap();
    delete_records(&broker, below + 40);
    load.goes_on(3);
    load.check(below as usize + 40);
    let log = broker.log();
    assert!(log.contains("the disk is full") && !log.contains("goes offline"), "{log}");
}

#[test]
fn retention_makes_room_before_its_time() {
    let Some(mount) = Mount::new("8m") else { return };
    // The next regular run of retention is five minutes away.
    let mut broker = mount.start(&[]);
    let settings = [("segment.bytes", "1048576"), ("retention.bytes", "3000000")];
    create_topic(&broker, "t", 1, &settings);
    let mut load = Load { broker: &broker, written: Vec::new() };
    // The moment of deletion is unknown: a producer that retries never sees that the disk was full.
    load.goes_on(500);
    let first = settled_first_offset(&broker);
    assert!(first > 100, "{first}");
    load.check(first as usize);
    let written = load.written;
    broker.kill();
    mount.fill();
    broker.launch();
    let mut load = Load { broker: &broker, written };
    load.check(settled_first_offset(&broker) as usize);
    std::fs::remove_file(mount.path().join("filler")).unwrap();
    load.goes_on(3);
}
