//! A history checker after Jepsen's workload for Kafka: drives a broker or a cluster with
//! concurrent clients while somebody else kills it, writes down what they see, and finds what must
//! not be.
//!
//!     checker run --bootstrap HOST:PORT,... --seconds 60 --seed 7 --history FILE
//!     checker queue --bootstrap HOST:PORT,... --seconds 60 --seed 7 --history FILE --downs FILE
//!     checker check FILE
#![allow(clippy::disallowed_methods, missing_docs)]

mod admin;
mod check;
mod client;
mod connection;
mod end;
mod history;
mod producer;
mod queue;
mod reader;
mod sender;
mod workload;

use check::{Kind, check};
use clap::Parser;
use client::GaveUp;
use history::{History, Outcome, Step};
use queue::history::Queue;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use workload::Run;

/// After the load: time for transactions to time out and for reading everything.
const PATIENCE: Duration = Duration::from_secs(180);
/// Evidence shown of each kind.
const SHOWN: usize = 3;

#[derive(Parser)]
enum Command {
    /// Drives a broker and checks what the clients saw.
    Run(Arguments),
    /// The same with the members of a share group.
    Queue {
        #[command(flatten)]
        arguments: Arguments,
        /// Whether what they give up has to become dead letters (`share.version` 2).
        #[arg(long)]
        letters: bool,
        /// A file in which somebody notes when the broker was down: two times a line, in
        /// microseconds of the epoch.
        #[arg(long)]
        downs: String,
    },
    /// Checks a history that was kept.
    Check { history: String },
}

#[derive(clap::Args)]
struct Arguments {
    /// One or more addresses of brokers, with commas between.
    #[arg(long)]
    bootstrap: String,
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the history is kept.
    #[arg(long)]
    history: Option<String>,
}

fn main() -> ExitCode {
    let seen = match Command::parse() {
        Command::Check { history } => {
            let text = std::fs::read_to_string(&history).expect("a history that can be read");
            if queue::history::is_queue(&text) {
                return report_queue(&queue::history::parse(&text).expect("a queue's history"));
            }
            return report_log(&history::parse(&text).expect("a history"));
        }
        Command::Run(arguments) => {
            run(&arguments).map(|seen| (arguments.history, seen.to_string(), report_log(&seen)))
        }
        Command::Queue { arguments, letters, downs } => run_queue(&arguments, letters, &downs)
            .map(|seen| (arguments.history, seen.to_string(), report_queue(&seen))),
    };
    let Ok((file, text, code)) = seen else {
        println!("FAIL checker: the broker did not answer to the end");
        return ExitCode::FAILURE;
    };
    if let Some(file) = file {
        std::fs::write(file, text).expect("a file that can be written");
    }
    code
}

impl Arguments {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn start(&self) -> Run {
        let begun = Instant::now();
        eprintln!("begun at {} microseconds of the epoch", epoch());
        Run {
            bootstrap: self.bootstrap.clone(),
            seed: self.seed,
            begun,
            give_up: begun + self.time() + PATIENCE,
            stop: AtomicBool::new(false),
            operations: Mutex::default(),
        }
    }
}

/// Microseconds of the epoch.
fn epoch() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    now.as_micros() as u64
}

fn run(arguments: &Arguments) -> Result<History, GaveUp> {
    let run = arguments.start();
    run.create_topics()?;
    run.drive(arguments.time(), workload::PROCESSES);
    let mut history = end::read(&run)?;
    history.operations = run.operations();
    Ok(history)
}

fn run_queue(arguments: &Arguments, letters: bool, downs: &str) -> Result<Queue, GaveUp> {
    let begun = epoch();
    let run = arguments.start();
    queue::run(&run, arguments.time(), letters, || {
        let text = std::fs::read_to_string(downs).unwrap_or_default();
        let time = |text: &str| text.parse::<u64>().expect("a time").saturating_sub(begun);
        let times = text.lines().filter_map(|line| line.split_once(' '));
        times.map(|(from, to)| (time(from), time(to))).collect()
    })
}

fn report_log(history: &History) -> ExitCode {
    println!("{}", summary(history));
    let found = check(history).into_iter();
    report(&Kind::ALL, &found.map(|found| (found.kind, found.evidence)).collect::<Vec<_>>())
}

fn report_queue(queue: &Queue) -> ExitCode {
    println!("{}", queue::summary(queue));
    report(&queue::check::Kind::ALL, &queue::check::check(queue))
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
fn report<K: Display + PartialEq>(kinds: &[K], found: &[(K, String)]) -> ExitCode {
    for kind in kinds {
        let of_kind: Vec<&String> =
            found.iter().filter(|found| found.0 == *kind).map(|found| &found.1).collect();
        if of_kind.is_empty() {
            println!("ok no {kind}");
            continue;
        }
        println!("FAIL {kind}: {}", of_kind.len());
        for evidence in of_kind.iter().take(SHOWN) {
            println!("    {}", evidence.chars().take(400).collect::<String>());
        }
    }
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
