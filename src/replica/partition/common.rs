//! What the partitions of a broker have in common.

use super::Unsettled;
use crate::config::LiveConfig;
use crate::metadata::Image;
use crate::replica::isr::IsrChanges;
use crate::types::BrokerId;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// What the partitions of a broker have in common.
#[derive(Debug)]
pub(in crate::replica) struct Common {
    /// This broker.
    pub(in crate::replica) broker_id: BrokerId,
    pub(in crate::replica) config: LiveConfig,
    /// The cluster, for what it says about followers.
    pub(in crate::replica) images: Arc<ArcSwap<Image>>,
    /// The partitions that `settle` has to check.
    pub(in crate::replica) unsettled: Unsettled,
    /// The partitions whose ISR the controller is asked to change.
    pub(in crate::replica) isr_changes: IsrChanges,
}

impl Common {
    /// The start of a broker without partitions.
    pub(in crate::replica) fn new(config: LiveConfig, images: Arc<ArcSwap<Image>>) -> Arc<Common> {
        let broker_id = config.get().node_id;
        let (unsettled, isr_changes) = (Unsettled::default(), IsrChanges::default());
        Arc::new(Common { broker_id, config, images, unsettled, isr_changes })
    }
}
