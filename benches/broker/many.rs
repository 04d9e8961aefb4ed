//! Many idle connections, many producers that send little, many consumers that wait, and many
//! partitions.

use crate::consume::{Wanted, from_start, next_poll, poll};
use crate::load::{self, Load, connect, create_topics, frame, receive};
use crate::report::Table;
use crate::target::Target;
use bytes::Bytes;
use klamm::codec::messages::{ApiKey, ApiVersionsRequest};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Connections that are mostly idle.
const IDLE: usize = 10_000;
/// The descriptors that this program and the server need for them.
const DESCRIPTORS: u64 = 40_000;
/// Producers with a low rate, and the requests per second of all of them together.
const PRODUCERS: usize = 1000;
const RATE: usize = 5000;
/// Bytes of their batches.
const BATCH: usize = 1200;
/// Consumers that wait, with a few partitions each.
const CONSUMERS: usize = 1000;
const PARTITIONS_EACH: usize = 5;
/// Consumers that wait for all partitions of wide topics.
const WIDE_CONSUMERS: usize = 10;
const WIDE: usize = 10_000;
/// The partitions of one node, and how many of them are created at once.
const PARTITIONS: usize = 100_000;
const TOGETHER: usize = 1000;
/// By default Kafka and klamm have room for 1,000 fetch sessions.
const SESSIONS: &str = "\nmax.incremental.fetch.session.cache.slots=5000\n";
const MAX_WAIT_MS: i32 = 500;
/// Polls of each consumer before the measurement, as Kafka's just-in-time compiler needs work.
const WARM_POLLS: usize = 20;
const WATCHED: Duration = Duration::from_secs(10);

const CONNECTED: &str = "10,000 connections";
const SENDING: &str = "1,000 small producers / 4";
const FEW: &str = "1,000 idle consumers, 5 partitions each";
const ALL: &str = "10 idle sessions, 10,000 partitions each";
const HELD: &str = "100,000 partitions";

/// Measures a server, with all numbers divided by `scale`. Only work with `part` in its name runs.
pub fn run(table: &mut Table, name: &'static str, scale: usize, part: &str) {
    raise_limit();
    let is_wanted = |work: &str| work.contains(part);
    let is_broker = name != "floor";
    let all = [CONNECTED, SENDING, FEW, ALL];
    if all.into_iter().any(is_wanted)
        && let Some(target) = Target::start_with(name, SESSIONS)
    {
        load::create_topic(&target);
        let mut report = Report { table, target: &target };
        if is_wanted(CONNECTED) && is_broker {
            connections(&mut report, IDLE / scale);
        }
        if is_wanted(SENDING) {
            producers(&mut report);
        }
        if is_wanted(FEW) {
            consumers(&mut report, CONSUMERS / scale);
        }
        if is_wanted(ALL) && is_broker {
            sessions(&mut report, WIDE / scale);
        }
    }
    // Apache Kafka maps two files of each partition, and Linux allows a process 65,530 maps.
    if is_wanted(HELD)
        && name == "klamm"
        && let Some(target) = Target::start(name)
    {
        partitions(&mut Report { table, target: &target }, PARTITIONS / scale);
    }
}

struct Report<'a> {
    table: &'a mut Table,
    target: &'a Target,
}

impl Report<'_> {
    fn tell(&mut self, work: &'static str, figure: &'static str, value: f64) {
        self.table.add_figure(work, figure, self.target.name, value);
    }

    /// Reports how much of a core the server uses while nothing but `work` goes on.
    fn tell_idle(&mut self, work: &'static str) -> f64 {
        let before = self.target.processor_seconds();
        std::thread::sleep(WATCHED);
        let used = self.target.processor_seconds() - before;
        self.tell(work, "% of a core", used / WATCHED.as_secs_f64() * 100.0);
        used
    }
}

fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map(|maximum| maximum.max(DESCRIPTORS));
    // Without the right to raise the limit, the granted one must do.
    if setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_err() {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    }
}

