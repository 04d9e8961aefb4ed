//! The loads: requests that are encoded once and replayed on several connections.

use crate::common::pace::quantile;
use crate::common::wire::{self, IN_FLIGHT, topic_name};
pub use crate::common::wire::{
    CREATE_VERSION, PRODUCE_VERSION, check_produced, frame, produce_code, produce_to, receive,
    records,
};
use crate::consume;
use crate::durable;
use crate::fixtures;
use crate::target::Target;
use crate::transaction::transactions;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::create_topics_response::CreatableTopicResult;
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use klamm::codec::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use klamm::codec::messages::{
    ApiKey, CreateTopicsResponse, FetchRequest, FetchResponse, ProduceResponse, TopicName,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

const CONNECTIONS: usize = 4;
pub const PARTITIONS: usize = 8;
pub const FETCH_BYTES: usize = 8 << 20;
pub const FETCH_VERSION: i16 = 12;
pub const LOG_TOPIC: &str = "bench";
/// The position of the base offset in the frame of `produce_answer`.
pub const ANSWER_BASE_OFFSET: usize = 23;

/// One kind of work.
pub enum Load {
    /// `requests` requests, each with one batch of about `batch` bytes.
    Produce { batch: usize, requests: usize },
    /// Requests with a small batch for each of several partitions.
    Scatter { partitions: usize, requests: usize },
    /// Reads the records of the produce loads, `bytes` in total.
    Fetch { bytes: usize },
    /// Reads one small batch from each of several partitions.
    Gather { partitions: usize, requests: usize },
    /// A consumer at the end of several partitions receives one record after the other.
    Follow { partitions: usize, requests: usize },
    /// One record per request, one request in flight, acks=all.
    Latency { requests: usize },
    /// The same with many producers, on a topic with `flush.messages=1`.
    Durable { requests: usize },
    /// Transactions of several producers.
    Transactions { requests: usize },
}

/// The cost of a load.
pub struct Measured {
    requests: usize,
    bytes: usize,
    wall: f64,
    processor: f64,
    /// The sorted latencies in microseconds, for the latency loads.
    latencies: Vec<f64>,
    is_durable: bool,
}

impl Measured {
    /// The cost of work for which only requests are counted.
    pub fn of_requests(requests: usize, wall: f64, processor: f64) -> Measured {
        Measured { requests, bytes: 0, wall, processor, latencies: Vec::new(), is_durable: false }
    }

    /// The cost of work of which each request's microseconds are known.
    pub fn of_latencies(
        requests: usize,
        wall: f64,
        processor: f64,
        mut latencies: Vec<f64>,
    ) -> Measured {
        latencies.sort_by(f64::total_cmp);
        Measured { latencies, ..Measured::of_requests(requests, wall, processor) }
    }

    /// The figures by name. For all of them less is better.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        let gigabytes = self.bytes as f64 / 1e9;
        let per_million = self.processor / (self.requests as f64 / 1e6);
        if self.is_durable {
            let at = |q: f64| quantile(&self.latencies, q);
            let per_ack = self.wall / self.requests as f64 * 1e6;
            vec![("us/ack", per_ack), ("p50 us", at(0.5)), ("p99 us", at(0.99))]
        } else if self.latencies.is_empty() && self.bytes == 0 {
            let wall = self.wall / (self.requests as f64 / 1e6);
            vec![("broker CPU us each", per_million), ("wall us each", wall)]
        } else if self.latencies.is_empty() {
            vec![
                ("broker CPU s/GB", self.processor / gigabytes),
                ("broker CPU s/million requests", per_million),
                ("wall s/GB", self.wall / gigabytes),
            ]
        } else {
            let at = |q: f64| quantile(&self.latencies, q);
            let (p50, p999) = (at(0.5), at(0.999));
            let wall = self.wall * 1e6 / self.requests as f64;
            vec![
                ("p50 us", p50),
                ("p99.9 us", p999),
                ("wall us each", wall),
                ("broker CPU us each", per_million),
            ]
        }
    }
}

impl Load {
    /// Whether the floor can do this work.
    pub fn has_floor(&self) -> bool {
        matches!(self, Load::Produce { .. } | Load::Fetch { .. } | Load::Latency { .. })
    }

    /// The approximate number of bytes that the load writes.
    pub fn bytes_written(&self) -> usize {
        match *self {
            Load::Produce { batch, requests } => batch * requests,
            Load::Durable { requests } => durable::RECORD * requests,
            Load::Scatter { partitions, requests } => consume::BATCH * partitions * requests,
            _ => 0,
        }
    }

