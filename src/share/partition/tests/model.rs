//! Random lives of a share partition beside a model that keeps each record by itself: nothing is
//! lost, nothing is accepted twice, nobody gets what another one has, and what restarts leave is
//! what was written.

use super::*;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SEEDS: u64 = 200;
const STEPS: usize = 300;
const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// One record in flight.
#[derive(Clone, Debug, PartialEq)]
struct Single {
    state: State,
    deliveries: i16,
    /// Who has it, and until when.
    lock: Option<(Arc<str>, Timestamp)>,
    is_pending: bool,
}

impl Single {
    fn available(deliveries: i16) -> Single {
        Single { state: State::Available, deliveries, lock: None, is_pending: false }
    }

    fn is_available(&self) -> bool {
        self.state == State::Available && !self.is_pending
    }

    fn is_acquired_by(&self, member: Option<&str>) -> bool {
        let by = self.lock.as_ref().map(|(by, _)| &**by);
        self.state == State::Acquired && !self.is_pending && (member.is_none() || member == by)
    }

    fn is_final(&self) -> bool {
        matches!(self.state, State::Acknowledged | State::Archived)
    }

    fn settle(&mut self) {
        (self.is_pending, self.lock) = (false, None);
    }
}

/// A batch of the log.
#[derive(Clone, Copy, Debug)]
struct LogBatch {
    first: Offset,
    last: Offset,
    is_aborted: bool,
}

/// What the share coordinator has.
#[derive(Default)]
struct Store {
    start: Offset,
    records: BTreeMap<Offset, (State, i16)>,
}

impl Store {
    fn keep(&mut self, write: &StateWrite) {
        for batch in &write.change.batches {
            let state = (State::from_id(batch.state).unwrap(), batch.count);
            self.records.extend((batch.first..=batch.last).map(|offset| (offset, state)));
        }
        self.start = write.change.start_offset;
        self.records.retain(|offset, _| *offset >= write.change.start_offset);
    }

    fn read(&self) -> ShareRead {
        let all = self.records.iter();
        let batches = all.map(|(offset, (s, deliveries))| state(*offset, *offset, *s, *deliveries));
        let batches = DeliveryBatches::combine(&batches.collect::<Vec<_>>());
        ShareRead { state_epoch: 0, start_offset: self.start, batches }
    }
}

struct World {
    random: Rng,
    now: Timestamp,
    log: Vec<LogBatch>,
    log_start: Offset,
    log_end: Offset,
    partition: SharePartition,
    records: BTreeMap<Offset, Single>,
    start: Offset,
    end: Offset,
    writes: VecDeque<StateWrite>,
    store: Store,
    /// An earlier read whose records were not acquired yet.
    read: Option<(Offset, Vec<LogBatch>)>,
    accepted: BTreeSet<Offset>,
    given_up: BTreeSet<Offset>,
    gaps: BTreeSet<Offset>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Rng::with_seed(seed);
        let mut partition = new();
        partition.settings.keeps_dead_letters = random.bool();
        World {
            random,
            now: 0,
            log: Vec::new(),
            log_start: 0,
            log_end: 0,
            partition,
            records: BTreeMap::new(),
            start: 0,
            end: 0,
            writes: VecDeque::new(),
            store: Store::default(),
            read: None,
            accepted: BTreeSet::new(),
            given_up: BTreeSet::new(),
            gaps: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        match self.random.u32(..100) {
            0..12 => self.append(),
            12..15 => self.compact(),
            15..40 => self.acquire(),
            40..65 => self.acknowledge(),
            65..68 => self.release(),
            68..76 => {
                let passed = self.random_up_to(700);
                self.expire(passed);
            }
            76..91 => self.settle(),
            91..93 => self.archived(),
            93..95 => self.move_log_start(),
            95..97 => self.restart(),
            _ => self.configure(),
        }
        self.compare();
    }

    fn random_up_to(&mut self, most: i64) -> i64 {
        self.random.i64(0..=most)
    }

    fn append(&mut self) {
        let gap = if self.random.u8(..5) == 0 { self.random_up_to(4) } else { 0 };
        let first = self.log_end + gap;
        let last = first + self.random_up_to(7);
        self.log.push(LogBatch { first, last, is_aborted: self.random.u8(..7) == 0 });
        self.log_end = last + 1;
    }

    /// Removes a batch, but not the last one.
    fn compact(&mut self) {
        if self.log.len() > 1 {
            let index = self.random.usize(..self.log.len() - 1);
            self.log.remove(index);
        }
    }