fn connections(report: &mut Report<'_>, count: usize) {
    let target = report.target;
    std::thread::sleep(Duration::from_secs(1));
    report.tell_idle("no connection");
    let resident = target.resident_kib();
    let each = |now: u64| now.saturating_sub(resident) as f64 / count as f64;
    let begun = Instant::now();
    let hello = frame(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default());
    let mut sockets: Vec<TcpStream> = (0..count).map(|_| connect(target)).collect();
    for socket in &mut sockets {
        ask(socket, &hello);
    }
    report.tell(CONNECTED, "us to open one", begun.elapsed().as_secs_f64() * 1e6 / count as f64);
    report.tell(CONNECTED, "KiB each", each(target.resident_kib()));
    report.tell_idle(CONNECTED);
    report.tell(CONNECTED, "KiB each, later", each(target.resident_kib()));
    let measured = Load::Latency { requests: 5000 }.run(target);
    report.table.add(CONNECTED, target.name, &measured.figures());
    let produce = load::produce_request(0, 16 << 10, 1);
    for socket in &mut sockets {
        ask(socket, &produce);
    }
    report.tell(CONNECTED, "KiB each after 16 KiB on each", each(target.resident_kib()));
    std::thread::sleep(WATCHED);
    report.tell(CONNECTED, "KiB each after that, later", each(target.resident_kib()));
}

fn ask(socket: &mut TcpStream, frame: &[u8]) {
    socket.write_all(frame).unwrap();
    receive(socket);
}

/// The same requests at the same rate, from many producers and from few.
fn producers(report: &mut Report<'_>) {
    // Kafka's just-in-time compiler needs work before it is fast; the other servers get the same.
    paced(report.target, 4);
    let few = paced(report.target, 4);
    let many = paced(report.target, PRODUCERS);
    report.tell("1.2 KB batches, 5,000/s, 4 producers", "broker CPU us each", few);
    report.tell("1.2 KB batches, 5,000/s, 1,000 producers", "broker CPU us each", many);
    report.tell(SENDING, "ratio of CPU", many / few);
}

/// The server's processor time per request, in microseconds.
fn paced(target: &Target, producers: usize) -> f64 {
    const TICK: Duration = Duration::from_millis(1);
    let frames: Vec<Vec<u8>> = (0..8).map(|p| load::produce_request(p, BATCH, 1)).collect();
    let mut sockets: Vec<TcpStream> = (0..producers).map(|_| connect(target)).collect();
    let burst = RATE / 1000;
    let (mut next, mut answer) = (0, [0; 4096]);
    let mut run = |time: Duration| {
        let (begun, mut sent) = (Instant::now(), 0);
        while begun.elapsed() < time {
            let some = next..next + burst;
            for at in some.clone() {
                sockets[at % producers].write_all(&frames[at % 8]).unwrap();
            }
            for at in some {
                let socket = &mut sockets[at % producers];
                let mut size = [0; 4];
                socket.read_exact(&mut size).unwrap();
                socket.read_exact(&mut answer[..u32::from_be_bytes(size) as usize]).unwrap();
            }
            (next, sent) = (next + burst, sent + burst);
            let due = begun + TICK * (sent / burst) as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        sent
    };
    run(WATCHED / 5);
    let before = target.processor_seconds();
    let sent = run(WATCHED);
    (target.processor_seconds() - before) * 1e6 / sent as f64
}

/// Fetch sessions on partitions without new records.
fn consumers(report: &mut Report<'_>, count: usize) {
    let idle = "idle".to_owned();
    create_topics(report.target, std::slice::from_ref(&idle), 100);
    let few = |at: usize| (0..PARTITIONS_EACH).map(move |n| ((at + n * 17) % 100, 0)).collect();
    let waiting = Waiting::start(report.target, count, |at| vec![(idle.clone(), few(at))]);
    waiting.measure(report, FEW);
}

/// The same with few consumers of very many partitions.
fn sessions(report: &mut Report<'_>, wide: usize) {
    let target = report.target;
    // Kafka creates fewer than 10,000 partitions in one request.
    let topics = ["wide-0".to_owned(), "wide-1".to_owned()];
    create_topics(target, &topics[..1], wide / 2);
    create_topics(target, &topics[1..], wide / 2);
    let all = |_| topics.iter().map(|topic| from_start(topic, wide / 2)).collect();
    let waiting = Waiting::start(target, WIDE_CONSUMERS, all);
    waiting.measure(report, ALL);
}

/// Consumers that poll all the time, in a thread.
struct Waiting {
    polls: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Waiting {
    fn start(target: &Target, count: usize, partitions: impl Fn(usize) -> Vec<Wanted>) -> Waiting {
        let (polls, stop): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
        let firsts: Vec<Vec<u8>> =
            (0..count).map(|at| poll(&partitions(at), (0, 0), MAX_WAIT_MS)).collect();
        let (counted, stopped, port) = (polls.clone(), stop.clone(), target.port);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                // They start one after the other, as real ones do.
                let pause = Duration::from_millis(MAX_WAIT_MS as u64) / count as u32;
                for first in firsts {
                    tokio::time::sleep(pause).await;
                    tasks.spawn(consume(port, first, counted.clone(), stopped.clone()));
                }
                while let Some(ended) = tasks.join_next().await {
                    ended.unwrap();
                }
            });
        });
        while polls.load(Ordering::Relaxed) < WARM_POLLS * count {
            std::thread::sleep(Duration::from_millis(100));
        }
        Waiting { polls, stop, thread }
    }

    fn measure(self, report: &mut Report<'_>, work: &'static str) {
        let before = self.polls.load(Ordering::Relaxed);
        let used = report.tell_idle(work);
        let polls = self.polls.load(Ordering::Relaxed) - before;
        report.tell(work, "broker CPU us each poll", used * 1e6 / polls as f64);
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

async fn consume(port: u16, first: Vec<u8>, polls: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut request, mut polled) = (first, 0);
    while !stop.load(Ordering::Relaxed) {
        socket.write_all(&request).await.unwrap();
        let size = socket.read_u32().await.unwrap();
        let mut answer = vec![0; size as usize];
        socket.read_exact(&mut answer).await.unwrap();
        polls.fetch_add(1, Ordering::Relaxed);
        request = next_poll(Bytes::from(answer).slice(5..), polled, MAX_WAIT_MS);
        polled += 1;
    }
}

