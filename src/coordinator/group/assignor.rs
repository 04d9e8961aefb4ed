//! The assignors of KIP-848 on the server's side: who of a group's members shall own which
//! partitions (UniformAssignor, RangeAssignor). Pure functions of who subscribes to what and of
//! who owned what before.

mod range;
mod uniform_heterogeneous;
mod uniform_homogeneous;

use super::MemberId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use uuid::Uuid;

/// Partitions by their topic's id. A topic without partitions is not in it.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// How many partitions each subscribed topic has.
pub type PartitionCounts = BTreeMap<Uuid, i32>;

/// A member as an assignor sees it. Racks are not part of it: Kafka's assignors know them and do
/// not look at them (KIP-1101).
#[derive(Clone, Copy, Debug)]
pub struct Subscriber<'a> {
    /// `member.id`.
    pub id: &'a MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<&'a str>,
    /// What it subscribes to, by name or by regular expression; only topics that exist.
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
    pub fn assign(
        self,
        subscribers: &[Subscriber<'_>],
        counts: &PartitionCounts,
    ) -> Result<BTreeMap<MemberId, Partitions>, UnknownTopic> {
        let _ = (subscribers, counts);
        todo!()
    }
}
