//! A machine with a log in memory, beside Kafka's, by chance, and by hand.
#![allow(clippy::unwrap_used)]

mod chance;
mod kafka;

use super::batches::DeliveryBatch;
use super::key::SharePartitionKey;
use super::machine::{ShareMachine, ShareOutcome};
use super::record::ShareRecord;
use super::state::{ShareState, ShareWrite};
use crate::codec::schema::metadata::{FeatureLevelRecord, PartitionRecord, TopicRecord};
use crate::config::Config;
use crate::coordinator::state_machine::StateMachine;
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader};
use crate::types::{NO_PRODUCER_ID, Offset, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A machine with a log in memory and a clock that is moved by hand.
struct World {
    machine: ShareMachine,
    config: Config,
    log: Vec<(Bytes, Option<Bytes>)>,
    now: Timestamp,
}

/// Topics 1 and 2 with two partitions each, and a level of `share.version`.
fn image(feature_level: i16) -> Arc<Image> {
    let mut loader = Loader::new("a cluster");
    let feature = FeatureLevelRecord { name: "share.version".to_owned(), feature_level };
    loader.replay(&MetadataRecord::FeatureLevel(feature)).unwrap();
    for id in [1, 2] {
        let topic_id = Uuid::from_u128(id);
        let topic = TopicRecord { name: format!("t{id}"), topic_id };
        loader.replay(&MetadataRecord::Topic(topic)).unwrap();
        for partition_id in [0, 1] {
            let partition = PartitionRecord { partition_id, topic_id, ..Default::default() };
            loader.replay(&MetadataRecord::Partition(partition)).unwrap();
        }
    }
    loader.take().image
}

fn key(group: &str, topic: u128, partition: i32) -> SharePartitionKey {
    SharePartitionKey::new(group, Uuid::from_u128(topic), partition)
}

fn batch(first: Offset, last: Offset, state: i8, count: i16) -> DeliveryBatch {
    DeliveryBatch { first, last, state, count }
}

/// A write of state epoch 1 and leader epoch 1.
fn write(start_offset: Offset, batches: &[DeliveryBatch]) -> ShareWrite {
    ShareWrite {
        state_epoch: 1,
        leader_epoch: 1,
        start_offset,
        delivery_complete_count: 0,
        batches: batches.to_vec(),
    }
}

impl World {
    /// Every 5 updates there is a snapshot, and idle states are written again after a second.
    fn new() -> World {
        let mut config = Config::default();
        config.share_coordinator_snapshot_update_records_per_snapshot = 5;
        config.share_coordinator_cold_partition_snapshot_interval_ms = 1000;
        config.share_coordinator_state_topic_prune_interval_ms = 400;
        let machine = ShareMachine::new(config.clone().into());
        let mut world = World { machine, config, log: Vec::new(), now: 0 };
        world.machine = world.replayed(0, 0);
        world
    }

    /// A machine made by the records from `start` to `end`.
    fn replayed(&self, start: usize, end: usize) -> ShareMachine {
        let mut machine = ShareMachine::new(self.config.clone().into());
        for (offset, (key, value)) in self.log.iter().enumerate().take(end).skip(start) {
            let record = ShareRecord::decode(key, value.as_ref()).unwrap().unwrap();
            machine.replay(offset as Offset, NO_PRODUCER_ID, &record);
        }
        machine.apply(&image(1));
        machine.loaded(self.now);
        machine
    }

    /// A crash: the log is all that is left.
    fn restart(&mut self) {
        self.machine = self.replayed(0, self.log.len());
    }

    /// Does what the runtime does, with a vector for a log.
    fn finish<A>(&mut self, outcome: Result<ShareOutcome<A>>) -> Result<A, ResponseError> {
        let ShareOutcome { records, then, answer } = outcome.map_err(|error| error.code())?;
        let base = self.log.len() as Offset;
        self.log.extend(records.iter().map(|record| record.encode().unwrap()));
        then.follow(&mut self.machine, self.now, NO_PRODUCER_ID, &records, Ok(base));
        Ok(answer)
    }

    fn initialize(
        &mut self,
        key: &SharePartitionKey,
        epoch: i32,
        start: Offset,
    ) -> Result<(), ResponseError> {
        self.finish(self.machine.initialize(self.now, key, epoch, start))
    }

    fn write(&mut self, key: &SharePartitionKey, asked: &ShareWrite) -> Result<(), ResponseError> {
        self.finish(self.machine.write(self.now, key, asked))
    }

    fn read(&mut self, key: &SharePartitionKey, epoch: i32) -> Result<Shown, ResponseError> {
        let read = self.finish(self.machine.read(self.now, key, epoch))?;
        Ok((read.state_epoch, read.start_offset, read.batches.iter().copied().collect()))
    }

    fn advance(&mut self, ms: i64) {
        self.now += ms;
        while let Some(outcome) = self.machine.expire(self.now) {
            self.finish(Ok(outcome)).unwrap();
        }
    }

    fn states(&self) -> BTreeMap<SharePartitionKey, ShareState> {
        states(&self.machine)
    }

    /// The records as their kinds: `+` a snapshot, `.` an update, `-` a tombstone.
    fn kinds(&self) -> String {
        let kind = |(key, value): &(Bytes, Option<Bytes>)| match (key[1], value) {
            (0, Some(_)) => '+',
            (0, None) => '-',
            _ => '.',
        };
        self.log.iter().map(kind).collect()
    }
}

/// The state epoch, the start offset and the batches.
type Shown = (i32, Offset, Vec<DeliveryBatch>);

fn states(machine: &ShareMachine) -> BTreeMap<SharePartitionKey, ShareState> {
    machine.known.iter().map(|(key, known)| (key.clone(), known.state.clone())).collect()
}

const INVALID: Result<(), ResponseError> = Err(ResponseError::InvalidRequest);
const UNKNOWN: Result<(), ResponseError> = Err(ResponseError::UnknownTopicOrPartition);
const OLD_STATE: Result<(), ResponseError> = Err(ResponseError::FencedStateEpoch);
const OLD_LEADER: Result<(), ResponseError> = Err(ResponseError::FencedLeaderEpoch);

#[test]
fn a_group_begins_and_begins_again_in_a_newer_epoch_only() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    assert_eq!(world.initialize(&key("g", 1, -1), 1, 0), INVALID);
    assert_eq!(world.initialize(&at, -1, 0), INVALID);
    assert_eq!(world.initialize(&key("g", 1, 2), 1, 0), UNKNOWN);
    assert_eq!(world.initialize(&key("g", 9, 0), 1, 0), UNKNOWN);
    assert!(world.log.is_empty());
    assert_eq!(world.initialize(&at, 1, -1), Ok(()));
    assert_eq!(world.states()[&at].delivery_complete_count, -1);
    assert_eq!(world.write(&at, &write(7, &[batch(8, 9, 2, 1)])), Ok(()));
    assert_eq!(world.initialize(&at, 0, 3), OLD_STATE);
    assert_eq!(world.initialize(&at, 2, 3), Ok(()));
    let state = world.states().remove(&at).unwrap();
    assert_eq!((state.snapshot_epoch, state.state_epoch, state.start_offset), (1, 2, 3));
    assert_eq!((state.delivery_complete_count, state.batches.iter().count()), (0, 0));
    assert_eq!(world.kinds(), "+.+");
}

