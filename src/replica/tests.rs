//! Partitions with real logs in a temporary directory, led as the metadata log says.
#![allow(clippy::unwrap_used)]

mod carry;
pub(crate) mod cluster;
mod compacting;
mod durable;
mod fetching;
mod following;
mod histories;
mod leading;
mod leading_at_random;
mod moving;
mod pair;
mod producing;

use super::partition::{OffsetSpec, PartitionFetch, Reader};
use super::*;
use crate::disk::Access;
use crate::log::Origin;
use crate::types::{Isolation, NO_EPOCH, Offset};
use cluster::{Cluster, NOW, batch};
use std::sync::Arc;
use std::time::Duration;

fn code<T: std::fmt::Debug>(result: Result<T>) -> ResponseError {
    result.unwrap_err().code()
}

#[test]
fn a_new_topic_is_led_from_its_first_epoch() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 2);
    for index in 0..2 {
        let partition = cluster.partition(id, index);
        assert_eq!((partition.topic().as_ref(), partition.index()), ("t", index));
        assert_eq!(partition.leader_epoch(), 0);
        partition.check_leader(0).unwrap();
        assert_eq!(code(partition.check_leader(1)), ResponseError::UnknownLeaderEpoch);
        assert!(cluster.dir.path().join(format!("data/t-{index}/partition.metadata")).exists());
    }
    let unknown = TopicIdPartition { topic_id: id, partition: 2 };
    assert_eq!(code(cluster.replicas.partition(unknown)), ResponseError::NotLeaderOrFollower);
}

#[test]
fn appends_move_the_high_watermark_of_an_isr_of_one() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    for base_offset in [0, 3] {
        let appended = partition.append(vec![batch(3)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
        assert_eq!(appended.base_offset, base_offset);
        let offsets = partition.offsets().unwrap();
        assert_eq!(offsets.log_end, base_offset + 3);
        assert_eq!(offsets.high_watermark, base_offset + 3);
    }
    let (read, _) = partition.read(0, 1 << 20, Isolation::HighWatermark, true).unwrap();
    assert_eq!(read.bytes, 2 * batch(3).size());
}

#[tokio::test(start_paused = true)]
async fn a_follower_in_the_isr_holds_the_high_watermark_back() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    cluster.change(id, 0, |change| {
        change.replicas = Some(vec![1, 2]);
        change.isr = Some(vec![1, 2]);
    });
    let partition = cluster.partition(id, 0);
    let appended = partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    assert_eq!(partition.offsets().unwrap().high_watermark, 0);
    let next = appended.last_offset + 1;
    let waited = partition.wait_for_high_watermark(next, 1000).await;
    assert_eq!(code(waited), ResponseError::RequestTimedOut);

    let waiting = tokio::spawn({
        let partition = Arc::clone(&partition);
        async move { partition.wait_for_high_watermark(next, 1000).await }
    });
    tokio::task::yield_now().await;
    cluster.change(id, 0, |change| change.isr = Some(vec![1]));
    waiting.await.unwrap().unwrap();
    assert_eq!(partition.offsets().unwrap().high_watermark, 1);
}

#[test]
fn too_small_an_isr_refuses_acks_all_and_no_other() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    cluster.configure("t", "min.insync.replicas", "2");
    let partition = cluster.partition(id, 0);
    // A partition with one replica cannot require two.
    partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.change(id, 0, |change| change.replicas = Some(vec![1, 2]));
    let refused = partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW);
    assert_eq!(code(refused), ResponseError::NotEnoughReplicas);
    partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, 1, NOW).unwrap();
    assert_eq!(partition.offsets().unwrap().high_watermark, 1, "it stays while the ISR is small");
}

#[tokio::test(start_paused = true)]
async fn losing_the_lead_ends_waits_and_refuses_everything() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    cluster.change(id, 0, |change| {
        change.replicas = Some(vec![1, 2]);
        change.isr = Some(vec![1, 2]);
    });
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    let waiting = tokio::spawn({
        let partition = Arc::clone(&partition);
        async move { partition.wait_for_high_watermark(1, 60_000).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(partition.leader(), (Some(1), 0));
    cluster.change(id, 0, |change| change.leader = 2);
    assert_eq!(partition.leader(), (Some(2), 1));
    assert_eq!(code(waiting.await.unwrap()), ResponseError::NotLeaderOrFollower);
    let refused = partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, 1, NOW);
    assert_eq!(code(refused), ResponseError::NotLeaderOrFollower);
    assert_eq!(code(partition.check_leader(0)), ResponseError::FencedLeaderEpoch);
    cluster.change(id, 0, |change| change.leader = -1);
    assert_eq!(partition.leader(), (None, 2));
}

/// At a stop, leaderships are given up while requests are under way.
#[tokio::test(start_paused = true)]
async fn what_was_replicated_before_the_lead_was_lost_stays_acknowledged() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    cluster.change(id, 0, |change| change.replicas = Some(vec![1, 2]));
    partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.change(id, 0, |change| change.isr = Some(vec![1, 2]));
    partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    for _ in 0..2 {
        cluster.change(id, 0, |change| change.leader = 2);
        partition.wait_for_high_watermark(1, 1000).await.unwrap();
        let waited = partition.wait_for_high_watermark(2, 1000).await;
        assert_eq!(code(waited), ResponseError::NotLeaderOrFollower);
    }
}

