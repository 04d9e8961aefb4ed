//! What a step of the metadata log changed.

use super::Image;
use super::topics::Topic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// What one step changed, for the parts of the broker that act on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Ids of topics that were created or whose partitions changed; the step's image has all of
    /// them.
    pub changed_topics: Vec<Uuid>,
    /// Topics that existed before the step and were deleted in it.
    pub deleted_topics: Vec<Arc<Topic>>,
    /// (resource type, name) of each resource whose configs changed.
    pub changed_configs: Vec<(i8, String)>,
}

impl Delta {
    /// What differs between two images, for a step that was not replayed record by record.
    pub fn between(before: &Image, after: &Image) -> Delta {
        let changed =
            after.topics.iter().filter(|topic| before.topics.by_id(topic.id) != Some(topic));
        let deleted = before.topics.iter().filter(|topic| after.topics.by_id(topic.id).is_none());
        let names: BTreeSet<_> = before.configs.keys().chain(after.configs.keys()).collect();
        let differs =
            |name: &&&(i8, String)| before.configs.get(**name) != after.configs.get(**name);
        Delta {
            changed_topics: changed.map(|topic| topic.id).collect(),
            deleted_topics: deleted.cloned().collect(),
            changed_configs: names.iter().filter(differs).map(|name| (*name).clone()).collect(),
        }
    }

    /// The names of the resources of that type whose settings changed.
    pub fn configs_of(&self, resource_type: i8) -> impl Iterator<Item = &str> {
        let of_type = self.changed_configs.iter().filter(move |(kind, _)| *kind == resource_type);
        of_type.map(|(_, name)| name.as_str())
    }
}

/// A `Delta` under construction while records are replayed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Topic id -> whether the topic was created within the step.
    topics: BTreeMap<Uuid, bool>,
    deleted_topics: Vec<Arc<Topic>>,
    configs: BTreeSet<(i8, String)>,
}

impl Changes {
    pub fn topic_made(&mut self, id: Uuid) {
        self.topics.insert(id, true);
    }

    pub fn topic_changed(&mut self, id: Uuid) {
        self.topics.entry(id).or_insert(false);
    }

    pub fn topic_deleted(&mut self, topic: Arc<Topic>) {
        let made_within = self.topics.remove(&topic.id) == Some(true);
        if !made_within {
            self.deleted_topics.push(topic);
        }
    }

    pub fn config_changed(&mut self, resource_type: i8, name: &str) {
        self.configs.insert((resource_type, name.to_owned()));
    }

    pub fn finish(self) -> Delta {
        Delta {
            changed_topics: self.topics.into_keys().collect(),
            deleted_topics: self.deleted_topics,
            changed_configs: self.configs.into_iter().collect(),
        }
    }
}