#[test]
fn only_the_newest_leader_reads_and_writes() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    assert_eq!(world.read(&at, 1).map(drop), INVALID, "it was not initialized");
    assert_eq!(world.write(&at, &write(0, &[])), INVALID);
    world.initialize(&at, 1, 0).unwrap();
    assert_eq!(world.read(&key("g", 1, -1), 1).map(drop), INVALID);
    assert_eq!(world.read(&at, -1).map(drop), INVALID);
    assert_eq!(world.read(&at, 3), Ok((1, 0, Vec::new())));
    assert_eq!(world.read(&at, 3), Ok((1, 0, Vec::new())));
    assert_eq!(world.kinds(), "+.", "an epoch is noted once");
    assert_eq!(world.read(&at, 2).map(drop), OLD_LEADER);
    assert_eq!(world.write(&at, &write(0, &[])), OLD_LEADER);
    let asked = ShareWrite { leader_epoch: 3, ..write(5, &[]) };
    assert_eq!(world.write(&at, &ShareWrite { state_epoch: 0, ..asked.clone() }), OLD_STATE);
    assert_eq!(world.write(&at, &ShareWrite { state_epoch: -1, ..asked.clone() }), INVALID);
    assert_eq!(world.write(&at, &ShareWrite { leader_epoch: -1, ..asked.clone() }), INVALID);
    assert_eq!(world.write(&key("g", 1, -1), &asked), INVALID);
    assert_eq!(world.write(&at, &asked), Ok(()));
    // A group that begins again does not bring back an old leader.
    world.initialize(&at, 2, 0).unwrap();
    assert_eq!(world.read(&at, 2).map(drop), OLD_LEADER);
    world.restart();
    assert_eq!(world.read(&at, 2).map(drop), OLD_LEADER);
    assert_eq!(world.kinds(), "+..+");
}

