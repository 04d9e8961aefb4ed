//! What the partitions of a broker have in common.

use super::Unsettled;
use super::isr_changes::IsrChanges;
use crate::config::LiveConfig;
use crate::metadata::{Broker, Image};
use crate::types::BrokerId;
use arc_swap::ArcSwap;
use imbl::OrdMap;
use std::sync::Arc;

/// What the partitions of a broker have in common.
#[derive(Debug)]
pub(in crate::replica) struct Common {
    /// This broker.
    pub(in crate::replica) broker_id: BrokerId,
    pub(in crate::replica) config: LiveConfig,
    /// The brokers of the cluster, for what is said about followers, as of the image that is being
    /// applied or was applied last.
    brokers: ArcSwap<OrdMap<BrokerId, Arc<Broker>>>,
    /// The partitions that `settle` has to check.
    pub(in crate::replica) unsettled: Unsettled,
    /// The partitions whose ISR the controller is asked to change.
    pub(in crate::replica) isr_changes: IsrChanges,
}

impl Common {
    /// The start of a broker without partitions.
    pub(in crate::replica) fn new(config: LiveConfig) -> Arc<Common> {
        let broker_id = config.get().node_id;
        let (unsettled, isr_changes) = (Unsettled::default(), IsrChanges::default());
        let brokers = ArcSwap::default();
        Arc::new(Common { broker_id, config, brokers, unsettled, isr_changes })
    }

    /// A broker of the cluster.
    pub(in crate::replica) fn broker(&self, id: BrokerId) -> Option<Arc<Broker>> {
        self.brokers.load().get(&id).cloned()
    }

    /// Takes the brokers of `image`; returns whether something is said about one that was not
    /// before.
    pub(in crate::replica) fn take_brokers(&self, image: &Image) -> bool {
        let are_new = **self.brokers.load() != image.brokers;
        if are_new {
            self.brokers.store(Arc::new(image.brokers.clone()));
        }
        are_new
    }
}
