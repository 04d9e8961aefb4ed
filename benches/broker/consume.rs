//! Requests with many partitions, and fetches of consumers at the end of a topic.

use crate::load::{self, FETCH_VERSION, connect, frame, receive};
use crate::target::Target;
use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::{ApiKey, FetchRequest, FetchResponse};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 4;
/// Bytes of a batch.
pub const BATCH: usize = 1200;
const MAX_WAIT_MS: i32 = 500;
/// The time after which a Fetch is waiting at the broker.
const PARKED: Duration = Duration::from_micros(300);

/// A topic and some of its partitions, each with the offset to fetch from.
pub type Wanted = (String, Vec<(usize, i64)>);

/// The first `partitions` partitions, from their start.
pub fn from_start(topic: &str, partitions: usize) -> Wanted {
    (topic.to_owned(), (0..partitions).map(|partition| (partition, 0)).collect())
}

/// A Fetch of a session, with the partitions that are new in it or have a new offset.
pub fn poll(wanted: &[Wanted], (id, epoch): (i32, i32), max_wait_ms: i32) -> Vec<u8> {
    let partition = |&(index, offset): &(usize, i64)| {
        FetchPartition::default()
            .with_partition(index as i32)
            .with_fetch_offset(offset)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(1 << 20)
    };
    let topic = |(topic, partitions): &Wanted| {
        FetchTopic::default()
            .with_topic(StrBytes::from_string(topic.clone()).into())
            .with_partitions(partitions.iter().map(partition).collect())
    };
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_id(id)
        .with_session_epoch(epoch)
        .with_topics(wanted.iter().map(topic).collect());
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}

/// The next Fetch of a session that has been answered `polled` times before this answer.
pub fn next_poll(answer: Bytes, polled: i32, max_wait_ms: i32) -> Vec<u8> {
    let answer = decode(answer);
    assert!(polled == 0 || answer.responses.is_empty(), "nothing happens here");
    poll(&[], (answer.session_id, polled + 1), max_wait_ms)
}

fn decode(mut answer: Bytes) -> FetchResponse {
    let answer = FetchResponse::decode(&mut answer, FETCH_VERSION).unwrap();
    assert!(answer.error_code == 0 && answer.session_id != 0, "{}", answer.error_code);
    answer
}

/// Creates the topic if it is missing, and writes one batch to each partition.
pub fn make_topic(target: &Target, topic: String, partitions: usize) {
    load::create_topics(target, std::slice::from_ref(&topic), partitions);
    let (mut socket, produce) = (connect(target), produce(topic, partitions));
    let mut is_written = || {
        socket.write_all(&produce).unwrap();
        load::produce_code(receive(&mut socket)) == 0
    };
    // With Kafka a partition may not have its leader yet.
    while !is_written() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The topic that is read.
pub fn consumed(partitions: usize) -> String {
    format!("consumed-{partitions}")
}

/// The topic that is written.
pub fn scattered(partitions: usize) -> String {
    format!("scattered-{partitions}")
}

/// Fetches the batches of all partitions. Returns (requests, bytes, microseconds of each).
pub fn gather(target: &Target, partitions: usize, requests: usize) -> (usize, usize, Vec<f64>) {
    let request = poll(&[from_start(&consumed(partitions), partitions)], (0, -1), MAX_WAIT_MS);
    repeat(target, &request, requests, partitions * BATCH / 2)
}

/// Sends a batch to each partition. Returns (requests, bytes, microseconds of each).
pub fn scatter(target: &Target, partitions: usize, requests: usize) -> (usize, usize, Vec<f64>) {
    let request = produce(scattered(partitions), partitions);
    let (requests, _, latencies) = repeat(target, &request, requests, 0);
    (requests, request.len() * requests, latencies)
}

fn produce(topic: String, partitions: usize) -> Vec<u8> {
    let all = [(topic, (0..partitions).collect())];
    load::produce_to(&all, &load::records(0, BATCH), 1)
}

/// Repeats a request on several connections, with one request in flight on each.
fn repeat(
    target: &Target,
    request: &[u8],
    requests: usize,
    least: usize,
) -> (usize, usize, Vec<f64>) {
    let each = requests / CONNECTIONS;
    let answers: Vec<(usize, f64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| scope.spawn(|| repeat_on(target, request, each, least)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let bytes = answers.iter().map(|(bytes, _)| bytes).sum();
    let mut latencies: Vec<f64> = answers.into_iter().map(|(_, micros)| micros).collect();
    latencies.sort_by(f64::total_cmp);
    (latencies.len(), bytes, latencies)
}

/// Returns the bytes and microseconds of each answer, which must have at least `least` bytes.
fn repeat_on(target: &Target, request: &[u8], requests: usize, least: usize) -> Vec<(usize, f64)> {
    let mut socket = connect(target);
    let ask = |_| {
        let begun = Instant::now();
        socket.write_all(request).unwrap();
        let bytes = receive(&mut socket).len();
        assert!(bytes >= least, "{bytes} bytes");
        (bytes, begun.elapsed().as_secs_f64() * 1e6)
    };
    (0..requests).map(ask).collect()
}

/// A consumer waits for records of all partitions, and a producer sends one record after the other
/// to different ones. Returns the microseconds from sending a record until the consumer has it.
pub fn follow(target: &Target, partitions: usize, records: usize) -> (usize, usize, Vec<f64>) {
    let mut producer = connect(target);
    let mut consumer = Consumer::start(target, partitions);
    let mut latencies = Vec::with_capacity(records);
    for n in 0..records {
        let partition = n * 7919 % partitions;
        consumer.ask(MAX_WAIT_MS);
        std::thread::sleep(PARKED);
        let begun = Instant::now();
        let record = load::records(n, 1);
        let produce = load::produce_to(&[(consumed(partitions), vec![partition])], &record, 1);
        producer.write_all(&produce).unwrap();
        assert_eq!(consumer.receive(), [partition]);
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        load::check_produced(receive(&mut producer));
    }
    latencies.sort_by(f64::total_cmp);
    (records, 0, latencies)
}

/// A consumer at the end of all partitions.
struct Consumer {
    socket: TcpStream,
    topic: String,
    session: (i32, i32),
    /// Partitions with a new offset, which the session does not know yet.
    moved: Vec<(usize, i64)>,
}

impl Consumer {
    fn start(target: &Target, partitions: usize) -> Consumer {
        let (topic, moved) = from_start(&consumed(partitions), partitions);
        let mut consumer = Consumer { socket: connect(target), topic, session: (0, 0), moved };
        while !consumer.moved.is_empty() {
            consumer.ask(0);
            consumer.receive();
        }
        consumer
    }

    fn ask(&mut self, max_wait_ms: i32) {
        let wanted = (self.topic.clone(), std::mem::take(&mut self.moved));
        self.socket.write_all(&poll(&[wanted], self.session, max_wait_ms)).unwrap();
    }

    /// Reads an answer and returns the partitions that have records in it.
    fn receive(&mut self) -> Vec<usize> {
        let answer = decode(receive(&mut self.socket));
        self.session = (answer.session_id, self.session.1 + 1);
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        self.moved = partitions
            .filter_map(|partition| {
                let end = load::end_of(partition.records.as_ref()?)?;
                Some((partition.partition_index as usize, end))
            })
            .collect();
        self.moved.iter().map(|(partition, _)| *partition).collect()
    }
}
