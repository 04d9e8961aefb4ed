//! A cluster of three brokers on this machine, klamm and Apache Kafka in the same run, under a
//! controller of Apache Kafka's. Every topic has three replicas.
//!
//! ```text
//! cargo bench --bench cluster                  all parts; those that are named alone:
//! cargo bench --bench cluster -- produce       acks=all at full and at half load
//! cargo bench --bench cluster -- follow        the processor time of leader and followers
//! cargo bench --bench cluster -- catch-up [--gib N]
//! cargo bench --bench cluster -- partitions [--partitions N]
//!                                              many partitions: idle, memory, restarts
//! cargo bench --bench cluster -- failover      gaps that producers see
//!     [--quick] [--rounds N] [--seconds N] [--only klamm,kafka] [--load TEXT] [--limit MINUTES]
//! ```
//!
//! In `produce` and `follow` both clusters run and take turns in every load and round. In the other
//! parts one runs after the other, since idle brokers of one would take the processor from the
//! other. The controller's processor time does not count.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod admin;
mod catch_up;
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod failover;
mod guard;
mod partitions;
mod produce;

use cluster::Cluster;
use common::arguments::Arguments;
use common::report::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

const PARTS: [&str; 5] = ["produce", "follow", "failover", "catch-up", "partitions"];

fn main() {
    let arguments = Arguments::new(3);
    let dir = tempfile::tempdir().unwrap();
    let limit = arguments.number("--limit", 240, 30) as u64 * 60;
    guard::watch(Duration::from_secs(limit), dir.path().to_owned());
    let named: Vec<&str> = PARTS.into_iter().filter(|part| arguments.has(part)).collect();
    let parts = if named.is_empty() { PARTS.to_vec() } else { named };
    let mut bench = Bench { table: Table::default(), arguments, parts, dir: dir.path(), failed: 0 };
    let load = load_average();
    bench.in_turns();
    bench.one_by_one();
    bench.table.finish("cluster");
    println!("\nload average of the machine: {load} before, {} after", load_average());
    if bench.arguments.is_quick {
        println!(
            "--quick: Kafka's just-in-time compiler is not warm, its figures are no comparison"
        );
    }
    let failed = bench.failed;
    drop(dir);
    std::process::exit(i32::from(failed > 0));
}

struct Bench<'a> {
    table: Table,
    arguments: Arguments,
    parts: Vec<&'static str>,
    dir: &'a Path,
    failed: usize,
}

impl Bench<'_> {
    fn in_turns(&mut self) {
        let Arguments { is_quick, rounds, part, .. } = &self.arguments;
        let scale = produce::Scale {
            divisor: if *is_quick { 8 } else { 1 },
            rounds: *rounds,
            time: Duration::from_secs(self.arguments.number("--seconds", 20, 2) as u64),
            part,
            dir: self.dir,
        };
        if !self.parts.contains(&"produce") && !self.parts.contains(&"follow") {
            return;
        }
        let (table, parts) = (&mut self.table, &self.parts);
        let servers = self.arguments.servers(&["klamm", "kafka"]);
        let mut failed = 0;
        guarded(&mut self.failed, "in turns", || {
            let clusters: Vec<Cluster> =
                servers.into_iter().filter_map(|name| start(name, scale.dir)).collect();
            if parts.contains(&"produce") {
                produce::run(table, &clusters, &scale, &mut failed);
            }
            if parts.contains(&"follow") {
                produce::follow(table, &clusters, &scale, &mut failed);
            }
        });
        self.failed += failed;
    }

    fn one_by_one(&mut self) {
        for name in self.arguments.servers(&["klamm", "kafka"]) {
            let mut cluster = None;
            for part in self.parts.clone() {
                if ["produce", "follow"].contains(&part) {
                    continue;
                }
                let failed = self.failed;
                self.alone(part, name, &mut cluster);
                // What a part leaves behind may change what the next one sees, and what a failed
                // one leaves does.
                if !self.arguments.is_quick || self.failed > failed {
                    cluster = None;
                }
            }
        }
    }

    fn alone(&mut self, part: &str, name: &'static str, cluster: &mut Option<Cluster>) {
        let (arguments, table) = (&self.arguments, &mut self.table);
        let gib = arguments.number("--gib", 10, 1);
        let scale = partitions::Scale {
            partitions: arguments.number("--partitions", 1000, 300),
            watched: Duration::from_secs(arguments.number("--seconds", 40, 3) as u64),
            has_all_restarts: !arguments.is_quick,
        };
        guarded(&mut self.failed, &format!("{part}, {name}"), || {
            if cluster.is_none() {
                *cluster = start(name, self.dir);
            }
            let Some(cluster) = cluster else { return };
            match part {
                "failover" => failover::run(table, cluster, arguments.rounds),
                "catch-up" => catch_up::run(table, cluster, gib),
                _ => partitions::run(table, cluster, &scale),
            }
        });
    }
}

/// Goes on with the next work if this one fails, so that what has been measured is not lost.
fn guarded(failed: &mut usize, what: &str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        eprintln!("FAILED: {what}");
        *failed += 1;
    }
}

fn start(name: &'static str, dir: &Path) -> Option<Cluster> {
    let cluster = Cluster::start(name, dir);
    if cluster.is_none() {
        eprintln!("Apache Kafka, whose controller all need, is not here: compat/kafka/fetch");
    }
    cluster
}

fn load_average() -> String {
    let all = std::fs::read_to_string("/proc/loadavg").unwrap();
    all.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
