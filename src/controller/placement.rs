//! Chooses the brokers of new partitions (StripedReplicaPlacer, for a cluster of one rack).

use super::view::{View, explained};
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{NO_LEADER, Partition};
use crate::types::BrokerId;
use kafka_protocol::ResponseError;
use uuid::Uuid;

/// Places `partitions` new partitions of `replication_factor` replicas each, striped over the
/// brokers from a random one on. Active brokers come first.
pub(super) fn place(
    view: View<'_>,
    partitions: usize,
    replication_factor: i32,
) -> Result<Vec<Vec<BrokerId>>> {
    let usable = || {
        let brokers = view.image.brokers.values();
        brokers.filter(|broker| !broker.in_controlled_shutdown && broker.takes_partitions())
    };
    let unfenced: Vec<BrokerId> =
        usable().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
    let fenced: Vec<BrokerId> =
        usable().filter(|broker| broker.fenced).map(|broker| broker.id).collect();
    let total = unfenced.len() + fenced.len();
    check(replication_factor, unfenced.len(), total)?;
    let start = fastrand::usize(..unfenced.len());
    let striped = |partition: usize| -> Vec<BrokerId> {
        let from =
            |list: &[BrokerId], replica: usize| list[(start + partition + replica) % list.len()];
        let unfenced = (0..unfenced.len()).map(|replica| from(&unfenced, replica));
        let fenced = (0..fenced.len()).map(|replica| from(&fenced, replica));
        unfenced.chain(fenced).take(replication_factor as usize).collect()
    };
    Ok((0..partitions).map(striped).collect())
}

fn check(replication_factor: i32, unfenced: usize, total: usize) -> Result<()> {
    let invalid = |message| Err(explained(ResponseError::InvalidReplicationFactor, message));
    if replication_factor <= 0 {
        return invalid(format!("{replication_factor} is no number of replicas"));
    }
    if unfenced == 0 {
        return invalid("No running broker takes new partitions".to_owned());
    }
    if replication_factor as usize > total {
        return invalid(format!(
            "{replication_factor} replicas need as many brokers that take new partitions; there \
             are {total}"
        ));
    }
    Ok(())
}

/// Checks an assignment made by hand (validateManualPartitionAssignment).
pub(super) fn check_manual(
    view: View<'_>,
    replicas: &[BrokerId],
    replication_factor: Option<usize>,
) -> Result<()> {
    let invalid = |message| Err(explained(ResponseError::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return invalid("The assignment leaves a partition without replicas".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (index, id) in sorted.iter().enumerate() {
        if view.broker(*id).is_none() {
            return invalid(format!(
                "The manual partition assignment includes broker {id}, but no such broker is \
                 registered."
            ));
        }
        if index > 0 && sorted[index - 1] == *id {
            return invalid(format!(
                "The manual partition assignment includes the broker {id} more than once."
            ));
        }
    }
    match replication_factor {
        Some(expected) if expected != replicas.len() => invalid(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is \
             not consistent with previous partitions, which have {expected} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// A new partition on `replicas` whose ISR is the active brokers; None if there are none.
pub(super) fn new_partition(view: View<'_>, replicas: Vec<BrokerId>) -> Option<Partition> {
    let isr: Vec<BrokerId> = replicas.iter().copied().filter(|&id| view.is_active(id)).collect();
    let leader = isr.first().copied().unwrap_or(NO_LEADER);
    (leader != NO_LEADER).then(|| Partition {
        directories: replicas.iter().map(|&id| view.default_dir(id)).collect(),
        replicas,
        isr,
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader,
        leader_recovery_state: 0,
        leader_epoch: 0,
        partition_epoch: 0,
    })
}

/// The error when every broker of an automatic placement is fenced or shutting down.
pub(super) fn nobody_active(replication_factor: i32) -> Error {
    explained(
        ResponseError::InvalidReplicationFactor,
        format!("None of the brokers for {replication_factor} replicas runs now"),
    )
}

/// The error when every broker of a manual placement is fenced or shutting down.
pub(super) fn nobody_active_manually(partition: i32) -> Error {
    explained(
        ResponseError::InvalidReplicaAssignment,
        format!("None of the brokers assigned to partition {partition} runs now"),
    )
}

/// The records of partitions numbered from `first` on.
pub(super) fn records(
    topic_id: Uuid,
    first: i32,
    partitions: Vec<Partition>,
) -> impl Iterator<Item = MetadataRecord> {
    (first..)
        .zip(partitions)
        .map(move |(id, partition)| MetadataRecord::Partition(partition.to_record(topic_id, id)))
}