    fn configure(&mut self) {
        self.partition.settings.delivery_count_limit = self.random.i16(2..7);
        self.partition.settings.max_record_locks = self.random.i32(5..60);
        self.partition.settings.may_renew = self.random.u8(..4) > 0;
    }

    fn look(&mut self) -> (Offset, Vec<LogBatch>) {
        let from = self.partition.next_fetch_offset();
        let few = 1 + self.random.usize(..4);
        let ahead = self.log.iter().filter(|batch| batch.last >= from);
        (from, ahead.take(few).copied().collect())
    }

    fn acquire(&mut self) {
        // Two may read before one of them acquires.
        if self.random.u8(..4) == 0 {
            self.read = Some(self.look());
        }
        let (from, read) = self.read.take().unwrap_or_else(|| self.look());
        let mode = match self.random.bool() {
            true => AcquireMode::BatchOptimized,
            false => AcquireMode::RecordLimit,
        };
        let name = &member(MEMBERS[self.random.usize(..3)]);
        let (max_records, batch_size) = (self.random.i32(1..15), self.random.i32(1..10));
        self.acquire_by(
            &AcquireRequest { member: name, max_records, batch_size, mode },
            from,
            &read,
        );
    }

    fn acquire_by(&mut self, asked: &AcquireRequest, from: Offset, read: &[LogBatch]) {
        let of = |batch: &LogBatch| (batch.first, batch.last);
        let batches: Vec<_> = read.iter().map(of).collect();
        let aborted: Vec<_> = read.iter().filter(|batch| batch.is_aborted).map(of).collect();
        let seen = ReadBatches { from, batches: &batches, aborted: &aborted };
        let (old_end, room) = (self.end, self.partition.room().max(0));
        let acquired = self.partition.acquire(asked, &seen, self.now);
        let (Some((base, _)), Some((_, last))) = (batches.first(), batches.last()) else {
            return assert_eq!(acquired, []);
        };
        self.end = self.partition.end;
        self.skip(from, base - 1);
        for offset in *base.max(&old_end)..self.end {
            self.records.insert(offset, Single::available(0));
        }
        aborted.iter().for_each(|(first, last)| self.skip(*first, *last));
        let is_there = self.records.range(base..=last).any(|(_, record)| record.is_available());
        assert!(!is_there || !acquired.is_empty(), "nobody gets what is there");

        let new: i64 = acquired.iter().map(|a| (a.last - a.first.max(old_end) + 1).max(0)).sum();
        let total: i64 = acquired.iter().map(|a| a.last - a.first + 1).sum();
        let (most, slack) = (i64::from(asked.max_records), 8);
        match asked.mode {
            AcquireMode::RecordLimit => assert!(total <= most && new <= room),
            AcquireMode::BatchOptimized => assert!(total < most + slack && new < room + slack),
        }
        self.check_caution(&acquired);
        let deadline = self.now + i64::from(self.partition.settings.lock_duration_ms);
        for Acquired { first, last, deliveries } in acquired {
            for offset in first..=last {
                let record = self.records.get_mut(&offset).expect("it was not read");
                assert!(record.is_available(), "{offset} is not available: {record:?}");
                assert_eq!(record.deliveries + 1, deliveries);
                record.state = State::Acquired;
                record.deliveries = deliveries;
                record.lock = Some((Arc::clone(asked.member), deadline));
            }
        }
        let is_unused = |record: &Single| record.is_available() && record.deliveries == 0;
        let tail = self.records.get(&(self.end - 1)).filter(|_| self.end > old_end);
        assert!(!tail.is_some_and(is_unused), "what nobody got is kept");
        self.advance();
    }

    /// A record that was delivered often comes alone, or with few of its like.
    fn check_caution(&self, acquired: &[Acquired]) {
        let limit = self.partition.settings.delivery_count_limit;
        let often = acquired.iter().find(|a| a.deliveries > ((limit + 1) / 2).max(2));
        if let Some(often) = often {
            assert!(acquired.iter().all(|a| a.deliveries == often.deliveries));
            let is_alone = acquired.len() == 1 && often.first == often.last;
            assert!(often.deliveries < limit || is_alone);
        }
    }

    fn skip(&mut self, first: Offset, last: Offset) {
        for (_, record) in self.records.range_mut(first..first.max(last + 1)) {
            if record.is_available() {
                record.state = State::Archived;
            }
        }
    }

