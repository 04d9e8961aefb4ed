//! The assignors of KIP-848 on the server's side: who of a group's members shall own which
//! partitions (UniformAssignor, RangeAssignor). Pure functions of who subscribes to what and of
//! who owned what before.

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

/// A partition on its own.
type Partition = (Uuid, i32);

/// A member as an assignor sees it. Racks are not part of it: Kafka's assignors know them and do
/// not look at them (KIP-1101).
#[derive(Clone, Copy, Debug)]
pub struct Subscriber<'a> {
    /// `member.id`.
    pub id: &'a MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<&'a str>,
    /// What it subscribes to, by name or by regular expression; only topics that exist. Members
    /// with the same subscription best share one set: what an assignor does
    /// per subscription it then does once for all of them.
    pub topics: &'a BTreeSet<Uuid>,
    /// Its last target assignment: what a sticky assignor lets it keep. A static member that came
    /// again has that of its predecessor.
    pub owned: &'a Partitions,
}

/// A server-side assignor, one of `group.consumer.assignors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Balanced first, sticky second: `uniform`, the default.
    Uniform,
    /// Neighbouring partitions of each topic to each member; not sticky: `range`.
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
    /// All there are, in the order of `group.consumer.assignors`' default.
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    /// The assignor that a member asks for by `group.remote.assignor`.
    pub fn by_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// As in `group.consumer.assignors`, in heartbeats and in ConsumerGroupDescribe.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The target assignment of every one of `subscribers` (in any order): each partition of each
    /// topic that someone subscribes to has exactly one owner among the topic's subscribers. A
    /// member that gets nothing has an empty entry.
    ///
    /// Where Kafka goes by the order of a hash table, this goes by member id and topic id.
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

/// What an assignor goes on from: what each member owns and may go on to own. A partition that is
/// none (or no longer) or that another member owns too, as a client-side assignor may have left
/// it, stays with the first.
struct Owned {
    /// Of each of the members, in order of topic and partition.
    by_member: Vec<Vec<Partition>>,
    /// Partitions that nobody owns, in order.
    free: Vec<Partition>,
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

/// The answer, of what each of `members` got.
fn assignment(
    members: &[Subscriber<'_>],
    by_member: Vec<Vec<Partition>>,
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
