//! Gives each member neighbouring partitions of each topic (RangeAssignor). If topics have the same
//! number of partitions and the same subscribers, a member gets the same partitions of each.

use super::{PartitionCounts, Partitions, Subscriber};
use crate::coordinator::group::MemberId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How far the partitions of a topic have been dealt out.
struct DealtTopic {
    partitions: i32,
    subscribers: i32,
    /// How many of its subscribers have had their turn.
    served: i32,
}

impl DealtTopic {
    /// The range of the next subscriber. The first ones get one partition more if the numbers are
    /// not even.
    fn next_range(&mut self) -> std::ops::Range<i32> {
        let (quota, extra) =
            (self.partitions / self.subscribers, self.partitions % self.subscribers);
        let start = |turn: i32| turn * quota + turn.min(extra);
        self.served += 1;
        start(self.served - 1)..start(self.served)
    }
}

/// Static members come first, so that they keep their place when their member ids change.
pub(super) fn assign(
    members: &mut [Subscriber<'_>],
    subscriptions: &[(&BTreeSet<Uuid>, usize)],
    counts: &PartitionCounts,
) -> BTreeMap<MemberId, Partitions> {
    members.sort_by_key(|member| (member.instance_id.is_none(), member.instance_id, member.id));
    let mut topics = BTreeMap::<Uuid, DealtTopic>::new();
    for (subscription, members) in subscriptions {
        for topic in *subscription {
            let new = || DealtTopic { partitions: counts[topic], subscribers: 0, served: 0 };
            topics.entry(*topic).or_insert_with(new).subscribers += *members as i32;
        }
    }
    let mut topics: Vec<(Uuid, DealtTopic)> = topics.into_iter().collect();
    let mut ranges = |member: &Subscriber<'_>| -> Partitions {
        // Both are sorted, and walking along is faster than looking up.
        let mut others = topics.iter_mut();
        let ranges = member.topics.iter().map(|topic| {
            let (_, dealt) = others.find(|(id, _)| id == topic).expect("subscriptions has all");
            (*topic, dealt.next_range())
        });
        let some = ranges.filter(|(_, range)| !range.is_empty());
        some.map(|(topic, range)| (topic, range.collect())).collect()
    };
    members.iter().map(|member| (member.id.clone(), ranges(member))).collect()
}
