//! Features that are absent or have no data, with the responses that Kafka gives.

use super::{Peer, call};
use crate::support::Broker;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::OffsetCommitRequest;
use klamm::codec::messages::create_acls_request::AclCreation;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::delete_acls_request::DeleteAclsFilter;
use klamm::codec::messages::describe_client_quotas_request::ComponentData;
use klamm::codec::messages::describe_configs_request::DescribeConfigsResource;
use klamm::codec::messages::describe_producers_request::TopicRequest;
use klamm::codec::messages::describe_quorum_request::{PartitionData, TopicData};
use klamm::codec::messages::describe_topic_partitions_request::{
    Cursor, TopicRequest as CursorTopic,
};
use klamm::codec::messages::describe_user_scram_credentials_request::UserName;
use klamm::codec::messages::offset_commit_request::OffsetCommitRequestTopic;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::{
    CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeDelegationTokenRequest, DescribeProducersRequest, DescribeQuorumRequest,
    DescribeTopicPartitionsRequest, DescribeUserScramCredentialsRequest, FindCoordinatorRequest,
    JoinGroupRequest, ProduceRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
    UpdateFeaturesRequest,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;

const UNSUPPORTED_VERSION: i16 = 35;
const ILLEGAL_SASL_STATE: i16 = 34;
const INVALID_GROUP_ID: i16 = 24;
const INVALID_REQUEST: i16 = 42;
const INVALID_TOPIC: i16 = 17;
const SECURITY_DISABLED: i16 = 54;
const DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: i16 = 64;
const RESOURCE_NOT_FOUND: i16 = 91;
const DUPLICATE_RESOURCE: i16 = 92;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

#[test]
fn a_listener_without_sasl_has_nothing_to_authenticate() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    for version in 0..=1 {
        let response = call(peer, version, &SaslHandshakeRequest::default());
        assert_eq!((response.error_code, response.mechanisms.len()), (ILLEGAL_SASL_STATE, 0));
    }
    for version in 0..=2 {
        let response = call(peer, version, &SaslAuthenticateRequest::default());
        assert_eq!(response.error_code, ILLEGAL_SASL_STATE);
        let message = "This listener needs no authentication";
        assert_eq!(response.error_message, Some(text(message)));
    }
}

#[test]
fn without_authorizer_and_tokens_security_is_disabled() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    for version in 1..=3 {
        let response = call(peer, version, &DescribeAclsRequest::default());
        let message = text("This broker has no ACLs: everybody may do everything");
        assert_eq!(response.error_code, SECURITY_DISABLED);
        assert_eq!(response.error_message, Some(message.clone()));
        let request = CreateAclsRequest::default().with_creations(vec![AclCreation::default(); 2]);
        let created = call(peer, version, &request).results;
        assert_eq!(created.len(), 2);
        assert!(created.iter().all(|one| one.error_code == SECURITY_DISABLED));
        assert_eq!(created[0].error_message, Some(message));
        let filters = vec![DeleteAclsFilter::default()];
        let request = DeleteAclsRequest::default().with_filters(filters);
        let deleted = call(peer, version, &request).filter_results;
        assert_eq!((deleted.len(), deleted[0].error_code), (1, SECURITY_DISABLED));
        let response = call(peer, version, &DescribeDelegationTokenRequest::default());
        assert_eq!(response.error_code, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
    }
}

#[test]
fn there_are_no_credentials() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let everybody = DescribeUserScramCredentialsRequest::default().with_users(None);
    let response = call(peer, 0, &everybody);
    assert_eq!((response.error_code, response.results.len()), (0, 0));
    assert_eq!(response.error_message, Some(text("")));
    let users = ["once", "twice", "twice"].map(|name| UserName::default().with_name(text(name)));
    let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users.to_vec()));
    let results = call(peer, 0, &request).results;
    let codes: Vec<_> = results.iter().map(|one| (one.user.as_str(), one.error_code)).collect();
    assert_eq!(codes, [("once", RESOURCE_NOT_FOUND), ("twice", DUPLICATE_RESOURCE)]);
}

