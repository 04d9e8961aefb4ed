//! Share groups (KIP-932): their members get partitions, and operators say where they begin. They
//! are served only while `share.version` is finalized.

use super::{Peer, call, create, name, text, wait_for};
use crate::support::Broker;
use klamm::codec::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use klamm::codec::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use klamm::codec::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::{
    AlterShareGroupOffsetsRequest, DeleteGroupsRequest, DeleteShareGroupOffsetsRequest,
    DeleteTopicsRequest, DescribeShareGroupOffsetsRequest, FindCoordinatorRequest,
    ListGroupsRequest, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse, UpdateFeaturesRequest,
};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_GROUP_ID: i16 = 24;
const UNSUPPORTED_VERSION: i16 = 35;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;

/// A broker with the topics `t`, of two partitions, and `u`, of one.
fn started() -> (Broker, Peer) {
    let broker = Broker::start();
    let peer = Peer::connect(broker.port);
    create(&peer, "t", 2, &[]);
    create(&peer, "u", 1, &[]);
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("q")]);
    call(&peer, 6, &find);
    (broker, peer)
}

fn heartbeat(peer: &Peer, epoch: i32, topics: Option<&[&str]>) -> ShareGroupHeartbeatResponse {
    let topics = topics.map(|names| names.iter().map(|topic| name(topic)).collect());
    let request = ShareGroupHeartbeatRequest::default()
        .with_group_id(text("q").into())
        .with_member_id(text("m"))
        .with_member_epoch(epoch)
        .with_subscribed_topic_names(topics);
    call(peer, 1, &request)
}

/// Joins, and heartbeats until the member has so many partitions. Returns its epoch.
fn join(peer: &Peer, topics: &[&str], partitions: usize) -> i32 {
    let mut epoch = 0;
    wait_for("the member gets its partitions", || {
        let answer = heartbeat(peer, epoch, Some(topics));
        if answer.error_code == 0 {
            epoch = answer.member_epoch;
        }
        let topics = answer.assignment.map(|given| given.topic_partitions).unwrap_or_default();
        topics.iter().map(|topic| topic.partitions.len()).sum::<usize>() == partitions
    });
    epoch
}

/// What is described: `t-0 5 lag 0`.
fn described(peer: &Peer, named: Option<&[(&str, &[i32])]>) -> Vec<String> {
    let topic = |(topic, partitions): &(&str, &[i32])| {
        DescribeShareGroupOffsetsRequestTopic::default()
            .with_topic_name(name(topic))
            .with_partitions(partitions.to_vec())
    };
    let group = DescribeShareGroupOffsetsRequestGroup::default()
        .with_group_id(text("q").into())
        .with_topics(named.map(|named| named.iter().map(topic).collect()));
    let request = DescribeShareGroupOffsetsRequest::default().with_groups(vec![group]);
    let answer = call(peer, 1, &request).groups.remove(0);
    assert_eq!((answer.error_code, answer.group_id.as_str()), (0, "q"));
    let mut shown = Vec::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            assert_eq!(partition.error_code, 0);
            let (of, index) = (topic.topic_name.as_str(), partition.partition_index);
            let (offset, lag) = (partition.start_offset, partition.lag);
            shown.push(format!("{of}-{index} {offset} lag {lag}"));
        }
    }
    shown.sort();
    shown
}

fn alter(peer: &Peer, offsets: &[(&str, i32, i64)]) -> (i16, Vec<i16>) {
    let topics = offsets.iter().map(|(topic, index, offset)| {
        let partition = AlterShareGroupOffsetsRequestPartition::default()
            .with_partition_index(*index)
            .with_start_offset(*offset);
        AlterShareGroupOffsetsRequestTopic::default()
            .with_topic_name(name(topic))
            .with_partitions(vec![partition])
    });
    let request = AlterShareGroupOffsetsRequest::default()
        .with_group_id(text("q").into())
        .with_topics(topics.collect());
    let answer = call(peer, 0, &request);
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    (answer.error_code, partitions.map(|partition| partition.error_code).collect())
}

fn delete_offsets(peer: &Peer, topics: &[&str]) -> (i16, Vec<i16>) {
    let topic =
        |topic: &&str| DeleteShareGroupOffsetsRequestTopic::default().with_topic_name(name(topic));
    let request = DeleteShareGroupOffsetsRequest::default()
        .with_group_id(text("q").into())
        .with_topics(topics.iter().map(topic).collect());
    let answer = call(peer, 0, &request);
    (answer.error_code, answer.responses.iter().map(|topic| topic.error_code).collect())
}

fn delete_group(peer: &Peer) -> i16 {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![text("q").into()]);
    call(peer, 2, &request).results[0].error_code
}

