//! Who gets what.

use super::*;

#[test]
fn a_member_gets_what_nobody_has() {
    let mut partition = new();
    assert_eq!(get(&mut partition, "a", 10, &[(0, 4)], 0), [(0, 4, 1)]);
    assert_eq!(get(&mut partition, "b", 10, &[(0, 4), (5, 9)], 0), [(5, 9, 1)]);
    assert_eq!(get(&mut partition, "c", 10, &[(0, 4), (5, 9)], 0), []);
    assert_eq!(get(&mut partition, "c", 10, &[], 0), []);
    assert_eq!(get(&mut partition, "c", 0, &[(10, 14)], 0), []);
    assert_eq!(shown(&partition), "0: 0-4 a 1, 5-9 b 1, 10");
    assert_eq!(partition.next_fetch_offset(), 10);
}

#[test]
fn a_record_limit_is_exact_and_otherwise_batches_stay_whole() {
    let (mut exact, mut whole) = (new(), new());
    let batches = &[(0, 9), (10, 19), (20, 29)];
    assert_eq!(get(&mut exact, "a", 12, batches, 0), [(0, 11, 1)]);
    assert_eq!(get(&mut exact, "b", 12, batches, 0), [(12, 23, 1)]);

    let (a, mode) = (&member("a"), AcquireMode::BatchOptimized);
    let asked = AcquireRequest { member: a, max_records: 12, batch_size: 100, mode };
    let seen = ReadBatches { from: 0, batches, aborted: &[] };
    assert_eq!(plain(whole.acquire(&asked, &seen, 0)), [(0, 19, 1)]);
    // Each range is as large as the member likes it, or ends with a batch.
    let asked = AcquireRequest { max_records: 100, batch_size: 12, ..asked };
    let seen = ReadBatches { batches: &[(20, 26), (27, 33), (34, 40), (41, 90)], ..seen };
    assert_eq!(plain(whole.acquire(&asked, &seen, 0)), [(20, 33, 1), (34, 90, 1)]);
}

#[test]
fn released_records_come_first_and_before_the_start_there_is_nothing() {
    let mut partition = new();
    get(&mut partition, "a", 10, &[(0, 9)], 0);
    done(&mut partition, "a", 0, 2, 1);
    done(&mut partition, "a", 4, 5, 2);
    assert_eq!(shown(&partition), "3: 3-3 a 1, 4-5 available 1, 6-9 a 1, 10");
    assert_eq!(partition.next_fetch_offset(), 4);
    assert_eq!(get(&mut partition, "b", 9, &[(0, 9), (10, 12)], 0), [(4, 5, 2), (10, 12, 1)]);

    let mut partition = reopen(5, &[]).unwrap();
    assert_eq!(get(&mut partition, "a", 10, &[(0, 7)], 0), [(5, 7, 1)]);
    assert_eq!(get(&mut partition, "a", 10, &[(0, 4)], 0), [], "a read from long ago");
}

#[test]
fn only_so_many_records_are_in_flight() {
    let mut partition = new();
    partition.settings.max_record_locks = 10;
    assert_eq!(get(&mut partition, "a", 50, &[(0, 29)], 0), [(0, 9, 1)]);
    assert!(!partition.can_acquire());
    assert_eq!(get(&mut partition, "b", 50, &[(0, 29)], 0), []);
    // What is in the middle can be delivered again.
    done(&mut partition, "a", 3, 4, 2);
    assert!(partition.can_acquire());
    assert_eq!(get(&mut partition, "b", 50, &[(0, 29)], 0), [(3, 4, 2)]);
    assert!(!partition.can_acquire());
    // The start makes room; to keep a batch whole, a bit more is delivered.
    done(&mut partition, "a", 0, 2, 1);
    assert!(partition.can_acquire());
    let (a, mode) = (&member("a"), AcquireMode::BatchOptimized);
    let asked = AcquireRequest { member: a, max_records: 50, batch_size: 100, mode };
    let seen = ReadBatches { from: 10, batches: &[(0, 29), (30, 39)], aborted: &[] };
    assert_eq!(plain(partition.acquire(&asked, &seen, 0)), [(10, 29, 1)]);
}

