//! The share coordinator: keeps for each share partition how far its group is (KIP-932). Which
//! partition of `__share_group_state` a share partition belongs to, and one method per API
//! (ShareCoordinatorService).
//!
//! ```text
//! Persister       the way here for leaders of share partitions and for groups; tries again
//!   RemoteStates  (remote) the share coordinators in other brokers
//!   ShareStates   one method per API
//!     Slot        (runtime) as for groups
//!       ShareMachine   the share partitions of one partition of the topic
//!         record, state, batches, key
//!     pruning     beside requests: deletes the records that are not needed any more
//! ```

mod batches;
mod key;
mod machine;
mod persister;
mod pruning;
mod record;
mod remote;
mod state;

#[cfg(test)]
mod tests;

use super::internal_topics::CoordinatorTopic;
use super::runtime::{Settings, Slot};
use super::slots::Slots;
use super::state_machine::Outcome;
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::error::Result;
use crate::metadata::{Delta, Image};
use crate::replica::Replicas;
use crate::types::{LeaderEpoch, Offset};
pub use batches::{DeliveryBatch, DeliveryBatches};
pub use key::SharePartitionKey;
use machine::ShareMachine;
pub use machine::{ShareRead, ShareSummary};
pub use persister::Persister;
use remote::{Answer, Question};
pub use state::ShareWrite;
use std::sync::Arc;
use uuid::Uuid;

/// All share partitions whose partition of `__share_group_state` this broker leads.
#[derive(Debug)]
pub struct ShareStates {
    config: LiveConfig,
    slots: Slots<ShareMachine>,
}

impl ShareStates {
    /// No share partitions yet; `apply` brings them.
    pub fn new(config: LiveConfig, clock: Clock, replicas: Arc<Replicas>) -> Arc<ShareStates> {
        let now = config.get();
        let topic = CoordinatorTopic::share(&now);
        let settings = Settings {
            load_buffer_size: usize::try_from(now.share_coordinator_load_buffer_size).unwrap_or(0),
            commit_timeout_ms: now.share_coordinator_write_timeout_ms,
            required_acks: 1,
        };
        let slots = Slots::new(topic, settings, now.node_id, clock, replicas);
        Arc::new(ShareStates { config, slots })
    }

    /// Loads the partitions that this broker has come to lead, unloads the others, and forgets what
    /// belongs to deleted topics. Call it after `Replicas::apply`, in a tokio runtime.
    pub fn apply(&self, image: &Arc<Image>, delta: &Delta) {
        for slot in self.slots.apply(image, || ShareMachine::new(self.config.clone())) {
            tokio::spawn(pruning::serve(slot));
        }
        let deleted: Vec<Uuid> = delta.deleted_topics.iter().map(|topic| topic.id).collect();
        if !deleted.is_empty() {
            tokio::spawn(forget_topics(self.slots.all(), deleted));
        }
    }

    /// Stops all coordinators. Whoever waits for an answer gets NOT_COORDINATOR.
    pub fn close(&self) {
        self.slots.close();
    }

    /// The partition of `__share_group_state` that a share partition belongs to.
    pub fn partition_for(&self, key: &SharePartitionKey) -> i32 {
        self.slots.partition_of_hash(key.java_hash())
    }

    fn slot(&self, key: &SharePartitionKey) -> Result<Arc<Slot<ShareMachine>>> {
        self.slots.at(self.partition_for(key))
    }

    /// Answers what could also be asked of another broker.
    async fn answer(&self, key: &SharePartitionKey, question: &Question) -> Result<Answer> {
        match question {
            Question::Initialize { state_epoch, start_offset } => {
                self.initialize(key, *state_epoch, *start_offset).await.map(|()| Answer::Done)
            }
            Question::Read { leader_epoch } => {
                self.read(key, *leader_epoch).await.map(Answer::Read)
            }
            Question::Write(write) => self.write(key, write).await.map(|()| Answer::Done),
            Question::Summary => self.summary(key).await.map(Answer::Summary),
            Question::Delete => self.delete(key).await.map(|()| Answer::Done),
        }
    }

    /// Begins a share partition at `start_offset`, or begins it again in a newer epoch of the group.
    /// With -1 its leader decides where it begins.
    pub async fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<()> {
        let slot = self.slot(key)?;
        slot.run(|machine, now| machine.initialize(now, key, state_epoch, start_offset)).await
    }

    /// The state, for the share partition's leader. Leaders of earlier epochs are fenced from now on.
    pub async fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
    ) -> Result<ShareRead> {
        self.slot(key)?.run(|machine, now| machine.read(now, key, leader_epoch)).await
    }

    /// Keeps what the share partition's leader writes.
    pub async fn write(&self, key: &SharePartitionKey, write: &ShareWrite) -> Result<()> {
        self.slot(key)?.run(|machine, now| machine.write(now, key, write)).await
    }

    /// How far the group is. It is no error if nothing is known.
    pub async fn summary(&self, key: &SharePartitionKey) -> Result<ShareSummary> {
        self.slot(key)?.run(|machine, _| machine.summary(key).map(Outcome::answer)).await
    }

    /// Forgets a share partition. It is no error if nothing is known.
    pub async fn delete(&self, key: &SharePartitionKey) -> Result<()> {
        self.slot(key)?.run(|machine, _| machine.delete(key)).await
    }
}

async fn forget_topics(slots: Vec<Arc<Slot<ShareMachine>>>, deleted: Vec<Uuid>) {
    for slot in slots {
        if let Err(error) = slot.run(|machine, _| Ok(machine.forget_topics(&deleted))).await {
            tracing::warn!(%error, "cannot delete the share groups' state of deleted topics");
        }
    }
}
