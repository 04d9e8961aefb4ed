//! Random operations, compared with a list of batches. A failing seed is printed; add it to
//! `SEEDS`.

use super::*;
use fastrand::Rng;

const SEEDS: std::ops::Range<u64> = 0..12;

struct Model {
    f: Fixture,
    random: Rng,
    /// Base offset, last offset and size of each batch.
    batches: Vec<(Offset, Offset, usize)>,
    log_start: Offset,
    end: Offset,
    epoch: i32,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Rng::with_seed(seed);
        let config = TopicConfig {
            segment_bytes: random.i32(300..3000),
            index_interval_bytes: random.i32(0..500),
            ..config()
        };
        let f = Fixture::new(config);
        Model { f, random, batches: Vec::new(), log_start: 0, end: 0, epoch: 0 }
    }

    fn step(&mut self) {
        match self.random.u8(0..21) {
            0..10 => self.append(),
            10 => self.f.log.roll(NOW).unwrap(),
            11 => self.truncate(),
            12 => self.advance(),
            13 => drop(self.f.log.clean_up(NOW).unwrap()),
            14 => self.f.log.flush().unwrap(),
            15 => self.epoch += 1,
            16 => self.reopen(),
            17 => self.crash(),
            18 => self.f.log.settle().unwrap(),
            _ => self.read(),
        }
    }

    fn append(&mut self) {
        let batches: Vec<_> = (0..self.random.usize(1..20))
            .map(|_| batch(self.random.usize(1..3), NOW + self.random.i64(0..1000)))
            .collect();
        let sizes: Vec<_> = batches.iter().map(Batch::size).collect();
        let counts: Vec<_> = batches.iter().map(|batch| Offset::from(batch.count())).collect();
        let appended = self.f.log.append(batches, self.epoch, Origin::Client, NOW);
        if sizes.iter().sum::<usize>() > self.f.config.segment_bytes as usize {
            assert_eq!(appended.unwrap_err().code(), ResponseError::RecordListTooLarge);
            return;
        }
        assert_eq!(appended.unwrap().base_offset, self.end);
        for (size, count) in sizes.into_iter().zip(counts) {
            self.batches.push((self.end, self.end + count - 1, size));
            self.end += count;
        }
        self.f.log.set_high_watermark(self.end);
    }

    fn truncate(&mut self) {
        let at = self.random.usize(0..=self.batches.len());
        let Some(&(offset, ..)) = self.batches.get(at) else { return };
        self.f.log.truncate_to(offset).unwrap();
        self.batches.truncate(at);
        self.end = offset;
        self.log_start = self.log_start.min(offset);
    }

    fn advance(&mut self) {
        self.log_start = self.random.i64(self.log_start..=self.end);
        self.f.log.advance_log_start(self.log_start).unwrap();
    }

    /// Stops the machine. Unflushed data of the active segment is lost from some byte on, while
    /// indexes and snapshots may be further ahead.
    fn crash(&mut self) {
        let (base, durable) = (self.f.log.active_base(), self.f.log.recovery_point());
        let active = self.batches.partition_point(|batch| batch.0 < base);
        let flushed = self.batches[active..].iter().filter(|batch| batch.1 < durable);
        let flushed: usize = flushed.map(|batch| batch.2).sum();
        let cut = self.random.usize(flushed..=self.f.log.active().size() as usize);
        self.f.log.active_mut().seal().unwrap();
        self.f.log.active().file().unwrap().truncate(cut as u64).unwrap();
        let mut left = cut;
        let whole = self.batches[active..]
            .iter()
            .take_while(|batch| left.checked_sub(batch.2).inspect(|rest| left = *rest).is_some())
            .count();
        self.batches.truncate(active + whole);
        self.end = self.batches.last().map_or(base, |batch| batch.1 + 1).max(base);
        if self.end < self.log_start {
            // As in Kafka, the log then begins again at its start offset.
            self.batches.clear();
            self.end = self.log_start;
        }
        self.open(Stopped::Unknown);
    }

    fn reopen(&mut self) {
        let stopped = match self.random.u8(0..4) {
            0 => Stopped::Unknown,
            1 => Stopped::Killed,
            _ => Stopped::Cleanly,
        };
        if stopped == Stopped::Cleanly {
            self.f.log.close().unwrap();
        }
        self.open(stopped);
    }

    fn open(&mut self, stopped: Stopped) {
        let options = OpenOptions {
            config: Arc::new(self.f.config.clone()),
            log_start_offset: self.log_start,
            recovery_point: self.f.log.recovery_point(),
            cleaned_below: 0,
            stopped,
            leader_epochs: None,
            now: NOW,
        };
        self.f.log = Log::open(&Disk::Os, &self.f.path(), options).unwrap();
        self.f.log.set_high_watermark(self.end);
    }

    fn read(&mut self) {
        let from = self.random.i64(self.log_start..=self.end);
        let bound = self.random.i64(self.log_start..=self.end);
        let max_bytes = self.random.usize(0..3000);
        let at_least_one = self.random.bool();
        self.f.log.set_high_watermark(bound);
        let read = self.f.log.read(from, max_bytes, Isolation::HighWatermark, at_least_one);
        self.f.log.set_high_watermark(self.end);
        let (read, mut left) = (read.unwrap(), max_bytes);
        let first_fits = self.batches.iter().find(|(_, last, _)| *last >= from);
        let most = first_fits.map_or(0, |(_, _, size)| *size).max(max_bytes);
        assert!(read.bytes <= if at_least_one { most } else { max_bytes });
        let seen = batches(&read);
        let first = self.batches.partition_point(|(_, last, _)| *last < from);
        let mut fitting = Vec::new();
        for &(base, last, size) in &self.batches[first..] {
            let fits = size <= left || (at_least_one && fitting.is_empty());
            if last >= bound || from >= bound || !fits {
                break;
            }
            fitting.push((base, last));
            left = left.saturating_sub(size);
        }
        // A read may stop at the end of a segment, but not before its first batch.
        assert!(fitting.starts_with(&seen), "from {from} below {bound}: {seen:?}, not {fitting:?}");
        assert_eq!(seen.is_empty(), fitting.is_empty(), "from {from} below {bound}");
    }

    fn check(&mut self) {
        let log = &self.f.log;
        assert_eq!(
            (log.log_start_offset(), log.log_end_offset(), log.high_watermark()),
            (self.log_start, self.end, self.end)
        );
        let mut from = self.log_start;
        let mut seen = Vec::new();
        while from < self.end {
            seen.extend(self.f.read(from, 1 << 20, Isolation::LogEnd));
            from = seen.last().expect("something is read below the end").1 + 1;
        }
        let first = self.batches.partition_point(|(_, last, _)| *last < self.log_start);
        let expected: Vec<_> = self.batches[first..].iter().map(|b| (b.0, b.1)).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn random_operations_leave_what_a_list_would_hold() {
    for seed in SEEDS {
        let mut model = Model::new(seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..60 {
                model.step();
            }
            model.check();
            model.reopen();
            model.check();
        }));
        assert!(told.is_ok(), "seed {seed}");
    }
}