    fn acknowledge(&mut self) {
        let name = MEMBERS[self.random.usize(..3)];
        let mut batches: Vec<(Offset, Offset, Vec<i8>)> = Vec::new();
        let mut first = self.start - 2 + self.random_up_to(10);
        for _ in 0..1 + self.random.u8(..3) {
            // Mostly what the member has.
            if self.random.u8(..5) > 0 {
                let mut theirs = self.records.range(first..);
                let theirs = theirs.find(|(_, record)| record.is_acquired_by(Some(name)));
                first = theirs.map_or(first, |(offset, _)| *offset);
            }
            let last = first + self.random_up_to(4);
            let each = if self.random.bool() { last - first + 1 } else { 1 };
            let types = (0..each).map(|_| self.random.i8(0..5)).collect();
            batches.push((first, last, types));
            first = last + self.random_up_to(5);
        }
        let batches: Vec<_> = batches.iter().map(|(f, l, types)| (*f, *l, &types[..])).collect();
        self.acknowledge_by(name, &batches);
    }

    fn acknowledge_by(&mut self, name: &str, batches: &[Said]) {
        let expected = self.expected(name, batches);
        let result = say(&mut self.partition, name, batches, self.now);
        let kinds = match (expected, result) {
            (Err(expected), Err(error)) => {
                return assert_eq!(error.code(), expected, "{batches:?}");
            }
            (Ok(kinds), Ok(write)) => {
                let verdict = |kind| match kind {
                    0 => Some(Verdict::Gap),
                    1 => Some(Verdict::Accept),
                    2 => Some(Verdict::Release),
                    3 => Some(Verdict::Reject),
                    _ => None,
                };
                let decided: Vec<_> =
                    kinds.iter().filter_map(|(at, kind)| Some((*at, verdict(*kind)?))).collect();
                self.decide(&decided, write, false);
                kinds
            }
            (expected, result) => panic!("{expected:?}, {result:?}: {batches:?}"),
        };
        let deadline = self.now + i64::from(self.partition.settings.lock_duration_ms);
        for (offset, _) in kinds.iter().filter(|(_, kind)| **kind == 4) {
            let record = self.records.get_mut(offset).unwrap();
            record.lock.as_mut().unwrap().1 = deadline;
        }
    }

    /// What an acknowledgement says about each record, or its error.
    fn expected(
        &self,
        name: &str,
        batches: &[Said],
    ) -> Result<BTreeMap<Offset, i8>, ResponseError> {
        let mut kinds = BTreeMap::new();
        let mut next = self.start;
        for (first, last, types) in batches.iter().filter(|(_, last, _)| *last >= self.start) {
            let from = self.start.max(*first);
            if from < next || self.records.is_empty() {
                return Err(ResponseError::InvalidRecordState);
            }
            next = last + 1;
            if !self.records.contains_key(last) {
                return Err(ResponseError::InvalidRequest);
            }
            for (offset, record) in self.records.range(from..=*last) {
                if !record.is_acquired_by(Some(name)) {
                    return Err(ResponseError::InvalidRecordState);
                }
                let index = if types.len() == 1 { 0 } else { (offset - first) as usize };
                kinds.insert(*offset, types[index]);
            }
            let renews = types.iter().rev().take((last - from + 1) as usize).any(|kind| *kind == 4);
            if renews && !self.partition.settings.may_renew {
                return Err(ResponseError::InvalidRecordState);
            }
        }
        Ok(kinds)
    }

    /// Carries verdicts out, and checks what is to be written of them.
    fn decide(
        &mut self,
        decided: &[(Offset, Verdict)],
        write: Option<StateWrite>,
        is_certain: bool,
    ) {
        let mut changes = BTreeMap::new();
        for (offset, verdict) in decided {
            let record = self.records.get_mut(offset).unwrap();
            let (state, _) = self.partition.settings.outcome(*verdict, record.deliveries);
            (record.state, record.is_pending) = (state, true);
            changes.insert(*offset, (state, record.deliveries));
            if is_certain {
                record.settle();
            }
        }
        self.check_write(changes, write);
    }

