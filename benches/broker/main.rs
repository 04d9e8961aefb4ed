//! The whole broker under load, klamm beside Apache Kafka in the same run:
//! `cargo bench --bench broker -- [--quick] [--only klamm|kafka] [--load PART-OF-A-TITLE]`.
//! `cargo bench --bench broker -- recovery [--quick] [--only klamm] [--partitions N] [--gib N]`
//! measures the start after kill -9 instead (`recovery.rs`), `--groups` the group coordinator.
//!
//! A client that replays requests encoded once costs almost nothing, so that on a small machine
//! the broker has the processor. The broker's own processor time comes from /proc/PID/stat.
//! Apache Kafka comes from Maven Central by `compat/kafka/fetch` (KAFKA_REFERENCE_HOME).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod durable;
mod groups;
mod load;
mod recovery;
mod target;
mod transaction;

use groups::Scale;
use load::{Load, Measured};
use std::collections::BTreeMap;
use target::Target;

const MIB: usize = 1 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let groups = arguments.iter().any(|argument| argument == "--groups");
    let only = arguments.iter().position(|a| a == "--only").map(|at| arguments[at + 1].clone());
    let wanted = arguments.iter().position(|a| a == "--load").map(|at| arguments[at + 1].clone());
    if arguments.iter().any(|argument| argument == "recovery") {
        let number = |name: &str| {
            let at = arguments.iter().position(|a| a == name)?;
            Some(arguments[at + 1].parse().unwrap())
        };
        let partitions = number("--partitions").unwrap_or(if quick { 1000 } else { 10_000 });
        let gib = number("--gib").unwrap_or(if quick { 2 } else { 20 });
        return recovery::run(partitions, gib, only.as_deref() != Some("klamm"));
    }
    let scale = if quick { 8 } else { 1 };
    let mut table: BTreeMap<(usize, &str), BTreeMap<&str, Measured>> = BTreeMap::new();
    for name in ["kafka", "klamm"] {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let Some(target) = Target::start(name) else {
            eprintln!("{name}: not here (see compat/README.md), left out");
            continue;
        };
        let mut at = 0;
        let mut note = |title: &'static str, measured: Measured| {
            eprintln!("{name:6} {title:34} {measured}");
            table.entry((at, title)).or_default().insert(name, measured);
            at += 1;
        };
        if groups {
            groups::measure(&target, group_scale(scale), note);
        } else {
            for (title, load) in loads(scale) {
                if wanted.as_deref().is_some_and(|wanted| !title.contains(wanted)) {
                    continue;
                }
                // Kafka's just-in-time compiler needs work before it is fast; klamm gets the same.
                load.warm_up(&target);
                note(title, load.run(&target));
            }
        }
        eprintln!("{name:6} resident memory {} MiB", target.resident_kib() / 1024);
    }
    report(&table);
}

fn loads(scale: usize) -> Vec<(&'static str, Load)> {
    let produce = |batch: usize, total: usize| Load::Produce { batch, requests: total / batch };
    vec![
        ("produce 256 KiB batches, acks=1", produce(256 << 10, 2048 * MIB / scale)),
        ("produce 16 KiB batches, acks=1", produce(16 << 10, 512 * MIB / scale)),
        ("produce 1.2 KB batches, acks=1", produce(1200, 120 * MIB / scale)),
        ("fetch 8 MiB answers", Load::Fetch { bytes: 4096 * MIB / scale }),
        ("1 KB of 32 producers, flush.messages=1", Load::Durable { requests: 32_000 / scale }),
        ("one record, one in flight, acks=all", Load::Latency { requests: 40_000 / scale }),
        ("transactions, 4 producers", Load::Transactions { requests: 20_000 / scale }),
    ]
}

fn group_scale(scale: usize) -> Scale {
    Scale {
        members: 1000 / scale,
        topics: 10,
        partitions: 10_000 / scale,
        groups: 10_000 / scale,
        static_members: 200 / scale,
        heartbeats: 200_000 / scale,
    }
}

fn report(table: &BTreeMap<(usize, &str), BTreeMap<&str, Measured>>) {
    println!("\n| work | figure | klamm | Kafka | klamm / Kafka |\n|---|---|---|---|---|");
    for ((_, title), by_target) in table {
        let figures = by_target.values().next().map(Measured::figures).unwrap_or_default();
        for (index, (figure, _)) in figures.iter().enumerate() {
            let of = |name| by_target.get(name).map(|measured| measured.figures()[index].1);
            let show = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
            let ratio = of("klamm").zip(of("kafka")).map(|(ours, theirs)| ours / theirs);
            let (ours, theirs) = (show(of("klamm")), show(of("kafka")));
            println!("| {title} | {figure} | {ours} | {theirs} | {} |", show(ratio));
        }
    }
}
