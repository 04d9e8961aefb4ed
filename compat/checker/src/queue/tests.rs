#![allow(clippy::unwrap_used)]

use super::check::{Kind, check};
use super::history::parse;
use std::collections::BTreeSet;

/// The kinds of anomalies found in a history, and no others; locks of 1,000, at most 3 deliveries.
#[track_caller]
fn finds(history: &str, kinds: &[Kind]) {
    let queue = parse(&format!("queue lock=1000 limit=3\n{history}")).expect("a history");
    expect(&check(&queue), kinds);
}

/// The same with dead letters.
#[track_caller]
fn finds_letters(history: &str, kinds: &[Kind]) {
    let queue = parse(&format!("queue lock=1000 limit=3 letters\n{history}")).expect("a history");
    expect(&check(&queue), kinds);
}

#[track_caller]
fn expect(found: &[(Kind, String)], kinds: &[Kind]) {
    let expected: BTreeSet<Kind> = kinds.iter().copied().collect();
    assert_eq!(found.iter().map(|found| found.0).collect::<BTreeSet<_>>(), expected, "{found:#?}");
}

const SENT: &str = "1 0-9 alone +0/0=10\n";

#[test]
fn a_good_history_has_none() {
    finds(
        "1 0-9 alone +0/0=10 +0/1=11 +0/2=12 +0/3=13
         2 0-9 committed@5 +0/4=14 +0/?=15
         2 10-19 aborted +0/6=16
         take 7 100-200 0/0=10#1 0/1=11#1 0/2=12#1
         give 7 210-220 0/0:accept=confirmed 0/1:release=confirmed
         give 7 1300-1310 0/2:accept=refused
         take 8 215-230 0/1=11#2
         give 8 240-250 0/1:reject=confirmed
         take 8 1090-1100 0/2=12#2 0/3=13#1
         give 8 1110-1120 0/2:accept=confirmed 0/3:accept=unknown
         take 7 100-200 0/4=14#1
         leave 7 1500
         take 8 300-1600 0/4=14#2
         give 8 1700-1710 0/4:accept=confirmed
         end 0/0=10 0/1=11 0/2=12 0/3=13 0/4=14",
        &[],
    );
}

#[test]
fn lost_records() {
    finds(SENT, &[Kind::LostRecord]);
    finds("end 0/0=10\n 1 0-9 alone +0/?=10", &[Kind::LostRecord]);
    finds(&format!("{SENT} take 7 10-20 0/0=10#1"), &[Kind::LostRecord]);
    finds(&format!("{SENT} take 7 10-20 0/0=10#2\n miss 8 30-40"), &[]);
    finds(&format!("{SENT} take 7 10-20 0/0=10#3"), &[]);
}

#[test]
fn what_is_finished_stays_so() {
    let accepted = format!("{SENT} take 7 10-20 0/0=10#1\n give 7 30-40 0/0:accept=confirmed\n");
    finds(&accepted, &[]);
    finds(&format!("{accepted} take 8 50-60 0/0=10#2"), &[Kind::DeliveredAfterEnd]);
    finds(&format!("{accepted} down 50-60\n take 8 70-80 0/0=10#1"), &[Kind::DeliveredAfterEnd]);
    // A leader that has been replaced and does not know it yet still delivers.
    finds(&format!("{accepted} down 45-55\n take 8 50-60 0/0=10#2"), &[]);
    finds(
        "1 0-9 alone +0/0=10 +0/1=11
         take 7 10-20 0/0=10#1 0/1=11#1
         give 7 30-40 0/1:accept=confirmed
         take 8 35-60 0/1=11#2
         give 8 70-80 0/1:accept=confirmed
         give 7 90-95 0/0:accept=confirmed",
        &[Kind::FinishedTwice],
    );
}

#[test]
fn locks_hold() {
    let accepted = "give 8 900-910 0/0:accept=confirmed\n";
    let taken = format!("{SENT} take 7 100-200 0/0=10#1\n take 8 300-400 0/0=10#2\n {accepted}");
    finds(&taken, &[Kind::SharedLock]);
    finds(&format!("{taken} down 250-260"), &[]);
    finds(&format!("{taken} leave 7 390"), &[]);
    finds(&format!("{taken} give 7 390-500 0/0:release=unknown"), &[]);
    finds(
        &format!("{taken} give 7 390-500 0/0:release=refused"),
        &[Kind::SharedLock, Kind::LostLock],
    );
    let renewed = "take 7 100-200 0/0=10#1\n give 7 900-950 0/0:renew=confirmed\n
         take 8 1500-1600 0/0=10#2\n give 8 1700-1800 0/0:accept=confirmed";
    finds(&format!("{SENT} {renewed}"), &[Kind::SharedLock]);
}

