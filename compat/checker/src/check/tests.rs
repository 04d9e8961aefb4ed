#![allow(clippy::unwrap_used)]

use super::{Kind, check};
use crate::history::parse;
use std::collections::BTreeSet;

/// The kinds of anomalies found in a history, and no others.
#[track_caller]
fn finds(history: &str, kinds: &[Kind]) {
    let history = parse(history).expect("a history");
    let found = check(&history);
    let expected: BTreeSet<Kind> = kinds.iter().copied().collect();
    assert_eq!(found.iter().map(|a| a.kind).collect::<BTreeSet<_>>(), expected, "{found:#?}");
}

#[test]
fn a_good_history_has_none() {
    finds("", &[]);
    finds(
        "1 0-9 committed@5 +0/0=10 +1/0=11
         2 0-9 aborted +0/2=20 ?7
         3 10-19 alone +0/4=30 +0/5=31
         4 20-29 alone ! ?25 0/0=10 1/0=11 ?26 0/4=30
         4 30-39 alone ?35 0/5=31
         4 40-49 alone ! ?45 0/0=10
         5 20-30 committed@29 ?21 0/0=10 0/4=30 +2/0=50<0/0 +2/1=51<0/4
         6 20-30 unknown@25 +1/2=60 +0/7=61
         7 20-30 unknown@25 +1/4=70 +0/9=71
         8 20-30 alone +1/?=80
         9 20-30 alone +1/?=90
         end 0/0=10 0/4=30 0/5=31 0/9=71 1/0=11 1/4=70 1/6=90 2/0=50 2/1=51
         position 0/5",
        &[],
    );
}

#[test]
fn lost_writes() {
    finds("1 0-9 alone +0/0=10 +0/1=11\n end 0/1=11", &[Kind::LostWrite]);
    finds("1 0-9 committed@5 +0/0=10", &[Kind::LostWrite]);
    // Not acknowledged, but once seen.
    finds("1 0-9 alone +0/?=10\n 2 0-9 alone ?5 0/0=10", &[Kind::LostWrite]);
    finds("1 0-9 alone +0/?=10\n 2 0-9 unknown@5 +0/1=10000", &[]);
}

#[test]
fn duplicates_and_inconsistent_offsets() {
    finds("1 0-9 alone +0/?=10\n end 0/0=10 0/1=10", &[Kind::Duplicate]);
    finds(
        "1 0-9 alone +0/0=10 +0/?=11\n 2 0-9 alone ?5 0/0=11\n end 0/0=10 0/1=11",
        &[Kind::InconsistentOffset, Kind::Duplicate],
    );
    finds("1 0-9 alone +0/0=10\n end 0/3=10", &[Kind::InconsistentOffset]);
}

#[test]
fn phantoms() {
    finds("end 0/0=10", &[Kind::Phantom]);
    finds("1 0-9 alone +1/0=10\n end 0/0=10", &[Kind::Phantom]);
}

#[test]
fn aborted_and_uncommitted_reads() {
    finds("1 0-9 aborted +0/0=10\n 2 10-19 alone ?15 0/0=10", &[Kind::AbortedRead]);
    finds("1 0-9 aborted +0/0=10\n end 0/0=10", &[Kind::AbortedRead]);
    finds(
        "1 0-9 committed@8 +0/0=10\n 2 0-9 alone ?7 0/0=10\n end 0/0=10",
        &[Kind::UncommittedRead],
    );
    finds("1 0-9 unknown@8 +0/0=10\n 2 0-9 alone ?7 0/0=10\n end 0/0=10", &[Kind::UncommittedRead]);
    finds("1 0-9 committed@5 +0/0=10\n 2 0-9 alone ?7 0/0=10\n end 0/0=10", &[]);
}

#[test]
fn torn_transactions() {
    finds("1 0-9 unknown@5 +0/0=10 +1/0=11\n end 1/0=11", &[Kind::TornTransaction]);
    finds(
        "1 0-9 committed@5 +0/0=10 +1/0=11\n end 1/0=11",
        &[Kind::TornTransaction, Kind::LostWrite],
    );
}

#[test]
fn circular_flow() {
    finds(
        "1 0-9 committed@1 +0/0=10 ?7 1/0=20
         2 0-9 committed@1 +1/0=20 ?7 0/0=10
         3 0-9 committed@1 +2/0=30 ?7 0/0=10
         end 0/0=10 1/0=20 2/0=30",
        &[Kind::CircularFlow],
    );
}

#[test]
fn polls_that_go_back_or_pass_over() {
    let sent = "1 0-9 alone +0/0=10 +0/1=11 +0/2=12\n end 0/0=10 0/1=11 0/2=12\n";
    for (reads, kinds) in [
        ("2 0-9 alone ?5 0/0=10 0/1=11 0/2=12", &[][..]),
        ("2 0-9 alone ?5 0/1=11\n 2 9-19 alone ?15 0/1=11", &[Kind::NonmonotonicPoll]),
        ("2 0-9 alone ?5 0/1=11 ?6 0/0=10", &[Kind::InternalNonmonotonicPoll]),
        ("2 0-9 alone ?5 0/0=10\n 2 9-19 alone ?15 0/2=12", &[Kind::PollSkip]),
        ("2 0-9 alone ?5 0/0=10 0/2=12", &[Kind::InternalPollSkip]),
        ("2 0-9 alone ?5 0/0=10\n 2 9-19 alone ! ?15 0/2=12", &[]),
        ("2 0-9 alone ?5 0/0=10\n 3 9-19 alone ?15 0/2=12", &[]),
    ] {
        finds(&format!("{sent}{reads}"), kinds);
    }
}

#[test]
fn sends_that_go_back() {
    finds(
        "1 0-9 alone +0/1=10\n 1 9-19 alone +0/0=11\n end 0/0=11 0/1=10",
        &[Kind::NonmonotonicSend],
    );
    finds("1 0-9 alone +0/1=10 +0/0=11\n end 0/0=11 0/1=10", &[Kind::InternalNonmonotonicSend]);
    finds("1 0-9 alone +0/1=10 +1/0=11\n end 0/1=10 1/0=11", &[]);
}

#[test]
fn copies_that_are_not_exactly_one() {
    let sent = "1 0-9 alone +0/0=10 +0/1=11\n end 0/0=10 0/1=11\n position 0/1\n";
    for (copies, kinds) in [
        ("2 9-19 committed@15 +1/0=20<0/0\n end 1/0=20", &[][..]),
        ("2 9-19 aborted +1/0=20<0/0", &[Kind::SkippedCopy]),
        (
            "2 9-19 committed@15 +1/0=20<0/0\n 2 20-29 unknown@25 +1/2=21<0/0\n end 1/0=20 1/2=21",
            &[Kind::RepeatedCopy],
        ),
    ] {
        finds(&format!("{sent}{copies}"), kinds);
    }
}

#[test]
fn hanging_transactions() {
    finds("1 0-9 aborted +3/0=10\n open 3", &[Kind::HangingTransaction]);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let names: BTreeSet<String> = Kind::ALL.iter().map(Kind::to_string).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    assert!(names.contains("internal-poll-skip"));
}
