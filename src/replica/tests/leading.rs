//! A leader and its followers, which are other brokers.

mod without;

use super::cluster::{Cluster, NOW, batch};
use super::code;
use crate::log::Origin;
use crate::replica::fetch_session::{FetchKey, TopicKey};
use crate::replica::partition::{
    Fetched, FetchingReplica, IsrChange, IsrCommitted, Location, Partition, PartitionFetch,
};
use crate::replica::read::Fetch;
use crate::types::{BrokerId, Isolation, NO_EPOCH, Offset};
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// `replica.lag.time.max.ms`.
const LAG_MS: i64 = 30_000;

/// Broker 1, which leads a partition of brokers 1, 2 and 3. The epoch of broker n is 10 n.
struct Leading {
    cluster: Cluster,
    id: Uuid,
    partition: Arc<Partition>,
    now: i64,
}

impl Leading {
    fn new(isr: &[BrokerId]) -> Leading {
        let mut cluster = Cluster::new();
        for id in 1..=3 {
            cluster.register(id, 10 * i64::from(id), false);
        }
        let id = cluster.create_topic("t", 1);
        cluster.change(id, 0, |change| {
            change.replicas = Some(vec![1, 2, 3]);
            change.isr = Some(isr.to_vec());
            change.leader = 1;
        });
        let partition = cluster.partition(id, 0);
        Leading { cluster, id, partition, now: NOW }
    }

    fn append(&self, count: usize) {
        self.partition.append(vec![batch(count)], NO_EPOCH, Origin::Client, 1, self.now).unwrap();
    }

    fn later(&mut self, ms: i64) {
        self.now += ms;
        self.cluster.clock.store(self.now, Ordering::Relaxed);
    }

    /// Broker `id` has everything below `end`.
    fn fetches(&self, id: BrokerId, end: Offset) {
        self.fetches_as(id, 10 * i64::from(id), end).unwrap();
    }

    fn fetches_as(&self, id: BrokerId, broker_epoch: i64, end: Offset) -> crate::error::Result<()> {
        let leader_end = self.partition.offsets()?.log_end;
        let by = FetchingReplica { id, broker_epoch };
        self.partition.check_follower(id, &asked(end))?;
        self.partition.followed(by, &asked(end), leader_end, self.now)
    }

    fn high_watermark(&self) -> Offset {
        self.partition.offsets().unwrap().high_watermark
    }

    /// The ISR that the controller is asked for.
    fn wanted(&self) -> Option<Vec<BrokerId>> {
        let change = self.partition.isr_change()?;
        Some(change.isr.iter().map(|(id, _)| *id).collect())
    }

    fn answer(&self, answer: Result<(), ResponseError>) -> bool {
        let change = self.partition.isr_change().unwrap();
        let answer = answer.map(|()| committed(&change));
        self.partition.conclude_isr_change(&change, answer, self.now).unwrap()
    }
}

fn asked(fetch_offset: Offset) -> PartitionFetch {
    PartitionFetch {
        fetch_offset,
        max_bytes: 1 << 20,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        log_start: 0,
    }
}

/// The controller accepts.
fn committed(change: &IsrChange) -> IsrCommitted {
    IsrCommitted {
        isr: change.isr.iter().map(|(id, _)| *id).collect(),
        leader_epoch: change.leader_epoch,
        partition_epoch: change.partition_epoch + 1,
    }
}

#[test]
fn the_high_watermark_is_what_all_of_the_isr_have() {
    let leading = Leading::new(&[1, 2, 3]);
    leading.append(5);
    for (id, end, high_watermark) in [(2, 0, 0), (2, 5, 0), (3, 3, 3), (3, 5, 5), (2, 5, 5)] {
        leading.fetches(id, end);
        assert_eq!(leading.high_watermark(), high_watermark, "broker {id} at {end}");
    }
    // A follower that lost its disk begins again; what was committed stays so.
    leading.fetches(3, 0);
    assert_eq!(leading.high_watermark(), 5);
}

