//! The share partitions of one partition of `__share_group_state`, as a state machine that is given
//! the time and does no I/O (ShareCoordinatorShard).
//!
//! Kafka 4.4 is followed where it differs from 4.3: negative epochs are refused, and a late write
//! does not move the start offset back.

use super::batches::{DeliveryBatch, DeliveryBatches};
use super::key::SharePartitionKey;
use super::record::ShareRecord;
use super::state::{NO_START, NOT_COUNTED, ShareState, ShareUpdate, ShareWrite};
use crate::config::{Compression, LiveConfig};
use crate::coordinator::Ticket;
use crate::coordinator::state_machine::{self, StateMachine};
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::metadata::features::SHARE_VERSION;
use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The result of an operation.
pub type ShareOutcome<A = ()> = state_machine::Outcome<ShareRecord, (), A>;

/// The state machine of one partition.
#[derive(Debug)]
pub struct ShareMachine {
    config: LiveConfig,
    image: Arc<Image>,
    pub(super) known: BTreeMap<SharePartitionKey, Known>,
    /// The offset of the last record.
    last: Option<Offset>,
    /// When to write the states of idle share partitions; None before the log is loaded.
    next_rewrite: Option<Timestamp>,
    /// Share partitions whose state is being written again.
    idle: Vec<SharePartitionKey>,
    /// When to delete records.
    next_pruning: Option<Timestamp>,
    is_pruning_due: bool,
}

/// What is known about a share partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) state: ShareState,
    /// The highest leader epoch so far. That of the state begins anew with each initialization.
    leader_epoch: LeaderEpoch,
    /// How many updates there are since their number called for a snapshot.
    updates: i32,
    /// The offset of the last snapshot: no record before it is needed.
    snapshot: Offset,
}

/// What a leader reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRead {
    /// The group's epoch, which the leader has to write with.
    pub state_epoch: i32,
    /// The first offset that is not done; -1 if the group has not begun.
    pub start_offset: Offset,
    /// The records from there on that are not as new.
    pub batches: DeliveryBatches,
}

/// What a group reads, to tell how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareSummary {
    /// The group's epoch when the state was initialized.
    pub state_epoch: i32,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The first offset that is not done; -1 if the group has not begun.
    pub start_offset: Offset,
    /// How many records from there on are done; -1 if it is not known.
    pub delivery_complete_count: i32,
}

impl ShareMachine {
    /// A machine that knows no share partition.
    pub fn new(config: LiveConfig) -> ShareMachine {
        ShareMachine {
            config,
            image: Arc::default(),
            known: BTreeMap::new(),
            last: None,
            next_rewrite: None,
            idle: Vec::new(),
            next_pruning: None,
            is_pruning_due: false,
        }
    }

