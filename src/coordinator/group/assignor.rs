//! The server-side assignors of KIP-848 (UniformAssignor, RangeAssignor): pure functions that
//! decide which members own which partitions, given who subscribes to what and who owned what
//! before.

mod range;
mod uniform_heterogeneous;
mod uniform_homogeneous;

use super::MemberId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use uuid::Uuid;

/// Partitions by their topic's id. A topic without partitions is not in it.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// How many partitions each subscribed topic has.
pub type PartitionCounts = BTreeMap<Uuid, i32>;

type PartitionId = (Uuid, i32);

/// A member as an assignor sees it. Racks are not part of it because Kafka's assignors ignore them
/// (KIP-1101).
#[derive(Clone, Copy, Debug)]
pub struct Subscriber<'a> {
    /// `member.id`, by which members are ordered where nothing else tells them apart.
    pub id: &'a MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<&'a str>,
    /// The existing topics that it subscribes to, by name or by regular expression. Members with
    /// the same subscription should share one set, so that an assignor does its work once for all
    /// of them.
    pub topics: &'a BTreeSet<Uuid>,
    /// Its last target assignment, which a sticky assignor preserves. A static member that came
    /// back has that of its former self.
    pub owned: &'a Partitions,
}

/// A server-side assignor, one of `group.consumer.assignors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Balances first and preserves assignments second: `uniform`, the default.
    Uniform,
    /// Gives each member neighbouring partitions of each topic, and preserves nothing: `range`.
    Range,
}

/// A member subscribes to a topic that has no partition count (PartitionAssignorException).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTopic(pub Uuid);

impl fmt::Display for UnknownTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a member is subscribed to topic {}, which does not exist", self.0)
    }
}

impl Assignor {
    /// All assignors, in the order of the default of `group.consumer.assignors`.
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    /// The assignor that a member asks for with `group.remote.assignor`.
    pub fn by_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// The name in `group.consumer.assignors`, in heartbeats and in ConsumerGroupDescribe.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The target assignment of all `subscribers`, which may be in any order. Each partition of
    /// each topic that has subscribers gets exactly one of them as its owner. A member that gets
    /// nothing has an empty entry.
    ///
    /// Where Kafka follows the order of a hash table, this follows the order of member ids and
    /// topic ids.
    pub fn assign(
        self,
        subscribers: &[Subscriber<'_>],
        counts: &PartitionCounts,
    ) -> Result<BTreeMap<MemberId, Partitions>, UnknownTopic> {
        let mut members = subscribers.to_vec();
        members.sort_by_key(|member| member.id);
        let subscriptions = subscriptions(&members);
        let mut subscribed = subscriptions.iter().flat_map(|(topics, _)| *topics);
        if let Some(unknown) = subscribed.find(|topic| !counts.contains_key(topic)) {
            return Err(UnknownTopic(*unknown));
        }
        let homogeneous = subscriptions.windows(2).all(|pair| pair[0].0 == pair[1].0);
        Ok(match self {
            Assignor::Range => range::assign(&mut members, &subscriptions, counts),
            Assignor::Uniform if homogeneous => uniform_homogeneous::assign(&members, counts),
            Assignor::Uniform => uniform_heterogeneous::assign(&members, counts),
        })
    }
}

/// The sets of topics that members subscribe to, and how many members share each. Equal sets may
/// occur more than once.
fn subscriptions<'a>(members: &[Subscriber<'a>]) -> Vec<(&'a BTreeSet<Uuid>, usize)> {
    let mut shared = HashMap::<*const BTreeSet<Uuid>, (&BTreeSet<Uuid>, usize)>::new();
    for member in members {
        shared.entry(member.topics).or_insert((member.topics, 0)).1 += 1;
    }
    shared.into_values().collect()
}

/// Where an assignor starts: the partitions that each member owns and may keep. A partition that no
/// longer exists is left out. One with two owners, which a client-side assignor may have left,
/// stays with the first.
struct Owned {
    /// For each member, in order of topic and partition.
    by_member: Vec<Vec<PartitionId>>,
    /// The partitions without an owner, in order.
    free: Vec<PartitionId>,
}

impl Owned {
    fn of(members: &[Subscriber<'_>], topics: &BTreeSet<Uuid>, counts: &PartitionCounts) -> Owned {
        let mut free: BTreeMap<Uuid, Vec<bool>> = topics
            .iter()
            .map(|topic| (*topic, vec![true; counts[topic].max(0) as usize]))
            .collect();
        let mut keep = |topic: Uuid, partition: i32| {
            let partitions = free.get_mut(&topic)?;
            let free = partitions.get_mut(usize::try_from(partition).ok()?)?;
            std::mem::take(free).then_some((topic, partition))
        };
        let by_member = members.iter().map(|member| {
            let subscribed = member.owned.iter().filter(|(topic, _)| member.topics.contains(topic));
            let owned = subscribed.flat_map(|(topic, set)| set.iter().map(|p| (*topic, *p)));
            owned.filter_map(|(topic, partition)| keep(topic, partition)).collect()
        });
        let by_member = by_member.collect();
        let free = free.into_iter().flat_map(|(topic, free)| {
            (0..).zip(free).filter(|(_, free)| *free).map(move |(partition, _)| (topic, partition))
        });
        Owned { by_member, free: free.collect() }
    }
}

/// The assignment, made from what each of `members` got.
fn assignment(
    members: &[Subscriber<'_>],
    by_member: Vec<Vec<PartitionId>>,
) -> BTreeMap<MemberId, Partitions> {
    let gathered = by_member.into_iter().map(|mut partitions| {
        partitions.sort_unstable();
        let topics = partitions.chunk_by(|a, b| a.0 == b.0);
        topics.map(|topic| (topic[0].0, topic.iter().map(|(_, p)| *p).collect())).collect()
    });
    members.iter().map(|member| member.id.clone()).zip(gathered).collect()
}

#[cfg(test)]
mod tests;
