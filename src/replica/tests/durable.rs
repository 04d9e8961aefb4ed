//! With `flush.messages=1`, an answer means that the records are on disk.

use super::cluster::{Cluster, NOW, batch};
use crate::disk::Disk;
use crate::disk::sim::{Fault, Sim};
use crate::error::Result;
use crate::log::Origin;
use crate::replica::partition::Partition;
use crate::types::Offset;
use crate::types::{NO_EPOCH, TopicIdPartition};
use kafka_protocol::error::ResponseError;
use std::io::ErrorKind;
use std::sync::Arc;

const PRODUCERS: usize = 50;

async fn produce(partition: Arc<Partition>, origin: Origin) -> Result<()> {
    let appended = partition.append(vec![batch(1)], NO_EPOCH, origin, -1, NOW)?;
    partition.wait_for_high_watermark(appended.last_offset + 1, 10_000).await
}

/// A partition whose records must be on disk before they are acknowledged.
fn durable(seed: u64) -> (Sim, Cluster, Arc<Partition>) {
    let sim = Sim::new(seed);
    let mut cluster = Cluster::on(Disk::Sim(sim.clone()));
    let topic_id = cluster.create_topic("t", 1);
    cluster.configure("t", "flush.messages", "1");
    let partition = cluster.partition(topic_id, 0);
    (sim, cluster, partition)
}

#[tokio::test]
async fn concurrent_producers_share_syncs() {
    let (sim, _cluster, partition) = durable(1);
    // The first produce also makes the names of the segment and its directory durable.
    let before = sim.syncs();
    produce(partition.clone(), Origin::Client).await.unwrap();
    assert_eq!(sim.syncs() - before, 3);
    let before = sim.syncs();
    produce(partition.clone(), Origin::Coordinator).await.unwrap();
    assert_eq!(sim.syncs() - before, 1, "a coordinator's records count as much");
    let before = sim.syncs();
    let append = |_| partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    let appended: Vec<_> = (0..PRODUCERS).map(append).collect();
    let waits = appended.iter().map(|appended| {
        let (partition, offset) = (partition.clone(), appended.last_offset + 1);
        tokio::spawn(async move { partition.wait_for_high_watermark(offset, 10_000).await })
    });
    for wait in waits.collect::<Vec<_>>() {
        wait.await.unwrap().unwrap();
    }
    let syncs = sim.syncs() - before;
    assert!((1..=2).contains(&syncs), "{syncs} syncs");
    let log = partition.log().unwrap();
    assert_eq!((log.recovery_point(), log.log_end_offset()), (52, 52));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_loss() {
    for seed in 0..20 {
        let (sim, mut cluster, partition) = durable(seed);
        for _ in 0..5 {
            produce(partition.clone(), Origin::Client).await.unwrap();
        }
        partition.append(vec![batch(9)], NO_EPOCH, Origin::Client, 1, NOW).unwrap();
        sim.lose_power();
        cluster.restart();
        let end = cluster.partition(partition.topic_id(), 0).offsets().unwrap().log_end;
        assert!(end == 5 || end == 14, "seed {seed}: {end}");
    }
}

#[tokio::test]
async fn a_failed_sync_takes_the_directory_offline_for_good() {
    let (sim, cluster, partition) = durable(1);
    produce(partition.clone(), Origin::Client).await.unwrap();
    // fsync reports a failure only once; a second call would succeed.
    let kind = ErrorKind::StorageFull;
    sim.fail(Some(Fault { after: 0, kind, sync_only: true, is_end: false }));
    let tasks: Vec<_> =
        (0..PRODUCERS).map(|_| tokio::spawn(produce(partition.clone(), Origin::Client))).collect();
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.code(), ResponseError::KafkaStorageError);
    }
    assert!(!sim.is_fault_ahead() && cluster.replicas.failure().is_some());
    let syncs = sim.syncs();
    partition.flush().unwrap_err();
    cluster.replicas.flush_due();
    cluster.replicas.clean_up();
    let id = TopicIdPartition { topic_id: partition.topic_id(), partition: 0 };
    assert!(cluster.replicas.partition(id).is_err());
    assert_eq!(sim.syncs(), syncs, "nothing is synced again");
}

/// Whether `settle` has written the state that covers the whole log.
fn is_settled(cluster: &Cluster, end: Offset) -> bool {
    cluster.dir.path().join(format!("data/t-0/{end:020}.snapshot")).exists()
}

#[test]
fn a_log_is_settled_once_it_is_silent_and_again_when_it_has_moved() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let partition = cluster.partition(id, 0);
    let append = || partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    for end in [2, 4] {
        append();
        cluster.replicas.settle();
        append();
        cluster.replicas.settle();
        assert!(!is_settled(&cluster, end), "it is not silent");
        cluster.replicas.settle();
        assert!(is_settled(&cluster, end));
        assert_eq!(cluster.replicas.take_unsettled().len(), 0, "there is nothing left to look at");
    }
    let written = cluster.dir.path().join("data/replication-offset-checkpoint");
    assert!(std::fs::read_to_string(written).unwrap().contains("t 0 4\n"));
}

#[test]
fn no_move_is_lost_while_logs_are_settled() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    std::thread::scope(|scope| {
        let appends = scope.spawn(|| {
            for _ in 0..2000 {
                partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
            }
        });
        while !appends.is_finished() {
            cluster.replicas.settle();
        }
    });
    (0..2).for_each(|_| cluster.replicas.settle());
    assert!(is_settled(&cluster, 2000));
    assert_eq!(cluster.replicas.take_unsettled().len(), 0);
}