#[test]
fn offsets_without_records_are_passed_over() {
    let mut partition = new();
    // The log begins later, and its second batch is gone.
    assert_eq!(get(&mut partition, "a", 5, &[(2, 4)], 0), [(2, 4, 1)]);
    assert_eq!(get(&mut partition, "a", 5, &[(8, 9)], 0), [(8, 9, 1)]);
    assert_eq!(shown(&partition), "2: 2-4 a 1, 8-9 a 1, 10");
    // An acknowledgement may cross what is not there.
    done(&mut partition, "a", 3, 8, 1);
    assert_eq!(shown(&partition), "2: 2-2 a 1, 3-4 acknowledged, 8-8 acknowledged, 9-9 a 1, 10");
    done(&mut partition, "a", 2, 2, 1);
    assert_eq!(shown(&partition), "9: 9-9 a 1, 10");
}

#[test]
fn released_records_that_were_compacted_are_given_up() {
    let mut partition = new();
    get(&mut partition, "a", 20, &[(0, 9)], 0);
    done(&mut partition, "a", 0, 9, 2);
    assert_eq!(get(&mut partition, "b", 20, &[(6, 12)], 0), [(6, 9, 2), (10, 12, 1)]);
    assert_eq!(shown(&partition), "6: 6-9 b 2, 10-12 b 1, 13");
}

#[test]
fn aborted_transactions_are_not_delivered() {
    let mut partition = new();
    let (a, mode) = (&member("a"), AcquireMode::BatchOptimized);
    let asked = AcquireRequest { member: a, max_records: 50, batch_size: 100, mode };
    let seen = ReadBatches { from: 0, batches: &[(0, 4), (5, 9), (10, 14)], aborted: &[(0, 4)] };
    assert_eq!(plain(partition.acquire(&asked, &seen, 0)), [(5, 14, 1)]);
    assert_eq!(shown(&partition), "5: 5-14 a 1, 15");
    let seen =
        ReadBatches { from: 15, batches: &[(15, 19), (20, 29)], aborted: &[(15, 19), (20, 29)] };
    assert_eq!(plain(partition.acquire(&asked, &seen, 0)), []);
    assert_eq!(shown(&partition), "5: 5-14 a 1, 15-29 archived, 30");
    assert_eq!(partition.delivery_complete_count(), 15);
    // What was not asked for is read again.
    let asked = AcquireRequest { max_records: 2, mode: AcquireMode::RecordLimit, ..asked };
    let seen = ReadBatches { from: 30, batches: &[(30, 34), (35, 39)], aborted: &[(30, 34)] };
    assert_eq!(plain(partition.acquire(&asked, &seen, 0)), [(35, 36, 1)]);
    assert_eq!(partition.next_fetch_offset(), 37);
}

/// Releases all of 0 to 9 again and again; `deliveries` are the ranges of each round.
#[track_caller]
fn check_rounds(limit: i16, rounds: &[(Offset, Offset, i16)]) {
    let mut partition = new();
    partition.settings.delivery_count_limit = limit;
    for round in rounds {
        assert_eq!(get(&mut partition, "a", 50, &[(0, 9)], 0), [*round]);
        done(&mut partition, "a", round.0, round.1, 2);
    }
}

#[test]
fn records_that_fail_again_and_again_are_delivered_in_smaller_parts() {
    let halves = [(0, 9, 1), (0, 9, 2), (0, 9, 3), (0, 4, 4), (0, 0, 5), (1, 1, 5)];
    check_rounds(5, &halves);
    let then = [(2, 2, 5), (3, 3, 5), (4, 4, 5), (5, 9, 4), (5, 5, 5), (6, 6, 5)];
    check_rounds(5, &[&halves[..], &then].concat());
    check_rounds(2, &[(0, 9, 1), (0, 9, 2)]);
    check_rounds(3, &[(0, 9, 1), (0, 9, 2), (0, 0, 3), (1, 1, 3)]);
    let of_8 = [(0, 9, 1), (0, 9, 2), (0, 9, 3), (0, 9, 4), (0, 4, 5), (0, 1, 6), (0, 0, 7)];
    check_rounds(8, &of_8);
}

#[test]
fn a_record_that_may_be_bad_is_delivered_without_others() {
    let mut partition =
        reopen(0, &[state(0, 0, State::Available, 1), state(1, 4, State::Available, 3)]).unwrap();
    let batches = &[(0, 4), (5, 9)];
    assert_eq!(get(&mut partition, "a", 50, batches, 0), [(0, 0, 2)]);
    assert_eq!(get(&mut partition, "a", 50, batches, 0), [(1, 2, 4)]);
    assert_eq!(get(&mut partition, "a", 50, batches, 0), [(3, 4, 4)]);
    assert_eq!(get(&mut partition, "a", 50, batches, 0), [(5, 9, 1)]);
}
