//! The workload of a share group: members that take records, accept, release, reject, renew or
//! forget them, leave and die, while what they are to get is written by the senders and the
//! transactions of the other workload.

pub mod check;
pub mod history;
mod letters;
mod member;
#[cfg(test)]
mod tests;

use crate::client::{Client, GaveUp};
use crate::end;
use crate::workload::{Run, SOURCES, WRITERS};
use history::{Deed, Event, Place, Policy, Queue, Verdict};
use member::Member;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const GROUP: &str = "checker-queue";
const LETTER_TOPIC: &str = "dlq.checker";
const LETTER_PARTITIONS: i32 = 2;
const MEMBERS: u32 = 8;
const LOCK_MS: u64 = 2_000;
const DELIVERY_LIMIT: i16 = 5;
/// After so much time without a delivery nothing more will come: locks of members that have died
/// end, and the coordinator notices that they have gone.
const SILENCE: Duration = Duration::from_millis(LOCK_MS + 6_000);

/// Until then all brokers of a cluster know how the group is configured.
const SPREAD: Duration = Duration::from_secs(1);

/// What the members share.
pub struct Group<'a> {
    pub run: &'a Run,
    pub events: Mutex<Vec<Event>>,
    /// The record that was delivered last.
    pub taken: Mutex<Option<Place>>,
    /// How many members there were.
    pub members: AtomicU32,
    /// Everything is sent: what comes is accepted.
    pub is_draining: AtomicBool,
    pub is_drained: AtomicBool,
    /// When something was delivered for the last time.
    pub delivered: AtomicU64,
}

/// Runs the workload; None if the broker gave no answers to the end. `downs` is asked in the end
/// when the broker was down.
pub fn run(
    run: &Run,
    time: Duration,
    letters: bool,
    downs: impl FnOnce() -> Vec<(u64, u64)>,
) -> Result<Queue, GaveUp> {
    run.create_topics()?;
    configure(&mut run.connect(), letters)?;
    let group = Group {
        run,
        events: Mutex::default(),
        taken: Mutex::default(),
        members: AtomicU32::new(0),
        is_draining: AtomicBool::new(false),
        is_drained: AtomicBool::new(false),
        delivered: AtomicU64::new(0),
    };
    let mut log = std::thread::scope(|scope| {
        for number in 0..MEMBERS {
            let group = &group;
            scope.spawn(move || Member::live(group, number));
        }
        run.drive(time, WRITERS);
        let log = end::read_log(run, 0..SOURCES);
        group.drain();
        log
    })?;
    log.operations = run.operations();
    let mut events = group.events.into_inner().expect("no member has panicked");
    events.sort_by_key(|event| event.begun);
    let policy = Policy { lock: LOCK_MS * 1000, limit: DELIVERY_LIMIT, letters };
    let letters =
        if letters { letters::read(run, LETTER_TOPIC, LETTER_PARTITIONS)? } else { Vec::new() };
    Ok(Queue { policy, log, events, downs: downs(), letters })
}

/// The group, and the topic for its dead letters.
fn configure(client: &mut Client, letters: bool) -> Result<(), GaveUp> {
    let (lock, limit) = (LOCK_MS.to_string(), DELIVERY_LIMIT.to_string());
    let mut configs = vec![
        ("share.auto.offset.reset", "earliest"),
        ("share.isolation.level", "read_committed"),
        ("share.record.lock.duration.ms", &lock),
        ("share.delivery.count.limit", &limit),
    ];
    if letters {
        client.raise_feature("share.version", 2)?;
        client.create_topic(LETTER_TOPIC, LETTER_PARTITIONS)?;
        client.alter_configs(
            2,
            LETTER_TOPIC,
            &[("errors.deadletterqueue.group.enable", "true")],
        )?;
        configs.push(("errors.deadletterqueue.topic.name", LETTER_TOPIC));
        configs.push(("errors.deadletterqueue.copy.record.enable", "true"));
    }
    client.alter_configs(32, GROUP, &configs)?;
    sleep(SPREAD);
    Ok(())
}

impl Group<'_> {
    /// Waits until nothing has come for a while.
    fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        self.delivered.fetch_max(self.run.now(), Ordering::Relaxed);
        let silence = SILENCE.as_micros() as u64;
        while self.run.now() < self.delivered.load(Ordering::Relaxed) + silence
            && Instant::now() < self.run.give_up
        {
            sleep(Duration::from_millis(50));
        }
        self.is_drained.store(true, Ordering::Relaxed);
    }

    pub fn note(&self, event: Event) {
        if matches!(event.deed, Deed::Take(_)) {
            self.delivered.fetch_max(event.ended, Ordering::Relaxed);
        }
        self.events.lock().expect("no member has panicked").push(event);
    }
}

/// What was done, in one line.
pub fn summary(queue: &Queue) -> String {
    let (mut taken, mut again) = (0, 0);
    let mut said = [0; 4];
    for event in &queue.events {
        match &event.deed {
            Deed::Take(records) => {
                taken += records.len();
                again += records.iter().filter(|record| record.count > 1).count();
            }
            Deed::Give(given) => {
                for given in given.iter().filter(|given| given.answer == history::Answer::Confirmed)
                {
                    said[given.verdict as usize] += 1;
                }
            }
            Deed::Miss | Deed::Leave => {}
        }
    }
    let of = |verdict: Verdict| said[verdict as usize];
    format!(
        "{} records in the log, {taken} deliveries, {again} of them again; {} accepted, {} released, \
         {} rejected, {} renewed; {} dead letters; down {} times",
        queue.log.end.len(),
        of(Verdict::Accept),
        of(Verdict::Release),
        of(Verdict::Reject),
        of(Verdict::Renew),
        queue.letters.len(),
        queue.downs.len(),
    )
}