#[test]
fn a_write_with_offsets_of_no_log_changes_nothing() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    world.initialize(&at, 1, 0).unwrap();
    for (first, last) in [(9, 8), (-1, 5), (i64::MIN, i64::MAX), (0, i64::MAX), (i64::MAX, 0)] {
        let asked = write(1, &[batch(0, 3, 2, 1), batch(first, last, 2, 1)]);
        assert_eq!(world.write(&at, &asked), INVALID, "{first} {last}");
    }
    assert_eq!(world.read(&at, 0), Ok((1, 0, Vec::new())));
}

#[test]
fn a_late_write_does_not_bring_back_what_is_done() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    world.initialize(&at, 1, 0).unwrap();
    let done = |count, asked| ShareWrite { delivery_complete_count: count, ..asked };
    let later = [batch(12, 14, 2, 1)];
    for (asked, start, count) in [
        (done(3, write(10, &later)), 10, 3),
        (done(9, write(5, &[batch(5, 9, 0, 9)])), 10, 3),
        (done(2, write(10, &[])), 10, 3),
        (done(4, write(-1, &[])), 10, 3),
        (done(5, write(10, &[])), 10, 5),
    ] {
        assert_eq!(world.write(&at, &asked), Ok(()));
        assert_eq!(world.read(&at, 0), Ok((1, start, later.to_vec())));
        assert_eq!(world.machine.summary(&at).unwrap().delivery_complete_count, count);
    }
    assert_eq!(world.write(&at, &done(-1, write(13, &[]))), Ok(()));
    assert_eq!(world.read(&at, 0), Ok((1, 13, vec![batch(13, 14, 2, 1)])));
    assert_eq!(world.machine.summary(&at).unwrap().delivery_complete_count, -1);
}

#[test]
fn two_writes_of_a_leader_become_one() {
    let done = |count, asked| ShareWrite { delivery_complete_count: count, ..asked };
    let (one, other) = (batch(12, 14, 2, 1), batch(20, 20, 4, 2));
    for (start, count, joined) in [(10, 5, (10, 7)), (11, 5, (11, 5)), (-1, 9, (10, 7))] {
        let mut asked = done(7, write(10, &[one]));
        asked.join(done(count, write(start, &[other])));
        assert_eq!(asked, done(joined.1, write(joined.0, &[one, other])));
    }
    let mut asked = write(10, &[one]);
    let newer = ShareWrite { leader_epoch: 2, ..write(3, &[other]) };
    asked.join(newer.clone());
    assert_eq!(asked, newer);
}

#[test]
fn nothing_is_known_of_what_was_not_initialized_or_is_deleted() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    let shown = |world: &World, at: &SharePartitionKey| {
        let summary = world.machine.summary(at).map_err(|error| error.code())?;
        Ok((summary.state_epoch, summary.leader_epoch, summary.start_offset))
    };
    let nothing: Result<_, ResponseError> = Ok((0, 0, -1));
    assert_eq!(shown(&world, &at), nothing);
    assert_eq!(shown(&world, &key("g", 1, -1)).map(drop), INVALID);
    assert_eq!(shown(&world, &key("g", 1, 2)).map(drop), UNKNOWN);
    world.initialize(&at, 4, 17).unwrap();
    world.read(&at, 2).unwrap();
    assert_eq!(shown(&world, &at), Ok((4, 2, 17)));
    let delete = |world: &mut World, at: &SharePartitionKey| world.finish(world.machine.delete(at));
    assert_eq!(delete(&mut world, &key("g", 1, -1)), INVALID);
    assert_eq!(delete(&mut world, &key("g", 9, 0)), UNKNOWN);
    assert_eq!(delete(&mut world, &at), Ok(()));
    assert_eq!(delete(&mut world, &at), Ok(()));
    assert_eq!(world.kinds(), "+.-");
    assert_eq!(shown(&world, &at), nothing);
    // Even its epochs are forgotten.
    world.initialize(&at, 1, 0).unwrap();
    assert_eq!(world.read(&at, 0).map(drop), Ok(()));
}

#[test]
fn share_partitions_go_with_their_topic() {
    let mut world = World::new();
    for at in [key("a", 1, 0), key("a", 2, 0), key("b", 1, 1)] {
        world.initialize(&at, 1, 0).unwrap();
    }
    world.finish(Ok(world.machine.forget_topics(&[Uuid::from_u128(1)]))).unwrap();
    assert_eq!(world.states().into_keys().collect::<Vec<_>>(), [key("a", 2, 0)]);
    assert_eq!(world.kinds(), "+++--");
}

