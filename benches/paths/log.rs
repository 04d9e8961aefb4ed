//! The log of one partition, without a broker.

use crate::{SIZES, fixtures, topic_config};
use divan::Bencher;
use divan::counter::BytesCount;
use klamm::clock::Clock;
use klamm::config::Compression;
use klamm::disk::Disk;
use klamm::log::{Log, OpenOptions, Origin, Stopped};
use klamm::types::Isolation;
use std::path::Path;

/// The number of batches in the log.
const BATCHES: i64 = 50_000;

#[divan::bench(args = SIZES)]
fn append(bencher: Bencher, size: usize) {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, batch) = (open(dir.path()), fixtures::batch(1, size, Compression::Uncompressed));
    let mut now = Clock::System.now();
    bencher.counter(BytesCount::new(batch.size())).bench_local(|| {
        now += 1;
        let mut batch = batch.clone();
        batch.set_max_timestamp(now, false);
        log.append(vec![batch], 0, Origin::Client, now).unwrap()
    });
}

/// Finds the range of the file for an offset.
#[divan::bench]
fn look_up(bencher: Bencher) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let batch = fixtures::batch(1, 1200, Compression::Uncompressed);
    for _ in 0..BATCHES {
        log.append(vec![batch.clone()], 0, Origin::Client, 0).unwrap();
    }
    log.set_high_watermark(log.log_end_offset());
    let mut random = fastrand::Rng::with_seed(1);
    let end = log.log_end_offset();
    bencher.with_inputs(|| random.i64(0..end)).bench_local_values(|from| {
        log.read(from, 1 << 20, Isolation::HighWatermark, true).unwrap()
    });
}

fn open(dir: &Path) -> Log {
    let options = OpenOptions {
        config: topic_config(),
        log_start_offset: 0,
        recovery_point: 0,
        cleaned_below: 0,
        stopped: Stopped::Cleanly,
        leader_epochs: None,
        now: Clock::System.now(),
    };
    Log::open(&Disk::Os, &dir.join("bench-0"), options).unwrap()
}
