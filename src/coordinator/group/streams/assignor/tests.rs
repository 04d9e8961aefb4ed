//! Kafka's cases (StickyTaskAssignorTest), and properties of every assignment.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Nobody has a copy of any state.
static NO_COPIES: TaskOffsets = TaskOffsets::new();

/// The active and standby tasks of each member, as `s_0`.
type Given = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

fn ids(text: &str) -> TaskIds {
    let mut ids = TaskIds::new();
    for task in text.split_whitespace() {
        let (id, partition) = task.split_once('_').unwrap();
        ids.entry(id.to_owned()).or_default().insert(partition.parse().unwrap());
    }
    ids
}

fn names(ids: &TaskIds) -> BTreeSet<String> {
    ids.iter().flat_map(|(id, set)| set.iter().map(move |task| format!("{id}_{task}"))).collect()
}

fn set(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Assigns tasks. `members` are (id, process, former active tasks, former standby tasks).
fn assigned(
    members: &[(&str, &str, &str, &str)],
    subtopologies: &[(&str, i32, bool)],
    standbys: usize,
) -> Given {
    let mut members: Vec<(MemberId, &str, Tasks)> = members
        .iter()
        .map(|(id, process, active, standby)| {
            let before = Tasks { active: ids(active), standby: ids(standby), ..Tasks::default() };
            (MemberId::from(*id), *process, before)
        })
        .collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let members: Vec<TaskMember<'_>> = members
        .iter()
        .map(|(id, process_id, previous)| TaskMember {
            id,
            process_id,
            previous,
            offsets: &NO_COPIES,
        })
        .collect();
    let sources: Vec<TaskSource<'_>> = subtopologies
        .iter()
        .map(|(id, tasks, is_stateful)| TaskSource { id, tasks: *tasks, is_stateful: *is_stateful })
        .collect();
    let given = assign(&members, &sources, standbys);
    given
        .into_iter()
        .map(|(id, tasks)| (id.to_string(), (names(&tasks.active), names(&tasks.standby))))
        .collect()
}

/// Members that had no tasks, each of its own process.
fn fresh(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("m{n:02}"), format!("p{n:02}"))).collect()
}

fn assign_fresh(count: usize, subtopologies: &[(&str, i32, bool)], standbys: usize) -> Given {
    let members = fresh(count);
    let members: Vec<(&str, &str, &str, &str)> =
        members.iter().map(|(id, process)| (id.as_str(), process.as_str(), "", "")).collect();
    assigned(&members, subtopologies, standbys)
}

fn active<'a>(given: &'a Given, member: &str) -> &'a BTreeSet<String> {
    &given[member].0
}

fn standby<'a>(given: &'a Given, member: &str) -> &'a BTreeSet<String> {
    &given[member].1
}

fn counts(given: &Given) -> Vec<usize> {
    given.values().map(|(active, standby)| active.len() + standby.len()).collect()
}

#[test]
fn each_process_and_each_thread_gets_as_much() {
    assert_eq!(counts(&assign_fresh(3, &[("s", 3, false)], 0)), [1, 1, 1]);
    assert_eq!(counts(&assign_fresh(6, &[("s", 3, false)], 0)).iter().sum::<usize>(), 3);
    let threads = [
        ("a1", "a", "", ""),
        ("a2", "a", "", ""),
        ("b1", "b", "", ""),
        ("b2", "b", "", ""),
        ("c1", "c", "", ""),
        ("c2", "c", "", ""),
    ];
    for standbys in [0, 1] {
        let given = assigned(&threads, &[("s", 3, true), ("t", 3, true)], standbys);
        assert!(
            given.values().all(|(active, standby)| (active.len(), standby.len()) == (1, standbys))
        );
    }
    // A process with more threads gets more.
    let given = assigned(
        &[("a", "a", "", ""), ("b1", "b", "", ""), ("b2", "b", "", "")],
        &[("s", 3, false)],
        0,
    );
    assert_eq!(counts(&given), [1, 1, 1]);
    // But every process gets something.
    let unequal = [
        ("a1", "a", "", ""),
        ("a2", "a", "", ""),
        ("a3", "a", "", ""),
        ("b", "b", "", ""),
        ("c", "c", "", ""),
    ];
    let given = assigned(&unequal, &[("s", 3, false)], 0);
    assert_eq!(counts(&given).iter().rev().take(2).collect::<Vec<_>>(), [&1, &1]);
}