#[test]
fn a_follower_joins_once_it_has_what_is_committed() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.fetches(3, 4);
    assert_eq!(leading.wanted(), None, "it is below the high watermark");
    leading.append(5);
    leading.fetches(3, 5);
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]));
    assert_eq!(leading.partition.isr_change().unwrap().isr, [(1, -1), (2, 20), (3, 30)]);
    // Until the controller decides, the follower counts.
    leading.later(LAG_MS + 1);
    leading.fetches(2, 10);
    assert_eq!(leading.high_watermark(), 5);
    assert!(!leading.answer(Ok(())));
    assert_eq!((leading.wanted(), leading.high_watermark()), (None, 5));
    leading.fetches(3, 10);
    assert_eq!(leading.high_watermark(), 10);
}

#[test]
fn a_follower_must_have_reached_the_epoch_of_its_leader() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.cluster.change(leading.id, 0, |change| change.leader = 1);
    assert_eq!(leading.high_watermark(), 0);
    leading.fetches(3, 4);
    assert_eq!(leading.wanted(), None);
    leading.fetches(3, 5);
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]));
}

#[test]
fn who_the_controller_would_refuse_does_not_ask_to_join() {
    let mut leading = Leading::new(&[1, 2]);
    let check = |leading: &Leading, wanted: bool| {
        leading.fetches(3, 0);
        assert_eq!(leading.wanted().is_some(), wanted);
    };
    leading.cluster.change_broker(3, 30, 1, 0);
    leading.cluster.publish();
    check(&leading, false);
    leading.cluster.change_broker(3, 30, -1, 1);
    leading.cluster.publish();
    check(&leading, false);
    // It has registered again, but its fetch is from before.
    leading.cluster.register(3, 31, false);
    leading.cluster.publish();
    assert_eq!(code(leading.fetches_as(3, 30, 0)), ResponseError::NotLeaderOrFollower);
    assert_eq!(leading.wanted(), None);
    // This one is from after a registration of which the leader has not heard.
    leading.fetches_as(3, 32, 0).unwrap();
    assert_eq!(leading.wanted(), None);
    leading.fetches_as(3, 31, 0).unwrap();
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]));
}

#[test]
fn a_broker_that_is_no_replica_may_not_fetch() {
    let leading = Leading::new(&[1, 2]);
    assert_eq!(code(leading.fetches_as(4, 40, 0)), ResponseError::NotLeaderOrFollower);
    let current = PartitionFetch { current_leader_epoch: 1, ..asked(0) };
    for (id, epoch, error) in [
        (4, 1, Some(ResponseError::UnknownLeaderEpoch)),
        (2, 0, Some(ResponseError::FencedLeaderEpoch)),
        (2, 2, Some(ResponseError::UnknownLeaderEpoch)),
        (2, 1, None),
    ] {
        let asked = PartitionFetch { current_leader_epoch: epoch, ..current };
        let checked = leading.partition.check_follower(id, &asked);
        assert_eq!(checked.err().map(|error| error.code()), error);
    }
}

