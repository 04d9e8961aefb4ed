//! The whole broker under load, beside Apache Kafka and a floor in the same run. The table of goals:
//!
//! ```text
//! cargo bench --bench broker -- --all              the loads, and then the starts
//!     [--quick] [--rounds N] [--only klamm,kafka,floor] [--load TEXT]
//! cargo bench --bench broker                       the loads alone
//! cargo bench --bench broker -- starts             what there is from start to first record
//! cargo bench --bench broker -- --groups           the group coordinator
//! cargo bench --bench broker -- recovery [--partitions N] [--gib N]   kill -9 with much data
//! cargo bench --bench broker -- many [--load TEXT]  many connections, consumers and partitions
//! cargo bench --bench broker -- tails [--minutes N] [--rate N] [--gib N] [--load TEXT]   now and then
//! cargo bench --bench broker -- budgets [--renew]  instructions of a request, by callgrind
//! ```
//!
//! A client that replays requests encoded once costs almost nothing, so that on a small machine
//! the broker has the processor. The broker's own processor time comes from /proc/PID/stat. The
//! servers take turns in every load and round, so that what else the machine does hits all alike.
//! Apache Kafka comes from Maven Central by `compat/kafka/fetch` (KAFKA_REFERENCE_HOME).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod budgets;
mod durable;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod floor;
mod goals;
mod groups;
mod load;
mod many;
mod plot;
mod recovery;
mod report;
mod starts;
mod tails;
mod target;
mod transaction;

use groups::Scale;
use load::Load;
use report::Table;
use target::Target;

const MIB: usize = 1 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str| value(name).map(|text| text.parse::<usize>().unwrap());
    if let Some(dir) = value("--serve-floor") {
        let port = arguments.iter().filter_map(|argument| argument.parse().ok()).next_back();
        return floor::serve(dir.as_ref(), port.unwrap());
    }
    let quick = has("--quick");
    let only = value("--only").unwrap_or_else(|| "floor,klamm,kafka".to_owned());
    let is_wanted = |name: &str| only.split(',').any(|only| only == name);
    if has("budgets") {
        std::process::exit(i32::from(!budgets::run(has("--renew"))));
    }
    if has("recovery") {
        let partitions = number("--partitions").unwrap_or(if quick { 1000 } else { 10_000 });
        let gib = number("--gib").unwrap_or(if quick { 2 } else { 20 });
        return recovery::run(partitions, gib, is_wanted("kafka"));
    }
    let rounds = number("--rounds").unwrap_or(if quick { 1 } else { 5 });
    let mut table = Table::default();
    let brokers = ["klamm", "kafka"].into_iter().filter(|name| is_wanted(name));
    let part = value("--load").unwrap_or_default();
    if has("many") {
        brokers.for_each(|name| many::run(&mut table, name, if quick { 10 } else { 1 }, &part));
        return table.finish();
    }
    if has("tails") {
        let scale = tails::Scale {
            minutes: number("--minutes").unwrap_or(if quick { 1 } else { 10 }),
            gib: number("--gib").unwrap_or(if quick { 2 } else { 20 }),
            rate: number("--rate"),
        };
        brokers.for_each(|name| tails::run(&mut table, name, &scale, &part));
        return table.finish();
    }
    if has("starts") {
        starts::measure(&mut table, quick, rounds, is_wanted);
    } else if has("--groups") {
        let scale = group_scale(if quick { 8 } else { 1 });
        for target in brokers.filter_map(start) {
            groups::measure(&target, scale, |title, measured| {
                table.add(title, target.name, &measured);
            });
        }
    } else {
        let targets: Vec<Target> = ["floor", "klamm", "kafka"]
            .into_iter()
            .filter(|n| is_wanted(n))
            .filter_map(start)
            .collect();
        let wanted =
            loads(if quick { 8 } else { 2 }).into_iter().filter(|(t, _)| t.contains(&part));
        for (title, load) in wanted {
            take_turns(&mut table, &targets, (title, load), rounds);
        }
        for target in &targets {
            let busy = target.most_resident_kib() as f64 / 1024.0;
            table.add_figure("resident memory", "busy MiB", target.name, busy);
        }
        drop(targets);
        if has("--all") {
            starts::measure(&mut table, quick, rounds, is_wanted);
        }
    }
    table.finish();
}

fn start(name: &'static str) -> Option<Target> {
    let target = Target::start(name);
    if target.is_none() {
        eprintln!("{name}: not here (see compat/README.md), left out");
    }
    target
}

fn take_turns(
    table: &mut Table,
    targets: &[Target],
    (title, load): (&'static str, Load),
    rounds: usize,
) {
    let knows = |target: &&Target| target.name != "floor" || load.has_floor();
    let targets: Vec<&Target> = targets.iter().filter(knows).collect();
    for target in &targets {
        // Kafka's just-in-time compiler needs work before it is fast; the others get the same.
        load.warm_up(target);
    }
    for _ in 0..rounds {
        for target in &targets {
            table.add(title, target.name, &load.run(target));
        }
    }
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
