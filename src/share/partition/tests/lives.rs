//! What happens around deliveries: sessions end, locks end, the log loses its beginning, another
//! broker takes over.

use super::*;

#[test]
fn a_member_that_leaves_gives_back_what_it_has() {
    let mut partition = new();
    get(&mut partition, "a", 5, &[(0, 9)], 0);
    get(&mut partition, "b", 2, &[(0, 9)], 0);
    get(&mut partition, "a", 5, &[(0, 9)], 0);
    let accepted = say(&mut partition, "a", &[(0, 1, &[1])], 0).unwrap().unwrap();
    let write = partition.release("a").unwrap();
    let released = [state(2, 4, State::Available, 1), state(7, 9, State::Available, 1)];
    assert_eq!(write.change.batches, released);
    assert!(partition.release("a").is_none(), "what is being written is not given back again");
    // Nobody gets it before that is written.
    assert_eq!(get(&mut partition, "c", 50, &[(0, 9)], 0), []);
    partition.written(accepted, true);
    partition.written(write, true);
    assert_eq!(get(&mut partition, "c", 50, &[(0, 9)], 0), [(2, 4, 2), (7, 9, 2)]);
    assert_eq!(shown(&partition), "2: 2-4 c 2, 5-6 b 1, 7-9 c 2, 10");
}

#[test]
fn a_lock_that_ends_makes_records_available_at_once() {
    let mut partition = new();
    get(&mut partition, "a", 5, &[(0, 4)], 0);
    get(&mut partition, "b", 5, &[(5, 9)], 1);
    assert!(partition.expire(999).is_none());
    let write = partition.expire(1000).unwrap();
    assert_eq!(write.change.batches, [state(0, 4, State::Available, 1)]);
    assert_eq!(get(&mut partition, "c", 3, &[(0, 4)], 1000), [(0, 2, 2)]);
    // Whether the write succeeds or not, c keeps them.
    let accepted = say(&mut partition, "c", &[(0, 0, &[1])], 1000).unwrap().unwrap();
    partition.written(write, false);
    let then = "0: 0-0 acknowledged?, 1-2 c 2, 3-4 available 1, 5-9 b 1, 10";
    assert_eq!(shown(&partition), then);
    partition.written(accepted, true);
    assert_eq!(partition.next_deadline(), Some(1001));
    let batches = partition.expire(5000).unwrap().change.batches;
    assert_eq!(batches, [state(5, 9, State::Available, 1), state(1, 2, State::Available, 2)]);
    assert_eq!(partition.next_deadline(), None);
}

#[test]
fn what_the_log_has_lost_is_forgotten() {
    let mut partition = new();
    get(&mut partition, "a", 20, &[(0, 9), (10, 19)], 0);
    done(&mut partition, "a", 5, 6, 1);
    let write = say(&mut partition, "a", &[(2, 9, &[1, 1, 1])], 0);
    assert!(write.is_err());
    let write = say(&mut partition, "a", &[(2, 4, &[1]), (7, 9, &[2])], 0).unwrap().unwrap();
    partition.log_start_moved(0);
    partition.log_start_moved(8);
    assert_eq!(shown(&partition), "8: 8-9 available? 1, 10-19 a 1, 20");
    assert_eq!(partition.delivery_complete_count(), 0);
    partition.written(write, false);
    assert_eq!(shown(&partition), "8: 8-19 a 1, 20");
    let write = partition.release("a").unwrap();
    assert_eq!(
        (write.change.start_offset, &write.change.batches[..]),
        (8, &[state(8, 19, State::Available, 1)][..])
    );
    partition.log_start_moved(30);
    assert_eq!(shown(&partition), "30: 30");
    partition.written(write, true);
    assert_eq!(partition.next_fetch_offset(), 30);
    assert_eq!(get(&mut partition, "a", 20, &[(30, 34)], 0), [(30, 34, 1)]);
}

