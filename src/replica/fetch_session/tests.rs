//! The rules of KIP-227: what is reported, in which order, and which session is replaced.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::types::NO_EPOCH;

const NOW: Timestamp = 1_700_000_000_000;

fn key(partition: i32) -> FetchKey {
    FetchKey { topic: TopicKey::Name("t".into()), partition }
}

fn asked(fetch_offset: Offset) -> PartitionFetch {
    PartitionFetch {
        fetch_offset,
        max_bytes: 1 << 20,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        log_start: -1,
    }
}

fn session(partitions: i32) -> FetchSession {
    let mut session = FetchSession::new(false);
    session.update((0..partitions).map(|p| (key(p), asked(0))).collect(), &[]);
    session
}

fn pending(session: &mut FetchSession) -> Vec<i32> {
    let slots = session.pending();
    slots.into_iter().map(|slot| session.slot(slot).key.partition).collect()
}

fn told(high_watermark: Offset, has_records: bool) -> Reported {
    let offsets = Offsets {
        log_start: 0,
        log_end: high_watermark,
        high_watermark,
        last_stable: high_watermark,
    };
    Reported { offsets, has_records, ..Reported::default() }
}

#[test]
fn partitions_are_added_updated_and_forgotten() {
    let mut session = session(3);
    assert_eq!(pending(&mut session), [0, 1, 2]);
    session.update(vec![(key(1), asked(7)), (key(9), asked(1))], &[key(0), key(5)]);
    assert_eq!(session.len(), 3);
    assert_eq!(pending(&mut session), [1, 2, 9]);
    let slot = session.pending()[0];
    assert_eq!(session.slot(slot).asked.fetch_offset, 7);
    // The slot of a forgotten partition is used again.
    session.update(vec![(key(0), asked(0))], &[]);
    assert_eq!(session.slots.len(), 4);
    session.update(vec![], &[key(0), key(1), key(2), key(9)]);
    assert!(session.is_empty() && pending(&mut session).is_empty());
}

#[test]
fn who_was_answered_with_records_goes_to_the_end() {
    let mut session = session(3);
    let first = session.pending()[0];
    assert!(session.answered(first, &told(5, true)));
    assert_eq!(pending(&mut session), [1, 2, 0]);
}

#[test]
fn only_news_is_told() {
    let mut session = session(1);
    let slot = session.pending()[0];
    assert!(session.answered(slot, &told(5, false)), "the high watermark is new");
    assert!(!session.answered(slot, &told(5, false)));
    assert!(session.answered(slot, &told(6, false)), "the high watermark moved");
    let mut moved_start = told(6, false);
    moved_start.offsets.log_start = 2;
    assert!(session.answered(slot, &moved_start), "the log start moved");
    assert!(!session.answered(slot, &moved_start));
    assert!(session.answered(slot, &Reported { sends_elsewhere: true, ..moved_start }));
    assert!(session.answered(slot, &moved_start), "a follower that has truncated has to learn it");
    let failed = Reported { has_error: true, ..Reported::default() };
    assert!(session.answered(slot, &failed));
    assert!(session.answered(slot, &failed), "errors are told each time");
    assert!(session.answered(slot, &moved_start), "and that they went away");
}

#[test]
fn a_partition_that_nobody_watches_stays_to_be_looked_at() {
    let mut session = session(1);
    let slot = session.pending()[0];
    session.answered(slot, &told(0, false));
    assert_eq!(pending(&mut session), [0]);
}

#[test]
fn another_isolation_level_looks_at_everything() {
    let mut session = session(2);
    session.pending.clear();
    session.set_isolation(Isolation::HighWatermark);
    assert_eq!(pending(&mut session), [] as [i32; 0]);
    session.set_isolation(Isolation::Committed);
    assert_eq!(pending(&mut session), [0, 1]);
}