    fn check_write(&mut self, changes: BTreeMap<Offset, (State, i16)>, write: Option<StateWrite>) {
        let Some(write) = write else { return assert_eq!(changes, BTreeMap::new()) };
        let each = |batch: &DeliveryBatch| {
            let state = (State::from_id(batch.state).unwrap(), batch.count);
            (batch.first..=batch.last).map(move |offset| (offset, state))
        };
        let written: Vec<_> = write.change.batches.iter().flat_map(each).collect();
        assert_eq!(written.len(), changes.len(), "a record is written twice");
        assert_eq!(written.into_iter().collect::<BTreeMap<_, _>>(), changes);
        let finished = self.records.values().filter(|record| record.is_final()).count();
        assert_eq!(write.change.delivery_complete_count, finished as i32);
        assert_eq!(write.change.start_offset, self.start);
        self.writes.push_back(write);
    }

    fn release(&mut self) {
        let name = MEMBERS[self.random.usize(..3)];
        let theirs = self.records.iter().filter(|(_, record)| record.is_acquired_by(Some(name)));
        let decided: Vec<_> = theirs.map(|(offset, _)| (*offset, Verdict::Release)).collect();
        let write = self.partition.release(name);
        self.decide(&decided, write, false);
    }

    fn expire(&mut self, passed: i64) {
        self.now += passed;
        let now = self.now;
        let is_over = |record: &Single| {
            record.is_acquired_by(None) && record.lock.as_ref().is_some_and(|lock| lock.1 <= now)
        };
        let over = self.records.iter().filter(|(_, record)| is_over(record));
        let decided: Vec<_> = over.map(|(offset, _)| (*offset, Verdict::Release)).collect();
        let write = self.partition.expire(now);
        self.decide(&decided, write, true);
        self.advance();
    }

    /// The oldest write ends.
    fn settle(&mut self) {
        let is_written = self.random.u8(..4) > 0;
        self.settle_as(is_written);
    }

    fn settle_as(&mut self, is_written: bool) {
        let Some(write) = self.writes.pop_front() else { return };
        let batches = write.change.batches.clone();
        let is_certain = write.is_certain;
        if is_written {
            self.store.keep(&write);
            self.note_accepted(&batches);
        }
        let given_up = self.partition.written(write, is_written);
        assert!(is_certain || is_written || given_up.is_empty());
        for GivenUp { first, last, .. } in &given_up {
            for offset in *first..=*last {
                assert!(self.given_up.insert(offset), "{offset} is given up twice");
            }
        }
        for batch in batches.iter().filter(|_| !is_certain) {
            for (offset, record) in self.records.range_mut(batch.first..=batch.last) {
                if !is_written {
                    (record.state, record.is_pending) = (State::Acquired, false);
                    continue;
                }
                record.settle();
                if record.state == State::Archived && !self.given_up.contains(offset) {
                    self.gaps.insert(*offset);
                }
            }
        }
        if is_written && !is_certain {
            self.advance();
        }
    }

    fn settle_all(&mut self) {
        while !self.writes.is_empty() {
            self.settle_as(true);
        }
    }

    fn note_accepted(&mut self, batches: &[DeliveryBatch]) {
        for batch in batches.iter().filter(|batch| batch.state == State::Acknowledged.id()) {
            for offset in batch.first..=batch.last {
                assert!(self.accepted.insert(offset), "{offset} is accepted twice");
            }
        }
    }

    /// Some of the records that are given up arrive at the dead letters.
    fn archived(&mut self) {
        let told = |(at, record): &(&Offset, &Single)| {
            record.state == State::Archiving && self.given_up.contains(at)
        };
        let told: Vec<Offset> = self.records.iter().filter(told).map(|(at, _)| *at).collect();
        if told.is_empty() {
            return;
        }
        let index = self.random.usize(..told.len());
        let beside = told[index..].iter().zip(told[index]..);
        let first = told[index];
        let last = beside.take_while(|(at, next)| *at == next).last().unwrap().1;
        let arrived = GivenUp { first, last, deliveries: 1, reason: Reason::Rejected };
        let write = self.partition.archived(&[arrived]);
        let mut changes = BTreeMap::new();
        for (offset, record) in self.records.range_mut(first..=last) {
            record.state = State::Archived;
            changes.insert(*offset, (State::Archived, record.deliveries));
        }
        self.check_write(changes, write);
        self.advance();
    }

    fn move_log_start(&mut self) {
        let ahead = self.random_up_to(12);
        self.log_start = (self.log_start + ahead).min(self.log_end);
        self.log.retain(|batch| batch.last >= self.log_start);
        self.apply_log_start();
    }

    fn apply_log_start(&mut self) {
        self.partition.log_start_moved(self.log_start);
        if self.log_start > self.start {
            self.records = self.records.split_off(&self.log_start);
            self.start = self.log_start;
            self.end = self.end.max(self.log_start);
            self.advance();
        }
    }

