//! Finds what must not be in a history: a pure function over it.
//!
//! The anomalies are those of Jepsen's workload for Kafka (jepsen.tests.kafka) as far as Kafka
//! rules them out, and those of copying exactly once. Write cycles (G0) and gaps between the sends
//! of one transaction are normal in Kafka and not looked for.

use crate::history::{History, Operation, Outcome, Record, Step, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Acknowledged or seen, but not there in the end.
    LostWrite,
    /// One value at two offsets.
    Duplicate,
    /// Two values at one offset, or an acknowledged offset at which the value is not.
    InconsistentOffset,
    /// A value that nobody has sent, or in another partition than that it was sent to.
    Phantom,
    /// A value of an aborted transaction was seen.
    AbortedRead,
    /// A value was seen before its commit was asked for.
    UncommittedRead,
    /// A part of a transaction is there in the end, another is not.
    TornTransaction,
    /// Two transactions that have each seen what the other wrote.
    CircularFlow,
    /// A reader went back from one poll to the next.
    NonmonotonicPoll,
    /// A reader went back within one operation.
    InternalNonmonotonicPoll,
    /// A reader passed over a record from one poll to the next.
    PollSkip,
    /// A reader passed over a record within one operation.
    InternalPollSkip,
    /// A later operation of a producer got a lower offset.
    NonmonotonicSend,
    /// A later send of one operation got a lower offset.
    InternalNonmonotonicSend,
    /// A record was copied twice.
    RepeatedCopy,
    /// A record lies below the copiers' committed position, but there is no copy of it.
    SkippedCopy,
    /// A transaction stayed open after all producers had ended theirs.
    HangingTransaction,
}

impl Kind {
    pub const ALL: [Kind; 17] = [
        Kind::LostWrite,
        Kind::Duplicate,
        Kind::InconsistentOffset,
        Kind::Phantom,
        Kind::AbortedRead,
        Kind::UncommittedRead,
        Kind::TornTransaction,
        Kind::CircularFlow,
        Kind::NonmonotonicPoll,
        Kind::InternalNonmonotonicPoll,
        Kind::PollSkip,
        Kind::InternalPollSkip,
        Kind::NonmonotonicSend,
        Kind::InternalNonmonotonicSend,
        Kind::RepeatedCopy,
        Kind::SkippedCopy,
        Kind::HangingTransaction,
    ];
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&dashed(self))
    }
}

/// A name with dashes between its words.
pub fn dashed(name: &impl fmt::Debug) -> String {
    let mut dashed = String::new();
    for letter in format!("{name:?}").chars() {
        if !dashed.is_empty() && letter.is_uppercase() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}

/// One thing found, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anomaly {
    pub kind: Kind,
    pub evidence: String,
}

fn anomaly(kind: Kind, evidence: String) -> Anomaly {
    Anomaly { kind, evidence }
}

/// Everything wrong in a history, by kind.
pub fn check(history: &History) -> Vec<Anomaly> {
    let index = Index::of(history);
    let mut found = Vec::new();
    found.extend(lost_writes(&index));
    found.extend(places(&index));
    found.extend(early_and_false_reads(history, &index));
    found.extend(torn_transactions(history, &index));
    found.extend(circular_flow(history, &index));
    found.extend(polls(history));
    found.extend(sends(history));
    found.extend(copies(history, &index));
    let hanging = |partition: &i32| {
        anomaly(Kind::HangingTransaction, format!("partition {partition} stays open"))
    };
    found.extend(history.open.iter().map(hanging));
    found.sort();
    found.dedup();
    found
}

/// A send, and the operation that it belongs to.
struct Sent<'a> {
    partition: i32,
    offset: Option<i64>,
    source: Option<(i32, i64)>,
    operation: usize,
    by: &'a Operation,
}

