//! Members that subscribe to different topics. The free partitions of each topic go to the
//! subscribers that have the least; then, topic by topic, partitions move from those that have the
//! most to those that have the least (UniformHeterogeneousAssignmentBuilder).

use super::{
    Owned, PartitionCounts, PartitionId, Partitions, Subscriber, assignment, subscriptions,
};
use crate::coordinator::group::MemberId;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The number of rounds through the topics. Where subscriptions overlap, balancing one topic
/// unbalances another; each round is expected to halve what is left to do.
const ROUNDS: usize = 16;

/// `members` are in order of their ids.
pub(super) fn assign(
    members: &[Subscriber<'_>],
    counts: &PartitionCounts,
) -> BTreeMap<MemberId, Partitions> {
    let ids: BTreeSet<Uuid> =
        subscriptions(members).iter().flat_map(|(ids, _)| *ids).copied().collect();
    let owned = Owned::of(members, &ids, counts).by_member;
    let mut loads: Vec<i64> = owned.iter().map(|owned| owned.len() as i64).collect();
    let mut topics = topics(&ids, members, &owned, counts);
    topics.sort_by(OwnedTopic::turn);
    for topic in &mut topics {
        topic.hand_out(&mut loads);
    }
    balance(&mut topics, &mut loads);
    assignment(members, by_member(&topics, members.len()))
}

/// A topic and the owners of its partitions.
struct OwnedTopic {
    id: Uuid,
    /// Indices of members, ascending.
    subscribers: Vec<usize>,
    /// The member that owns each partition, by index.
    owners: Vec<Option<usize>>,
}

fn topics(
    ids: &BTreeSet<Uuid>,
    members: &[Subscriber<'_>],
    owned: &[Vec<PartitionId>],
    counts: &PartitionCounts,
) -> Vec<OwnedTopic> {
    let new = |id: &Uuid| {
        let owners = vec![None; counts[id].max(0) as usize];
        OwnedTopic { id: *id, subscribers: Vec::new(), owners }
    };
    let mut topics: Vec<OwnedTopic> = ids.iter().map(new).collect();
    for (index, (member, owned)) in members.iter().zip(owned).enumerate() {
        // All are sorted, and walking along is faster than looking up.
        let mut others = topics.iter_mut();
        for id in member.topics {
            let topic = others.find(|topic| topic.id == *id).expect("ids has all");
            topic.subscribers.push(index);
        }
        let mut others = topics.iter_mut();
        for partitions in owned.chunk_by(|a, b| a.0 == b.0) {
            let of_owned = |topic: &&mut OwnedTopic| topic.id == partitions[0].0;
            let topic = others.find(of_owned).expect("one keeps only what one subscribes to");
            for (_, partition) in partitions {
                topic.owners[*partition as usize] = Some(index);
            }
        }
    }
    topics
}

fn by_member(topics: &[OwnedTopic], members: usize) -> Vec<Vec<PartitionId>> {
    let mut by_member = vec![Vec::new(); members];
    for topic in topics {
        for (partition, owner) in (0..).zip(&topic.owners) {
            let owner = owner.expect("a topic that is known has a subscriber");
            by_member[owner].push((topic.id, partition));
        }
    }
    by_member
}

/// Goes through the topics until a whole round has found nothing to move.
fn balance(topics: &mut [OwnedTopic], loads: &mut [i64]) {
    let mut last_moved = None;
    for _ in 0..ROUNDS {
        for (index, topic) in topics.iter_mut().enumerate() {
            if last_moved == Some(index) {
                return;
            }
            if topic.balance(loads) || last_moved.is_none() {
                last_moved = Some(index);
            }
        }
    }
}

impl OwnedTopic {
    /// Topics with many partitions per subscriber come first, because they leave the least choice.
    fn turn(&self, other: &OwnedTopic) -> Ordering {
        // Kafka compares the halves of an id as signed numbers.
        let halves = |id: Uuid| (id.as_u64_pair().0 as i64, id.as_u64_pair().1 as i64);
        (other.owners.len() * self.subscribers.len())
            .cmp(&(self.owners.len() * other.subscribers.len()))
            .then(self.subscribers.len().cmp(&other.subscribers.len()))
            .then(halves(self.id).cmp(&halves(other.id)))
    }

    /// Gives the free partitions to the subscribers that have the least.
    fn hand_out(&mut self, loads: &mut [i64]) {
        if self.owners.iter().all(Option::is_some) {
            return;
        }
        let mut ladder = Ladder::new(&self.subscribers, loads);
        for owner in self.owners.iter_mut().filter(|owner| owner.is_none()) {
            let member = ladder.next_lowest(loads);
            *owner = Some(member);
            loads[member] += 1;
        }
    }

    /// Moves partitions from the subscribers that have the most to those that have the least, until
    /// they differ by one or the former have no more of this topic. Returns whether any was moved.
    fn balance(&mut self, loads: &mut [i64]) -> bool {
        let of_subscribers = || self.subscribers.iter().map(|member| loads[*member]);
        if of_subscribers().max().unwrap_or(0) - of_subscribers().min().unwrap_or(0) <= 1 {
            return false;
        }
        let mut given = HashMap::<usize, Vec<usize>>::new();
        for (partition, owner) in self.owners.iter().enumerate() {
            given.entry(owner.expect("all are handed out")).or_default().push(partition);
        }
        let mut ladder = Ladder::new(&self.subscribers, loads);
        let mut moved = false;
        while let Some(giver) = ladder.next_highest(loads) {
            let Some(partition) = given.get_mut(&giver).and_then(Vec::pop) else {
                ladder.exclude_highest();
                continue;
            };
            let taker = ladder.next_lowest(loads);
            if ladder.is_even() {
                break;
            }
            self.owners[partition] = Some(taker);
            loads[giver] -= 1;
            loads[taker] += 1;
            moved = true;
        }
        moved
    }
}

/// A topic's subscribers by load, seen from both ends. The lowest ones are filled level by level,
/// and the next ones are included when their level is reached; the highest ones are taken from in
/// the same way.
struct Ladder {
    /// Sorted by load at first, then by index; excluded ones move to the end.
    order: Vec<usize>,
    /// `order[..lowest_end]` are the lowest: all had this load when their turn began.
    lowest_end: usize,
    lowest_load: i64,
    /// The place of the lowest one whose turn it is.
    lowest_next: usize,
    /// `order[highest_start..highest_end]` are the highest, and `order[highest_end..]` are
    /// excluded.
    highest_start: usize,
    highest_end: usize,
    highest_load: i64,
    /// The place after the highest one whose turn it is.
    highest_next: usize,
}

impl Ladder {
    /// Nobody is among the lowest or the highest yet. There is at least one subscriber.
    fn new(subscribers: &[usize], loads: &[i64]) -> Ladder {
        let mut order = subscribers.to_vec();
        order.sort_unstable_by_key(|member| (loads[*member], *member));
        let end = order.len();
        Ladder {
            lowest_end: 0,
            lowest_load: loads[order[0]] - 1,
            lowest_next: 0,
            highest_start: end,
            highest_end: end,
            highest_load: loads[order[end - 1]] + 1,
            highest_next: end,
            order,
        }
    }

    /// The member that should get a partition; the caller gives it one.
    fn next_lowest(&mut self, loads: &[i64]) -> usize {
        if self.lowest_next >= self.lowest_end {
            self.lowest_load += 1;
            let joining = self.order[self.lowest_end..].iter();
            let level = self.lowest_load;
            self.lowest_end += joining.take_while(|member| loads[**member] == level).count();
            self.lowest_next = 0;
        }
        self.lowest_next += 1;
        self.order[self.lowest_next - 1]
    }

    /// The member that should lose a partition. The caller takes it, or excludes the member if it
    /// has none.
    fn next_highest(&mut self, loads: &[i64]) -> Option<usize> {
        if self.highest_next <= self.highest_start {
            let all_excluded = self.highest_end <= self.highest_start;
            self.highest_load = match self.order[..self.highest_start].last() {
                Some(next) if all_excluded => loads[*next],
                _ => self.highest_load - 1,
            };
            let joining = self.order[..self.highest_start].iter().rev();
            let level = self.highest_load;
            self.highest_start -= joining.take_while(|member| loads[**member] == level).count();
            self.highest_next = self.highest_end;
        }
        self.highest_next = self.highest_next.checked_sub(1)?;
        Some(self.order[self.highest_next])
    }

    /// Excludes the last `next_highest`, which has nothing to give.
    fn exclude_highest(&mut self) {
        self.highest_end -= 1;
        self.order.swap(self.highest_next, self.highest_end);
    }

    /// Whether the last giver and the last taker differ by no more than one.
    fn is_even(&self) -> bool {
        self.highest_load - self.lowest_load <= 1
    }
}