#[test]
fn active_tasks_stay_where_they_were() {
    let given =
        assigned(&[("m1", "p1", "s_0", ""), ("m2", "p2", "s_1", "")], &[("s", 3, false)], 0);
    assert!(active(&given, "m1").contains("s_0") && active(&given, "m2").contains("s_1"));
    let past = [
        ("m1", "p1", "", ""),
        ("m2", "p2", "s_0", ""),
        ("m3", "p3", "", ""),
        ("m4", "p4", "s_2", ""),
        ("m5", "p5", "s_1", ""),
    ];
    let given = assigned(&past, &[("s", 3, false)], 0);
    let all: Vec<BTreeSet<String>> = given.values().map(|(active, _)| active.clone()).collect();
    assert_eq!(all, [set(""), set("s_0"), set(""), set("s_2"), set("s_1")]);
}

#[test]
fn a_new_member_takes_no_more_than_its_part() {
    let past = [("m1", "p1", "s_0 s_2", ""), ("m2", "p2", "s_1", ""), ("m3", "p3", "", "")];
    let given = assigned(&past, &[("s", 3, false)], 0);
    assert_eq!(counts(&given), [1, 1, 1]);
    assert_eq!(active(&given, "m2"), &set("s_1"));
    assert!(active(&given, "m1").is_subset(&set("s_0 s_2")));

    let past = [("m1", "p1", "s_0 s_2", ""), ("m2", "p2", "s_1 s_3", ""), ("m3", "p3", "", "")];
    let given = assigned(&past, &[("s", 4, false)], 0);
    assert_eq!(active(&given, "m3").len(), 1);
    assert!(active(&given, "m1").is_subset(&set("s_0 s_2")));
    assert!(active(&given, "m2").is_subset(&set("s_1 s_3")));

    let past =
        [("m1", "p1", "s_0 s_1 s_2", ""), ("m2", "p2", "s_3 s_4 s_5", ""), ("m3", "p3", "", "")];
    let given = assigned(&past, &[("s", 6, false)], 0);
    assert_eq!(counts(&given), [2, 2, 2]);
    assert!(active(&given, "m1").is_subset(&set("s_0 s_1 s_2")));
    assert!(active(&given, "m2").is_subset(&set("s_3 s_4 s_5")));

    let all = "s_0 s_1 s_2 s_3 s_4 s_5 t_0";
    let given = assigned(
        &[("m1", "p1", all, ""), ("m2", "p2", "", "")],
        &[("s", 6, false), ("t", 1, false)],
        0,
    );
    assert_eq!(counts(&given), [4, 3]);
}

#[test]
fn new_tasks_go_to_new_members() {
    let past = [("m1", "p1", "s_0 s_1", ""), ("m2", "p2", "s_2 s_3", "")];
    let given = assigned(&past, &[("s", 6, false)], 0);
    assert!(active(&given, "m1").is_superset(&set("s_0 s_1")));
    assert!(active(&given, "m2").is_superset(&set("s_2 s_3")));
    let past = [("m1", "p1", "s_2 s_1", ""), ("m2", "p2", "s_0 s_3", ""), ("m3", "p3", "", "")];
    let given = assigned(&past, &[("s", 6, false)], 0);
    assert_eq!(active(&given, "m3"), &set("s_4 s_5"));
}

#[test]
fn who_kept_a_copy_gets_the_task() {
    let past = [("m1", "p1", "", "s_2"), ("m2", "p2", "", "s_1"), ("m3", "p3", "", "s_0")];
    let given = assigned(&past, &[("s", 3, false)], 0);
    assert_eq!(active(&given, "m1"), &set("s_2"));
    assert_eq!(active(&given, "m2"), &set("s_1"));
    assert_eq!(active(&given, "m3"), &set("s_0"));
    // Among several former owners, the one with the least load.
    let past = [("m1", "p1", "s_0", "s_1"), ("m21", "p2", "s_2", "s_1"), ("m22", "p2", "", "")];
    let given = assigned(&past, &[("s", 3, false)], 0);
    assert_eq!(active(&given, "m1"), &set("s_0"));
    assert_eq!(active(&given, "m21"), &set("s_2"));
    assert_eq!(active(&given, "m22"), &set("s_1"));
    // An instance that was restarted.
    let past = [
        ("m1", "p1", "s_0 s_1 s_2 s_6", ""),
        ("m2", "p2", "", "s_3 s_4 s_5"),
        ("m3", "new", "", ""),
    ];
    let given = assigned(&past, &[("s", 7, false)], 0);
    assert_eq!(counts(&given), [3, 2, 2]);
    assert!(active(&given, "m1").is_subset(&set("s_0 s_1 s_2 s_6")));
    assert!(active(&given, "m2").is_disjoint(&set("s_0 s_1 s_2")));
}

