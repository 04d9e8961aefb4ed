//! Verification on the side of the partition that a transaction writes to: before the first record
//! it asks the coordinator whether it is in the transaction, or has itself added to it
//! (AddPartitionsToTxnManager, ReplicaManager.maybeSendPartitionsToTransactionCoordinator).

mod coordinators;

use super::{EPOCH_BUMP_VERSION, Producer, Transactions};
use crate::coordinator::TRANSACTION_TOPIC;
use crate::error::{Error, Result};
use crate::log::{Verification, VerificationRequest};
use crate::replica::partition::Partition;
use crate::types::{BrokerId, Timestamp, TopicPartition};
pub use coordinators::Coordinators;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What the client understands (TransactionSupportedOperation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does not even know TRANSACTION_ABORTABLE.
    Default,
    /// It knows TRANSACTION_ABORTABLE.
    GenericErrors,
    /// It expects the broker to add the partitions (transaction version 2).
    AddPartitions,
}

/// Who writes in which transaction.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// `transactional.id`.
    pub id: &'a str,
    /// The producer that writes.
    pub producer: Producer,
    /// What the client understands.
    pub support: Support,
    /// Whether to ask again, for some time, while the last transaction is not complete.
    pub retries: bool,
}

impl Transactions {
    /// Verifies for each partition, given with the first sequence number, that it may take records
    /// of the transaction. The answers are in order; the append needs the one of its partition.
    pub async fn verify(
        &self,
        ask: &Ask<'_>,
        partitions: &[(Arc<Partition>, i32)],
    ) -> Vec<Result<Verification>> {
        let adds = ask.support == Support::AddPartitions;
        if !adds && !self.config.get().transaction_partition_verification_enable {
            return partitions.iter().map(|_| Ok(Verification::NotNeeded)).collect();
        }
        let verified = self.verify_once(ask, partitions).await;
        if !(ask.retries && adds && verified.iter().any(is_concurrent)) {
            return verified;
        }
        let limit_ms = {
            let config = self.config.get();
            config.add_partitions_to_txn_retry_backoff_max_ms.min(config.request_timeout_ms)
        };
        if self.coordinator_elsewhere(ask.id).is_some() {
            return self
                .verify_until(self.clock.now() + i64::from(limit_ms), ask, partitions)
                .await;
        }
        self.wait_for_markers(ask.id, Duration::from_millis(limit_ms.max(0) as u64)).await;
        self.verify_once(ask, partitions).await
    }

    /// Asks a coordinator in another broker every so often, until the last transaction is complete
    /// or the time is over; after that the client has to retry.
    async fn verify_until(
        &self,
        end: Timestamp,
        ask: &Ask<'_>,
        partitions: &[(Arc<Partition>, i32)],
    ) -> Vec<Result<Verification>> {
        let pause_ms = self.config.get().add_partitions_to_txn_retry_backoff_ms;
        loop {
            tokio::time::sleep(Duration::from_millis(pause_ms.max(1) as u64)).await;
            let verified = self.verify_once(ask, partitions).await;
            if self.clock.now() >= end || !verified.iter().any(is_concurrent) {
                return verified;
            }
        }
    }

    /// Waits until the last transaction of `id` is complete, but no longer than Kafka would keep
    /// asking; after that the client has to retry.
    async fn wait_for_markers(&self, id: &str, limit: Duration) {
        if let Ok(slot) = self.slots.of(id) {
            let end = slot.run_parked(|machine, _, ticket| machine.wait_for_markers(id, ticket));
            // The next request to the coordinator shows what came of it.
            let _ = timeout(limit, end).await;
        }
    }

    async fn verify_once(
        &self,
        ask: &Ask<'_>,
        partitions: &[(Arc<Partition>, i32)],
    ) -> Vec<Result<Verification>> {
        let adds = ask.support == Support::AddPartitions;
        let (now, Producer { id: producer_id, epoch: producer_epoch }) =
            (self.clock.now(), ask.producer);
        let start = |&(ref partition, sequence): &(Arc<Partition>, i32)| {
            let asked = VerificationRequest { producer_id, producer_epoch, sequence, adds };
            partition.start_verification(asked, now)
        };
        let mut verified: Vec<Result<Verification>> = partitions.iter().map(start).collect();
        let is_asked =
            |verified: &Result<Verification>| matches!(verified, Ok(Verification::Guard(_)));
        let asked: Vec<TopicPartition> = partitions
            .iter()
            .zip(&verified)
            .filter(|(_, verified)| is_asked(verified))
            .map(|((partition, _), _)| partition.topic_partition().clone())
            .collect();
        if asked.is_empty() {
            return verified;
        }
        let answers = self.ask_coordinator(ask, &asked).await;
        let open = verified.iter_mut().filter(|verified| is_asked(verified));
        for (verified, answer) in open.zip(answers) {
            if let Err(error) = answer {
                *verified = Err(error);
            }
        }
        verified
    }

    /// The other broker that coordinates `id`, or should if it were there; None if this one does,
    /// or if nobody is known to.
    fn coordinator_elsewhere(&self, id: &str) -> Option<BrokerId> {
        let image = self.writer.image();
        let topic = image.topics.by_name(TRANSACTION_TOPIC)?;
        let leader = topic.partition(self.partition_for(id))?.leader;
        (leader != self.config.get().node_id).then_some(leader)
    }

    /// Asks the coordinator, here or in another broker.
    async fn ask_coordinator(
        &self,
        ask: &Ask<'_>,
        partitions: &[TopicPartition],
    ) -> Vec<Result<()>> {
        let answered = match (self.coordinator_elsewhere(ask.id), ask.support) {
            (Some(broker), _) => self.coordinators.ask(broker, ask, partitions).await,
            (None, Support::AddPartitions) => self
                .add_partitions(ask.id, ask.producer, partitions, EPOCH_BUMP_VERSION)
                .await
                .map(|()| partitions.iter().map(|_| Ok(())).collect()),
            (None, _) => self.verify_partitions(ask.id, ask.producer, partitions).await,
        };
        let translate = |error: ResponseError| -> Error {
            match error {
                // The error that producers expect here.
                ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch.into(),
                ResponseError::TransactionAbortable if ask.support == Support::Default => {
                    ResponseError::InvalidTxnState.into()
                }
                error => error.into(),
            }
        };
        match answered {
            Ok(answers) => answers.into_iter().map(|answer| answer.map_err(translate)).collect(),
            Err(error) => partitions.iter().map(|_| Err(translate(error.code()))).collect(),
        }
    }
}

fn is_concurrent(verified: &Result<Verification>) -> bool {
    let concurrent = ResponseError::ConcurrentTransactions;
    verified.as_ref().is_err_and(|error| error.code() == concurrent)
}
