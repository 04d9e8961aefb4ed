//! Two brokers with the same metadata. Their fetchers' requests are carried by the tests.

use super::carry;
use super::cluster::NOW;
use crate::clock::Clock;
use crate::codec::schema::metadata::{PartitionChangeRecord, PartitionRecord, TopicRecord};
use crate::config::{Config, LiveConfig};
use crate::disk::Disk;
use crate::log::manager::LogManager;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader};
use crate::replica::Replicas;
use crate::replica::fetcher::{Answer, Ask};
use crate::replica::partition::{Offsets, Partition};
use crate::sync::lock;
use crate::types::{BrokerId, Isolation, Offset, TopicIdPartition};
use arc_swap::ArcSwap;
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// A broker of the pair.
pub struct Node {
    pub replicas: Arc<Replicas>,
    images: ArcSwap<Image>,
    _dir: TempDir,
}

/// Brokers 1 and 2, and the topic `t` with one partition, which both replicate.
pub struct Pair {
    nodes: [Node; 2],
    loader: Loader,
    pub topic_id: Uuid,
    pub now: Instant,
    runtime: Runtime,
    pub leader: BrokerId,
}

impl Pair {
    /// Broker 1 leads. `settings` are those of the topic.
    pub fn new(properties: &[(&str, &str)], settings: &[(&str, &str)]) -> Pair {
        Pair::with_rates(&[], properties, settings)
    }

    /// As `new`, with dynamic settings of both brokers.
    pub fn with_rates(
        rates: &[(&str, &str)],
        properties: &[(&str, &str)],
        settings: &[(&str, &str)],
    ) -> Pair {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut pair = Pair {
            nodes: [Node::new(1, rates, properties), Node::new(2, rates, properties)],
            loader: Loader::new("a cluster"),
            topic_id: Uuid::new_v4(),
            now: Instant::now(),
            runtime,
            leader: 1,
        };
        let topic_id = pair.topic_id;
        pair.publish();
        pair.write(MetadataRecord::Topic(TopicRecord { name: "t".to_owned(), topic_id }));
        for (name, value) in settings {
            pair.write(MetadataRecord::Config(crate::codec::schema::metadata::ConfigRecord {
                resource_type: crate::metadata::TOPIC_CONFIG,
                resource_name: "t".to_owned(),
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
            }));
        }
        pair.write(MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition_id: 0,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: vec![1, 2],
            isr: vec![1],
            leader: 1,
            ..PartitionRecord::default()
        }));
        pair.publish();
        pair
    }

    fn write(&mut self, record: MetadataRecord) {
        self.loader.replay(&record).unwrap();
    }

    fn publish(&mut self) {
        let published = self.loader.take();
        for node in &self.nodes {
            node.replicas.apply(&published.image, &published.delta).unwrap();
            node.images.store(Arc::clone(&published.image));
        }
    }

    /// Elects a leader in a new epoch, also if it is not in the ISR.
    pub fn elect(&mut self, leader: BrokerId) {
        self.leader = leader;
        self.set_isr(&[leader]);
    }

    /// Sets the ISR, in a new epoch.
    pub fn set_isr(&mut self, isr: &[BrokerId]) {
        self.write(MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: self.topic_id,
            partition_id: 0,
            leader: self.leader,
            isr: Some(isr.to_vec()),
            ..PartitionChangeRecord::default()
        }));
        self.publish();
    }

    pub fn replicas(&self, id: BrokerId) -> &Arc<Replicas> {
        &self.node(id).replicas
    }

    pub fn image(&self) -> Arc<Image> {
        self.nodes[0].images.load_full()
    }

    fn node(&self, id: BrokerId) -> &Node {
        &self.nodes[id as usize - 1]
    }

    pub fn partition(&self, id: BrokerId) -> Arc<Partition> {
        let name = TopicIdPartition { topic_id: self.topic_id, partition: 0 };
        self.node(id).replicas.partition(name).unwrap()
    }

    /// The broker that does not lead.
    pub fn follower(&self) -> BrokerId {
        3 - self.leader
    }

    /// Carries the follower's next request to the leader; None if it asks nothing.
    pub fn ask(&self) -> Option<Answer> {
        let fetcher = self.node(self.follower()).replicas.fetcher_of(self.leader)?;
        let ask = lock(&fetcher.fetcher).next(self.now, 1);
        let leader = self.node(self.leader);
        match ask {
            Ask::Fetch(request) => {
                let answer = carry::serve(&leader.replicas, &leader.images, *request, 0);
                Some(Answer::Fetch(Box::new(self.runtime.block_on(answer))))
            }
            Ask::Offsets(request) => {
                let answer = carry::tell(&leader.replicas, &leader.images.load(), &request);
                Some(Answer::Offsets(Box::new(answer)))
            }
            Ask::Nothing(_) => None,
        }
    }

    /// Gives an answer of broker `from` to the fetcher that asked, if there still is one.
    pub fn deliver(&self, from: BrokerId, answer: Answer) {
        let Some(fetcher) = self.node(3 - from).replicas.fetcher_of(from) else { return };
        lock(&fetcher.fetcher).take_in(Ok(answer), self.now);
    }

    /// Asks and delivers until the follower has everything.
    #[track_caller]
    pub fn catch_up(&mut self) {
        for _ in 0..2000 {
            self.now += Duration::from_millis(100);
            let Some(answer) = self.ask() else { continue };
            self.deliver(self.leader, answer);
            let offsets = |id| self.partition(id).offsets().unwrap();
            let (leaders, ours) = (offsets(self.leader), offsets(self.follower()));
            // Where a log begins only moves up, so the follower's may begin later.
            if (Offsets { log_start: ours.log_start.max(leaders.log_start), ..leaders }) == ours {
                return;
            }
        }
        panic!("no end: {:?} {:?}", self.partition(1).offsets(), self.partition(2).offsets());
    }

    /// The bytes of a broker's log from `from` on.
    pub fn bytes(&self, id: BrokerId, from: Offset) -> Vec<u8> {
        let (partition, mut bytes, mut from) = (self.partition(id), Vec::new(), from);
        loop {
            let (read, _) = partition.read(from, 1 << 20, Isolation::LogEnd, true).unwrap();
            let mut all = BytesMut::new();
            read.ranges.iter().for_each(|range| all.extend_from_slice(&range.read().unwrap()));
            if all.is_empty() {
                return bytes;
            }
            bytes.extend_from_slice(&all);
            let mut rest = all.freeze();
            while !rest.is_empty() {
                from = crate::record::Batch::split_from(&mut rest).unwrap().next_offset();
            }
        }
    }
}

impl Node {
    fn new(id: BrokerId, rates: &[(&str, &str)], properties: &[(&str, &str)]) -> Node {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("data").to_str().unwrap().to_owned();
        let mut all: BTreeMap<String, String> =
            [("node.id".to_owned(), id.to_string()), ("log.dirs".to_owned(), path)].into();
        all.extend(properties.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let rates = rates.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let (config, _) =
            Config::new(all).unwrap().with_dynamic(&rates.collect(), &BTreeMap::new());
        let config = LiveConfig::from(config);
        let mut logs = LogManager::open(Disk::Os, &config).unwrap();
        logs.claim().unwrap();
        logs.format("a cluster", id).unwrap();
        let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
        let images = ArcSwap::default();
        let replicas = Replicas::new(config, clock, logs);
        Node { replicas, images, _dir: dir }
    }
}