impl Sent<'_> {
    fn must_stay(&self) -> bool {
        match self.by.outcome {
            Outcome::Alone => self.offset.is_some(),
            Outcome::Committed { .. } => true,
            Outcome::Aborted | Outcome::Unknown { .. } => false,
        }
    }
}

/// The history by value.
struct Index<'a> {
    sent: HashMap<Value, Sent<'a>>,
    /// Every record that a poll or the last read has returned, with the operation; None is the
    /// last read.
    seen: Vec<(Record, Option<&'a Operation>, u64)>,
    end: HashSet<Value>,
}

impl<'a> Index<'a> {
    fn of(history: &'a History) -> Index<'a> {
        let mut sent = HashMap::new();
        let mut seen = Vec::new();
        for (operation, by) in history.operations.iter().enumerate() {
            for step in &by.steps {
                match step {
                    Step::Reset => {}
                    &Step::Send { partition, offset, value, source } => {
                        let send = Sent { partition, offset, source, operation, by };
                        assert!(sent.insert(value, send).is_none(), "{value} is sent twice");
                    }
                    Step::Poll { at, records } => {
                        seen.extend(records.iter().map(|record| (*record, Some(by), *at)));
                    }
                }
            }
        }
        seen.extend(history.end.iter().map(|record| (*record, None, u64::MAX)));
        Index { sent, seen, end: history.end.iter().map(|record| record.value).collect() }
    }
}

fn lost_writes(index: &Index<'_>) -> Vec<Anomaly> {
    let acknowledged =
        index.sent.iter().filter(|(value, sent)| sent.must_stay() && !index.end.contains(value));
    let acknowledged = acknowledged.map(|(value, sent)| {
        let what = format!("{value} to partition {} was acknowledged: {}", sent.partition, sent.by);
        anomaly(Kind::LostWrite, what)
    });
    let seen = index.seen.iter().filter(|(record, ..)| !index.end.contains(&record.value));
    // An aborted value belongs gone; that it was seen is another anomaly.
    let seen = seen.filter(|(record, ..)| {
        let sent = index.sent.get(&record.value);
        sent.is_some_and(|sent| sent.by.outcome != Outcome::Aborted)
    });
    let seen = seen.map(|(record, ..)| anomaly(Kind::LostWrite, format!("{record} was seen")));
    acknowledged.chain(seen).collect()
}

/// Values and offsets that do not belong to each other one to one.
fn places(index: &Index<'_>) -> Vec<Anomaly> {
    let mut values: BTreeMap<(i32, i64), BTreeSet<Value>> = BTreeMap::new();
    let mut offsets: BTreeMap<Value, BTreeSet<(i32, i64)>> = BTreeMap::new();
    let mut found = Vec::new();
    for (record, ..) in &index.seen {
        let place = (record.partition, record.offset);
        values.entry(place).or_default().insert(record.value);
        offsets.entry(record.value).or_default().insert(place);
        let sent = index.sent.get(&record.value);
        if sent.is_none_or(|sent| sent.partition != record.partition) {
            found.push(anomaly(Kind::Phantom, format!("{record} was never sent there")));
        }
    }
    for (value, sent) in &index.sent {
        if let Some(offset) = sent.offset {
            values.entry((sent.partition, offset)).or_default().insert(*value);
        }
        let at = offsets.get(value).into_iter().flatten();
        for (partition, seen) in at.filter(|place| sent.offset.is_some_and(|of| of != place.1)) {
            let what = format!("{value} was acknowledged as {:?}", sent.offset);
            let what = format!("{what} and seen at {partition}/{seen}");
            found.push(anomaly(Kind::InconsistentOffset, what));
        }
    }
    for ((partition, offset), values) in values.iter().filter(|(_, values)| values.len() > 1) {
        let what = format!("{partition}/{offset} holds {values:?}");
        found.push(anomaly(Kind::InconsistentOffset, what));
    }
    for (value, offsets) in offsets.iter().filter(|(_, offsets)| offsets.len() > 1) {
        found.push(anomaly(Kind::Duplicate, format!("{value} lies at {offsets:?}")));
    }
    found
}

fn early_and_false_reads(history: &History, index: &Index<'_>) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for (record, reader, at) in &index.seen {
        let Some(sent) = index.sent.get(&record.value) else { continue };
        let writer = &history.operations[sent.operation];
        let reader = || reader.map_or("the last read".to_owned(), Operation::to_string);
        match writer.outcome {
            Outcome::Aborted => {
                let what = format!("{record} of {writer} by {}", reader());
                found.push(anomaly(Kind::AbortedRead, what));
            }
            Outcome::Committed { asked } | Outcome::Unknown { asked } if *at < asked => {
                let what = format!("{record} of {writer} at {at} by {}", reader());
                found.push(anomaly(Kind::UncommittedRead, what));
            }
            _ => {}
        }
    }
    found
}

