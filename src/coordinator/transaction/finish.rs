//! Work beside requests: tells the partitions of a transaction how it ended, and aborts
//! transactions that take too long.
//!
//! A coordinator that starts finds prepared transactions in its log and tells all of their
//! partitions again. A marker that is written twice changes nothing.

use super::super::Marker;
use super::super::runtime::Slot;
use super::Transactions;
use super::machine::{Job, Machine, TransactionalId};
use super::metadata::Transaction;
use super::state::TransactionState;
use crate::coordinator::state_machine::Outcome;
use crate::types::{BrokerId, NO_EPOCH, TopicPartition};
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The pause before a failed write is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Does the jobs of one partition's machine for as long as it is here.
pub async fn serve(transactions: Arc<Transactions>, slot: Arc<Slot<Machine>>) {
    while slot.wait_for_work().await {
        // The answer comes once everything that the jobs depend on is replicated.
        let jobs = match slot.run(|machine, _| Ok(Outcome::answer(machine.jobs()))).await {
            Ok(jobs) => jobs,
            Err(error) if error.code() == ResponseError::NotCoordinator => return,
            Err(error) => {
                tracing::warn!(%error, "cannot end transactions yet; trying again");
                tokio::time::sleep(RETRY).await;
                slot.remind();
                continue;
            }
        };
        let taken = slot.run(|machine, _| {
            machine.take(&jobs);
            Ok(Outcome::answer(()))
        });
        drop(taken.await);
        for job in jobs {
            let (transactions, slot) = (transactions.clone(), slot.clone());
            match job {
                Job::Finish(id, prepared) => {
                    tokio::spawn(finish(transactions, slot, id, prepared));
                }
                Job::Abort(id, producer) => {
                    tokio::spawn(async move { transactions.abort_overdue(&id, producer).await });
                }
            }
        }
    }
}

/// Tells all partitions how the transaction ended, then writes that they know.
async fn finish(
    transactions: Arc<Transactions>,
    slot: Arc<Slot<Machine>>,
    id: TransactionalId,
    mut prepared: Transaction,
) {
    let mut marker = Marker {
        producer_id: prepared.producer.id,
        producer_epoch: prepared.producer.epoch,
        coordinator_epoch: NO_EPOCH,
        committed: prepared.state == TransactionState::PrepareCommit,
        transaction_version: prepared.client_version,
    };
    loop {
        let partitions = std::mem::take(&mut prepared.partitions).into_iter().collect();
        // If this broker leads on in a newer epoch, the partitions may know that one already.
        marker.coordinator_epoch = slot.leader_epoch();
        let Some((done, failed)) = send(&transactions, &marker, partitions).await else {
            tracing::info!(
                id = &*id,
                ?marker,
                "gave up a transaction marker: a partition knows a newer producer epoch"
            );
            return;
        };
        let producer = prepared.producer;
        let noted =
            slot.run(|machine, now| Ok(machine.markers_written(now, &id, producer, &done))).await;
        match noted {
            Ok(()) if failed.is_empty() => return,
            Err(error) if error.code() == ResponseError::NotCoordinator => return,
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(id = &*id, %error, "cannot write the end of a transaction yet; trying again");
            }
        }
        prepared.partitions.extend(failed);
        tokio::time::sleep(RETRY).await;
    }
}

/// Sends `marker` to the leaders of the partitions. Returns the partitions that have it or were
/// deleted, and those that have to be tried again; None if the marker is not wanted any more.
async fn send(
    transactions: &Transactions,
    marker: &Marker,
    partitions: Vec<TopicPartition>,
) -> Option<(Vec<TopicPartition>, Vec<TopicPartition>)> {
    let image = transactions.writer.image();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut by_leader: HashMap<BrokerId, Vec<TopicPartition>> = HashMap::new();
    for partition in partitions {
        let topic = image.topics.by_name(&partition.topic);
        match topic.and_then(|topic| topic.partition(partition.partition)) {
            Some(known) => by_leader.entry(known.leader).or_default().push(partition),
            // The partition was deleted.
            None => done.push(partition),
        }
    }
    let sent = by_leader
        .into_iter()
        .map(|(leader, partitions)| transactions.senders.send(leader, marker.clone(), partitions));
    for (partition, written) in join_all(sent).await.into_iter().flatten() {
        match written {
            Ok(()) => done.push(partition),
            Err(
                ResponseError::InvalidProducerEpoch | ResponseError::TransactionCoordinatorFenced,
            ) => return None,
            // Nothing of the transaction can be in such a partition.
            Err(ResponseError::UnsupportedForMessageFormat | ResponseError::UnsupportedVersion) => {
                done.push(partition);
            }
            Err(error) => {
                tracing::debug!(%partition, %error, "cannot write a transaction marker yet; trying again");
                failed.push(partition);
            }
        }
    }
    Some((done, failed))
}