#[test]
fn tasks_that_nobody_had_go_to_whom_they_are_new() {
    let subtopologies = [("0", 4, false), ("1", 4, false), ("2", 4, false)];
    let first = ("m1", "p1", "0_1 1_2 1_3", "0_0 1_1 2_0 2_1 2_3");
    let second = ("m2", "p2", "0_0 1_1 2_2", "0_1 0_2 0_3 1_0 1_2 1_3 2_0 2_1 2_3");
    let all = "0_0 0_1 0_2 0_3 1_0 1_1 1_2 1_3 2_0 2_1 2_2 2_3";
    let past = [first, second, ("m3", "p3", "2_0 2_1 2_3", "0_2 1_2"), ("m4", "p4", "", all)];
    let given = assigned(&past, &subtopologies, 0);
    for (member, _, kept, _) in &past[..3] {
        assert_eq!(active(&given, member), &set(kept), "{member}");
    }
    assert_eq!(active(&given, "m4"), &set("0_2 0_3 1_0"));
    // Two members that come back with copies only.
    let past = [first, second, ("b1", "b1", "", "2_0 2_1 2_3"), ("b2", "b2", "", "0_2 0_3 1_0")];
    let given = assigned(&past, &subtopologies, 0);
    assert_eq!(active(&given, "m1"), &set("0_1 1_2 1_3"));
    assert_eq!(active(&given, "m2"), &set("0_0 1_1 2_2"));
    assert_eq!(active(&given, "b1"), &set("2_0 2_1 2_3"));
    assert_eq!(active(&given, "b2"), &set("0_2 0_3 1_0"));
}

#[test]
fn standby_tasks_are_on_other_processes() {
    let past = [("m1", "p1", "", "s_0"), ("m2", "p2", "", "s_1")];
    let given = assigned(&past, &[("s", 2, true)], 1);
    assert_eq!(given["m1"], (set("s_0"), set("s_1")));
    assert_eq!(given["m2"], (set("s_1"), set("s_0")));

    let past = [("m1", "p1", "s_0", ""), ("m2", "p2", "s_1", ""), ("m3", "p3", "s_2", "")];
    let given = assigned(&past, &[("s", 3, true)], 2);
    assert_eq!(standby(&given, "m1"), &set("s_1 s_2"));
    assert_eq!(standby(&given, "m2"), &set("s_0 s_2"));
    assert_eq!(standby(&given, "m3"), &set("s_0 s_1"));
    // There are too few members for all standby tasks.
    let given = assign_fresh(1, &[("s", 10, true)], 3);
    assert_eq!(given["m00"], (names(&ids("s_0 s_1 s_2 s_3 s_4 s_5 s_6 s_7 s_8 s_9")), set("")));
    let given = assign_fresh(2, &[("s", 4, true)], 5);
    assert_eq!(counts(&given), [4, 4]);
    // Nor are there standby tasks of what has no state.
    assert_eq!(counts(&assign_fresh(2, &[("s", 4, false)], 1)), [2, 2]);
    assert_eq!(counts(&assign_fresh(6, &[("s", 3, true)], 1)), [1; 6]);
}

#[test]
fn a_copy_stays_with_who_has_room_for_it() {
    let past = [("m1", "p1", "s_0", "s_1"), ("m2", "p2", "s_1", ""), ("m3", "p3", "", "")];
    let given = assigned(&past, &[("s", 2, true)], 1);
    assert_eq!(given["m1"], (set("s_0"), set("s_1")));

    let past = [
        ("m1", "p1", "s_0 s_1", "s_2 s_3"),
        ("m2", "p2", "s_2 s_3", "s_0 s_1"),
        ("m3", "p3", "", ""),
    ];
    let given = assigned(&past, &[("s", 4, true)], 1);
    assert!(given.values().all(|(active, _)| (1..=2).contains(&active.len())));
    assert!(counts(&given).iter().all(|count| *count <= 3));
}

