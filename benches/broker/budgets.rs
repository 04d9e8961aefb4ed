//! Budgets: how many instructions and system calls of the broker a request may cost. The counts are
//! the same on a busy machine, so CI can compare the hot paths with them.
//!
//! klamm runs under callgrind, and a client repeats one request, each time after the previous
//! answer. The cost of the broker's own work in the meantime is measured first and subtracted. The
//! kernel's instructions are not counted; for this reason system calls are. The budgets are in
//! docs/performance.md, where `--renew` writes them.

use crate::consume;
use crate::groups::{self, ClassicGroup, ConsumerGroup};
use crate::load::{self, PARTITIONS, connect, receive};
use crate::target::{Target, callgrind_out};
use crate::transaction::Producer;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A request may cost this many times its budget, which is the cost that was measured when the
/// budget was written.
const TOLERANCE: f64 = 1.10;
/// The document with the budgets, which are between these two lines.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
const BEGIN: &str = "<!-- budgets -->\n";
const END: &str = "<!-- end of budgets -->";
/// How long the cost of the broker's own work is measured.
const IDLE: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;
/// The pause between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(1);

/// The cost of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    instructions: f64,
    calls: f64,
}

impl Cost {
    fn per(self, times: f64) -> Cost {
        Cost { instructions: self.instructions / times, calls: self.calls / times }
    }
}

/// A request that is repeated many times.
struct Work<'a> {
    name: &'static str,
    times: u32,
    ask: Box<dyn FnMut() + 'a>,
}

/// Counts all requests; false if one exceeds its budget. With `renew` the counts become the
/// budgets.
pub fn run(renew: bool) -> bool {
    let counts = count_all();
    if renew {
        let document = std::fs::read_to_string(DOCUMENT).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the budgets begin");
        let after = &rest[rest.find(END).expect("the budgets end")..];
        std::fs::write(DOCUMENT, format!("{before}{BEGIN}{}{after}", table(&counts))).unwrap();
        print!("{}", table(&counts));
        return true;
    }
    let budgets = budgets();
    println!("{:42} {:>12} {:>12} {:>8} {:>8}", "", "instructions", "budget", "calls", "budget");
    counts
        .iter()
        .map(|(name, cost)| is_kept(name, *cost, budgets.get(*name)))
        .fold(true, |a, b| a & b)
}

/// Prints the cost of a request beside its budget.
fn is_kept(name: &str, cost: Cost, budget: Option<&Cost>) -> bool {
    let Some(budget) = budget else {
        println!("{name:42} {:12.0} has no budget: renew them", cost.instructions);
        return false;
    };
    let ratio = cost.instructions / budget.instructions;
    let is_kept = ratio <= TOLERANCE && cost.calls <= budget.calls * TOLERANCE;
    let verdict = match (is_kept, ratio) {
        (false, _) => "TOO DEAR",
        (true, ..0.95) => "cheaper: renew the budgets",
        (true, _) => "",
    };
    println!(
        "{name:42} {:12.0} {:12.0} {:8.2} {:8.2} {:+6.1} % {verdict}",
        cost.instructions,
        budget.instructions,
        cost.calls,
        budget.calls,
        (ratio - 1.0) * 100.0
    );
    is_kept
}

fn table(counts: &[(&'static str, Cost)]) -> String {
    let rows = counts
        .iter()
        .map(|(name, cost)| format!("| {name} | {:.0} | {:.2} |\n", cost.instructions, cost.calls));
    let head = "| request | instructions | system calls |\n|---|---|---|\n";
    head.to_owned() + &rows.collect::<String>()
}

/// Reads the budgets, by the names of the requests.
fn budgets() -> BTreeMap<String, Cost> {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (_, rest) = document.split_once(BEGIN).expect("the budgets begin");
    let lines = rest.lines().take_while(|line| *line != END).skip(2);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let number = |at: usize| cells[at].parse().expect("a number");
            (cells[1].to_owned(), Cost { instructions: number(2), calls: number(3) })
        })
        .collect()
}

fn count_all() -> Vec<(&'static str, Cost)> {
    let target = Target::start("callgrind").expect("valgrind is installed");
    let mut counter = Counter { target: &target, dumps: 0 };
    load::create_topic(&target);
    let works = works(&target);
    std::thread::sleep(IDLE);
    counter.read();
    let begun = Instant::now();
    std::thread::sleep(IDLE);
    let idle = counter.read().per(begun.elapsed().as_secs_f64());
    eprintln!("idle: {:.0} instructions and {:.0} calls a second", idle.instructions, idle.calls);
    works.into_iter().map(|work| (work.name, counter.count(work, idle))).collect()
}

impl Work<'_> {
    fn run(&mut self) {
        for _ in 0..self.times {
            (self.ask)();
            // A request that comes before the broker waits for it is cheaper.
            std::thread::sleep(PAUSE);
        }
    }
}

/// Reads callgrind's counters.
struct Counter<'a> {
    target: &'a Target,
    dumps: usize,
}

