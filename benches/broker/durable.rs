//! Acknowledgements that require an fsync: many producers with one request in flight each, on many
//! partitions of a topic with `flush.messages=1`.

use crate::load::{CREATE_VERSION, PRODUCE_VERSION, check_produced, connect, frame, receive};
use crate::target::Target;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, ProduceRequest, TopicName,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::io::Write;
use std::time::{Duration, Instant};

const PRODUCERS: usize = 32;
const PARTITIONS: usize = 16;
pub const RECORD: usize = 1000;

fn topic() -> TopicName {
    StrBytes::from_static_str("durable").into()
}

pub fn create_topic(target: &Target) {
    let flush = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("flush.messages"))
        .with_value(Some(StrBytes::from_static_str("1")));
    let topic = CreatableTopic::default()
        .with_name(topic())
        .with_num_partitions(PARTITIONS as i32)
        .with_replication_factor(1)
        .with_configs(vec![flush]);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let mut socket = connect(target);
    socket.write_all(&frame(ApiKey::CreateTopics, CREATE_VERSION, &request)).unwrap();
    let answer = CreateTopicsResponse::decode(&mut receive(&mut socket), CREATE_VERSION).unwrap();
    if answer.topics[0].error_code == 0 {
        // Kafka answers before the leader is ready.
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A request with one record for one partition and acks=all.
fn request(partition: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(klamm::clock::Clock::System.now(), None, Some(&[b'x'; RECORD]), &[]);
    let data = PartitionProduceData::default()
        .with_index(partition as i32)
        .with_records(Some(builder.build().to_bytes()));
    let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic]);
    frame(ApiKey::Produce, PRODUCE_VERSION, &request)
}

/// Returns (requests, bytes, sorted microseconds until the acknowledgement).
pub fn run(target: &Target, requests: usize) -> (usize, usize, Vec<f64>) {
    let each = requests / PRODUCERS;
    let mut latencies: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..PRODUCERS).map(|n| scope.spawn(move || produce(target, n, each))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    latencies.sort_by(f64::total_cmp);
    (each * PRODUCERS, each * PRODUCERS * RECORD, latencies)
}

fn produce(target: &Target, producer: usize, requests: usize) -> Vec<f64> {
    let frame = request(producer % PARTITIONS);
    let mut socket = connect(target);
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begun = Instant::now();
        socket.write_all(&frame).unwrap();
        let body = receive(&mut socket);
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        check_produced(body);
    }
    latencies
}
