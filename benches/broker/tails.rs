//! Tail latencies: of producers at half of the server's capacity while all background work goes on,
//! and of producers beside a consumer that reads uncached data from the start.

use crate::common::pace::{self, Pace, Sent};
use crate::load::{self, FETCH_VERSION, Load, connect, frame, receive};
use crate::report::Table;
use crate::target::Target;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::describe_configs_request::DescribeConfigsResource;
use klamm::codec::messages::{
    ApiKey, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, FetchResponse,
};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Producers, each with one request in flight.
const PRODUCERS: usize = 8;
/// Bytes of their batches.
const BATCH: usize = 1200;
/// The requests per second of all producers together, beside a consumer that reads cold data.
const CALM_RATE: f64 = 2000.0;
/// Bytes of the batches that are read cold.
const COLD_BATCH: usize = 256 << 10;
/// Settings that make background work frequent.
const BUSY: &str = "\nlog.retention.check.interval.ms=5000\nlog.initial.task.delay.ms=1000\n\
    log.cleaner.backoff.ms=1000\nlog.flush.offset.checkpoint.interval.ms=5000\n\
    log.segment.delete.delay.ms=5000\n\
    metadata.log.max.record.bytes.between.snapshots=20000\n";

pub struct Scale {
    pub minutes: usize,
    pub gib: usize,
    /// Requests per second; None means half of what the server can take.
    pub rate: Option<usize>,
}

/// Measures a server. Only work with `part` in its name runs.
pub fn run(table: &mut Table, name: &'static str, scale: &Scale, part: &str) {
    if "half load".contains(part) {
        half_load(table, name, scale);
    }
    if "cold consumer".contains(part) {
        cold_consumer(table, name, scale.gib);
    }
    if "transactions".contains(part)
        && let Some(target) = Target::start(name)
    {
        let load = Load::Transactions { requests: 10_000 };
        load.warm_up(&target);
        table.add("transactions, 4 producers", name, &load.run(&target).figures());
    }
}

fn half_load(table: &mut Table, name: &'static str, scale: &Scale) {
    const WORK: &str = "produce at half load, all in the background";
    let Some(target) = Target::start_with(name, BUSY) else { return };
    create_topic(
        &target,
        "bench",
        load::PARTITIONS,
        &[("segment.bytes", "16777216"), ("retention.bytes", "67108864")],
    );
    create_topic(
        &target,
        "compacted",
        2,
        &[
            ("cleanup.policy", "compact"),
            ("segment.bytes", "4194304"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ],
    );
    std::thread::sleep(Duration::from_secs(1));
    produce(&target, f64::INFINITY, Duration::from_secs(10));
    let time = Duration::from_secs(10);
    let most = produce(&target, f64::INFINITY, time).len() as f64 / time.as_secs_f64();
    table.add_figure(WORK, "most requests/s", name, most);
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        scope.spawn(|| compacted(&target, &stop));
        scope.spawn(|| administer(&target, &stop));
        let rate = scale.rate.map_or(most / 2.0, |rate| rate as f64);
        let sent = produce(&target, rate, Duration::from_secs(60 * scale.minutes as u64));
        stop.store(true, Ordering::Relaxed);
        sent
    });
    tell(table, WORK, name, sent);
}