impl Counter<'_> {
    /// The second highest cost of the rounds, after one that is not counted. Some rounds are too
    /// cheap because the client was early, and the highest may include other work of the broker.
    fn count(&mut self, mut work: Work, idle: Cost) -> Cost {
        work.run();
        self.read();
        let costs: Vec<Cost> = (0..ROUNDS).map(|_| self.round(&mut work, idle)).collect();
        let sorted = |of: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = costs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (instructions, calls) = (sorted(|cost| cost.instructions), sorted(|cost| cost.calls));
        let range = |values: &[f64]| format!("{:.2} to {:.2}", values[0], values[ROUNDS - 1]);
        let (some, others, dump) = (range(&instructions), range(&calls), self.dump());
        eprintln!("{:32} {some} instructions, {others} calls: {}", work.name, dump.display());
        Cost { instructions: instructions[ROUNDS - 2], calls: calls[ROUNDS - 2] }
    }

    fn round(&mut self, work: &mut Work, idle: Cost) -> Cost {
        let begun = Instant::now();
        work.run();
        let (all, seconds) = (self.read(), begun.elapsed().as_secs_f64());
        let ours = Cost {
            instructions: all.instructions - idle.instructions * seconds,
            calls: all.calls - idle.calls * seconds,
        };
        ours.per(f64::from(work.times))
    }

    /// The cost in all threads since the last call.
    fn read(&mut self) -> Cost {
        let dumped = Command::new("vgdb")
            .arg(format!("--pid={}", self.target.pid()))
            .arg(format!("--vgdb-prefix={}", self.target.path().join("vgdb").display()))
            // A thread that sleeps is interrupted after this time.
            .args(["--max-invoke-ms=1", "dump"])
            .output()
            .expect("vgdb comes with valgrind");
        assert!(dumped.status.success(), "vgdb: {}", String::from_utf8_lossy(&dumped.stderr));
        self.dumps += 1;
        sum(&std::fs::read_to_string(self.dump()).unwrap())
    }

    /// The last dump, for `callgrind_annotate`.
    fn dump(&self) -> PathBuf {
        callgrind_out().with_extension(format!("out.{}", self.dumps))
    }
}

/// The sum of the costs of all functions in a dump, each without its callees. Reading the clock is
/// not counted, as it is a system call only under valgrind.
fn sum(dump: &str) -> Cost {
    assert!(dump.lines().any(|line| line.starts_with("events: Ir sysCount ")), "events of a dump");
    let (mut cost, mut names, mut is_clock, mut is_callee) =
        (Cost::default(), BTreeMap::new(), false, false);
    for line in dump.lines() {
        if let Some(function) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            // Only the first mention of a number has the name with it.
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            let name = *names.entry(number).or_insert(name);
            if line.starts_with('f') {
                is_clock = name.starts_with("clock_gettime");
            }
        } else if line.starts_with("calls=") {
            is_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            && !std::mem::take(&mut is_callee)
        {
            let mut numbers = line.split(' ').skip(1).map(|number| number.parse().unwrap_or(0.0));
            cost.instructions += numbers.next().unwrap_or(0.0);
            cost.calls += numbers.next().filter(|_| !is_clock).unwrap_or(0.0);
        }
    }
    cost
}

/// All work, in the order in which it runs: members before their sessions expire, readers after
/// writers.
fn works(target: &Target) -> Vec<Work<'_>> {
    let produce = |name, times, frames: &[Vec<u8>]| {
        replayed(target, name, times, frames, load::check_produced)
    };
    let batch = |size, acks| load::produce_request(0, size, acks);
    let fetch = |name, times, most| {
        let frame = load::fetch_request(0, 0, most);
        replayed(target, name, times, &[frame], |body| assert!(load::next_offset(body).is_some()))
    };
    groups::make_coordinator(target);
    let mut consumers = ConsumerGroup::new("budgets", &[load::LOG_TOPIC.to_owned()], 1, false);
    consumers.rest(target, PARTITIONS);
    let beat = consumers.request(&consumers.members[0]);
    let classic = ClassicGroup::join(target, "budgets-classic", 1, false).heartbeat(0);
    let commit = groups::commit_request("budgets-commits", load::topic());
    let mut producer = Producer::start(connect(target), "budgets");
    let transaction = move || {
        producer.send(&[0, 1]);
        producer.commit();
    };
    vec![
        replayed(target, "consumer heartbeat", 200, &[beat], groups::check_consumer_heartbeat),
        replayed(target, "classic heartbeat", 200, &[classic], groups::check_heartbeat),
        replayed(target, "offset commit", 200, &[commit], groups::check_committed),
        Work { name: "transaction of two partitions", times: 60, ask: Box::new(transaction) },
        produce("produce 16 KiB, acks=1", 200, &[batch(16 << 10, 1)]),
        produce("produce 1.2 KB, acks=1", 200, &[batch(1200, 1)]),
        produce("8 x produce 1.2 KB in one write", 100, &vec![batch(1200, 1); 8]),
        produce("produce one record, acks=all", 200, &[batch(1, -1)]),
        fetch("fetch 64 KiB", 200, 64 << 10),
        fetch("fetch one batch", 200, 1),
        idle_poll(target),
    ]
}

/// A poll of a fetch session without new records; it waits for a millisecond.
fn idle_poll(target: &Target) -> Work<'_> {
    let quiet = "quiet".to_owned();
    load::create_topics(target, std::slice::from_ref(&quiet), 5);
    let mut socket = connect(target);
    let wanted = [consume::from_start(&quiet, 5)];
    let (mut request, mut polled) = (consume::poll(&wanted, (0, 0), 1), 0);
    let ask = move || {
        socket.write_all(&request).unwrap();
        request = consume::next_poll(receive(&mut socket), polled, 1);
        polled += 1;
    };
    Work { name: "poll that finds nothing", times: 200, ask: Box::new(ask) }
}

/// Sends the frames with one write and then reads their answers.
fn replayed<'a>(
    target: &'a Target,
    name: &'static str,
    times: u32,
    frames: &[Vec<u8>],
    check: fn(Bytes),
) -> Work<'a> {
    let mut socket = connect(target);
    let (all, count) = (frames.concat(), frames.len());
    let ask = move || {
        socket.write_all(&all).unwrap();
        (0..count).for_each(|_| check(receive(&mut socket)));
    };
    Work { name, times, ask: Box::new(ask) }
}
