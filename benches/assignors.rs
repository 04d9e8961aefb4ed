//! The time that the server-side assignors take for a group of 1,000 members and 10,000 partitions:
//! `cargo bench --bench assignors`. Assignors.java measures Kafka's own on the same input.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use klamm::coordinator::group::MemberId;
use klamm::coordinator::group::assignor::{Assignor, PartitionCounts, Partitions, Subscriber};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

const MEMBERS: usize = 1_000;
const TOPICS: usize = 100;
const PARTITIONS: i32 = 100;
const TIMES: usize = 15;

/// The subscriptions of a group's members, and the partitions they own.
struct Group {
    counts: PartitionCounts,
    members: BTreeMap<MemberId, usize>,
    subscriptions: Vec<BTreeSet<Uuid>>,
    owned: BTreeMap<MemberId, Partitions>,
}

impl Group {
    /// A group with this many different subscriptions. Each is to all topics but one, or to all
    /// topics if it is the only one.
    fn new(subscriptions: usize) -> Group {
        let topics: Vec<Uuid> = (0..TOPICS).map(|_| Uuid::new_v4()).collect();
        let without = |left_out: usize| {
            let kept =
                topics.iter().enumerate().filter(|(at, _)| subscriptions == 1 || *at != left_out);
            kept.map(|(_, topic)| *topic).collect()
        };
        let id = |_| MemberId::from(Uuid::new_v4().to_string());
        Group {
            counts: topics.iter().map(|topic| (*topic, PARTITIONS)).collect(),
            members: (0..MEMBERS).map(|at| (id(at), at % subscriptions)).collect(),
            subscriptions: (0..subscriptions).map(without).collect(),
            owned: BTreeMap::new(),
        }
    }

    fn assign(&self, assignor: Assignor) -> (Duration, BTreeMap<MemberId, Partitions>) {
        let nothing = Partitions::new();
        let began = Instant::now();
        let members: Vec<Subscriber<'_>> = (self.members.iter())
            .map(|(id, subscription)| Subscriber {
                id,
                instance_id: None,
                topics: &self.subscriptions[*subscription],
                owned: self.owned.get(id).unwrap_or(&nothing),
            })
            .collect();
        let assignment = assignor.assign(&members, &self.counts).unwrap();
        (began.elapsed(), assignment)
    }

    fn measure(&self, assignor: Assignor) -> Duration {
        let mut times: Vec<Duration> = (0..TIMES).map(|_| self.assign(assignor).0).collect();
        times.sort();
        times[TIMES / 2]
    }
}

fn main() {
    for (subscriptions, kind) in [(1, "same"), (10, "different")] {
        for assignor in Assignor::ALL {
            let mut group = Group::new(subscriptions);
            let report = |what: &str, time: Duration| {
                let name = assignor.name();
                println!("{name:8} {kind:10} {what:10} {:9.3} ms", time.as_secs_f64() * 1e3);
            };
            report("first", group.measure(assignor));
            group.owned = group.assign(assignor).1;
            report("unchanged", group.measure(assignor));
            group.members.insert("zz-newcomer".into(), 0);
            report("one joins", group.measure(assignor));
            group.members.pop_last();
            group.members.pop_last();
            report("one leaves", group.measure(assignor));
        }
    }
}
