//! The cases of RangeAssignorTest, UniformHomogeneousAssignmentBuilderTest and
//! UniformHeterogeneousAssignmentBuilderTest. The topics are named in the order in which Kafka's
//! hash tables happen to have them.

use super::*;

type Assign = fn(&[Subscriber<'_>], &PartitionCounts) -> BTreeMap<MemberId, Partitions>;

fn range(members: &[Subscriber<'_>], counts: &PartitionCounts) -> BTreeMap<MemberId, Partitions> {
    Assignor::Range.assign(members, counts).unwrap()
}

fn uniform(members: &[Subscriber<'_>], counts: &PartitionCounts) -> BTreeMap<MemberId, Partitions> {
    Assignor::Uniform.assign(members, counts).unwrap()
}

#[track_caller]
fn expect(assign: Assign, topics: &str, members: &[Written<'_>], expected: &[(&str, &str)]) {
    let topics = Topics::of(topics);
    let members = topics.members(members);
    let assignment = assign(&subscribers(&members), &topics.counts());
    let expected: BTreeMap<MemberId, Partitions> =
        expected.iter().map(|(id, owned)| ((*id).into(), topics.partitions(owned))).collect();
    assert_eq!(assignment, expected);
}

#[test]
fn nobody_and_nothing() {
    for assign in [range, uniform, uniform_heterogeneous::assign] {
        expect(assign, "T1=3", &[], &[]);
        expect(assign, "T1=3", &[("A", "", "")], &[("A", "")]);
        expect(assign, "T1=3", &[("A", "", ""), ("B", "", "")], &[("A", ""), ("B", "")]);
    }
}

#[test]
fn a_topic_that_does_not_exist() {
    let topics = Topics::of("T1=3");
    for written in [&[("A", "T2", "")][..], &[("A", "T1", ""), ("B", "T2", "")]] {
        let members = topics.members(written);
        for assignor in Assignor::ALL {
            let failed = assignor.assign(&subscribers(&members), &topics.counts());
            assert_eq!(failed, Err(UnknownTopic(topics.id("T2"))));
        }
    }
}

#[test]
fn range_first_assignments() {
    expect(
        range,
        "T1=3 T3=2",
        &[("A", "T1 T3", ""), ("B", "T1 T3", "")],
        &[("A", "T1:0,1 T3:0"), ("B", "T1:2 T3:1")],
    );
    expect(
        range,
        "T1=3 T2=3 T3=2",
        &[("A", "T1 T2", ""), ("B", "T3", ""), ("C", "T2 T3", "")],
        &[("A", "T1:0,1,2 T2:0,1"), ("B", "T3:0"), ("C", "T2:2 T3:1")],
    );
    expect(
        range,
        "T1=3 T3=2",
        &[("A", "T1 T3", ""), ("B", "T1 T3", ""), ("C", "T1 T3", "")],
        &[("A", "T1:0 T3:0"), ("B", "T1:1 T3:1"), ("C", "T1:2")],
    );
}

#[test]
fn range_puts_static_members_first() {
    for (a, c) in [("A", "C"), ("x", "a")] {
        let (static_a, static_c) = (format!("{a}=instanceA"), format!("{c}=instanceC"));
        expect(
            range,
            "T1=3",
            &[(&static_a, "T1", ""), ("B=instanceB", "T1", "")],
            &[(a, "T1:0,1"), ("B", "T1:2")],
        );
        expect(
            range,
            "T1=5",
            &[(&static_a, "T1", ""), (&static_c, "T1", ""), ("B", "T1", "")],
            &[(a, "T1:0,1"), (c, "T1:2,3"), ("B", "T1:4")],
        );
    }
}

#[test]
fn range_keeps_nothing() {
    expect(
        range,
        "T1=2 T2=2",
        &[("A", "T1 T2", "T1:0 T2:0"), ("B", "T1 T2", "T1:1 T2:1"), ("C", "T1 T2", "")],
        &[("A", "T1:0 T2:0"), ("B", "T1:1 T2:1"), ("C", "")],
    );
    expect(
        range,
        "T1=4 T2=4",
        &[("A", "T1 T2", "T1:0,1 T2:0,1"), ("B", "T1 T2", "T1:2 T2:2")],
        &[("A", "T1:0,1 T2:0,1"), ("B", "T1:2,3 T2:2,3")],
    );
    expect(
        range,
        "T1=3 T2=3",
        &[("A", "T1 T2", "T1:0,1 T2:0,1"), ("B", "T1 T2", "T1:2 T2:2"), ("C", "T1 T2", "")],
        &[("A", "T1:0 T2:0"), ("B", "T1:1 T2:1"), ("C", "T1:2 T2:2")],
    );
    expect(
        range,
        "T1=4 T2=3",
        &[("A", "T1 T2", "T1:0,1 T2:0,1"), ("B", "T1 T2", "T1:2 T2:2"), ("C", "T1", "")],
        &[("A", "T1:0,1 T2:0,1"), ("B", "T1:2 T2:2"), ("C", "T1:3")],
    );
    let alone = [("B", "T1 T2", "T1:2 T2:2")];
    expect(range, "T1=3 T2=3", &alone, &[("B", "T1:0,1,2 T2:0,1,2")]);
    expect(
        range,
        "T1=3 T2=3 T3=2",
        &[("A", "T1", "T1:0,1,2 T2:0"), ("B", "T1 T2 T3", "T2:1"), ("C", "T2", "T2:2 T3:0,1")],
        &[("A", "T1:0,1"), ("B", "T1:2 T2:0,1 T3:0,1"), ("C", "T2:2")],
    );
}

#[test]
fn homogeneous_first_assignments() {
    expect(
        uniform,
        "T3=2 T1=3",
        &[("A", "T1 T3", ""), ("B", "T1 T3", "")],
        &[("A", "T3:0,1"), ("B", "T1:0,1,2")],
    );
    expect(
        uniform,
        "T3=2",
        &[("A", "T3", ""), ("B", "T3", ""), ("C", "T3", "")],
        &[("A", ""), ("B", "T3:0"), ("C", "T3:1")],
    );
}

#[test]
fn homogeneous_reassignments() {
    expect(
        uniform,
        "T1=3 T2=3",
        &[("A", "T1 T2", "T1:0,1 T2:0,1"), ("B", "T1 T2", "T1:2 T2:2")],
        &[("A", "T1:0,1 T2:0"), ("B", "T1:2 T2:1,2")],
    );
    expect(
        uniform,
        "T2=5 T1=6",
        &[("A", "T1 T2", "T1:0,2 T2:0"), ("B", "T1 T2", "T1:1 T2:1,2")],
        &[("A", "T1:0,2 T2:0,3,4"), ("B", "T1:1,3,4,5 T2:1,2")],
    );
    expect(
        uniform,
        "T1=3 T2=3",
        &[("A", "T1 T2", "T1:0,2 T2:0"), ("B", "T1 T2", "T1:1 T2:1,2"), ("C", "T1 T2", "")],
        &[("A", "T1:0,2"), ("B", "T1:1 T2:1"), ("C", "T2:0,2")],
    );
    expect(
        uniform,
        "T2=3 T1=3",
        &[("A", "T1 T2", "T1:0 T2:0"), ("B", "T1 T2", "T1:1 T2:1")],
        &[("A", "T1:0 T2:0,2"), ("B", "T1:1,2 T2:1")],
    );
    expect(
        uniform,
        "T1=2 T2=2",
        &[("A", "T2", "T1:0 T2:0"), ("B", "T2", "T1:1 T2:1")],
        &[("A", "T2:0"), ("B", "T2:1")],
    );
}

#[test]
fn heterogeneous_first_assignments() {
    expect(
        uniform,
        "T1=3 T3=6",
        &[("A", "T1 T3", ""), ("B", "T3", "")],
        &[("A", "T1:0,1,2 T3:4"), ("B", "T3:0,1,2,3,5")],
    );
    expect(
        uniform,
        "T1=2 T3=1",
        &[("A", "T3", ""), ("B", "T3", ""), ("C", "T1", "")],
        &[("A", "T3:0"), ("B", ""), ("C", "T1:0,1")],
    );
    expect(uniform, "T1=3", &[("A", "T1", ""), ("B", "", "")], &[("A", "T1:0,1,2"), ("B", "")]);
}

#[test]
fn heterogeneous_reassignments() {
    expect(
        uniform,
        "T1=6 T2=4 T3=4",
        &[
            ("A", "T1", "T1:0,1,2"),
            ("B", "T1 T2", "T1:3 T2:0"),
            ("C", "T1 T2 T3", "T1:4,5 T2:1,2,3 T3:0,1,2,3"),
        ],
        &[("A", "T1:0,1,2,5"), ("B", "T1:3 T2:0,1,2,3"), ("C", "T1:4 T3:0,1,2,3")],
    );
    expect(
        uniform,
        "T1=6 T2=5 T3=3 T4=3",
        &[("A", "T1 T3", "T1:0,1,2,3 T3:0,1"), ("B", "T1 T2 T3 T4", "T2:0,1,2 T4:0,1,2")],
        &[("A", "T1:0,1,2,3,4,5 T3:0,1,2"), ("B", "T2:0,1,2,3,4 T4:0,1,2")],
    );
    expect(
        uniform,
        "T1=6 T2=7",
        &[("A", "T1", "T1:0,2 T2:0"), ("B", "T1 T2", "T1:1 T2:1,2"), ("C", "T1 T2", "")],
        &[("A", "T1:0,2,3,4,5"), ("B", "T1:1 T2:1,2,6"), ("C", "T2:0,3,4,5")],
    );
    expect(
        uniform,
        "T1=3 T2=8 T3=3",
        &[("A", "T1 T3", "T1:0,1,2 T3:0,1"), ("B", "T2", "T2:3,4,5,6")],
        &[("A", "T1:0,1,2 T3:0,1,2"), ("B", "T2:0,1,2,3,4,5,6,7")],
    );
    expect(
        uniform,
        "T1=3 T2=5",
        &[("A", "T1", "T1:0,2 T2:1,3"), ("B", "T1 T2", "T1:1 T2:0,2,4")],
        &[("A", "T1:0,1,2"), ("B", "T2:0,1,2,3,4")],
    );
    expect(
        uniform_heterogeneous::assign,
        "T1=2 T2=2 T3=2",
        &[("A", "T1 T2 T3", "T1:0,1 T2:0,1 T3:0,1"), ("B", "T1 T2 T3", "")],
        &[("A", "T2:0 T3:0,1"), ("B", "T1:0,1 T2:1")],
    );
}
