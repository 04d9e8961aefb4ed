//! Coordinators on real partitions: loading, unloading, and answers that wait for the high
//! watermark.

use super::super::{Groups, RequestContext, text};
use super::Args;
use crate::clock::Clock;
use crate::codec::messages::JoinGroupResponse;
use crate::codec::schema::metadata::{
    PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use crate::config::{Config, LiveConfig};
use crate::controller::Client;
use crate::coordinator::{InternalTopics, OFFSETS_TOPIC, Persister, ShareStates};
use crate::disk::Disk;
use crate::error::Result;
use crate::log::manager::LogManager;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader};
use crate::peers::Peers;
use crate::replica::Replicas;
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Broker 1 with one partition of `__consumer_offsets`.
struct Broker {
    groups: Arc<Groups>,
    replicas: Arc<Replicas>,
    loader: Loader,
    config: LiveConfig,
    clock: Arc<AtomicI64>,
    topic_id: Uuid,
    _dir: TempDir,
}

fn groups(config: &LiveConfig, clock: Clock, replicas: &Arc<Replicas>) -> Arc<Groups> {
    let (_, applied) = watch::channel(-1);
    let internal_topics =
        InternalTopics::new(config.clone(), clock.clone(), Client::closed(), applied);
    let states = ShareStates::new(config.clone(), clock.clone(), replicas.clone());
    let images = Arc::new(ArcSwap::default());
    let peers = Peers::new(config.clone(), Arc::clone(&images));
    let persister = Persister::new(1, images, states, peers, internal_topics.clone());
    Groups::new(config.clone(), clock, replicas.clone(), internal_topics, persister)
}

impl Broker {
    fn new() -> Broker {
        let dir = TempDir::new().unwrap();
        let log_dir = dir.path().to_str().unwrap().to_owned();
        let properties = [("node.id".to_owned(), "1".to_owned()), ("log.dirs".to_owned(), log_dir)];
        let config = LiveConfig::from(Config::new(BTreeMap::from(properties)).unwrap());
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let logs = LogManager::open(Disk::Os, &config).unwrap();
        let manual = || Clock::Manual(clock.clone());
        let replicas = Replicas::new(config.clone(), manual(), logs);
        let groups = groups(&config, manual(), &replicas);
        let loader = Loader::new("a cluster");
        let topic_id = Uuid::from_u128(1);
        let mut broker = Broker { groups, replicas, loader, config, clock, topic_id, _dir: dir };
        broker.create(OFFSETS_TOPIC, topic_id);
        broker
    }

    fn create(&mut self, name: &str, topic_id: Uuid) {
        let partition = PartitionRecord {
            partition_id: 0,
            topic_id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        };
        let topic = TopicRecord { name: name.to_owned(), topic_id };
        self.loader.replay(&MetadataRecord::Topic(topic)).unwrap();
        self.loader.replay(&MetadataRecord::Partition(partition)).unwrap();
        self.publish();
    }

    fn change(&mut self, change: PartitionChangeRecord) {
        self.replay(change);
        self.publish();
    }

    fn replay(&mut self, change: PartitionChangeRecord) {
        let change = PartitionChangeRecord { topic_id: self.topic_id, partition_id: 0, ..change };
        self.loader.replay(&MetadataRecord::PartitionChange(change)).unwrap();
    }

    /// Lets these brokers lead one after the other, of which only the last is seen.
    fn elect(&mut self, leaders: &[i32]) {
        for leader in leaders {
            self.replay(PartitionChangeRecord { leader: *leader, ..Default::default() });
        }
    }

    fn publish(&mut self) {
        let published = self.loader.take();
        self.replicas.apply(&published.image, &published.delta).unwrap();
        self.groups.apply(&published.image, &published.delta);
    }

    /// Restarts the coordinators on the same logs.
    async fn restart(&mut self) {
        self.groups.close();
        let clock = Clock::Manual(self.clock.clone());
        self.groups = groups(&self.config, clock, &self.replicas);
        self.publish();
    }

