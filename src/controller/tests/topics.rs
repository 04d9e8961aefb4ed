//! CreateTopics, DeleteTopics and CreatePartitions: responses, codes and messages are Kafka's.

use super::support::*;
use crate::codec::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use crate::codec::messages::create_partitions_response::CreatePartitionsResponse;
use crate::codec::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use crate::codec::messages::create_topics_response::CreateTopicsResponse;
use crate::codec::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use crate::codec::messages::delete_topics_response::DeleteTopicsResponse;
use crate::codec::messages::{ApiKey, BrokerId};
use crate::metadata::TOPIC_CONFIG;
use uuid::Uuid;

fn with_config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text));
    topic.with_configs(vec![config])
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(index, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*index)
            .with_broker_ids(brokers.iter().map(|&id| BrokerId(id)).collect())
    });
    topic(name, -1).with_assignments(assignments.collect())
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table")]
async fn creations_that_kafka_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    assert_eq!(node.create(topic("here.1", -1)).await, (0, None));
    let one = |index, brokers: &'static [i32]| assigned("m", &[(index, brokers)]);
    let long = "x".repeat(250);
    let too_many = "The request has too many partitions and settings; divide it into requests that \
                    write at most 10000 records";
    for (topic, code, message) in [
        (topic("here.1", 1), 36, "Topic 'here.1' already exists.".to_owned()),
        (topic("here_1", 1), 17, "Topic 'here_1' collides with existing topic: here.1".into()),
        (topic("..", 1), 17, "Topic name is invalid: '..' is not allowed".into()),
        (
            topic(&long, 1),
            17,
            format!("Topic name is invalid: '{long}' has more than 249 characters"),
        ),
        (
            topic("__cluster_metadata", 1),
            42,
            "Creation of internal topic __cluster_metadata is prohibited.".into(),
        ),
        (topic("n", 0), 37, "0 is no number of partitions; -1 takes num.partitions".into()),
        (topic("n", -2), 37, "-2 is no number of partitions; -1 takes num.partitions".into()),
        (topic("n", 10_001), 44, too_many.into()),
        (topic("n", 10_000), 44, too_many.into()),
        (
            topic("r", 1).with_replication_factor(0),
            38,
            "0 is no number of replicas; -1 takes default.replication.factor".into(),
        ),
        (
            topic("r", 1).with_replication_factor(3),
            38,
            "3 replicas need as many brokers that take new partitions; there are 1".into(),
        ),
        (with_config(topic("c", 1), "foo", Some("1")), 40, "Unknown topic config name: foo".into()),
        (
            with_config(topic("c", 1), "retention.ms", Some("abc")),
            40,
            "Invalid value abc for configuration retention.ms: Write a number of type LONG".into(),
        ),
        (
            with_config(topic("c", 1), "retention.ms", None),
            40,
            "Null value not supported for topic configs: retention.ms".into(),
        ),
        (
            one(0, &[1]).with_num_partitions(1),
            42,
            "The replicas are assigned already; leave the number of partitions at -1".into(),
        ),
        (
            one(0, &[1]).with_replication_factor(1),
            42,
            "The replicas are assigned already; leave the replication factor at -1".into(),
        ),
        (one(0, &[]), 39, "The assignment leaves a partition without replicas".into()),
        (
            one(0, &[7]),
            39,
            "The manual partition assignment includes broker 7, but no such broker \
            is registered."
                .into(),
        ),
        (
            one(0, &[1, 1]),
            39,
            "The manual partition assignment includes the broker 1 more than \
            once."
                .into(),
        ),
        (one(1, &[1]), 39, "partitions should be a consecutive 0-based integer sequence".into()),
        (assigned("m", &[(0, &[1]), (0, &[1])]), 39, "Partition 0 is assigned twice".into()),
    ] {
        let name = topic.name.to_string();
        assert_eq!(node.create(topic).await, (code, Some(message)), "{name}");
    }
    assert_eq!(node.image().topics.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_creation_is_answered_in_full() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[("num.partitions", "4")]).await;
    let asked = vec![
        with_config(topic("a", -1), "retention.ms", Some("5")),
        topic("twice", 1),
        assigned("b", &[(0, &[1]), (1, &[1])]),
        topic("twice", 2),
        topic("twice", 3),
    ];
    let request = CreateTopicsRequest::default().with_topics(asked).with_validate_only(true);
    let answer: CreateTopicsResponse = node.ask(ApiKey::CreateTopics, 7, &request).await;
    assert_eq!(answer.topics.iter().map(|t| t.error_code).collect::<Vec<_>>(), [0, 0, 42]);
    assert!(node.image().topics.is_empty(), "only asked");

    let request = request.with_validate_only(false);
    let (answer, offset): (CreateTopicsResponse, i64) =
        node.try_ask(ApiKey::CreateTopics, 7, &request).await.unwrap();
    assert_eq!(offset, node.image().offset);
    let (a, b, twice) = (&answer.topics[0], &answer.topics[1], &answer.topics[2]);
    assert_eq!((a.num_partitions, a.replication_factor), (4, 1));
    assert_eq!(b.num_partitions, 2);
    let image = node.image();
    assert_eq!(image.topics.by_id(a.topic_id).unwrap().name.as_ref(), "a");
    assert_eq!(image.configs_of(TOPIC_CONFIG, "a")["retention.ms"], "5");
    let configs = a.configs.as_ref().unwrap();
    assert!(configs.is_sorted_by(|a, b| a.name < b.name) && configs.len() > 25);
    let config = |name: &str| configs.iter().find(|c| c.name.as_str() == name).unwrap();
    let retention = config("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5"), 1));
    let policy = config("cleanup.policy");
    assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
    assert_eq!(config("min.insync.replicas").config_source, 3, "the record that ELR brings");
    assert_eq!(twice.error_message.as_deref(), Some("Duplicate topic name."));
    for version in 2..7 {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic(&format!("v{version}"), 1).with_replication_factor(1)]);
        let answer: CreateTopicsResponse = node.ask(ApiKey::CreateTopics, version, &request).await;
        assert_eq!(answer.topics[0].error_code, 0);
    }
    node.stop().await;
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    for topic_name in ["a", "b", "c", "d"] {
        node.create(topic(topic_name, 1)).await;
    }
    let id = |name: &str| node.image().topics.by_name(name).unwrap().id;
    let (b, c, unknown) = (id("b"), id("c"), Uuid::from_u128(7));
    let state = |topic: Option<&str>, id: Uuid| {
        DeleteTopicState::default().with_name(topic.map(name)).with_topic_id(id)
    };
    let nil = Uuid::nil();
    let request = DeleteTopicsRequest::default().with_topics(vec![
        state(Some("a"), nil),
        state(None, b),
        state(Some("b"), nil),
        state(None, c),
        state(None, unknown),
        state(Some("none"), nil),
        state(None, nil),
        state(Some("x"), c),
        state(Some("y"), nil),
        state(Some("y"), nil),
    ]);
    let answer: DeleteTopicsResponse = node.ask(ApiKey::DeleteTopics, 6, &request).await;
    let mut results: Vec<_> = answer
        .responses
        .iter()
        .map(|r| {
            let name = r.name.as_ref().map_or("", |name| name.as_str());
            (name.to_owned(), r.topic_id, r.error_code, r.error_message.as_deref().unwrap_or(""))
        })
        .collect();
    results.sort();
    let mut expected = vec![
        ("a".to_owned(), results.iter().find(|r| r.0 == "a").unwrap().1, 0, ""),
        ("c".to_owned(), c, 0, ""),
        ("b".to_owned(), b, 42, "The request names this topic by its name and by its id"),
        (String::new(), unknown, 100, "No topic has the id AAAAAAAAAAAAAAAAAAAABw"),
        ("none".to_owned(), nil, 3, "No topic is named none"),
        (String::new(), nil, 42, "A topic has neither a name nor an id"),
        ("x".to_owned(), c, 42, "Give the topic's name or its id, not both"),
        ("y".to_owned(), nil, 42, "Duplicate topic name."),
    ];
    expected.sort();
    assert_eq!(results, expected);
    let left: Vec<_> = node.image().topics.iter().map(|t| t.name.to_string()).collect();
    assert_eq!(left, ["b", "d"]);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name("d")]);
    let answer: DeleteTopicsResponse = node.ask(ApiKey::DeleteTopics, 1, &request).await;
    assert_eq!(answer.responses[0].error_code, 0);
    node.stop().await;
}

