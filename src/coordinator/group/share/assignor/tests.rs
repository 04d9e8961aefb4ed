//! The expectations of Kafka's own tests of its assignor, and properties of every assignment.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// A group: what its members subscribe to, what they had, and what may be assigned.
#[derive(Clone, Debug)]
struct Group {
    members: BTreeMap<MemberId, (BTreeSet<Uuid>, Partitions)>,
    assignable: Partitions,
}

fn topic(index: usize) -> Uuid {
    Uuid::from_u128(index as u128 + 1)
}

impl Group {
    /// Members with the topics of each, as `[&[0, 1]]`, which have nothing yet.
    fn of<T: AsRef<[usize]>>(topics: &[T], partitions: &[i32]) -> Group {
        let member = |(at, topics): (usize, &T)| {
            let topics = topics.as_ref().iter().map(|index| topic(*index)).collect();
            (format!("m{at}").into(), (topics, Partitions::new()))
        };
        let assignable =
            partitions.iter().enumerate().map(|(at, count)| (topic(at), (0..*count).collect()));
        Group {
            members: topics.iter().enumerate().map(member).collect(),
            assignable: assignable
                .filter(|(_, set): &(_, BTreeSet<i32>)| !set.is_empty())
                .collect(),
        }
    }

    fn assign(&self) -> BTreeMap<MemberId, Partitions> {
        let subscribers: Vec<Subscriber<'_>> = (self.members.iter())
            .map(|(id, (topics, owned))| Subscriber { id, instance_id: None, topics, owned })
            .collect();
        assign(&subscribers, &self.assignable)
    }

    /// Assigns, and gives the members what they get.
    fn settle(&mut self) -> BTreeMap<MemberId, Partitions> {
        let made = self.assign();
        for (id, (_, owned)) in &mut self.members {
            owned.clone_from(&made[id]);
        }
        made
    }

    fn is_homogeneous(&self) -> bool {
        self.members.values().map(|(topics, _)| topics).collect::<BTreeSet<_>>().len() <= 1
    }
}

fn loads(made: &BTreeMap<MemberId, Partitions>) -> Vec<usize> {
    made.values().map(|given| given.values().map(BTreeSet::len).sum()).collect()
}

/// How many members each partition has.
fn sharers(made: &BTreeMap<MemberId, Partitions>) -> BTreeMap<PartitionId, usize> {
    let mut sharers = BTreeMap::new();
    for (topic, set) in made.values().flatten() {
        set.iter().for_each(|index| *sharers.entry((*topic, *index)).or_default() += 1);
    }
    sharers
}

fn moved(before: &BTreeMap<MemberId, Partitions>, after: &BTreeMap<MemberId, Partitions>) -> usize {
    let had = |id: &MemberId, topic: &Uuid, index: &i32| {
        before.get(id).is_some_and(|had| had.get(topic).is_some_and(|set| set.contains(index)))
    };
    let given = after.iter().flat_map(|(id, given)| {
        given.iter().flat_map(move |(topic, set)| set.iter().map(move |index| (id, topic, index)))
    });
    given.filter(|(id, topic, index)| !had(id, topic, index)).count()
}

#[test]
fn nobody_and_nothing() {
    assert_eq!(Group::of::<&[usize]>(&[], &[3]).assign().len(), 0);
    let alone = Group::of::<&[usize]>(&[&[]], &[3]).assign();
    assert_eq!(loads(&alone), [0]);
    assert_eq!(loads(&Group::of(&[&[0], &[0]], &[0]).assign()), [0, 0]);
    assert_eq!(loads(&Group::of(&[&[0], &[1]], &[0, 2]).assign()), [0, 2]);
}

#[test]
fn many_members_share_few_partitions_and_the_reverse() {
    let one = Group::of(&[&[0]; 7], &[1]).assign();
    assert_eq!(loads(&one), [1; 7]);
    let few = Group::of(&[&[0, 2]; 2], &[3, 0, 2]).assign();
    assert_eq!(sharers(&few).len(), 5);
    assert_eq!(loads(&few), [3, 2]);
    // Each partition has as many members, which some members pay for with one more partition.
    let more = Group::of(&[&[0]; 5], &[3]).assign();
    assert_eq!(sharers(&more).into_values().collect::<Vec<_>>(), [2; 3]);
    assert_eq!(loads(&more).into_iter().sum::<usize>(), 6);
}

