//! DescribeQuorum, producer ids, and requests about single partitions.

use super::support::*;
use crate::codec::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use crate::codec::messages::describe_quorum_request::{
    DescribeQuorumRequest, PartitionData, TopicData,
};
use crate::codec::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::codec::messages::*;
use crate::config::Compression;
use crate::controller::preview;
use crate::disk::Disk;
use crate::error::Error;
use crate::log::Stopped;
use crate::log::tests::spoilt::DAMAGES;
use crate::metadata::snapshot::SnapshotId;
use crate::record::builder::BatchBuilder;
use kafka_protocol::ResponseError;
use std::path::Path;

#[tokio::test]
async fn the_quorum_is_us() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let asked = |name_of_topic: &str| {
        let topic = TopicData::default()
            .with_topic_name(name(name_of_topic))
            .with_partitions(vec![PartitionData::default()]);
        DescribeQuorumRequest::default().with_topics(vec![topic])
    };
    let metadata = asked("__cluster_metadata");
    let answer: DescribeQuorumResponse = node.ask(ApiKey::DescribeQuorum, 2, &metadata).await;
    let partition = &answer.topics[0].partitions[0];
    let voter = &partition.current_voters[0];
    assert_eq!((partition.leader_id.0, partition.leader_epoch), (1, 1));
    assert_eq!(partition.high_watermark, node.image().offset + 1);
    assert_eq!((voter.replica_id.0, voter.log_end_offset), (1, partition.high_watermark));
    let listener = &answer.nodes[0].listeners[0];
    assert_eq!((listener.name.as_str(), listener.port), ("CONTROLLER", 9093));
    for version in 0..=2 {
        let _: DescribeQuorumResponse = node.ask(ApiKey::DescribeQuorum, version, &metadata).await;
    }
    let answer: DescribeQuorumResponse = node.ask(ApiKey::DescribeQuorum, 2, &asked("t")).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 3);
    node.stop().await;
}

#[tokio::test]
async fn producer_ids_come_in_blocks_that_never_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let allocate = |epoch| node.controller.allocate_producer_ids(1, epoch);
    assert_eq!(allocate(node.epoch).await.unwrap(), (0, 1000));
    assert_eq!(allocate(node.epoch).await.unwrap(), (1000, 1000));
    let stale = allocate(node.epoch + 1).await.unwrap_err();
    assert_eq!(stale.code(), ResponseError::StaleBrokerEpoch);
    node.stop().await;
    let node = Node::start(dir.path(), &[]).await;
    let next = node.controller.allocate_producer_ids(1, node.epoch).await.unwrap();
    assert_eq!(next, (2000, 1000));
    node.stop().await;
}

