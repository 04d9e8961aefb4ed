//! First start, restarts after clean and unclean stops, snapshots.

use super::support::*;
use crate::codec::messages::broker_registration_request::Feature;
use crate::codec::messages::{ApiKey, BrokerId, CreateTopicsRequest, CreateTopicsResponse};
use crate::controller::Heartbeat;
use crate::metadata::{BROKER_CONFIG, features};
use kafka_protocol::ResponseError;
use std::sync::Arc;
use uuid::Uuid;

#[tokio::test]
async fn a_new_directory_serves_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let image = node.image();
    assert_eq!(image.metadata_version(), features::METADATA_VERSION_4_3);
    assert_eq!(image.configs_of(BROKER_CONFIG, "")["min.insync.replicas"], "1");
    assert_eq!(node.create(topic("t", 3)).await, (0, None));
    let made = node.image().topics.by_name("t").unwrap().clone();
    assert_eq!(made.partitions.len(), 3);
    assert!(made.partitions.iter().all(|partition| partition.leader == 1));
    let epoch = node.stop().await;

    for restart in 1..=3 {
        let mut node = Node::open(dir.path(), &[]);
        let image = node.image();
        assert_eq!(image.epoch, 1 + restart);
        let topic = image.topics.by_name("t").unwrap();
        assert_eq!(topic.id, made.id);
        assert!(topic.partitions.iter().all(|partition| partition.leader == -1), "fenced");
        node.register(if restart == 1 { epoch } else { -1 }).await;
        assert_eq!(node.beat(false).await, (false, false));
        let image = node.image();
        for partition in &image.topics.by_name("t").unwrap().partitions {
            assert_eq!((partition.leader, &partition.isr[..]), (1, &[1][..]));
            assert_eq!(partition.leader_epoch, 2 * restart, "one to lose it, one to get it");
            // Only a broker that stopped cleanly is known to have all records.
            assert_eq!(partition.leader_recovery_state, i8::from(restart > 1));
        }
        // As after `kill -9`, the controller is told nothing.
        node.close();
    }
}

