//! Single steps (CurrentAssignmentBuilderTest).
#![allow(clippy::unwrap_used)]

use super::super::member::StreamsThread;
use super::*;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

/// `0_1@3 +0_2 ~0_3`: active since epoch 3, standby, warm-up.
fn assigned(text: &str) -> Assigned {
    let mut assigned = Assigned::default();
    for task in text.split_whitespace() {
        let (kind, task) = kind(task);
        let (task, epoch) = task.split_once('@').unwrap_or((task, "0"));
        let (id, partition) = task.split_once('_').unwrap();
        let (id, partition) = (id.to_owned(), partition.parse().unwrap());
        match kind {
            Some('+') => drop(assigned.standby.entry(id).or_default().insert(partition)),
            Some('~') => drop(assigned.warmup.entry(id).or_default().insert(partition)),
            _ => {
                let epochs: &mut BTreeMap<i32, i32> = assigned.active.entry(id).or_default();
                epochs.insert(partition, epoch.parse().unwrap());
            }
        }
    }
    assigned
}

fn kind(task: &str) -> (Option<char>, &str) {
    match task.strip_prefix(['+', '~']) {
        Some(rest) => (task.chars().next(), rest),
        None => (None, task),
    }
}

fn tasks(text: &str) -> Tasks {
    let Assigned { standby, warmup, .. } = assigned(text);
    Tasks { active: assigned(text).active_ids(), standby, warmup }
}

/// A member of process `p` in epoch 10.
fn member(state: MemberState, has: &str, back: &str) -> StreamsMember {
    StreamsMember {
        epoch: 10,
        previous_epoch: 10,
        state,
        assigned: Arc::new(assigned(has)),
        pending_revocation: Arc::new(assigned(back)),
        own: StreamsThread { process_id: "p".to_owned(), ..StreamsThread::default() },
        ..StreamsMember::new("m".into())
    }
}

struct Case<'a> {
    epoch: i32,
    target: &'a str,
    /// The processes of others, and their tasks.
    others: &'a [(&'a str, &'a str)],
    owned: Option<&'a str>,
}

impl Case<'_> {
    /// State, epoch, previous epoch, what it has, what it has to give back.
    fn step(&self, member: &StreamsMember) -> Result<(MemberState, i32, i32, Assigned, Assigned)> {
        let mut owners = Owners::default();
        owners.add(&member.assigned, &member.own.process_id);
        owners.add(&member.pending_revocation, &member.own.process_id);
        for (process, has) in self.others {
            owners.add(&assigned(has), process);
        }
        let (target, owned) = (tasks(self.target), self.owned.map(tasks));
        let reconciliation = Reconciliation {
            target_epoch: self.epoch,
            target: &target,
            owners: &owners,
            owned: owned.as_ref(),
        };
        let next = reconciliation.step(member)?;
        let (has, back) =
            (Assigned::clone(&next.assigned), Assigned::clone(&next.pending_revocation));
        Ok((next.state, next.epoch, next.previous_epoch, has, back))
    }
}

use MemberState::{Stable, Unknown, Unreleased, Unrevoked};

#[test]
fn a_stable_member_goes_to_the_next_epoch() {
    let has = "0_1@3 0_2@3";
    let case = |epoch, target| Case { epoch, target, others: &[], owned: None };
    let same = case(11, "0_1 0_2").step(&member(Stable, has, "")).unwrap();
    assert_eq!(same, (Stable, 11, 10, assigned(has), assigned("")));
    let here = case(10, "0_1 0_2").step(&member(Stable, has, "")).unwrap();
    assert_eq!(here, (Stable, 10, 10, assigned(has), assigned("")));
    let more = case(11, "0_1 0_2 0_4").step(&member(Stable, has, "")).unwrap();
    assert_eq!(more, (Stable, 11, 10, assigned("0_1@3 0_2@3 0_4@11"), assigned("")));
    let copies = case(11, "0_1 +0_2 ~0_3").step(&member(Stable, "0_1@3", "")).unwrap();
    assert_eq!(copies, (Stable, 11, 10, assigned("0_1@3 +0_2 ~0_3"), assigned("")));
}