#[test]
fn a_new_epoch_begins_where_the_log_ends() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.change(id, 0, |change| change.leader = 1);
    assert_eq!(partition.leader_epoch(), 1);
    assert_eq!(partition.end_offset_for_epoch(NO_EPOCH, 0).unwrap(), Some((0, 5)));
    assert_eq!(partition.end_offset_for_epoch(NO_EPOCH, 1).unwrap(), Some((1, 5)));
    assert_eq!(partition.end_offset_for_epoch(NO_EPOCH, 2).unwrap(), None);
    assert_eq!(code(partition.end_offset_for_epoch(0, 0)), ResponseError::FencedLeaderEpoch);
}

#[test]
fn a_reader_with_another_history_is_told_where_it_ends() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.change(id, 0, |change| change.leader = 1);
    let fetch = |fetch_offset: Offset, last_fetched_epoch| {
        let asked = PartitionFetch {
            fetch_offset,
            max_bytes: 1 << 20,
            current_leader_epoch: 1,
            last_fetched_epoch,
            log_start: -1,
        };
        let (access, isolation) = (Access::Waiting, Isolation::HighWatermark);
        let reader = Reader { access, isolation, only_leader: true, location: None };
        partition.fetch(reader, &asked, 1 << 20, true)
    };
    assert_eq!(fetch(5, 0).unwrap().diverging, None);
    assert_eq!(fetch(6, 0).unwrap().diverging, Some((0, 5)));
    assert_eq!(code(fetch(5, 7)), ResponseError::OffsetOutOfRange);
    assert_eq!(code(fetch(6, NO_EPOCH)), ResponseError::OffsetOutOfRange);
}

#[test]
fn offsets_are_found_by_name_and_by_time() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    let find = |spec| {
        let found = partition.offset_for(spec, Isolation::HighWatermark, NO_EPOCH).unwrap();
        found.map(|found| (found.timestamp, found.offset, found.leader_epoch))
    };
    assert_eq!(find(OffsetSpec::Earliest), Some((-1, 0, 0)));
    assert_eq!(find(OffsetSpec::Latest), Some((-1, 0, 0)));
    assert_eq!(find(OffsetSpec::MaxTimestamp), None);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    assert_eq!(find(OffsetSpec::Latest), Some((-1, 5, 0)));
    assert_eq!(find(OffsetSpec::At(NOW)), Some((NOW, 0, 0)));
    assert_eq!(find(OffsetSpec::At(NOW + 1)), None);
    assert_eq!(find(OffsetSpec::MaxTimestamp), Some((NOW, 0, 0)));
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    assert_eq!(partition.delete_records(2).unwrap().low_watermark, 2);
    assert_eq!(partition.delete_records(1).unwrap().low_watermark, 2, "never back");
    assert_eq!(code(partition.delete_records(6)), ResponseError::OffsetOutOfRange);
    assert_eq!(code(partition.delete_records(-2)), ResponseError::OffsetOutOfRange);
    assert_eq!(partition.delete_records(-1).unwrap().low_watermark, 5);
    cluster.configure("t", "cleanup.policy", "compact");
    assert_eq!(code(partition.delete_records(-1)), ResponseError::PolicyViolation);
}

#[test]
fn a_deleted_topic_leaves_nothing_and_may_come_again() {
    let mut cluster = Cluster::new();
    let old = cluster.create_topic("t", 1);
    let partition = cluster.partition(old, 0);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.delete_topic(old);
    assert!(!cluster.dir.path().join("data/t-0").exists());
    let refused = partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, 1, NOW);
    assert_eq!(code(refused), ResponseError::NotLeaderOrFollower);
    let new = cluster.create_topic("t", 1);
    assert_eq!(cluster.partition(new, 0).offsets().unwrap().log_end, 0);
}

