//! Many partitions on each broker: what they cost while nothing happens, and restarts.

use crate::admin::{self, IN_TOPIC, Leaders, wait_for_isr, wait_to_lead};
use crate::cluster::{BROKERS, Cluster, Node, SESSION};
use crate::common::report::Table;
use std::time::{Duration, Instant};

/// Partitions in a request.
const TOGETHER: usize = 100;

pub struct Scale {
    pub partitions: usize,
    /// How long nothing happens.
    pub watched: Duration,
    /// Or only those of a follower that do not wait for the old session.
    pub has_all_restarts: bool,
}

pub fn run(table: &mut Table, cluster: &mut Cluster, scale: &Scale) {
    let Scale { partitions, watched, .. } = *scale;
    let title = match partitions {
        10_000 => "10,000 partitions x 3",
        1000 => "1,000 partitions x 3",
        _ => format!("{partitions} partitions x 3").leak(),
    };
    let name = cluster.name;
    std::thread::sleep(watched / 2);
    let before = idle(cluster, watched);
    let begun = Instant::now();
    let topics = create(cluster, partitions);
    write(cluster, &topics, partitions);
    let created = begun.elapsed().as_secs_f64();
    table.add_figure(title, "created, and a record in each s", name, created);
    // Until what has been written is settled on the disk.
    std::thread::sleep(watched);
    let used = idle(cluster, watched);
    let mean = |used: &[f64]| used.iter().sum::<f64>() / used.len() as f64;
    let (leader, follower) = (used[0], mean(&used[1..]));
    let each = |used: f64, before: f64| (used - before) * 1e6 / partitions as f64;
    let figures = [
        ("idle leader, % of a core", leader * 100.0),
        ("idle follower, % of a core", follower * 100.0),
        ("idle leader, CPU us/s each", each(leader, before[0])),
        ("idle follower, CPU us/s each", each(follower, mean(&before[1..]))),
        ("largest memory MiB", cluster.brokers.iter().map(Node::resident_mib).fold(0.0, f64::max)),
    ];
    table.add(title, name, &figures);
    restarts(table, cluster, title, &topics, scale.has_all_restarts);
}

/// The share of a core that each broker uses while nothing happens.
fn idle(cluster: &Cluster, watched: Duration) -> Vec<f64> {
    let used = || cluster.brokers.iter().map(Node::processor_seconds).collect::<Vec<_>>();
    let (before, begun) = (used(), Instant::now());
    std::thread::sleep(watched);
    let seconds = begun.elapsed().as_secs_f64();
    used().iter().zip(before).map(|(after, before)| (after - before) / seconds).collect()
}

/// Broker 1 leads them all.
fn create(cluster: &Cluster, partitions: usize) -> Vec<String> {
    let firsts = (0..partitions).step_by(IN_TOPIC);
    let topics: Vec<String> = firsts.clone().map(|first| format!("many-{first}")).collect();
    for (first, topic) in firsts.zip(&topics) {
        admin::ask_for(cluster, topic, IN_TOPIC.min(partitions - first), Leaders::First);
    }
    for port in cluster.ports() {
        wait_for_isr(port, &topics, |isr| isr == BROKERS);
    }
    topics
}

/// A record to each partition.
fn write(cluster: &Cluster, topics: &[String], partitions: usize) {
    for (topic, first) in topics.iter().zip((0..partitions).step_by(IN_TOPIC)) {
        let all: Vec<usize> = (0..IN_TOPIC.min(partitions - first)).collect();
        for some in all.chunks(TOGETHER) {
            wait_to_lead(cluster.brokers[0].port, topic, some);
        }
    }
}

/// First the last broker, which only follows, and then the one that leads everything.
fn restarts(
    table: &mut Table,
    cluster: &mut Cluster,
    title: &'static str,
    topics: &[String],
    all: bool,
) {
    let other = cluster.ports()[1];
    let (name, last) = (cluster.name, BROKERS - 1);
    let mut tell = |figure, begun: Instant| {
        table.add_figure(title, figure, name, begun.elapsed().as_secs_f64());
    };
    // It is out of all the lists before it starts; after a kill this takes a session's time.
    let start = |cluster: &mut Cluster, at: usize| {
        wait_for_isr(other, topics, |isr| isr == BROKERS - 1);
        let begun = Instant::now();
        cluster.brokers[at].launch();
        wait_for_isr(other, topics, |isr| isr == BROKERS);
        begun
    };
    let begun = Instant::now();
    cluster.brokers[last].stop();
    tell("follower stops s", begun);
    if all {
        let begun = start(cluster, last);
        tell("follower restarts at once, to all in sync s", begun);
        cluster.brokers[last].stop();
    }
    std::thread::sleep(SESSION);
    let begun = start(cluster, last);
    tell("follower restarts after its session, to all in sync s", begun);
    cluster.brokers[last].kill();
    let begun = start(cluster, last);
    tell("the same after kill -9 s", begun);
    if all {
        let begun = Instant::now();
        cluster.brokers[0].stop();
        tell("leader of all stops s", begun);
        std::thread::sleep(SESSION);
        let begun = start(cluster, 0);
        tell("it restarts after its session, to all in sync s", begun);
    }
}
