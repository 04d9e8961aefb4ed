//! Damaged segments: what a client reads is the same at every start, and no record that was there
//! is passed over without an error or a line that names it.

use super::{Peer, call, create, name, wait_for};
use crate::support::Broker;
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

const CORRUPT_MESSAGE: i16 = 2;
const STORAGE_ERROR: i16 = 56;
/// Of 60,000 bytes each. A segment takes 17 of them.
const RECORDS: i64 = 40;
const SECOND: i64 = 17;
const THIRD: i64 = 34;

/// The error code and the offset.
fn produce(peer: &Peer, partition: i32) -> (i16, i64) {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(1_700_000_000_000, None, Some(&[7; 60_000]), &[]);
    let records = builder.build().to_bytes();
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name("t")).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let answer = &call(peer, 9, &request).responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// The offsets that a consumer sees, and the error that ends it.
fn consume(peer: &Peer, partition: i32) -> (Vec<i64>, i16) {
    let (mut from, mut seen) = (0, Vec::new());
    while from < RECORDS {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(from)
            .with_partition_max_bytes(200_000);
        let topic = FetchTopic::default().with_topic(name("t")).with_partitions(vec![asked]);
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = &call(peer, 12, &request).responses[0].partitions[0];
        if answer.error_code != 0 {
            return (seen, answer.error_code);
        }
        let mut bytes = answer.records.clone().unwrap();
        let before = seen.len();
        while bytes.len() >= 12 {
            let size = i32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
            if size + 12 > bytes.len() {
                break;
            }
            let batch = bytes.split_to(size + 12);
            seen.push(i64::from_be_bytes(batch[..8].try_into().unwrap()));
        }
        assert!(seen.len() > before, "nothing at {from}");
        from = seen[seen.len() - 1] + 1;
    }
    (seen, 0)
}

fn file(dir: &Path, base: i64, suffix: &str) -> PathBuf {
    dir.join(format!("{base:020}{suffix}"))
}

fn copy(dir: &Path, from: i64, to: i64, suffixes: &[&str]) {
    for suffix in suffixes {
        fs::copy(file(dir, from, suffix), file(dir, to, suffix)).unwrap();
    }
}

fn change(path: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, change(bytes)).unwrap();
}

/// A row for each partition.
struct Damage {
    name: &'static str,
    spoil: fn(&Path),
    seen: &'static [Range<i64>],
    error: i16,
    says: &'static str,
}

