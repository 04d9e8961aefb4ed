//! What the members of a share group saw, besides what was sent (`crate::history`).
//!
//! It is written one line an event, times in microseconds:
//!
//! ```text
//! queue lock=2000000 limit=5 letters
//! take 7 100-190 0/5=41#1 0/6=42#2
//! give 7 200-220 0/5:accept=confirmed 0/6:release=refused
//! miss 8 210-2210
//! leave 8 2210
//! down 3000-4100
//! letter 0/6=42
//! ```
//!
//! `take` is a fetch and what it brought, each record with its delivery count; `give` are
//! acknowledgements and what was answered; `miss` is a fetch that was not answered, so that its
//! records are acquired by nobody who knows of it; from `leave` on the member's locks may end at
//! any time; `down` is when the broker was; `letter` is a dead letter, by the place of its record.
//! The sends and the log's end are lines of `crate::history`.

use crate::history::{self, History, Record, Value};
use std::fmt::{self, Display, Formatter};

/// A partition and an offset.
pub type Place = (i32, i64);

/// How the group is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a member has a record for itself, in microseconds.
    pub lock: u64,
    /// How often a record is delivered at most.
    pub limit: i16,
    /// Whether records that are given up become dead letters.
    pub letters: bool,
}

/// What a member says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Release,
    Reject,
    Renew,
}

/// What the broker says of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Confirmed,
    /// The member does not have the record, and nothing has changed.
    Refused,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub record: Record,
    pub count: i16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub place: Place,
    pub verdict: Verdict,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Take(Vec<Delivered>),
    Give(Vec<Given>),
    Miss,
    Leave,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub member: u32,
    pub begun: u64,
    pub ended: u64,
    pub deed: Deed,
}

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub policy: Policy,
    pub log: History,
    pub events: Vec<Event>,
    pub downs: Vec<(u64, u64)>,
    pub letters: Vec<Record>,
}

const VERDICTS: [(Verdict, &str); 4] = [
    (Verdict::Accept, "accept"),
    (Verdict::Release, "release"),
    (Verdict::Reject, "reject"),
    (Verdict::Renew, "renew"),
];
const ANSWERS: [(Answer, &str); 3] =
    [(Answer::Confirmed, "confirmed"), (Answer::Refused, "refused"), (Answer::Unknown, "unknown")];

fn name<T: PartialEq>(names: &[(T, &'static str)], of: &T) -> &'static str {
    names.iter().find(|(value, _)| value == of).expect("every value has a name").1
}

fn named<T: Copy>(names: &[(T, &str)], text: &str) -> Option<T> {
    names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value)
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Event { member, begun, ended, deed } = self;
        match deed {
            Deed::Take(records) => {
                write!(f, "take {member} {begun}-{ended}")?;
                let mut records = records.iter();
                records.try_for_each(|taken| write!(f, " {}#{}", taken.record, taken.count))
            }
            Deed::Give(given) => {
                write!(f, "give {member} {begun}-{ended}")?;
                given.iter().try_for_each(|Given { place, verdict, answer }| {
                    let (verdict, answer) = (name(&VERDICTS, verdict), name(&ANSWERS, answer));
                    write!(f, " {}/{}:{verdict}={answer}", place.0, place.1)
                })
            }
            Deed::Miss => write!(f, "miss {member} {begun}-{ended}"),
            Deed::Leave => write!(f, "leave {member} {begun}"),
        }
    }
}

impl Display for Queue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Policy { lock, limit, letters } = self.policy;
        let letters = if letters { " letters" } else { "" };
        writeln!(f, "queue lock={lock} limit={limit}{letters}")?;
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))?;
        self.downs.iter().try_for_each(|(from, to)| writeln!(f, "down {from}-{to}"))?;
        self.letters.iter().try_for_each(|letter| writeln!(f, "letter {letter}"))?;
        write!(f, "{}", self.log)
    }
}

/// Whether it is the history of a queue.
pub fn is_queue(text: &str) -> bool {
    text.starts_with("queue ")
}

/// The other way round.
pub fn parse(text: &str) -> Option<Queue> {
    let (first, rest) = text.split_once('\n')?;
    let mut words = first.strip_prefix("queue lock=")?.split(' ');
    let policy = Policy {
        lock: words.next()?.parse().ok()?,
        limit: words.next()?.strip_prefix("limit=")?.parse().ok()?,
        letters: words.next() == Some("letters"),
    };
    let (mut events, mut downs, mut letters) = (Vec::new(), Vec::new(), Vec::new());
    let mut log = String::new();
    for line in rest.lines().map(str::trim) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "take" | "give" | "miss" | "leave" => events.push(event(kind, rest)?),
            "down" => downs.push(times(rest)?),
            "letter" => letters.push(history::record(rest)?),
            _ => {
                log.push_str(line);
                log.push('\n');
            }
        }
    }
    Some(Queue { policy, log: history::parse(&log)?, events, downs, letters })
}

fn times(text: &str) -> Option<(u64, u64)> {
    let (begun, ended) = text.split_once('-').unwrap_or((text, text));
    Some((begun.parse().ok()?, ended.parse().ok()?))
}

fn event(kind: &str, text: &str) -> Option<Event> {
    let mut words = text.split(' ');
    let member = words.next()?.parse().ok()?;
    let (begun, ended) = times(words.next()?)?;
    let deed = match kind {
        "take" => Deed::Take(words.map(delivered).collect::<Option<_>>()?),
        "give" => Deed::Give(words.map(given).collect::<Option<_>>()?),
        "miss" => Deed::Miss,
        _ => Deed::Leave,
    };
    Some(Event { member, begun, ended, deed })
}

fn delivered(text: &str) -> Option<Delivered> {
    let (record, count) = text.split_once('#')?;
    Some(Delivered { record: history::record(record)?, count: count.parse().ok()? })
}

fn given(text: &str) -> Option<Given> {
    let (place, rest) = text.split_once(':')?;
    let (verdict, answer) = rest.split_once('=')?;
    let place = history::place(place)?;
    Some(Given { place, verdict: named(&VERDICTS, verdict)?, answer: named(&ANSWERS, answer)? })
}

/// A value of the log that cannot be one.
pub const NO_VALUE: Value = 0;

#[test]
fn a_queue_is_read_as_it_was_written() {
    let text = "queue lock=2000000 limit=5 letters\n\
        take 7 100-190 0/5=41#1 0/6=42#2\n\
        give 7 200-220 0/5:accept=confirmed 0/6:release=refused 0/6:renew=unknown\n\
        miss 8 210-2210\n\
        leave 8 2210\n\
        down 3000-4100\n\
        letter 0/6=42\n\
        4 120-130 alone +0/5=41 +0/6=42\n\
        end 0/5=41 0/6=42\n";
    let queue = parse(text).expect("a queue");
    assert_eq!(queue.to_string(), text);
    assert_eq!((queue.events.len(), queue.log.end.len()), (4, 2));
    assert_eq!(parse("queue lock=1 limit=2\ntake 1"), None);
}