/// The cost of another partition when there are few, and when there are many.
fn partitions(report: &mut Report<'_>, most: usize) {
    let target = report.target;
    let empty = target.resident_kib();
    let mut made = 0;
    let (first, _) = one_more(target, "first");
    report.tell("CreateTopics of one partition", "ms, nearly the first", first);
    let begun = Instant::now();
    while made < most {
        let some = TOGETHER.min(most - made);
        load::ask_for_topics(target, &[format!("many-{made}")], some);
        made += some;
    }
    produced(target, &format!("many-{}", made - TOGETHER.min(most)), TOGETHER.min(most) - 1);
    report.tell(HELD, "s to make and use them", begun.elapsed().as_secs_f64());
    let each = target.resident_kib().saturating_sub(empty) as f64 / made as f64;
    report.tell(HELD, "KiB each", each);
    let (last, usable) = one_more(target, "last");
    report.tell("CreateTopics of one partition", "ms, beside all", last);
    report.tell("CreateTopics of one partition", "ms until a record is in it", usable);
    std::thread::sleep(WATCHED);
    report.tell_idle(HELD);
    report.table.add(HELD, target.name, &latency_beside(target).figures());
}

fn latency_beside(target: &Target) -> load::Measured {
    load::create_topic(target);
    let load = Load::Latency { requests: 5000 };
    load.run(target);
    load.run(target)
}

/// Medians of the milliseconds until a topic has been created, and until it has accepted a record.
fn one_more(target: &Target, prefix: &str) -> (f64, f64) {
    let mut times: Vec<(f64, f64)> = (0..21)
        .map(|n| {
            let (begun, name) = (Instant::now(), format!("{prefix}-{n}"));
            load::ask_for_topics(target, std::slice::from_ref(&name), 1);
            let made = begun.elapsed().as_secs_f64() * 1e3;
            produced(target, &name, 0);
            (made, begun.elapsed().as_secs_f64() * 1e3)
        })
        .collect();
    let mut median = |of: fn(&(f64, f64)) -> f64| {
        times.sort_by(|one, other| of(one).total_cmp(&of(other)));
        of(&times[times.len() / 2])
    };
    (median(|time| time.0), median(|time| time.1))
}

/// Sends a record until it is accepted.
fn produced(target: &Target, topic: &str, partition: usize) {
    let request =
        load::produce_to(&[(topic.to_owned(), vec![partition])], &load::records(0, 1), -1);
    let mut socket = connect(target);
    while {
        socket.write_all(&request).unwrap();
        load::produce_code(receive(&mut socket)) != 0
    } {
        std::thread::sleep(Duration::from_millis(1));
    }
}
