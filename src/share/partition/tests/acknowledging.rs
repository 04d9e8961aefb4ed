//! What members say about their records, and what they may not say.

use super::*;
use kafka_protocol::error::ResponseError::{InvalidRecordState, InvalidRequest};

fn code<T: std::fmt::Debug>(result: Result<T>) -> ResponseError {
    match result.unwrap_err() {
        Error::Code(code) | Error::Explained(code, _) => code,
        other => panic!("{other}"),
    }
}

#[test]
fn each_type_has_its_state() {
    let mut partition = new();
    get(&mut partition, "a", 50, &[(0, 9)], 0);
    let types: &[i8] = &[2, 0, 1, 1, 2, 3];
    let write = say(&mut partition, "a", &[(1, 6, types), (8, 9, &[1])], 0).unwrap().unwrap();
    let pending = "0: 0-0 a 1, 1-1 available? 1, 2-2 archived?, 3-4 acknowledged?, \
                   5-5 available? 1, 6-6 archived?, 7-7 a 1, 8-9 acknowledged?, 10";
    assert_eq!(shown(&partition), pending);
    let written = [
        state(1, 1, State::Available, 1),
        state(2, 2, State::Archived, 1),
        state(3, 4, State::Acknowledged, 1),
        state(5, 5, State::Available, 1),
        state(6, 6, State::Archived, 1),
        state(8, 9, State::Acknowledged, 1),
    ];
    assert_eq!(write.change.batches, written);
    assert_eq!(
        (write.change.state_epoch, write.change.start_offset, write.change.delivery_complete_count),
        (3, 0, 6)
    );
    assert_eq!(partition.next_fetch_offset(), 10, "what is being released is not available yet");

    let given_up = partition.written(write, true);
    let rejected = GivenUp { first: 6, last: 6, deliveries: 1, reason: Reason::Rejected };
    assert_eq!(given_up, [rejected]);
    assert_eq!(partition.next_fetch_offset(), 1);
}

#[test]
fn the_start_moves_past_what_is_finished_and_the_next_write_says_so() {
    let mut partition = new();
    get(&mut partition, "a", 50, &[(0, 9)], 0);
    done(&mut partition, "a", 4, 5, 1);
    assert_eq!((partition.start_offset(), partition.delivery_complete_count()), (0, 2));
    done(&mut partition, "a", 0, 3, 3);
    assert_eq!((partition.start_offset(), partition.delivery_complete_count()), (6, 0));
    let write = say(&mut partition, "a", &[(8, 8, &[1])], 0).unwrap().unwrap();
    assert_eq!((write.change.start_offset, write.change.delivery_complete_count), (6, 1));
    partition.written(write, true);
    done(&mut partition, "a", 6, 7, 1);
    done(&mut partition, "a", 9, 9, 0);
    assert_eq!(shown(&partition), "10: 10");
}

/// 0 to 2 are finished; a has 3 to 9 and 15 to 19, b has 20 to 24; a's 8 is being released, and 9
/// is available. There is nothing from 10 to 14.
fn busy() -> (SharePartition, StateWrite) {
    let mut partition = new();
    get(&mut partition, "a", 50, &[(0, 9)], 0);
    get(&mut partition, "a", 50, &[(15, 19)], 0);
    get(&mut partition, "b", 50, &[(20, 24)], 0);
    done(&mut partition, "a", 9, 9, 2);
    done(&mut partition, "a", 0, 2, 1);
    let write = say(&mut partition, "a", &[(8, 8, &[2])], 0).unwrap().unwrap();
    (partition, write)
}

