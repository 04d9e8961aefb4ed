//! What clients saw: operations with their steps, and what the log held in the end.
//!
//! A history is written one operation a line, `process begun-ended outcome step...`, times in
//! microseconds:
//!
//! ```text
//! 3 100-190 committed@180 +0/7=41 +1/?=42 ?150 0/5=39 0/6=40
//! 4 120-130 alone +0/8=43
//! 5 140-260 aborted ! ?170 +2/9=44<0/7
//! end 0/5=39 0/6=40 0/7=41 1/3=42 0/8=43
//! position 0/8
//! open 3
//! ```
//!
//! `+partition/offset=value` is a send, `?` instead of the offset means not acknowledged, `<` names
//! the record it copies; `?time` is a poll that returned then, with its records; `!` says that the
//! reader has set its position itself. `committed@` and `unknown@` carry when the commit was asked.
//! `end` is the whole log read with read_committed, `position` what the copiers' group has
//! committed, `open` a partition in which a transaction stayed open.

use std::fmt::{self, Display, Formatter};

/// A value is sent once in a history.
pub type Value = u64;

/// A record as a consumer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub value: Value,
}

/// One thing that an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The reader starts anew from a position of its own choice.
    Reset,
    /// `source` is the partition and offset of the record that this one copies.
    Send { partition: i32, offset: Option<i64>, value: Value, source: Option<(i32, i64)> },
    /// Returned `at` this time.
    Poll { at: u64, records: Vec<Record> },
}

/// How an operation ended, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a transaction: each send stands for itself.
    Alone,
    /// The commit was asked for at this time and confirmed.
    Committed { asked: u64 },
    /// Its client aborted it, or never asked for its commit.
    Aborted,
    /// The commit was asked for at this time, but its answer is not known.
    Unknown { asked: u64 },
}

/// A transaction, or a send or poll outside of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub process: u32,
    pub begun: u64,
    pub ended: u64,
    pub outcome: Outcome,
    pub steps: Vec<Step>,
}

/// Everything that was seen; the operations of one process are in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub operations: Vec<Operation>,
    /// The whole log by read_committed, in the order in which it was read.
    pub end: Vec<Record>,
    /// The copiers' committed positions by source partition.
    pub positions: Vec<(i32, i64)>,
    /// Partitions in which a transaction stayed open.
    pub open: Vec<i32>,
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}={}", self.partition, self.offset, self.value)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Step::Reset => write!(f, "!"),
            Step::Send { partition, offset, value, source } => {
                let offset = offset.map_or("?".to_owned(), |offset| offset.to_string());
                write!(f, "+{partition}/{offset}={value}")?;
                source.map_or(Ok(()), |(partition, offset)| write!(f, "<{partition}/{offset}"))
            }
            Step::Poll { at, records } => {
                write!(f, "?{at}")?;
                records.iter().try_for_each(|record| write!(f, " {record}"))
            }
        }
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{} ", self.process, self.begun, self.ended)?;
        match self.outcome {
            Outcome::Alone => write!(f, "alone")?,
            Outcome::Committed { asked } => write!(f, "committed@{asked}")?,
            Outcome::Aborted => write!(f, "aborted")?,
            Outcome::Unknown { asked } => write!(f, "unknown@{asked}")?,
        }
        self.steps.iter().try_for_each(|step| write!(f, " {step}"))
    }
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.operations.iter().try_for_each(|operation| writeln!(f, "{operation}"))?;
        for records in self.end.chunks(100) {
            let shown: Vec<String> = records.iter().map(Record::to_string).collect();
            writeln!(f, "end {}", shown.join(" "))?;
        }
        for (partition, offset) in &self.positions {
            writeln!(f, "position {partition}/{offset}")?;
        }
        self.open.iter().try_for_each(|partition| writeln!(f, "open {partition}"))
    }
}

/// Reads what `Display` has written; None if this is no history.
pub fn parse(text: &str) -> Option<History> {
    let mut history = History::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "end" => {
                for token in rest.split_whitespace() {
                    history.end.push(record(token)?);
                }
            }
            "position" => history.positions.push(place(rest)?),
            "open" => history.open.push(rest.parse().ok()?),
            process => history.operations.push(operation(process.parse().ok()?, rest)?),
        }
    }
    Some(history)
}

fn operation(process: u32, text: &str) -> Option<Operation> {
    let mut tokens = text.split_whitespace();
    let (begun, ended) = tokens.next()?.split_once('-')?;
    let outcome = match tokens.next()?.split_once('@').unwrap_or_default() {
        ("committed", asked) => Outcome::Committed { asked: asked.parse().ok()? },
        ("unknown", asked) => Outcome::Unknown { asked: asked.parse().ok()? },
        _ if text.contains(" alone") => Outcome::Alone,
        _ if text.contains(" aborted") => Outcome::Aborted,
        _ => return None,
    };
    let mut steps = Vec::new();
    for token in tokens {
        if token == "!" {
            steps.push(Step::Reset);
        } else if let Some(at) = token.strip_prefix('?') {
            steps.push(Step::Poll { at: at.parse().ok()?, records: Vec::new() });
        } else if let Some(sent) = token.strip_prefix('+') {
            steps.push(send(sent)?);
        } else {
            let Some(Step::Poll { records, .. }) = steps.last_mut() else { return None };
            records.push(record(token)?);
        }
    }
    let (begun, ended) = (begun.parse().ok()?, ended.parse().ok()?);
    Some(Operation { process, begun, ended, outcome, steps })
}

fn send(text: &str) -> Option<Step> {
    let (sent, source) = match text.split_once('<') {
        Some((sent, source)) => (sent, Some(place(source)?)),
        None => (text, None),
    };
    let (place, value) = sent.split_once('=')?;
    let (partition, offset) = place.split_once('/')?;
    let offset = if offset == "?" { None } else { Some(offset.parse().ok()?) };
    let (partition, value) = (partition.parse().ok()?, value.parse().ok()?);
    Some(Step::Send { partition, offset, value, source })
}

pub fn record(text: &str) -> Option<Record> {
    let (at, value) = text.split_once('=')?;
    let (partition, offset) = place(at)?;
    Some(Record { partition, offset, value: value.parse().ok()? })
}

pub fn place(text: &str) -> Option<(i32, i64)> {
    let (partition, offset) = text.split_once('/')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let text = "3 100-190 committed@180 +0/7=41 +1/?=42 ?150 0/5=39 0/6=40\n\
        4 120-130 alone +0/8=43\n\
        5 140-260 aborted ! ?170 +2/9=44<0/7\n\
        6 150-160 unknown@155 +0/9=45\n\
        end 0/5=39 0/6=40 0/7=41 1/3=42 0/8=43\n\
        position 0/8\nopen 3\n";
    let history = parse(text).unwrap();
    assert_eq!(history.to_string(), text);
    assert_eq!((history.operations.len(), history.end.len()), (4, 5));
    assert_eq!(parse("1 2-3 elsewhere"), None);
}
