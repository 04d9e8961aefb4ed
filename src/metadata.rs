//! The immutable Image of the cluster, moved forward only by records of the metadata log. All here
//! are values; who writes the records, and keeps the log, is the controller.
//!
//! ```text
//!  record control        one record of the log, and KRaft's own
//!  topics cluster security features     the nouns in an Image
//!  image                 records -> Image, Image -> records
//!  delta                 what a step changed
//!  loader snapshot       whole batches and transactions; an Image in a file
//! ```

pub mod cluster;
pub mod control;
pub mod delta;
pub mod features;
mod image;
mod loader;
pub mod record;
pub mod security;
pub(crate) mod snapshot;
pub mod topics;

#[cfg(test)]
mod tests;

pub use cluster::Broker;
pub use delta::Delta;
pub(crate) use loader::{Loader, decode_batch};
pub use topics::{Partition, Topic, Topics};

use crate::codec::schema::metadata::RegisterControllerRecord;
use crate::types::{BrokerId, LeaderEpoch, Offset};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Topic configs' resource type.
pub const TOPIC_CONFIG: i8 = 2;
/// Broker configs' resource type.
pub const BROKER_CONFIG: i8 = 4;
/// Broker loggers' resource type: levels, which are no records.
pub const BROKER_LOGGER_CONFIG: i8 = 8;
/// Client metrics subscriptions' resource type.
pub const CLIENT_METRICS_CONFIG: i8 = 16;
/// Group configs' resource type.
pub const GROUP_CONFIG: i8 = 32;

/// The cluster as the metadata log up to `offset` says. Cloning is cheap (persistent maps).
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Of the directory's `meta.properties`.
    pub cluster_id: Arc<str>,
    /// Offset of the last record contained (FinalizedFeaturesEpoch); -1 if none.
    pub offset: Offset,
    /// Epoch of that record.
    pub epoch: LeaderEpoch,
    /// Topics with their partitions.
    pub topics: Topics,
    /// Registered brokers, fenced ones too.
    pub brokers: imbl::OrdMap<BrokerId, Arc<Broker>>,
    /// Registered controllers.
    pub controllers: imbl::OrdMap<BrokerId, Arc<RegisterControllerRecord>>,
    /// Finalized features: name -> level; a feature at level 0 is not in it.
    pub features: imbl::OrdMap<String, i16>,
    /// The finalized level of `kraft.version`, which control records set.
    pub kraft_version: i16,
    /// (resource type, name) -> (key -> value). Types: 2 topic, 4 broker ("" is the default), 16
    /// client metrics, 32 group.
    pub configs: imbl::OrdMap<(i8, String), Arc<BTreeMap<String, String>>>,
    /// First producer id not yet handed out in a block.
    pub next_producer_id: i64,
    /// ACLs, credentials, tokens, quotas.
    pub security: security::Security,
}

impl Default for Image {
    fn default() -> Image {
        Image {
            cluster_id: Arc::from(""),
            offset: -1,
            epoch: 0,
            topics: Topics::default(),
            brokers: imbl::OrdMap::new(),
            controllers: imbl::OrdMap::new(),
            features: imbl::OrdMap::new(),
            kraft_version: 0,
            configs: imbl::OrdMap::new(),
            next_producer_id: 0,
            security: security::Security::default(),
        }
    }
}

impl Image {
    /// The overrides of a resource; empty if none.
    pub fn configs_of(&self, resource_type: i8, name: &str) -> Arc<BTreeMap<String, String>> {
        static NONE: LazyLock<Arc<BTreeMap<String, String>>> = LazyLock::new(Arc::default);
        let configs = self.configs.get(&(resource_type, name.to_owned()));
        configs.unwrap_or(&NONE).clone()
    }

    /// The finalized level of a feature, 0 if it is not finalized.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All finalized features as ApiVersions names them: (name, level), by name. Their epoch is
    /// `offset`.
    pub fn finalized_features(&self) -> BTreeMap<String, i16> {
        let kraft = (features::KRAFT_VERSION.to_owned(), self.kraft_version);
        let features = self.features.iter().map(|(name, level)| (name.clone(), *level));
        features.chain([kraft].into_iter().filter(|(_, level)| *level > 0)).collect()
    }

    /// The finalized `metadata.version`.
    pub fn metadata_version(&self) -> i16 {
        self.feature(features::METADATA_VERSION)
    }

    /// Whether eligible leader replicas are kept (KIP-966).
    pub fn elr_enabled(&self) -> bool {
        self.feature(features::ELIGIBLE_LEADER_REPLICAS) > 0
    }
}

/// One step of the metadata log, as the broker's half receives it, in order.
#[derive(Clone, Debug)]
pub struct Published {
    /// The state after the step.
    pub image: Arc<Image>,
    /// What the step changed; of the first step, everything.
    pub delta: Arc<Delta>,
}
