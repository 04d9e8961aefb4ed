//! A machine driven by scripts (`tests/scenarios/transaction_*.txt`) and by chance.
//!
//! A script is a list of commands, each followed by `----` and its expected result. With
//! `KLAMM_REWRITE_SCENARIOS=1` the test writes the results into the scripts. A producer is shown as
//! `id:epoch`; new ids begin at 1000.
#![allow(clippy::unwrap_used)]

mod chance;
mod kafka;
mod show;

use super::admin::Filter;
use super::end::EndRequest;
use super::machine::{Answer, Init, Job, Machine, MachineOutcome};
use super::metadata::{EPOCH_BUMP_VERSION, Producer, Transaction};
use super::record::Record;
use super::state::TransactionState;
use crate::codec::schema::metadata::FeatureLevelRecord;
use crate::config::LiveConfig;
use crate::coordinator::script::{self, Args};
use crate::coordinator::state_machine::StateMachine;
use crate::error::Result;
use crate::metadata::Loader;
use crate::metadata::features::TRANSACTION_VERSION;
use crate::metadata::record::MetadataRecord;
use crate::types::{NO_PRODUCER_ID, ProducerId, Timestamp, TopicPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::fmt::Write as _;

/// A machine with a log in memory and a clock that is moved by hand.
pub(super) struct World {
    pub(super) machine: Machine,
    log: Vec<(Bytes, Option<Bytes>)>,
    pub(super) now: Timestamp,
    next_producer_id: ProducerId,
    version: i16,
    fail_next: Option<ResponseError>,
    output: String,
}

impl World {
    pub(super) fn new(version: i16) -> World {
        let mut world = World {
            machine: Machine::new(LiveConfig::default()),
            log: Vec::new(),
            now: 0,
            next_producer_id: 1000,
            version,
            fail_next: None,
            output: String::new(),
        };
        world.restart();
        world
    }

    /// A new machine, as the log makes it.
    pub(super) fn restart(&mut self) {
        self.machine = Machine::new(LiveConfig::default());
        for ((key, value), offset) in self.log.iter().zip(0..) {
            let record = Record::decode(key, value.as_ref()).unwrap().unwrap();
            self.machine.replay(offset, NO_PRODUCER_ID, &record);
        }
        self.set_version(self.version);
        self.machine.loaded(self.now);
    }

    fn set_version(&mut self, version: i16) {
        self.version = version;
        let mut loader = Loader::new("a cluster");
        let record =
            FeatureLevelRecord { name: TRANSACTION_VERSION.to_owned(), feature_level: version };
        loader.replay(&MetadataRecord::FeatureLevel(record)).unwrap();
        self.machine.apply(&loader.take().image);
    }

    /// Does what the runtime does, with a vector for a log.
    fn finish<A>(&mut self, outcome: MachineOutcome<A>) -> Result<A> {
        let MachineOutcome { records, then, answer } = outcome;
        let failure = if records.is_empty() { None } else { self.fail_next.take() };
        let appended = match failure {
            Some(error) => Err(error),
            None => Ok(i64::try_from(self.log.len()).unwrap()),
        };
        if appended.is_ok() {
            for record in &records {
                let (key, value) = record.encode().unwrap();
                self.log.push((key, value));
                writeln!(self.output, "record {}", show::record(record)).unwrap();
            }
        }
        then.follow(&mut self.machine, self.now, NO_PRODUCER_ID, &records, appended);
        appended.map(|_| answer).map_err(Into::into)
    }

    /// Runs an operation, and again with a new producer id if it asks for one.
    fn answer(
        &mut self,
        operation: impl Fn(&Machine, Timestamp, Option<ProducerId>) -> MachineOutcome<Answer>,
    ) -> Result<Producer> {
        let mut fresh = None;
        loop {
            let outcome = operation(&self.machine, self.now, fresh);
            match self.finish(outcome)? {
                Answer::Producer(producer) => return Ok(producer),
                Answer::Refused(error) => return Err(error.into()),
                Answer::NeedsProducerId => {
                    fresh = Some(self.next_producer_id);
                    self.next_producer_id += 1;
                }
            }
        }
    }

    fn advance(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(deadline) = self.machine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(deadline);
            while let Some(outcome) = self.machine.expire(self.now) {
                drop(self.finish(outcome));
            }
        }
        self.now = end;
    }

    /// Runs one command and returns its result.
    pub(super) fn run(&mut self, line: &str) -> String {
        self.output.clear();
        let args = Args::parse(line);
        let shown = match args.name.as_str() {
            "advance" => {
                self.advance(args.number("ms", 0));
                Ok(String::new())
            }
            "restart" => {
                self.restart();
                Ok(String::new())
            }
            "feature" => {
                self.set_version(args.number("version", 2));
                Ok(String::new())
            }
            "fail" => {
                self.fail_next = Some(show::error(args.get("error")));
                Ok(String::new())
            }
            "load" => {
                self.load(&args);
                Ok(String::new())
            }
            "jobs" => Ok(self.jobs()),
            "describe" => Ok(show::describe(self.machine.get(args.get("id")))),
            "list" => Ok(self.list(&args)),
            _ => self.operate(&args),
        };
        match shown {
            Ok(shown) => self.output.push_str(&shown),
            Err(error) => writeln!(self.output, "{:?}", error.code()).unwrap(),
        }
        if self.output.is_empty() {
            self.output.push_str("ok\n");
        }
        std::mem::take(&mut self.output)
    }

    fn operate(&mut self, args: &Args) -> Result<String> {
        let (id, producer) = (args.get("id"), args.producer());
        let version = args.number("client", EPOCH_BUMP_VERSION);
        let ok = |()| String::new();
        let answered = match args.name.as_str() {
            "init" => {
                let timeout_ms = args.number("timeout", 60_000);
                let init = Init { id, timeout_ms, expected: producer };
                self.answer(|machine, now, fresh| machine.init(now, &init, fresh))
            }
            "commit" | "abort" => {
                let commit = args.name == "commit";
                let producer = producer.unwrap();
                let end = EndRequest { id, producer, commit, client_version: version };
                self.answer(|machine, now, fresh| machine.end(now, &end, fresh))
            }
            "abort-overdue" => {
                let producer = producer.unwrap();
                self.answer(|machine, now, fresh| machine.abort_overdue(now, id, producer, fresh))
            }
            "add" => {
                let (now, partitions) = (self.now, args.partitions());
                let (producer, machine) = (producer.unwrap(), &self.machine);
                let outcome = machine.add_partitions(now, id, producer, &partitions, version)?;
                return self.finish(outcome).map(ok);
            }
            "verify" => {
                let partitions = args.partitions();
                let verify = self.machine.verify_partitions(id, producer.unwrap(), &partitions)?;
                return Ok(show::verified(&partitions, &verify));
            }
            "markers" => {
                let (now, partitions, producer) = (self.now, args.partitions(), producer.unwrap());
                let outcome = self.machine.markers_written(now, id, producer, &partitions);
                return self.finish(outcome).map(ok);
            }
            other => panic!("no command {other}"),
        };
        answered.map(|producer| format!("{}\n", show::producer(producer)))
    }

    /// Puts a producer into the log.
    fn load(&mut self, args: &Args) {
        let producer = args.producer().unwrap();
        let loaded = Transaction { producer, ..Transaction::new(producer.id, 60_000, self.now) };
        let record = Record { id: args.get("id").into(), value: Some((1, loaded)) };
        self.log.push(record.encode().unwrap());
        self.restart();
    }

    /// Does the machine's jobs.
    fn jobs(&mut self) -> String {
        let jobs = self.machine.jobs();
        self.machine.take(&jobs);
        jobs.iter().map(show::job).collect()
    }

    fn list(&self, args: &Args) -> String {
        let states = args.list("states").filter_map(TransactionState::from_name).collect();
        let filter = Filter {
            states,
            has_unknown_states: args
                .list("states")
                .any(|state| TransactionState::from_name(state).is_none()),
            producer_ids: args.list("producers").map(|id| id.parse().unwrap()).collect(),
            duration_ms: args.number("longer", -1),
            pattern: args.has("pattern").then(|| Filter::pattern(args.get("pattern")).unwrap()),
        };
        let listed = self.machine.list(self.now, &filter).into_iter();
        listed.map(|(id, producer, state)| format!("{id} {producer} {}\n", state.name())).collect()
    }
}