#[test]
fn a_member_gets_the_partitions_that_have_states() {
    let (_broker, peer) = started();
    let epoch = join(&peer, &["t"], 2);
    let ids = ["q", "q", "none", ""].map(|id| text(id).into());
    let request = ShareGroupDescribeRequest::default()
        .with_group_ids(ids.to_vec())
        .with_include_authorized_operations(true);
    let groups = call(&peer, 1, &request).groups;
    assert_eq!(groups.len(), 3, "each group once");
    let group = &groups[0];
    assert_eq!((group.group_state.as_str(), group.assignor_name.as_str()), ("Stable", "simple"));
    assert_eq!((group.group_epoch, group.assignment_epoch), (epoch, epoch));
    let member = &group.members[0];
    assert_eq!((member.member_id.as_str(), member.member_epoch), ("m", epoch));
    assert_eq!(member.assignment.topic_partitions[0].partitions, [0, 1]);
    assert_eq!(
        (groups[1].error_code, groups[2].error_code),
        (GROUP_ID_NOT_FOUND, INVALID_GROUP_ID)
    );
    let types = |types: &[&str]| {
        let types = types.iter().map(|kind| text(kind)).collect();
        let listed = call(&peer, 5, &ListGroupsRequest::default().with_types_filter(types)).groups;
        listed
            .into_iter()
            .map(|of| format!("{} {}", of.group_type, of.group_state))
            .collect::<Vec<_>>()
    };
    assert_eq!(types(&["Share"]), ["share Stable"]);
    assert_eq!(types(&["classic", "consumer"]), [""; 0]);
    // Where the group begins is for the leaders of its partitions to say.
    assert_eq!(described(&peer, None), ["t-0 -1 lag -1", "t-1 -1 lag -1"]);
    assert_eq!(
        described(&peer, Some(&[("t", &[1]), ("u", &[0])])),
        ["t-1 -1 lag -1", "u-0 -1 lag -1"]
    );

    // A topic that is created again is another one.
    let gone =
        DeleteTopicsRequest::default().with_topic_names(vec![name("t")]).with_timeout_ms(9000);
    assert_eq!(call(&peer, 5, &gone).responses[0].error_code, 0);
    wait_for("the topic is forgotten", || described(&peer, None).is_empty());
    create(&peer, "t", 1, &[]);
    join(&peer, &["t", "u"], 2);
}

#[test]
fn an_operator_says_where_an_empty_group_begins() {
    let (_broker, peer) = started();
    wait_for("the coordinator is there", || alter(&peer, &[("t", 0, 5)]).0 == 0);
    let answer = alter(&peer, &[("t", 0, 0), ("u", 0, 7), ("t", 2, 1), ("none", 0, 1)]);
    let unknown = UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(answer, (0, vec![0, 0, unknown, unknown]));
    assert_eq!(described(&peer, None), ["t-0 0 lag 0", "u-0 7 lag -7"]);
    let epoch = join(&peer, &["t"], 2);
    assert_eq!(alter(&peer, &[("t", 0, 5)]), (NON_EMPTY_GROUP, vec![]));
    assert_eq!(delete_offsets(&peer, &["t"]), (NON_EMPTY_GROUP, vec![]));
    assert_eq!(delete_group(&peer), NON_EMPTY_GROUP);
    assert_eq!(heartbeat(&peer, -1, None).member_epoch, -1);
    assert!(epoch > 1);
    // The group had begun with t, so it reads all of the other partition, too.
    assert_eq!(described(&peer, None), ["t-0 0 lag 0", "t-1 0 lag 0", "u-0 7 lag -7"]);

    assert_eq!(delete_offsets(&peer, &["none", "t"]), (0, vec![unknown, 0]));
    assert_eq!(described(&peer, None), ["u-0 7 lag -7"]);
    assert_eq!(delete_offsets(&peer, &["t", "t"]), (0, vec![unknown]));
    let all: &[(&str, &[i32])] = &[("t", &[0]), ("u", &[0])];
    assert_eq!(described(&peer, Some(all)), ["t-0 -1 lag -1", "u-0 7 lag -7"]);
    assert_eq!(delete_group(&peer), 0);
    assert_eq!(described(&peer, Some(all)), ["t-0 -1 lag -1", "u-0 -1 lag -1"]);
    assert_eq!(delete_offsets(&peer, &["t"]), (GROUP_ID_NOT_FOUND, vec![]));
    assert_eq!(delete_group(&peer), GROUP_ID_NOT_FOUND);
}

#[test]
fn what_a_share_group_knows_survives_a_kill() {
    let (mut broker, peer) = started();
    wait_for("the coordinator is there", || alter(&peer, &[("u", 0, 7)]).0 == 0);
    join(&peer, &["t"], 2);
    broker.kill();
    broker.launch();
    let peer = Peer::connect(broker.port);
    wait_for("the member is known", || heartbeat(&peer, 0, Some(&["t"])).error_code == 0);
    assert_eq!(described(&peer, None), ["t-0 -1 lag -1", "t-1 -1 lag -1", "u-0 7 lag -7"]);
}

#[test]
fn share_groups_come_and_go_with_their_feature() {
    let (_broker, peer) = started();
    join(&peer, &["t"], 2);
    let set = |level: i16, upgrade_type: i8| {
        let update = FeatureUpdateKey::default()
            .with_feature(text("share.version"))
            .with_max_version_level(level)
            .with_upgrade_type(upgrade_type);
        call(&peer, 1, &UpdateFeaturesRequest::default().with_feature_updates(vec![update]))
    };
    assert_eq!(set(0, 2).error_code, 0);
    wait_for("the feature is off", || {
        heartbeat(&peer, 0, Some(&["t"])).error_code == UNSUPPORTED_VERSION
    });
    let request = ShareGroupDescribeRequest::default().with_group_ids(vec![text("q").into()]);
    assert_eq!(call(&peer, 1, &request).groups[0].error_code, UNSUPPORTED_VERSION);
    assert_eq!(alter(&peer, &[("t", 0, 5)]).0, UNSUPPORTED_VERSION);
    assert_eq!(delete_offsets(&peer, &["t"]).0, UNSUPPORTED_VERSION);
    let group = DescribeShareGroupOffsetsRequestGroup::default().with_group_id(text("q").into());
    let request = DescribeShareGroupOffsetsRequest::default().with_groups(vec![group]);
    assert_eq!(call(&peer, 0, &request).groups[0].error_code, UNSUPPORTED_VERSION);
    for level in [1, 2] {
        assert_eq!(set(level, 1).error_code, 0);
    }
    join(&peer, &["t"], 2);
}
