//! The start after `kill -9`. klamm fills a directory and is killed; then klamm and Apache Kafka
//! start on this directory in turn, and each is killed again.
//!
//! The time is measured from the start of the process to the first acknowledged record (acks=all).
//! With `--gib 0` the partitions are empty, which shows the memory of an idle partition.

use crate::load::{self, PRODUCE_VERSION, connect, receive};
use crate::target::Target;
use bytes::Bytes;
use kafka_protocol::protocol::Decodable;
use klamm::codec::messages::ProduceResponse;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes of a batch.
const BATCH: usize = 32 << 10;
/// Partitions of a topic. Kafka creates at most 9,999 in one request.
const IN_TOPIC: usize = 1000;
/// Partitions in a request.
const TOGETHER: usize = 40;
/// Requests in flight.
const IN_FLIGHT: usize = 4;
/// The longest start; Apache Kafka takes minutes.
const LIMIT: Duration = Duration::from_secs(1800);
/// The pause between attempts to connect.
const POLL: Duration = Duration::from_micros(500);

/// Measures each start and prints a line for it.
pub fn run(partitions: usize, gib: usize, with_kafka: bool) {
    let mut target = Target::start("klamm").expect("klamm is here");
    let empty = target.resident_kib();
    let begun = Instant::now();
    create(&target, partitions);
    let created = begun.elapsed();
    first_record(&target, partitions - 1, begun);
    let served = begun.elapsed().as_secs_f64();
    println!(
        "create {partitions} partitions: {:.2} s, served {served:.2} s",
        created.as_secs_f64()
    );
    show("klamm after that", &target, None, empty, partitions);
    let begun = Instant::now();
    fill(&target, partitions, gib << 30);
    println!("wrote {gib} GiB in {:.1} s", begun.elapsed().as_secs_f64());
    show("klamm after that", &target, None, empty, partitions);
    let turns = if with_kafka { &["klamm", "kafka", "klamm"][..] } else { &["klamm", "klamm"] };
    for name in turns {
        let begun = Instant::now();
        target.kill();
        if target.launch_again(name).is_none() {
            println!("{name}: not here (see compat/README.md)");
            return;
        }
        let first = first_record(&target, 0, begun);
        let title = format!("{name} killed and started");
        show(&title, &target, Some(first), empty, partitions);
        let all = all_records(&target, partitions, begun);
        show("  a record in each partition", &target, Some(all), empty, partitions);
        assert!(target.is_alive());
    }
}

pub fn create(target: &Target, partitions: usize) {
    for first in (0..partitions).step_by(IN_TOPIC) {
        let topic = place(first).0;
        load::ask_for_topics(target, &[topic], IN_TOPIC.min(partitions - first));
    }
}

/// The topic and index of the n-th partition.
fn place(n: usize) -> (String, usize) {
    (format!("bench-{}", n / IN_TOPIC), n % IN_TOPIC)
}

fn show(title: &str, target: &Target, time: Option<f64>, empty: u64, partitions: usize) {
    let (descriptors, maps) = target.descriptors_and_maps();
    let resident = target.resident_kib();
    let each = resident.saturating_sub(empty) as f64 / partitions as f64;
    let processor = target.processor_seconds();
    let time = time.map_or(String::new(), |time| format!("{time:.2} s, "));
    println!(
        "{title}: {time}{processor:.2} s of processor time, {} MiB ({each:.2} KiB for each \
         partition), {descriptors} descriptors, {maps} maps",
        resident / 1024
    );
}

/// Seconds from `begun` until a record in `partition` is acknowledged.
pub fn first_record(target: &Target, partition: usize, begun: Instant) -> f64 {
    let (topic, partition) = place(partition);
    let frame = load::produce_to(&[(topic, vec![partition])], &load::records(0, 1), -1);
    loop {
        assert!(begun.elapsed() < LIMIT, "no record is acknowledged");
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", target.port)) {
            socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            socket.write_all(&frame).unwrap();
            if codes(receive(&mut socket)).iter().all(|&code| code == 0) {
                return begun.elapsed().as_secs_f64();
            }
        }
        std::thread::sleep(POLL);
    }
}

/// Seconds from `begun` until every partition has acknowledged a record.
fn all_records(target: &Target, partitions: usize, begun: Instant) -> f64 {
    let records = load::records(0, 1);
    let mut socket = connect(target);
    for first in (0..partitions).step_by(TOGETHER) {
        let frame = request(partitions, first, &records);
        loop {
            assert!(begun.elapsed() < LIMIT, "a record is refused");
            socket.write_all(&frame).unwrap();
            if codes(receive(&mut socket)).iter().all(|&code| code == 0) {
                break;
            }
            // Apache Kafka answers before all of its partitions have leaders.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    begun.elapsed().as_secs_f64()
}

/// A record or batch for each of the `TOGETHER` partitions from `first` on.
fn request(partitions: usize, first: usize, records: &Bytes) -> Vec<u8> {
    let topic = place(first).0;
    let some = (first..partitions.min(first + TOGETHER)).map(|p| place(p).1).collect();
    load::produce_to(&[(topic, some)], records, -1)
}

/// Writes `bytes` in total, spread evenly over the partitions.
pub fn fill(target: &Target, partitions: usize, bytes: usize) {
    write(target, partitions, &load::records(0, BATCH), bytes / partitions / BATCH);
}

fn write(target: &Target, partitions: usize, records: &Bytes, rounds: usize) {
    let mut socket = connect(target);
    let mut waiting = 0;
    let take = |socket: &mut TcpStream| {
        assert!(codes(receive(socket)).iter().all(|&code| code == 0), "a record is refused");
    };
    for _ in 0..rounds {
        for first in (0..partitions).step_by(TOGETHER) {
            if waiting == IN_FLIGHT {
                take(&mut socket);
                waiting -= 1;
            }
            socket.write_all(&request(partitions, first, records)).unwrap();
            waiting += 1;
        }
    }
    (0..waiting).for_each(|_| take(&mut socket));
}

fn codes(mut body: Bytes) -> Vec<i16> {
    let answer = ProduceResponse::decode(&mut body, PRODUCE_VERSION).unwrap();
    let topics = answer.responses.iter();
    topics.flat_map(|topic| topic.partition_responses.iter().map(|p| p.error_code)).collect()
}
