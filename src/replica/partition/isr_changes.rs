//! The changes of ISRs that the controller is to be asked for.

use super::{IsrChange, Partition};
use crate::sync::lock;
use crate::types::TopicIdPartition;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::Notify;

/// The partitions whose ISR the controller is asked to change.
#[derive(Debug, Default)]
pub(in crate::replica) struct IsrChanges {
    asking: Mutex<BTreeMap<TopicIdPartition, Weak<Partition>>>,
    wake: Notify,
}

impl IsrChanges {
    /// Notes that a partition has a change to ask for.
    pub(in crate::replica) fn add(&self, id: TopicIdPartition, partition: &Weak<Partition>) {
        lock(&self.asking).insert(id, Weak::clone(partition));
        self.wake.notify_one();
    }

    /// Resolves when a change was added.
    pub(in crate::replica) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Takes the changes that are still wanted.
    pub(in crate::replica) fn take(&self) -> Vec<Asked> {
        let asking = std::mem::take(&mut *lock(&self.asking));
        let wanted = asking.into_values().filter_map(|partition| {
            let partition = partition.upgrade()?;
            let change = partition.isr_change()?;
            Some(Asked { partition, change })
        });
        wanted.collect()
    }
}

/// A partition, and the change that it asks for.
#[derive(Debug)]
pub(in crate::replica) struct Asked {
    pub(in crate::replica) partition: Arc<Partition>,
    pub(in crate::replica) change: IsrChange,
}
