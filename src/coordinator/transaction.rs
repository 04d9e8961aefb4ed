//! The transaction coordinator: which partition of `__transaction_state` is a transactional id's,
//! and one method per API (TransactionCoordinator).
//!
//! ```text
//! Transactions    one method per API; asks the controller for producer ids
//!   Slot          (runtime) as for groups
//!     Machine     transactional ids of one partition (end: how transactions end)
//!   finish        beside requests: tells partitions the end, aborts what takes too long
//!     Senders     a queue of markers for each broker; MarkerWriter writes those for this one
//!   verify        the other side: a partition that asks whether it is in a transaction
//!     Coordinators  those in other brokers, which are asked over the wire
//! ```

mod admin;
mod end;
mod finish;
mod machine;
mod markers;
mod metadata;
mod record;
mod state;
mod verify;

#[cfg(test)]
mod tests;

use super::internal_topics::CoordinatorTopic;
use super::runtime::{Settings, Slot};
use super::slots::Slots;
use super::state_machine::Outcome;
use super::{Groups, Marker};
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::controller;
use crate::error::Result;
use crate::metadata::Image;
use crate::peers::Peers;
use crate::replica::Replicas;
use crate::types::{ProducerId, Timestamp, TopicPartition};
pub use admin::Filter;
pub use end::EndRequest;
use kafka_protocol::error::ResponseError;
use machine::{Answer, Machine, MachineOutcome};
pub use machine::{Init, TransactionalId};
pub use markers::Written;
use markers::{MarkerWriter, Senders};
pub use metadata::{EPOCH_BUMP_VERSION, NO_PRODUCER_EPOCH, Producer, Transaction};
pub use state::TransactionState;
use std::sync::Arc;
use verify::Coordinators;
pub use verify::{Ask, Support};

/// All transactional ids whose partition of `__transaction_state` this broker leads.
#[derive(Debug)]
pub struct Transactions {
    config: LiveConfig,
    clock: Clock,
    replicas: Arc<Replicas>,
    controller: controller::Client,
    broker_epoch: i64,
    slots: Slots<Machine>,
    writer: Arc<MarkerWriter>,
    senders: Senders,
    coordinators: Coordinators,
}

