//! Fetch: how many bytes, when, and what a session reports.

use super::cluster::{Cluster, NOW, batch};
use crate::log::Origin;
use crate::replica::fetch_session::{FetchKey, TopicKey};
use crate::replica::partition::{FetchingReplica, PartitionFetch};
use crate::replica::read::{Fetch, FetchAnswer};
use crate::types::{Isolation, NO_EPOCH, Offset};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

fn key(topic_id: Uuid, partition: i32) -> FetchKey {
    FetchKey { topic: TopicKey::Id(topic_id), partition }
}

fn from(fetch_offset: Offset) -> PartitionFetch {
    PartitionFetch {
        fetch_offset,
        max_bytes: 1 << 20,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        log_start: -1,
    }
}

/// A consumer's fetch without a session or a wait.
fn fetch(partitions: Vec<(FetchKey, PartitionFetch)>) -> Fetch {
    Fetch {
        isolation: Isolation::HighWatermark,
        follower: None,
        only_leader: true,
        location: None,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id: 0,
        session_epoch: -1,
        by_topic_id: true,
        partitions,
        forgotten: Vec::new(),
    }
}

fn append(cluster: &Cluster, topic: Uuid, partition: i32, records: usize) -> usize {
    let size = batch(records).size();
    let partition = cluster.partition(topic, partition);
    partition.append(vec![batch(records)], NO_EPOCH, Origin::Client, 1, NOW).unwrap();
    size
}

async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::ZERO, future).await.is_err()
}