#[tokio::test]
async fn deletion_may_be_switched_off() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[("delete.topic.enable", "false")]).await;
    node.create(topic("a", 1)).await;
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name("a")]);
    for (version, code) in [(1, 42), (5, 73)] {
        let answer: DeleteTopicsResponse = node.ask(ApiKey::DeleteTopics, version, &request).await;
        assert_eq!(answer.responses[0].error_code, code);
    }
    node.stop().await;
}

#[tokio::test]
async fn partitions_are_added_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("a", 2)).await;
    let grow = |topic: &str, count, assignments: Option<&[&[i32]]>| {
        let brokers = |ids: &&[i32]| ids.iter().map(|&id| BrokerId(id)).collect();
        let assignment = |ids| CreatePartitionsAssignment::default().with_broker_ids(brokers(&ids));
        let assignments = assignments.map(|all| all.iter().copied().map(assignment).collect());
        CreatePartitionsTopic::default()
            .with_name(name(topic))
            .with_count(count)
            .with_assignments(assignments)
    };
    for (asked, code, message) in [
        (grow("a", 2, None), 37, "Topic already has 2 partition(s)."),
        (
            grow("a", 1, None),
            37,
            "The topic a currently has 2 partition(s); 1 would not be an \
            increase.",
        ),
        (grow("none", 1, None), 3, ""),
        (
            grow("a", 4, Some(&[&[1]])),
            39,
            "Attempted to add 2 additional partition(s), but only 1 \
            assignment(s) were specified.",
        ),
        (
            grow("a", 3, Some(&[&[9]])),
            39,
            "The manual partition assignment includes broker 9, but \
            no such broker is registered.",
        ),
        (
            grow("a", 1_000_000_000, None),
            44,
            "The request has too many partitions and settings; divide it into requests \
             that write at most 10000 records",
        ),
        (grow("a", 3, Some(&[&[1]])), 0, ""),
        (grow("a", 5, None), 0, ""),
    ] {
        let request = CreatePartitionsRequest::default().with_topics(vec![asked]);
        let answer: CreatePartitionsResponse =
            node.ask(ApiKey::CreatePartitions, 3, &request).await;
        let result = &answer.results[0];
        let got = (result.error_code, result.error_message.as_deref().unwrap_or(""));
        assert_eq!(got, (code, message));
    }
    assert_eq!(node.image().topics.by_name("a").unwrap().partitions.len(), 5);
    let twice = vec![grow("a", 6, None), grow("a", 7, None)];
    let request = CreatePartitionsRequest::default().with_topics(twice);
    let answer: CreatePartitionsResponse = node.ask(ApiKey::CreatePartitions, 0, &request).await;
    assert_eq!(answer.results.len(), 1);
    assert_eq!(answer.results[0].error_message.as_deref(), Some("Duplicate topic name."));
    node.stop().await;
}