impl Transactions {
    /// No transactional ids yet; `apply` brings them.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        replicas: Arc<Replicas>,
        groups: Arc<Groups>,
        controller: controller::Client,
        peers: Arc<Peers>,
        broker_epoch: i64,
    ) -> Arc<Transactions> {
        let now = config.get();
        let topic = CoordinatorTopic::transactions(&now);
        let load_buffer_size =
            usize::try_from(now.transaction_state_log_load_buffer_size).unwrap_or(0);
        let settings = Settings {
            load_buffer_size,
            commit_timeout_ms: now.request_timeout_ms,
            required_acks: -1,
        };
        let slots = Slots::new(topic, settings, now.node_id, clock.clone(), replicas.clone());
        let writer = MarkerWriter::new(config.clone(), clock.clone(), replicas.clone(), groups);
        let writer = Arc::new(writer);
        let senders = Senders::new(now.node_id, writer.clone(), peers.clone());
        Arc::new(Transactions {
            config,
            clock,
            replicas,
            controller,
            broker_epoch,
            slots,
            writer,
            senders,
            coordinators: Coordinators::new(peers),
        })
    }

    /// Loads the partitions that this broker has come to lead and unloads the others. Call it after
    /// `Replicas::apply` and `Groups::apply`, in a tokio runtime.
    pub fn apply(self: &Arc<Self>, image: &Arc<Image>) {
        self.writer.apply(image);
        for slot in self.slots.apply(image, || Machine::new(self.config.clone())) {
            tokio::spawn(finish::serve(self.clone(), slot));
        }
    }

    /// Stops all coordinators. Whoever waits for an answer gets NOT_COORDINATOR.
    pub fn close(&self) {
        self.slots.close();
        self.senders.close();
        self.coordinators.close();
    }

    /// The partition of `__transaction_state` that a transactional id belongs to.
    pub fn partition_for(&self, id: &str) -> i32 {
        self.slots.partition_for(id)
    }

    /// A producer id that has never been given to anybody.
    pub async fn new_producer_id(&self) -> Result<ProducerId> {
        let allocate =
            || self.controller.allocate_producer_ids(self.config.get().node_id, self.broker_epoch);
        self.replicas.producer_ids().next(allocate).await
    }

    /// Gives the transactional id to a producer, and fences the one that had it.
    pub async fn init(&self, init: &Init<'_>) -> Result<Producer> {
        if init.id.is_empty() {
            return Err(ResponseError::InvalidRequest.into());
        }
        if init.timeout_ms <= 0 || init.timeout_ms > self.config.get().transaction_max_timeout_ms {
            return Err(ResponseError::InvalidTransactionTimeout.into());
        }
        let slot = self.slots.of(init.id)?;
        self.answer(&slot, |machine, now, fresh| machine.init(now, init, fresh)).await
    }

    /// Runs an operation, and again with a new producer id if it needs one.
    async fn answer(
        &self,
        slot: &Slot<Machine>,
        operation: impl Fn(&Machine, Timestamp, Option<ProducerId>) -> MachineOutcome<Answer>,
    ) -> Result<Producer> {
        let mut fresh = None;
        loop {
            match slot.run(|machine, now| Ok(operation(machine, now, fresh))).await? {
                Answer::Producer(producer) => return Ok(producer),
                Answer::Refused(error) => return Err(error.into()),
                Answer::NeedsProducerId => fresh = Some(self.new_producer_id().await?),
            }
        }
    }

    /// Adds partitions to a producer's transaction.
    pub async fn add_partitions(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        client_version: i16,
    ) -> Result<()> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest.into());
        }
        let slot = self.slots.of(id)?;
        let add = |machine: &mut Machine, now| {
            machine.add_partitions(now, id, producer, partitions, client_version)
        };
        slot.run(add).await
    }

    /// Whether the partitions are in the producer's transaction, one by one.
    pub async fn verify_partitions(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<(), ResponseError>>> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest.into());
        }
        let slot = self.slots.of(id)?;
        let verify = |machine: &mut Machine, _| {
            machine.verify_partitions(id, producer, partitions).map(Outcome::answer)
        };
        slot.run(verify).await
    }

    /// Commits or aborts. Returns the client's producer from now on, which is `Producer::NONE` for
    /// clients that keep theirs. The partitions are told afterwards.
    pub async fn end(&self, request: &EndRequest<'_>) -> Result<Producer> {
        if request.id.is_empty() {
            return Err(ResponseError::InvalidRequest.into());
        }
        let slot = self.slots.of(request.id)?;
        self.answer(&slot, |machine, now, fresh| machine.end(now, request, fresh)).await
    }

    async fn abort_overdue(&self, id: &str, producer: Producer) {
        let Ok(slot) = self.slots.of(id) else { return };
        let abort = self
            .answer(&slot, |machine, now, fresh| machine.abort_overdue(now, id, producer, fresh));
        match abort.await {
            Ok(_) => tracing::info!(
                "aborted the transaction of transactional.id {id}, producer {}: it took longer \
                 than its transaction.timeout.ms",
                producer.id
            ),
            Err(error) => {
                tracing::debug!(id, %error, "cannot abort a transaction that takes too long")
            }
        }
    }

    /// What is known about a transactional id; TRANSACTIONAL_ID_NOT_FOUND if nothing is.
    pub async fn describe(&self, id: &str) -> Result<Transaction> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest.into());
        }
        let slot = self.slots.of(id)?;
        let known = slot.run(|machine, _| Ok(Outcome::answer(machine.get(id).cloned()))).await?;
        known.ok_or_else(|| ResponseError::TransactionalIdNotFound.into())
    }

    /// The transactional ids of this broker that `filter` admits.
    pub async fn list(
        &self,
        filter: &Filter,
    ) -> Result<Vec<(TransactionalId, ProducerId, TransactionState)>> {
        let mut found = Vec::new();
        for slot in self.slots.all() {
            match slot.run(|machine, now| Ok(Outcome::answer(machine.list(now, filter)))).await {
                Ok(listed) => found.extend(listed),
                Err(error) if error.code() == ResponseError::NotCoordinator => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Writes a marker into partitions that this broker leads.
    pub async fn write_markers(&self, marker: &Marker, partitions: Vec<TopicPartition>) -> Written {
        self.writer.write(marker, partitions).await
    }
}
