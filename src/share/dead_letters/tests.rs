//! Dead letters of records in real logs.
#![allow(clippy::unwrap_used)]

use super::destination::Destination;
use super::letters::Letters;
use super::originals::Originals;
use super::*;
use crate::codec::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use crate::codec::messages::{ProduceRequest, ProduceResponse};
use crate::config::Compression;
use crate::controller::Client;
use crate::coordinator::scripted_peer::{PEER, peer};
use crate::record::builder::BatchBuilder;
use crate::record::{Batch, Record};
use crate::replica::tests::cluster::{Cluster, NOW};
use crate::share::partition::Reason;
use crate::types::{Isolation, NO_EPOCH, Offset};
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

/// Larger than anything here.
const NO_LIMIT: usize = 1 << 20;

/// A topic `t` with two batches of three records, the second one compressed: `v0` to `v5`, of which
/// the third is 1,000 times as long.
fn filled(cluster: &mut Cluster) -> Uuid {
    let topic = cluster.create_topic("t", 1);
    for (first, codec) in [(0, Compression::Uncompressed), (3, Compression::Gzip { level: 1 })] {
        let mut batch = BatchBuilder::new(0, codec);
        for n in first..first + 3 {
            let value = format!("v{n}").repeat(if n == 2 { 1000 } else { 1 });
            let own = (Bytes::from_static(b"own"), Some(Bytes::from_static(b"header")));
            batch.append(5, Some(b"k"), Some(value.as_bytes()), &[own]);
        }
        append(cluster, topic, batch.build());
    }
    topic
}

fn append(cluster: &Cluster, topic: Uuid, batch: Batch) {
    let partition = cluster.partition(topic, 0);
    partition.append(vec![batch], NO_EPOCH, crate::log::Origin::Client, 1, NOW).unwrap();
}

fn letters(cluster: &Cluster, topic: Uuid, given_up: &[GivenUp], copies: bool) -> Letters {
    let id = TopicIdPartition { topic_id: topic, partition: 0 };
    let originals = copies.then(|| Originals::new(cluster.partition(topic, 0)));
    Letters::new(
        Origin { group: "g".into(), topic: "t".into(), id },
        given_up.to_vec().into(),
        originals,
    )
}

fn rejected(first: Offset, last: Offset) -> GivenUp {
    GivenUp { first, last, deliveries: 1, reason: Reason::Rejected }
}

/// All that is written, batch by batch.
fn batches(mut letters: Letters, max_bytes: usize) -> Vec<Vec<Record>> {
    std::iter::from_fn(|| letters.next_batch(max_bytes, NOW))
        .map(|batch| batch.records(NO_LIMIT).unwrap())
        .collect()
}

/// The offset that a letter is about, and the length of its value.
fn brief(letter: &Record) -> (String, Option<usize>) {
    (header(letter, "__dlq.errors.offset"), letter.value.as_ref().map(Bytes::len))
}

fn header(letter: &Record, name: &str) -> String {
    let found = letter.headers.iter().find(|(key, _)| key == name).unwrap();
    String::from_utf8(found.1.clone().unwrap().into()).unwrap()
}

#[test]
fn a_letter_says_where_its_record_is_and_why_it_was_given_up() {
    let mut cluster = Cluster::new();
    let topic = filled(&mut cluster);
    let often = GivenUp { first: 4, last: 4, deliveries: 5, reason: Reason::TooManyDeliveries };
    let all = batches(letters(&cluster, topic, &[rejected(1, 1), often], true), NO_LIMIT);
    let told = |letter: &Record| {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = letter.headers.iter();
        headers.map(|(k, v)| (text(k), text(v.as_ref().unwrap()))).collect::<Vec<_>>()
    };
    let expected = |offset: &str, count: &str, message: &str| {
        [
            ("topic", "t"),
            ("partition", "0"),
            ("offset", offset),
            ("group", "g"),
            ("delivery.count", count),
            ("message", message),
        ]
        .map(|(name, value)| (format!("__dlq.errors.{name}"), value.to_owned()))
    };
    assert_eq!(all.len(), 1);
    assert_eq!(told(&all[0][0]), expected("1", "1", "Offset rejected by client."));
    let message = "Offset delivery count exceeded the threshold.";
    assert_eq!(told(&all[0][1]), expected("4", "5", message));
    let contents = |letter: &Record| (letter.timestamp, letter.key.clone(), letter.value.clone());
    assert_eq!(contents(&all[0][0]), (NOW, Some("k".into()), Some("v1".into())));
    assert_eq!(contents(&all[0][1]), (NOW, Some("k".into()), Some("v4".into())));
    let places = batches(letters(&cluster, topic, &[rejected(1, 1)], false), NO_LIMIT);
    assert_eq!(contents(&places[0][0]), (NOW, None, None));
    assert_eq!(told(&places[0][0]), told(&all[0][0]));
}

