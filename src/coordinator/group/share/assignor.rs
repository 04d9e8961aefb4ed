//! Who shares which partitions (SimpleAssignor). First the members' loads are to be even, then the
//! partitions' numbers of members, then as much as possible stays where it was.
//!
//! If all members subscribe to the same topics, all partitions are shared out together; else those
//! of each topic by themselves, so that a member of two topics gets its share of both.
//!
//! Where Kafka follows the order of a hash table, this follows the order of member ids and topic
//! ids.

use crate::coordinator::group::MemberId;
use crate::coordinator::group::assignor::{Partitions, Subscriber};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

type PartitionId = (Uuid, i32);

/// The target assignment of all `subscribers`, which come in order of their ids. Nothing but what
/// is in `assignable` is assigned.
pub fn assign(
    subscribers: &[Subscriber<'_>],
    assignable: &Partitions,
) -> BTreeMap<MemberId, Partitions> {
    let mut held = vec![BTreeSet::new(); subscribers.len()];
    let topics: BTreeSet<Uuid> = subscribers.iter().flat_map(|of| of.topics).copied().collect();
    let partitions = |topic: &Uuid| -> Vec<PartitionId> {
        let of_topic = assignable.get(topic).into_iter().flatten();
        of_topic.map(|partition| (*topic, *partition)).collect()
    };
    if subscribers.iter().all(|of| *of.topics == topics) {
        let everybody: Vec<usize> = (0..subscribers.len()).collect();
        let all: Vec<PartitionId> = topics.iter().flat_map(partitions).collect();
        share_out(&all, &everybody, subscribers, &mut held);
    } else {
        for topic in &topics {
            let is_theirs = |at: &usize| subscribers[*at].topics.contains(topic);
            let theirs: Vec<usize> = (0..subscribers.len()).filter(is_theirs).collect();
            share_out(&partitions(topic), &theirs, subscribers, &mut held);
        }
    }
    let gathered = held.into_iter().map(|held| {
        let mut gathered = Partitions::new();
        for (topic, partition) in held {
            gathered.entry(topic).or_default().insert(partition);
        }
        gathered
    });
    subscribers.iter().map(|of| of.id.clone()).zip(gathered).collect()
}

/// Shares `partitions`, which are in order, out among `members`, and adds what each gets to `held`.
fn share_out(
    partitions: &[PartitionId],
    members: &[usize],
    subscribers: &[Subscriber<'_>],
    held: &mut [BTreeSet<PartitionId>],
) {
    if partitions.is_empty() || members.is_empty() {
        return;
    }
    // Each partition has as many members as are needed for none to be left without any.
    let sharers = members.len().div_ceil(partitions.len());
    let up_to = |count: usize| (sharers * partitions.len() * count).div_ceil(members.len());
    let quota = |count: usize| up_to(count + 1) - up_to(count);
    let mut holders: BTreeMap<PartitionId, usize> = partitions.iter().map(|id| (*id, 0)).collect();
    let mut unfilled = VecDeque::new();
    for (count, member) in members.iter().enumerate() {
        let owned = subscribers[*member].owned.iter();
        let owned = owned.flat_map(|(topic, set)| set.iter().map(|index| (*topic, *index)));
        let mut open = quota(count);
        for id in owned {
            let Some(others) = holders.get_mut(&id) else { continue };
            if open > 0 && *others < sharers {
                *others += 1;
                open -= 1;
                held[*member].insert(id);
            }
        }
        if open > 0 {
            unfilled.push_back((*member, open));
        }
    }
    for id in partitions {
        let mut needed = sharers - holders[id];
        // Those who have it already are asked in vain; then others have to do with less.
        let mut asked = unfilled.len();
        while needed > 0 && asked > 0 {
            let Some((member, open)) = unfilled.pop_front() else { break };
            let is_new = held[member].insert(*id);
            needed -= usize::from(is_new);
            let open = open - usize::from(is_new);
            if open > 0 {
                unfilled.push_back((member, open));
            }
            asked -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