#[test]
fn what_is_not_allowed_changes_nothing() {
    let all = |count: usize| vec![1; count];
    let rows: &[(&[Said], ResponseError)] = &[
        (&[(20, 24, &[1])], InvalidRecordState),
        (&[(15, 24, &[1])], InvalidRecordState),
        (&[(8, 8, &[1])], InvalidRecordState),
        (&[(9, 9, &[1])], InvalidRecordState),
        (&[(3, 7, &[1]), (9, 9, &[1])], InvalidRecordState),
        (&[(3, 4, &[4]), (9, 9, &[1])], InvalidRecordState),
        (&[(3, 5, &[1]), (5, 7, &[2])], InvalidRecordState),
        (&[(3, 10, &[1])], InvalidRequest),
        (&[(11, 13, &[1])], InvalidRequest),
        (&[(3, 25, &[1])], InvalidRequest),
        (&[(25, 30, &[1])], InvalidRequest),
        (&[(0, 999_999_999, &[1])], InvalidRequest),
        (&[(Offset::MIN, Offset::MAX, &[1])], InvalidRequest),
        (&[(3, 7, &[1]), (15, 15, &[5])], InvalidRequest),
        (&[(3, 7, &[1, 1])], InvalidRequest),
        (&[(Offset::MIN, 7, &[1, 1])], InvalidRequest),
        (&[(3, 7, &all(6))], InvalidRequest),
        (&[(3, 7, &[])], InvalidRequest),
    ];
    for (batches, error) in rows {
        let (mut partition, write) = busy();
        let before = shown(&partition);
        let result = say(&mut partition, "a", batches, 0);
        assert_eq!(code(result), *error, "{batches:?}");
        assert_eq!(shown(&partition), before, "{batches:?}");
        drop(write);
    }
    assert_eq!(code(say(&mut new(), "a", &[(0, 3, &[1])], 0)), InvalidRecordState);
}

#[test]
fn what_is_before_the_start_is_passed_over() {
    let (mut partition, _) = busy();
    assert!(say(&mut partition, "a", &[(0, 2, &[1])], 0).unwrap().is_none());
    assert!(say(&mut partition, "x", &[(0, 0, &[3]), (1, 2, &[2])], 0).unwrap().is_none());
    let write = say(&mut partition, "a", &[(1, 4, &[1, 1, 1, 2])], 0).unwrap().unwrap();
    let batches = [state(3, 3, State::Acknowledged, 1), state(4, 4, State::Available, 1)];
    assert_eq!(write.change.batches, batches);
}

#[test]
fn a_request_must_be_in_order_and_well_formed() {
    let check = |batches: &[Said], may_renew| {
        let batches: Vec<_> = batches
            .iter()
            .map(|(first, last, types)| Acknowledgement { first: *first, last: *last, types })
            .collect();
        check_acknowledgements(&batches, may_renew).map_err(|error| error.code())
    };
    assert_eq!(check(&[], false), Ok(()));
    assert_eq!(check(&[(0, 4, &[1]), (5, 6, &[0, 3])], false), Ok(()));
    assert_eq!(check(&[(0, 4, &[1]), (4, 6, &[2])], false), Ok(()));
    assert_eq!(check(&[(0, 4, &[4])], true), Ok(()));
    for batches in [
        &[(0, 4, &[4][..])][..],
        &[(0, 4, &[-1])],
        &[(0, 4, &[])],
        &[(0, 4, &[1, 1])],
        &[(5, 4, &[1])],
        &[(-2, 4, &[1])],
        &[(0, 4, &[1]), (3, 6, &[1])],
        &[(5, 6, &[1]), (0, 1, &[1])],
        &[(Offset::MIN, Offset::MAX, &[1, 1])],
        &[(0, Offset::MAX, &[1, 1])],
    ] {
        assert_eq!(check(batches, false), Err(InvalidRequest), "{batches:?}");
    }
    assert_eq!(check(&[(0, 4, &[5])], true), Err(InvalidRequest));
}

#[test]
fn a_write_that_fails_takes_everything_back() {
    let mut partition = new();
    get(&mut partition, "a", 50, &[(0, 9)], 0);
    let before = shown(&partition);
    let types: &[i8] = &[1, 2, 3, 0];
    let write = say(&mut partition, "a", &[(0, 3, types), (5, 9, &[3])], 0).unwrap().unwrap();
    assert_eq!(partition.delivery_complete_count(), 8);
    assert_eq!(partition.written(write, false), []);
    assert_eq!(shown(&partition), before);
    assert_eq!(partition.delivery_complete_count(), 0);
    // It can be said again.
    done(&mut partition, "a", 0, 9, 1);
    assert_eq!(shown(&partition), "10: 10");
}