/// Partition with its bytes or its error.
fn told(answer: &FetchAnswer) -> Vec<(i32, Result<usize, ResponseError>)> {
    let outcome = |outcome: &Result<crate::replica::partition::Fetched, ResponseError>| {
        outcome.as_ref().map(|fetched| fetched.read.bytes).map_err(|error| *error)
    };
    answer.partitions.iter().map(|p| (p.key.partition, outcome(&p.outcome))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fetch_takes_what_there_is() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let size = append(&cluster, id, 1, 3);
    let asked = (0..3).map(|p| (key(id, p), from(0))).collect();
    let answer = cluster.replicas.fetch(&cluster.images, fetch(asked)).await;
    assert_eq!((answer.error, answer.session_id), (None, 0));
    assert_eq!(told(&answer), [(0, Ok(0)), (1, Ok(size)), (2, Ok(0))]);
    let fetched = answer.partitions[1].outcome.as_ref().unwrap();
    assert_eq!((fetched.offsets.high_watermark, fetched.offsets.log_start), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn bounds_hold_but_for_the_first_batch() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let size = append(&cluster, id, 0, 3);
    append(&cluster, id, 0, 3);
    append(&cluster, id, 1, 3);
    append(&cluster, id, 2, 3);
    let asked: Vec<_> = (0..3).map(|p| (key(id, p), from(0))).collect();
    for (max_bytes, told_bytes) in [
        (1, [size, 0, 0]),
        (size + 1, [size + 1, 0, 0]),
        (2 * size, [2 * size, 0, 0]),
        (3 * size, [2 * size, size, 0]),
        (9 * size, [2 * size, size, size]),
    ] {
        let asks = Fetch { max_bytes, ..fetch(asked.clone()) };
        let answer = cluster.replicas.fetch(&cluster.images, asks).await;
        let got: Vec<_> = told(&answer).into_iter().map(|(_, bytes)| bytes.unwrap()).collect();
        assert_eq!(got, told_bytes, "{max_bytes}");
    }
    let small = PartitionFetch { max_bytes: 1, ..from(0) };
    let asks = fetch(vec![(key(id, 1), small), (key(id, 2), small)]);
    let answer = cluster.replicas.fetch(&cluster.images, asks).await;
    assert_eq!(told(&answer), [(1, Ok(size)), (2, Ok(0))], "a partition's own bound, too");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_per_partition() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    append(&cluster, id, 0, 3);
    let stale = PartitionFetch { current_leader_epoch: 9, ..from(0) };
    for (key, asked, error) in [
        (key(Uuid::new_v4(), 0), from(0), ResponseError::UnknownTopicId),
        (key(id, 1), from(0), ResponseError::UnknownTopicOrPartition),
        (key(id, -1), from(0), ResponseError::UnknownTopicOrPartition),
        (key(id, 0), from(4), ResponseError::OffsetOutOfRange),
        (key(id, 0), from(-1), ResponseError::OffsetOutOfRange),
        (key(id, 0), stale, ResponseError::UnknownLeaderEpoch),
    ] {
        let asks = Fetch { max_wait_ms: 60_000, ..fetch(vec![(key, asked)]) };
        let began = Instant::now();
        let answer = cluster.replicas.fetch(&cluster.images, asks).await;
        assert_eq!(answer.partitions[0].outcome.as_ref().unwrap_err(), &error);
        assert_eq!(began.elapsed(), Duration::ZERO, "{error}");
    }
    let follower = Fetch {
        follower: Some(FetchingReplica { id: 2, broker_epoch: -1 }),
        ..fetch(vec![(key(id, 0), from(0))])
    };
    let answer = cluster.replicas.fetch(&cluster.images, follower).await;
    assert_eq!(told(&answer), [(0, Err(ResponseError::NotLeaderOrFollower))]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_topic_does_not_hasten_the_answer() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let asked = vec![(key(Uuid::new_v4(), 0), from(0)), (key(id, 0), from(0))];
    let began = Instant::now();
    let asks = Fetch { max_wait_ms: 500, ..fetch(asked) };
    let answer = cluster.replicas.fetch(&cluster.images, asks).await;
    assert_eq!(began.elapsed(), Duration::from_millis(500));
    assert_eq!(told(&answer), [(0, Ok(0)), (0, Err(ResponseError::UnknownTopicId))]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_waits_for_its_bytes_and_no_longer() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 2);
    let size = batch(3).size();
    let asked = vec![(key(id, 0), from(0)), (key(id, 1), from(0))];
    let waits = Fetch { max_wait_ms: 60_000, min_bytes: 2 * size, ..fetch(asked) };
    let waiting = cluster.replicas.fetch(&cluster.images, waits);
    tokio::pin!(waiting);
    assert!(is_pending(&mut waiting).await);
    assert_eq!(cluster.partition(id, 0).waiter_count(), (0, 1));
    append(&cluster, id, 1, 3);
    assert!(is_pending(&mut waiting).await);
    append(&cluster, id, 0, 3);
    let answer = tokio::time::timeout(Duration::from_millis(1), waiting).await.unwrap();
    assert_eq!(told(&answer), [(0, Ok(size)), (1, Ok(size))]);
    assert_eq!(cluster.partition(id, 0).waiter_count(), (0, 0), "it leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_by_a_segment_does_not_wait() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let size = append(&cluster, id, 0, 3);
    cluster.partition(id, 0).log().unwrap().roll(NOW).unwrap();
    append(&cluster, id, 0, 3);
    let began = Instant::now();
    for (fetch_offset, waited_ms) in [(0, 0), (3, 500)] {
        let asked = vec![(key(id, 0), from(fetch_offset))];
        let waits = Fetch { max_wait_ms: 500, min_bytes: 1 << 20, ..fetch(asked) };
        let answer = cluster.replicas.fetch(&cluster.images, waits).await;
        assert_eq!(told(&answer), [(0, Ok(size))]);
        assert_eq!(began.elapsed(), Duration::from_millis(waited_ms));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_topic_ends_the_wait() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let replicas = Arc::clone(&cluster.replicas);
    let images = Arc::new(arc_swap::ArcSwap::from(cluster.images.load_full()));
    let waiting = tokio::spawn({
        let images = Arc::clone(&images);
        async move {
            let waits = Fetch { max_wait_ms: 60_000, ..fetch(vec![(key(id, 0), from(0))]) };
            let began = Instant::now();
            (replicas.fetch(&images, waits).await, began.elapsed())
        }
    });
    tokio::task::yield_now().await;
    cluster.delete_topic(id);
    images.store(cluster.images.load_full());
    let (answer, waited) = waiting.await.unwrap();
    assert_eq!(told(&answer), [(0, Err(ResponseError::UnknownTopicOrPartition))]);
    assert!(waited < Duration::from_secs(1));
}

/// Fetches in a session: epoch 0 creates it, and each call sends the next request.
struct Consumer {
    session_id: i32,
    epoch: i32,
}

impl Consumer {
    fn new() -> Consumer {
        Consumer { session_id: 0, epoch: 0 }
    }

    fn next(&mut self, changed: Vec<(FetchKey, PartitionFetch)>, max_wait_ms: i32) -> Fetch {
        let session = Fetch { session_id: self.session_id, max_wait_ms, ..fetch(changed) };
        let asks = Fetch { session_epoch: self.epoch, ..session };
        self.epoch += 1;
        asks
    }

    async fn poll(
        &mut self,
        cluster: &Cluster,
        changed: Vec<(FetchKey, PartitionFetch)>,
    ) -> Vec<(i32, Result<usize, ResponseError>)> {
        let asks = self.next(changed, 0);
        let answer = cluster.replicas.fetch(&cluster.images, asks).await;
        assert_eq!(answer.error, None);
        self.session_id = answer.session_id;
        assert_ne!(self.session_id, 0);
        told(&answer)
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_tells_only_news() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let mut consumer = Consumer::new();
    let all: Vec<_> = (0..3).map(|p| (key(id, p), from(0))).collect();
    assert_eq!(consumer.poll(&cluster, all).await, [(0, Ok(0)), (1, Ok(0)), (2, Ok(0))]);
    assert_eq!(consumer.poll(&cluster, vec![]).await, []);
    let size = append(&cluster, id, 1, 3);
    assert_eq!(consumer.poll(&cluster, vec![]).await, [(1, Ok(size))]);
    assert_eq!(consumer.poll(&cluster, vec![]).await, [(1, Ok(size))], "until it moves on");
    assert_eq!(consumer.poll(&cluster, vec![(key(id, 1), from(3))]).await, []);
    let deleted = cluster.partition(id, 1).delete_records(2).unwrap().low_watermark;
    assert_eq!(deleted, 2);
    assert_eq!(consumer.poll(&cluster, vec![]).await, [(1, Ok(0))], "the log start moved");
    assert_eq!(consumer.poll(&cluster, vec![]).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_looks_at_nothing() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 50);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, (0..50).map(|p| (key(id, p), from(0))).collect()).await;
    consumer.poll(&cluster, vec![]).await;
    let session = cluster.replicas.sessions.get(consumer.session_id).unwrap();
    assert_eq!(session.lock().unwrap().pending().len(), 0);
    append(&cluster, id, 7, 1);
    append(&cluster, id, 7, 1);
    assert_eq!(session.lock().unwrap().pending().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_and_is_woken_by_one_partition() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 20);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, (0..20).map(|p| (key(id, p), from(0))).collect()).await;
    let began = Instant::now();
    let asks = consumer.next(vec![], 500);
    let answer = cluster.replicas.fetch(&cluster.images, asks).await;
    assert_eq!((told(&answer), began.elapsed()), (vec![], Duration::from_millis(500)));
    let asks = consumer.next(vec![], 500);
    let waiting = cluster.replicas.fetch(&cluster.images, asks);
    tokio::pin!(waiting);
    assert!(is_pending(&mut waiting).await);
    let size = append(&cluster, id, 13, 1);
    let answer = tokio::time::timeout(Duration::from_millis(1), waiting).await.unwrap();
    assert_eq!(told(&answer), [(13, Ok(size))]);
}

#[tokio::test(start_paused = true)]
async fn bytes_go_round_among_the_partitions() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 3);
    let size = append(&cluster, id, 0, 3);
    append(&cluster, id, 1, 3);
    append(&cluster, id, 2, 3);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, (0..3).map(|p| (key(id, p), from(0))).collect()).await;
    let mut served = Vec::new();
    for _ in 0..4 {
        let asks = Fetch { max_bytes: size, ..consumer.next(vec![], 0) };
        let answer = cluster.replicas.fetch(&cluster.images, asks).await;
        served.extend(told(&answer).into_iter().filter(|(_, bytes)| *bytes != Ok(0)));
    }
    let order: Vec<i32> = served.into_iter().map(|(partition, _)| partition).collect();
    assert_eq!(order, [0, 1, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_session_refuses_what_does_not_follow() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, vec![(key(id, 0), from(0))]).await;
    let session_id = consumer.session_id;
    for (session_id, session_epoch, by_topic_id, error) in [
        (session_id, 2, true, ResponseError::InvalidFetchSessionEpoch),
        (session_id, -7, true, ResponseError::InvalidFetchSessionEpoch),
        (session_id, 1, false, ResponseError::FetchSessionTopicIdError),
        (session_id ^ 1, 1, true, ResponseError::FetchSessionIdNotFound),
        (0, 1, true, ResponseError::FetchSessionIdNotFound),
    ] {
        let asks = Fetch { session_id, session_epoch, by_topic_id, ..fetch(vec![]) };
        let answer = cluster.replicas.fetch(&cluster.images, asks).await;
        assert_eq!((answer.error, answer.session_id), (Some(error), 0));
    }
    // A full request ends the session that it names.
    let asks = Fetch { session_id, session_epoch: -1, ..fetch(vec![(key(id, 0), from(0))]) };
    let answer = cluster.replicas.fetch(&cluster.images, asks).await;
    assert_eq!((answer.session_id, told(&answer)), (0, vec![(0, Ok(0))]));
    assert!(cluster.replicas.sessions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_without_partitions_ends() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, vec![(key(id, 0), from(0))]).await;
    let asks = Fetch { forgotten: vec![key(id, 0)], ..consumer.next(vec![], 60_000) };
    let answer = cluster.replicas.fetch(&cluster.images, asks).await;
    assert_eq!((answer.error, answer.session_id, told(&answer)), (None, 0, vec![]));
    assert!(cluster.replicas.sessions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_is_superseded_by_the_next_of_its_session() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, vec![(key(id, 0), from(0))]).await;
    consumer.poll(&cluster, vec![]).await;
    let first = cluster.replicas.fetch(&cluster.images, consumer.next(vec![], 60_000));
    tokio::pin!(first);
    assert!(is_pending(&mut first).await);
    consumer.poll(&cluster, vec![]).await;
    let answer = tokio::time::timeout(Duration::from_millis(1), first).await.unwrap();
    assert_eq!(answer.error, Some(ResponseError::InvalidFetchSessionEpoch));
}

#[tokio::test(start_paused = true)]
async fn a_topic_known_by_id_keeps_its_name_when_it_goes() {
    let mut cluster = Cluster::new();
    let id = cluster.create_topic("t", 1);
    let mut consumer = Consumer::new();
    consumer.poll(&cluster, vec![(key(id, 0), from(0))]).await;
    cluster.delete_topic(id);
    let unknown = [(0, Err(ResponseError::UnknownTopicOrPartition))];
    assert_eq!(consumer.poll(&cluster, vec![]).await, unknown);
    cluster.create_topic("t", 1);
    let other = [(0, Err(ResponseError::InconsistentTopicId))];
    assert_eq!(consumer.poll(&cluster, vec![]).await, other);
}
