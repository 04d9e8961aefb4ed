//! Produce with acks=all: as fast as the cluster can, and the latencies at half of that; and what a
//! follower costs.

use crate::admin::{self, Leaders};
use crate::cluster::{BROKERS, Cluster, Node};
use crate::common::pace::{Pace, quantile, sorted};
use crate::common::process::prime_page_cache;
use crate::common::report::Table;
use crate::common::wire::{connect, produce_to, records, stream};
use crate::guarded;
use std::path::Path;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// Each broker leads a third.
const PARTITIONS: usize = 12;
/// Partitions that a connection writes to alternately.
const EACH: usize = 2;
/// Kafka's just-in-time compiler needs some work before anything is measured.
const WARM_UP: usize = 512 * MIB;

/// Batches of one size.
struct Work {
    size: usize,
    /// Bytes of a round.
    total: usize,
    full: &'static str,
    half: &'static str,
    same: &'static str,
}

const WORKS: [Work; 3] = [
    Work {
        size: 256 << 10,
        total: 768 * MIB,
        full: "produce 256 KiB batches, acks=all",
        half: "256 KiB batches at half load",
        same: "256 KiB batches at the same rate",
    },
    Work {
        size: 16 << 10,
        total: 384 * MIB,
        full: "produce 16 KiB batches, acks=all",
        half: "16 KiB batches at half load",
        same: "16 KiB batches at the same rate",
    },
    Work {
        size: 1200,
        total: 48 * MIB,
        full: "produce 1.2 KB batches, acks=all",
        half: "1.2 KB batches at half load",
        same: "1.2 KB batches at the same rate",
    },
];

/// How much is done.
pub struct Scale<'a> {
    /// The bytes of a round are divided by this.
    pub divisor: usize,
    pub rounds: usize,
    /// How long requests are sent at a rate.
    pub time: Duration,
    /// Only loads with this in their title run.
    pub part: &'a str,
    /// A directory for what is written by the bench itself.
    pub dir: &'a Path,
}

/// A connection: the port, and the partitions it writes to.
pub type Connection = (u16, Vec<usize>);

/// Connections to the leaders of partitions.
pub fn connections(ports: &[u16], leader_of: impl Fn(usize) -> usize) -> Vec<Connection> {
    let led = |at: usize| (0..PARTITIONS).filter(|&p| leader_of(p) == at).collect::<Vec<_>>();
    let of = |at: usize| {
        let led = led(at);
        led.chunks(EACH).map(|some| (ports[at], some.to_vec())).collect::<Vec<_>>()
    };
    (0..ports.len()).flat_map(of).collect()
}

/// Creates a topic of as many partitions as `connections` serve.
pub fn create(cluster: &Cluster, topic: &str, leaders: Leaders) {
    admin::create(cluster, topic, PARTITIONS, leaders);
}