#[test]
fn what_it_is_not_to_have_it_gives_back_first() {
    let stable = member(Stable, "0_1@3 0_2@4 +1_0", "");
    let case = |owned| Case { epoch: 11, target: "0_2 0_3", others: &[], owned };
    let told = case(None).step(&stable).unwrap();
    assert_eq!(told, (Unrevoked, 10, 10, assigned("0_2@4"), assigned("0_1@3 +1_0")));
    // It has given it back already.
    let done = case(Some("0_2")).step(&stable).unwrap();
    assert_eq!(done, (Stable, 11, 10, assigned("0_2@4 0_3@11"), assigned("")));

    let revoking = member(Unrevoked, "0_2@4", "0_1@3 +1_0");
    let same = (Unrevoked, 10, 10, assigned("0_2@4"), assigned("0_1@3 +1_0"));
    assert_eq!(case(None).step(&revoking).unwrap(), same);
    assert_eq!(case(Some("0_2 0_1")).step(&revoking).unwrap(), same);
    assert_eq!(case(Some("0_2 +1_0")).step(&revoking).unwrap(), same);
    let done = case(Some("0_2")).step(&revoking).unwrap();
    assert_eq!(done, (Stable, 11, 10, assigned("0_2@4 0_3@11"), assigned("")));
    // Meanwhile a newer target wants more back, from the next epoch on.
    let next = Case { epoch: 12, target: "0_3", others: &[], owned: Some("0_2") };
    let next = next.step(&revoking).unwrap();
    assert_eq!(next, (Unrevoked, 11, 10, assigned(""), assigned("0_2@4")));
}

#[test]
fn what_others_have_it_waits_for() {
    let others: &[(&str, &str)] = &[("q", "0_3@5")];
    let case = |others, target| Case { epoch: 11, target, others, owned: Some("0_1") };
    let waits = case(others, "0_1 0_3").step(&member(Stable, "0_1@3", "")).unwrap();
    assert_eq!(waits, (Unreleased, 11, 10, assigned("0_1@3"), assigned("")));
    let part = case(others, "0_1 0_3 0_4").step(&member(Stable, "0_1@3", "")).unwrap();
    assert_eq!(part, (Unreleased, 11, 10, assigned("0_1@3 0_4@11"), assigned("")));
    let still = case(others, "0_1 0_3").step(&member(Unreleased, "0_1@3", "")).unwrap();
    assert_eq!(still, (Unreleased, 11, 10, assigned("0_1@3"), assigned("")));
    let free = case(&[], "0_1 0_3").step(&member(Unreleased, "0_1@3", "")).unwrap();
    assert_eq!(free, (Stable, 11, 10, assigned("0_1@3 0_3@11"), assigned("")));
    // It is told to give back what it has while it waits.
    let back = case(others, "0_3").step(&member(Unreleased, "0_1@3", "")).unwrap();
    assert_eq!(back, (Unrevoked, 10, 10, assigned(""), assigned("0_1@3")));
}

#[test]
fn a_process_has_a_task_once() {
    let step = |target, others| {
        let case = Case { epoch: 11, target, others, owned: Some("") };
        case.step(&member(Stable, "", "")).unwrap()
    };
    let waits = (Unreleased, 11, 10, assigned(""), assigned(""));
    // Another thread of its process has the task as a copy, or active.
    assert_eq!(step("0_1", &[("p", "+0_1")]), waits);
    assert_eq!(step("0_1", &[("p", "~0_1")]), waits);
    assert_eq!(step("+0_1", &[("p", "0_1@2")]), waits);
    assert_eq!(step("+0_1", &[("p", "+0_1")]), waits);
    assert_eq!(step("~0_1", &[("p", "+0_1")]), waits);
    // Copies of other processes do not matter.
    let gets = |has: &str| (Stable, 11, 10, assigned(has), assigned(""));
    assert_eq!(step("0_1", &[("q", "+0_1")]), gets("0_1@11"));
    assert_eq!(step("+0_1", &[("q", "0_1@2")]), gets("+0_1"));
    assert_eq!(step("+0_1", &[("q", "+0_1")]), gets("+0_1"));
}

#[test]
fn a_member_in_a_state_of_a_newer_broker_begins_anew() {
    let case = |owned| Case { epoch: 11, target: "0_1 0_2", others: &[], owned };
    for owned in [None, Some("0_1")] {
        let fenced = case(owned).step(&member(Unknown, "0_1@3", ""));
        assert_eq!(fenced.unwrap_err().code(), ResponseError::FencedMemberEpoch);
    }
    let begins = case(Some("")).step(&member(Unknown, "0_1@3", "")).unwrap();
    assert_eq!(begins, (Stable, 11, 10, assigned("0_1@3 0_2@11"), assigned("")));
}