fn values(operation: &Operation) -> impl Iterator<Item = Value> {
    operation.steps.iter().filter_map(|step| match step {
        Step::Send { value, .. } => Some(*value),
        _ => None,
    })
}

fn torn_transactions(history: &History, index: &Index<'_>) -> Vec<Anomaly> {
    let ended = |operation: &&Operation| {
        matches!(operation.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. })
    };
    let torn = history.operations.iter().filter(ended).filter_map(|operation| {
        let (there, gone): (Vec<Value>, Vec<Value>) =
            values(operation).partition(|value| index.end.contains(value));
        let is_torn = !there.is_empty() && !gone.is_empty();
        is_torn.then(|| format!("{there:?} are there, {gone:?} are not: {operation}"))
    });
    torn.map(|what| anomaly(Kind::TornTransaction, what)).collect()
}

/// Transactions that depend on each other in a circle, by what they have read.
fn circular_flow(history: &History, index: &Index<'_>) -> Vec<Anomaly> {
    let stands = |operation: &Operation| match operation.outcome {
        Outcome::Committed { .. } => true,
        Outcome::Unknown { .. } => values(operation).any(|value| index.end.contains(&value)),
        Outcome::Alone | Outcome::Aborted => false,
    };
    let mut read: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (reader, operation) in history.operations.iter().enumerate() {
        if !stands(operation) {
            continue;
        }
        let polled = operation.steps.iter().filter_map(|step| match step {
            Step::Poll { records, .. } => Some(records),
            _ => None,
        });
        let writers = polled.flatten().filter_map(|record| index.sent.get(&record.value));
        let writers = writers.map(|sent| sent.operation);
        read.insert(
            reader,
            writers.filter(|&writer| stands(&history.operations[writer])).collect(),
        );
    }
    read = in_circles(read);
    let Some(mut at) = read.keys().next().copied() else { return Vec::new() };
    let mut path = Vec::new();
    while !path.contains(&at) {
        path.push(at);
        at = *read[&at].iter().find(|writer| read.contains_key(writer)).expect("not yet done");
    }
    let circle = path.iter().skip_while(|operation| **operation != at);
    let circle: Vec<String> = circle.map(|&at| history.operations[at].to_string()).collect();
    vec![anomaly(Kind::CircularFlow, circle.join(" <- "))]
}

/// Leaves of who has read from whom those that are in a circle, or have read from one: who has read
/// only from operations that are in none is in none either.
fn in_circles(mut read: BTreeMap<usize, BTreeSet<usize>>) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (reader, writers) in &read {
        writers.iter().for_each(|writer| readers.entry(*writer).or_default().push(*reader));
    }
    let mut left: BTreeMap<usize, usize> =
        read.iter().map(|(reader, writers)| (*reader, writers.len())).collect();
    let mut done: Vec<usize> =
        read.iter().filter(|(_, writers)| writers.is_empty()).map(|(reader, _)| *reader).collect();
    while let Some(operation) = done.pop() {
        read.remove(&operation);
        for reader in readers.get(&operation).into_iter().flatten() {
            let left = left.get_mut(reader).expect("every reader is counted");
            *left -= 1;
            if *left == 0 {
                done.push(*reader);
            }
        }
    }
    read
}