/// Writes about `total` bytes over all connections at once. Returns requests and bytes.
pub fn write(topic: &str, to: &[Connection], size: usize, total: usize) -> (usize, usize) {
    let each = (total / size / to.len()).max(1);
    let bytes = std::thread::scope(|scope| {
        let threads: Vec<_> = (to.iter())
            .map(|(port, partitions)| {
                let frames: Vec<Vec<u8>> =
                    partitions.iter().map(|&p| request(topic, p, size)).collect();
                scope.spawn(move || stream(&mut connect(*port), &frames, each, 16))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    (each * to.len(), bytes)
}

fn request(topic: &str, partition: usize, size: usize) -> Vec<u8> {
    produce_to(&[(topic.to_owned(), vec![partition])], &records(partition, size), -1)
}

/// The clusters take turns in each load and round.
pub fn run(table: &mut Table, clusters: &[Cluster], scale: &Scale<'_>, failed: &mut usize) {
    warm_up(clusters, scale);
    for work in WORKS {
        let titles = [work.full, work.half, work.same];
        if titles.iter().any(|title| title.contains(scale.part)) {
            guarded(failed, work.full, || produce(table, clusters, &work, scale));
        }
    }
}

fn produce(table: &mut Table, clusters: &[Cluster], work: &Work, scale: &Scale<'_>) {
    let total = work.total / scale.divisor;
    for cluster in clusters {
        create(cluster, "produced", Leaders::Spread);
        write("produced", &spread(cluster), work.size, total / 2);
    }
    for _ in 0..scale.rounds {
        for cluster in clusters {
            prime_page_cache(scale.dir, total * BROKERS);
            table.add(work.full, cluster.name, &full(cluster, work.size, total));
        }
    }
    let most: Vec<f64> = clusters.iter().map(|cluster| most(table, cluster, work, scale)).collect();
    for (cluster, most) in clusters.iter().zip(&most) {
        let sent = paced(cluster, work.size, most / 2.0, scale.time);
        table.add(work.half, cluster.name, &latencies(&sent));
    }
    let least = most.iter().copied().fold(f64::INFINITY, f64::min);
    for cluster in clusters.iter().filter(|_| clusters.len() > 1) {
        let sent = paced(cluster, work.size, least / 2.0, scale.time);
        table.add(work.same, cluster.name, &latencies(&sent));
    }
    admin::delete(clusters, "produced");
}

fn warm_up(clusters: &[Cluster], scale: &Scale<'_>) {
    for cluster in clusters {
        create(cluster, "warm", Leaders::Spread);
        write("warm", &spread(cluster), 64 << 10, WARM_UP / scale.divisor);
        write("warm", &spread(cluster), 1200, WARM_UP / 64 / scale.divisor);
    }
    admin::delete(clusters, "warm");
}

fn spread(cluster: &Cluster) -> Vec<Connection> {
    connections(&cluster.ports(), |partition| partition % BROKERS)
}

fn full(cluster: &Cluster, size: usize, total: usize) -> [(&'static str, f64); 3] {
    let (processor, begun) = (cluster.processor_seconds(), Instant::now());
    let (requests, bytes) = write("produced", &spread(cluster), size, total);
    let wall = begun.elapsed().as_secs_f64();
    let processor = cluster.processor_seconds() - processor;
    let gigabytes = bytes as f64 / 1e9;
    [
        ("brokers' CPU s/GB", processor / gigabytes),
        ("brokers' CPU us each", processor * 1e6 / requests as f64),
        ("wall s/GB", wall / gigabytes),
    ]
}

/// Requests per second if none waits for its time.
fn most(table: &mut Table, cluster: &Cluster, work: &Work, scale: &Scale<'_>) -> f64 {
    let time = scale.time.min(Duration::from_secs(5));
    let most = paced(cluster, work.size, f64::INFINITY, time).len() as f64 / time.as_secs_f64();
    table.add_figure(work.half, "requests/s", cluster.name, most / 2.0);
    most
}

/// A producer for each partition, with one request in flight. Returns the sorted microseconds.
fn paced(cluster: &Cluster, size: usize, rate: f64, time: Duration) -> Vec<f64> {
    let ports = cluster.ports();
    let frames: Vec<Vec<u8>> = (0..PARTITIONS).map(|p| request("produced", p, size)).collect();
    let pace = Pace::new(rate, time, PARTITIONS);
    let sent = std::thread::scope(|scope| {
        let threads: Vec<_> = (frames.iter().enumerate())
            .map(|(p, frame)| {
                let port = ports[p % BROKERS];
                scope.spawn(move || pace.send(p, &mut connect(port), frame))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    sorted(&sent)
}

fn latencies(sorted: &[f64]) -> [(&'static str, f64); 3] {
    [("p50 us", 0.5), ("p99 us", 0.99), ("p99.9 us", 0.999)]
        .map(|(figure, q)| (figure, quantile(sorted, q)))
}

/// One broker leads everything, so that the others do nothing but follow.
pub fn follow(table: &mut Table, clusters: &[Cluster], scale: &Scale<'_>, failed: &mut usize) {
    let works = [
        ("follow 256 KiB batches", 256 << 10, 768 * MIB),
        ("follow 16 KiB batches", 16 << 10, 384 * MIB),
        ("follow 1.2 KB batches", 1200, 48 * MIB),
    ];
    for (title, size, total) in works.into_iter().filter(|work| work.0.contains(scale.part)) {
        let total = total / scale.divisor;
        guarded(failed, title, || {
            for cluster in clusters {
                create(cluster, "followed", Leaders::First);
                write("followed", &connections(&cluster.ports(), |_| 0), size, total / 2);
            }
            for _ in 0..scale.rounds {
                for cluster in clusters {
                    prime_page_cache(scale.dir, total * BROKERS);
                    table.add(title, cluster.name, &followed(cluster, size, total));
                }
            }
            admin::delete(clusters, "followed");
        });
    }
}

fn followed(cluster: &Cluster, size: usize, total: usize) -> [(&'static str, f64); 2] {
    let used = || cluster.brokers.iter().map(Node::processor_seconds).collect::<Vec<_>>();
    let before = used();
    let (_, bytes) = write("followed", &connections(&cluster.ports(), |_| 0), size, total);
    let used: Vec<f64> = used().iter().zip(before).map(|(after, before)| after - before).collect();
    let gigabytes = bytes as f64 / 1e9;
    let followers = (BROKERS - 1) as f64;
    [
        ("follower's CPU s/GB", used[1..].iter().sum::<f64>() / followers / gigabytes),
        ("leader's CPU s/GB", used[0] / gigabytes),
    ]
}