    /// Another broker takes over; some of the last writes have arrived.
    fn restart(&mut self) {
        let arrived = self.random.usize(..=self.writes.len());
        for write in std::mem::take(&mut self.writes).iter().take(arrived) {
            self.store.keep(write);
            self.note_accepted(&write.change.batches);
            // Nobody was told which of these are given up.
            let archived =
                write.change.batches.iter().filter(|batch| batch.state == State::Archived.id());
            self.gaps.extend(archived.flat_map(|batch| batch.first..=batch.last));
        }
        let settings = self.partition.settings;
        self.partition = SharePartition::open(&self.store.read(), 7, settings).unwrap();
        self.read = None;
        self.start = self.store.start;
        self.end = self.store.records.last_key_value().map_or(self.start, |(last, _)| last + 1);
        let stored = |offset| match self.store.records.get(&offset) {
            Some((state, deliveries)) => Single { state: *state, ..Single::available(*deliveries) },
            None => Single::available(0),
        };
        self.records = (self.start..self.end).map(|offset| (offset, stored(offset))).collect();
        let records = &self.records;
        self.given_up.retain(|at| records.get(at).is_none_or(|record| record.is_final()));
        let resumed = self.partition.archiving();
        self.given_up.extend(resumed.iter().flat_map(|given_up| given_up.first..=given_up.last));
        self.advance();
        self.compare();
        self.apply_log_start();
    }

    fn advance(&mut self) {
        while let Some((_, record)) = self.records.first_key_value()
            && record.is_final()
            && !record.is_pending
        {
            self.records.pop_first();
        }
        self.start = self.records.first_key_value().map_or(self.end, |(first, _)| *first);
    }

    fn compare(&self) {
        let mut found = BTreeMap::new();
        for (first, run) in self.partition.runs.iter() {
            let lock = run.member.clone().map(|member| (member, run.deadline));
            let (state, deliveries, is_pending) = (run.state, run.deliveries, run.is_pending);
            let record = Single { state, deliveries, lock, is_pending };
            found.extend((first..=run.last).map(|offset| (offset, record.clone())));
        }
        let mut expected = self.records.clone();
        // Of what is finished, only that is remembered.
        let finished = expected.values_mut().filter(|r| r.is_final() && !r.is_pending);
        finished.for_each(|record| record.deliveries = 0);
        assert_eq!(found, expected);
        assert_eq!((self.partition.start, self.partition.end), (self.start, self.end));
        let available = expected.iter().find(|(_, record)| record.is_available());
        let next = available.map_or(self.end, |(offset, _)| *offset);
        assert_eq!(self.partition.next_fetch_offset(), next);
        let locks = expected.values().filter(|record| record.is_acquired_by(None));
        let deadline = locks.filter_map(|record| Some(record.lock.as_ref()?.1)).min();
        assert_eq!(self.partition.next_deadline(), deadline);
    }

    /// In the end one member accepts all there is.
    fn finish(&mut self) {
        self.append();
        self.log.last_mut().unwrap().is_aborted = false;
        let name = &member("z");
        let mode = AcquireMode::RecordLimit;
        let asked = AcquireRequest { member: name, max_records: 1000, batch_size: 1, mode };
        while self.start < self.log_end {
            self.settle_all();
            self.expire(1_000_000);
            self.settle_all();
            while !self.partition.archiving().is_empty() {
                self.archived();
            }
            let (from, read) = self.look();
            self.acquire_by(&asked, from, &read);
            let all = self.records.iter().filter(|(_, r)| r.is_acquired_by(Some("z")));
            let all: Vec<Offset> = all.map(|(offset, _)| *offset).collect();
            let each: Vec<_> = all.iter().map(|offset| (*offset, *offset, &[1][..])).collect();
            self.acknowledge_by("z", &each);
            self.compare();
        }
        let is_known = |offset: &Offset| {
            [&self.accepted, &self.given_up, &self.gaps].iter().any(|known| known.contains(offset))
        };
        for batch in self.log.iter().filter(|batch| !batch.is_aborted) {
            for offset in batch.first.max(self.log_start)..=batch.last {
                assert!(is_known(&offset), "{offset} is lost");
            }
        }
    }
}

#[test]
fn runs_are_what_single_records_would_be() {
    for seed in 0..SEEDS {
        let failed = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            world.finish();
        });
        assert!(failed.is_ok(), "seed {seed}");
    }
}