#[test]
fn quiet_partitions_are_looked_at_seldom() {
    let mut session = session(2);
    for slot in session.pending() {
        session.slot_mut(slot).is_in_sync = slot == 0;
    }
    let mut looked_at = |now| {
        session.pending.clear();
        session.look_again(now);
        pending(&mut session)
    };
    let none: [i32; 0] = [];
    assert_eq!(looked_at(NOW), [0, 1]);
    assert_eq!(looked_at(NOW + LOOK_MS - 1), none);
    assert_eq!(looked_at(NOW + LOOK_MS), [1], "it may join");
    assert_eq!(looked_at(NOW + 2 * LOOK_MS - 1), none);
    assert_eq!(looked_at(NOW + LOOK_AT_ALL_MS), [0, 1]);
}

fn insert(sessions: &FetchSessions, size: i32, from_follower: bool, now: Timestamp) -> i32 {
    sessions.insert(&Arc::new(Mutex::new(session(size))), from_follower, now)
}

fn is_here(sessions: &FetchSessions, id: i32) -> bool {
    sessions.get(id).is_ok()
}

#[test]
fn a_new_session_has_an_id_and_expects_epoch_one() {
    let sessions = FetchSessions::new(2);
    let id = insert(&sessions, 1, false, 0);
    assert!(id > 0);
    assert_eq!(lock(&sessions.get(id).unwrap()).epoch, 1);
    assert_eq!(sessions.get(0).unwrap_err(), ResponseError::FetchSessionIdNotFound);
    sessions.remove(id);
    assert!(sessions.is_empty());
}

#[test]
fn a_full_cache_refuses_while_all_sessions_are_young() {
    let sessions = FetchSessions::new(2);
    let (a, b) = (insert(&sessions, 1, false, 0), insert(&sessions, 1, false, 0));
    assert_eq!(insert(&sessions, 100, false, EVICTION_MS), 0);
    assert!(is_here(&sessions, a) && is_here(&sessions, b));
}

#[test]
fn a_stale_session_gives_way_to_any() {
    let sessions = FetchSessions::new(2);
    let (a, b) = (insert(&sessions, 100, false, 0), insert(&sessions, 1, false, 1));
    sessions.touch(b, 1, 100_000);
    assert_ne!(insert(&sessions, 1, false, EVICTION_MS + 1), 0);
    assert!(!is_here(&sessions, a) && is_here(&sessions, b));
}

#[test]
fn a_smaller_old_session_gives_way_to_a_larger_new_one() {
    let sessions = FetchSessions::new(2);
    let (a, b) = (insert(&sessions, 2, false, 0), insert(&sessions, 3, false, 0));
    for id in [a, b] {
        sessions.touch(id, if id == a { 2 } else { 3 }, EVICTION_MS + 1);
    }
    assert_eq!(insert(&sessions, 1, false, EVICTION_MS + 2), 0, "it is worth less than both");
    assert_ne!(insert(&sessions, 5, false, EVICTION_MS + 2), 0);
    assert!(!is_here(&sessions, a) && is_here(&sessions, b));
}

#[test]
fn a_follower_takes_a_consumers_place_but_no_young_followers() {
    let sessions = FetchSessions::new(1);
    let consumer = insert(&sessions, 100, false, 0);
    let follower = insert(&sessions, 1, true, 1);
    assert_ne!(follower, 0);
    assert!(!is_here(&sessions, consumer));
    assert_eq!(insert(&sessions, 100, true, 2), 0);
    assert_eq!(insert(&sessions, 100, false, 2), 0);
}

#[test]
fn sessions_remember_only_so_many_partitions_together() {
    let sessions = FetchSessions::new(10);
    let (a, b) = (insert(&sessions, 1, false, 0), insert(&sessions, 1, false, 0));
    sessions.touch(a, PARTITIONS_MAX - 1, 1);
    assert_eq!(insert(&sessions, 1, false, 2), 0);
    sessions.touch(b, 2, 3);
    assert!(is_here(&sessions, a) && !is_here(&sessions, b));
    sessions.remove(a);
    assert_ne!(insert(&sessions, 1, false, 4), 0);
}