#[test]
fn a_late_follower_leaves_and_holds_nothing_back_afterwards() {
    let mut leading = Leading::new(&[1, 2, 3]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.later(LAG_MS);
    leading.partition.shrink_isr(leading.now).unwrap();
    assert_eq!(leading.wanted(), None, "it has had no more time than it may take");
    leading.later(1);
    leading.fetches(2, 5);
    leading.partition.shrink_isr(leading.now).unwrap();
    assert_eq!(leading.wanted(), Some(vec![1, 2]));
    assert_eq!(leading.high_watermark(), 0, "it is not gone yet");
    assert!(!leading.answer(Ok(())));
    assert_eq!(leading.high_watermark(), 5);
}

#[test]
fn a_follower_keeps_up_with_a_leader_that_never_pauses() {
    let mut leading = Leading::new(&[1, 2]);
    // Each fetch has what the leader had at the one before.
    for round in 0..10 {
        leading.append(5);
        leading.fetches(2, 5 * round);
        leading.later(LAG_MS / 2);
        leading.partition.shrink_isr(leading.now).unwrap();
        assert_eq!(leading.wanted(), None, "round {round}");
    }
    // Now it falls behind by one more.
    for _ in 0..4 {
        leading.append(5);
        leading.fetches(2, 45);
        leading.later(LAG_MS / 2);
    }
    leading.partition.shrink_isr(leading.now).unwrap();
    assert_eq!(leading.wanted(), Some(vec![1]));
}

#[test]
fn an_idle_follower_that_has_all_is_never_late() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.later(100 * LAG_MS);
    leading.partition.shrink_isr(leading.now).unwrap();
    assert_eq!(leading.wanted(), None);
}

#[test]
fn an_isr_below_the_minimum_commits_nothing() {
    let mut leading = Leading::new(&[1, 2]);
    leading.cluster.configure("t", "min.insync.replicas", "2");
    leading.append(5);
    leading.later(LAG_MS + 1);
    leading.partition.shrink_isr(leading.now).unwrap();
    assert!(!leading.answer(Ok(())));
    leading.append(1);
    assert_eq!(leading.high_watermark(), 0);
    let refused =
        leading.partition.append(vec![batch(1)], NO_EPOCH, Origin::Client, -1, leading.now);
    assert_eq!(code(refused), ResponseError::NotEnoughReplicas);
    leading.fetches(2, 6);
    assert_eq!(leading.wanted(), Some(vec![1, 2]));
    assert_eq!(leading.high_watermark(), 0, "the controller has not agreed yet");
    assert!(!leading.answer(Ok(())));
    assert_eq!(leading.high_watermark(), 6);
}

#[test]
fn the_high_watermark_waits_for_who_is_about_to_join() {
    let mut leading = Leading::new(&[1]);
    leading.append(5);
    leading.fetches(2, 0);
    assert_eq!(leading.high_watermark(), 5);
    leading.fetches(2, 5);
    assert_eq!(leading.wanted(), Some(vec![1, 2]));
    assert!(!leading.answer(Err(ResponseError::IneligibleReplica)));
    assert_eq!(leading.wanted(), None);
    leading.append(5);
    assert_eq!(leading.high_watermark(), 5, "it was up to date a moment ago");
    leading.later(LAG_MS + 1);
    leading.append(5);
    assert_eq!(leading.high_watermark(), 15);
}

#[test]
fn each_answer_of_the_controller_has_its_consequence() {
    use ResponseError::*;
    for (error, is_asked_again, stays) in [
        (OperationNotAttempted, false, false),
        (IneligibleReplica, false, false),
        (UnknownTopicOrPartition, false, true),
        (UnknownTopicId, false, true),
        (FencedLeaderEpoch, false, true),
        (InvalidUpdateVersion, false, true),
        (InvalidRequest, false, true),
        (NewLeaderElected, false, true),
        (NotController, true, true),
        (UnknownServerError, true, true),
    ] {
        let mut leading = Leading::new(&[1, 2]);
        leading.fetches(3, 0);
        assert_eq!(leading.answer(Err(error)), is_asked_again, "{error}");
        assert_eq!(leading.wanted().is_some(), stays, "{error}");
        // The metadata log has the last word.
        leading.cluster.change(leading.id, 0, |change| change.isr = Some(vec![1]));
        assert_eq!(leading.wanted(), None, "{error}");
    }
}

