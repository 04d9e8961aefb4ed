//! Consumer groups (KIP-848) are served only while `group.version` is finalized.

use super::{Peer, call, text};
use crate::support::Broker;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    CreateTopicsRequest, FindCoordinatorRequest, UpdateFeaturesRequest,
};
use std::time::{Duration, Instant};

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const INVALID_GROUP_ID: i16 = 24;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const UNSUPPORTED_ASSIGNOR: i16 = 112;
const INVALID_REGULAR_EXPRESSION: i16 = 128;

fn joins() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(text("g").into())
        .with_member_id(text("m"))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![text("t").into()]))
        .with_topic_partitions(Some(Vec::new()))
}

/// Repeats the heartbeat until the coordinator is ready.
fn heartbeat(
    peer: &mut Peer,
    version: i16,
    request: &ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let is_away = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR];
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = call(peer, version, request);
        if !is_away.contains(&answer.error_code) {
            return answer;
        }
        assert!(Instant::now() < end, "no coordinator");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn consumer_groups_come_and_go_with_their_feature() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let topic = CreatableTopic::default()
        .with_name(text("t").into())
        .with_num_partitions(2)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(peer, 7, &request).topics[0].error_code, 0);
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    call(peer, 6, &request);

    let answer = heartbeat(peer, 1, &joins());
    assert_eq!((answer.error_code, answer.member_epoch), (0, 2), "{:?}", answer.error_message);
    assert_eq!(answer.heartbeat_interval_ms, 5000);
    assert_eq!(answer.assignment.unwrap().topic_partitions[0].partitions, [0, 1]);
    // In version 0 the broker chooses the member's id.
    let answer = heartbeat(peer, 0, &joins().with_member_id(text("")));
    assert_eq!(answer.member_id.unwrap().len(), 22);
    for (request, error) in [
        (joins().with_member_id(text("")), INVALID_REQUEST),
        (joins().with_server_assignor(Some(text("nearest"))), UNSUPPORTED_ASSIGNOR),
        (joins().with_subscribed_topic_regex(Some(text("("))), INVALID_REGULAR_EXPRESSION),
    ] {
        assert_eq!(heartbeat(peer, 1, &request).error_code, error);
    }
    let request = ConsumerGroupDescribeRequest::default()
        .with_group_ids(vec![text("g").into(), text("").into()])
        .with_include_authorized_operations(true);
    let described = call(peer, 1, &request).groups;
    assert_eq!((described[0].error_code, described[0].members.len()), (0, 2));
    assert_ne!(described[0].authorized_operations, i32::MIN);
    assert_eq!(described[1].error_code, INVALID_GROUP_ID);

    let update = FeatureUpdateKey::default()
        .with_feature(text("group.version"))
        .with_max_version_level(0)
        .with_upgrade_type(2);
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(9000);
    assert_eq!(call(peer, 1, &request).error_code, 0);
    assert_eq!(heartbeat(peer, 1, &joins()).error_code, UNSUPPORTED_VERSION);
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![text("g").into()]);
    assert_eq!(call(peer, 0, &request).groups[0].error_code, UNSUPPORTED_VERSION);
}
