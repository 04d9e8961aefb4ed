//! The longest time that the producer of each partition gets no acknowledgement while a broker
//! stops, is killed, or gets its partitions back.

use crate::admin::{self, Leaders, elect_preferred, metadata, wait_for_isr};
use crate::cluster::{BROKERS, Cluster};
use crate::common::pace::quantile;
use crate::common::report::Table;
use crate::common::wire::{ask, produce_code, produce_to, records, try_connect};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

const TOPIC: &str = "gaps";
/// Each broker leads a third of them; each has a producer.
const PARTITIONS: usize = 30;
/// Between two records of a producer: a gap is seen as at least as long as this.
const PERIOD: Duration = Duration::from_millis(20);
/// Before a producer asks for the leader again. Java's waits for 100 ms, which would hide much.
const BACKOFF: Duration = Duration::from_millis(10);
/// As long as Java's producers wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

const STOP_LED: &str = "controlled shutdown, the partitions that it led";
const STOP_OTHER: &str = "controlled shutdown, the others";
const KILL_LED: &str = "kill -9, the partitions that it led";
const KILL_OTHER: &str = "kill -9, the others";
const BACK: &str = "preferred election, the partitions that it gets";

/// What a producer has seen.
struct Seen {
    last: Instant,
    longest: Duration,
}

struct Producers {
    ports: Vec<u16>,
    seen: Vec<Mutex<Seen>>,
    stop: AtomicBool,
}

/// The gaps of all rounds, in milliseconds.
type Gaps = BTreeMap<&'static str, Vec<f64>>;

pub fn run(table: &mut Table, cluster: &mut Cluster, rounds: usize) {
    admin::create(cluster, TOPIC, PARTITIONS, Leaders::Spread);
    let now = Instant::now();
    let seen = || Mutex::new(Seen { last: now, longest: Duration::ZERO });
    let producers = Producers {
        ports: cluster.ports(),
        seen: (0..PARTITIONS).map(|_| seen()).collect(),
        stop: AtomicBool::new(false),
    };
    let mut gaps = Gaps::new();
    std::thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let producers = &producers;
            scope.spawn(move || producers.produce(partition));
        }
        let _stop = StopAtEnd(&producers.stop);
        std::thread::sleep(Duration::from_secs(5));
        for round in 0..rounds {
            measure(&producers, cluster, round % BROKERS, &mut gaps);
        }
    });
    for title in [STOP_LED, STOP_OTHER, BACK, KILL_LED, KILL_OTHER] {
        let Some(gaps) = gaps.get_mut(title) else { continue };
        gaps.sort_by(f64::total_cmp);
        let figures = [("gap p50 ms", 0.5), ("gap p99 ms", 0.99), ("longest gap ms", 1.0)];
        table.add(title, cluster.name, &figures.map(|(figure, q)| (figure, quantile(gaps, q))));
    }
    admin::delete(std::slice::from_ref(cluster), TOPIC);
}

/// Also if a measurement fails, or the scope would wait for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn measure(producers: &Producers, cluster: &mut Cluster, victim: usize, gaps: &mut Gaps) {
    let topics = [TOPIC.to_owned()];
    let other = cluster.ports()[(victim + 1) % BROKERS];
    let mut note = |(led, others): (&'static str, Option<&'static str>), seen: Vec<f64>| {
        for (partition, gap) in seen.into_iter().enumerate() {
            let title = if partition % BROKERS == victim { Some(led) } else { others };
            title.into_iter().for_each(|title| gaps.entry(title).or_default().push(gap));
        }
    };
    let back = |cluster: &mut Cluster| {
        cluster.brokers[victim].launch();
        wait_for_isr(other, &topics, |isr| isr == BROKERS);
        admin::wait_for_brokers(cluster);
        std::thread::sleep(Duration::from_secs(2));
        let seen = producers.watch(|| elect_preferred(cluster, TOPIC));
        std::thread::sleep(Duration::from_secs(2));
        seen
    };
    let seen = producers.watch(|| {
        cluster.brokers[victim].stop();
        wait_for_isr(other, &topics, |isr| isr == BROKERS - 1);
    });
    note((STOP_LED, Some(STOP_OTHER)), seen);
    note((BACK, None), back(cluster));
    let seen = producers.watch(|| {
        cluster.brokers[victim].kill();
        wait_for_isr(other, &topics, |isr| isr == BROKERS - 1);
    });
    note((KILL_LED, Some(KILL_OTHER)), seen);
    note((BACK, None), back(cluster));
}

impl Producers {
    fn seen(&self, partition: usize) -> MutexGuard<'_, Seen> {
        self.seen[partition].lock().unwrap()
    }

    /// The longest gap of each partition in milliseconds, from now until each has an
    /// acknowledgement after `event`.
    fn watch(&self, event: impl FnOnce()) -> Vec<f64> {
        (0..PARTITIONS).for_each(|partition| self.seen(partition).longest = Duration::ZERO);
        event();
        let (over, end) = (Instant::now(), Instant::now() + Duration::from_secs(120));
        while (0..PARTITIONS).any(|partition| self.seen(partition).last <= over) {
            assert!(Instant::now() < end, "a producer gets no acknowledgement");
            std::thread::sleep(PERIOD);
        }
        let longest = |partition| self.seen(partition).longest.as_secs_f64() * 1e3;
        (0..PARTITIONS).map(longest).collect()
    }

    /// One record after the other, each until it is acknowledged.
    fn produce(&self, partition: usize) {
        let frame = produce_to(&[(TOPIC.to_owned(), vec![partition])], &records(0, 1), -1);
        let mut leader: Option<TcpStream> = None;
        for attempt in partition.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let due = Instant::now() + PERIOD;
            let mut socket = leader.take().or_else(|| self.find(partition, attempt));
            let answer = socket.as_mut().and_then(|socket| ask(socket, &frame).ok());
            if answer.is_some_and(|answer| produce_code(answer) == 0) {
                let mut seen = self.seen(partition);
                let now = Instant::now();
                seen.longest = seen.longest.max(now - seen.last);
                seen.last = now;
                drop(seen);
                leader = socket;
                std::thread::sleep(due.saturating_duration_since(now));
            } else {
                std::thread::sleep(BACKOFF);
            }
        }
    }

    /// Connects to the leader, as another broker in each attempt knows it.
    fn find(&self, partition: usize, attempt: usize) -> Option<TcpStream> {
        let mut socket = try_connect(self.ports[attempt % BROKERS]).ok()?;
        let known = metadata(&mut socket, &[TOPIC.to_owned()]).ok()?;
        let partitions = &known.topics.first()?.partitions;
        let found = partitions.iter().find(|p| p.partition_index == partition as i32)?;
        let at = usize::try_from(found.leader_id.0 - 1).ok()?;
        let socket = try_connect(self.ports[at]).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(socket)
    }
}
