//! An immutable Image of the cluster, which only records of the metadata log move forward.
//! Everything here is a value; the controller writes the records and keeps the log.
//!
//! ```text
//!  record control        a record of the log; KRaft's own control records
//!  topics cluster security features     what an Image consists of
//!  image                 records -> Image, Image -> records
//!  delta                 what a step changed
//!  loader snapshot       batches and transactions into an Image; an Image in a file
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

pub use crate::config::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, TOPIC_CONFIG,
};
pub use cluster::Broker;
pub use delta::Delta;
pub(crate) use loader::{Loader, decode_batch};
pub use topics::{Partition, Topic, Topics};

use crate::codec::schema::metadata::RegisterControllerRecord;
use crate::types::{BrokerId, LeaderEpoch, Offset};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The cluster as the metadata log describes it up to `offset`. Cloning is cheap: the maps are
/// persistent.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// `cluster.id` in `meta.properties`.
    pub cluster_id: Arc<str>,
    /// Offset of the last record contained, -1 if none. ApiVersions sends it as
    /// FinalizedFeaturesEpoch.
    pub offset: Offset,
    /// Epoch of that record.
    pub epoch: LeaderEpoch,
    /// Topics with their partitions.
    pub topics: Topics,
    /// Registered brokers, including fenced ones.
    pub brokers: imbl::OrdMap<BrokerId, Arc<Broker>>,
    /// The last registration of each controller.
    pub controllers: imbl::OrdMap<BrokerId, Arc<RegisterControllerRecord>>,
    /// Finalized features: name -> level. A feature at level 0 is left out.
    pub features: imbl::OrdMap<String, i16>,
    /// The finalized level of `kraft.version`, which comes from control records.
    pub kraft_version: i16,
    /// (resource type, name) -> (key -> value). Resource types: 2 topic, 4 broker (the empty name
    /// holds the defaults of all brokers), 16 client metrics, 32 group.
    pub configs: imbl::OrdMap<(i8, String), Arc<BTreeMap<String, String>>>,
    /// The first producer id that no block contains yet.
    pub next_producer_id: i64,
    /// ACLs, SCRAM credentials, delegation tokens and quotas.
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
    /// The configs set for a resource; empty if there are none.
    pub fn configs_of(&self, resource_type: i8, name: &str) -> Arc<BTreeMap<String, String>> {
        static NONE: LazyLock<Arc<BTreeMap<String, String>>> = LazyLock::new(Arc::default);
        let configs = self.configs.get(&(resource_type, name.to_owned()));
        configs.unwrap_or(&NONE).clone()
    }

    /// The finalized level of a feature; 0 if it is not finalized.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All finalized features as ApiVersions reports them, `kraft.version` included: name -> level.
    /// Their epoch is `offset`.
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

/// One step of the metadata log. Brokers receive the steps in order.
#[derive(Clone, Debug)]
pub struct Published {
    /// The state after the step.
    pub image: Arc<Image>,
    /// What the step changed; for the first step, everything.
    pub delta: Arc<Delta>,
}