#[test]
fn members_of_different_topics_share_each_topic_by_itself() {
    let made = Group::of(&[&[0][..], &[1], &[0, 1]], &[6, 6]).assign();
    assert_eq!(loads(&made), [3, 3, 6]);
    let both = &made["m2"];
    assert_eq!((both[&topic(0)].len(), both[&topic(1)].len()), (3, 3));
}

fn any_partitions() -> impl Strategy<Value = Partitions> {
    let set = prop::collection::btree_set(0..9i32, 1..6);
    prop::collection::btree_map((0..5usize).prop_map(topic), set, 0..4)
}

/// Half of the groups are homogeneous. What the members had may be anything.
fn any_group() -> impl Strategy<Value = Group> {
    let topics = || prop::collection::btree_set((0..5usize).prop_map(topic), 0..=5);
    let member = (topics(), any_partitions());
    let members = prop::collection::vec(member, 1..20);
    (members, any_partitions(), topics(), any::<bool>()).prop_map(
        |(members, assignable, common, homogeneous)| {
            let member = |(at, (own, owned)): (usize, (BTreeSet<Uuid>, Partitions))| {
                let topics = if homogeneous { common.clone() } else { own };
                (MemberId::from(format!("m{at:02}")), (topics, owned))
            };
            Group { members: members.into_iter().enumerate().map(member).collect(), assignable }
        },
    )
}

proptest! {
    #[test]
    fn each_partition_is_with_its_subscribers(group in any_group()) {
        let made = group.assign();
        prop_assert!(made.keys().eq(group.members.keys()));
        for (id, given) in &made {
            for (topic, set) in given {
                prop_assert!(!set.is_empty() && group.members[id].0.contains(topic));
                prop_assert!(group.assignable.get(topic).is_some_and(|all| set.is_subset(all)));
            }
        }
        let subscribed: BTreeSet<&Uuid> = group.members.values().flat_map(|(topics, _)| topics).collect();
        let sharers = sharers(&made);
        for (topic, all) in group.assignable.iter().filter(|(topic, _)| subscribed.contains(topic)) {
            for index in all {
                prop_assert!(sharers.contains_key(&(*topic, *index)), "nobody has {topic}-{index}");
            }
        }
        // Nobody who subscribes to something assignable is idle.
        for (id, (topics, _)) in &group.members {
            let idle = made[id].is_empty() && topics.iter().any(|of| group.assignable.contains_key(of));
            prop_assert!(!idle, "{id} has nothing");
        }
    }

    #[test]
    fn the_load_is_even(mut group in any_group()) {
        prop_assume!(group.is_homogeneous());
        for (_, owned) in group.members.values_mut() {
            owned.clear();
        }
        let made = group.assign();
        let loads = loads(&made);
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{loads:?}");
        let sharers: BTreeSet<usize> = sharers(&made).into_values().collect();
        prop_assert!(sharers.len() <= 1, "{sharers:?}");
    }

    #[test]
    fn what_is_at_rest_stays_at_rest(mut group in any_group()) {
        let first = group.settle();
        let second = group.settle();
        prop_assert_eq!(moved(&first, &second), 0);
        prop_assert_eq!(group.assign(), second);
    }

    #[test]
    fn who_leaves_moves_little_but_what_they_had(mut group in any_group(), leaver in 0..20usize) {
        prop_assume!(group.is_homogeneous() && group.members.len() > 1);
        let before = group.settle();
        prop_assume!(sharers(&before).into_values().all(|members| members == 1));
        let id = group.members.keys().nth(leaver % group.members.len()).unwrap().clone();
        group.members.remove(&id);
        let lost = before[&id].values().map(BTreeSet::len).sum::<usize>();
        // The others' loads may be rounded differently.
        prop_assert!(moved(&before, &group.assign()) <= lost + group.members.len());
    }
}
