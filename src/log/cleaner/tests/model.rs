//! Random records, transactions and passes, compared with a list of everything that was appended.

use super::*;

pub(super) const CODECS: &[Compression] = &[
    Compression::Uncompressed,
    Compression::Gzip { level: -1 },
    Compression::Snappy,
    Compression::Lz4 { level: 9 },
    Compression::Zstd { level: 3 },
];

/// A record that was appended.
#[derive(Clone, Debug)]
struct Sent {
    key: String,
    value: Option<String>,
    timestamp: Timestamp,
    producer_id: ProducerId,
    batch: (Offset, Offset),
    is_aborted: bool,
    /// Readers do not see it any more.
    is_gone: bool,
}

pub(super) struct Model {
    pub f: Fixture,
    random: fastrand::Rng,
    pub now: Timestamp,
    /// The codecs to choose from.
    codecs: Vec<Compression>,
    /// Added to the ids of the producers.
    first_producer: ProducerId,
    sent: BTreeMap<Offset, Sent>,
    /// The next sequence number of each producer.
    sequences: HashMap<ProducerId, i32>,
    /// The first offset of each producer's open transaction.
    open: BTreeMap<ProducerId, Offset>,
    /// Base offset of a batch -> when its tombstones may go.
    horizons: HashMap<Offset, Timestamp>,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = fastrand::Rng::with_seed(seed);
        let config = TopicConfig {
            segment_bytes: random.i32(400..3000),
            index_interval_bytes: random.i32(0..500),
            delete_retention_ms: random.i64(0..4000),
            log_append_time: false,
            ..compacted()
        };
        Model::of(Fixture::new(config), random, CODECS, 0)
    }

    pub fn of(
        f: Fixture,
        random: fastrand::Rng,
        codecs: &[Compression],
        first_producer: ProducerId,
    ) -> Model {
        Model {
            f,
            random,
            now: NOW,
            codecs: codecs.to_vec(),
            first_producer,
            sent: BTreeMap::new(),
            sequences: HashMap::new(),
            open: BTreeMap::new(),
            horizons: HashMap::new(),
        }
    }

    fn append(&mut self) {
        // 0: not idempotent; 1-2: idempotent; 3-5: transactional.
        let producer = self.random.i64(0..6);
        let codec = *self.random.choice(&self.codecs).unwrap();
        let mut builder = BatchBuilder::new(0, codec);
        let count = self.random.i32(1..6);
        let id = if producer > 0 { self.first_producer + producer } else { NO_PRODUCER_ID };
        if producer > 0 {
            let sequence = self.sequences.entry(id).or_default();
            builder = builder.producer(id, 0, *sequence, producer > 2);
            *sequence += count;
        }
        if self.random.u8(0..8) == 0 {
            builder = builder.log_append_time(self.now);
        }
        let mut records = Vec::new();
        for n in 0..count {
            let key = format!("key {}", self.random.u8(0..12));
            let value = (self.random.u8(0..5) > 0).then(|| format!("{}-{n}", self.random.u32(..)));
            let timestamp = self.now + self.random.i64(-50..50);
            let (key_bytes, value_bytes) = (key.as_bytes(), value.as_deref().map(str::as_bytes));
            builder.append(timestamp, Some(key_bytes), value_bytes, &[]);
            records.push((key, value, timestamp));
        }
        let batch = builder.build();
        let append_time = batch.is_log_append_time().then_some(self.now);
        let base = self.f.append(batch);
        if producer > 2 {
            self.open.entry(id).or_insert(base);
        }
        for (n, (key, value, timestamp)) in records.into_iter().enumerate() {
            let sent = Sent {
                key,
                value,
                timestamp: append_time.unwrap_or(timestamp),
                producer_id: id,
                batch: (base, base + i64::from(count) - 1),
                is_aborted: false,
                is_gone: false,
            };
            self.sent.insert(base + n as i64, sent);
        }
    }

    fn end_transaction(&mut self) {
        let open: Vec<_> = self.open.iter().map(|(&id, &begin)| (id, begin)).collect();
        let Some(&(id, begin)) = self.random.choice(&open) else { return };
        let commit = self.random.bool();
        self.open.remove(&id);
        for (_, sent) in self.sent.range_mut(begin..).filter(|(_, s)| s.producer_id == id) {
            sent.is_aborted = !commit;
        }
        self.f.append(marker_at(id, commit, self.now));
    }

    fn clean(&mut self) {
        let Some(candidate) = self.f.examine(self.now) else { return };
        let end = candidate.range.end;
        let untouched = self.files_from(end);
        assert!(self.f.clean(self.now));
        assert_eq!(self.f.checkpoint(), end);
        assert_eq!(self.files_from(end), untouched, "nothing behind the range changes");
        self.expect_cleaned(end);
        self.check(end);
    }

    /// The `.log` files of the segments from `end` on. Indexes are left out because they are
    /// written late.
    fn files_from(&self, end: Offset) -> Vec<Vec<u8>> {
        let log = self.f.log();
        let behind = log.segments.iter().filter(|segment| segment.base_offset() >= end);
        behind.map(|segment| fs::read(segment.path(segment::SUFFIX)).unwrap()).collect()
    }

    /// Applies to the model what a pass up to `end` does.
    fn expect_cleaned(&mut self, end: Offset) {
        let mut last = HashMap::new();
        for (&offset, sent) in self.sent.range(..end).filter(|(_, sent)| !sent.is_aborted) {
            last.insert(sent.key.clone(), offset);
        }
        let mut with_tombstones = Vec::new();
        for (&offset, sent) in self.sent.range_mut(..end).filter(|(_, sent)| !sent.is_gone) {
            let due = self.horizons.get(&sent.batch.0).is_some_and(|at| *at <= self.now);
            let is_last = last.get(&sent.key) == Some(&offset);
            sent.is_gone = sent.is_aborted || !is_last || (sent.value.is_none() && due);
            if !sent.is_gone && sent.value.is_none() {
                with_tombstones.push(sent.batch.0);
            }
        }
        for base in with_tombstones {
            let horizon = self.now + self.f.config.delete_retention_ms;
            self.horizons.entry(base).or_insert(horizon);
        }
    }

    fn check(&self, end: Offset) {
        let seen = self.f.records();
        let offsets: Vec<Offset> = seen.iter().map(|seen| seen.record.offset).collect();
        let expected: Vec<Offset> =
            self.sent.iter().filter(|(_, s)| !s.is_gone).map(|(&offset, _)| offset).collect();
        assert_eq!(offsets, expected, "cleaned up to {end}");
        for Seen { batch, record } in seen {
            let sent = &self.sent[&record.offset];
            let key = record.key.as_deref().map(|key| String::from_utf8(key.to_vec()).unwrap());
            let value = record.value.as_deref().map(|v| String::from_utf8(v.to_vec()).unwrap());
            assert_eq!((key.unwrap(), value), (sent.key.clone(), sent.value.clone()));
            assert_eq!(record.timestamp, sent.timestamp);
            assert_eq!((batch.base_offset(), batch.last_offset()), sent.batch);
            assert_eq!(batch.producer_id(), sent.producer_id);
            assert_eq!(batch.delete_horizon_ms(), self.horizons.get(&sent.batch.0).copied());
        }
        self.check_committed();
        self.check_reopened();
    }

    /// With the transaction index, a read_committed consumer sees what was committed.
    fn check_committed(&self) {
        let (batches, mut aborted) = read(&self.f.log(), Isolation::Committed);
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        let (mut skipping, mut offsets) = (std::collections::HashSet::new(), Vec::new());
        for batch in batches {
            while let Some((id, _)) = aborted.pop_if(|(_, first)| *first <= batch.last_offset()) {
                skipping.insert(id);
            }
            if batch.is_control() {
                skipping.remove(&batch.producer_id());
            } else if !batch.is_transactional() || !skipping.contains(&batch.producer_id()) {
                offsets.extend(records_of(&batch).iter().map(|seen| seen.record.offset));
            }
        }
        let stable = self.f.log().last_stable_offset();
        let committed = self.sent.range(..stable).filter(|(_, s)| !s.is_gone && !s.is_aborted);
        assert_eq!(offsets, committed.map(|(&offset, _)| offset).collect::<Vec<_>>());
    }

    /// The `.log` files alone lead to the same indexes, producers and records.
    fn check_reopened(&self) {
        let dir = temporary();
        let path = dir.path().join("t-0");
        copy(&self.f.path(), &path, |name| name.ends_with(".log"));
        let rebuilt = open(&path, &self.f.config, 0, false);
        let log = self.f.log();
        assert_eq!(rebuilt.log_end_offset(), log.log_end_offset());
        let shown = |log: &Log| {
            let mut producers = log.active_producers();
            producers.sort_by_key(|producer| producer.producer_id);
            let show = |p: &crate::log::ActiveProducer| {
                (p.producer_id, p.producer_epoch, p.last_sequence, p.current_txn_start_offset)
            };
            producers.iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(shown(&rebuilt), shown(&log));
        for segment in &log.segments[..log.segments.len() - 1] {
            for suffix in [".index", ".timeindex"] {
                let name = segment.path(suffix).file_name().unwrap().to_owned();
                let bytes = fs::read(segment.path(suffix)).unwrap();
                assert_eq!(fs::read(path.join(&name)).unwrap(), bytes, "{name:?}");
            }
        }
    }

    pub fn run(&mut self, steps: usize, with_passes: bool) {
        for _ in 0..steps {
            match self.random.u8(0..20) {
                0..12 => self.append(),
                12..16 => self.end_transaction(),
                16 => self.f.roll(),
                17 => self.now += self.random.i64(0..2000),
                _ if with_passes => self.clean(),
                _ => {}
            }
        }
        while let Some((&id, _)) = self.open.first_key_value() {
            let begin = self.open.remove(&id).unwrap();
            for (_, sent) in self.sent.range_mut(begin..).filter(|(_, s)| s.producer_id == id) {
                sent.is_aborted = true;
            }
            self.f.append(marker_at(id, false, self.now));
        }
        self.f.roll();
        if with_passes {
            self.clean();
        }
    }
}

#[test]
fn a_compacted_log_is_the_last_value_of_every_key() {
    for seed in 0..60 {
        // Shown if the test fails.
        println!("seed {seed}");
        Model::new(seed).run(200, true);
    }
}
