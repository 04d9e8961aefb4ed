//! Properties of any group's assignment: each partition is owned by one of its subscribers, the
//! load is even, and partitions do not move without need.

use super::*;
use proptest::prelude::*;

const MEMBERS: usize = 8;
const TOPICS: usize = 6;

/// A group and the partitions of its topics.
#[derive(Clone, Debug)]
struct Group {
    counts: PartitionCounts,
    members: BTreeMap<MemberId, BTreeSet<Uuid>>,
    owned: BTreeMap<MemberId, Partitions>,
}

impl Group {
    fn assign(&self, assignor: Assignor) -> BTreeMap<MemberId, Partitions> {
        let none = Partitions::new();
        let one = |(id, topics)| {
            let owned = self.owned.get(id).unwrap_or(&none);
            Subscriber { id, instance_id: None, topics, owned }
        };
        let members: Vec<_> = self.members.iter().map(one).collect();
        assignor.assign(&members, &self.counts).unwrap()
    }

    /// The owner of each partition; there is only one, and it subscribes to the topic.
    fn owners(
        &self,
        assignment: &BTreeMap<MemberId, Partitions>,
    ) -> BTreeMap<PartitionId, MemberId> {
        assert!(assignment.keys().eq(self.members.keys()));
        let mut owners = BTreeMap::new();
        for (id, partitions) in assignment {
            assert!(partitions.values().all(|set| !set.is_empty()));
            assert!(partitions.keys().all(|topic| self.members[id].contains(topic)));
            for (topic, set) in partitions {
                for partition in set {
                    assert_eq!(owners.insert((*topic, *partition), id.clone()), None);
                }
            }
        }
        let subscribed: BTreeSet<&Uuid> = self.members.values().flatten().collect();
        let total: i32 = subscribed.iter().map(|topic| self.counts[topic]).sum();
        assert_eq!(owners.len(), total as usize);
        assert!(owners.keys().all(|(topic, p)| (0..self.counts[topic]).contains(p)));
        owners
    }
}

fn loads(assignment: &BTreeMap<MemberId, Partitions>) -> Vec<usize> {
    assignment.values().map(|owned| owned.values().map(BTreeSet::len).sum()).collect()
}

fn topic(index: usize) -> Uuid {
    Uuid::from_u128(index as u128 + 1)
}

/// Partitions that members may claim although no assignor gave them: ones that do not exist, that
/// belong to others too, or whose topics they do not subscribe to.
fn any_partitions() -> impl Strategy<Value = Partitions> {
    let set = prop::collection::btree_set(0..15i32, 1..8);
    prop::collection::btree_map((0..TOPICS).prop_map(topic), set, 0..4)
}

/// A random group; half of them are homogeneous.
fn any_group() -> impl Strategy<Value = Group> {
    prop_oneof![group_of(true), group_of(false)]
}

fn homogeneous_group() -> impl Strategy<Value = Group> {
    group_of(true)
}

fn group_of(homogeneous: bool) -> impl Strategy<Value = Group> {
    let subscription = prop::collection::btree_set((0..TOPICS).prop_map(topic), 0..=TOPICS);
    let member = (subscription.clone(), any_partitions());
    let members = prop::collection::vec(member, 1..=MEMBERS);
    let counts = prop::collection::vec(0..12i32, TOPICS);
    (members, counts, subscription).prop_map(move |(members, counts, common)| {
        let mut group = Group {
            counts: counts.into_iter().enumerate().map(|(i, n)| (topic(i), n)).collect(),
            members: BTreeMap::new(),
            owned: BTreeMap::new(),
        };
        for (index, (topics, owned)) in members.into_iter().enumerate() {
            let id: MemberId = format!("member-{index}").into();
            group.members.insert(id.clone(), if homogeneous { common.clone() } else { topics });
            group.owned.insert(id, owned);
        }
        group
    })
}

fn is_homogeneous(group: &Group) -> bool {
    let subscriptions: BTreeSet<_> = group.members.values().collect();
    subscriptions.len() == 1
}

proptest! {
    #[test]
    fn each_partition_has_one_owner(group in any_group()) {
        for assignor in Assignor::ALL {
            group.owners(&group.assign(assignor));
        }
    }

    #[test]
    fn the_order_of_members_is_nothing(group in any_group(), seed in any::<u64>()) {
        let mut members: Vec<Subscriber<'_>> = group.members.iter().map(|(id, topics)| {
            Subscriber { id, instance_id: None, topics, owned: &group.owned[id] }
        }).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut members);
        for assignor in Assignor::ALL {
            let shuffled = assignor.assign(&members, &group.counts).unwrap();
            prop_assert_eq!(shuffled, group.assign(assignor));
        }
    }

    #[test]
    fn uniform_is_even(group in any_group()) {
        let assignment = group.assign(Assignor::Uniform);
        if is_homogeneous(&group) {
            let loads = loads(&assignment);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
        }
        // No other subscriber should rather have any of the partitions.
        let load = |id: &MemberId| assignment[id].values().map(BTreeSet::len).sum::<usize>();
        for ((topic, _), owner) in group.owners(&assignment) {
            let least = group.members.iter().filter(|(_, topics)| topics.contains(&topic))
                .map(|(id, _)| load(id)).min().unwrap();
            prop_assert!(load(&owner) <= least + 1);
        }
    }

    #[test]
    fn uniform_at_rest_stays_at_rest(mut group in any_group()) {
        let first = group.assign(Assignor::Uniform);
        group.owned = first.clone();
        prop_assert_eq!(group.assign(Assignor::Uniform), first);
    }

    #[test]
    fn who_leaves_moves_only_what_they_had(
        mut group in homogeneous_group(),
        leaver in 0..MEMBERS,
    ) {
        group.owned = group.assign(Assignor::Uniform);
        let before = group.owners(&group.owned);
        let leaver = group.members.keys().nth(leaver % group.members.len()).unwrap().clone();
        group.members.remove(&leaver);
        group.owned.remove(&leaver);
        prop_assume!(!group.members.is_empty());
        for (partition, owner) in group.owners(&group.assign(Assignor::Uniform)) {
            prop_assert!(before[&partition] == owner || before[&partition] == leaver);
        }
    }

    #[test]
    fn who_joins_takes_only_their_share(mut group in homogeneous_group()) {
        group.owned = group.assign(Assignor::Uniform);
        let before = group.owners(&group.owned);
        let topics = group.members.values().next().unwrap().clone();
        let newcomer: MemberId = "newcomer".into();
        group.members.insert(newcomer.clone(), topics);
        for (partition, owner) in group.owners(&group.assign(Assignor::Uniform)) {
            prop_assert!(before[&partition] == owner || owner == newcomer);
        }
    }

    #[test]
    fn range_is_the_same_of_like_topics(group in homogeneous_group()) {
        for partitions in group.assign(Assignor::Range).values() {
            for (topic, set) in partitions {
                let likes = partitions.iter().filter(|(other, _)| {
                    group.counts[*other] == group.counts[topic]
                });
                for (_, like) in likes {
                    prop_assert_eq!(set, like);
                }
                let neighbours = *set.first().unwrap()..=*set.last().unwrap();
                prop_assert_eq!(neighbours.count(), set.len());
            }
        }
    }
}
