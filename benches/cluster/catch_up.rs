//! A broker comes back and fetches what was written while it was away.

use crate::admin::{self, Leaders, metadata, wait_for_isr};
use crate::cluster::{BROKERS, Cluster, SESSION};
use crate::common::report::Table;
use crate::common::wire::connect;
use crate::produce;
use std::time::Instant;

const TOPIC: &str = "missed";
const BATCH: usize = 64 << 10;
/// The broker that is away, as an index.
const AWAY: usize = BROKERS - 1;

pub fn run(table: &mut Table, cluster: &mut Cluster, gib: usize) {
    let title = format!("catch-up of {gib} GiB").leak();
    let name = cluster.name;
    let topics = [TOPIC.to_owned()];
    produce::create(cluster, TOPIC, Leaders::Spread);
    let ports = cluster.ports();
    cluster.brokers[AWAY].stop();
    let stopped = Instant::now();
    wait_for_isr(ports[0], &topics, |isr| isr == BROKERS - 1);
    let known = metadata(&mut connect(ports[0]), &topics).unwrap();
    let leader_of = |index: usize| {
        let partitions = &known.topics[0].partitions;
        let found = partitions.iter().find(|partition| partition.partition_index == index as i32);
        found.unwrap().leader_id.0 as usize - 1
    };
    let to = produce::connections(&ports, leader_of);
    let begun = Instant::now();
    let (_, bytes) = produce::write(TOPIC, &to, BATCH, gib << 30);
    let gigabytes = bytes as f64 / 1e9;
    let written = begun.elapsed().as_secs_f64();
    table.add_figure(title, "written to the others, s/GB", name, written / gigabytes);
    let others = |cluster: &Cluster| {
        cluster.brokers[..AWAY].iter().map(|broker| broker.processor_seconds()).sum::<f64>()
    };
    // The controller would not let it register before.
    std::thread::sleep(SESSION.saturating_sub(stopped.elapsed()));
    let before = others(cluster);
    let begun = Instant::now();
    cluster.brokers[AWAY].launch();
    wait_for_isr(ports[0], &topics, |isr| isr == BROKERS);
    let wall = begun.elapsed().as_secs_f64();
    let figures = [
        ("start to all in sync, s", wall),
        ("its CPU s/GB", cluster.brokers[AWAY].processor_seconds() / gigabytes),
        ("leaders' CPU s/GB", (others(cluster) - before) / gigabytes),
    ];
    table.add(title, name, &figures);
    admin::delete(std::slice::from_ref(cluster), TOPIC);
}