#[tokio::test]
async fn elections_and_reassignments_on_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let elect = |topics: Option<Vec<TopicPartitions>>| {
        ElectLeadersRequest::default().with_topic_partitions(topics)
    };
    let of = |topic: &str, index| {
        TopicPartitions::default().with_topic(name(topic)).with_partitions(vec![index])
    };
    let some = elect(Some(vec![of("t", 0), of("t", 5), of("u", 0)]));
    let answer: ElectLeadersResponse = node.ask(ApiKey::ElectLeaders, 2, &some).await;
    let results: Vec<_> = answer
        .replica_election_results
        .iter()
        .map(|topic| {
            let result = &topic.partition_result[0];
            (result.error_code, result.error_message.as_deref().unwrap_or("").to_owned())
        })
        .collect();
    assert_eq!(
        results,
        [
            (84, "t-0 has its leader already".to_owned()),
            (3, "No such partition as t-5".to_owned()),
            (3, "No such topic as u".to_owned()),
        ]
    );
    let answer: ElectLeadersResponse = node.ask(ApiKey::ElectLeaders, 2, &elect(None)).await;
    assert!(answer.replica_election_results[0].partition_result.is_empty());

    let reassign = |topic: &str, replicas: Option<&[i32]>| {
        let replicas = replicas.map(|ids| ids.iter().map(|&id| BrokerId(id)).collect());
        let partition = ReassignablePartition::default().with_replicas(replicas);
        let topic =
            ReassignableTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic])
    };
    for (request, code, message) in [
        (reassign("t", Some(&[1])), 0, ""),
        (reassign("t", None), 85, "t-0 is not being reassigned"),
        (
            reassign("t", Some(&[2])),
            39,
            "The manual partition assignment includes broker 2, but \
            no such broker is registered.",
        ),
        (reassign("t", Some(&[])), 39, "The assignment leaves a partition without replicas"),
        (reassign("u", Some(&[1])), 3, "No topic is named u"),
    ] {
        let answer: AlterPartitionReassignmentsResponse =
            node.ask(ApiKey::AlterPartitionReassignments, 0, &request).await;
        let result = &answer.responses[0].partitions[0];
        let got = (result.error_code, result.error_message.as_deref().unwrap_or(""));
        assert_eq!(got, (code, message));
    }
    let request = ListPartitionReassignmentsRequest::default().with_topics(None);
    let answer: ListPartitionReassignmentsResponse =
        node.ask(ApiKey::ListPartitionReassignments, 0, &request).await;
    assert!(answer.topics.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn brokers_are_forgotten_and_unknown_requests_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(7));
    let answer: UnregisterBrokerResponse = node.ask(ApiKey::UnregisterBroker, 0, &request).await;
    let message = answer.error_message.as_deref();
    assert_eq!((answer.error_code, message), (102, Some("No broker 7 is registered")));
    let request = request.with_broker_id(BrokerId(1));
    let answer: UnregisterBrokerResponse = node.ask(ApiKey::UnregisterBroker, 0, &request).await;
    let code = ResponseError::InvalidRequest.code();
    assert_eq!(answer.error_code, code, "it runs: {:?}", answer.error_message);
    assert!(node.image().brokers.contains_key(&1));
    while !node.beat(true).await.1 {}
    let answer: UnregisterBrokerResponse = node.ask(ApiKey::UnregisterBroker, 0, &request).await;
    assert_eq!(answer.error_code, 0);
    let image = node.image();
    assert!(image.brokers.is_empty());
    assert_eq!(image.topics.by_name("t").unwrap().partitions[0].leader, -1);
    let request = CreateAclsRequest::default();
    let error = node.try_ask::<_, CreateAclsResponse>(ApiKey::CreateAcls, 3, &request).await;
    assert_eq!(error.unwrap_err().code(), ResponseError::UnsupportedVersion);
    node.close();
}

