//! A history checker after Jepsen's workload for Kafka: drives a broker with concurrent clients
//! while somebody else kills it, writes down what they see, and finds what must not be.
//!
//!     checker run --bootstrap HOST:PORT --seconds 60 --seed 7 --history FILE
//!     checker check FILE
#![allow(clippy::disallowed_methods, missing_docs)]

mod check;
mod connection;
mod end;
mod history;
mod producer;
mod reader;
mod sender;
mod workload;

use check::{Anomaly, Kind, check};
use clap::Parser;
use history::{History, Outcome, Step};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use workload::Run;

/// After the load: time for transactions to time out and for reading everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Evidence shown of each kind.
const SHOWN: usize = 3;

#[derive(Parser)]
enum Command {
    /// Drives a broker and checks what the clients saw.
    Run {
        #[arg(long)]
        bootstrap: String,
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where the history is kept.
        #[arg(long)]
        history: Option<String>,
    },
    /// Checks a history that was kept.
    Check { history: String },
}

fn main() -> ExitCode {
    let history = match Command::parse() {
        Command::Check { history: file } => {
            let text = std::fs::read_to_string(&file).expect("a history that can be read");
            history::parse(&text).expect("a history")
        }
        Command::Run { bootstrap, seconds, seed, history: file } => {
            let Some(seen) = run(bootstrap, Duration::from_secs(seconds), seed) else {
                println!("FAIL checker: the broker did not answer to the end");
                return ExitCode::FAILURE;
            };
            if let Some(file) = file {
                std::fs::write(file, seen.to_string()).expect("a file that can be written");
            }
            seen
        }
    };
    println!("{}", summary(&history));
    report(&check(&history))
}

fn run(bootstrap: String, time: Duration, seed: u64) -> Option<History> {
    let begun = Instant::now();
    let run = Run {
        bootstrap,
        seed,
        begun,
        give_up: begun + time + PATIENCE,
        stop: AtomicBool::new(false),
        operations: Mutex::default(),
    };
    run.create_topics().ok()?;
    run.drive(time);
    let mut history = end::read(&run).ok()?;
    history.operations = run.operations.into_inner().expect("no process has panicked");
    history.operations.sort_by_key(|operation| operation.begun);
    Some(history)
}

/// What was done, in one line.
fn summary(history: &History) -> String {
    let of = |wanted: fn(&Outcome) -> bool| {
        history.operations.iter().filter(|operation| wanted(&operation.outcome)).count()
    };
    let steps = || history.operations.iter().flat_map(|operation| &operation.steps);
    let sends = steps().filter(|step| matches!(step, Step::Send { .. })).count();
    let polled: usize = steps()
        .map(|step| if let Step::Poll { records, .. } = step { records.len() } else { 0 })
        .sum();
    format!(
        "{} operations: {} committed, {} aborted, {} unknown; {sends} records sent, {polled} polled, {} there in the end",
        history.operations.len(),
        of(|outcome| matches!(outcome, Outcome::Committed { .. })),
        of(|outcome| matches!(outcome, Outcome::Aborted)),
        of(|outcome| matches!(outcome, Outcome::Unknown { .. })),
        history.end.len(),
    )
}

/// A line for each kind of anomaly.
fn report(found: &[Anomaly]) -> ExitCode {
    for kind in Kind::ALL {
        let of_kind: Vec<&Anomaly> = found.iter().filter(|anomaly| anomaly.kind == kind).collect();
        if of_kind.is_empty() {
            println!("ok no {kind}");
            continue;
        }
        println!("FAIL {kind}: {}", of_kind.len());
        for anomaly in of_kind.iter().take(SHOWN) {
            println!("    {}", anomaly.evidence.chars().take(400).collect::<String>());
        }
    }
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