#[allow(clippy::single_range_in_vec_init, reason = "a list of ranges")]
const DAMAGES: &[Damage] = &[
    Damage { name: "none", spoil: |_| (), seen: &[0..RECORDS], error: 0, says: "" },
    Damage {
        name: "a sealed segment is cut within its first batch",
        spoil: |dir| change(&file(dir, SECOND, ".log"), |bytes| bytes[..777].to_vec()),
        seen: &[0..SECOND],
        error: CORRUPT_MESSAGE,
        says: "00000000000000000017.log: the batch at byte 0, with offset 17, is damaged",
    },
    Damage {
        name: "a sealed segment is cut behind a batch",
        spoil: |dir| {
            change(&file(dir, SECOND, ".log"), |bytes| {
                let batch = bytes.len() / (THIRD - SECOND) as usize;
                bytes[..3 * batch].to_vec()
            });
        },
        seen: &[0..SECOND + 3],
        error: CORRUPT_MESSAGE,
        says: "and its indexes tell of records from offset 20 on",
    },
    Damage {
        name: "the end of a sealed segment is overwritten",
        spoil: |dir| {
            change(&file(dir, SECOND, ".log"), |mut bytes| {
                let half = bytes.len() / 2;
                bytes[half..].fill(0);
                bytes
            });
        },
        seen: &[0..SECOND + 9],
        error: CORRUPT_MESSAGE,
        says: "00000000000000000017.log: the batch at byte 540648, with offset 26, is damaged",
    },
    Damage {
        name: "a length in a sealed segment is wrong",
        spoil: |dir| {
            change(&file(dir, SECOND, ".log"), |mut bytes| {
                bytes[8..12].copy_from_slice(&5i32.to_be_bytes());
                bytes
            });
        },
        seen: &[0..SECOND],
        error: CORRUPT_MESSAGE,
        says: "17.log: the batch at byte 0, with offset 17, is damaged. Nothing was cut off. Restore",
    },
    Damage {
        name: "a sealed segment is missing",
        spoil: |dir| fs::remove_file(file(dir, SECOND, ".log")).unwrap(),
        seen: &[0..SECOND, THIRD..RECORDS],
        error: 0,
        says: "the offsets 17 to 33",
    },
    Damage {
        name: "a segment is doubled",
        spoil: |dir| copy(dir, SECOND, SECOND + 3, &[".log"]),
        seen: &[],
        error: STORAGE_ERROR,
        says: "00000000000000000020.log: it has offset 17, and its place is from 20 up to 34",
    },
    Damage {
        name: "a segment is doubled with its indexes",
        spoil: |dir| copy(dir, SECOND, SECOND + 3, &[".log", ".index", ".timeindex"]),
        seen: &[0..SECOND],
        error: CORRUPT_MESSAGE,
        says: "00000000000000000017.log: it has offset 33, and its place is from 17 up to 20",
    },
    Damage {
        name: "the last segment is overwritten",
        spoil: |dir| change(&file(dir, THIRD, ".log"), |bytes| vec![0; bytes.len()]),
        seen: &[],
        error: STORAGE_ERROR,
        says: "00000000000000000040.snapshot tells of records from offset 34 on",
    },
    Damage {
        name: "the last segment is cut",
        spoil: |dir| {
            change(&file(dir, THIRD, ".log"), |bytes| bytes[..bytes.len() - 20].to_vec());
        },
        seen: &[],
        error: STORAGE_ERROR,
        says: "00000000000000000040.snapshot tells of records from offset 39 on",
    },
];

#[test]
fn no_record_is_lost_silently_at_any_start() {
    for (was_killed, is_killed) in [(false, false), (true, true), (false, true)] {
        // After `kill -9`, the snapshots of idle logs count.
        let mut broker =
            Broker::start_with(&[("replica.high.watermark.checkpoint.interval.ms", "100")]);
        let peer = Peer::connect(broker.port);
        create(&peer, "t", DAMAGES.len() as i32, &[("segment.bytes", "1048576")]);
        for partition in 0..DAMAGES.len() as i32 {
            (0..RECORDS).for_each(|at| assert_eq!(produce(&peer, partition), (0, at)));
        }
        let data = broker.data_dir();
        let dir = |partition: usize| data.join(format!("t-{partition}"));
        wait_for("the snapshots of idle logs", || {
            (0..DAMAGES.len()).all(|at| file(&dir(at), RECORDS, ".snapshot").exists())
        });
        if was_killed {
            broker.kill()
        } else {
            broker.stop();
            // As if the directories had been copied or the machine started anew.
            fs::remove_file(data.join(".klamm-boot")).unwrap();
        }
        DAMAGES.iter().enumerate().for_each(|(at, damage)| (damage.spoil)(&dir(at)));
        for start in 0..3 {
            let logged = broker.log().len();
            broker.launch();
            let peer = Peer::connect(broker.port);
            for (at, Damage { name, seen, error, says, .. }) in DAMAGES.iter().enumerate() {
                let expected: Vec<i64> = seen.iter().cloned().flatten().collect();
                let row = format!("{name}, killed: {was_killed}, {is_killed}, start {start}");
                assert_eq!(consume(&peer, at as i32), (expected, *error), "{row}");
                let log = &broker.log()[logged..];
                assert!(log.contains(says), "{row}: {says} is not in {log}");
                if *error == STORAGE_ERROR {
                    assert_eq!(produce(&peer, at as i32).0, STORAGE_ERROR, "{row}");
                }
            }
            if is_killed { broker.kill() } else { broker.stop() }
        }
    }
}
