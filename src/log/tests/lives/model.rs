//! What one log must contain, record by record.

mod moving;

use super::End;
use crate::config::{Compression, TopicConfig};
use crate::error::{Error, Result};
use crate::log::cleaner::Cleaner;
use crate::log::manager::{LogManager, Placement};
use crate::log::{Flush, Log, Origin, Segment};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{Isolation, Offset, ProducerId, Timestamp, TopicPartition};
use fastrand::Rng;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Producer ids and first offsets of aborted transactions.
type Aborted = HashSet<(i64, i64)>;

/// Producers up to this id are idempotent, higher ones transactional, and -1 is neither.
const LAST_IDEMPOTENT: ProducerId = 2;
const PRODUCERS: ProducerId = 5;
const KEYS: u8 = 8;

/// A key with its value, or None for a tombstone.
type Keyed = (u8, Option<u32>);

/// A batch that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    last: Offset,
    producer: ProducerId,
    last_sequence: i32,
    /// For a marker, whether it commits.
    commit: Option<bool>,
    records: Vec<Keyed>,
    /// It was acknowledged, or found after a restart.
    is_sure: bool,
}

/// A batch as it is read, with the records that are left.
#[derive(Debug)]
struct Seen {
    last: Offset,
    producer: ProducerId,
    last_sequence: i32,
    is_control: bool,
    records: Vec<(Offset, Keyed)>,
}

pub(super) struct Model {
    pub partition: TopicPartition,
    pub log: Arc<Mutex<Log>>,
    topic_id: Uuid,
    config: Arc<TopicConfig>,
    /// The batches by base offset.
    batches: BTreeMap<Offset, Sent>,
    /// The next value to write.
    values: u32,
    start: Offset,
    end: Offset,
    /// The offset below which a power loss must not take anything.
    flushed: Offset,
    /// The model knows nothing below this offset: a log that lost everything before its start
    /// offset begins again there.
    floor: Offset,
    /// Records below this offset may have been compacted away.
    cleaned: Offset,
    epoch: i32,
    in_flight: Option<Flush>,
    /// The log directory that contains it.
    pub home: PathBuf,
    /// The log directory that the metadata log names.
    pub registered: PathBuf,
    /// The future log of a move.
    future: Option<Log>,
    /// How the process ended while its directory was offline, if it was not compared since.
    pub missed: Option<End>,
    /// Whether its directory works.
    pub is_here: bool,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Model { start, end, flushed, cleaned, .. } = self;
        let log = self.log.lock().unwrap();
        let bases: Vec<_> = log.segments.iter().map(Segment::base_offset).collect();
        let point = log.recovery_point();
        write!(f, "{start}..{end} flushed {flushed} cleaned {cleaned} point {point} {bases:?}")
    }
}