#[test]
fn a_share_partition_goes_on_from_what_was_written() {
    let batches = [
        state(10, 14, State::Acknowledged, 1),
        state(15, 15, State::Archived, 5),
        state(17, 18, State::Available, 2),
        state(21, 22, State::Acknowledged, 1),
        state(23, 24, State::Acquired, 1),
    ];
    let mut partition = reopen(10, &batches).unwrap();
    // What was not written had been acquired, or never existed.
    let opened = "16: 16-16 available 0, 17-18 available 2, 19-20 available 0, \
                  21-22 acknowledged, 23-24 available 1, 25";
    assert_eq!(shown(&partition), opened);
    assert_eq!((partition.next_fetch_offset(), partition.delivery_complete_count()), (16, 2));
    let again = [(17, 18, 3), (19, 20, 1), (23, 24, 2)];
    assert_eq!(get(&mut partition, "a", 50, &[(17, 19), (23, 24)], 0), again[..]);
    // There was nothing at 16. Of 20 the member has to say so.
    done(&mut partition, "a", 17, 20, 0);
    assert_eq!(partition.start_offset(), 23);

    assert_eq!(shown(&reopen(7, &[]).unwrap()), "7: 7");
    assert_eq!(shown(&reopen(0, &[state(0, 9, State::Archived, 1)]).unwrap()), "10: 10");
}

#[test]
fn a_state_that_cannot_be_is_not_opened() {
    let accepted = state(4, 9, State::Acknowledged, 1);
    let unknown = DeliveryBatch { first: 5, last: 9, state: 5, count: 1 };
    for batch in [accepted, unknown] {
        assert!(matches!(reopen(5, &[batch]), Err(Error::Corrupt { .. })), "{batch:?}");
    }
}

#[test]
fn dead_letters_go_on_their_way_again_after_a_restart() {
    let batches = [
        state(0, 1, State::Archiving, 5),
        state(2, 4, State::Archiving, 1),
        state(5, 9, State::Acknowledged, 1),
    ];
    let mut partition = reopen(0, &batches).unwrap();
    let given_up = |first, last, deliveries, reason| GivenUp { first, last, deliveries, reason };
    let expected =
        [given_up(0, 1, 5, Reason::TooManyDeliveries), given_up(2, 4, 1, Reason::Rejected)];
    assert_eq!(partition.archiving(), expected);
    assert_eq!((partition.start_offset(), partition.delivery_complete_count()), (0, 5));
    let write = partition.archived(&expected[1..]).unwrap();
    assert_eq!((write.change.start_offset, write.change.delivery_complete_count), (0, 8));
    partition.written(write, false);
    assert!(partition.archived(&expected[1..]).is_none());
    let write = partition.archived(&expected[..1]).unwrap();
    partition.written(write, true);
    assert_eq!(shown(&partition), "10: 10");
}

#[test]
fn records_in_the_same_condition_take_no_room() {
    assert!(std::mem::size_of::<Run>() <= 48);
    let mut partition = new();
    partition.settings.max_record_locks = 10_000;
    for batch in 0..100 {
        let first = batch * 100;
        get(&mut partition, "a", 100, &[(first, first + 99)], 0);
    }
    assert_eq!(partition.runs.len(), 1);
    for offset in (0..10_000).step_by(2) {
        done(&mut partition, "a", offset, offset, 1);
    }
    assert_eq!(partition.runs.len(), 9_999);
    for offset in (1..9_999).step_by(2).collect::<Vec<_>>().into_iter().rev() {
        done(&mut partition, "a", offset, offset, 1);
    }
    assert_eq!(shown(&partition), "9999: 9999-9999 a 1, 10000");
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Alone: `cargo test --lib share::tests::lives::a_record -- --ignored`.
#[test]
#[ignore = "it measures the memory of the process, which other tests use too"]
fn a_record_in_flight_takes_less_than_200_bytes() {
    const COUNT: i64 = 500_000;
    let before = resident();
    let mut partition = new();
    partition.settings.max_record_locks = i32::MAX;
    // Each is acquired alone, so none joins the next.
    for offset in 0..COUNT {
        get(&mut partition, "a", 1, &[(offset, offset)], offset);
    }
    assert_eq!(partition.runs.len(), COUNT as usize);
    let fresh = (resident() - before) / COUNT as usize;
    // Then every second one comes back.
    for offset in (0..COUNT).step_by(2) {
        done(&mut partition, "a", offset, offset, 2);
    }
    let mixed = (resident() - before) / COUNT as usize;
    println!("bytes for a record in flight: {fresh}, half of them released: {mixed}");
    assert!(fresh.max(mixed) <= 200, "{fresh}, {mixed}");
}
