//! Finds what must not be in the history of a queue: a pure function over it.
//!
//! Clients cannot see when the broker did something, only that it was between a request and its
//! answer. Everything here holds wherever in between it was.

use crate::history::{Outcome, Step, Value};
use crate::queue::history::{Answer, Deed, Delivered, Event, Given, Place, Queue, Verdict};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter};

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nobody has accepted or rejected it, and it was not delivered as often as it may be.
    LostRecord,
    /// Accepted or rejected twice, and each time confirmed.
    FinishedTwice,
    /// Delivered after it was accepted or rejected.
    DeliveredAfterEnd,
    /// Delivered while a member had it.
    SharedLock,
    /// An acknowledgement was refused although the member had the record.
    LostLock,
    /// An acknowledgement was confirmed of a member that did not have the record.
    StrangersAcknowledgement,
    /// A later delivery has a lower count.
    FallenCount,
    /// A later delivery has the same count, and no failure explains it.
    RepeatedCount,
    /// Delivered more often than the limit allows.
    ExcessiveDelivery,
    /// A value that nobody has sent, or at another place than that it was sent to.
    PhantomDelivery,
    /// A value of an aborted transaction was delivered.
    AbortedDelivery,
    /// A value was delivered before its commit was asked for.
    UncommittedDelivery,
    /// Given up, but there is no dead letter of it.
    MissingLetter,
    /// Two dead letters of one record, though the broker was never down.
    RepeatedLetter,
    /// A dead letter of a record that was accepted, or is none.
    FalseLetter,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::LostRecord,
        Kind::FinishedTwice,
        Kind::DeliveredAfterEnd,
        Kind::SharedLock,
        Kind::LostLock,
        Kind::StrangersAcknowledgement,
        Kind::FallenCount,
        Kind::RepeatedCount,
        Kind::ExcessiveDelivery,
        Kind::PhantomDelivery,
        Kind::AbortedDelivery,
        Kind::UncommittedDelivery,
        Kind::MissingLetter,
        Kind::RepeatedLetter,
        Kind::FalseLetter,
    ];
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::check::dashed(self))
    }
}

/// What was found, with what shows it.
pub type Anomaly = (Kind, String);

/// Everything wrong in a history, by kind.
pub fn check(queue: &Queue) -> Vec<Anomaly> {
    let index = Index::of(queue);
    let mut found = Vec::new();
    for (place, life) in &index.lives {
        found.extend(ends(*place, life, &index));
        found.extend(locks(*place, life, &index));
        found.extend(counts(*place, life, &index));
    }
    found.extend(refusals(queue, &index));
    found.extend(deliveries(queue, &index));
    found.extend(losses(queue, &index));
    found.extend(letters(queue, &index));
    found.sort();
    found.dedup();
    found
}

/// A delivery of one record.
#[derive(Clone, Copy, Debug)]
struct Taken {
    member: u32,
    begun: u64,
    ended: u64,
    count: i16,
}

/// An acknowledgement of one record.
#[derive(Clone, Copy, Debug)]
struct Said {
    member: u32,
    begun: u64,
    ended: u64,
    verdict: Verdict,
    answer: Answer,
}

impl Said {
    /// Whether it may have been carried out.
    fn may_count(&self) -> bool {
        self.answer != Answer::Refused
    }

    fn is_confirmed(&self) -> bool {
        self.answer == Answer::Confirmed
    }

    /// Whether nothing is to come after it.
    fn is_last(&self) -> bool {
        matches!(self.verdict, Verdict::Accept | Verdict::Reject)
    }
}

/// What became of one record, in the order of the requests.
#[derive(Default)]
struct Life {
    taken: Vec<Taken>,
    said: Vec<Said>,
}

impl Display for Life {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Taken { member, begun, ended, count } in &self.taken {
            write!(f, "; {begun}-{ended} to {member} #{count}")?;
        }
        for Said { member, begun, ended, verdict, answer } in &self.said {
            write!(f, "; {begun}-{ended} {verdict:?} of {member}: {answer:?}")?;
        }
        Ok(())
    }
}

/// The history by record.
struct Index<'a> {
    queue: &'a Queue,
    lives: BTreeMap<Place, Life>,
    /// When members left.
    left: HashMap<u32, u64>,
    /// When fetches went unanswered.
    missed: Vec<u64>,
    /// When the group may have finished everything before a record, by record.
    before: BTreeMap<Place, u64>,
}

