//! The internal topics of streams groups (KIP-1071): klamm creates them, and says why it could not.

use super::{Peer, call, text, wait_for};
use crate::support::Broker;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::StreamsGroupHeartbeatRequest;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::streams_group_heartbeat_request::{Subtopology, TopicInfo, Topology};
use klamm::codec::messages::{CreateTopicsRequest, FindCoordinatorRequest, MetadataRequest};

const MISSING_INTERNAL_TOPICS: i8 = 3;

/// Joins the group, which keeps a changelog with so many replicas; returns what the status says of
/// missing topics, None if there is no coordinator yet.
fn missing(peer: &Peer, group: &str, replication_factor: i16) -> Option<StrBytes> {
    let changelog = TopicInfo::default()
        .with_name(text(&format!("{group}-changelog")).into())
        .with_replication_factor(replication_factor);
    let subtopology = Subtopology::default()
        .with_subtopology_id(text("0"))
        .with_source_topics(vec![text("t").into()])
        .with_state_changelog_topics(vec![changelog]);
    let request = StreamsGroupHeartbeatRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text("m"))
        .with_rebalance_timeout_ms(60_000)
        .with_topology(Some(Topology::default().with_subtopologies(vec![subtopology])))
        .with_process_id(Some(text("p")))
        .with_active_tasks(Some(Vec::new()))
        .with_standby_tasks(Some(Vec::new()))
        .with_warmup_tasks(Some(Vec::new()));
    let answer = call(peer, 0, &request);
    let is_missing = |code: i8| code == MISSING_INTERNAL_TOPICS;
    let mut statuses = answer.status.into_iter().flatten();
    let status = statuses.find(|status| is_missing(status.status_code));
    (answer.error_code == 0).then(|| status.map(|status| status.status_detail).unwrap_or_default())
}

#[test]
fn internal_topics_are_created_or_the_status_says_why_not() {
    let broker = Broker::start();
    let peer = &Peer::connect(broker.port);
    let source = CreatableTopic::default()
        .with_name(text("t").into())
        .with_num_partitions(2)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![source]).with_timeout_ms(9000);
    assert_eq!(call(peer, 7, &request).topics[0].error_code, 0);
    let keys = vec![text("good"), text("bad")];
    call(peer, 6, &FindCoordinatorRequest::default().with_coordinator_keys(keys));

    wait_for("the changelog is missing", || missing(peer, "good", 1).is_some());
    wait_for("the changelog is there", || missing(peer, "good", 1).is_some_and(|it| it.is_empty()));
    let topic = MetadataRequestTopic::default().with_name(Some(text("good-changelog").into()));
    let answer = call(peer, 12, &MetadataRequest::default().with_topics(Some(vec![topic])));
    assert_eq!(answer.topics[0].partitions.len(), 2, "as many as its source has");

    let why = "; Creation failed: bad-changelog (";
    wait_for(why, || missing(peer, "bad", 3).is_some_and(|told| told.contains(why)));
}
