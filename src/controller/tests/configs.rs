//! AlterConfigs and IncrementalAlterConfigs: what is accepted, what is refused and with which
//! message.

use super::support::*;
use crate::codec::messages::alter_configs_request::AlterConfigsRequest;
use crate::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use crate::codec::messages::{
    AlterConfigsResponse, ApiKey, IncrementalAlterConfigsResponse, alter_configs_request as old,
};
use crate::controller::Client;
use crate::controller::configs::{Change as ConfigChange, Operation};
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, TOPIC_CONFIG,
};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource(resource_type: i8, name: &str, changes: &[Change<'_>]) -> AlterConfigsResource {
    let config = |(key, operation, value): &Change<'_>| {
        AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    AlterConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configs(changes.iter().map(config).collect())
}

async fn alter(node: &Node, resource: AlterConfigsResource) -> (i16, String) {
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer: IncrementalAlterConfigsResponse =
        node.ask(ApiKey::IncrementalAlterConfigs, 1, &request).await;
    let result = &answer.responses[0];
    (result.error_code, result.error_message.as_deref().unwrap_or("").to_owned())
}

#[tokio::test]
async fn configs_are_changed_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let policy = "cleanup.policy";
    for (change, value) in [
        ((policy, APPEND, Some("compact")), Some("delete,compact")),
        ((policy, APPEND, Some("compact")), Some("delete,compact")),
        ((policy, SUBTRACT, Some("delete")), Some("compact")),
        ((policy, SET, Some("delete")), Some("delete")),
        ((policy, DELETE, None), None),
    ] {
        assert_eq!(alter(&node, resource(TOPIC_CONFIG, "t", &[change])).await, (0, String::new()));
        let configs = node.image().configs_of(TOPIC_CONFIG, "t");
        assert_eq!(configs.get(policy).map(String::as_str), value, "{change:?}");
    }
    for (kind, name, change) in [
        (BROKER_CONFIG, "", ("log.cleaner.threads", SET, Some("2"))),
        (BROKER_CONFIG, "1", ("log.cleaner.threads", SET, Some("3"))),
        (GROUP_CONFIG, "g", ("consumer.session.timeout.ms", SET, Some("46000"))),
        (CLIENT_METRICS_CONFIG, "m", ("metrics", SET, Some("a,b"))),
        (CLIENT_METRICS_CONFIG, "m", ("metrics", APPEND, Some("c"))),
    ] {
        assert_eq!(alter(&node, resource(kind, name, &[change])).await, (0, String::new()));
    }
    assert_eq!(node.image().configs_of(CLIENT_METRICS_CONFIG, "m")["metrics"], "a,b,c");
    assert_eq!(node.image().configs_of(BROKER_CONFIG, "1")["log.cleaner.threads"], "3");
    node.stop().await;
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table")]
async fn changes_that_kafka_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let topic = |change| resource(TOPIC_CONFIG, "t", &[change]);
    let min_isr = "min.insync.replicas";
    for (asked, code, message) in [
        (topic(("foo", SET, Some("1"))), 40, "Unknown topic config name: foo"),
        (
            topic(("retention.ms", SET, Some("x"))),
            40,
            "Invalid value x for configuration retention.ms: Write a number of type LONG",
        ),
        (
            topic(("retention.ms", APPEND, Some("1"))),
            40,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (topic(("retention.ms", SET, None)), 42, "Null value not supported for : retention.ms"),
        (topic(("retention.ms", 9, Some("1"))), 42, "Unknown operations type 9"),
        (
            resource(TOPIC_CONFIG, "none", &[("retention.ms", SET, Some("1"))]),
            3,
            "The topic 'none' does not exist.",
        ),
        (
            resource(TOPIC_CONFIG, "", &[("retention.ms", SET, Some("1"))]),
            42,
            "The name of the topic is empty; topics have no shared settings",
        ),
        (
            resource(TOPIC_CONFIG, "t", &[("retention.ms", SET, Some("1")); 2]),
            42,
            "Error due to duplicate config keys",
        ),
        (resource(77, "t", &[]), 42, "Unknown resource type 77"),
        (resource(BROKER_CONFIG, "2", &[]), 42, "The broker's id is 1, not 2"),
        (resource(BROKER_CONFIG, "x", &[]), 42, "x is no broker id, which is a number"),
        (
            resource(BROKER_CONFIG, "1", &[(min_isr, SET, Some("2"))]),
            40,
            "With eligible leader replicas, min.insync.replicas is the same on all \
             brokers; set it for the cluster or a topic",
        ),
        (
            resource(BROKER_CONFIG, "1", &[(min_isr, SET, Some("0"))]),
            42,
            "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1",
        ),
        (
            resource(BROKER_CONFIG, "", &[(min_isr, DELETE, None)]),
            40,
            "Eligible leader replicas need min.insync.replicas for the cluster; give it \
             another value instead",
        ),
        (
            resource(BROKER_CONFIG, "1", &[("node.id", SET, Some("2"))]),
            42,
            "Cannot update these configs dynamically: [node.id]",
        ),
        (
            resource(BROKER_CONFIG, "1", &[("log.cleaner.threads", SET, Some("1000"))]),
            42,
            "log.cleaner.dedupe.buffer.size=134217728 is 134217 bytes for each of \
             log.cleaner.threads; each needs more than 1 MiB",
        ),
        (
            resource(GROUP_CONFIG, "g", &[("foo", SET, Some("1"))]),
            40,
            "foo: groups have no such setting",
        ),
        (
            resource(GROUP_CONFIG, "", &[]),
            42,
            "The name of the group is empty; groups \
                                               have no shared settings",
        ),
        (
            resource(CLIENT_METRICS_CONFIG, "m", &[("foo", SET, Some("1"))]),
            42,
            "foo: client metrics subscriptions have no such setting",
        ),
        (
            resource(CLIENT_METRICS_CONFIG, "m", &[("interval.ms", SET, Some("1"))]),
            42,
            "interval.ms=1: clients can report every 100 to 3600000 ms (an hour)",
        ),
    ] {
        let name = format!("{asked:?}");
        assert_eq!(alter(&node, asked).await, (code, message.to_owned()), "{name:.200}");
    }
    assert!(node.image().configs_of(TOPIC_CONFIG, "t").is_empty());
    node.stop().await;
}

/// No request can carry so long a value, but appending to a list can produce one.
#[tokio::test]
async fn a_value_that_no_record_holds_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let list = "leader.replication.throttled.replicas";
    let operation = Operation::Set("0:1,".repeat(10_000));
    let change = ConfigChange::Some([(list.to_owned(), operation)].into());
    let asked = vec![((TOPIC_CONFIG, "t".to_owned()), Ok(change))];
    let Client::Embedded(controller) = &node.controller else { unreachable!() };
    let answered = controller.submit(|state| Ok(state.view().alter_configs(asked).response));
    let message = answered.await.unwrap()[0].1.as_ref().unwrap_err().message();
    let expected = format!("{list} has more than 32767 characters");
    assert_eq!(message, Some(expected));
    node.stop().await;
}

