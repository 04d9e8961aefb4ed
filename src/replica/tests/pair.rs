//! Two brokers with the same metadata. Their fetchers' requests are carried by the tests.

use super::cluster::NOW;
use crate::clock::Clock;
use crate::codec::messages::fetch_request::FetchTopic;
use crate::codec::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use crate::codec::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use crate::codec::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use crate::codec::schema::metadata::{PartitionChangeRecord, PartitionRecord, TopicRecord};
use crate::config::{Config, LiveConfig};
use crate::disk::Disk;
use crate::log::manager::LogManager;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader};
use crate::replica::Replicas;
use crate::replica::fetch_session::{FetchKey, TopicKey};
use crate::replica::fetcher::Ask;
use crate::replica::partition::{
    Fetched, FetchingReplica, OffsetSpec, Offsets, Partition, PartitionFetch,
};
use crate::replica::read::Fetch;
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

/// An answer on its way to a fetcher.
pub enum Answer {
    Fetch(Box<FetchResponse>),
    Offsets(Box<ListOffsetsResponse>),
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
        self.write(MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: self.topic_id,
            partition_id: 0,
            leader,
            isr: Some(vec![leader]),
            ..PartitionChangeRecord::default()
        }));
        self.leader = leader;
        self.publish();
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
            Ask::Fetch(request) => Some(Answer::Fetch(Box::new(self.serve(leader, *request)))),
            Ask::Offsets(request) => Some(Answer::Offsets(Box::new(self.tell(&request)))),
            Ask::Nothing(_) => None,
        }
    }

    /// Gives an answer of broker `from` to the fetcher that asked, if there still is one.
    pub fn deliver(&self, from: BrokerId, answer: Answer) {
        let Some(fetcher) = self.node(3 - from).replicas.fetcher_of(from) else { return };
        let mut fetcher = lock(&fetcher.fetcher);
        match answer {
            Answer::Fetch(response) => fetcher.fetched(*response, self.now),
            Answer::Offsets(response) => fetcher.told_offsets(*response, self.now),
        }
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

    fn serve(&self, node: &Node, request: FetchRequest) -> FetchResponse {
        let fetch = to_fetch(request);
        let answer = self.runtime.block_on(node.replicas.fetch(&node.images, fetch));
        let topics = answer.partitions.into_iter().map(|fetched| {
            let TopicKey::Id(topic_id) = fetched.key.topic else { panic!("asked by id") };
            let data = match fetched.outcome {
                Ok(found) => data_of(found),
                Err(error) => PartitionData::default().with_error_code(error.code()),
            };
            FetchableTopicResponse::default()
                .with_topic_id(topic_id)
                .with_partitions(vec![data.with_partition_index(fetched.key.partition)])
        });
        FetchResponse::default()
            .with_error_code(answer.error.map_or(0, |error| error.code()))
            .with_session_id(answer.session_id)
            .with_responses(topics.collect())
    }

    fn tell(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let partition = self.partition(self.leader);
        let asked = &request.topics[0].partitions[0];
        let spec = if asked.timestamp == -1 { OffsetSpec::Latest } else { OffsetSpec::Earliest };
        let found = partition.offset_for(spec, Isolation::LogEnd, asked.current_leader_epoch);
        let told = ListOffsetsPartitionResponse::default();
        let told = match found {
            Ok(found) => told.with_offset(found.unwrap().offset),
            Err(error) => told.with_error_code(error.code().code()),
        };
        let topic = ListOffsetsTopicResponse::default()
            .with_name(request.topics[0].name.clone())
            .with_partitions(vec![told]);
        ListOffsetsResponse::default().with_topics(vec![topic])
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

fn to_fetch(request: FetchRequest) -> Fetch {
    let partitions = request.topics.into_iter().flat_map(|topic: FetchTopic| {
        let key = TopicKey::Id(topic.topic_id);
        topic.partitions.into_iter().map(move |asked| {
            let fetch = PartitionFetch {
                fetch_offset: asked.fetch_offset,
                max_bytes: asked.partition_max_bytes as usize,
                current_leader_epoch: asked.current_leader_epoch,
                last_fetched_epoch: asked.last_fetched_epoch,
                log_start: asked.log_start_offset,
            };
            (FetchKey { topic: key.clone(), partition: asked.partition }, fetch)
        })
    });
    let forgotten = request.forgotten_topics_data.into_iter().flat_map(|topic| {
        let key = TopicKey::Id(topic.topic_id);
        topic
            .partitions
            .into_iter()
            .map(move |partition| FetchKey { topic: key.clone(), partition })
    });
    Fetch {
        isolation: Isolation::LogEnd,
        follower: Some(FetchingReplica {
            id: request.replica_state.replica_id.into(),
            broker_epoch: request.replica_state.replica_epoch,
        }),
        only_leader: true,
        location: None,
        max_wait_ms: 0,
        min_bytes: request.min_bytes as usize,
        max_bytes: request.max_bytes as usize,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        by_topic_id: true,
        partitions: partitions.collect(),
        forgotten: forgotten.collect(),
    }
}

fn data_of(found: Fetched) -> PartitionData {
    let mut records = BytesMut::new();
    found.read.ranges.iter().for_each(|range| records.extend_from_slice(&range.read().unwrap()));
    let mut data = PartitionData::default()
        .with_high_watermark(found.offsets.high_watermark)
        .with_log_start_offset(found.offsets.log_start)
        .with_records(Some(records.freeze()));
    if let Some((epoch, end_offset)) = found.diverging {
        data.diverging_epoch =
            EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset);
    }
    data
}