    /// Does the same work for a shorter time, without measuring it.
    pub fn warm_up(&self, target: &Target) {
        match self {
            Load::Durable { .. } => durable::create_topic(target),
            Load::Scatter { partitions, .. } => {
                consume::make_topic(target, consume::scattered(*partitions), *partitions);
            }
            Load::Gather { partitions, .. } | Load::Follow { partitions, .. } => {
                consume::make_topic(target, consume::consumed(*partitions), *partitions);
            }
            _ => create_topic(target),
        }
        let short = match *self {
            Load::Produce { batch, requests } => Load::Produce { batch, requests: requests / 2 },
            Load::Scatter { partitions, requests } => {
                Load::Scatter { partitions, requests: requests / 2 }
            }
            Load::Fetch { bytes } => Load::Fetch { bytes: bytes / 2 },
            Load::Gather { partitions, requests } => {
                Load::Gather { partitions, requests: requests / 2 }
            }
            Load::Follow { partitions, requests } => {
                Load::Follow { partitions, requests: requests / 2 }
            }
            Load::Latency { requests } => Load::Latency { requests: requests / 2 },
            Load::Durable { requests } => Load::Durable { requests: requests / 4 },
            Load::Transactions { requests } => Load::Transactions { requests: requests / 2 },
        };
        short.run(target);
    }

    pub fn run(&self, target: &Target) -> Measured {
        let (processor, begun) = (target.processor_seconds(), Instant::now());
        let (requests, bytes, latencies) = match *self {
            Load::Produce { batch, requests } => produce(target, batch, requests),
            Load::Scatter { partitions, requests } => {
                consume::scatter(target, partitions, requests)
            }
            Load::Fetch { bytes } => fetch(target, bytes),
            Load::Gather { partitions, requests } => consume::gather(target, partitions, requests),
            Load::Follow { partitions, requests } => consume::follow(target, partitions, requests),
            Load::Latency { requests } => latency(target, requests),
            Load::Durable { requests } => durable::run(target, requests),
            Load::Transactions { requests } => {
                let mut latencies = transactions(target, requests);
                latencies.sort_by(f64::total_cmp);
                (latencies.len(), 0, latencies)
            }
        };
        Measured {
            requests,
            bytes,
            wall: begun.elapsed().as_secs_f64(),
            processor: target.processor_seconds() - processor,
            latencies,
            is_durable: matches!(self, Load::Durable { .. }),
        }
    }
}

pub fn connect(target: &Target) -> TcpStream {
    wire::connect(target.port)
}

pub fn topic() -> TopicName {
    topic_name(LOG_TOPIC)
}

pub fn create_topic(target: &Target) {
    create_topics(target, &[LOG_TOPIC.to_owned()], PARTITIONS);
}

/// Creates the topics that are missing, and waits until they are ready.
pub fn create_topics(target: &Target, names: &[String], partitions: usize) {
    if ask_for_topics(target, names, partitions) {
        // Kafka answers before the leader is ready.
        let made = (names.len() * partitions) as u64;
        std::thread::sleep(std::time::Duration::from_millis(1000 + made));
    }
}

/// Creates the topics that are missing. Returns whether there were any.
pub fn ask_for_topics(target: &Target, names: &[String], partitions: usize) -> bool {
    let topic = |name: &String| {
        CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions as i32)
            .with_replication_factor(1)
    };
    let topics = names.iter().map(topic).collect();
    wire::create(&mut connect(target), topics).contains(&0)
}

