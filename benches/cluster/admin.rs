//! Topics of a cluster, and what its brokers know of them.

use crate::cluster::{BROKERS, Cluster, LIMIT};
use crate::common::wire::{self, CREATE_VERSION, ask, connect, frame, topic_name, try_connect};
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::metadata_response::MetadataResponsePartition;
use klamm::codec::messages::{
    ApiKey, BrokerId, DeleteTopicsRequest, ElectLeadersRequest, MetadataRequest, MetadataResponse,
};
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const METADATA_VERSION: i16 = 12;
const DELETE_VERSION: i16 = CREATE_VERSION;
const ELECT_VERSION: i16 = 2;
const POLL: Duration = Duration::from_millis(50);
/// Partitions of a topic when there are many. Kafka creates at most 9,999 in one request.
pub const IN_TOPIC: usize = 1000;

/// Who leads the partitions of a topic while all brokers run.
#[derive(Clone, Copy)]
pub enum Leaders {
    /// Each broker a third.
    Spread,
    /// Broker 1 all of them.
    First,
}

impl Leaders {
    /// The replicas of a partition, the leader first. Each broker is as often second as third.
    fn replicas(self, partition: usize) -> Vec<BrokerId> {
        let (first, turn) = match self {
            Leaders::Spread => (partition % BROKERS, partition / BROKERS),
            Leaders::First => (0, partition),
        };
        let second = 1 + turn % 2;
        let places = [first, first + second, first + 3 - second];
        places.iter().map(|place| BrokerId((place % BROKERS) as i32 + 1)).collect()
    }
}

/// Creates a topic and waits until all its replicas are in sync, every broker knows it and the
/// leaders take records.
pub fn create(cluster: &Cluster, name: &str, partitions: usize, leaders: Leaders) {
    ask_for(cluster, name, partitions, leaders);
    let ports = cluster.ports();
    for port in &ports {
        wait_for_isr(*port, &[name.to_owned()], |isr| isr == BROKERS);
    }
    elect_preferred(cluster, name);
    for partition in 0..partitions {
        let port = ports[leaders.replicas(partition)[0].0 as usize - 1];
        wait_to_lead(port, name, &[partition]);
    }
}

/// Waits until the broker on this port takes a record for each of the partitions. Kafka's say that
/// they lead a new partition before they do.
pub fn wait_to_lead(port: u16, topic: &str, partitions: &[usize]) {
    let request = [(topic.to_owned(), partitions.to_vec())];
    let request = wire::produce_to(&request, &wire::records(0, 1), -1);
    wait_until("the leader takes records", || {
        let answer = try_connect(port).and_then(|mut socket| ask(&mut socket, &request));
        answer.is_ok_and(|answer| wire::produce_code(answer) == 0)
    });
}

/// Creates a topic without waiting.
pub fn ask_for(cluster: &Cluster, name: &str, partitions: usize, leaders: Leaders) {
    let assignment = |partition| {
        CreatableReplicaAssignment::default()
            .with_partition_index(partition as i32)
            .with_broker_ids(leaders.replicas(partition))
    };
    let text = |text: &'static str| StrBytes::from_static_str(text);
    // What is deleted shall not stay on the disk while the next is measured.
    let delay = CreatableTopicConfig::default()
        .with_name(text("file.delete.delay.ms"))
        .with_value(Some(text("500")));
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments((0..partitions).map(assignment).collect())
        .with_configs(vec![delay]);
    wire::create(&mut connect(cluster.brokers[0].port), vec![topic]);
}

pub fn delete(clusters: &[Cluster], name: &str) {
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![topic_name(name)])
        .with_timeout_ms(60_000);
    let request = frame(ApiKey::DeleteTopics, DELETE_VERSION, &request);
    for cluster in clusters {
        ask(&mut connect(cluster.brokers[0].port), &request).unwrap();
    }
    // The files are gone soon after.
    std::thread::sleep(Duration::from_secs(2));
}

/// Gives every partition to the first of its replicas.
pub fn elect_preferred(cluster: &Cluster, topic: &str) {
    let request = ElectLeadersRequest::default().with_topic_partitions(None);
    let request = frame(ApiKey::ElectLeaders, ELECT_VERSION, &request.with_timeout_ms(60_000));
    ask(&mut connect(cluster.brokers[0].port), &request).unwrap();
    let is_first = |partition: &MetadataResponsePartition| {
        partition.replica_nodes.first() == Some(&partition.leader_id)
    };
    for port in cluster.ports() {
        wait_until("leaders are the preferred ones", || {
            is_for_all(port, &[topic.to_owned()], is_first)
        });
    }
}

pub fn metadata(socket: &mut TcpStream, topics: &[String]) -> io::Result<MetadataResponse> {
    let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false);
    let mut body = ask(socket, &frame(ApiKey::Metadata, METADATA_VERSION, &request))?;
    Ok(MetadataResponse::decode(&mut body, METADATA_VERSION).unwrap())
}

/// Waits until the broker on this port knows that the in-sync replicas of all partitions are as
/// many as is asked for.
pub fn wait_for_isr(port: u16, topics: &[String], is_wanted: impl Fn(usize) -> bool) {
    wait_until("replicas in sync are as they should be", || {
        is_for_all(port, topics, |partition| {
            partition.leader_id.0 >= 0 && is_wanted(partition.isr_nodes.len())
        })
    });
}

fn is_for_all(
    port: u16,
    topics: &[String],
    test: impl Fn(&MetadataResponsePartition) -> bool,
) -> bool {
    let known = try_connect(port).and_then(|mut socket| metadata(&mut socket, topics));
    let Ok(known) = known else { return false };
    known.topics.len() == topics.len()
        && known
            .topics
            .iter()
            .all(|topic| topic.error_code == 0 && topic.partitions.iter().all(&test))
}

pub fn wait_for_brokers(cluster: &Cluster) {
    for port in cluster.ports() {
        wait_until("every broker knows all", || {
            let known = try_connect(port).and_then(|mut socket| metadata(&mut socket, &[]));
            known.is_ok_and(|known| known.brokers.len() == BROKERS)
        });
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "waited too long until {what}");
        std::thread::sleep(POLL);
    }
}