/// Stops a node, applies `spoil` to its `__cluster_metadata-0`, and returns why the next start is
/// refused.
async fn refusal(spoil: impl Fn(&Path, i64)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    node.stop().await;
    preview(&Disk::Os, dir.path(), Stopped::Cleanly).unwrap();
    let log = dir.path().join("__cluster_metadata-0");
    let end = Node::open(dir.path(), &[]).image().offset + 1;
    spoil(&log, end);
    match preview(&Disk::Os, dir.path(), Stopped::Cleanly) {
        Err(Error::Config(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_newer_kafka_wrote_is_refused() {
    for (record, named) in [
        (&[1, 99, 0, 0], "a record of unknown type 99"),
        (&[1, 2, 9, 0], "TopicRecord of unknown version 9"),
        (&[2, 2, 0, 0], "frame version 2"),
    ] {
        let message = refusal(|log, end| {
            let mut batch = BatchBuilder::new(end, Compression::Uncompressed);
            batch.append(0, None, Some(record), &[]);
            let file = Disk::Os.open(&log.join("00000000000000000000.log")).unwrap();
            file.write_at(&batch.build().to_bytes(), file.len().unwrap()).unwrap();
        });
        let message = message.await;
        assert!(message.contains(named) && message.contains("start the broker"), "{message}");
    }
    let state = refusal(|log, _| {
        std::fs::write(log.join("quorum-state"), r#"{"leaderEpoch":1,"data_version":2}"#).unwrap();
    });
    let state = state.await;
    assert!(state.contains("quorum-state: version 2 is not known"), "{state}");
}

/// A log that ends too early would undo what was acknowledged, and make valid logs strays.
#[tokio::test]
async fn a_log_that_has_lost_its_end_is_recognized() {
    let first = "00000000000000000000.log";
    let cut = |by: u64, zeros: usize| {
        move |log: &Path| {
            let file = Disk::Os.open(&log.join(first)).unwrap();
            file.truncate(file.len().unwrap() - by).unwrap();
            file.write_at(&vec![0; zeros], file.len().unwrap()).unwrap();
        }
    };
    let away = |log: &Path| std::fs::remove_file(log.join(first)).unwrap();
    let ends_with_snapshot = |log: &Path| {
        let found = preview(&Disk::Os, log.parent().unwrap(), Stopped::Cleanly).unwrap().unwrap();
        let at_end = SnapshotId { offset: found.image.offset + 1, epoch: 1 };
        let any = log.join(SnapshotId::BOOTSTRAP.file_name());
        std::fs::copy(any, log.join(at_end.file_name())).unwrap();
    };
    let none = |_: &Path| {};
    type Row<'a> = (&'a dyn Fn(&Path), bool);
    let rows: [Row<'_>; 6] = [
        (&none, false),
        (&ends_with_snapshot, false),
        (&cut(1, 0), true),
        (&cut(300, 0), true),
        (&cut(300, 300), true),
        (&away, true),
    ];
    for (at, (spoil, is_lost)) in rows.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::start(dir.path(), &[]).await;
        node.create(topic("t", 1)).await;
        node.stop().await;
        spoil(&dir.path().join("__cluster_metadata-0"));
        let found = preview(&Disk::Os, dir.path(), Stopped::Cleanly).unwrap().unwrap();
        assert_eq!(found.lost.is_some(), is_lost, "row {at}: {:?}", found.lost);
    }
}

/// A node whose `__cluster_metadata-0` was damaged must still know its topic, or refuse to start
/// with a message that names the file.
async fn check_spoilt(row: &str, named: &str, spoil: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    node.create(topic("t", 1)).await;
    node.stop().await;
    spoil(&dir.path().join("__cluster_metadata-0"));
    let opened = preview(&Disk::Os, dir.path(), Stopped::Cleanly)
        .and_then(|_| Node::try_open(dir.path(), &[]));
    match opened {
        Ok(node) => assert!(node.image().topics.by_name("t").is_some(), "{row}"),
        Err(error @ (Error::Config(_) | Error::Corrupt { .. })) => {
            assert!(error.to_string().contains(named), "{row}: {error}");
            assert!(named != "leader-epoch-checkpoint" || row.contains("a link"), "{row}: {error}");
        }
        Err(error) => panic!("{row}: {error} is no fault of the disk"),
    }
}

#[tokio::test]
async fn every_small_file_of_the_metadata_log_may_be_spoilt() {
    let files = [
        "quorum-state",
        "partition.metadata",
        "leader-epoch-checkpoint",
        "00000000000000000000-0000000000.checkpoint",
    ];
    for file in files {
        for (damage, spoil) in DAMAGES {
            check_spoilt(&format!("{file}: {damage}"), file, |log| spoil(&log.join(file))).await;
        }
        let quorum_state =
            |epoch: i64| format!(r#"{{"leaderId":1,"leaderEpoch":{epoch},"data_version":1}}"#);
        let extremes =
            [i64::from(i32::MAX), i64::from(i32::MAX) - 1, i64::from(i32::MIN), i64::MAX, -1];
        let epochs = extremes.map(|epoch| format!("0\n1\n{epoch} {epoch}\n"));
        for text in extremes.map(quorum_state).into_iter().chain(epochs).chain(["{}".to_owned()]) {
            let write = |log: &Path| std::fs::write(log.join(file), &text).unwrap();
            check_spoilt(&format!("{file}: {text}"), file, write).await;
        }
    }
}

/// Accepting a truncated snapshot would silently drop the part that is missing.
#[tokio::test]
async fn a_snapshot_that_is_cut_is_refused() {
    for len in [0, 61, 200] {
        let message = refusal(|log, _| {
            let snapshot = log.join("00000000000000000000-0000000000.checkpoint");
            let bytes = std::fs::read(&snapshot).unwrap();
            std::fs::write(snapshot, &bytes[..len]).unwrap();
        });
        let message = message.await;
        assert!(message.contains("damaged or not whole"), "{message}");
    }
}