#[test]
fn there_are_no_quotas() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let component = |entity_type, match_type| {
        ComponentData::default()
            .with_entity_type(text(entity_type))
            .with_match_type(match_type)
            .with_match(None)
    };
    for (components, code) in [
        (vec![], 0),
        (vec![component("user", 2), component("client-id", 1)], 0),
        (vec![component("user", 0)], INVALID_REQUEST),
        (vec![component("user", 9)], INVALID_REQUEST),
        (vec![component("user", 1), component("user", 2)], INVALID_REQUEST),
        (vec![component("user", 1), component("ip", 1)], INVALID_REQUEST),
        (vec![component("", 1)], INVALID_REQUEST),
        (vec![component("house", 9)], UNSUPPORTED_VERSION),
    ] {
        for version in 0..=1 {
            let request = DescribeClientQuotasRequest::default();
            let response = call(peer, version, &request.with_components(components.clone()));
            assert_eq!(response.error_code, code, "{components:?}");
            assert_eq!(response.entries, (code == 0).then(Vec::new), "{components:?}");
        }
    }
}

#[test]
fn a_cursor_that_leads_nowhere_is_an_invalid_request() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let cursor = Cursor::default().with_topic_name(text("t").into()).with_partition_index(-1);
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![CursorTopic::default().with_name(text("t").into())])
        .with_cursor(Some(cursor));
    assert_eq!(call(peer, 0, &request).topics[0].error_code, INVALID_REQUEST);
}

#[test]
fn a_refused_join_names_no_protocol() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    for (version, protocol) in [(6, Some(text(""))), (7, None), (9, None)] {
        let response = call(peer, version, &JoinGroupRequest::default());
        assert_eq!((response.error_code, response.protocol_name), (INVALID_GROUP_ID, protocol));
    }
}

#[test]
fn what_is_asked_of_no_partition_is_not_answered() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let topic = TopicProduceData::default().with_name(text("t").into());
    let produce = ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]);
    assert_eq!(call(peer, 9, &produce).responses, []);
    let topic = OffsetCommitRequestTopic::default().with_name(text("t").into());
    let commit =
        OffsetCommitRequest::default().with_group_id(text("g").into()).with_topics(vec![topic]);
    assert_eq!(call(peer, 9, &commit).topics, []);
}

#[test]
fn nobody_produces_to_a_topic_that_cannot_be() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let topic =
        TopicRequest::default().with_name(text("a b").into()).with_partition_indexes(vec![0]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    assert_eq!(call(peer, 0, &request).topics[0].partitions[0].error_code, INVALID_TOPIC);
}

#[test]
fn a_negative_producer_id_is_none() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let topic = CreatableTopic::default()
        .with_name(text("t").into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert_eq!(call(peer, 7, &request).topics[0].error_code, 0);
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed).producer(-2, 0, 0, false);
    builder.append(1, None, Some(b"v"), &[]);
    let records = builder.build().to_bytes();
    let partition = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(text("t").into())
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]);
    assert_eq!(call(peer, 9, &request).responses[0].partition_responses[0].error_code, 0);
    let topic = TopicRequest::default().with_name(text("t").into()).with_partition_indexes(vec![0]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    assert_eq!(call(peer, 0, &request).topics[0].partitions[0].active_producers, []);
}

#[test]
fn refusals_say_what_is_wrong() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    let request = DescribeClusterRequest::default().with_endpoint_type(3);
    let message = call(peer, 2, &request).error_message;
    assert_eq!(message, Some(text("Unsupported endpoint type 3")));
    let partition = PartitionData::default().with_partition_index(1);
    let topic = TopicData::default()
        .with_topic_name(text("__cluster_metadata").into())
        .with_partitions(vec![partition]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let message = call(peer, 2, &request).topics[0].partitions[0].error_message.clone();
    assert_eq!(message, Some(text("The quorum has the partition __cluster_metadata-0 only")));
    let update =
        FeatureUpdateKey::default().with_feature(text("group.version")).with_max_version_level(1);
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(9000);
    assert_eq!(call(peer, 1, &request).results[0].error_message, Some(text("NONE")));
    for (kind, name, message) in [
        (2, "", "Topic name is invalid: it is empty"),
        (2, "nope", ""),
        (4, "2", "This is broker 1, which knows nothing of broker '2'"),
        (8, "2", "This is broker 1, which knows nothing of broker '2'"),
    ] {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let told = call(peer, 4, &request).results[0].error_message.clone();
        assert_eq!(told, Some(text(message)));
    }
    let request = FindCoordinatorRequest::default().with_key(text("g"));
    assert_eq!(call(peer, 3, &request).error_message, Some(text("NONE")));
}