/// Writes small records to a compacted topic, a few megabytes per second.
fn compacted(target: &Target, stop: &AtomicBool) {
    let topic = [("compacted".to_owned(), vec![0, 1])];
    let keyed = load::produce_to(&topic, &load::keyed_records(64 << 10), 1);
    let mut socket = connect(target);
    while !stop.load(Ordering::Relaxed) {
        socket.write_all(&keyed).unwrap();
        load::check_produced(receive(&mut socket));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Creates and deletes topics, so that the metadata log grows and needs snapshots, and describes
/// settings.
fn administer(target: &Target, stop: &AtomicBool) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("bench"));
    let describe = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let describe = frame(ApiKey::DescribeConfigs, 4, &describe);
    let mut socket = connect(target);
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        socket.write_all(&describe).unwrap();
        receive(&mut socket);
        if round % 10 == 0 {
            let name = format!("short-lived-{round}");
            create_topic(target, &name, 4, &[]);
            let name = StrBytes::from_string(name).into();
            let delete = DeleteTopicsRequest::default().with_topic_names(vec![name]);
            let delete = delete.with_timeout_ms(30_000);
            socket.write_all(&frame(ApiKey::DeleteTopics, 5, &delete)).unwrap();
            receive(&mut socket);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn create_topic(target: &Target, name: &str, partitions: usize, settings: &[(&str, &str)]) {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(partitions as i32)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let mut socket = connect(target);
    socket.write_all(&frame(ApiKey::CreateTopics, load::CREATE_VERSION, &request)).unwrap();
    receive(&mut socket);
}

/// Sends `rate` requests per second in total.
fn produce(target: &Target, rate: f64, time: Duration) -> Vec<Sent> {
    let pace = Pace::new(rate, time, PRODUCERS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PRODUCERS)
            .map(|n| {
                let frame = load::produce_request(n % load::PARTITIONS, BATCH, -1);
                scope.spawn(move || pace.send(n, &mut connect(target), &frame))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn tell(table: &mut Table, work: &'static str, name: &'static str, mut sent: Vec<Sent>) {
    sent.sort_by(|one, other| one.1.total_cmp(&other.1));
    let times = pace::sorted(&sent);
    for (figure, q) in [
        ("p50 us", 0.5),
        ("p99 us", 0.99),
        ("p99.9 us", 0.999),
        ("p99.99 us", 0.9999),
        ("longest us", 1.0),
    ] {
        table.add_figure(work, figure, name, pace::quantile(&times, q));
    }
    let worst = sent.iter().rev().take(10).map(|(at, us)| format!("{:.0} us at {at:.2} s", us));
    eprintln!("  {} requests; {}", sent.len(), worst.collect::<Vec<_>>().join(", "));
}

fn cold_consumer(table: &mut Table, name: &'static str, gib: usize) {
    const ALONE: &str = "produce at 2,000/s";
    const BESIDE: &str = "produce at 2,000/s beside a cold consumer";
    const CONSUMER: &str = "cold consumer";
    let Some(target) = Target::start(name) else { return };
    load::create_topic(&target);
    Load::Produce { batch: COLD_BATCH, requests: (gib << 30) / COLD_BATCH }.run(&target);
    target.forget_pages();
    produce(&target, CALM_RATE, Duration::from_secs(10));
    tell(table, ALONE, name, produce(&target, CALM_RATE, Duration::from_secs(20)));
    target.forget_pages();
    let stop = AtomicBool::new(false);
    let processor = target.processor_seconds();
    let (beside, read, seconds) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (begun, read) = (Instant::now(), read_all(&target));
            stop.store(true, Ordering::Relaxed);
            (read, begun.elapsed().as_secs_f64())
        });
        let mut beside = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            beside.extend(produce(&target, CALM_RATE, Duration::from_secs(1)));
        }
        let (read, seconds) = reader.join().unwrap();
        (beside, read, seconds)
    });
    tell(table, BESIDE, name, beside);
    let gigabytes = read as f64 / 1e9;
    table.add_figure(CONSUMER, "wall s/GB", name, seconds / gigabytes);
    let used = target.processor_seconds() - processor;
    table.add_figure(CONSUMER, "broker CPU s/GB, producers included", name, used / gigabytes);
}

/// Reads each partition from its start to its current end. Returns the bytes.
fn read_all(target: &Target) -> usize {
    let mut socket = connect(target);
    let mut read = 0;
    for partition in 0..load::PARTITIONS {
        let (mut offset, mut end) = (0, i64::MAX);
        while offset < end {
            socket.write_all(&load::fetch_request(partition, offset, load::FETCH_BYTES)).unwrap();
            let body = receive(&mut socket);
            read += body.len();
            if end == i64::MAX {
                let answer = FetchResponse::decode(&mut body.clone(), FETCH_VERSION).unwrap();
                end = answer.responses[0].partitions[0].high_watermark;
            }
            offset = load::next_offset(body).unwrap_or(end);
        }
    }
    read
}
