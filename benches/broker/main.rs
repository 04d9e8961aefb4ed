//! The whole broker under load, with Apache Kafka and a floor in the same run. The table of goals:
//!
//! ```text
//! cargo bench --bench broker -- --all              the loads, and then the starts
//!     [--quick] [--rounds N] [--only klamm,kafka,floor] [--load TEXT]
//! cargo bench --bench broker                       the loads alone
//! cargo bench --bench broker -- starts             from the start to the first record
//! cargo bench --bench broker -- --groups           the group coordinator
//! cargo bench --bench broker -- shares [--rounds N] [--load TEXT]   share groups
//! cargo bench --bench broker -- recovery [--partitions N] [--gib N]   kill -9 with much data
//! cargo bench --bench broker -- many [--load TEXT]  many connections, consumers and partitions
//! cargo bench --bench broker -- tails [--minutes N] [--rate N] [--gib N] [--load TEXT]
//!                                                   tail latencies
//! cargo bench --bench broker -- budgets [--renew]  instructions of a request, by callgrind
//! ```
//!
//! The client replays requests that it has encoded once, so it costs almost nothing, and even on a
//! small machine the broker has the processor. The broker's processor time comes from
//! /proc/PID/stat. The servers take turns in every load and round, so that other work of the
//! machine affects all of them equally. `compat/kafka/fetch` gets Apache Kafka from Maven Central
//! (KAFKA_REFERENCE_HOME).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod budgets;
#[path = "../common/mod.rs"]
mod common;
mod consume;
mod durable;
mod floor;
mod groups;
mod load;
mod many;
mod recovery;
mod share;
mod starts;
mod tails;
mod target;
mod transaction;

use common::arguments::Arguments;
use common::{fixtures, report};
use groups::Scale;
use load::Load;
use report::Table;
use target::Target;

const MIB: usize = 1 << 20;
/// 1.5 GB before anything is measured. Kafka's just-in-time compiler needs them, and the other
/// servers get the same.
const WARM_UP: Load = Load::Produce { batch: 64 << 10, requests: 24_000 };

fn main() {
    let arguments = Arguments::new(5);
    if let Some(dir) = arguments.value("--serve-floor") {
        let port = arguments.words.iter().filter_map(|word| word.parse().ok()).next_back();
        return floor::serve(dir.as_ref(), port.unwrap());
    }
    let brokers = arguments.servers(&["klamm", "kafka"]);
    let Arguments { is_quick, rounds, ref part, .. } = arguments;
    let mut table = Table::default();
    if arguments.has("budgets") {
        std::process::exit(i32::from(!budgets::run(arguments.has("--renew"))));
    } else if arguments.has("recovery") {
        let partitions = arguments.number("--partitions", 10_000, 1000);
        let gib = arguments.number("--gib", 20, 2);
        recovery::run(partitions, gib, brokers.contains(&"kafka"));
    } else if arguments.has("many") {
        let scale = if is_quick { 10 } else { 1 };
        let servers = arguments.servers(&["floor", "klamm", "kafka"]);
        servers.into_iter().for_each(|name| many::run(&mut table, name, scale, part));
        table.finish("many");
    } else if arguments.has("tails") {
        let (minutes, gib) =
            (arguments.number("--minutes", 10, 1), arguments.number("--gib", 20, 2));
        let rate = arguments.value("--rate").map(|text| text.parse().unwrap());
        let scale = tails::Scale { minutes, gib, rate };
        brokers.into_iter().for_each(|name| tails::run(&mut table, name, &scale, part));
        table.finish("tails");
    } else if arguments.has("--groups") {
        let scale = group_scale(if is_quick { 8 } else { 1 });
        for target in brokers.into_iter().filter_map(start) {
            groups::measure(&target, scale, |title, measured| {
                table.add(title, target.name, &measured.figures());
            });
        }
        table.finish("groups");
    } else if arguments.has("shares") {
        let start = |name| Target::start_with(name, share::SETTINGS);
        let targets: Vec<Target> = brokers.into_iter().filter_map(start).collect();
        let scale = if is_quick { 8 } else { 1 };
        share::measure(&mut table, &targets, scale, arguments.number("--rounds", 3, 1), part);
        table.finish("shares");
    } else if arguments.has("starts") {
        starts::measure(&mut table, &brokers, is_quick, rounds);
        table.finish("starts");
    } else {
        measure_loads(&mut table, &arguments);
        if arguments.has("--all") {
            starts::measure(&mut table, &brokers, is_quick, rounds);
        }
        table.finish("broker");
    }
}

/// The servers run at the same time, but only one of them has work.
fn measure_loads(table: &mut Table, arguments: &Arguments) {
    let servers = arguments.servers(&["floor", "klamm", "kafka"]);
    let targets: Vec<Target> = servers.into_iter().filter_map(start).collect();
    for target in targets.iter().filter(|_| !arguments.is_quick) {
        load::create_topic(target);
        WARM_UP.run(target);
    }
    for (title, load) in loads(if arguments.is_quick { 8 } else { 2 }) {
        if title.contains(&arguments.part) {
            take_turns(table, &targets, (title, load), arguments.rounds);
        }
    }
    for target in &targets {
        let busy = target.most_resident_kib() as f64 / 1024.0;
        table.add_figure("resident memory", "busy MiB", target.name, busy);
    }
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
        load.warm_up(target);
    }
    for _ in 0..rounds {
        for target in &targets {
            target.prime_page_cache(load.bytes_written());
            table.add(title, target.name, &load.run(target).figures());
        }
    }
}

fn loads(scale: usize) -> Vec<(&'static str, Load)> {
    let produce = |batch: usize, total: usize| Load::Produce { batch, requests: total / batch };
    let scatter = |partitions, requests| Load::Scatter { partitions, requests };
    let gather = |partitions, requests| Load::Gather { partitions, requests };
    let follow = |partitions, requests| Load::Follow { partitions, requests };
    vec![
        ("produce 256 KiB batches, acks=1", produce(256 << 10, 1024 * MIB / scale)),
        ("produce 16 KiB batches, acks=1", produce(16 << 10, 512 * MIB / scale)),
        ("produce 1.2 KB batches, acks=1", produce(1200, 120 * MIB / scale)),
        ("produce 1.2 KB to each of 50 partitions", scatter(50, 4_000 / scale)),
        ("fetch 8 MiB answers", Load::Fetch { bytes: 4096 * MIB / scale }),
        ("fetch one batch of 1.2 KB", gather(1, 40_000 / scale)),
        ("fetch 1.2 KB of each of 50 partitions", gather(50, 8_000 / scale)),
        ("one record to a consumer of 10 partitions", follow(10, 10_000 / scale)),
        ("one record to a consumer of 1,000 partitions", follow(1000, 4_000 / scale)),
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
