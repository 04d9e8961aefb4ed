//! The sticky assignor: it gives equally many tasks to the members of all processes, and leaves as
//! many of them as possible where they were (StickyTaskAssignor, ProcessState).
//!
//! It is a pure function of the members and the topology. Where the order does not matter it
//! follows the order of ids; Kafka follows that of its hash maps. There are no warm-up tasks in
//! Kafka 4.3 and 4.4.

use super::tasks::{TaskIds, TaskOffsets, Tasks};
use crate::coordinator::group::MemberId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

/// A member as the assignor sees it.
#[derive(Clone, Copy, Debug)]
pub struct TaskMember<'a> {
    pub id: &'a MemberId,
    /// The process that the member is a thread of.
    pub process_id: &'a str,
    /// Its last target assignment, which it may keep.
    pub previous: &'a Tasks,
    /// Tasks whose state it has a copy of, and how complete each copy is.
    pub offsets: &'a TaskOffsets,
}

/// A subtopology as the assignor sees it.
#[derive(Clone, Copy, Debug)]
pub struct TaskSource<'a> {
    pub id: &'a str,
    /// How many tasks it has.
    pub tasks: i32,
    /// Whether it has state, so that its tasks can have standby tasks.
    pub is_stateful: bool,
}

/// The target assignment of all `members`, of which there is at least one. Each task is active on
/// one of them, and standby on `standbys` of them if there are enough processes. `members` and
/// `sources` are in order of their ids.
pub fn assign(
    members: &[TaskMember<'_>],
    sources: &[TaskSource<'_>],
    standbys: usize,
) -> BTreeMap<MemberId, Tasks> {
    let mut assignment = Assignment::new(members, sources, standbys);
    assignment.assign_active(tasks(sources.iter()));
    if standbys > 0 {
        assignment.assign_standby(tasks(sources.iter().filter(|source| source.is_stateful)));
    }
    members.iter().map(|member| member.id.clone()).zip(assignment.given).collect()
}

/// The index of a process.
type Process = usize;
/// The index of a member.
type Member = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Task<'a> {
    partition: i32,
    subtopology: &'a str,
}

fn tasks<'a>(sources: impl Iterator<Item = &'a TaskSource<'a>>) -> Vec<Task<'a>> {
    let tasks = sources.flat_map(|source| {
        (0..source.tasks).map(|partition| Task { partition, subtopology: source.id })
    });
    tasks.collect()
}

/// The most tasks that a member may get so that all have equally many, give or take one. A member
/// that has reached it no longer counts, and the others share the tasks that are left.
#[derive(Debug)]
struct Quota {
    tasks: usize,
    members: usize,
    per_member: usize,
}

impl Quota {
    fn new(tasks: usize, members: usize) -> Quota {
        let per_member = if members == 0 { 0 } else { tasks.div_ceil(members) };
        Quota { tasks, members, per_member }
    }

    /// Notes that a member has `count` tasks now.
    fn given(&mut self, count: usize) {
        if count == self.per_member && self.members > 0 {
            *self = Quota::new(self.tasks.saturating_sub(count), self.members - 1);
        }
    }
}

#[derive(Debug, Default)]
struct ProcessLoad<'a> {
    members: Vec<Member>,
    count: usize,
    tasks: HashSet<Task<'a>>,
    /// The members by their numbers of tasks; computed again after a task was given to a certain
    /// member.
    by_load: Option<BinaryHeap<Reverse<(usize, Member)>>>,
}

impl ProcessLoad<'_> {
    /// The number of tasks per member, as an integer that is ordered like the fraction.
    fn load(&self) -> u64 {
        let load = self.count as f64 / self.members.len().max(1) as f64;
        // Floats that are not negative are ordered like their bits.
        load.to_bits()
    }
}