/// Sends the frames on several connections, with several requests in flight on each. Returns the
/// answers in the order of the frames.
pub fn exchange(target: &Target, frames: &[Vec<u8>]) -> Vec<Bytes> {
    let share = frames.len().div_ceil(CONNECTIONS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (frames.chunks(share))
            .map(|frames| scope.spawn(move || exchange_on(target, frames)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn exchange_on(target: &Target, frames: &[Vec<u8>]) -> Vec<Bytes> {
    let mut socket = connect(target);
    let mut answers = Vec::with_capacity(frames.len());
    let (first, rest) = frames.split_at(frames.len().min(IN_FLIGHT));
    socket.write_all(&first.concat()).unwrap();
    for next in rest {
        answers.push(receive(&mut socket));
        socket.write_all(next).unwrap();
    }
    answers.extend(first.iter().map(|_| receive(&mut socket)));
    answers
}

/// A request with one batch of as many records as fit into `size` bytes.
pub fn produce_request(partition: usize, size: usize, acks: i16) -> Vec<u8> {
    produce_to(&[(LOG_TOPIC.to_owned(), vec![partition])], &records(partition, size), acks)
}

/// The same with keys, each of which occurs four times.
pub fn keyed_records(size: usize) -> Bytes {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    let now = klamm::clock::Clock::System.now();
    for n in 0..size / (fixtures::RECORD + 8) {
        let key = (n as u64 / 4).to_be_bytes();
        builder.append(now, Some(&key), Some(&[b'x'; fixtures::RECORD]), &[]);
    }
    builder.build().to_bytes()
}

/// The floor's answer to a Produce, with a base offset to be filled in.
pub fn produce_answer(partition: usize) -> Vec<u8> {
    let partition = PartitionProduceResponse::default().with_index(partition as i32);
    let topic = TopicProduceResponse::default()
        .with_name(topic())
        .with_partition_responses(vec![partition]);
    answer(&ProduceResponse::default().with_responses(vec![topic]), PRODUCE_VERSION)
}

/// The floor's answer to a CreateTopics: the topic exists.
pub fn create_answer() -> Vec<u8> {
    let topic = CreatableTopicResult::default().with_name(topic()).with_error_code(36);
    answer(&CreateTopicsResponse::default().with_topics(vec![topic]), CREATE_VERSION)
}

/// The bytes before and after the records in the floor's answer to a Fetch.
pub fn fetch_answer(partition: usize, size: usize) -> (Vec<u8>, Vec<u8>) {
    let data = PartitionData::default()
        .with_partition_index(partition as i32)
        .with_records(Some(Bytes::new()));
    let topic = FetchableTopicResponse::default().with_topic(topic()).with_partitions(vec![data]);
    let mut before = answer(&FetchResponse::default().with_responses(vec![topic]), FETCH_VERSION);
    // Three sections of tagged fields follow the (empty) records.
    let after = before.split_off(before.len() - 3);
    before.pop();
    let mut left = size + 1;
    while left >= 0x80 {
        before.push(left as u8 | 0x80);
        left >>= 7;
    }
    before.push(left as u8);
    let frame = before.len() - 4 + size + after.len();
    before[..4].copy_from_slice(&(frame as u32).to_be_bytes());
    (before, after)
}

/// The answer to a poll of a fetch session without new records.
pub fn poll_answer() -> Vec<u8> {
    answer(&FetchResponse::default().with_session_id(1), FETCH_VERSION)
}

/// A frame with the correlation id of all requests here.
fn answer(body: &impl Encodable, version: i16) -> Vec<u8> {
    let mut out = BytesMut::zeroed(9);
    body.encode(&mut out, version).unwrap();
    let size = out.len() as u32 - 4;
    out[..4].copy_from_slice(&size.to_be_bytes());
    out.to_vec()
}

fn produce(target: &Target, batch: usize, requests: usize) -> (usize, usize, Vec<f64>) {
    let each = requests / CONNECTIONS;
    let sent: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|connection| scope.spawn(move || produce_on(target, connection, batch, each)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    (each * CONNECTIONS, sent, Vec::new())
}

/// Each connection writes to two partitions alternately. Returns the bytes it has sent.
fn produce_on(target: &Target, connection: usize, batch: usize, requests: usize) -> usize {
    let frames: Vec<Vec<u8>> =
        (0..2).map(|i| produce_request(connection * 2 + i, batch, 1)).collect();
    wire::stream(&mut connect(target), &frames, requests, 1024)
}

fn latency(target: &Target, requests: usize) -> (usize, usize, Vec<f64>) {
    let frame = produce_request(0, 1, -1);
    let mut socket = connect(target);
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begun = Instant::now();
        socket.write_all(&frame).unwrap();
        let body = receive(&mut socket);
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        check_produced(body);
    }
    latencies.sort_by(f64::total_cmp);
    (requests, frame.len() * requests, latencies)
}

fn fetch(target: &Target, bytes: usize) -> (usize, usize, Vec<f64>) {
    let each = bytes / CONNECTIONS;
    let (requests, read) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|connection| scope.spawn(move || fetch_on(target, connection, each)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold((0, 0), |(r, b), (x, y)| (r + x, b + y))
    });
    (requests, read, Vec::new())
}

/// Fetches at most `most` bytes of one partition; a first batch may be larger.
pub fn fetch_request(partition: usize, offset: i64, most: usize) -> Vec<u8> {
    let partition = FetchPartition::default()
        .with_partition(partition as i32)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(most as i32);
    let topic = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(most as i32)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}

/// Reads one partition from its start, repeatedly. Returns (requests, bytes).
fn fetch_on(target: &Target, connection: usize, bytes: usize) -> (usize, usize) {
    let mut socket = connect(target);
    let (mut requests, mut read, mut offset) = (0, 0, 0);
    while read < bytes {
        socket.write_all(&fetch_request(connection * 2, offset, FETCH_BYTES)).unwrap();
        let body = receive(&mut socket);
        requests += 1;
        read += body.len();
        offset = next_offset(body).unwrap_or(0);
    }
    (requests, read)
}

/// The offset after the last complete batch in an answer with one partition; None if there is none.
pub fn next_offset(mut body: Bytes) -> Option<i64> {
    let answer = FetchResponse::decode(&mut body, FETCH_VERSION).unwrap();
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0, "fetch");
    end_of(partition.records.as_ref()?)
}

/// The offset after the last complete batch; None if there is none.
pub fn end_of(records: &[u8]) -> Option<i64> {
    let (mut at, mut next) = (0, None);
    while at + 27 <= records.len() {
        let base = i64::from_be_bytes(records[at..at + 8].try_into().unwrap());
        let size = i32::from_be_bytes(records[at + 8..at + 12].try_into().unwrap()) as usize;
        if at + 12 + size > records.len() {
            break;
        }
        let delta = i32::from_be_bytes(records[at + 23..at + 27].try_into().unwrap());
        next = Some(base + i64::from(delta) + 1);
        at += 12 + size;
    }
    next
}