#[tokio::test]
async fn the_old_request_replaces_everything() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let first = resource(TOPIC_CONFIG, "t", &[("retention.ms", SET, Some("5"))]);
    assert_eq!(alter(&node, first.clone()).await.0, 0);
    let config =
        old::AlterableConfig::default().with_name(text("segment.ms")).with_value(Some(text("7")));
    let asked = old::AlterConfigsResource::default()
        .with_resource_type(TOPIC_CONFIG)
        .with_resource_name(text("t"))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![asked.clone()]);
    for validate_only in [true, false] {
        let request = request.clone().with_validate_only(validate_only);
        let answer: AlterConfigsResponse = node.ask(ApiKey::AlterConfigs, 2, &request).await;
        assert_eq!(answer.responses[0].error_code, 0);
        let configs = node.image().configs_of(TOPIC_CONFIG, "t");
        let keys: Vec<_> = configs.keys().collect();
        assert_eq!(keys, [if validate_only { "retention.ms" } else { "segment.ms" }]);
    }
    let request = request.with_resources(vec![asked.clone(), asked]);
    let answer: AlterConfigsResponse = node.ask(ApiKey::AlterConfigs, 0, &request).await;
    for result in answer.responses {
        let message = result.error_message.unwrap().to_string();
        assert_eq!(message, "t occurs more than once in the request");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_broker_refuses_what_it_could_not_apply_and_leaves_the_rest_to_the_controller() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let asked = |kind: i8, name: &str, key: &str, value: &str| {
        let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(vec![config])
    };
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![
        asked(BROKER_CONFIG, "1", "log.cleaner.threads", "2"),
        asked(BROKER_CONFIG, "2", "log.cleaner.threads", "2"),
        asked(BROKER_CONFIG, "", "log.cleaner.threads", "none"),
        asked(TOPIC_CONFIG, "missing", "retention.ms", "none"),
        asked(BROKER_LOGGER_CONFIG, "1", "kafka", "DEBUG"),
        asked(99, "x", "y", "z"),
    ]);
    let refused = node.controller.refused_alterations(&request, &config(&[]));
    let is_refused: Vec<bool> = refused.iter().map(Option::is_some).collect();
    assert_eq!(is_refused, [false, true, true, false, true, true]);
    node.stop().await;
}