#[derive(Debug)]
struct Assignment<'a> {
    standbys: usize,
    process_of: Vec<Process>,
    counts: Vec<usize>,
    given: Vec<Tasks>,
    processes: Vec<ProcessLoad<'a>>,
    previous_active: HashMap<(&'a str, i32), Member>,
    previous_standby: HashMap<(&'a str, i32), Vec<Member>>,
    active_quota: Quota,
    quota: Quota,
}

impl<'a> Assignment<'a> {
    fn new(
        members: &[TaskMember<'a>],
        sources: &[TaskSource<'a>],
        standbys: usize,
    ) -> Assignment<'a> {
        let count = |source: &TaskSource<'_>| usize::try_from(source.tasks).unwrap_or(0);
        let active: usize = sources.iter().map(count).sum();
        let stateful: usize = sources.iter().filter(|source| source.is_stateful).map(count).sum();
        let mut assignment = Assignment {
            standbys,
            process_of: Vec::with_capacity(members.len()),
            counts: vec![0; members.len()],
            given: vec![Tasks::default(); members.len()],
            processes: Vec::new(),
            previous_active: HashMap::new(),
            previous_standby: HashMap::new(),
            active_quota: Quota::new(active, members.len()),
            quota: Quota::new(active + stateful * standbys, members.len()),
        };
        let mut processes: HashMap<&str, Process> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            let process = *processes.entry(member.process_id).or_insert_with(|| {
                assignment.processes.push(ProcessLoad::default());
                assignment.processes.len() - 1
            });
            assignment.processes[process].members.push(index);
            assignment.process_of.push(process);
            let ids = |tasks: &'a TaskIds| {
                let of = |(id, set): (&'a String, &'a std::collections::BTreeSet<i32>)| {
                    set.iter().map(move |partition| (id.as_str(), *partition))
                };
                tasks.iter().flat_map(of)
            };
            for task in ids(&member.previous.active) {
                assignment.previous_active.insert(task, index);
            }
            for task in ids(&member.previous.standby) {
                assignment.previous_standby.entry(task).or_default().push(index);
            }
        }
        assignment.rank_copies(members);
        assignment
    }

    /// Members that had a standby task come first, then those that have a copy of the state anyway;
    /// in both groups the copies that are further come first (Kafka 4.4).
    fn rank_copies(&mut self, members: &[TaskMember<'a>]) {
        let had = |member: Member, (id, partition): (&str, i32)| {
            let standby = members[member].previous.standby.get(id);
            standby.is_some_and(|set| set.contains(&partition))
        };
        for (index, member) in members.iter().enumerate() {
            for (id, partition) in member.offsets.keys() {
                let task = (id.as_str(), *partition);
                if !had(index, task) {
                    self.previous_standby.entry(task).or_default().push(index);
                }
            }
        }
        for (task, copies) in &mut self.previous_standby {
            let key = (task.0.to_owned(), task.1);
            let offset = |member: Member| members[member].offsets.get(&key).copied().unwrap_or(0);
            copies.sort_by_key(|member| (!had(*member, *task), Reverse(offset(*member))));
        }
    }

    fn assign_active(&mut self, mut tasks: Vec<Task<'a>>) {
        // Pairs of equal partitions stay together, so they are kept first.
        tasks.sort_unstable_by_key(|task| (task.partition, task.subtopology));
        tasks.retain(|task| {
            let previous = self.previous_active.get(&(task.subtopology, task.partition)).copied();
            !self.keeps_active(*task, previous)
        });
        tasks.retain(|task| {
            let members = self.previous_standby.get(&(task.subtopology, task.partition));
            let previous = members.and_then(|members| self.least_loaded(members, None));
            !self.keeps_active(*task, previous)
        });
        tasks.sort_unstable_by_key(|task| (task.subtopology, task.partition));
        let mut by_load = self.by_load();
        for task in tasks {
            let Reverse((_, process)) = by_load.pop().expect("there is a member");
            self.give_least_loaded(process, task, true);
            by_load.push(Reverse((self.processes[process].load(), process)));
        }
    }

    /// Gives an active task to a former owner, if one of them is not full.
    fn keeps_active(&mut self, task: Task<'a>, previous: Option<Member>) -> bool {
        match previous {
            Some(member) if self.counts[member] < self.active_quota.per_member => {
                self.give(member, task, true);
                true
            }
            _ => false,
        }
    }

    fn assign_standby(&mut self, mut tasks: Vec<Task<'a>>) {
        tasks.sort_unstable_by_key(|task| Reverse((task.partition, task.subtopology)));
        let mut rest: Vec<(Task<'a>, usize)> = Vec::new();
        for task in tasks {
            let left = (0..self.standbys).find(|_| !self.keeps_standby(task));
            if let Some(given) = left {
                rest.push((task, self.standbys - given));
            }
        }
        rest.sort_by_key(|(task, _)| Reverse((task.subtopology, task.partition)));
        let mut by_load = self.by_load();
        for (task, replicas) in rest {
            for given in 0..replicas {
                if !self.give_standby(&mut by_load, task) {
                    tracing::warn!(
                        task = %format!("{}_{}", task.subtopology, task.partition),
                        "{} of {} standby tasks have no process left: there should be more \
                         instances of the application",
                        replicas - given,
                        self.standbys
                    );
                    break;
                }
            }
        }
    }

    /// Gives a standby task to a former owner of the task, active or standby, if that is allowed.
    fn keeps_standby(&mut self, task: Task<'a>) -> bool {
        let key = (task.subtopology, task.partition);
        let active = self.previous_active.get(&key).copied();
        let active = active.filter(|member| !self.has(*member, task) && self.has_room(*member));
        let standby = || {
            let member = self.least_loaded(self.previous_standby.get(&key)?, Some(task))?;
            Some(member).filter(|member| self.has_room(*member))
        };
        match active.or_else(standby) {
            Some(member) => {
                self.give(member, task, false);
                true
            }
            None => false,
        }
    }

    /// Gives a standby task to the process with the least load that does not have the task.
    fn give_standby(
        &mut self,
        by_load: &mut BinaryHeap<Reverse<(u64, Process)>>,
        task: Task<'a>,
    ) -> bool {
        let mut seen = Vec::new();
        let mut found = false;
        while let Some(Reverse((_, process))) = by_load.pop() {
            seen.push(process);
            if !self.processes[process].tasks.contains(&task) {
                self.give_least_loaded(process, task, false);
                found = true;
                break;
            }
        }
        let back =
            seen.into_iter().map(|process| Reverse((self.processes[process].load(), process)));
        by_load.extend(back);
        found
    }

    /// Among members that had a task, the one with the least load whose process does not have
    /// `task`.
    fn least_loaded(&self, members: &[Member], task: Option<Task<'a>>) -> Option<Member> {
        let is_free = |member: Member| task.is_none_or(|task| !self.has(member, task));
        let load = |member: Member| self.processes[self.process_of[member]].load();
        let first = *members.first()?;
        let mut candidate = first;
        for &member in &members[1..] {
            let less =
                load(member) < load(candidate) && self.counts[member] < self.counts[candidate];
            if less && is_free(member) {
                candidate = member;
            }
        }
        // As in Kafka, the first member's process has to be free of the task.
        Some(candidate).filter(|_| is_free(first))
    }

    fn by_load(&self) -> BinaryHeap<Reverse<(u64, Process)>> {
        let loads = self.processes.iter().enumerate();
        loads.map(|(process, of)| Reverse((of.load(), process))).collect()
    }

    /// Whether the member's process has the task.
    fn has(&self, member: Member, task: Task<'a>) -> bool {
        self.processes[self.process_of[member]].tasks.contains(&task)
    }

    fn has_room(&self, member: Member) -> bool {
        self.counts[member] < self.quota.per_member
    }

    fn give(&mut self, member: Member, task: Task<'a>, active: bool) {
        self.processes[self.process_of[member]].by_load = None;
        self.add(member, task, active);
    }

    fn give_least_loaded(&mut self, process: Process, task: Task<'a>, active: bool) {
        let counts = &self.counts;
        let of = &mut self.processes[process];
        let by_load = of.by_load.get_or_insert_with(|| {
            of.members.iter().map(|member| Reverse((counts[*member], *member))).collect()
        });
        let Reverse((count, member)) = by_load.pop().expect("a process has a member");
        by_load.push(Reverse((count + 1, member)));
        self.add(member, task, active);
    }

    fn add(&mut self, member: Member, task: Task<'a>, active: bool) {
        let process = &mut self.processes[self.process_of[member]];
        process.count += 1;
        process.tasks.insert(task);
        self.counts[member] += 1;
        let given = &mut self.given[member];
        let ids = if active { &mut given.active } else { &mut given.standby };
        ids.entry(task.subtopology.to_owned()).or_default().insert(task.partition);
        if active {
            self.active_quota.given(self.counts[member]);
        }
        self.quota.given(self.counts[member]);
    }
}

#[cfg(test)]
mod tests;