impl Model {
    pub fn open(
        manager: &LogManager,
        placement: Placement,
        partition: TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Model> {
        let log = manager.open_log_in(placement, &partition, topic_id, config.clone(), now)?;
        let home = log.dir().parent().unwrap().to_owned();
        Ok(Model {
            registered: home.clone(),
            home,
            future: None,
            missed: None,
            is_here: true,
            partition,
            log: Arc::new(Mutex::new(log)),
            topic_id,
            config,
            batches: BTreeMap::new(),
            values: 0,
            start: 0,
            end: 0,
            flushed: 0,
            floor: 0,
            cleaned: 0,
            epoch: 0,
            in_flight: None,
        })
    }

    /// Whether a log found at start is this one.
    pub fn is_of(&self, partition: &TopicPartition, topic_id: Option<Uuid>) -> bool {
        self.partition == *partition && topic_id == Some(self.topic_id)
    }

    pub fn reopen(&mut self, manager: &LogManager, now: Timestamp) -> Result<()> {
        let mut log = manager.open_log(&self.partition, self.topic_id, self.config.clone(), now)?;
        log.set_high_watermark(manager.checkpointed_high_watermark(&self.partition));
        self.home = log.dir().parent().unwrap().to_owned();
        self.registered.clone_from(&self.home);
        self.log = Arc::new(Mutex::new(log));
        self.forget_process();
        Ok(())
    }

    /// Forgets what has ended with the process.
    pub fn forget_process(&mut self) {
        (self.in_flight, self.future) = (None, None);
    }

    pub fn with_log<T>(&mut self, work: impl FnOnce(&mut Log) -> T) -> T {
        work(&mut self.log.lock().unwrap())
    }

    /// Takes over the log start offset and what the log says is durable.
    pub fn learn(&mut self) {
        let (start, point) = self.with_log(|log| (log.log_start_offset(), log.recovery_point()));
        assert!(start >= self.start);
        self.start = start;
        self.promise(point);
    }

    /// The log says that everything below `point` is durable. If all of that is deleted, it need
    /// not be, as in Kafka.
    fn promise(&mut self, point: Offset) {
        if point > self.start {
            self.flushed = self.flushed.max(point);
        }
    }

    fn last_of(&self, producer: ProducerId) -> Option<(Offset, &Sent)> {
        let of = |(_, sent): &(&Offset, &Sent)| sent.producer == producer && sent.commit.is_none();
        self.batches.iter().rev().find(of).map(|(&base, sent)| (base, sent))
    }

    /// The first offset of each producer's open transaction.
    fn open_transactions(&self) -> BTreeMap<ProducerId, Offset> {
        let mut open = BTreeMap::new();
        for (&base, sent) in &self.batches {
            match sent.commit {
                Some(_) => drop(open.remove(&sent.producer)),
                None if sent.producer > LAST_IDEMPOTENT => {
                    open.entry(sent.producer).or_insert(base);
                }
                None => {}
            }
        }
        open
    }

    /// The base offsets of the batches in aborted transactions.
    fn aborted(&self) -> HashSet<Offset> {
        let mut open: HashMap<ProducerId, Vec<Offset>> = HashMap::new();
        let mut aborted = HashSet::new();
        for (&base, sent) in &self.batches {
            match sent.commit {
                Some(commit) => {
                    let ended = open.remove(&sent.producer).unwrap_or_default();
                    aborted.extend(ended.into_iter().filter(|_| !commit));
                }
                None if sent.producer > LAST_IDEMPOTENT => {
                    open.entry(sent.producer).or_default().push(base);
                }
                None => {}
            }
        }
        aborted
    }

    pub fn append(&mut self, random: &mut Rng, now: Timestamp) -> Result<()> {
        let producer = random.i64(-2..=PRODUCERS).max(-1);
        let codec = [Compression::Uncompressed, Compression::Lz4 { level: 1 }][random.usize(0..2)];
        let sequence = self.next_sequence(producer);
        let mut builder = BatchBuilder::new(0, codec);
        if producer >= 0 {
            builder = builder.producer(producer, 0, sequence, producer > LAST_IDEMPOTENT);
        }
        let mut records = Vec::new();
        for _ in 0..random.usize(1..4) {
            let key = random.u8(0..KEYS);
            self.values += 1;
            let value = (random.u8(0..6) > 0).then_some(self.values);
            let bytes = value.map(|value| {
                let mut bytes = value.to_be_bytes().to_vec();
                bytes.resize(4 + random.usize(0..150), 7);
                bytes
            });
            builder.append(now - random.i64(0..1000), Some(&[key]), bytes.as_deref(), &[]);
            records.push((key, value));
        }
        self.put(builder.build(), None, records, now)
    }

    fn next_sequence(&mut self, producer: ProducerId) -> i32 {
        let from = self.start.max(self.floor);
        match self.last_of(producer) {
            Some((base, sent)) if base >= from => sent.last_sequence + 1,
            // As in Kafka, a producer whose last batch was deleted may be known by it, only by its
            // markers, or not at all.
            _ => {
                let known = self.with_log(|log| log.active_producers());
                let known = known.iter().find(|known| known.producer_id == producer);
                known.map_or(0, |known| known.last_sequence + 1)
            }
        }
    }

    pub fn end_transaction(&mut self, random: &mut Rng, now: Timestamp) -> Result<()> {
        let open: Vec<_> = self.open_transactions().into_keys().collect();
        let Some(&producer) = random.choice(&open) else { return Ok(()) };
        let commit = random.bool();
        let builder = BatchBuilder::new(0, Compression::Uncompressed).control();
        let mut builder = builder.producer(producer, 0, -1, true);
        builder.append(now, Some(&[0, 0, 0, u8::from(commit)]), Some(&[0; 6]), &[]);
        self.put(builder.build(), Some(commit), Vec::new(), now)
    }

    fn put(
        &mut self,
        batch: Batch,
        commit: Option<bool>,
        records: Vec<Keyed>,
        now: Timestamp,
    ) -> Result<()> {
        let (base, epoch, size) = (self.end, self.epoch, batch.size());
        let sent = Sent {
            last: base + batch.last_offset_delta() as Offset,
            producer: batch.producer_id(),
            last_sequence: batch.last_sequence(),
            commit,
            records,
            is_sure: true,
        };
        let origin = if commit.is_some() { Origin::Coordinator } else { Origin::Client };
        match self.with_log(|log| log.append(vec![batch], epoch, origin, now)) {
            Ok(appended) => {
                assert_eq!((appended.base_offset, appended.last_offset), (base, sent.last));
                self.end = sent.last + 1;
                self.batches.insert(base, sent);
            }
            Err(error) if error.code() == ResponseError::RecordListTooLarge => {
                assert!(size > self.config.segment_bytes as usize);
            }
            Err(error) => {
                if !error.is_disk_full() {
                    self.batches.insert(base, Sent { is_sure: false, ..sent });
                }
                return Err(error);
            }
        }
        let end = self.end;
        self.with_log(|log| {
            assert_eq!(log.log_end_offset(), end);
            log.set_high_watermark(end);
        });
        if self.config.flush_messages == 1 {
            // It is acknowledged only now.
            self.flush()?;
            assert!(self.flushed >= self.end || self.start == self.end);
        }
        Ok(())
    }

    /// A batch that is sent again is found where it is.
    pub fn resend(&mut self, random: &mut Rng, now: Timestamp) -> Result<()> {
        let producer = random.i64(0..=PRODUCERS);
        let is_open = self.open_transactions().contains_key(&producer);
        let Some((base, last)) = self.last_of(producer) else { return Ok(()) };
        if base < self.start.max(self.floor) || (producer > LAST_IDEMPOTENT && !is_open) {
            return Ok(());
        }
        let (count, epoch) = (last.records.len() as i32, self.epoch);
        let builder = BatchBuilder::new(0, Compression::Uncompressed);
        let sequence = last.last_sequence - count + 1;
        let mut builder = builder.producer(producer, 0, sequence, producer > LAST_IDEMPOTENT);
        (0..count).for_each(|_| builder.append(now, Some(&[0]), None, &[]));
        let batch = vec![builder.build()];
        match self.with_log(|log| log.append(batch, epoch, Origin::Client, now)) {
            Err(Error::Duplicate { base_offset, .. }) => assert_eq!(base_offset, base),
            other => panic!("{other:?}, sent again by {producer}: {base} {:?}", self.batches),
        }
        Ok(())
    }

    pub fn delete_records(&mut self, random: &mut Rng) -> Result<()> {
        if !self.config.delete {
            return Ok(());
        }
        let offset = random.i64(self.start..=self.end);
        let done = self.with_log(|log| log.advance_log_start(offset));
        self.start = self.with_log(|log| log.log_start_offset());
        done
    }

    pub fn clean_up(&mut self, random: &mut Rng, now: Timestamp) -> Result<()> {
        let cleaned = self.with_log(|log| log.clean_up(now));
        self.start = self.with_log(|log| log.log_start_offset());
        if random.u8(0..4) == 0 {
            self.with_log(|log| log.take_trash(Timestamp::MAX)())?;
        }
        cleaned.map(drop)
    }

    pub fn compact(&mut self, cleaner: &Cleaner, now: Timestamp) -> Result<()> {
        if self.future.is_some() {
            return Ok(());
        }
        let log = self.log.clone();
        let lock = || Ok(log.lock().unwrap());
        let candidate = cleaner.examine(&mut log.lock().unwrap(), now)?;
        let Some(candidate) = candidate else { return Ok(()) };
        self.cleaned = self.cleaned.max(self.with_log(|log| log.active_base()));
        let done = cleaner.clean(&candidate, &lock, now);
        // It may have made something durable even if it failed.
        let point = self.with_log(|log| log.recovery_point());
        self.promise(point);
        assert!(done?);
        self.check();
        Ok(())
    }

    pub fn flush(&mut self) -> Result<()> {
        self.with_log(Log::flush)?;
        self.learn();
        Ok(())
    }

    /// Begins a flush that `land_flush` completes; other things happen in between.
    pub fn begin_flush(&mut self) -> Result<()> {
        self.in_flight = self.with_log(|log| log.begin_flush())?;
        Ok(())
    }

    pub fn land_flush(&mut self) -> Result<()> {
        if let Some(flush) = self.in_flight.take() {
            let run = flush.run();
            self.with_log(|log| log.conclude_flush(&flush, run))?;
        }
        Ok(())
    }

    pub fn next_epoch(&mut self) -> Result<()> {
        self.epoch += 1;
        let epoch = self.epoch;
        self.with_log(|log| log.assign_epoch_start(epoch))
    }

    pub fn close(&mut self) -> Result<()> {
        self.forget_process();
        self.with_log(Log::close)?;
        self.learn();
        Ok(())
    }

    /// After a restart, what must be there is there; the model learns what else is.
    pub fn compare(&mut self, ended: End) {
        let (start, end) = self.with_log(|log| (log.log_start_offset(), log.log_end_offset()));
        let seen = self.read_all();
        assert!(start <= self.start.max(self.floor), "{start} > {}", self.start);
        if ended == End::PowerLoss {
            assert!(end >= self.flushed, "{end} < {} that were flushed", self.flushed);
            for (base, sent) in &mut self.batches {
                sent.is_sure &= sent.last < self.flushed || seen.contains_key(base);
            }
            if start == end {
                self.floor = end;
            }
        } else {
            let unsure = self.batches.range(self.end..).find(|(base, _)| seen.contains_key(base));
            let expected = unsure.map_or(self.end, |(_, sent)| sent.last + 1);
            assert_eq!(end, expected, "after {ended:?}");
        }
        // Records below the start offset may come back if it was not checkpointed.
        self.batches
            .retain(|base, sent| sent.is_sure || seen.contains_key(base) || sent.last < start);
        if ended == End::Clean {
            assert_eq!(start, self.start, "after a clean stop");
        }
        for base in seen.keys() {
            self.batches.entry(*base).and_modify(|sent| sent.is_sure = true);
        }
        self.assert_seen(&seen, start);
        (self.start, self.end, self.flushed) = (start, end, self.flushed.min(end));
        self.epoch = self.epoch.max(self.with_log(|log| log.latest_epoch()));
        self.with_log(|log| log.set_high_watermark(end));
        self.check_producers();
        self.check_committed();
    }

    /// At any time everything that was sent is there.
    pub fn check(&mut self) {
        let (start, end) = self.with_log(|log| (log.log_start_offset(), log.log_end_offset()));
        assert_eq!((start, end), (self.start, self.end));
        let seen = self.read_all();
        self.assert_seen(&seen, start);
        self.check_producers();
        self.check_committed();
    }

    fn assert_seen(&self, seen: &BTreeMap<Offset, Seen>, start: Offset) {
        let from = start.max(self.floor);
        for (base, found) in seen.iter().filter(|(_, found)| found.last >= from) {
            let sent = self.batches.get(base).unwrap_or_else(|| panic!("{base}: {found:?}"));
            let of_sent = (sent.last, sent.producer, sent.last_sequence, sent.commit.is_some());
            let of_found = (found.last, found.producer, found.last_sequence, found.is_control);
            assert_eq!(of_found, of_sent);
            for (offset, record) in &found.records {
                assert_eq!(&sent.records[(offset - base) as usize], record, "at {offset}");
            }
        }
        let aborted = self.aborted();
        let present: HashSet<Offset> =
            seen.values().flat_map(|seen| &seen.records).map(|(offset, _)| *offset).collect();
        // Goes backwards, because a record that a later one replaces may be gone.
        let mut replaced = HashSet::new();
        for (&base, sent) in self.batches.range(..).rev().filter(|(_, sent)| sent.last >= from) {
            let is_cleaned = self.config.compact && sent.last < self.cleaned;
            if sent.commit.is_some() {
                assert!(is_cleaned || seen.contains_key(&base), "marker {base} is lost");
            }
            for (n, &(key, value)) in sent.records.iter().enumerate().rev() {
                let offset = base + n as Offset;
                let may_go = is_cleaned
                    && (replaced.contains(&key) || value.is_none() || aborted.contains(&base));
                assert!(
                    may_go || present.contains(&offset),
                    "{offset} ({key}) is lost: {self:?} {:?}",
                    self.batches
                );
                if is_cleaned && !aborted.contains(&base) {
                    replaced.insert(key);
                }
            }
        }
    }

    fn read_all(&mut self) -> BTreeMap<Offset, Seen> {
        self.batches_of(Isolation::LogEnd).0.into_iter().collect()
    }

    /// The batches, and the aborted transactions reported to a reader.
    fn batches_of(&mut self, isolation: Isolation) -> (Vec<(Offset, Seen)>, Aborted) {
        let log = self.log.lock().unwrap();
        let (mut from, mut seen) = (log.log_start_offset(), Vec::new());
        let mut aborted = HashSet::new();
        loop {
            let read = log.read(from, 1500, isolation, true).unwrap();
            if read.ranges.is_empty() {
                return (seen, aborted);
            }
            aborted.extend(read.aborted);
            for range in &read.ranges {
                let mut bytes = range.read().unwrap();
                while Batch::next_size(&bytes).unwrap().is_some() {
                    let batch = Batch::split_from(&mut bytes).unwrap();
                    assert!(batch.checksum_holds());
                    assert!(batch.next_offset() > from, "offsets only grow");
                    from = batch.next_offset();
                    seen.push((batch.base_offset(), seen_in(&batch)));
                }
            }
        }
    }

    /// A producer with batches in the log is known by its last sequence number and open
    /// transaction.
    fn check_producers(&mut self) {
        let from = self.start.max(self.floor);
        let known = self.with_log(|log| log.active_producers());
        let open = self.open_transactions();
        for producer in 0..=PRODUCERS {
            let Some((base, last)) = self.last_of(producer).filter(|(base, _)| *base >= from)
            else {
                continue;
            };
            let state = known.iter().find(|known| known.producer_id == producer);
            let state = state.unwrap_or_else(|| {
                panic!("{producer} is forgotten, {base}: {self:?} {known:?} {:?}", self.batches)
            });
            assert_eq!(state.last_sequence, last.last_sequence, "of {producer}: {known:?}");
            // A transaction that began below the floor is unknown to the model.
            let begun = open.get(&producer).copied().unwrap_or(-1);
            let is_older = |begun: Offset| (0..from).contains(&begun);
            if !is_older(begun) && !is_older(state.current_txn_start_offset) {
                assert_eq!(state.current_txn_start_offset, begun, "of {producer}");
            }
        }
        let end = self.end;
        let stable = open.values().min().copied().unwrap_or(end);
        let is_older =
            known.iter().any(|known| (0..from).contains(&known.current_txn_start_offset));
        if stable >= from && !is_older {
            assert_eq!(self.with_log(|log| log.last_stable_offset()), stable);
        }
    }

    /// A read_committed reader skips aborted records, and nothing else.
    fn check_committed(&mut self) {
        let from = self.start.max(self.floor);
        let (batches, aborted) = self.batches_of(Isolation::Committed);
        let mut aborted: Vec<_> = aborted.into_iter().collect();
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        let really = self.aborted();
        let mut skipping = HashSet::new();
        for (base, seen) in batches {
            while let Some((id, _)) = aborted.pop_if(|(_, first)| *first <= seen.last) {
                skipping.insert(id);
            }
            let is_skipped = skipping.contains(&seen.producer);
            if seen.is_control {
                skipping.remove(&seen.producer);
            } else if base >= from && seen.producer > LAST_IDEMPOTENT {
                let is_empty = seen.records.is_empty();
                assert!(
                    is_empty || is_skipped == really.contains(&base),
                    "at {base} skipped: {is_skipped} {self:?} {:?}",
                    self.batches
                );
            }
        }
    }
}

fn seen_in(batch: &Batch) -> Seen {
    let value = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let records = batch.records(1 << 20).unwrap().into_iter();
    let keyed = records.map(|record| {
        (record.offset, (record.key.unwrap()[0], record.value.as_deref().map(value)))
    });
    Seen {
        last: batch.last_offset(),
        producer: batch.producer_id(),
        last_sequence: batch.last_sequence(),
        is_control: batch.is_control(),
        records: if batch.is_control() { Vec::new() } else { keyed.collect() },
    }
}