impl<'a> Index<'a> {
    fn of(queue: &'a Queue) -> Index<'a> {
        let mut index = Index {
            queue,
            lives: BTreeMap::new(),
            left: HashMap::new(),
            missed: Vec::new(),
            before: BTreeMap::new(),
        };
        for event in &queue.events {
            let &Event { member, begun, ended, ref deed } = event;
            match deed {
                Deed::Take(records) => {
                    for &Delivered { record, count } in records {
                        let life = index.lives.entry((record.partition, record.offset));
                        life.or_default().taken.push(Taken { member, begun, ended, count });
                    }
                }
                Deed::Give(given) => {
                    for &Given { place, verdict, answer } in given {
                        let said = Said { member, begun, ended, verdict, answer };
                        index.lives.entry(place).or_default().said.push(said);
                    }
                }
                Deed::Miss => index.missed.push(ended),
                Deed::Leave => {
                    index.left.insert(member, begun);
                }
            }
        }
        for life in index.lives.values_mut() {
            life.taken.sort_by_key(|taken| taken.begun);
            life.said.sort_by_key(|said| said.begun);
        }
        index.note_starts();
        index
    }

    fn note_starts(&mut self) {
        let delivered = self.lives.iter().filter(|(_, life)| !life.taken.is_empty());
        let mut places: BTreeSet<Place> = delivered.map(|(place, _)| *place).collect();
        let end = self.queue.log.end.iter();
        places.extend(end.map(|record| (record.partition, record.offset)));
        let (mut partition, mut before) = (-1, 0);
        for place in places {
            if place.0 != partition {
                (partition, before) = (place.0, 0);
            }
            self.before.insert(place, before);
            let life = self.lives.get(&place);
            before = before.max(life.map_or(u64::MAX, |life| self.finished(life, None)));
        }
    }

    /// When a record may have been finished at the earliest, by other words than these.
    fn finished(&self, life: &Life, but: Option<&Said>) -> u64 {
        let said = life.said.iter().filter(|said| said.is_last() && said.may_count());
        let said = said.filter(|said| but.is_none_or(|but| !std::ptr::eq(*said, but)));
        let limit = self.queue.policy.limit;
        let worn = life.taken.iter().filter(|taken| taken.count >= limit);
        let times = said.map(|said| said.begun).chain(worn.map(|taken| taken.begun));
        times.min().unwrap_or(u64::MAX)
    }

    /// Whether the broker may have confirmed it without a look at the record, as it lies before
    /// everything that the group has not finished.
    fn may_be_past(&self, said: &Said, place: Place, life: &Life) -> bool {
        let before = self.before.get(&place).copied().unwrap_or(u64::MAX);
        before.max(self.finished(life, Some(said))) <= said.ended
    }

    /// Whether this was confirmed, and not unseen.
    fn has_ended(&self, verdict: Verdict, place: Place) -> bool {
        let Some(life) = self.lives.get(&place) else { return false };
        let mut said = life.said.iter().filter(|said| said.verdict == verdict);
        said.any(|said| said.is_confirmed() && !self.may_be_past(said, place, life))
    }

    /// Whether a leader may have delivered it that has been replaced and does not know it yet.
    fn may_be_stale(&self, taken: &Taken) -> bool {
        self.queue.downs.iter().any(|down| taken.begun < down.1 && taken.ended > down.0)
    }

    fn was_down(&self, from: u64, to: u64) -> bool {
        self.queue.downs.iter().any(|&(begun, ended)| begun <= to && ended >= from)
    }

    fn has_left(&self, member: u32, by: u64) -> bool {
        self.left.get(&member).is_some_and(|left| *left <= by)
    }

    /// Until when the member certainly has what it has taken.
    fn held_until(&self, taken: &Taken, life: &Life) -> u64 {
        let mut until = taken.begun + self.queue.policy.lock;
        let own = life.said.iter().filter(|said| said.member == taken.member);
        let own: Vec<&Said> = own.filter(|said| said.begun >= taken.begun).collect();
        for said in own.iter().filter(|said| said.verdict == Verdict::Renew) {
            if said.is_confirmed() && said.ended < until {
                until = until.max(said.begun + self.queue.policy.lock);
            }
        }
        let given = own.iter().filter(|said| said.verdict != Verdict::Renew && said.may_count());
        let given = given.map(|said| said.begun);
        let down = self.queue.downs.iter().filter(|down| down.1 >= taken.begun);
        let down = down.map(|down| down.0.max(taken.begun));
        let left = self.left.get(&taken.member).copied();
        given.chain(down).chain(left).fold(until, u64::min)
    }
}

/// Ends that are none.
fn ends(place: Place, life: &Life, index: &Index<'_>) -> Vec<Anomaly> {
    let (partition, offset) = place;
    let mut found = Vec::new();
    let confirmed = life.said.iter().filter(|said| said.is_confirmed());
    let effective = confirmed.clone().filter(|said| !index.may_be_past(said, place, life));
    let finished = confirmed.filter(|said| said.is_last());
    if effective.clone().filter(|said| said.is_last()).count() > 1 {
        found.push((Kind::FinishedTwice, format!("{partition}/{offset}{life}")));
    }
    let end = finished.map(|said| said.ended).min().unwrap_or(u64::MAX);
    if life.taken.iter().any(|taken| taken.begun > end && !index.may_be_stale(taken)) {
        found.push((Kind::DeliveredAfterEnd, format!("{partition}/{offset}{life}")));
    }
    let strangers = effective.filter(|said| !had(said, life));
    found.extend(strangers.map(|said| {
        let what = format!("{partition}/{offset} by {}{life}", said.member);
        (Kind::StrangersAcknowledgement, what)
    }));
    found
}

/// Whether the member may have had the record when it said that: it got it, and nobody else has
/// certainly got it since.
fn had(said: &Said, life: &Life) -> bool {
    let own = life.taken.iter().filter(|taken| taken.member == said.member);
    let own = own.filter(|taken| taken.begun <= said.ended).max_by_key(|taken| taken.ended);
    own.is_some_and(|own| {
        let since = |taken: &&Taken| taken.begun > own.ended && taken.ended < said.begun;
        !life.taken.iter().any(|taken| since(&taken))
    })
}

/// Deliveries while another one's lock holds.
fn locks((partition, offset): Place, life: &Life, index: &Index<'_>) -> Option<Anomaly> {
    let held: Vec<u64> = life.taken.iter().map(|taken| index.held_until(taken, life)).collect();
    let (first, second) = pairs(&life.taken).find(|&(first, second)| {
        let (one, other) = (&life.taken[first], &life.taken[second]);
        // Requests that overlap may have been carried out the other way round.
        let may_precede = other.begun <= one.ended && held[second] <= one.ended;
        other.ended < held[first] && !may_precede
    })?;
    let members = format!("{} and {}", life.taken[first].member, life.taken[second].member);
    Some((Kind::SharedLock, format!("{partition}/{offset} to {members}{life}")))
}

/// All pairs of an earlier and a later one, by their places.
fn pairs(taken: &[Taken]) -> impl Iterator<Item = (usize, usize)> {
    (0..taken.len()).flat_map(|first| (first + 1..taken.len()).map(move |second| (first, second)))
}

/// Delivery counts that do not grow.
fn counts((partition, offset): Place, life: &Life, index: &Index<'_>) -> Vec<Anomaly> {
    let mut kinds = BTreeSet::new();
    for (first, second) in pairs(&life.taken) {
        let (first, second) = (&life.taken[first], &life.taken[second]);
        let is_explained = || {
            index.was_down(first.begun, second.ended) || index.has_left(first.member, second.ended)
        };
        if second.begun <= first.ended {
            continue;
        }
        if second.count < first.count {
            if !index.may_be_stale(first) && !index.may_be_stale(second) {
                kinds.insert(Kind::FallenCount);
            }
        } else if second.count == first.count && !is_explained() {
            kinds.insert(Kind::RepeatedCount);
        }
    }
    if life.taken.iter().any(|taken| taken.count > index.queue.policy.limit) {
        kinds.insert(Kind::ExcessiveDelivery);
    }
    kinds.into_iter().map(|kind| (kind, format!("{partition}/{offset}{life}"))).collect()
}

/// Refusals without a reason. A request is refused for a whole partition, so that one record can
/// be the reason for the refusal of others.
fn refusals(queue: &Queue, index: &Index<'_>) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for event in &queue.events {
        let Deed::Give(given) = &event.deed else { continue };
        let refused: Vec<&Given> =
            given.iter().filter(|given| given.answer == Answer::Refused).collect();
        let partitions: BTreeSet<i32> = refused.iter().map(|given| given.place.0).collect();
        for partition in partitions {
            let mut of = refused.iter().filter(|given| given.place.0 == partition);
            if of.clone().all(|given| is_held(event, given.place, index)) {
                let (_, offset) = of.next().expect("a partition with a refusal").place;
                let life = &index.lives[&(partition, offset)];
                found.push((Kind::LostLock, format!("{partition}/{offset}{life}")));
            }
        }
    }
    found
}