/// Readers that go back or pass over what is there.
fn polls(history: &History) -> Vec<Anomaly> {
    let mut there: HashMap<i32, BTreeMap<i64, Value>> = HashMap::new();
    for record in &history.end {
        there.entry(record.partition).or_default().insert(record.offset, record.value);
    }
    let mut last: HashMap<(u32, i32), (i64, usize)> = HashMap::new();
    let mut found = Vec::new();
    for (at, operation) in history.operations.iter().enumerate() {
        for step in &operation.steps {
            let records = match step {
                Step::Reset => {
                    last.retain(|(process, _), _| *process != operation.process);
                    continue;
                }
                Step::Poll { records, .. } => records,
                Step::Send { .. } => continue,
            };
            for record in records {
                let key = (operation.process, record.partition);
                let Some((before, read_in)) = last.insert(key, (record.offset, at)) else {
                    continue;
                };
                let is_internal = read_in == at;
                if record.offset <= before {
                    let kind = [Kind::NonmonotonicPoll, Kind::InternalNonmonotonicPoll];
                    let what = format!("{record} after offset {before}: {operation}");
                    found.push(anomaly(kind[usize::from(is_internal)], what));
                    continue;
                }
                let between = there.get(&record.partition).into_iter();
                let between = between.flat_map(|end| end.range(before + 1..record.offset));
                let skipped: Vec<_> = between.collect();
                if !skipped.is_empty() {
                    let kind = [Kind::PollSkip, Kind::InternalPollSkip];
                    let what = format!("{record} after offset {before}, not {skipped:?}");
                    found.push(anomaly(kind[usize::from(is_internal)], what));
                }
            }
        }
    }
    found
}

/// Producers whose later sends lie before earlier ones.
fn sends(history: &History) -> Vec<Anomaly> {
    let mut last: HashMap<(u32, i32), (i64, usize)> = HashMap::new();
    let mut found = Vec::new();
    for (at, operation) in history.operations.iter().enumerate() {
        for step in &operation.steps {
            let &Step::Send { partition, offset: Some(offset), .. } = step else { continue };
            let key = (operation.process, partition);
            if let Some((before, sent_in)) = last.insert(key, (offset, at))
                && offset <= before
            {
                let kind = [Kind::NonmonotonicSend, Kind::InternalNonmonotonicSend];
                let what = format!("{partition}/{offset} after offset {before}: {operation}");
                found.push(anomaly(kind[usize::from(sent_in == at)], what));
            }
        }
    }
    found
}

fn copies(history: &History, index: &Index<'_>) -> Vec<Anomaly> {
    let mut copies: BTreeMap<(i32, i64), BTreeSet<Value>> = BTreeMap::new();
    for (value, sent) in index.sent.iter().filter(|(value, _)| index.end.contains(value)) {
        if let Some(source) = sent.source {
            copies.entry(source).or_default().insert(*value);
        }
    }
    let repeated = copies.iter().filter(|(_, values)| values.len() > 1);
    let repeated = repeated.map(|((partition, offset), values)| {
        anomaly(Kind::RepeatedCopy, format!("{partition}/{offset} was copied as {values:?}"))
    });
    let positions: HashMap<i32, i64> = history.positions.iter().copied().collect();
    let passed = history.end.iter().filter(|record| {
        positions.get(&record.partition).is_some_and(|position| record.offset < *position)
    });
    let skipped = passed.filter(|record| !copies.contains_key(&(record.partition, record.offset)));
    let skipped = skipped.map(|record| {
        let position = positions[&record.partition];
        anomaly(Kind::SkippedCopy, format!("{record} has no copy, the position is {position}"))
    });
    repeated.chain(skipped).collect()
}

#[cfg(test)]
mod tests;