#[test]
fn a_record_that_is_gone_leaves_a_letter_without_it() {
    let mut cluster = Cluster::new();
    let topic = filled(&mut cluster);
    cluster.partition(topic, 0).delete_records(2).unwrap();
    let all = batches(letters(&cluster, topic, &[rejected(0, 3), rejected(7, 8)], true), NO_LIMIT);
    let found: Vec<_> = all.concat().iter().map(|letter| brief(letter).1).collect();
    // They are still in the file, in the batch with the first one that is not deleted.
    assert_eq!(found, [None, None, Some(2000), Some(2), None, None]);
    cluster.partition(topic, 0).delete_records(4).unwrap();
    let all = batches(letters(&cluster, topic, &[rejected(1, 4)], true), NO_LIMIT);
    let found: Vec<_> = all.concat().iter().map(|letter| brief(letter).1).collect();
    assert_eq!(found, [None, None, None, Some(2)]);
}

#[test]
fn letters_are_cut_into_batches_that_the_topic_takes() {
    let mut cluster = Cluster::new();
    let topic = filled(&mut cluster);
    for max_bytes in (1..5000).step_by(7) {
        let all = batches(letters(&cluster, topic, &[rejected(0, 5)], true), max_bytes);
        let offsets: Vec<_> = all.concat().iter().map(|letter| brief(letter).0).collect();
        assert_eq!(offsets, ["0", "1", "2", "3", "4", "5"]);
        let mut again = letters(&cluster, topic, &[rejected(0, 5)], true);
        while let Some(batch) = again.next_batch(max_bytes, NOW) {
            assert!(batch.size() <= max_bytes || batch.count() == 1, "{max_bytes}");
        }
        // Only the large one can be too large; the letters around it are not.
        let lengths: Vec<_> = all.concat().iter().map(|letter| brief(letter).1).collect();
        let small = if max_bytes > 600 { Some(2) } else { lengths[0] };
        let large = if max_bytes > 2600 { Some(2000) } else { lengths[2] };
        assert_eq!(lengths, [small, small, large, small, small, small], "{max_bytes}");
        assert!(max_bytes > 2000 || lengths[2].is_none());
    }
    let one = batches(letters(&cluster, topic, &[rejected(0, 5)], true), NO_LIMIT);
    assert_eq!(one.len(), 1);
}

#[test]
fn what_cannot_be_read_leaves_letters_without_records() {
    let mut cluster = Cluster::new();
    let topic = filled(&mut cluster);
    let path = cluster.dir.path().join("data/t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 0xff;
    std::fs::write(&path, bytes).unwrap();
    let all = batches(letters(&cluster, topic, &[rejected(1, 1), rejected(5, 5)], true), NO_LIMIT);
    let all: Vec<_> = all.concat().iter().map(brief).collect();
    assert_eq!(all, [("1".to_owned(), Some(2)), ("5".to_owned(), None)]);
}

#[test]
fn a_batch_that_expands_too_much_is_passed_over() {
    let mut cluster = Cluster::new();
    let topic = cluster.create_topic("t", 1);
    for len in [40 << 20, 1] {
        let mut batch = BatchBuilder::new(0, Compression::Gzip { level: 1 });
        batch.append(NOW, None, Some(b"before"), &[]);
        batch.append(NOW, None, Some(&vec![0; len]), &[]);
        append(&cluster, topic, batch.build());
    }
    let all = batches(letters(&cluster, topic, &[rejected(0, 3)], true), usize::MAX);
    let all: Vec<_> = all.concat().iter().map(|letter| brief(letter).1).collect();
    assert_eq!(all, [Some(6), None, Some(6), Some(1)]);
}

#[test]
fn control_batches_and_partial_ones_are_passed_over() {
    let mut cluster = Cluster::new();
    let topic = filled(&mut cluster);
    let mut offsets = vec![0, 1];
    for round in 0..40 {
        append(&cluster, topic, crate::record::builder::transaction_marker(1, 0, 0, false, NOW));
        let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
        batch.append(NOW, None, Some(&vec![b'x'; 90_000]), &[]);
        append(&cluster, topic, batch.build());
        offsets.push(7 + 2 * round);
    }
    let given_up: Vec<_> = offsets.iter().map(|offset| rejected(*offset, *offset)).collect();
    let all = batches(letters(&cluster, topic, &given_up, true), NO_LIMIT);
    assert!(all.len() > 3, "a batch is bounded");
    let found: Vec<_> = all.concat().iter().map(brief).collect();
    let len = |offset| if offset < 2 { 2 } else { 90_000 };
    let expected: Vec<_> =
        offsets.iter().map(|offset| (offset.to_string(), Some(len(*offset)))).collect();
    assert_eq!(found, expected);
}

/// A topic of two partitions for the letters of the group "g".
fn with_letters(cluster: &mut Cluster) -> Uuid {
    cluster.write_config(GROUP_CONFIG, "g", "errors.deadletterqueue.topic.name", "dlq.g");
    let topic = cluster.create_topic("dlq.g", 2);
    cluster.configure("dlq.g", ENABLE, "true");
    topic
}

/// Writes two letters about partition 5 of some topic.
fn write(cluster: &Cluster) -> impl Future<Output = Result<()>> + use<> {
    let (config, clock) = (cluster.config.clone(), Clock::Manual(Arc::clone(&cluster.clock)));
    let (_, applied) = watch::channel(-1);
    let topics = InternalTopics::new(config.clone(), clock.clone(), Client::closed(), applied);
    let images = Arc::new(ArcSwap::from(cluster.images.load_full()));
    let peers = Peers::new(config.clone(), Arc::clone(&images));
    let replicas = Arc::clone(&cluster.replicas);
    let writer = DeadLetters::new(config, clock, images, replicas, peers, topics);
    let id = TopicIdPartition { topic_id: Uuid::from_u128(1), partition: 5 };
    let origin = Origin { group: "g".into(), topic: "t".into(), id };
    async move { writer.write(origin, vec![rejected(7, 7), rejected(3, 3)]).await }
}

/// The offsets that the letters in a partition are about.
fn written(cluster: &Cluster, topic: Uuid, partition: i32) -> Vec<String> {
    let partition = cluster.partition(topic, partition);
    let (read, _) = partition.read(0, NO_LIMIT, Isolation::HighWatermark, true).unwrap();
    let mut bytes = read.ranges.first().map_or(Bytes::new(), |range| range.read().unwrap());
    let mut found = Vec::new();
    while !bytes.is_empty() {
        found.extend(Batch::split_from(&mut bytes).unwrap().records(NO_LIMIT).unwrap());
    }
    found.iter().map(|letter| brief(letter).0).collect()
}

#[tokio::test(start_paused = true)]
async fn letters_wait_until_their_topic_takes_them() {
    let mut cluster = Cluster::new();
    let topic = with_letters(&mut cluster);
    cluster.change(topic, 1, |change| change.replicas = Some(vec![1, 2]));
    cluster.configure("dlq.g", "min.insync.replicas", "2");
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, write(&cluster)).await.is_err());
    let (done, ()) = tokio::join!(write(&cluster), async {
        tokio::time::sleep(hour).await;
        assert_eq!(written(&cluster, topic, 1), [""; 0]);
        cluster.configure("dlq.g", "min.insync.replicas", "1");
    });
    done.unwrap();
    assert_eq!(written(&cluster, topic, 1), ["3", "7"]);
    assert_eq!(written(&cluster, topic, 0), [""; 0]);
}