/// Copies a directory written by Kafka to where the test may write.
fn copied(fixture_name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (fixture(fixture_name), dir.path());
    std::fs::create_dir(to.join("__cluster_metadata-0")).unwrap();
    for part in ["", "__cluster_metadata-0"] {
        for entry in std::fs::read_dir(from.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    dir
}

const STATIC: &[(&str, &str)] = &[("controller.quorum.voters", "1@127.0.0.1:9093")];
const DYNAMIC: &[(&str, &str)] =
    &[("controller.quorum.voters", ""), ("controller.quorum.bootstrap.servers", "127.0.0.1:9093")];

/// Opens a directory written by Kafka three times and works in it.
async fn check_kafka(fixture: &str, voters: &[(&str, &str)], topic_name: &str, last_epoch: i32) {
    let dir = copied(fixture);
    for restart in 1..=3 {
        let node = Node::start_in(dir.path(), voters, "referenceReference0000A").await;
        let image = node.image();
        assert_eq!(image.epoch, last_epoch + restart);
        let found = image.topics.by_name(topic_name).unwrap();
        assert!(found.partitions.iter().all(|partition| partition.leader == 1));
        assert_eq!(image.feature("share.version"), 1, "a feature is kept");
        let answer = node.create(topic(&format!("new-{restart}"), 2)).await;
        assert_eq!(answer, (0, None));
        node.stop().await;
    }
}

#[tokio::test]
async fn a_directory_of_kafka_is_taken_over() {
    check_kafka("static", STATIC, "t1", 3).await;
    check_kafka("rich", DYNAMIC, "kept", 1).await;
}

#[tokio::test]
async fn a_directory_that_kafka_only_formatted_begins_with_what_it_was_given() {
    for (fixture, voters) in [("static", STATIC), ("rich", DYNAMIC)] {
        let dir = copied(fixture);
        let metadata = dir.path().join("__cluster_metadata-0");
        for entry in std::fs::read_dir(&metadata).unwrap() {
            let path = entry.unwrap().path();
            if !path.ends_with("00000000000000000000-0000000000.checkpoint") {
                std::fs::remove_file(path).unwrap();
            }
        }
        let node = Node::start_in(dir.path(), voters, "referenceReference0000A").await;
        let image = node.image();
        assert_eq!(image.epoch, 1);
        assert_eq!(image.feature("transaction.version"), 2);
        assert_eq!(image.feature("group.version"), 1);
        node.stop().await;
    }
}

#[tokio::test]
async fn snapshots_are_made_when_due_and_replace_the_log() {
    let settings = [
        ("metadata.log.max.record.bytes.between.snapshots", "2000"),
        ("metadata.max.retention.bytes", "1"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &settings).await;
    let names = || {
        let entries = std::fs::read_dir(dir.path().join("__cluster_metadata-0")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".checkpoint")).collect::<Vec<_>>()
    };
    for number in 0..40 {
        node.create(topic(&format!("t{number}"), 1)).await;
        node.tick().await;
    }
    // The last snapshot is written in another thread; a tick notices that it is finished.
    while names() == ["00000000000000000000-0000000000.checkpoint"] || names().len() > 1 {
        node.tick().await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let before = node.image();
    node.close();
    let node = Node::open(dir.path(), &settings);
    let after = node.image();
    assert_eq!(after.topics.len(), before.topics.len());
    for topic in before.topics.iter() {
        assert_eq!(after.topics.by_name(&topic.name).unwrap().id, topic.id);
    }
    node.close();
}

#[tokio::test]
async fn time_alone_writes_a_noop_and_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let offset = node.image().offset;
    for noops in 0..3 {
        node.tick().await;
        node.tick().await;
        assert_eq!(node.image().offset, offset + noops, "one per half second");
        if noops < 2 {
            node.pass(500);
        }
    }
    node.pass(3_600_000);
    // The thread ticks on its own.
    while node.image().offset < offset + 3 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    node.close();
    let name = format!("{:020}-0000000001.checkpoint", offset + 3);
    assert!(dir.path().join("__cluster_metadata-0").join(name).exists());
}

#[tokio::test]
async fn every_step_is_published_in_order_the_first_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("a", 2)).await;
    node.stop().await;
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("b", 1)).await;
    let mut steps = node.steps.lock().unwrap();
    let first = steps.try_recv().unwrap();
    let a = first.image.topics.by_name("a").unwrap().id;
    assert_eq!(first.delta.changed_topics, [a]);
    assert_eq!(first.delta.changed_configs, [(BROKER_CONFIG, String::new())]);
    let mut offset = first.image.offset;
    let mut changed = Vec::new();
    while let Ok(step) = steps.try_recv() {
        assert!(step.image.offset > offset);
        offset = step.image.offset;
        changed.extend(step.delta.changed_topics.clone());
    }
    changed.dedup();
    let b = node.controller.image().topics.by_name("b").unwrap().id;
    assert_eq!(changed, [a, b], "a got its leader, then b came");
    node.close();
}

#[tokio::test]
async fn foreign_voters_are_refused() {
    let dir = copied("rich");
    let settings = [DYNAMIC, &[("node.id", "2")]].concat();
    let error = Node::try_open(dir.path(), &settings).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the voters of the metadata quorum are [1]; klamm, with node.id=2, can only be the one \
         voter of its own metadata log"
    );
}

#[tokio::test]
async fn what_comes_at_once_is_answered_together() {
    let dir = tempfile::tempdir().unwrap();
    let node = Arc::new(Node::start(dir.path(), &[]).await);
    let before = node.image().offset;
    let creations = (0..200).map(|number| {
        let node = node.clone();
        tokio::spawn(async move { node.create(topic(&format!("t{number}"), 1)).await })
    });
    for creation in creations.collect::<Vec<_>>() {
        assert_eq!(creation.await.unwrap(), (0, None));
    }
    assert_eq!(node.image().offset, before + 400);
    assert_eq!(node.image().topics.len(), 200);
    node.close();
    assert!(node.controller.register(registration(-1)).await.is_err(), "closed");
    assert!(node.controller.failure().is_some());
}

#[tokio::test]
async fn nothing_is_acknowledged_once_the_metadata_log_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    std::fs::remove_dir_all(dir.path().join("__cluster_metadata-0")).unwrap();
    let request = CreateTopicsRequest::default().with_topics(vec![topic("t", 1)]);
    let created = node.try_ask::<_, CreateTopicsResponse>(ApiKey::CreateTopics, 7, &request).await;
    assert_eq!(created.unwrap_err().code(), ResponseError::KafkaStorageError);
    assert!(node.controller.failure().unwrap().contains("00.log: somebody has removed"));
    assert!(node.image().topics.by_name("t").is_none());
}