#[test]
fn a_lock_that_ends_during_a_write_counts_only_if_the_write_fails() {
    for (is_written, then) in [(true, "5: 5-9 a 1, 10"), (false, "0: 0-4 a 1, 5-9 a 1, 10")] {
        let mut partition = new();
        get(&mut partition, "a", 5, &[(0, 4)], 0);
        get(&mut partition, "a", 5, &[(5, 9)], 500);
        let write = say(&mut partition, "a", &[(0, 4, &[1])], 999).unwrap().unwrap();
        assert!(partition.expire(1200).is_none());
        partition.written(write, is_written);
        assert_eq!(shown(&partition), then);
        let expired = partition.expire(1200).map(|write| write.change.batches);
        let released = vec![state(0, 4, State::Available, 1)];
        assert_eq!(expired, (!is_written).then_some(released));
    }
}

#[test]
fn locks_can_be_renewed_if_the_group_lets_them() {
    let mut partition = new();
    get(&mut partition, "a", 50, &[(0, 9)], 0);
    assert_eq!(partition.next_deadline(), Some(1000));
    assert!(say(&mut partition, "a", &[(0, 4, &[4])], 700).unwrap().is_none());
    assert_eq!(shown(&partition), "0: 0-4 a 1, 5-9 a 1, 10");
    let released = partition.expire(1000).unwrap().change.batches;
    assert_eq!(released, [state(5, 9, State::Available, 1)]);
    assert_eq!(partition.next_deadline(), Some(1700));
    // Renewed and answered in one.
    let write = say(&mut partition, "a", &[(0, 2, &[4, 1, 4])], 900).unwrap().unwrap();
    assert_eq!(write.change.batches, [state(1, 1, State::Acknowledged, 1)]);

    partition.settings.may_renew = false;
    let before = shown(&partition);
    let result = say(&mut partition, "a", &[(3, 3, &[1]), (4, 4, &[4])], 900);
    assert_eq!(code(result), InvalidRecordState);
    assert_eq!(shown(&partition), before);
}

/// What is given up for good, if 0 to 9 are delivered for the last time and then `fail`ed.
#[track_caller]
fn check_given_up(
    reason: Reason,
    deliveries: i16,
    fail: impl Fn(&mut SharePartition) -> Option<StateWrite>,
) {
    for keeps_dead_letters in [false, true] {
        let available = state(0, 9, State::Available, deliveries - 1);
        let mut partition = reopen(0, &[available]).unwrap();
        partition.settings = ShareSettings {
            keeps_dead_letters,
            delivery_count_limit: if deliveries == 1 { 5 } else { deliveries },
            ..SETTINGS
        };
        let acquired = get(&mut partition, "a", 50, &[(0, 9)], 0);
        let [(first, last, _)] = acquired[..] else { panic!("{acquired:?}") };
        let write = fail(&mut partition).unwrap();
        let expected = if keeps_dead_letters { State::Archiving } else { State::Archived };
        assert_eq!(write.change.batches, [state(first, last, expected, deliveries)]);
        let given_up = partition.written(write, true);
        assert_eq!(given_up, [GivenUp { first, last, deliveries, reason }]);
        assert_eq!(partition.start_offset(), if keeps_dead_letters { 0 } else { last + 1 });
        assert_eq!(partition.is_archiving(&given_up[0]), keeps_dead_letters);
        let archiving = if keeps_dead_letters { given_up.clone() } else { vec![] };
        assert_eq!(partition.archiving(), archiving);
        let written = partition.archived(&given_up);
        let archived =
            keeps_dead_letters.then(|| vec![state(first, last, State::Archived, deliveries)]);
        assert_eq!(written.map(|write| write.change.batches), archived);
        assert_eq!(partition.start_offset(), last + 1);
    }
}

#[test]
fn records_are_given_up_when_rejected_or_delivered_too_often() {
    check_given_up(Reason::Rejected, 1, |p| say(p, "a", &[(0, 9, &[3])], 0).unwrap());
    check_given_up(Reason::TooManyDeliveries, 2, |p| say(p, "a", &[(0, 9, &[2])], 0).unwrap());
    check_given_up(Reason::TooManyDeliveries, 2, |p| p.release("a"));
    check_given_up(Reason::TooManyDeliveries, 2, |p| p.expire(1000));
}
