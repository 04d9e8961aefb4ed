//! The load: processes that send, poll, run transactions and copy, each with a random mind of its
//! own, and what they write down.

use crate::client::{Client, GaveUp};
use crate::history::{Operation, Outcome, Step, Value};
use crate::producer::{Ended, Failure, Producer, Protocol};
use crate::reader::Reader;
use crate::sender::Sender;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Partitions written by senders and transactions; the copiers write as many others.
pub const SOURCES: i32 = 4;
pub const PARTITIONS: i32 = 2 * SOURCES;
pub const GROUP: &str = "checker";
pub const SOURCE_TOPIC: &str = "checker";
pub const COPY_TOPIC: &str = "checker-copies";
const SENDERS: u32 = 2;
const TRANSACTORS: u32 = 4;
const READERS: u32 = 2;
/// The processes that write to the sources, and all.
pub const WRITERS: Range<u32> = 0..SENDERS + TRANSACTORS;
pub const PROCESSES: Range<u32> = 0..WRITERS.end + READERS + SOURCES as u32;
/// Values of one process start at a multiple of this.
const VALUES: Value = 1_000_000_000;

/// Where a partition of the history lies on the broker.
pub fn place(partition: i32) -> (&'static str, i32) {
    if partition < SOURCES { (SOURCE_TOPIC, partition) } else { (COPY_TOPIC, partition - SOURCES) }
}

/// The other way round.
pub fn partition_of(topic: &str, index: i32) -> i32 {
    if topic == SOURCE_TOPIC { index } else { SOURCES + index }
}

/// What all processes of a run share.
pub struct Run {
    /// One or more addresses with commas between.
    pub bootstrap: String,
    pub seed: u64,
    pub begun: Instant,
    pub give_up: Instant,
    pub stop: AtomicBool,
    pub operations: Mutex<Vec<Operation>>,
}

impl Run {
    /// Microseconds since the run began.
    pub fn now(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    pub fn connect(&self) -> Client {
        Client::new(&self.bootstrap, self.give_up)
    }

    pub fn create_topics(&self) -> Result<(), GaveUp> {
        let mut client = self.connect();
        client.create_topic(SOURCE_TOPIC, SOURCES)?;
        client.create_topic(COPY_TOPIC, SOURCES)
    }

    /// Runs these processes for this time.
    pub fn drive(&self, time: Duration, processes: Range<u32>) {
        std::thread::scope(|scope| {
            for process in processes {
                scope.spawn(move || Process::new(self, process).work());
            }
            sleep(time);
            self.stop.store(true, Ordering::Relaxed);
        });
    }

    /// What the processes have noted, in order.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations =
            std::mem::take(&mut *self.operations.lock().expect("no process has panicked"));
        operations.sort_by_key(|operation| operation.begun);
        operations
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() > self.give_up
    }
}

/// One client of the broker, doing one thing after the other.
struct Process<'a> {
    run: &'a Run,
    number: u32,
    random: fastrand::Rng,
    sent: Value,
    /// How many transactional ids it has left behind with an open transaction.
    lives: u32,
    producer: Option<Producer>,
}