#[test]
fn equal_partitions_of_subtopologies_stay_together() {
    for past in ["", "s_0 s_1 t_0 t_1"] {
        let given = assigned(
            &[("m1", "p1", past, ""), ("m2", "p2", "", "")],
            &[("s", 2, true), ("t", 2, true)],
            1,
        );
        for member in ["m1", "m2"] {
            let part = |tasks: &BTreeSet<String>, id: &str| {
                tasks.iter().filter(|task| task.starts_with(id)).count()
            };
            let (active, standby) = &given[member];
            assert_eq!([part(active, "s"), part(active, "t")], [1, 1], "{past} {given:?}");
            assert_eq!([part(standby, "s"), part(standby, "t")], [1, 1], "{past} {given:?}");
        }
    }
}

proptest! {
    /// Random groups, whatever they had before, and once more after they got their tasks.
    #[test]
    fn any_assignment_is_whole_and_balanced(
        processes in prop::collection::vec(1usize..4, 1..5),
        tasks in prop::collection::vec((1i32..6, any::<bool>()), 1..4),
        standbys in 0usize..3,
        past in prop::collection::vec((0usize..3, 0i32..6, 0usize..12, any::<bool>()), 0..30),
    ) {
        let mut members: Vec<(MemberId, String, Tasks)> = Vec::new();
        for (process, threads) in processes.iter().enumerate() {
            for thread in 0..*threads {
                let id = MemberId::from(format!("m{process}{thread}"));
                members.push((id, format!("p{process}"), Tasks::default()));
            }
        }
        let sources: Vec<(String, i32, bool)> = tasks
            .iter()
            .enumerate()
            .map(|(index, (tasks, is_stateful))| (format!("s{index}"), *tasks, *is_stateful))
            .collect();
        let count = members.len();
        for (source, task, member, is_active) in past {
            let before = &mut members[member % count].2;
            let tasks = if is_active { &mut before.active } else { &mut before.standby };
            tasks.entry(format!("s{source}")).or_default().insert(task);
        }
        let sources: Vec<TaskSource<'_>> = sources
            .iter()
            .map(|(id, tasks, is_stateful)| {
                TaskSource { id, tasks: *tasks, is_stateful: *is_stateful }
            })
            .collect();
        let run = |members: &[(MemberId, String, Tasks)]| {
            let members: Vec<TaskMember<'_>> = members
                .iter()
                .map(|(id, process_id, previous)| TaskMember { id, process_id, previous, offsets: &NO_COPIES })
                .collect();
            assign(&members, &sources, standbys)
        };
        let given = run(&members);
        whole(&given, &members, &sources, standbys)?;
        for (id, _, before) in &mut members {
            *before = given[id].clone();
        }
        let again = run(&members);
        whole(&again, &members, &sources, standbys)?;
        // If nobody had tasks before, and the processes have equally many threads, the load is
        // even.
        for (.., before) in &mut members {
            *before = Tasks::default();
        }
        let sizes: Vec<usize> = run(&members).values().map(active_size).collect();
        let is_even = processes.iter().all(|threads| *threads == processes[0]);
        prop_assert!(!is_even || sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
    }
}

fn active_size(tasks: &Tasks) -> usize {
    tasks.active.values().map(BTreeSet::len).sum()
}

/// Each task is active once, is standby as often as the processes allow, and is never twice on a
/// process.
fn whole(
    given: &BTreeMap<MemberId, Tasks>,
    members: &[(MemberId, String, Tasks)],
    sources: &[TaskSource<'_>],
    standbys: usize,
) -> Result<(), TestCaseError> {
    let processes: BTreeSet<&str> =
        members.iter().map(|(_, process, _)| process.as_str()).collect();
    let mut total = 0;
    for source in sources {
        for task in 0..source.tasks {
            let has = |tasks: &TaskIds| tasks.get(source.id).is_some_and(|set| set.contains(&task));
            let active = given.values().filter(|tasks| has(&tasks.active)).count();
            prop_assert_eq!(active, 1);
            let on: Vec<&str> = members
                .iter()
                .filter(|(id, ..)| has(&given[id].active) || has(&given[id].standby))
                .map(|(_, process, _)| process.as_str())
                .collect();
            let copies = if source.is_stateful { standbys.min(processes.len() - 1) } else { 0 };
            prop_assert_eq!(on.len(), 1 + copies);
            prop_assert_eq!(on.iter().collect::<BTreeSet<_>>().len(), on.len());
            total += 1;
        }
    }
    prop_assert_eq!(given.values().map(active_size).sum::<usize>(), total);
    Ok(())
}