    /// Begins a share partition, or begins it again in a newer epoch of the group.
    pub fn initialize(
        &self,
        now: Timestamp,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<ShareOutcome> {
        not_negative("partition", key.partition())?;
        not_negative("state epoch", state_epoch)?;
        let known = self.known.get(key);
        if known.is_some_and(|known| known.state.state_epoch > state_epoch) {
            return Err(ResponseError::FencedStateEpoch.into());
        }
        self.check_exists(key)?;
        let snapshot_epoch = known.map_or(0, |known| known.state.snapshot_epoch.wrapping_add(1));
        let state = ShareState::new(snapshot_epoch, state_epoch, start_offset, now);
        Ok(ShareOutcome::replay(vec![ShareRecord::Snapshot(key.clone(), Some(state))], ()))
    }

    /// Gives a leader the state, and notes its epoch if it is new.
    pub fn read(
        &self,
        now: Timestamp,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
    ) -> Result<ShareOutcome<ShareRead>> {
        not_negative("partition", key.partition())?;
        not_negative("leader epoch", leader_epoch)?;
        let known = self.led_by(key, leader_epoch)?;
        self.check_exists(key)?;
        let ShareState { state_epoch, start_offset, ref batches, .. } = known.state;
        let answer = ShareRead { state_epoch, start_offset, batches: batches.clone() };
        if known.leader_epoch == leader_epoch {
            return Ok(ShareOutcome::answer(answer));
        }
        let record = self.change(now, key, known, known.state.led_by(leader_epoch));
        Ok(ShareOutcome::replay(vec![record], answer))
    }

    /// Takes what a leader writes.
    pub fn write(
        &self,
        now: Timestamp,
        key: &SharePartitionKey,
        write: &ShareWrite,
    ) -> Result<ShareOutcome> {
        not_negative("partition", key.partition())?;
        not_negative("leader epoch", write.leader_epoch)?;
        not_negative("state epoch", write.state_epoch)?;
        let known = self.led_by(key, write.leader_epoch)?;
        if known.state.state_epoch > write.state_epoch {
            return Err(ResponseError::FencedStateEpoch.into());
        }
        self.check_exists(key)?;
        if let Some(DeliveryBatch { first, last, .. }) =
            write.batches.iter().find(|batch| !batch.is_valid())
        {
            return Err(invalid(format!("The offsets {first} to {last} are no offsets of a log")));
        }
        let record = self.change(now, key, known, known.state.update(write));
        Ok(ShareOutcome::replay(vec![record], ()))
    }

    /// How far the group is; nothing is known about a share partition that was not initialized.
    pub fn summary(&self, key: &SharePartitionKey) -> Result<ShareSummary> {
        not_negative("partition", key.partition())?;
        self.check_exists(key)?;
        let nothing = ShareSummary {
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: NO_START,
            delivery_complete_count: NOT_COUNTED,
        };
        Ok(self.known.get(key).map_or(nothing, |Known { state, .. }| ShareSummary {
            state_epoch: state.state_epoch,
            leader_epoch: state.leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
        }))
    }

    /// Forgets a share partition, which may be unknown already.
    pub fn delete(&self, key: &SharePartitionKey) -> Result<ShareOutcome> {
        not_negative("partition", key.partition())?;
        self.check_exists(key)?;
        let known = self.known.contains_key(key);
        let tombstone = known.then(|| ShareRecord::Snapshot(key.clone(), None));
        Ok(ShareOutcome::replay(tombstone.into_iter().collect(), ()))
    }

    /// Forgets the share partitions of deleted topics.
    pub fn forget_topics(&self, topics: &[Uuid]) -> ShareOutcome {
        let keys = self.known.keys().filter(|key| topics.contains(&key.topic_id()));
        let tombstones = keys.map(|key| ShareRecord::Snapshot(key.clone(), None));
        ShareOutcome::replay_in_parts(tombstones.collect(), ())
    }

    /// The offset before which no record is needed any more, for a caller that deletes those
    /// (ShareCoordinatorOffsetsManager).
    pub fn take_redundant(&mut self) -> Option<Offset> {
        self.is_pruning_due = false;
        self.known.values().map(|known| known.snapshot).min().or(self.last)
    }

    /// What is known about a share partition; FENCED_LEADER_EPOCH if it has had a newer leader.
    fn led_by(&self, key: &SharePartitionKey, leader_epoch: LeaderEpoch) -> Result<&Known> {
        let missing = || invalid("The share partition was not initialized".to_owned());
        let known = self.known.get(key).ok_or_else(missing)?;
        match known.leader_epoch > leader_epoch {
            true => Err(ResponseError::FencedLeaderEpoch.into()),
            false => Ok(known),
        }
    }

    fn check_exists(&self, key: &SharePartitionKey) -> Result<()> {
        match self.image.topics.partition(key.topic_id(), key.partition()) {
            Some(_) => Ok(()),
            None => Err(ResponseError::UnknownTopicOrPartition.into()),
        }
    }

    /// The record of a change: an update, or after many of them a snapshot.
    fn change(
        &self,
        now: Timestamp,
        key: &SharePartitionKey,
        known: &Known,
        update: ShareUpdate,
    ) -> ShareRecord {
        match self.is_snapshot_due(known.updates) {
            true => ShareRecord::Snapshot(key.clone(), Some(known.state.with(&update, now))),
            false => ShareRecord::Update(key.clone(), update),
        }
    }

    fn is_snapshot_due(&self, updates: i32) -> bool {
        updates >= self.config.get().share_coordinator_snapshot_update_records_per_snapshot
    }

    fn set_next_rewrite(&mut self, now: Timestamp) {
        let interval_ms = self.config.get().share_coordinator_cold_partition_snapshot_interval_ms;
        self.next_rewrite = Some(now + i64::from(interval_ms));
    }

    fn set_next_pruning(&mut self, now: Timestamp) {
        let interval_ms = self.config.get().share_coordinator_state_topic_prune_interval_ms;
        self.next_pruning = Some(now + i64::from(interval_ms));
    }

    /// Finds the states whose snapshot is old, so that a new one makes older records redundant. If
    /// all of them have been idle since the last time, nothing is gained.
    fn find_idle(&mut self, now: Timestamp) {
        if self.known.values().all(|known| known.state.created != known.state.written) {
            return;
        }
        let interval_ms = self.config.get().share_coordinator_cold_partition_snapshot_interval_ms;
        let is_idle = |known: &Known| now - known.state.written >= i64::from(interval_ms);
        let idle = self.known.iter().rev().filter(|(_, known)| is_idle(known));
        self.idle = idle.map(|(key, _)| key.clone()).collect();
    }
}

fn not_negative(what: &str, number: i32) -> Result<()> {
    match number < 0 {
        true => Err(invalid(format!("The {what} {number} is negative"))),
        false => Ok(()),
    }
}

fn invalid(message: String) -> Error {
    Error::Explained(ResponseError::InvalidRequest, message)
}

impl StateMachine for ShareMachine {
    const NAME: &'static str = "share coordinator";
    const LOSS: &'static str = "the share partitions in it then deliver nothing until the offsets of \
                                their groups are reset with kafka-share-groups.sh";
    type Record = ShareRecord;
    type Then = ();
    type Parked = ();