#[tokio::test]
async fn a_voter_that_listens_elsewhere_says_so() {
    let dir = tempfile::tempdir().unwrap();
    Node::start(dir.path(), DYNAMIC).await.stop().await;
    for port in [9093, 9095] {
        let listeners = format!("PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:{port}");
        let settings = [DYNAMIC, &[("listeners", listeners.as_str())]].concat();
        let node = Node::start(dir.path(), &settings).await;
        let image = node.image();
        assert_eq!(image.finalized_features()["kraft.version"], 1);
        assert_eq!(image.controllers[&1].end_points[0].port, port);
        node.stop().await;
    }
    let log = dir.path().join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = bytes::Bytes::from(std::fs::read(log).unwrap());
    let mut control = Vec::new();
    while !bytes.is_empty() {
        let batch = crate::record::Batch::split_from(&mut bytes).unwrap();
        control.extend(batch.is_control().then(|| batch.count()));
    }
    assert_eq!(control, [3, 1, 3], "new, the same, elsewhere");
}

#[tokio::test]
async fn registrations_and_heartbeats_that_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let feature = |name: &str, least, greatest| {
        Feature::default()
            .with_name(text(name))
            .with_min_supported_version(least)
            .with_max_supported_version(greatest)
    };
    let elr = || feature(features::ELIGIBLE_LEADER_REPLICAS, 0, 1);
    let metadata = |least, greatest| feature(features::METADATA_VERSION, least, greatest);
    let good = || registration(-1).with_broker_id(BrokerId(2)).with_log_dirs(vec![Uuid::max()]);
    for (request, code, message) in [
        (
            good().with_cluster_id(text("x")),
            104,
            format!("This is cluster {CLUSTER}; the broker belongs to x"),
        ),
        (good().with_log_dirs(vec![]), 119, "No directories specified in request".to_owned()),
        (good().with_log_dirs(vec![Uuid::nil()]), 119, "Reserved directory ID in request".into()),
        (
            good().with_log_dirs(vec![Uuid::max(); 2]),
            119,
            "Duplicate directory ID in request".into(),
        ),
        (
            good().with_log_dirs(vec![DIRECTORY]),
            119,
            "Directory EREiIjMzRERVVWZmd3eIiA belongs to broker 1".into(),
        ),
        (
            good().with_features(vec![elr()]),
            119,
            "Request features do not contain 'metadata.version'".into(),
        ),
        (
            good().with_features(vec![metadata(31, 33), elr()]),
            35,
            "The cluster has metadata.version at level 30; the broker supports 31 to 33".into(),
        ),
        (
            good().with_features(vec![metadata(30, 30)]),
            35,
            "The cluster has eligible.leader.replicas.version at level 1; the broker \
             supports 0 to 0"
                .into(),
        ),
    ] {
        let error = node.controller.register(request).await.unwrap_err();
        assert_eq!((error.code().code(), error.message()), (code, Some(message)));
    }
    let beat = |broker_id, broker_epoch| {
        let heartbeat = Heartbeat { broker_id, broker_epoch, ..Heartbeat::default() };
        node.controller.heartbeat(heartbeat)
    };
    let error = beat(2, 5).await.unwrap_err();
    assert_eq!(error.message().unwrap(), "Broker 2 is not registered");
    let error = beat(1, node.epoch + 1).await.unwrap_err();
    assert_eq!(error.code(), ResponseError::StaleBrokerEpoch);
    // A broker that has not applied its own registration stays fenced.
    let epoch = node.controller.register(good()).await.unwrap();
    assert!(beat(2, epoch).await.unwrap().fenced);
    // The same incarnation keeps its epoch; another one gets a new epoch.
    let incarnation = good();
    let epoch = node.controller.register(incarnation.clone()).await.unwrap();
    assert_eq!(node.controller.register(incarnation).await.unwrap(), epoch);
    assert!(node.controller.register(good()).await.unwrap() > epoch);
    node.stop().await;
}
