//! The partitions of a share group whose states its share coordinators have, are being told to
//! make, or are being told to forget (ShareGroupStatePartitionMetadata).

use crate::coordinator::group::assignor::Partitions;
use crate::metadata::Image;
use crate::types::Offset;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// How the records name a topic that no longer exists.
const NO_NAME: &str = "<UNKNOWN>";

/// Partitions of a topic, with the topic's name as the records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct OfTopic {
    pub name: String,
    pub partitions: BTreeSet<i32>,
}

/// Partitions by their topic's id.
pub type ByTopic = BTreeMap<Uuid, OfTopic>;

/// What the share coordinators know of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct States {
    /// Their states are being made.
    pub initializing: ByTopic,
    /// They have states, so they may be assigned.
    pub initialized: ByTopic,
    /// The states of all their partitions are being deleted. Each with its name in the records.
    pub deleting: BTreeMap<Uuid, String>,
}

/// Share partitions whose states are to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Initialization {
    pub group: Arc<str>,
    /// The group's epoch, which the states begin with.
    pub epoch: i32,
    /// The start offset of each; -1 leaves it to the partition's leader.
    pub offsets: BTreeMap<(Uuid, i32), Offset>,
}

impl States {
    /// What lacks a state of the topics `names`. If `retries`, that includes those whose states
    /// are being made, because it has taken too long.
    pub fn missing<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
        image: &Image,
        retries: bool,
    ) -> ByTopic {
        let topics = names.filter_map(|name| image.topics.by_name(name));
        let missing = topics.filter_map(|topic| {
            let has = |known: &ByTopic, index: &i32| {
                known.get(&topic.id).is_some_and(|of| of.partitions.contains(index))
            };
            let is_known = |index: &i32| {
                has(&self.initialized, index) || !retries && has(&self.initializing, index)
            };
            let indexes = (0..).zip(&topic.partitions).map(|(index, _)| index);
            let partitions: BTreeSet<i32> = indexes.filter(|index| !is_known(index)).collect();
            let name = topic.name.to_string();
            (!partitions.is_empty()).then_some((topic.id, OfTopic { name, partitions }))
        });
        missing.collect()
    }

    /// The states of these partitions are about to be made.
    pub fn initialize(&mut self, partitions: ByTopic) {
        add(&mut self.initializing, partitions);
        self.deleting.retain(|topic, _| !self.initializing.contains_key(topic));
    }

    /// The states of these partitions have been made. A topic that was deleted meanwhile is forgotten.
    pub fn initialized(&mut self, partitions: &Partitions, image: &Image) {
        self.not_initialized(partitions);
        let made = partitions.iter().filter_map(|(id, partitions)| {
            let name = image.topics.by_id(*id)?.name.to_string();
            Some((*id, OfTopic { name, partitions: partitions.clone() }))
        });
        add(&mut self.initialized, made.collect());
    }

    /// The states of these partitions could not be made.
    pub fn not_initialized(&mut self, partitions: &Partitions) {
        for (id, gone) in partitions {
            if let Some(topic) = self.initializing.get_mut(id) {
                topic.partitions.retain(|index| !gone.contains(index));
            }
        }
        self.initializing.retain(|_, topic| !topic.partitions.is_empty());
    }

    /// All states are about to be deleted: the returned ones, with those that were to be deleted
    /// before.
    pub fn delete_all(&mut self, image: &Image) -> Partitions {
        let mut all = std::mem::take(&mut self.initialized);
        add(&mut all, std::mem::take(&mut self.initializing));
        for id in std::mem::take(&mut self.deleting).into_keys() {
            let partitions = partitions_of(id, image).into_iter().collect();
            add(&mut all, partitions);
        }
        self.deleting = all.iter().map(|(id, of)| (*id, of.name.clone())).collect();
        // The share coordinators forget deleted topics by themselves.
        all.retain(|id, _| image.topics.by_id(*id).is_some());
        all.into_iter().map(|(id, of)| (id, of.partitions)).collect()
    }

    /// The states of a topic are about to be deleted. Returns its partitions that may have one, or
    /// None if there is nothing to delete.
    pub fn delete(&mut self, id: Uuid, image: &Image) -> Option<BTreeSet<i32>> {
        if let Some(of) = self.initialized.remove(&id) {
            self.deleting.insert(id, name_of(id, image));
            return Some(of.partitions);
        }
        self.deleting.get(&id)?;
        Some(partitions_of(id, image)?.1.partitions)
    }

    /// The states of these topics have been deleted.
    pub fn deleted(&mut self, topics: &BTreeSet<Uuid>) {
        self.deleting.retain(|id, _| !topics.contains(id));
    }

    /// Forgets deleted topics, as the share coordinators do by themselves. Returns whether any was
    /// known.
    pub fn forget(&mut self, deleted: &BTreeSet<Uuid>) -> bool {
        let count = |states: &States| {
            states.initializing.len() + states.initialized.len() + states.deleting.len()
        };
        let before = count(self);
        self.initializing.retain(|id, _| !deleted.contains(id));
        self.initialized.retain(|id, _| !deleted.contains(id));
        self.deleted(deleted);
        count(self) < before
    }
}

/// Adds partitions to those that are known already. Names that are new replace older ones.
fn add(known: &mut ByTopic, more: ByTopic) {
    for (id, mut of) in more {
        if let Some(before) = known.remove(&id) {
            of.partitions.extend(before.partitions);
        }
        known.insert(id, of);
    }
}

/// All partitions of a topic that exists.
fn partitions_of(id: Uuid, image: &Image) -> Option<(Uuid, OfTopic)> {
    let topic = image.topics.by_id(id)?;
    let partitions = (0..).zip(&topic.partitions).map(|(index, _)| index).collect();
    Some((id, OfTopic { name: topic.name.to_string(), partitions }))
}

/// The name of a topic, for the records.
pub fn name_of(id: Uuid, image: &Image) -> String {
    image.topics.by_id(id).map_or_else(|| NO_NAME.to_owned(), |topic| topic.name.to_string())
}