#[test]
fn every_few_updates_there_is_a_snapshot() {
    let mut world = World::new();
    let at = key("g", 1, 0);
    world.initialize(&at, 1, 0).unwrap();
    for start in 1..=13 {
        world.write(&at, &write(start, &[batch(start + 1, start + 1, 2, 1)])).unwrap();
    }
    assert_eq!(world.kinds(), "+.....+.....+.");
    let state = world.states().remove(&at).unwrap();
    assert_eq!((state.snapshot_epoch, state.start_offset), (2, 13));
    // Their number can be 0.
    world.config.share_coordinator_snapshot_update_records_per_snapshot = 0;
    world.restart();
    world.write(&at, &write(14, &[])).unwrap();
    world.read(&at, 9).unwrap();
    assert_eq!(world.kinds(), "+.....+.....+.++");
}

#[test]
fn idle_states_are_written_again_so_that_old_records_can_be_deleted() {
    let mut world = World::new();
    let (idle, busy) = (key("a", 1, 0), key("b", 1, 0));
    world.initialize(&idle, 1, 0).unwrap();
    for start in 0..6 {
        world.write(&idle, &write(start, &[])).unwrap();
    }
    world.now = 300;
    world.initialize(&busy, 1, 0).unwrap();
    assert_eq!(world.kinds(), "+.....++");
    assert_eq!(world.machine.take_redundant(), Some(6));
    world.advance(700);
    assert_eq!(world.kinds(), "+.....+++", "the other one is not old enough");
    assert_eq!(world.machine.take_redundant(), Some(7));
    let state = &world.states()[&idle];
    assert_eq!((state.created, state.written, state.start_offset), (0, 1000, 5));
    world.advance(1000);
    assert_eq!(world.kinds(), "+.....+++++");
    assert_eq!(world.machine.take_redundant(), Some(9));
    // Once all of them are idle, there is nothing to gain.
    world.advance(1000);
    assert_eq!(world.log.len(), 11);
    // What is not known any more needs no record but the tombstone, for who reads from before it.
    for at in [idle, busy] {
        world.finish(world.machine.delete(&at)).unwrap();
    }
    assert_eq!(world.machine.take_redundant(), Some(12));
}

#[test]
fn records_are_deleted_now_and_then() {
    let mut world = World::new();
    assert_eq!(world.machine.next_deadline(), Some(400));
    world.advance(399);
    assert!(!world.machine.has_work());
    world.advance(1);
    assert!(world.machine.has_work());
    assert_eq!(world.machine.take_redundant(), None, "there is no record");
    assert!(!world.machine.has_work());
    assert_eq!(world.machine.next_deadline(), Some(800));
}

#[test]
fn what_cannot_be_read_stops_the_load_and_what_is_newer_does_not() {
    let mut world = World::new();
    world.initialize(&key("g", 1, 0), 1, 0).unwrap();
    world.write(&key("g", 1, 0), &write(0, &[])).unwrap();
    let (snapshot, update) = (world.log[0].clone(), world.log[1].clone());
    let decode = |key: &[u8], value: Option<&[u8]>| {
        let (key, value) = (Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice));
        ShareRecord::decode(&key, value.as_ref())
    };
    assert!(decode(&snapshot.0, None).is_ok_and(|record| record.is_some()));
    assert!(decode(&[0, 2, 1, 2, 3], None).is_ok_and(|record| record.is_none()));
    let newer = [&[0, 1], &update.1.as_ref().unwrap()[2..]].concat();
    assert!(decode(&update.0, Some(&newer)).is_ok_and(|record| record.is_none()));
    let is_corrupt =
        |decoded: Result<Option<ShareRecord>>| matches!(decoded, Err(Error::Corrupt { .. }));
    assert!(is_corrupt(decode(&update.0, None)));
    assert!(is_corrupt(decode(&[0], None)));
    for (key, value) in [snapshot, update] {
        let value = value.unwrap();
        assert!(is_corrupt(decode(&key[..key.len() - 1], Some(&value))));
        assert!(is_corrupt(decode(&key, Some(&value[..value.len() - 1]))));
    }
}

#[test]
fn without_the_feature_nothing_is_written_again_or_deleted() {
    let mut world = World::new();
    world.initialize(&key("g", 1, 0), 1, 0).unwrap();
    world.machine.apply(&image(0));
    world.advance(1500);
    assert_eq!((world.kinds().as_str(), world.machine.has_work()), ("+", false));
    world.machine.apply(&image(1));
    world.advance(1500);
    assert_eq!((world.kinds().as_str(), world.machine.has_work()), ("++", true));
}
