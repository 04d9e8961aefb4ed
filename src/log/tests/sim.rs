//! Random lives of a log on a disk that crashes, tears, fails and fills up (`disk/sim.rs`),
//! compared with a model of what was acknowledged: `kill -9` loses none of it, and a power loss
//! nothing that was flushed.
//!
//! `KLAMM_SIM_SEEDS=5000 cargo test --lib log::tests::sim` runs more of them.

use super::*;
use crate::config::Config;
use crate::disk::sim::{Fault, Lie, Sim, check, is_told};
use crate::log::manager::LogManager;
use fastrand::Rng;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Mutex;

const SEEDS: u64 = 100;
const STEPS: usize = 80;
const PRODUCERS: i64 = 3;

/// A batch that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    base: Offset,
    last: Offset,
    checksum: u32,
    producer_id: i64,
    last_sequence: i32,
}

impl Known {
    fn of(batch: &Batch) -> Known {
        Known {
            base: batch.base_offset(),
            last: batch.last_offset(),
            checksum: batch.checksum(),
            producer_id: batch.producer_id(),
            last_sequence: batch.last_sequence(),
        }
    }
}

/// How the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Kill,
    PowerLoss,
}

struct Life {
    sim: Sim,
    random: Rng,
    config: Arc<TopicConfig>,
    manager: LogManager,
    log: Arc<Mutex<Log>>,
    known: Vec<Known>,
    /// Batches whose append failed with the disk; they may or may not be there.
    unsure: Vec<Known>,
    /// The model knows nothing below this offset: a log that lost everything before its start
    /// offset begins again there.
    floor: Offset,
    start: Offset,
    end: Offset,
    flushed: Offset,
    /// The log was truncated and not flushed since: a power loss may bring back what was removed.
    is_cut: bool,
    epoch: i32,
}

fn open_manager(sim: &Sim) -> Result<LogManager> {
    let config = Config::new([("log.dirs".to_owned(), "/d".to_owned())].into()).unwrap();
    let mut manager = LogManager::open(Disk::Sim(sim.clone()), &config.into())?;
    manager.claim()?;
    manager.unmark()?;
    Ok(manager)
}

