//! The goals of klamm, relative to the floor and to Kafka in the same run.

use super::report::Row;
use Bound::{Floor, Kafka, Most};

/// The maximum for klamm's median.
#[derive(Clone, Copy)]
pub enum Bound {
    /// This many times the floor's median.
    Floor(f64),
    /// This many times Kafka's median.
    Kafka(f64),
    /// This value.
    Most(f64),
}

/// All bounds of a figure.
pub struct Goal {
    work: &'static str,
    figure: &'static str,
    bounds: &'static [Bound],
}

const fn goal(work: &'static str, figure: &'static str, bounds: &'static [Bound]) -> Goal {
    Goal { work, figure, bounds }
}

const CPU: &str = "broker CPU s/GB";
const CORE: &str = "% of a core";
const FIRST: &str = "first record ms";
const MANY: &str = "10,000 partitions";
const ONE: &str = "one record, one in flight, acks=all";
const DURABLE: &str = "1 KB of 32 producers, flush.messages=1";

const SHARE_CPU: &str = "broker CPU us each";
const CLUSTER_CPU: &str = "brokers' CPU s/GB";
const HELD_BY_ALL: &str = "1,000 partitions x 3";
const FOLLOWER: &str = "follower's CPU s/GB";

const GOALS: &[Goal] = &[
    goal("produce 256 KiB batches, acks=1", CPU, &[Floor(1.3), Kafka(0.45)]),
    goal("produce 16 KiB batches, acks=1", CPU, &[Floor(1.3), Kafka(0.40)]),
    goal("produce 1.2 KB batches, acks=1", CPU, &[Floor(1.5), Kafka(0.30)]),
    goal("fetch 8 MiB answers", CPU, &[Floor(1.1), Kafka(1.0)]),
    goal(ONE, "p50 us", &[Kafka(0.5)]),
    goal(ONE, "p99.9 us", &[Kafka(0.3)]),
    goal(ONE, "broker CPU us each", &[Kafka(0.3)]),
    goal(DURABLE, "us/ack", &[Kafka(0.33)]),
    goal(DURABLE, "p99 us", &[Kafka(1.0)]),
    goal("1 share consumer, by batch", SHARE_CPU, &[Kafka(0.3)]),
    goal("10 share consumers, by batch", SHARE_CPU, &[Kafka(0.3)]),
    goal("100 share consumers, by batch", SHARE_CPU, &[Kafka(0.3)]),
    goal("1 share consumer, each record", SHARE_CPU, &[Kafka(0.3)]),
    goal("10 share consumers, each record", SHARE_CPU, &[Kafka(0.3)]),
    goal("100 share consumers, each record", SHARE_CPU, &[Kafka(0.3)]),
    goal("one record to a waiting share consumer", "p99.9 us", &[Kafka(0.3)]),
    goal("one acknowledgement", SHARE_CPU, &[Kafka(0.3)]),
    goal("100,000 records in flight", "bytes each, every other acknowledged", &[Most(200.0)]),
    goal("produce 256 KiB batches, acks=all", CLUSTER_CPU, &[Kafka(0.35)]),
    goal("produce 16 KiB batches, acks=all", CLUSTER_CPU, &[Kafka(0.35)]),
    goal("produce 1.2 KB batches, acks=all", CLUSTER_CPU, &[Kafka(0.35)]),
    goal("256 KiB batches at half load", "p99.9 us", &[Kafka(0.3)]),
    goal("256 KiB batches at the same rate", "p99.9 us", &[Kafka(0.3)]),
    goal("16 KiB batches at half load", "p99.9 us", &[Kafka(0.3)]),
    goal("16 KiB batches at the same rate", "p99.9 us", &[Kafka(0.3)]),
    goal("1.2 KB batches at half load", "p99.9 us", &[Kafka(0.3)]),
    goal("1.2 KB batches at the same rate", "p99.9 us", &[Kafka(0.3)]),
    goal("follow 256 KiB batches", FOLLOWER, &[Kafka(0.35)]),
    goal("follow 16 KiB batches", FOLLOWER, &[Kafka(0.35)]),
    goal("follow 1.2 KB batches", FOLLOWER, &[Kafka(0.35)]),
    goal("controlled shutdown, the partitions that it led", "gap p99 ms", &[Most(200.0)]),
    goal("controlled shutdown, the partitions that it led", "longest gap ms", &[Most(1000.0)]),
    goal("controlled shutdown, the others", "gap p99 ms", &[Most(200.0)]),
    goal("controlled shutdown, the others", "longest gap ms", &[Most(1000.0)]),
    goal(HELD_BY_ALL, "follower restarts at once, to all in sync s", &[Most(3.0)]),
    goal(HELD_BY_ALL, "follower restarts after its session, to all in sync s", &[Most(3.0)]),
    goal("10,000 partitions x 3", "idle follower, % of a core", &[Most(2.0)]),
    goal("10,000 partitions x 3", "largest memory MiB", &[Most(150.0)]),
    goal("resident memory", "busy MiB", &[Most(40.0)]),
    goal("resident memory", "idle MiB", &[Most(12.0)]),
    goal("start on an empty directory", FIRST, &[Most(20.0)]),
    goal("restart after kill -9", FIRST, &[Most(200.0)]),
    goal("clean restart with 12 GB", FIRST, &[Most(50.0)]),
    goal(MANY, "created and usable s", &[Most(2.0)]),
    goal(MANY, "restart s", &[Most(1.0)]),
    goal(MANY, "memory MiB", &[Most(150.0)]),
    goal("1,000 small producers / 4", "ratio of CPU", &[Most(1.25)]),
    goal("1,000 idle consumers, 5 partitions each", CORE, &[Most(1.0)]),
    goal("10 idle sessions, 10,000 partitions each", CORE, &[Most(1.0)]),
];

/// The goal of a figure, if it has one.
pub fn goal_of(work: &str, figure: &str) -> Option<&'static Goal> {
    GOALS.iter().find(|goal| (goal.work, goal.figure) == (work, figure))
}

impl Goal {
    /// The goal as it appears in the table.
    pub fn text(&self) -> String {
        let bounds = self.bounds.iter().map(|bound| match bound {
            Floor(times) => format!("≤ {times} × floor"),
            Kafka(times) => format!("≤ {times} × Kafka"),
            Most(value) => format!("≤ {value}"),
        });
        bounds.collect::<Vec<_>>().join(", ")
    }

    /// The lowest of the bounds; None if a server that they refer to was not measured.
    pub fn limit(&self, row: &Row) -> Option<f64> {
        let limits = self.bounds.iter().map(|bound| match *bound {
            Floor(times) => Some(row.median("floor")? * times),
            Kafka(times) => Some(row.median("kafka")? * times),
            Most(value) => Some(value),
        });
        limits.collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::min)
    }

    pub fn is_met(&self, row: &Row) -> Option<bool> {
        Some(row.median("klamm")? <= self.limit(row)?)
    }
}
