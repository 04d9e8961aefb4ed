//! Where an operator lets an empty group begin or begin anew, and what becomes of the states of its
//! share partitions. Each change takes two steps: the group notes what is about to be done to the
//! states, and then what was done.

use super::states::{ByTopic, OfTopic};
use super::{Initialization, ShareGroup, States};
use crate::codec::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use crate::codec::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::error::{Error, Result};
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Topics whose states are to be deleted, each with its partitions, or why it has none.
pub type ToDelete = Vec<(String, Result<(Uuid, BTreeSet<i32>)>)>;

/// Which states have to be made for an alteration, and the answer if all can be.
pub type Alteration = (Initialization, Vec<AlterShareGroupOffsetsResponseTopic>);

impl ShareGroup {
    /// The partitions that have states.
    pub fn initialized(&self) -> Partitions {
        let initialized = self.own.states.iter().flat_map(|states| &states.initialized);
        initialized.map(|(id, of)| (*id, of.partitions.clone())).collect()
    }

    /// Expects those whose states are being made, if there are any, to have them in time.
    pub fn expect_states(&self, turn: &mut Turn<'_>) {
        if self.own.states.as_ref().is_some_and(|states| !states.initializing.is_empty()) {
            self.set_retry(turn);
        }
    }

    fn set_retry(&self, turn: &mut Turn<'_>) {
        let interval_ms = turn.config.group_share_initialize_retry_interval_ms;
        let interval_ms = interval_ms.max(turn.config.offsets_commit_timeout_ms);
        turn.set_timer(Timer::Initializing(self.id.clone()), interval_ms);
    }

    /// The record that the states of `partitions` are about to be made.
    pub(super) fn initializing(&self, turn: &mut Turn<'_>, partitions: ByTopic) -> Record {
        self.set_retry(turn);
        self.with_states(|states| states.initialize(partitions)).1
    }

    /// The states of `partitions` have been made, or could not be.
    pub fn note_initialized(
        &self,
        image: &Image,
        made: &Partitions,
        failed: &Partitions,
    ) -> Record {
        let note = |states: &mut States| {
            states.initialized(made, image);
            states.not_initialized(failed);
        };
        self.with_states(note).1
    }

    /// Lets the group begin at other offsets.
    pub fn alter_offsets(
        &self,
        turn: &mut Turn<'_>,
        topics: &[AlterShareGroupOffsetsRequestTopic],
    ) -> Result<(Vec<Record>, Alteration)> {
        self.check_empty()?;
        let mut asked =
            Initialization { group: self.id.clone(), epoch: self.epoch, offsets: BTreeMap::new() };
        let mut partitions = ByTopic::new();
        let mut answers = Vec::with_capacity(topics.len());
        for topic in topics {
            let found = turn.image.topics.by_name(&topic.topic_name);
            let mut answer = AlterShareGroupOffsetsResponseTopic::default()
                .with_topic_name(topic.topic_name.clone())
                .with_topic_id(found.map_or(Uuid::nil(), |found| found.id));
            for partition in &topic.partitions {
                let index = partition.partition_index;
                let mut error_code = ResponseError::UnknownTopicOrPartition.code();
                if let Some(found) = found.filter(|found| found.partition(index).is_some()) {
                    let nothing =
                        || OfTopic { name: found.name.to_string(), partitions: BTreeSet::new() };
                    let of = partitions.entry(found.id).or_insert_with(nothing);
                    of.partitions.insert(index);
                    asked.offsets.insert((found.id, index), partition.start_offset);
                    error_code = 0;
                }
                let partition = AlterShareGroupOffsetsResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(error_code);
                answer.partitions.push(partition);
            }
            answers.push(answer);
        }
        let nothing = partitions.is_empty();
        let records = if nothing { Vec::new() } else { vec![self.initializing(turn, partitions)] };
        Ok((records, (asked, answers)))
    }

    /// Lets the group forget how far it is with these topics.
    pub fn delete_offsets(
        &self,
        image: &Image,
        topics: BTreeSet<&str>,
    ) -> Result<(Vec<Record>, ToDelete)> {
        self.check_empty()?;
        if self.own.states.is_none() {
            return Ok((Vec::new(), ToDelete::new()));
        }
        let (asked, record) = self.with_states(|states| {
            let mut delete = |name: &str| {
                let unknown = ResponseError::UnknownTopicOrPartition;
                let topic = image.topics.by_name(name).ok_or(unknown)?;
                let nothing = "The group has no offsets of this topic.".to_owned();
                let partitions = states.delete(topic.id, image);
                Ok((topic.id, partitions.ok_or(Error::Explained(unknown, nothing))?))
            };
            topics.into_iter().map(|name| (name.to_owned(), delete(name))).collect()
        });
        Ok((vec![record], asked))
    }

    /// The states of these topics have been deleted.
    pub fn note_deleted(&self, topics: &BTreeSet<Uuid>) -> Record {
        self.with_states(|states| states.deleted(topics)).1
    }

    /// Before the group is deleted: the states that have to go first.
    pub fn delete_states(&self, image: &Image) -> Result<(Vec<Record>, Partitions)> {
        self.check_empty()?;
        if self.own.states.is_none() {
            return Ok((Vec::new(), Partitions::new()));
        }
        let (partitions, record) = self.with_states(|states| states.delete_all(image));
        Ok((vec![record], partitions))
    }

    /// Forgets deleted topics; None if the group has no states of them.
    pub fn forget_topics(&self, deleted: &BTreeSet<Uuid>) -> Option<Record> {
        let (known, record) = self.with_states(|states| states.forget(deleted));
        known.then_some(record)
    }

    fn check_empty(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(ResponseError::NonEmptyGroup.into()) }
    }

    /// What `change` answers, and the record of the states after it.
    fn with_states<A>(&self, change: impl FnOnce(&mut States) -> A) -> (A, Record) {
        let mut states = self.own.states.clone().unwrap_or_default();
        let answer = change(&mut states);
        (answer, Record::share_states(&self.id, Some(&states)))
    }
}
