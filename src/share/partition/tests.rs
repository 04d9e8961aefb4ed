//! The rules of a share partition, one by one; `model` holds it against one that knows nothing of
//! runs.
#![allow(clippy::unwrap_used)]

mod acknowledging;
mod acquiring;
mod lives;
mod model;

use super::runs::{Run, State};
use super::*;
use crate::coordinator::share::DeliveryBatches;
use std::sync::Arc;

const SETTINGS: ShareSettings = ShareSettings {
    max_record_locks: 100,
    delivery_count_limit: 5,
    lock_duration_ms: 1000,
    may_renew: true,
    keeps_dead_letters: false,
};

/// The first and last offsets of an acknowledgement, and its types.
type Said<'a> = (Offset, Offset, &'a [i8]);

fn member(name: &str) -> Arc<str> {
    Arc::from(name)
}

fn state(first: Offset, last: Offset, state: State, count: i16) -> DeliveryBatch {
    DeliveryBatch { first, last, state: state.id(), count }
}

fn reopen(start_offset: Offset, batches: &[DeliveryBatch]) -> Result<SharePartition> {
    let batches = DeliveryBatches::combine(batches);
    SharePartition::open(&ShareRead { state_epoch: 3, start_offset, batches }, 7, SETTINGS)
}

fn new() -> SharePartition {
    reopen(0, &[]).unwrap()
}

/// What a member gets at `now` if it asks for up to `max_records`, one batch after the other.
fn get(
    partition: &mut SharePartition,
    name: &str,
    max_records: i32,
    batches: &[(Offset, Offset)],
    now: Timestamp,
) -> Vec<(Offset, Offset, i16)> {
    let member = &member(name);
    let mode = AcquireMode::RecordLimit;
    let asked = AcquireRequest { member, max_records, batch_size: i32::MAX, mode };
    let seen = ReadBatches { from: partition.next_fetch_offset(), batches, aborted: &[] };
    plain(partition.acquire(&asked, &seen, now))
}

fn plain(acquired: Vec<Acquired>) -> Vec<(Offset, Offset, i16)> {
    acquired.into_iter().map(|a| (a.first, a.last, a.deliveries)).collect()
}

fn say(
    partition: &mut SharePartition,
    name: &str,
    batches: &[Said],
    now: Timestamp,
) -> Result<Option<StateWrite>> {
    let batches: Vec<_> = batches
        .iter()
        .map(|(first, last, types)| Acknowledgement { first: *first, last: *last, types })
        .collect();
    partition.acknowledge(name, &batches, now)
}

/// As `say`, for one batch of one type; and it is written.
fn done(partition: &mut SharePartition, name: &str, first: Offset, last: Offset, kind: i8) {
    let write = say(partition, name, &[(first, last, &[kind])], 0).unwrap().unwrap();
    partition.written(write, true);
}

/// The runs as `first-last state`, with the member or the number of deliveries, and where the
/// partition starts and ends. What is being written has a `?`.
fn shown(partition: &SharePartition) -> String {
    let run = |(first, run): (Offset, &Run)| {
        let pending = if run.is_pending { "?" } else { "" };
        let state = match run.state {
            State::Available => format!("available{pending} {}", run.deliveries),
            State::Acquired => {
                format!("{}{pending} {}", run.member.as_ref().unwrap(), run.deliveries)
            }
            State::Acknowledged => format!("acknowledged{pending}"),
            State::Archiving => format!("archiving{pending} {}", run.deliveries),
            State::Archived => format!("archived{pending}"),
        };
        format!("{first}-{} {state}, ", run.last)
    };
    let runs: String = partition.runs.iter().map(run).collect();
    format!("{}: {runs}{}", partition.start, partition.end)
}