/// Whether the member certainly had the record until the answer.
fn is_held(event: &Event, place: Place, index: &Index<'_>) -> bool {
    let life = &index.lives[&place];
    let mut own = life.taken.iter().filter(|taken| taken.member == event.member);
    let last = own.rfind(|taken| taken.ended <= event.begun);
    last.is_some_and(|taken| {
        let others = life.said.iter().filter(|said| {
            said.member == event.member && said.begun > taken.begun && said.begun < event.begun
        });
        index.held_until(taken, life) > event.ended
            && others.filter(|said| said.verdict != Verdict::Renew).count() == 0
    })
}

/// A send as far as its delivery is concerned.
struct Sent {
    place: (i32, Option<i64>),
    outcome: Outcome,
}

fn sends(queue: &Queue) -> HashMap<Value, Sent> {
    let mut sent = HashMap::new();
    for operation in &queue.log.operations {
        for step in &operation.steps {
            if let &Step::Send { partition, offset, value, .. } = step {
                let outcome = operation.outcome;
                sent.insert(value, Sent { place: (partition, offset), outcome });
            }
        }
    }
    sent
}

/// Deliveries of what was not sent, or not yet.
fn deliveries(queue: &Queue, index: &Index<'_>) -> Vec<Anomaly> {
    let sent = sends(queue);
    let mut found = Vec::new();
    for event in &queue.events {
        let Deed::Take(records) = &event.deed else { continue };
        for Delivered { record, .. } in records {
            let life = &index.lives[&(record.partition, record.offset)];
            let what = || format!("{record}{life}");
            let Some(Sent { place: (partition, offset), outcome }) = sent.get(&record.value) else {
                found.push((Kind::PhantomDelivery, what()));
                continue;
            };
            let is_there = *partition == record.partition
                && offset.is_none_or(|offset| offset == record.offset);
            if !is_there {
                found.push((Kind::PhantomDelivery, what()));
            }
            match *outcome {
                Outcome::Aborted => found.push((Kind::AbortedDelivery, what())),
                Outcome::Committed { asked } | Outcome::Unknown { asked }
                    if event.ended < asked =>
                {
                    found.push((Kind::UncommittedDelivery, what()));
                }
                _ => {}
            }
        }
    }
    found
}

