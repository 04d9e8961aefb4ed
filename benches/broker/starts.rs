//! The time from the start of the process to the first acknowledged record (acks=all): on an empty
//! directory, after `kill -9`, after a clean stop with much data, and with many partitions. Also
//! the memory of an idle broker.

use crate::recovery::{create, fill, first_record};
use crate::report::Table;
use crate::target::Target;
use std::time::{Duration, Instant};

/// The partitions of a broker that is small except for its data.
const PARTITIONS: usize = 8;
const FIRST: &str = "first record ms";
/// How long a broker does nothing before its memory is measured as idle.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes that are written before each kill.
const BEFORE_KILL: usize = 256 << 20;

/// Measures everything; the servers take turns.
pub fn measure(table: &mut Table, names: &[&'static str], quick: bool, rounds: usize) {
    for round in 0..rounds {
        for name in names {
            empty(table, name, round == 0);
        }
    }
    for name in names {
        killed(table, name, rounds);
    }
    clean(table, names, if quick { 1 } else { 12 }, rounds);
    let partitions = if quick { 1000 } else { 10_000 };
    // ext4 without a journal does not reuse an inode within a minute of its deletion, but examines
    // each. The server that runs after a deletion would wait for this, so all directories are kept
    // until the last server has run.
    let used: Vec<_> = names.iter().map(|name| many(table, name, partitions, rounds)).collect();
    drop(used);
}

/// The time includes the creation of the directory and of a topic.
fn empty(table: &mut Table, name: &'static str, is_first: bool) {
    let begun = Instant::now();
    let Some(target) = Target::launch(name, "") else { return };
    target.wait_to_listen();
    create(&target, PARTITIONS);
    let first = first_record(&target, 0, begun);
    table.add_figure("start on an empty directory", FIRST, name, first * 1e3);
    if is_first {
        std::thread::sleep(IDLE);
        let idle = target.resident_kib() as f64 / 1024.0;
        table.add_figure("resident memory", "idle MiB", name, idle);
    }
}

fn killed(table: &mut Table, name: &'static str, rounds: usize) {
    let Some(mut target) = filled(name, BEFORE_KILL) else { return };
    for _ in 0..rounds {
        target.kill();
        let begun = Instant::now();
        target.launch_again(name).expect("it was here");
        let first = first_record(&target, 0, begun);
        table.add_figure("restart after kill -9", FIRST, name, first * 1e3);
        fill(&target, PARTITIONS, BEFORE_KILL);
    }
}

/// All servers start on the directory that the first one has filled.
fn clean(table: &mut Table, names: &[&'static str], gigabytes: usize, rounds: usize) {
    let Some(mut target) = names.first().and_then(|name| filled(name, gigabytes * 1_000_000_000))
    else {
        return;
    };
    let title = match gigabytes {
        12 => "clean restart with 12 GB",
        _ => "clean restart with little data",
    };
    for _ in 0..rounds {
        for name in names {
            target.stop();
            let begun = Instant::now();
            if target.launch_again(name).is_none() {
                return;
            }
            let first = first_record(&target, 0, begun);
            table.add_figure(title, FIRST, name, first * 1e3);
        }
    }
}

fn filled(name: &'static str, bytes: usize) -> Option<Target> {
    let target = Target::start(name)?;
    create(&target, PARTITIONS);
    for partition in 0..PARTITIONS {
        first_record(&target, partition, Instant::now());
    }
    fill(&target, PARTITIONS, bytes);
    Some(target)
}

/// The restarts are clean. Apache Kafka has only one round, as it takes minutes. Returns the
/// stopped servers.
fn many(table: &mut Table, name: &'static str, partitions: usize, rounds: usize) -> Vec<Target> {
    let title = match partitions {
        10_000 => "10,000 partitions",
        _ => "1,000 partitions",
    };
    let mut used = Vec::new();
    for _ in 0..if name == "kafka" { 1 } else { rounds } {
        let Some(mut target) = Target::start(name) else { break };
        let begun = Instant::now();
        create(&target, partitions);
        let usable = first_record(&target, partitions - 1, begun);
        table.add_figure(title, "created and usable s", name, usable);
        target.stop();
        let begun = Instant::now();
        target.launch_again(name).expect("it was here");
        let first = first_record(&target, partitions - 1, begun);
        table.add_figure(title, "restart s", name, first);
        table.add_figure(title, "memory MiB", name, target.resident_kib() as f64 / 1024.0);
        target.stop();
        used.push(target);
    }
    used
}
