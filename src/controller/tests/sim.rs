//! Random lives of a metadata log on a disk that crashes, tears, fails and fills up
//! (`disk/sim.rs`): after every start, everything that `flush` committed is there.
//!
//! `KLAMM_SIM_SEEDS=5000 cargo test --lib controller::tests::sim` runs more of them.

use crate::codec::schema::metadata::ConfigRecord;
use crate::config::TopicConfig;
use crate::controller::metadata_log::LogOptions;
use crate::controller::quorum::{Options, Quorum};
use crate::disk::Disk;
use crate::disk::sim::{Fault, Lie, Sim, check, is_told};
use crate::error::{Error, Result};
use crate::metadata::Loader;
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, SnapshotId};
use crate::metadata::{BROKER_CONFIG, Image, features};
use crate::types::{Offset, Timestamp};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

const SEEDS: u64 = 60;
const STEPS: usize = 80;
const NOW: Timestamp = 1_700_000_000_000;

type Settings = Arc<BTreeMap<String, String>>;

struct Life {
    sim: Sim,
    random: Rng,
    now: Timestamp,
    options: Options,
    quorum: Quorum,
    loader: Loader,
    /// The settings in the image after each batch, acknowledged or not.
    history: BTreeMap<Offset, Settings>,
    committed: Offset,
    values: u32,
}

fn some_options(random: &mut Rng) -> Options {
    let log = TopicConfig {
        segment_bytes: random.i32(500..3000),
        index_interval_bytes: random.i32(0..500),
        retention_bytes: -1,
        compact: false,
        delete: true,
        ..crate::log::tests::config()
    };
    Options {
        node_id: 1,
        cluster_id: "c".to_owned(),
        directory_id: Uuid::from_u128(7),
        static_voters: if random.bool() { vec![1] } else { Vec::new() },
        listeners: vec![("CONTROLLER".to_owned(), "localhost".to_owned(), 9093)],
        log: LogOptions {
            log: Arc::new(log),
            retention_bytes: if random.bool() { -1 } else { random.i64(1000..5000) },
            retention_ms: if random.bool() { -1 } else { random.i64(1000..60_000) },
        },
    }
}

