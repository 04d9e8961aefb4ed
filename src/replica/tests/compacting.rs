//! Compaction of the partitions of a broker.

use super::*;
use crate::config::Compression;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use std::fs;
use uuid::Uuid;

/// Creates a topic with small segments and this `cleanup.policy`.
fn create(cluster: &mut Cluster, topic: &str, policy: &str) -> Uuid {
    let id = cluster.create_topic(topic, 1);
    for (name, value) in [
        ("cleanup.policy", policy),
        ("internal.segment.bytes", "300"),
        ("min.cleanable.dirty.ratio", "0"),
        ("retention.ms", "1000"),
    ] {
        cluster.configure(topic, name, value);
    }
    id
}

fn put(cluster: &Cluster, id: Uuid, keys: impl IntoIterator<Item = u32>) {
    for key in keys {
        let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
        builder.append(NOW, Some(&key.to_be_bytes()), Some(b"value"), &[]);
        let partition = cluster.partition(id, 0);
        partition.append(vec![builder.build()], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    }
}

/// The base offsets of the batches.
fn offsets(cluster: &Cluster, id: Uuid) -> Vec<Offset> {
    let partition = cluster.partition(id, 0);
    let (mut offsets, mut next) = (Vec::new(), partition.offsets().unwrap().log_start);
    loop {
        let (read, _) = partition.read(next, 1 << 20, Isolation::HighWatermark, true).unwrap();
        let Some(range) = read.ranges.first() else { return offsets };
        let mut bytes = range.read().unwrap();
        while !bytes.is_empty() {
            let batch = Batch::split_from(&mut bytes).unwrap();
            offsets.push(batch.base_offset());
            next = batch.next_offset();
        }
    }
}

fn checkpoint(cluster: &Cluster) -> String {
    fs::read_to_string(cluster.dir.path().join("data/cleaner-offset-checkpoint")).unwrap()
}

#[test]
fn every_compacted_log_is_cleaned_and_no_other() {
    let mut cluster = Cluster::new();
    let rows = [("a", "compact"), ("b", "delete"), ("c", "compact,delete"), ("d", "compact")];
    let ids = rows.map(|(topic, policy)| create(&mut cluster, topic, policy));
    ids.iter().for_each(|&id| put(&cluster, id, (0..40).map(|n| n % 4)));
    cluster.replicas.compact();
    let seen = ids.map(|id| offsets(&cluster, id));
    assert_eq!(seen[1].len(), 40);
    assert!(seen[0].len() < 10 && seen[0] == seen[2] && seen[0] == seen[3], "{seen:?}");
    assert_eq!(checkpoint(&cluster), "0\n3\na 0 39\nc 0 39\nd 0 39\n");
    // Retention deletes the segments of c, which are too old by now. The age of one without records
    // is that of its file.
    cluster.clock.store(4_000_000_000_000, Ordering::Relaxed);
    cluster.replicas.compact();
    assert_eq!(offsets(&cluster, ids[2]), Vec::<Offset>::new());
    assert_eq!(offsets(&cluster, ids[0]), seen[0]);
    // What was clean stays clean after a restart. The active segment was too old as well and has
    // rolled, so its record is compacted too.
    let seen = &seen[0][1..];
    cluster.restart();
    cluster.replicas.compact();
    assert_eq!(offsets(&cluster, ids[0]), seen);
    put(&cluster, ids[0], (0..40).map(|n| n % 4));
    cluster.replicas.compact();
    assert!(offsets(&cluster, ids[0]).len() < 10);
}

#[test]
fn a_topic_made_anew_is_dirty() {
    let mut cluster = Cluster::new();
    let old = create(&mut cluster, "t", "compact");
    put(&cluster, old, (0..40).map(|n| n % 4));
    cluster.replicas.compact();
    assert_eq!(checkpoint(&cluster), "0\n1\nt 0 39\n");
    cluster.delete_topic(old);
    assert_eq!(checkpoint(&cluster), "0\n0\n");
    let new = create(&mut cluster, "t", "compact");
    put(&cluster, new, (0..80).map(|n| n % 4));
    cluster.replicas.compact();
    assert!(offsets(&cluster, new).len() < 10);
}