fn open_log(manager: &LogManager, config: &Arc<TopicConfig>) -> Result<Arc<Mutex<Log>>> {
    let partition = TopicPartition::new("t", 0);
    let mut log = manager.open_log(&partition, Uuid::from_u128(7), config.clone(), NOW)?;
    log.set_high_watermark(manager.checkpointed_high_watermark(&partition));
    Ok(Arc::new(Mutex::new(log)))
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, end, flushed) = (self.start, self.end, self.flushed);
        let log = self.log.lock().unwrap();
        let bases: Vec<_> = log.segments.iter().map(Segment::base_offset).collect();
        let point = log.recovery_point();
        write!(f, "{start}..{end} flushed {flushed}; recovery point {point}, segments {bases:?}")
    }
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Rng::with_seed(seed);
        let config = Arc::new(TopicConfig {
            segment_bytes: random.i32(300..4000),
            index_interval_bytes: random.i32(0..500),
            retention_bytes: random.i64(2000..20_000),
            ..config()
        });
        let sim = Sim::new(random.u64(..));
        let manager = open_manager(&sim).unwrap();
        let log = open_log(&manager, &config).unwrap();
        Life {
            sim,
            random,
            config,
            manager,
            log,
            known: Vec::new(),
            unsure: Vec::new(),
            floor: 0,
            start: 0,
            end: 0,
            flushed: 0,
            is_cut: false,
            epoch: 0,
        }
    }

    fn step(&mut self) {
        if self.random.u8(0..8) == 0 {
            self.arm();
        }
        let step = self.random.u8(0..30);
        if is_told() {
            println!("step {step}: {self:?}");
        }
        let result = match step {
            0..14 => self.append(),
            14..16 => self.resend(),
            16 => self.with_log(|log| log.roll(NOW)),
            17 => self.truncate(),
            18 => self.advance(),
            19 => self.clean_up(),
            20..23 => self.flush(),
            23 => self.checkpoint(),
            24 => self.full_disk(),
            25 => {
                self.epoch += 1;
                let epoch = self.epoch;
                self.with_log(|log| log.assign_epoch_start(epoch))
            }
            26 => self.stop(),
            27 => self.restart(End::Kill),
            _ => self.restart(End::PowerLoss),
        };
        if let Err(error) = result {
            assert!(matches!(error, Error::Disk { .. }), "{error}");
            // The directory is offline. What a failed fsync left in the page cache is worthless, so
            // the next start follows a power loss.
            self.restart(End::PowerLoss).unwrap();
        }
    }

    fn with_log<T>(&mut self, work: impl FnOnce(&mut Log) -> T) -> T {
        work(&mut self.log.lock().unwrap())
    }

    /// Lets one of the next calls fail.
    fn arm(&mut self) {
        let (after, sync_only) = (self.random.u64(0..12), self.random.bool());
        self.sim.fail(Some(Fault { after, kind: ErrorKind::Other, sync_only, is_end: false }));
    }

    fn last_sequence(&self, producer_id: i64) -> Option<i32> {
        let of = |known: &&Known| known.producer_id == producer_id;
        self.known.iter().rev().find(of).map(|known| known.last_sequence)
    }

    fn make_batches(&mut self) -> Vec<Batch> {
        let mut batches = Vec::new();
        let producer_id = self.random.i64(-2..PRODUCERS).max(-1);
        let mut sequence = self.last_sequence(producer_id).map_or(0, |last| last + 1);
        for _ in 0..self.random.usize(1..4) {
            let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
            if producer_id >= 0 {
                builder = builder.producer(producer_id, 0, sequence, false);
            }
            let count = self.random.i32(1..4);
            for _ in 0..count {
                let value = vec![self.random.u8(..); self.random.usize(0..200)];
                builder.append(NOW + self.random.i64(0..1000), None, Some(&value), &[]);
            }
            batches.push(builder.build());
            sequence += count;
            if producer_id >= 0 {
                // Only one batch of each producer at a time, as a partition gets them.
                break;
            }
        }
        batches
    }

    fn append(&mut self) -> Result<()> {
        let batches = self.make_batches();
        let mut sent = Vec::new();
        let mut next = self.end;
        for mut batch in batches.clone() {
            batch.set_base_offset(next);
            next = batch.next_offset();
            sent.push(Known::of(&batch));
        }
        let (epoch, size) = (self.epoch, batches.iter().map(Batch::size).sum::<usize>());
        match self.with_log(|log| log.append(batches, epoch, Origin::Client, NOW)) {
            Ok(appended) => {
                assert_eq!((appended.base_offset, appended.last_offset), (self.end, next - 1));
                self.known.extend(sent);
                self.end = next;
            }
            Err(error) if error.code() == ResponseError::RecordListTooLarge => {
                assert!(size > self.config.segment_bytes as usize);
            }
            Err(error) if error.is_disk_full() => {}
            Err(error) => {
                self.unsure = sent;
                return Err(error);
            }
        }
        let end = self.end;
        self.with_log(|log| {
            assert_eq!(log.log_end_offset(), end);
            log.set_high_watermark(end);
        });
        Ok(())
    }

    /// A batch that is sent again is found where it is.
    fn resend(&mut self) -> Result<()> {
        let producer_id = self.random.i64(0..PRODUCERS);
        let Some(last) = self.known.iter().rev().find(|known| known.producer_id == producer_id)
        else {
            return Ok(());
        };
        let (last, epoch) = (last.clone(), self.epoch);
        if last.base < self.start.max(self.floor) {
            return Ok(());
        }
        let count = (last.last - last.base) as i32 + 1;
        let mut builder = BatchBuilder::new(0, Compression::Uncompressed).producer(
            producer_id,
            0,
            last.last_sequence - count + 1,
            false,
        );
        (0..count).for_each(|_| builder.append(NOW, None, None, &[]));
        let batch = vec![builder.build()];
        let error = self.with_log(|log| log.append(batch, epoch, Origin::Client, NOW));
        match error {
            Err(Error::Duplicate { base_offset, .. }) => assert_eq!(base_offset, last.base),
            other => panic!("{other:?}, sent again: {last:?}; known {:?}", self.known),
        }
        Ok(())
    }

    fn truncate(&mut self) -> Result<()> {
        let at = self.random.usize(0..=self.known.len());
        let Some(offset) = self.known.get(at).map(|known| known.base) else { return Ok(()) };
        if offset < self.floor {
            return Ok(());
        }
        self.sim.fail(None);
        self.known.truncate(at);
        self.end = offset;
        self.flushed = self.flushed.min(offset);
        self.is_cut = true;
        self.with_log(|log| log.truncate_to(offset))?;
        self.start = self.with_log(|log| log.log_start_offset());
        self.checkpoint()
    }

    fn advance(&mut self) -> Result<()> {
        let offset = self.random.i64(self.start..=self.end);
        self.start = offset;
        self.with_log(|log| log.advance_log_start(offset))
    }

    fn clean_up(&mut self) -> Result<()> {
        let cleaned = self.with_log(|log| log.clean_up(NOW));
        self.start = self.with_log(|log| log.log_start_offset());
        if self.random.bool() {
            self.with_log(|log| log.take_trash(Timestamp::MAX)())?;
        }
        cleaned.map(drop)
    }

    fn flush(&mut self) -> Result<()> {
        self.with_log(Log::flush)?;
        self.note_flush();
        Ok(())
    }

    fn note_flush(&mut self) {
        // As in Kafka, a log whose records are all deleted need not be durable.
        if self.end > self.flushed && self.end > self.start {
            (self.flushed, self.is_cut) = (self.end, false);
        }
    }

    fn checkpoint(&mut self) -> Result<()> {
        let logs = HashMap::from([(TopicPartition::new("t", 0), self.log.clone())]);
        self.manager.checkpoint(&logs)
    }

    /// Everything is refused and leaves nothing behind; when there is room, everything continues.
    fn full_disk(&mut self) -> Result<()> {
        self.sim.leave_free(self.random.u64(0..600));
        for _ in 0..self.random.usize(1..8) {
            let done = match self.random.u8(0..6) {
                0..4 => self.append(),
                4 => self.clean_up(),
                _ => self.checkpoint(),
            };
            match done {
                Err(error) if error.is_disk_full() => {}
                done => done.inspect_err(|_| self.sim.leave_free(u64::MAX))?,
            }
        }
        self.check();
        if self.random.bool() {
            // Nothing of a refused append comes back.
            self.sim.leave_free(u64::MAX);
            return self.restart(End::Kill);
        }
        self.sim.leave_free(u64::MAX);
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.with_log(Log::close)?;
        self.note_flush();
        self.checkpoint()?;
        self.manager.mark_clean_shutdown(5, |_| true)?;
        self.restart(End::Clean)
    }

    fn restart(&mut self, end: End) -> Result<()> {
        // A failure here would only cause another start, so there is none.
        self.sim.fail(None);
        if end == End::PowerLoss {
            self.sim.lose_power();
        }
        self.manager = open_manager(&self.sim)?;
        self.log = open_log(&self.manager, &self.config)?;
        self.compare(end);
        self.epoch = self.epoch.max(self.with_log(|log| log.latest_epoch()));
        let log_end = self.end;
        self.with_log(|log| log.set_high_watermark(log_end));
        Ok(())
    }

    fn compare(&mut self, ended: End) {
        let (start, end) = self.with_log(|log| (log.log_start_offset(), log.log_end_offset()));
        let seen = self.read_all();
        if ended == End::PowerLoss {
            assert!(end >= self.flushed, "{end} < {} that were flushed", self.flushed);
        }
        if ended == End::PowerLoss && self.is_cut {
            // Anything that was ever there may be there now; only what was flushed is certain.
            self.known.retain(|known| known.last < start);
            self.known.extend(seen);
            (self.floor, self.is_cut) = (start, false);
        } else {
            if ended == End::PowerLoss {
                // As in Kafka, what was not flushed may be gone, even before records that are not.
                self.known.append(&mut self.unsure);
                let flushed = self.flushed.max(start);
                self.known.retain(|known| known.last < flushed || seen.contains(known));
                if start == end {
                    self.floor = end;
                }
            } else {
                assert_eq!(end, self.end, "after {ended:?}");
            }
            if ended == End::Clean {
                assert_eq!(start, self.start, "after a clean stop");
            }
            assert!(start <= self.start.max(self.floor), "{start} > {}", self.start);
            self.assert_known(&seen, start);
        }
        self.unsure.clear();
        (self.start, self.end, self.flushed) = (start, end, self.flushed.min(end));
    }

    fn assert_known(&self, seen: &[Known], start: Offset) {
        let from = start.max(self.floor);
        let expected: Vec<_> = self.known.iter().filter(|known| known.last >= from).collect();
        let seen: Vec<_> = seen.iter().filter(|known| known.last >= from).collect();
        assert_eq!(seen, expected);
    }

    fn check(&mut self) {
        let (start, end) = self.with_log(|log| (log.log_start_offset(), log.log_end_offset()));
        assert_eq!((start, end), (self.start, self.end));
        let seen = self.read_all();
        self.assert_known(&seen, start);
    }

    fn read_all(&mut self) -> Vec<Known> {
        self.with_log(|log| {
            let (mut from, mut seen) = (log.log_start_offset(), Vec::new());
            while from < log.log_end_offset() {
                let read = log.read(from, 1 << 20, Isolation::LogEnd, true).unwrap();
                for range in &read.ranges {
                    let mut bytes = range.read().unwrap();
                    while !bytes.is_empty() {
                        let batch = Batch::split_from(&mut bytes).unwrap();
                        assert!(batch.checksum_holds());
                        from = batch.next_offset();
                        seen.push(Known::of(&batch));
                    }
                }
                if read.ranges.is_empty() {
                    // A power loss took all batches from here on, but not the later segments.
                    break;
                }
            }
            seen
        })
    }
}

/// Runs one life; returns the trace of its disk calls.
fn live(seed: u64, lie: Option<Lie>) -> u64 {
    let mut life = Life::new(seed);
    lie.into_iter().for_each(|lie| life.sim.lie(lie));
    for _ in 0..STEPS {
        life.step();
    }
    life.sim.fail(None);
    life.check();
    life.restart(End::PowerLoss).unwrap();
    life.sim.trace()
}

#[test]
fn nothing_acknowledged_is_lost() {
    check("log::tests::sim", SEEDS, live);
}