    fn compression(&self) -> Compression {
        Compression::of_codec(self.config.get().share_coordinator_state_topic_compression_codec)
    }

    fn encode(record: &ShareRecord) -> Result<(Bytes, Option<Bytes>)> {
        record.encode()
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<ShareRecord>> {
        ShareRecord::decode(key, value)
    }

    fn replay(&mut self, offset: Offset, _: ProducerId, record: &ShareRecord) {
        self.last = Some(offset);
        match record {
            ShareRecord::Snapshot(key, None) => {
                self.known.remove(key);
            }
            ShareRecord::Snapshot(key, Some(state)) => {
                let last = self.known.get(key).map(|known| (known.leader_epoch, known.updates));
                let (leader_epoch, updates) = last.unwrap_or((state.leader_epoch, 0));
                let known = Known {
                    state: state.clone(),
                    leader_epoch: leader_epoch.max(state.leader_epoch),
                    updates: if self.is_snapshot_due(updates) { 0 } else { updates },
                    snapshot: offset,
                };
                self.known.insert(key.clone(), known);
            }
            ShareRecord::Update(key, update) => {
                let known = self.known.entry(key.clone()).or_insert_with(|| Known {
                    state: ShareState::without_snapshot(update),
                    leader_epoch: update.leader_epoch,
                    updates: 0,
                    snapshot: offset,
                });
                known.state.apply(update);
                known.leader_epoch = known.leader_epoch.max(update.leader_epoch);
                known.updates += 1;
            }
        }
    }

    /// No transaction writes to this topic.
    fn replay_end_transaction(&mut self, _: ProducerId, _: bool) {}

    fn apply(&mut self, image: &Arc<Image>) {
        self.image = image.clone();
    }

    fn loaded(&mut self, now: Timestamp) {
        self.set_next_rewrite(now);
        self.set_next_pruning(now);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.next_rewrite.into_iter().chain(self.next_pruning).min()
    }

    fn expire(&mut self, now: Timestamp) -> Option<ShareOutcome> {
        // Without the feature everything stays as it is.
        let is_enabled = self.image.feature(SHARE_VERSION) > 0;
        if self.next_pruning.is_some_and(|due| due <= now) {
            self.set_next_pruning(now);
            self.is_pruning_due = is_enabled;
        }
        if self.next_rewrite.is_some_and(|due| due <= now) {
            self.set_next_rewrite(now);
            if is_enabled {
                self.find_idle(now);
            }
        }
        // Each is written for itself, because they may be large.
        let key = self.idle.pop()?;
        let state = self.known.get(&key)?.state.again(now);
        Some(ShareOutcome::replay(vec![ShareRecord::Snapshot(key, Some(state))], ()))
    }

    fn has_work(&self) -> bool {
        self.is_pruning_due
    }

    fn take_answers(&mut self) -> Vec<(Ticket, ())> {
        Vec::new()
    }

    fn complete(&mut self, _: Timestamp, (): (), _: Result<(), ResponseError>) {}
}