#[test]
fn refusals_have_a_reason() {
    let taken = format!("{SENT} take 7 100-200 0/0=10#3\n");
    finds(&format!("{taken} give 7 300-400 0/0:accept=refused"), &[Kind::LostLock]);
    finds(&format!("{taken} give 7 300-1200 0/0:accept=refused"), &[]);
    finds(&format!("{taken} down 210-220\n give 7 300-400 0/0:accept=refused"), &[]);
    finds(
        &format!(
            "{taken} give 7 250-260 0/0:release=confirmed\n give 7 300-400 0/0:accept=refused"
        ),
        &[],
    );
    // One record of a request is not held.
    finds(&format!("{taken} give 7 300-400 0/0:accept=refused 0/9:accept=refused"), &[]);
}

#[test]
fn strangers_do_not_acknowledge() {
    let strangers = &[Kind::StrangersAcknowledgement];
    finds(
        &format!("{SENT} take 7 100-200 0/0=10#1\n give 8 300-400 0/0:accept=confirmed"),
        strangers,
    );
    // What lies before all that is not finished is confirmed unseen, whoever says what.
    let past = "1 0-9 alone +0/0=10 +0/1=11\n take 7 100-200 0/0=10#1 0/1=11#1
         give 7 300-310 0/1:accept=confirmed\n give 8 400-410 0/1:accept=confirmed\n";
    finds(
        &format!("{past} give 7 500-510 0/0:accept=confirmed"),
        &[Kind::FinishedTwice, Kind::StrangersAcknowledgement],
    );
    finds(&format!("{past} give 7 350-360 0/0:accept=confirmed"), &[]);
    let twice = "take 7 100-200 0/0=10#1\n take 8 1300-1400 0/0=10#2\n";
    finds(&format!("{SENT} {twice} give 7 1500-1600 0/0:accept=confirmed"), strangers);
    finds(&format!("{SENT} {twice} give 7 1350-1600 0/0:accept=confirmed"), &[]);
}

#[test]
fn delivery_counts_grow() {
    let twice = |first: i16, second: i16| {
        format!(
            "{SENT} take 7 100-200 0/0=10#{first}\n take 8 1300-1400 0/0=10#{second}
             give 8 1500-1510 0/0:accept=confirmed\n"
        )
    };
    finds(&twice(1, 2), &[]);
    finds(&twice(2, 1), &[Kind::FallenCount]);
    finds(&format!("{} down 1250-1350", twice(2, 1)), &[]);
    finds(&twice(2, 2), &[Kind::RepeatedCount]);
    finds(&format!("{} down 210-220", twice(2, 2)), &[]);
    finds(&twice(3, 4), &[Kind::ExcessiveDelivery]);
}

#[test]
fn only_what_is_committed_is_delivered() {
    let done = "take 7 100-200 0/0=10#1\n give 7 300-310 0/0:accept=confirmed\n";
    finds(done, &[Kind::PhantomDelivery]);
    finds(&format!("1 0-9 alone +1/?=10\n {done}"), &[Kind::PhantomDelivery]);
    finds(
        &format!("1 0-9 alone +0/7=10 +0/0=11\n take 7 100-200 0/7=10#3\n {done}"),
        &[Kind::PhantomDelivery],
    );
    finds(&format!("1 0-9 aborted +0/0=10\n {done}"), &[Kind::AbortedDelivery]);
    finds(&format!("1 0-300 committed@250 +0/0=10\n {done}"), &[Kind::UncommittedDelivery]);
    finds(&format!("1 0-300 committed@150 +0/0=10\n {done}"), &[]);
}

#[test]
fn what_is_given_up_is_a_dead_letter_once() {
    let worn = format!("{SENT} take 7 100-200 0/0=10#3\n");
    let rejected = format!("{SENT} take 7 10-20 0/0=10#1\n give 7 30-40 0/0:reject=confirmed\n");
    for given_up in [worn, rejected] {
        finds(&given_up, &[]);
        finds_letters(&given_up, &[Kind::MissingLetter]);
        finds_letters(&format!("{given_up} letter 0/0=10"), &[]);
        let twice = format!("{given_up} letter 0/0=10\n letter 0/0=10\n");
        finds_letters(&twice, &[Kind::RepeatedLetter]);
        finds_letters(&format!("{twice} down 50-60"), &[]);
        finds_letters(&format!("{given_up} letter 0/0=10\n letter 0/1=11"), &[Kind::FalseLetter]);
    }
    let accepted = "take 7 10-20 0/0=10#1\n give 7 30-40 0/0:accept=confirmed\n letter 0/0=10";
    finds_letters(&format!("{SENT} {accepted}"), &[Kind::FalseLetter]);
}