#[tokio::test]
async fn nothing_is_dropped_because_the_broker_stops() {
    let mut cluster = Cluster::new();
    cluster.write_config(GROUP_CONFIG, "g", "errors.deadletterqueue.topic.name", "dlq.g");
    write(&cluster).await.unwrap();
    cluster.configure_broker("errors.deadletterqueue.auto.create.topics.enable", "true");
    // The topic has to be made, but there is no controller any more.
    assert!(matches!(write(&cluster).await, Err(Error::Closed)));
}

/// What becomes of a batch that the leader, another broker, answers with `error`.
async fn sent_to_the_leader(error: i16) -> Result<(), ResponseError> {
    let cluster = Cluster::new();
    let (config, clock) = (cluster.config.clone(), Clock::Manual(Arc::clone(&cluster.clock)));
    let (_, applied) = watch::channel(-1);
    let topics = InternalTopics::new(config.clone(), clock.clone(), Client::closed(), applied);
    let peers = peer(PRODUCE_VERSION..=PRODUCE_VERSION, move |_, request: ProduceRequest| {
        let topic = &request.topic_data[0];
        let partition = &topic.partition_data[0];
        let records = partition.records.clone().unwrap();
        let batch = Batch::split_from(&mut records.clone()).unwrap();
        assert_eq!((request.acks, batch.records(NO_LIMIT).unwrap().len()), (-1, 1));
        let partition =
            PartitionProduceResponse::default().with_index(partition.index).with_error_code(error);
        let topic = TopicProduceResponse::default()
            .with_topic_id(topic.topic_id)
            .with_partition_responses(vec![partition]);
        Some(ProduceResponse::default().with_responses(vec![topic]))
    });
    let (images, replicas) = (Arc::default(), Arc::clone(&cluster.replicas));
    let writer = DeadLetters::new(config, clock, images, replicas, peers.await, topics);
    let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
    batch.append(5, None, Some(b"a letter"), &[]);
    let id = TopicIdPartition { topic_id: Uuid::from_u128(1), partition: 0 };
    let to = Destination { id, leader: PEER, max_bytes: NO_LIMIT };
    writer.append(to, &batch.build()).await.map_err(|error| error.code())
}

#[tokio::test]
async fn a_leader_in_another_broker_gets_the_letters() {
    let after = ResponseError::NotEnoughReplicasAfterAppend;
    let moved = ResponseError::NotLeaderOrFollower;
    assert_eq!(sent_to_the_leader(0).await, Ok(()));
    assert_eq!(sent_to_the_leader(after.code()).await, Ok(()), "it is in the log");
    assert_eq!(sent_to_the_leader(moved.code()).await, Err(moved));
}
