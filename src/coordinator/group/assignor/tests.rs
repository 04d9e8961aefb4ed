//! The expectations of Kafka's own tests of its assignors, and properties of every assignment.

#![allow(clippy::unwrap_used)]

mod any;
mod kafka;

use super::*;

/// A member as the tests write it: "A", or "A=instance" for a static one; the topics it subscribes
/// to, "T1 T2"; the partitions it owns, "T1:0,1 T2:0".
type Written<'a> = (&'a str, &'a str, &'a str);

struct Member {
    id: MemberId,
    instance_id: Option<String>,
    topics: BTreeSet<Uuid>,
    owned: Partitions,
}

/// Topics by name. The first one that is named has the lowest id.
struct Topics(Vec<(String, i32)>);

impl Topics {
    /// Topics and their numbers of partitions, from "T1=3 T2=4".
    fn of(text: &str) -> Topics {
        let one = |word: &str| {
            let (name, partitions) = word.split_once('=').unwrap();
            (name.to_owned(), partitions.parse().unwrap())
        };
        Topics(text.split_whitespace().map(one).collect())
    }

    fn id(&self, name: &str) -> Uuid {
        let found = self.0.iter().position(|(known, _)| known == name);
        Uuid::from_u128(found.map_or(999, |index| index as u128 + 1))
    }

    fn counts(&self) -> PartitionCounts {
        self.0.iter().map(|(name, count)| (self.id(name), *count)).collect()
    }

    fn partitions(&self, text: &str) -> Partitions {
        let one = |word: &str| {
            let (name, partitions) = word.split_once(':').unwrap();
            (self.id(name), partitions.split(',').map(|p| p.parse().unwrap()).collect())
        };
        text.split_whitespace().map(one).collect()
    }

    fn members(&self, written: &[Written<'_>]) -> Vec<Member> {
        let one = |(who, topics, owned): &Written<'_>| {
            let (id, instance_id) = who
                .split_once('=')
                .map_or((*who, None), |(id, instance)| (id, Some(instance.to_owned())));
            Member {
                id: id.into(),
                instance_id,
                topics: topics.split_whitespace().map(|name| self.id(name)).collect(),
                owned: self.partitions(owned),
            }
        };
        written.iter().map(one).collect()
    }
}

fn subscribers(members: &[Member]) -> Vec<Subscriber<'_>> {
    fn one(member: &Member) -> Subscriber<'_> {
        let Member { id, instance_id, topics, owned } = member;
        Subscriber { id, instance_id: instance_id.as_deref(), topics, owned }
    }
    members.iter().map(one).collect()
}

#[test]
fn an_assignor_is_asked_for_by_name() {
    for assignor in Assignor::ALL {
        assert_eq!(Assignor::by_name(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::by_name("simple"), None);
}
