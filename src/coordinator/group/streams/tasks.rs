//! Tasks, which are partition numbers of subtopologies and active, standby or warm-up (TasksTuple,
//! TasksTupleWithEpochs), and the processes that have them.

use std::collections::{BTreeMap, BTreeSet};

/// Partition numbers by subtopology. A subtopology without any is not in the map.
pub type TaskIds = BTreeMap<String, BTreeSet<i32>>;

/// How far a member's copies of tasks' states are, by subtopology and partition number: the sum of
/// the offsets in the changelog topics.
pub type TaskOffsets = BTreeMap<(String, i32), i64>;

/// The tasks that a member is to own, or says it owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Tasks that process records.
    pub active: TaskIds,
    /// Tasks that keep a copy of the state of an active task elsewhere.
    pub standby: TaskIds,
    /// Tasks that build up the state for an active task to come.
    pub warmup: TaskIds,
}

/// The tasks that a member has been given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Active tasks: partition numbers, each with the epoch in which the member got the task.
    pub active: BTreeMap<String, BTreeMap<i32, i32>>,
    /// As in [`Tasks`].
    pub standby: TaskIds,
    /// As in [`Tasks`].
    pub warmup: TaskIds,
}

impl Tasks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether any of `assigned` is among them.
    pub fn contains_any(&self, assigned: &Assigned) -> bool {
        let shares = |ours: &TaskIds, theirs: &TaskIds| {
            let shared = |(id, set): (&String, &BTreeSet<i32>)| {
                theirs.get(id).is_some_and(|other| !set.is_disjoint(other))
            };
            ours.iter().any(shared)
        };
        let active = self.active.iter().any(|(id, set)| {
            let theirs = assigned.active.get(id);
            theirs.is_some_and(|theirs| set.iter().any(|task| theirs.contains_key(task)))
        });
        active || shares(&self.standby, &assigned.standby) || shares(&self.warmup, &assigned.warmup)
    }
}

impl Assigned {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether all of `owned` are among them.
    pub fn contains_all(&self, owned: &Tasks) -> bool {
        let within = |ours: &TaskIds, theirs: &TaskIds| {
            theirs.iter().all(|(id, set)| ours.get(id).is_some_and(|ours| set.is_subset(ours)))
        };
        let active = owned.active.iter().all(|(id, set)| {
            let ours = self.active.get(id);
            ours.is_some_and(|ours| set.iter().all(|task| ours.contains_key(task)))
        });
        active && within(&self.standby, &owned.standby) && within(&self.warmup, &owned.warmup)
    }

    /// These tasks and `other`.
    pub fn merged(mut self, other: Assigned) -> Assigned {
        for (id, tasks) in other.active {
            self.active.entry(id).or_default().extend(tasks);
        }
        for (ours, theirs) in [(&mut self.standby, other.standby), (&mut self.warmup, other.warmup)]
        {
            for (id, tasks) in theirs {
                ours.entry(id).or_default().extend(tasks);
            }
        }
        self
    }

    /// The epoch in which an active task was given; None if it is not among them.
    pub fn epoch_of(&self, subtopology: &str, partition: i32) -> Option<i32> {
        self.active.get(subtopology)?.get(&partition).copied()
    }

    /// The active tasks without their epochs.
    pub fn active_ids(&self) -> TaskIds {
        let ids = |tasks: &BTreeMap<i32, i32>| tasks.keys().copied().collect();
        self.active.iter().map(|(id, tasks)| (id.clone(), ids(tasks))).collect()
    }
}

/// Which processes have each task, or still have to give it back. A process is an instance of the
/// application, and its threads are members. It cannot have a task twice, so a task may have to
/// wait.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners {
    active: BTreeMap<String, BTreeMap<i32, String>>,
    standby: BTreeMap<String, BTreeMap<i32, BTreeSet<String>>>,
    warmup: BTreeMap<String, BTreeMap<i32, BTreeSet<String>>>,
}

impl Owners {
    /// The process that has an active task.
    pub fn active(&self, subtopology: &str, partition: i32) -> Option<&str> {
        self.active.get(subtopology)?.get(&partition).map(String::as_str)
    }

    /// Whether `process` has a standby or warm-up task.
    pub fn is_kept_by(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        let has = |tasks: &BTreeMap<String, BTreeMap<i32, BTreeSet<String>>>| {
            let of_subtopology = tasks.get(subtopology);
            let processes = of_subtopology.and_then(|tasks| tasks.get(&partition));
            processes.is_some_and(|processes| processes.contains(process))
        };
        has(&self.standby) || has(&self.warmup)
    }

    /// Notes that `process` has `tasks`.
    pub fn add(&mut self, tasks: &Assigned, process: &str) {
        for (id, partitions) in &tasks.active {
            let owners = self.active.entry(id.clone()).or_default();
            owners.extend(partitions.keys().map(|partition| (*partition, process.to_owned())));
        }
        let sets = [(&tasks.standby, &mut self.standby), (&tasks.warmup, &mut self.warmup)];
        for (tasks, owners) in sets {
            for (id, partitions) in tasks {
                let owners = owners.entry(id.clone()).or_default();
                for partition in partitions {
                    owners.entry(*partition).or_default().insert(process.to_owned());
                }
            }
        }
    }

    /// Notes that `process` has `tasks` no more. An active task that another process has taken over
    /// stays with that process.
    pub fn remove(&mut self, tasks: &Assigned, process: &str) {
        for (id, partitions) in &tasks.active {
            let Some(owners) = self.active.get_mut(id) else { continue };
            for task in partitions.keys() {
                if owners.get(task).is_some_and(|owner| owner == process) {
                    owners.remove(task);
                }
            }
            if owners.is_empty() {
                self.active.remove(id);
            }
        }
        let sets = [(&tasks.standby, &mut self.standby), (&tasks.warmup, &mut self.warmup)];
        for (tasks, owners) in sets {
            for (id, partitions) in tasks {
                let Some(of_id) = owners.get_mut(id) else { continue };
                for task in partitions {
                    let Some(processes) = of_id.get_mut(task) else { continue };
                    processes.remove(process);
                    if processes.is_empty() {
                        of_id.remove(task);
                    }
                }
                if of_id.is_empty() {
                    owners.remove(id);
                }
            }
        }
    }
}