fn settings(image: &Image) -> Settings {
    image.configs_of(BROKER_CONFIG, "")
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Rng::with_seed(seed);
        let sim = Sim::new(random.u64(..));
        sim.leave_free(4 << 20);
        let disk = Disk::Sim(sim.clone());
        disk.create_dir(Path::new("/d")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk.keep_reserve(Path::new("/d")).unwrap();
        let options = some_options(&mut random);
        let opened = Quorum::open(disk, Path::new("/d"), options.clone(), NOW).unwrap();
        let mut life = Life {
            sim,
            random,
            now: NOW,
            options,
            quorum: opened.quorum,
            loader: opened.loader,
            history: BTreeMap::new(),
            committed: 0,
            values: 0,
        };
        life.note();
        life.lead().unwrap();
        life
    }

    fn note(&mut self) {
        self.history.insert(self.quorum.end_offset(), settings(&self.loader.image));
    }

    fn lead(&mut self) -> Result<()> {
        self.quorum.become_leader(self.now)?;
        self.loader.image.offset = self.quorum.end_offset() - 1;
        self.loader.image.epoch = self.quorum.epoch();
        self.loader.timestamp = self.now;
        self.note();
        self.flush()
    }

    fn step(&mut self) {
        if self.random.u8(0..8) == 0 {
            self.arm();
        }
        self.now += self.random.i64(0..1000);
        let step = self.random.u8(0..32);
        if is_told() {
            let (end, committed) = (self.quorum.end_offset(), self.committed);
            println!("step {step}: {committed} of {end}");
        }
        let done = match step {
            0..14 => self.append(),
            14..20 => self.flush(),
            20..24 => self.snapshot(),
            24 => self.quorum.log().clean_up(self.now),
            25 => self.full_disk(),
            26 => {
                // After a failed fsync the state in memory is worthless.
                let is_failed = self.quorum.close().is_err();
                self.restart(is_failed)
            }
            27 => self.restart(false),
            _ => self.restart(true),
        };
        match done {
            Ok(()) => {}
            Err(error) if error.is_disk_full() => {}
            Err(error) => {
                assert!(matches!(error, Error::Disk { .. }), "{error}");
                let is_kill = self.sim.is_dead() && self.random.bool();
                self.restart(!is_kill).unwrap();
            }
        }
    }

    fn arm(&mut self) {
        let random = &mut self.random;
        let is_end = random.bool();
        let kind = if !is_end && random.bool() { ErrorKind::StorageFull } else { ErrorKind::Other };
        let (after, sync_only) = (random.u64(0..20), random.u8(0..3) == 0);
        self.sim.fail(Some(Fault { after, kind, sync_only, is_end }));
    }

    fn append(&mut self) -> Result<()> {
        let mut next = self.loader.clone();
        let mut records = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            self.values += 1;
            let record = MetadataRecord::Config(ConfigRecord {
                resource_type: BROKER_CONFIG,
                resource_name: String::new(),
                name: format!("key.{}", self.random.u8(0..10)),
                value: (self.random.u8(0..5) > 0).then(|| format!("{:0>60}", self.values)),
            });
            next.replay(&record).unwrap();
            records.push(record);
        }
        let end = self.quorum.end_offset() + records.len() as Offset;
        let done = self.quorum.append(&records, features::METADATA_VERSION_4_3, self.now);
        if !matches!(&done, Err(error) if error.is_disk_full()) {
            // If the disk failed, the batch may or may not be there.
            self.history.insert(end, settings(&next.image));
        }
        assert_eq!(done?.0, end - 1);
        next.image.offset = end - 1;
        next.image.epoch = self.quorum.epoch();
        next.timestamp = self.now;
        self.loader = next;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.quorum.flush()?;
        self.committed = self.quorum.end_offset();
        Ok(())
    }

    /// As in the controller, a snapshot contains only what is committed.
    fn snapshot(&mut self) -> Result<()> {
        self.flush()?;
        let image = &self.loader.image;
        let id = SnapshotId { offset: image.offset + 1, epoch: image.epoch };
        if image.offset + 1 != self.committed || self.quorum.log().latest_snapshot() == Some(id) {
            return Ok(());
        }
        let head = self.quorum.snapshot_head(self.now, features::METADATA_VERSION_4_3);
        let (disk, dir) = (Disk::Sim(self.sim.clone()), self.quorum.log().dir().to_owned());
        snapshot::write(&disk, &dir, id, &head, image.to_records(), self.now)?;
        self.quorum.log().snapshot_written(id, self.now)
    }

    fn full_disk(&mut self) -> Result<()> {
        self.sim.leave_free(self.random.u64(0..500));
        for _ in 0..self.random.usize(1..6) {
            let done = if self.random.bool() { self.append() } else { self.snapshot() };
            match done {
                Err(error) if error.is_disk_full() => {}
                done => done.inspect_err(|_| self.sim.leave_free(4 << 20))?,
            }
        }
        let restarted = if self.random.bool() { self.restart(false) } else { Ok(()) };
        self.sim.leave_free(4 << 20);
        match restarted {
            // Becoming the leader needs room for a record. Now there is room, so start again.
            Err(error) if error.is_disk_full() => self.restart(false),
            restarted => restarted,
        }
    }

    fn restart(&mut self, is_power_loss: bool) -> Result<()> {
        self.sim.fail(None);
        if is_power_loss {
            self.sim.lose_power();
        }
        if is_told() {
            println!("restart, power lost: {is_power_loss}");
        }
        if self.random.u8(0..4) == 0 {
            let after = self.random.u64(0..15);
            let kind = ErrorKind::Other;
            self.sim.fail(Some(Fault { after, kind, sync_only: false, is_end: true }));
            drop(self.reopen());
            self.sim.fail(None);
            if is_power_loss && self.random.bool() {
                self.sim.lose_power();
            }
        }
        self.reopen()
    }

    fn reopen(&mut self) -> Result<()> {
        let disk = Disk::Sim(self.sim.clone());
        let opened = Quorum::open(disk, Path::new("/d"), self.options.clone(), self.now)?;
        (self.quorum, self.loader) = (opened.quorum, opened.loader);
        let end = self.quorum.end_offset();
        assert!(end >= self.committed, "{end} < {} that were committed", self.committed);
        let (_, expected) = self.history.range(..=end).next_back().unwrap();
        assert_eq!(&settings(&self.loader.image), expected, "at {end}");
        self.history.split_off(&(end + 1));
        self.note();
        self.lead()
    }
}

/// Lives one life; answers the trace of its calls to the disk.
fn live(seed: u64, lie: Option<Lie>) -> u64 {
    let mut life = Life::new(seed);
    lie.into_iter().for_each(|lie| life.sim.lie(lie));
    for _ in 0..STEPS {
        life.step();
    }
    life.restart(true).unwrap();
    life.sim.trace()
}

#[test]
fn what_was_committed_is_there() {
    check("controller::tests::sim", SEEDS, live);
}