    async fn loaded(&self) {
        while self.fetch("any").await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn advance(&self, ms: i64) {
        // Runs whatever is ready first, so that timers are set before the time moves.
        tokio::task::yield_now().await;
        self.clock.fetch_add(ms, Ordering::Relaxed);
        tokio::time::advance(Duration::from_millis(ms.unsigned_abs())).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn commit(&self, group: &str, offset: i64) -> Result<i16> {
        let request =
            Args::parse(&format!("commit group={group} id=7 offsets=t-0:{offset}")).commit();
        let response = self.groups.commit_offsets(9, &request).await?;
        Ok(response.topics[0].partitions[0].error_code)
    }

    async fn fetch(&self, group: &str) -> Result<i64> {
        let request = Args::parse(&format!("fetch group={group} offsets=t-0")).fetch();
        let response = self.groups.fetch_offsets(&request, false).await?;
        Ok(response.topics[0].partitions[0].committed_offset)
    }

    fn join(&self, member: &str) -> JoinHandle<Result<JoinGroupResponse>> {
        let groups = self.groups.clone();
        let line = format!("join group=g member={member} protocols=range:t");
        tokio::spawn(async move {
            let cx = RequestContext {
                api_version: 3,
                client_id: text("a"),
                client_host: "/127.0.0.1".into(),
            };
            groups.join_group(&cx, &Args::parse(&line).join()).await
        })
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> ResponseError {
    result.unwrap_err().code()
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_comes_and_goes_with_the_leadership() {
    let mut broker = Broker::new();
    assert_eq!(code(broker.commit("g", 1).await), ResponseError::CoordinatorLoadInProgress);
    let heartbeat = Args::parse("heartbeat group=g member=a generation=1").heartbeat();
    broker.groups.heartbeat(&heartbeat).await.unwrap();
    broker.loaded().await;
    assert_eq!(code(broker.groups.heartbeat(&heartbeat).await), ResponseError::UnknownMemberId);
    assert_eq!(broker.commit("g", 5).await.unwrap(), 0);
    let waiting = broker.join("");
    tokio::task::yield_now().await;

    broker.change(PartitionChangeRecord { leader: 2, ..PartitionChangeRecord::default() });
    assert_eq!(code(waiting.await.unwrap()), ResponseError::NotCoordinator);
    assert_eq!(code(broker.commit("g", 6).await), ResponseError::NotCoordinator);
    let list = broker.groups.list_groups(&Default::default()).await.unwrap();
    assert_eq!(list.len(), 0);

    broker.change(PartitionChangeRecord { leader: 1, ..PartitionChangeRecord::default() });
    broker.loaded().await;
    assert_eq!(broker.fetch("g").await.unwrap(), 5);
    broker.groups.close();
    assert_eq!(code(broker.fetch("g").await), ResponseError::NotCoordinator);
}

#[tokio::test(start_paused = true)]
async fn the_state_stays_unless_another_broker_may_have_led() {
    let mut broker = Broker::new();
    broker.loaded().await;
    broker.commit("h", 5).await.unwrap();
    let waiting = broker.join("");
    tokio::task::yield_now().await;
    for _ in 0..3 {
        broker.elect(&[1]);
        broker.publish();
        assert_eq!(broker.commit("h", 6).await.unwrap(), 0);
    }
    assert!(!waiting.is_finished(), "it waits on");

    broker.elect(&[2, 1]);
    broker.publish();
    assert_eq!(code(broker.commit("h", 7).await), ResponseError::CoordinatorLoadInProgress);
    assert_eq!(code(waiting.await.unwrap()), ResponseError::NotCoordinator);
    broker.loaded().await;
    assert_eq!(broker.fetch("h").await.unwrap(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_of_an_older_epoch_writes_nothing() {
    let mut broker = Broker::new();
    broker.loaded().await;
    broker.commit("g", 5).await.unwrap();
    // The partition is told of a new epoch before the coordinator is.
    broker.elect(&[1]);
    let published = broker.loader.take();
    broker.replicas.apply(&published.image, &published.delta).unwrap();
    broker.commit("g", 6).await.unwrap();
    broker.elect(&[2, 1]);
    let published = broker.loader.take();
    broker.replicas.apply(&published.image, &published.delta).unwrap();
    assert_eq!(code(broker.commit("g", 7).await), ResponseError::NotCoordinator);
    assert_eq!(code(broker.fetch("g").await), ResponseError::NotCoordinator);
    broker.groups.apply(&published.image, &published.delta);
    broker.loaded().await;
    assert_eq!(broker.fetch("g").await.unwrap(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_the_replicas_do_not_have_yet_is_not_seen() {
    let mut broker = Broker::new();
    broker.loaded().await;
    assert_eq!(broker.commit("g", 5).await.unwrap(), 0);
    let isr = |isr: Vec<i32>| PartitionChangeRecord {
        replicas: Some(vec![1, 2]),
        isr: Some(isr),
        ..PartitionChangeRecord::default()
    };
    broker.change(isr(vec![1, 2]));
    // Nothing was written meanwhile, so what is committed can be seen.
    assert_eq!(broker.fetch("g").await.unwrap(), 5);

    let groups = broker.groups.clone();
    let request = Args::parse("commit group=g offsets=t-0:6").commit();
    let commit = tokio::spawn(async move { groups.commit_offsets(9, &request).await });
    tokio::task::yield_now().await;
    assert_eq!(code(broker.fetch("g").await), ResponseError::NotCoordinator, "it timed out");
    assert_eq!(code(commit.await.unwrap()), ResponseError::CoordinatorNotAvailable);

    let groups = broker.groups.clone();
    let request = Args::parse("commit group=g offsets=t-0:7").commit();
    let commit = tokio::spawn(async move { groups.commit_offsets(9, &request).await });
    tokio::task::yield_now().await;
    broker.change(isr(vec![1]));
    commit.await.unwrap().unwrap();
    assert_eq!(broker.fetch("g").await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn members_wait_for_each_other_and_a_restart_finds_them() {
    let mut broker = Broker::new();
    broker.loaded().await;
    let (first, second) = (broker.join(""), broker.join(""));
    broker.advance(3_000).await;
    broker.advance(3_000).await;
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!((first.generation_id, second.generation_id), (1, 1));
    assert_eq!(first.leader, second.leader);

    let assign = format!("assign={}:x,{}:y", first.member_id, second.member_id);
    let line = |member: &str| format!("sync group=g member={member} generation=1 {assign}");
    let (leader, follower) = match first.leader == first.member_id {
        true => (&first.member_id, &second.member_id),
        false => (&second.member_id, &first.member_id),
    };
    let (groups, follower) = (broker.groups.clone(), line(follower));
    let follower = tokio::spawn(async move {
        groups.sync_group(&Args::parse(&follower).sync(&Image::default())).await.unwrap()
    });
    tokio::task::yield_now().await;
    let synced = broker
        .groups
        .sync_group(&Args::parse(&line(leader)).sync(&Image::default()))
        .await
        .unwrap();
    assert_eq!((synced.error_code, follower.await.unwrap().error_code), (0, 0));

    broker.restart().await;
    broker.loaded().await;
    let described = broker.groups.describe_group(6, "g").await.unwrap();
    assert_eq!((&*described.group_state, described.members.len()), ("Stable", 2));
    let heartbeat =
        Args::parse(&format!("heartbeat group=g member={leader} generation=1")).heartbeat();
    broker.advance(6_000).await;
    broker.groups.heartbeat(&heartbeat).await.unwrap();
    broker.advance(4_000).await;
    let rebalance = broker.groups.heartbeat(&heartbeat).await;
    assert_eq!(code(rebalance), ResponseError::RebalanceInProgress, "the other one is gone");
}

#[tokio::test(start_paused = true)]
async fn offsets_of_a_deleted_topic_are_forgotten() {
    let mut broker = Broker::new();
    broker.create("t", Uuid::from_u128(7));
    broker.loaded().await;
    broker.commit("g", 5).await.unwrap();
    let topic_id = Uuid::from_u128(7);
    broker.loader.replay(&MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id })).unwrap();
    broker.publish();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(broker.fetch("g").await.unwrap(), -1);
    broker.restart().await;
    broker.loaded().await;
    assert_eq!(broker.fetch("g").await.unwrap(), -1);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_before_any_group_is_asked() {
    let broker = Broker::new();
    broker.loaded().await;
    let cx =
        RequestContext { api_version: 9, client_id: text(""), client_host: "/127.0.0.1".into() };
    let join = Args::parse("join group= protocols=range:t").join();
    assert_eq!(code(broker.groups.join_group(&cx, &join).await), ResponseError::InvalidGroupId);
    for session_ms in [5_999, 1_800_001] {
        let join = Args::parse(&format!("join group=g session={session_ms}")).join();
        let joined = broker.groups.join_group(&cx, &join).await;
        assert_eq!(code(joined), ResponseError::InvalidSessionTimeout);
    }
}