#[test]
fn an_answer_and_the_metadata_log_may_come_in_either_order() {
    let mut leading = Leading::new(&[1]);
    leading.fetches(2, 0);
    let change = leading.partition.isr_change().unwrap();
    assert!(!leading.answer(Ok(())));
    leading.fetches(3, 0);
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]));
    // This is no news, so the next change stays asked for.
    leading.cluster.change(leading.id, 0, |change| change.isr = Some(vec![1, 2]));
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]));
    let again = leading.partition.conclude_isr_change(&change, Ok(committed(&change)), NOW);
    assert!(!again.unwrap());
    assert_eq!(leading.wanted(), Some(vec![1, 2, 3]), "an old answer means nothing");
    leading.cluster.change(leading.id, 0, |change| change.isr = Some(vec![1, 2, 3]));
    assert_eq!(leading.wanted(), None);
}

#[test]
fn a_leader_that_comes_back_forgets_what_followers_had() {
    let mut leading = Leading::new(&[1, 2, 3]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.fetches(3, 5);
    leading.cluster.change(leading.id, 0, |change| change.leader = 1);
    leading.append(1);
    leading.fetches(2, 6);
    leading.fetches(3, 6);
    assert_eq!(leading.high_watermark(), 6, "it led all the time");
    for leader in [2, 1] {
        leading.cluster.change(leading.id, 0, |change| change.leader = leader);
    }
    leading.append(1);
    leading.fetches(2, 7);
    assert_eq!(leading.high_watermark(), 6, "broker 3 has not fetched yet");
    leading.partition.shrink_isr(NOW).unwrap();
    assert_eq!(leading.wanted(), None, "it has time");
}

#[test]
fn a_reassignment_brings_followers_and_takes_them() {
    let mut leading = Leading::new(&[1, 2]);
    leading.fetches(2, 0);
    leading.cluster.change(leading.id, 0, |change| {
        change.replicas = Some(vec![1, 2, 4]);
        change.adding_replicas = Some(vec![4]);
    });
    assert_eq!(code(leading.fetches_as(3, 30, 0)), ResponseError::NotLeaderOrFollower);
    leading.cluster.register(4, 40, false);
    leading.cluster.publish();
    leading.fetches(4, 0);
    assert_eq!(leading.partition.isr_change().unwrap().isr, [(1, -1), (2, 20), (4, 40)]);
}

#[tokio::test(start_paused = true)]
async fn records_are_deleted_once_all_that_run_have_deleted_them() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.cluster.change_broker(3, 30, 1, 0);
    leading.cluster.publish();
    let deleted = leading.partition.delete_records(3).unwrap();
    assert_eq!((deleted.before, deleted.low_watermark), (3, 0));
    let deadline = Instant::now() + Duration::from_secs(1);
    let late = leading.partition.wait_for_low_watermark(3, deadline).await;
    assert_eq!(code(late), ResponseError::RequestTimedOut);
    let waiting = tokio::spawn({
        let partition = Arc::clone(&leading.partition);
        async move { partition.wait_for_low_watermark(3, deadline + Duration::from_secs(9)).await }
    });
    tokio::task::yield_now().await;
    let (by, asked) =
        (FetchingReplica { id: 2, broker_epoch: 20 }, PartitionFetch { log_start: 3, ..asked(5) });
    leading.partition.followed(by, &asked, 5, leading.now).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), 3);
    assert_eq!(leading.partition.waiter_count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_last_of_the_isr_has_the_records() {
    let leading = Leading::new(&[1, 2, 3]);
    leading.append(5);
    let waiting = tokio::spawn({
        let partition = Arc::clone(&leading.partition);
        async move { partition.wait_for_high_watermark(5, 60_000).await }
    });
    tokio::task::yield_now().await;
    leading.fetches(2, 5);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    leading.fetches(3, 5);
    waiting.await.unwrap().unwrap();
}

/// Fetches without a session or a wait; returns what is told of the partition.
async fn fetch(leading: &Leading, fetch: Fetch) -> Result<Fetched, ResponseError> {
    let answer = leading.cluster.replicas.fetch(&leading.cluster.images, fetch).await;
    answer.partitions.into_iter().next().unwrap().outcome
}

fn request(id: Uuid, asked: PartitionFetch, isolation: Isolation) -> Fetch {
    Fetch {
        isolation,
        follower: None,
        only_leader: false,
        location: None,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id: 0,
        session_epoch: -1,
        by_topic_id: true,
        partitions: vec![(FetchKey { topic: TopicKey::Id(id), partition: 0 }, asked)],
        forgotten: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_fetch_of_a_follower_moves_the_high_watermark() {
    let leading = Leading::new(&[1, 2]);
    leading.append(5);
    let by = |broker_epoch| Fetch {
        follower: Some(FetchingReplica { id: 2, broker_epoch }),
        only_leader: true,
        ..request(leading.id, asked(0), Isolation::LogEnd)
    };
    let fetched = fetch(&leading, by(20)).await.unwrap();
    assert_eq!((fetched.read.bytes, leading.high_watermark()), (batch(5).size(), 0));
    let partitions = request(leading.id, asked(5), Isolation::LogEnd).partitions;
    let stale = Fetch { partitions: partitions.clone(), ..by(19) };
    assert_eq!(fetch(&leading, stale).await.unwrap_err(), ResponseError::NotLeaderOrFollower);
    assert_eq!(leading.high_watermark(), 0);
    fetch(&leading, Fetch { partitions, ..by(20) }).await.unwrap();
    assert_eq!(leading.high_watermark(), 5);
}

/// A fetch without news of broker 2 in its session.
fn in_session(leading: &Leading, session_id: i32, session_epoch: i32) -> Fetch {
    Fetch {
        follower: Some(FetchingReplica { id: 2, broker_epoch: 20 }),
        only_leader: true,
        session_id,
        session_epoch,
        partitions: Vec::new(),
        ..request(leading.id, asked(0), Isolation::LogEnd)
    }
}

/// Broker 2 begins a session, and has everything below `end`.
async fn begin_session(leading: &Leading, end: Offset) -> i32 {
    let partitions = request(leading.id, asked(end), Isolation::LogEnd).partitions;
    let first = Fetch { partitions, ..in_session(leading, 0, 0) };
    leading.cluster.replicas.fetch(&leading.cluster.images, first).await.session_id
}

/// A follower that truncates is not where it asks.
#[tokio::test(start_paused = true)]
async fn a_diverging_follower_counts_for_nothing() {
    let leading = Leading::new(&[1, 2]);
    leading.append(5);
    let diverging = PartitionFetch { last_fetched_epoch: 0, ..asked(5) };
    let partitions = request(leading.id, diverging, Isolation::LogEnd).partitions;
    let by = Fetch { partitions, ..in_session(&leading, 0, -1) };
    assert_eq!(fetch(&leading, by).await.unwrap().diverging, Some((0, 0)));
    assert_eq!(leading.high_watermark(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_keeps_its_follower_up_to_date() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    let session_id = begin_session(&leading, 5).await;
    for epoch in 1..=3 {
        leading.later(LAG_MS - 1);
        let next = in_session(&leading, session_id, epoch);
        leading.cluster.replicas.fetch(&leading.cluster.images, next).await;
    }
    leading.append(1);
    leading.later(2);
    leading.partition.shrink_isr(leading.now).unwrap();
    assert_eq!(leading.wanted(), None);
}

#[tokio::test(start_paused = true)]
async fn a_follower_does_not_wait_while_it_may_have_more_to_copy() {
    let mut leading = Leading::new(&[1, 2]);
    tokio::time::advance(Duration::from_secs(1)).await;
    let session_id = begin_session(&leading, 0).await;
    let mut waits = Vec::new();
    for nth in 1..=3 {
        let (began, replicas) = (Instant::now(), Arc::clone(&leading.cluster.replicas));
        let images = ArcSwap::from(leading.cluster.images.load_full());
        let asks = Fetch { max_wait_ms: 500, ..in_session(&leading, session_id, nth) };
        let waiting = tokio::spawn(async move { replicas.fetch(&images, asks).await });
        tokio::task::yield_now().await;
        if nth == 2 {
            tokio::time::advance(Duration::from_millis(7)).await;
            leading.cluster.change(leading.id, 0, |change| change.leader = 1);
        }
        assert_eq!(waiting.await.unwrap().error, None);
        waits.push(began.elapsed().as_millis());
    }
    assert_eq!(waits, [500, 7, 10]);
}

/// One in the ISR is never throttled, or it would leave it.
#[tokio::test(start_paused = true)]
async fn a_throttled_follower_waits_until_it_is_within_the_rate() {
    let mut leading = Leading::new(&[1, 2]);
    let size = batch(5).size();
    leading.cluster.configure("t", "leader.replication.throttled.replicas", "0:1");
    leading.cluster.configure_broker("leader.replication.throttled.rate", &(size / 2).to_string());
    leading.append(5);
    let bytes = async |leading: &Leading, id| {
        let broker_epoch = 10 * i64::from(id);
        let by = Fetch {
            follower: Some(FetchingReplica { id, broker_epoch }),
            only_leader: true,
            ..request(leading.id, asked(0), Isolation::LogEnd)
        };
        fetch(leading, by).await.unwrap().read.bytes
    };
    assert_eq!(bytes(&leading, 3).await, size);
    assert_eq!(bytes(&leading, 3).await, 0);
    assert_eq!(bytes(&leading, 2).await, size);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(bytes(&leading, 3).await, size);
    leading.cluster.configure("t", "leader.replication.throttled.replicas", "1:1,0:2");
    assert_eq!(bytes(&leading, 3).await, size);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_sent_to_the_replica_in_its_rack() {
    let leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.fetches(3, 4);
    let ask = async |rack: &str, listener: &str, offset| {
        let location = Some(Location { rack: rack.to_owned(), listener: Arc::from(listener) });
        let consumer = request(leading.id, asked(offset), Isolation::HighWatermark);
        let waits = Fetch { location, max_wait_ms: 60_000, min_bytes: 1 << 20, ..consumer };
        let began = Instant::now();
        let fetched = fetch(&leading, waits).await.unwrap();
        assert_eq!(fetched.preferred.is_some(), began.elapsed() == Duration::ZERO);
        assert_eq!(fetched.preferred.is_some(), fetched.read.bytes == 0);
        fetched.preferred
    };
    assert_eq!(ask("rack 2", "CLIENTS", 0).await, Some(2));
    assert_eq!(ask("rack 1", "CLIENTS", 0).await, None, "the leader is nearest");
    assert_eq!(ask("rack 2", "OTHER", 0).await, None, "it cannot be reached");
    assert_eq!(ask("rack 3", "CLIENTS", 0).await, None, "it is not in the ISR");
    leading.append(5);
    assert_eq!(ask("rack 2", "CLIENTS", 4).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_reads_from_a_follower_what_is_committed() {
    let mut leading = Leading::new(&[1, 2]);
    leading.append(5);
    leading.fetches(2, 5);
    leading.append(5);
    leading.cluster.change(leading.id, 0, |change| change.leader = 2);
    let read = async |asked, only_leader| {
        let consumer = request(leading.id, asked, Isolation::HighWatermark);
        fetch(&leading, Fetch { only_leader, ..consumer }).await.map(|fetched| fetched.read.bytes)
    };
    assert_eq!(read(asked(0), false).await, Ok(batch(5).size()));
    assert_eq!(read(asked(5), false).await, Ok(0), "it is not committed");
    assert_eq!(read(asked(11), false).await, Err(ResponseError::OffsetOutOfRange));
    assert_eq!(read(asked(0), true).await, Err(ResponseError::NotLeaderOrFollower));
    let old = PartitionFetch { current_leader_epoch: 1, ..asked(0) };
    assert_eq!(read(old, false).await, Err(ResponseError::FencedLeaderEpoch));
}
