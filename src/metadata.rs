//! The immutable Image of the cluster, moved forward only by records of the metadata log.
//! (Stub: the metadata engineer replaces the bodies.)

pub mod controller;

use crate::types::{BrokerId, LeaderEpoch, Offset};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// One partition's registration (PartitionRegistration).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Partition {
    pub replicas: Vec<BrokerId>,
    pub directories: Vec<Uuid>,
    pub isr: Vec<BrokerId>,
    pub removing_replicas: Vec<BrokerId>,
    pub adding_replicas: Vec<BrokerId>,
    pub elr: Vec<BrokerId>,
    pub last_known_elr: Vec<BrokerId>,
    /// -1 if none.
    pub leader: BrokerId,
    pub leader_recovery_state: i8,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
}

/// One topic; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Topic {
    pub id: Uuid,
    pub name: Arc<str>,
    /// By index.
    pub partitions: imbl::Vector<Arc<Partition>>,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Broker {
    pub id: BrokerId,
    pub epoch: i64,
    pub incarnation_id: Uuid,
    /// (listener name, host, port, security protocol).
    pub listeners: Vec<(String, String, u16, i16)>,
    pub rack: Option<String>,
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Vec<Uuid>,
    pub features: Vec<(String, i16, i16)>,
}

/// The cluster as the metadata log up to `offset` says. Cloning is cheap (persistent maps).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Image {
    pub cluster_id: Arc<str>,
    /// Offset of the last record contained (FinalizedFeaturesEpoch); -1 if none.
    pub offset: Offset,
    pub epoch: LeaderEpoch,
    pub topics: Topics,
    pub brokers: imbl::OrdMap<BrokerId, Arc<Broker>>,
    /// Finalized features: name -> level.
    pub features: imbl::OrdMap<String, i16>,
    /// (resource type, name) -> (key -> value). Types: 2 topic, 4 broker ("" is the default), 16
    /// client metrics, 32 group.
    pub configs: imbl::OrdMap<(i8, String), Arc<BTreeMap<String, String>>>,
    /// First producer id not yet handed out in a block.
    pub next_producer_id: i64,
}

/// Topics by name and by id.
#[derive(Clone, Debug, Default)]
pub struct Topics {}

#[allow(missing_docs)]
impl Topics {
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        let _ = name;
        todo!("metadata engineer")
    }
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        let _ = id;
        todo!()
    }
    /// All topics, ordered by name.
    pub fn iter(&self) -> Box<dyn Iterator<Item = &Arc<Topic>> + '_> {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Topic configs' resource type.
pub const TOPIC_CONFIG: i8 = 2;
/// Broker configs' resource type.
pub const BROKER_CONFIG: i8 = 4;
/// Group configs' resource type.
pub const GROUP_CONFIG: i8 = 32;

impl Image {
    /// The overrides of a resource; empty if none.
    pub fn configs_of(&self, resource_type: i8, name: &str) -> Arc<BTreeMap<String, String>> {
        let _ = (resource_type, name);
        todo!()
    }
}

/// What one batch of records changed, for those who act on it.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Delta {
    /// Topics made or with changed partitions, by id.
    pub changed_topics: Vec<Uuid>,
    pub deleted_topics: Vec<Arc<Topic>>,
    /// (resource type, name) whose configs changed.
    pub changed_configs: Vec<(i8, String)>,
    pub brokers_changed: bool,
    pub features_changed: bool,
}

/// One step of the metadata log, as the broker's half receives it, in order.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Published {
    pub image: Arc<Image>,
    pub delta: Arc<Delta>,
}