impl Args {
    fn producer(&self) -> Option<Producer> {
        let (id, epoch) = self.named.get("producer")?.split_once(':').unwrap();
        Some(Producer { id: id.parse().unwrap(), epoch: epoch.parse().unwrap() })
    }

    fn partitions(&self) -> Vec<TopicPartition> {
        let partition = |text: &str| {
            let (topic, index) = text.rsplit_once('-').unwrap();
            TopicPartition::new(topic, index.parse().unwrap())
        };
        self.list("partitions").map(partition).collect()
    }
}

#[test]
fn the_scenarios_come_out_as_written() {
    script::play_all(
        |name| name.starts_with("transaction_"),
        || {
            let mut world = World::new(2);
            move |line| world.run(line)
        },
    );
}

#[test]
fn records_of_both_versions_come_back() {
    let mut transaction = Transaction::new(7, 60_000, 5);
    transaction.producer.epoch = 3;
    let added = [TopicPartition::new("t", 1), TopicPartition::new("t", 0)];
    let transaction = transaction.add(added, 2, 9);
    for version in [0, 1] {
        let record = Record { id: "id".into(), value: Some((version, transaction.clone())) };
        let (key, value) = record.encode().unwrap();
        let decoded = Record::decode(&key, value.as_ref()).unwrap().unwrap();
        let (_, read) = decoded.value.unwrap();
        let (client_version, previous_producer_id) =
            if version == 1 { (2, 7) } else { (0, NO_PRODUCER_ID) };
        assert_eq!(
            read,
            Transaction { client_version, previous_producer_id, ..transaction.clone() }
        );
    }
    let tombstone = Record { id: "id".into(), value: None };
    let (key, value) = tombstone.encode().unwrap();
    assert_eq!(&key[..], b"\0\0\0\x02id");
    assert_eq!(Record::decode(&key, value.as_ref()).unwrap().unwrap(), tombstone);
    let newer = Bytes::from_static(b"\0\x02");
    assert_eq!(Record::decode(&key, Some(&newer)).unwrap(), None, "a value of a newer broker");
    assert_eq!(Record::decode(&newer, None).unwrap(), None, "a key of a newer broker");
    assert!(Record::decode(&key, Some(&Bytes::from_static(b"\0\x01\0"))).is_err(), "cut off");
}