/// What the log holds and what was acknowledged.
fn records(queue: &Queue) -> BTreeMap<Place, Value> {
    let end = queue.log.end.iter().map(|record| ((record.partition, record.offset), record.value));
    let sent = sends(queue).into_iter().filter_map(|(value, sent)| {
        let stays = matches!(sent.outcome, Outcome::Alone | Outcome::Committed { .. });
        let (partition, offset) = sent.place;
        offset.filter(|_| stays).map(|offset| ((partition, offset), value))
    });
    end.chain(sent).collect()
}

/// Records of which nothing has become, and those without the dead letter that they should have.
fn losses(queue: &Queue, index: &Index<'_>) -> Vec<Anomaly> {
    let nothing = Life::default();
    let letters: BTreeSet<Place> =
        queue.letters.iter().map(|letter| (letter.partition, letter.offset)).collect();
    let mut found = Vec::new();
    for (place, value) in records(queue) {
        let life = index.lives.get(&place).unwrap_or(&nothing);
        let what = || format!("{}/{}={value}{life}", place.0, place.1);
        let ended = |said: &&Said| said.is_last() && said.may_count();
        let has_letter = letters.contains(&place);
        if !life.said.iter().any(|said| ended(&said)) && !has_letter {
            let is_worn = is_worn_out(life, index);
            let kind = if is_worn { Kind::MissingLetter } else { Kind::LostRecord };
            if !is_worn || queue.policy.letters {
                found.push((kind, what()));
            }
        }
        let is_rejected = index.has_ended(Verdict::Reject, place);
        if queue.policy.letters && is_rejected && !has_letter {
            found.push((Kind::MissingLetter, what()));
        }
    }
    found
}

/// Whether it may have been delivered as often as the limit allows, with fetches that were not
/// answered.
fn is_worn_out(life: &Life, index: &Index<'_>) -> bool {
    let most = life.taken.iter().max_by_key(|taken| taken.count);
    let (count, since) = most.map_or((0, 0), |taken| (taken.count, taken.begun));
    let missed = index.missed.iter().filter(|missed| **missed >= since).count();
    usize::try_from(count).unwrap_or(0) + missed
        >= usize::try_from(index.queue.policy.limit).unwrap_or(0)
}

/// Dead letters that should not be.
fn letters(queue: &Queue, index: &Index<'_>) -> Vec<Anomaly> {
    let there = records(queue);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for letter in &queue.letters {
        let place = (letter.partition, letter.offset);
        let life = index.lives.get(&place).map(Life::to_string).unwrap_or_default();
        if !seen.insert(place) && queue.downs.is_empty() {
            found.push((Kind::RepeatedLetter, format!("{letter}{life}")));
        }
        let is_accepted = index.has_ended(Verdict::Accept, place);
        if is_accepted || there.get(&place) != Some(&letter.value) {
            found.push((Kind::FalseLetter, format!("{letter}{life}")));
        }
    }
    found
}