#[test]
fn a_restart_finds_what_was_there_and_puts_strays_aside() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let gone = cluster.create_topic("gone", 1);
    for index in 0..3 {
        let partition = cluster.partition(id, index);
        partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    }
    cluster.replicas.close(7).unwrap();
    let partition = cluster.partition(gone, 0);
    assert_eq!(code(partition.offsets()), ResponseError::NotLeaderOrFollower);
    drop(partition);
    cluster.forget_topic(gone);
    cluster.restart();
    assert_eq!(cluster.replicas.logs.dirs()[0].clean_shutdown, Some(7));
    for index in 0..3 {
        let offsets = cluster.partition(id, index).offsets().unwrap();
        assert_eq!((offsets.log_end, offsets.high_watermark), (5, 5));
    }
    let names: Vec<String> = std::fs::read_dir(cluster.dir.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name.starts_with("gone-0") && name.ends_with("-stray")));
}

#[test]
fn changed_settings_take_effect_at_once() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    let default = partition.config().retention_ms;
    cluster.configure("t", "retention.ms", "1234");
    assert_eq!(partition.config().retention_ms, 1234);
    assert_eq!(partition.log().unwrap().config().retention_ms, 1234);
    cluster.configure_broker("log.segment.bytes", "2097152");
    assert_eq!(partition.config().segment_bytes, 2_097_152);
    assert_eq!(partition.config().retention_ms, 1234);
    assert_ne!(default, 1234);
}

#[tokio::test(start_paused = true)]
async fn a_disk_error_takes_the_directory_offline_for_good() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    for (partition, leader) in [(1, 1), (2, 2)] {
        cluster.change(id, partition, |change| {
            change.replicas = Some(vec![1, 2]);
            change.isr = Some(vec![1, 2]);
            change.leader = leader;
        });
    }
    let fetcher = cluster.replicas.fetcher_of(2).unwrap();
    assert!(!lock(&fetcher.fetcher).is_empty());
    let (first, other) = (cluster.partition(id, 0), cluster.partition(id, 1));
    other.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    let waiting = tokio::spawn({
        let other = Arc::clone(&other);
        async move { other.wait_for_high_watermark(1, 60_000).await }
    });
    let replicas = Arc::clone(&cluster.replicas);
    tokio::spawn(async move { replicas.tell_of_failures().await });
    tokio::task::yield_now().await;
    let failed = Error::disk(&first.dir().path, std::io::Error::from_raw_os_error(5));
    let _ = first.dir().observe::<()>(Err(failed));
    assert_eq!(code(waiting.await.unwrap()), ResponseError::KafkaStorageError);
    assert!(lock(&fetcher.fetcher).is_empty(), "it is not copied any more");
    let refused = first.append(vec![batch(1)], NO_EPOCH, Origin::Client, 1, NOW);
    assert_eq!(code(refused), ResponseError::KafkaStorageError);
    assert_eq!(code(cluster.replicas.partition(other.id())), ResponseError::KafkaStorageError);
}

#[test]
fn a_full_disk_takes_nothing_offline() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    let full = Error::disk(&partition.dir().path, std::io::ErrorKind::StorageFull.into());
    let _ = partition.dir().observe::<()>(Err(full));
    let append = |origin| partition.append(vec![batch(1)], NO_EPOCH, origin, 1, NOW);
    assert_eq!(code(append(Origin::Client)), ResponseError::KafkaStorageError);
    append(Origin::Coordinator).unwrap();
    assert_eq!(partition.offsets().unwrap().log_end, 1);
    // In fact there is room.
    cluster.replicas.watch_room(&cluster.images.load());
    append(Origin::Client).unwrap();
    assert!(cluster.replicas.failure().is_none());
}

#[tokio::test]
async fn flush_messages_makes_a_wait_mean_the_disk() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    cluster.configure("t", "flush.messages", "1");
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(3)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    tokio::time::timeout(Duration::from_secs(5), partition.wait_for_high_watermark(3, 1000))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(partition.log().unwrap().recovery_point(), 3);
}

#[test]
fn an_offline_directory_keeps_its_checkpoints_and_is_not_called_clean() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let partition = cluster.partition(id, 0);
    partition.append(vec![batch(5)], NO_EPOCH, Origin::Client, -1, NOW).unwrap();
    cluster.replicas.checkpoint();
    let data = cluster.dir.path().join("data");
    let checkpointed = || std::fs::read(data.join("replication-offset-checkpoint")).unwrap();
    let before = checkpointed();
    let failed = Error::disk(&data.join("t-0"), std::io::Error::from_raw_os_error(5));
    let _ = cluster.replicas.logs().observe::<()>(Err(failed));
    assert!(cluster.replicas.failure().is_some());
    cluster.replicas.checkpoint();
    let closed = cluster.replicas.close(7).unwrap_err().to_string();
    assert!(closed.contains("no clean stop") && closed.contains("/data/t-0: "), "{closed}");
    assert_eq!(checkpointed(), before);
    assert!(!data.join(".kafka_cleanshutdown").exists());
}