impl<'a> Process<'a> {
    fn new(run: &'a Run, number: u32) -> Process<'a> {
        let random = fastrand::Rng::with_seed(run.seed.wrapping_mul(1000) + u64::from(number));
        Process { run, number, random, sent: 0, lives: 0, producer: None }
    }

    fn work(mut self) {
        match self.number {
            n if n < SENDERS => self.send(),
            n if n < SENDERS + TRANSACTORS => self.transact(),
            n if n < SENDERS + TRANSACTORS + READERS => self.read(),
            n => self.copy((n - SENDERS - TRANSACTORS - READERS) as i32),
        }
    }

    /// Notes one operation; `work` answers its outcome.
    fn operation(&mut self, work: impl FnOnce(&mut Self, &mut Vec<Step>) -> Outcome) -> Outcome {
        let begun = self.run.now();
        let mut steps = Vec::new();
        let outcome = work(self, &mut steps);
        let (process, ended) = (self.number, self.run.now());
        if !steps.is_empty() {
            let operation = Operation { process, begun, ended, outcome, steps };
            self.run.operations.lock().expect("no process has panicked").push(operation);
        }
        outcome
    }

    fn pause(&mut self) {
        sleep(Duration::from_millis(self.random.u64(0..20)));
    }

    fn values(&mut self, most: u64) -> Vec<Value> {
        let count = self.random.u64(1..=most);
        let first = Value::from(self.number + 1) * VALUES + self.sent;
        self.sent += count;
        (first..first + count).collect()
    }

    /// Sends without transactions.
    fn send(&mut self) {
        let mut sender = Sender::new(self.run);
        while !self.run.is_stopped() {
            let values = self.values(5);
            let to: Vec<(i32, Value)> =
                values.into_iter().map(|value| (self.random.i32(0..SOURCES), value)).collect();
            self.operation(|_, steps| {
                sender.send(&to, steps);
                Outcome::Alone
            });
            self.pause();
        }
    }

    /// Reads everything, at times from some way back.
    fn read(&mut self) {
        let mut reader = Reader::new(self.run, (0..PARTITIONS).map(|partition| (partition, 0)));
        while !self.run.is_stopped() {
            let is_moving = self.random.u8(..) < 4;
            let back = self.random.i64(0..200);
            let polls = self.random.usize(1..4);
            self.operation(|_, steps| {
                if is_moving {
                    reader.go_back(back);
                    steps.push(Step::Reset);
                }
                (0..polls).for_each(|_| reader.poll(100, Duration::from_millis(100), steps));
                Outcome::Alone
            });
            self.pause();
        }
    }

    /// Transactions of sends and polls.
    fn transact(&mut self) {
        let mut partitions: Vec<i32> = (0..SOURCES).collect();
        self.random.shuffle(&mut partitions);
        let mut reader = Reader::new(self.run, partitions.into_iter().take(2).map(|p| (p, 0)));
        while !self.run.is_stopped() {
            if self.ready().is_none() {
                continue;
            }
            let count = self.random.usize(1..6);
            self.operation(|process, steps| {
                for _ in 0..count {
                    if process.random.u8(..) < 90 {
                        reader.poll(20, Duration::from_millis(30), steps);
                        continue;
                    }
                    let partition = process.random.i32(0..SOURCES);
                    let values = process.values(4);
                    let values = values.into_iter().map(|value| (value, None)).collect();
                    if !process.send_batch(partition, values, steps) {
                        return Outcome::Aborted;
                    }
                }
                process.end(steps)
            });
            self.pause();
        }
    }

    /// Copies a partition, each record once, its position in the same transaction.
    fn copy(&mut self, source: i32) {
        let mut reader: Option<Reader<'_>> = None;
        while !self.run.is_stopped() {
            if self.ready().is_none() {
                continue;
            }
            let is_fresh = reader.is_none();
            if is_fresh {
                let (topic, index) = place(source);
                let position = self.run.connect().position_of(GROUP, topic, index);
                let Ok(position) = position else { break };
                reader = Some(Reader::new(self.run, [(source, position.max(0))].into_iter()));
            }
            let outcome = self.operation(|process, steps| {
                if is_fresh {
                    steps.push(Step::Reset);
                }
                let reader = reader.as_mut().expect("just made");
                let most = process.random.usize(1..30);
                reader.poll(most, Duration::from_millis(100), steps);
                process.copy_polled(source, steps)
            });
            if !matches!(outcome, Outcome::Committed { .. } | Outcome::Alone) {
                reader = None; // what it has read is not copied
            }
            self.pause();
        }
    }

    fn copy_polled(&mut self, source: i32, steps: &mut Vec<Step>) -> Outcome {
        let polled = match steps.last() {
            Some(Step::Poll { records, .. }) if !records.is_empty() => records.clone(),
            _ => return Outcome::Alone,
        };
        for chunk in polled.chunks(7) {
            let copies = chunk.iter().map(|record| {
                self.sent += 1;
                let value = Value::from(self.number + 1) * VALUES + self.sent;
                (value, Some((record.partition, record.offset)))
            });
            let copies = copies.collect();
            if !self.send_batch(SOURCES + source, copies, steps) {
                return Outcome::Aborted;
            }
        }
        let next = polled.last().expect("not empty").offset + 1;
        let producer = self.producer.as_mut().expect("it has just sent");
        match producer.commit_positions(GROUP, &BTreeMap::from([(source, next)])) {
            Ok(()) => self.end(steps),
            Err(failure) => self.fail(failure),
        }
    }

    /// A producer that can begin a transaction.
    fn ready(&mut self) -> Option<()> {
        if self.producer.as_ref().is_some_and(Producer::is_haunted) {
            self.producer = None;
        }
        if self.producer.is_none() {
            let protocol =
                if self.number.is_multiple_of(2) { Protocol::One } else { Protocol::Two };
            let id = format!("checker-{}-{}", self.number, self.lives);
            match Producer::start(self.run.connect(), &id, protocol) {
                Ok(producer) => self.producer = Some(producer),
                Err(failure) => {
                    eprintln!("{id}: start: {failure:?}");
                    self.pause();
                    return None;
                }
            }
        }
        Some(())
    }

    /// Whether the broker took the batch; if not, the transaction is over.
    fn send_batch(
        &mut self,
        partition: i32,
        values: Vec<(Value, Option<(i32, i64)>)>,
        steps: &mut Vec<Step>,
    ) -> bool {
        let all: Vec<Value> = values.iter().map(|(value, _)| *value).collect();
        let producer = self.producer.as_mut().expect("a process that sends is ready");
        let answer = producer.send(partition, &all);
        let base = answer.as_ref().ok().copied().flatten();
        for (at, (value, source)) in values.into_iter().enumerate() {
            let offset = base.map(|base| base + at as i64);
            steps.push(Step::Send { partition, offset, value, source });
        }
        answer.map_err(|failure| self.fail(failure)).is_ok()
    }

    /// Aborts after a failure; nobody has asked for the commit.
    fn fail(&mut self, failure: Failure) -> Outcome {
        if let Failure::Refused(code) = failure {
            eprintln!("process {}: refused with {code}", self.number);
        }
        if let Some(mut producer) = self.producer.take()
            && let Ok(Ended::Done) = producer.end(false)
        {
            self.producer = Some(producer);
        }
        Outcome::Aborted
    }

    /// Commits, aborts or dies at some point.
    fn end(&mut self, steps: &[Step]) -> Outcome {
        if !steps.iter().any(|step| matches!(step, Step::Send { .. })) {
            return Outcome::Alone; // a transaction that has written nothing never began
        }
        let asked = self.run.now();
        let mut producer = self.producer.take().expect("a process that ends is ready");
        match self.random.u8(0..100) {
            0..75 => match producer.end(true) {
                Ok(Ended::Done) => {
                    self.producer = Some(producer);
                    Outcome::Committed { asked }
                }
                Ok(Ended::Refused) => Outcome::Aborted,
                Ok(Ended::Unknown) | Err(GaveUp) => Outcome::Unknown { asked },
            },
            75..90 => {
                if let Ok(Ended::Done) = producer.end(false) {
                    self.producer = Some(producer);
                }
                Outcome::Aborted
            }
            // Dies; the next life ends what this one has left open.
            90..94 => Outcome::Aborted,
            94..98 => {
                producer.end_and_die(true);
                Outcome::Unknown { asked }
            }
            // Dies, and nobody comes back: the transaction has to time out.
            _ => {
                self.lives += 1;
                Outcome::Aborted
            }
        }
    }
}
