//! No peer decides memory or time. For each API the largest possible requests are sent, with
//! repeated names, invented names and names of maximal length. The responses, the broker's memory
//! and the time that others wait must stay within bounds. So must the memory of incomplete requests.

use super::{Peer, call, send, text};
use crate::support::Broker;
use crate::support::requests::{Known, Recipe, Schema};
use bytes::Bytes;
use klamm::codec::guard::request_header_version;
use klamm::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::describe_configs_request::DescribeConfigsResource;
use klamm::codec::messages::join_group_request::JoinGroupRequestProtocol;
use klamm::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::sync_group_request::SyncGroupRequestAssignment;
use klamm::codec::messages::*;
use klamm::codec::messages::{OffsetCommitRequest, OffsetFetchRequest};
use klamm::config::Compression;
use klamm::handlers::{Api, TABLE};
use klamm::record::builder::BatchBuilder;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a request's long array.
const BYTES: usize = 48 * 1024;
/// The most bytes of a response: this many times those of its request, and this many more.
const ANSWER_TIMES: usize = 64;
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// By how much all requests, one after the other, may enlarge the broker: by what they leave
/// behind, and by what the largest of them needs.
const GROWTH_KIB: u64 = 96 * 1024;
/// The longest that another client may wait for a response, however busy the machine is.
const OTHERS_WAIT: Duration = Duration::from_secs(3);
const PARTITIONS: i32 = 30;
/// Set this to print the cost of each request.
const SHOWN: bool = false;

/// Gives each name in `Known` some content: a topic, a group with a member and offsets, and a
/// transaction.
fn populate(peer: &mut Peer) -> Known {
    let topic = CreatableTopic::default()
        .with_name(text("here").into())
        .with_num_partitions(PARTITIONS)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    let topic_id = call(peer, 7, &request).topics[0].topic_id;
    for (key_type, key) in [(0, "g"), (1, "x")] {
        let request = FindCoordinatorRequest::default().with_key_type(key_type);
        call(peer, 4, &request.with_coordinator_keys(vec![text(key)]));
    }
    commit(peer, topic_id);
    join(peer);
    begin(peer);
    Known { topic: "here", topic_id: topic_id.into_bytes(), group: "g", transactional_id: "x" }
}

/// Commits offsets with as much metadata as is allowed.
fn commit(peer: &mut Peer, topic_id: uuid::Uuid) {
    let partitions = (0..PARTITIONS).map(|index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_metadata(Some("m".repeat(4000).into()))
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(text("here").into())
        .with_topic_id(topic_id)
        .with_partitions(partitions.collect());
    let request =
        OffsetCommitRequest::default().with_group_id(text("g").into()).with_topics(vec![topic]);
    until_loaded(|| call(peer, 9, &request).topics[0].partitions[0].error_code);
}

fn join(peer: &mut Peer) {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("p"))
        .with_metadata(Bytes::from(vec![1; 20_000]));
    let request = JoinGroupRequest::default()
        .with_group_id(text("g").into())
        .with_protocol_type(text("other"))
        .with_session_timeout_ms(300_000)
        .with_rebalance_timeout_ms(300_000)
        .with_protocols(vec![protocol]);
    let joined = call(peer, 3, &request);
    assert_eq!(joined.error_code, 0);
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from(vec![1; 20_000]));
    let request = SyncGroupRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id)
        .with_assignments(vec![assignment]);
    assert_eq!(call(peer, 3, &request).error_code, 0);
}

fn begin(peer: &mut Peer) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(text("x").into()))
        .with_transaction_timeout_ms(60_000);
    let mut producer = InitProducerIdResponse::default();
    until_loaded(|| {
        producer = call(peer, 4, &request);
        producer.error_code
    });
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(text("here").into())
        .with_partitions((0..PARTITIONS).collect());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text("x").into())
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(producer.producer_epoch)
        .with_v3_and_below_topics(vec![topic]);
    let added = call(peer, 3, &request);
    assert_eq!(
        added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code,
        0
    );
}

/// Repeats a request until the coordinator has loaded its log.
fn until_loaded(mut ask: impl FnMut() -> i16) {
    let end = Instant::now() + Duration::from_secs(20);
    let mut code = ask();
    while code != 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
        code = ask();
    }
    assert_eq!(code, 0);
}

/// All ways to make a request of an API large, in its newest and oldest version.
fn recipes(api: &Api, schema: &Schema) -> Vec<Recipe> {
    // Produce's oldest versions are advertised but not served.
    let oldest = if api.name == "Produce" { 3 } else { api.min };
    let mut recipes = Vec::new();
    for version in if oldest < api.max { vec![oldest, api.max] } else { vec![api.max] } {
        let (arrays, strings) = schema.paths(version);
        let plain = Recipe { version, bytes: BYTES, ..Recipe::default() };
        for array in arrays.iter().map(Some).chain([None]) {
            let there = strings.iter().filter(|string| is_there(string, array));
            for long in there.map(Some).chain([None]) {
                for repeats in if array.is_some() { vec![true, false] } else { vec![true] } {
                    let (array, long) = (array.cloned(), long.cloned());
                    recipes.push(Recipe { array, repeats, long, ..plain.clone() });
                }
            }
        }
    }
    recipes
}

/// Whether a request whose long array is `array` has the string; its other arrays are empty.
fn is_there(string: &str, array: Option<&String>) -> bool {
    let (within, array) = (string.rsplit_once('.').map_or("", |at| at.0), array.map_or("", |a| a));
    let is_in = |path: &str, of: &str| path == of || path.starts_with(&format!("{of}."));
    within.is_empty() || is_in(array, within) || (!array.is_empty() && is_in(within, array))
}

fn frame(schema: &Schema, recipe: &Recipe, known: &Known) -> Vec<u8> {
    let mut body = schema.body(recipe, known);
    if request_header_version(schema.key, recipe.version) >= 2 {
        body.insert(0, 0);
    }
    super::frame(schema.key, recipe.version, 7, &body)
}

/// Another client, which sends requests all the time and measures how long it waits.
struct Other {
    longest_ms: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Other {
    fn start(port: u16) -> Other {
        let other = Other { longest_ms: Arc::default(), stopped: Arc::default() };
        let (longest_ms, stopped) = (other.longest_ms.clone(), other.stopped.clone());
        std::thread::spawn(move || {
            let mut peer = Peer::connect(port);
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                peer.send(18, 0, 9, &[]);
                if peer.receive().is_none() {
                    break;
                }
                longest_ms.fetch_max(asked.elapsed().as_millis() as u64, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        other
    }

    fn longest(&self) -> Duration {
        Duration::from_millis(self.longest_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_a_request_costs_is_bounded_by_its_bytes() {
    let broker = Broker::start_with(&[
        ("offsets.topic.num.partitions", "2"),
        // A topic that is created stays and belongs to the cluster, so it would not be a cost of
        // the request.
        ("auto.create.topics.enable", "false"),
    ]);
    let known = populate(&mut Peer::connect(broker.port));
    let before = broker.resident_kib();
    let other = Other::start(broker.port);
    let mut exceeded = Vec::new();
    for api in TABLE {
        let schema = Schema::of(api.key);
        let mut is_answered = false;
        for recipe in recipes(api, &schema) {
            let request = frame(&schema, &recipe, &known);
            let mut peer = Peer::connect(broker.port);
            let asked = Instant::now();
            peer.send_raw(&request);
            let answer = peer.receive().map_or(0, |answer| answer.len());
            is_answered |= answer > 0;
            let grown = broker.peak_kib().saturating_sub(before);
            let (took, others) = (asked.elapsed(), other.longest());
            let cost = format!(
                "{:>8} -> {answer:>8} bytes, {took:>9.1?}, others {others:?}, {grown:>6} KiB: {} {recipe:?}",
                request.len(),
                api.name
            );
            if SHOWN {
                eprintln!("{cost}");
            }
            let is_long = answer > ANSWER_TIMES * request.len() + ANSWER_BYTES;
            if is_long || grown > GROWTH_KIB || others > OTHERS_WAIT {
                exceeded.push(cost);
            }
        }
        assert!(is_answered, "no request of {} was understood", api.name);
    }
    assert!(exceeded.is_empty(), "the first is what matters:\n{}", exceeded.join("\n"));
}

#[test]
fn what_is_named_again_is_answered_once() {
    let broker = Broker::start_with(&[("offsets.topic.num.partitions", "2")]);
    let mut peer = Peer::connect(broker.port);
    populate(&mut peer);

    let resource = DescribeConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(text("1"))
        .with_configuration_keys(None);
    let again = resource.clone().with_resource_name(text("01"));
    let resources = [vec![resource; 100], vec![again; 100]].concat();
    let answer = call(&peer, 4, &DescribeConfigsRequest::default().with_resources(resources));
    assert_eq!(answer.results.len(), 2);
    assert!(answer.results.iter().all(|result| result.configs.len() > 100));

    let request = DescribeGroupsRequest::default().with_groups(vec![text("g").into(); 9]);
    let answer = call(&peer, 5, &request);
    assert_eq!(answer.groups.len(), 1);
    assert_eq!(answer.groups[0].members.len(), 1);

    let request = DescribeTransactionsRequest::default();
    let request = request.with_transactional_ids(vec![text("x").into(); 9]);
    let answer = call(&peer, 0, &request);
    assert_eq!(answer.transaction_states.len(), 1);
    assert_eq!(answer.transaction_states[0].topics[0].partitions.len(), PARTITIONS as usize);

    let topic = describe_producers_request::TopicRequest::default()
        .with_name(text("here").into())
        .with_partition_indexes(vec![1, 0, 1]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic.clone(), topic]);
    let answer = call(&peer, 0, &request);
    let told = answer.topics.iter().map(|topic| topic.partitions.len());
    assert_eq!(told.collect::<Vec<_>>(), [2, 0]);
}

#[test]
fn offsets_named_again_are_fetched_once_and_a_group_named_again_is_refused() {
    let broker = Broker::start_with(&[("offsets.topic.num.partitions", "2")]);
    let mut peer = Peer::connect(broker.port);
    populate(&mut peer);
    let topic = OffsetFetchRequestTopics::default()
        .with_name(text("here").into())
        .with_partition_indexes(vec![3, 3, 2, 3]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(text("g").into())
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![group.clone(), group]);
    let answer = call(&peer, 9, &request);
    let indexes = answer.groups[0].topics[0].partitions.iter().map(|p| p.partition_index);
    assert_eq!(indexes.collect::<Vec<_>>(), [3, 2]);
    assert_eq!(answer.groups[0].error_code, 0);
    const INVALID_REQUEST: i16 = 42;
    assert_eq!(answer.groups[1].error_code, INVALID_REQUEST);
}

const MIB: usize = 1 << 20;

/// A broker with a small limit for requests.
fn broker_of_64_mib() -> Broker {
    let size = (64 * MIB).to_string();
    Broker::start_with(&[
        ("socket.request.max.bytes", &size),
        ("queued.max.request.bytes", &size),
        ("message.max.bytes", &size),
    ])
}

/// Sends the first `bytes` of a request of 60 MiB, as fast as the broker reads them.
fn send_half(port: u16, bytes: usize, is_over: &Arc<AtomicBool>) -> Peer {
    let mut peer = Peer::connect(port);
    peer.send_raw(&(60 * MIB as i32).to_be_bytes());
    let mut socket = peer.0.try_clone().unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let is_over = is_over.clone();
    std::thread::spawn(move || {
        let (zeros, mut left) = (vec![0; MIB], bytes);
        while left > 0 && !is_over.load(Ordering::Relaxed) {
            match socket.write(&zeros[..left.min(MIB)]) {
                Ok(written) => left -= written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    });
    peer
}

fn produce(peer: &mut Peer, bytes: usize) -> i16 {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(1_700_000_000_000, None, Some(&vec![7; bytes]), &[]);
    let data = PartitionProduceData::default().with_records(Some(builder.build().to_bytes()));
    let topic =
        TopicProduceData::default().with_name(text("here").into()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000);
    let answer = call(peer, 8, &request.with_topic_data(vec![topic]));
    answer.responses[0].partition_responses[0].error_code
}

#[test]
fn requests_that_are_half_here_hold_a_bounded_memory_together() {
    let broker = broker_of_64_mib();
    let mut client = Peer::connect(broker.port);
    populate(&mut client);
    assert_eq!(produce(&mut client, MIB / 2), 0);
    let (before, is_over) = (broker.resident_kib(), Arc::default());
    let other = Other::start(broker.port);
    let mut half: Vec<_> = (0..48).map(|_| send_half(broker.port, 50 * MIB, &is_over)).collect();
    let end = Instant::now() + Duration::from_secs(60);
    // The connection that has the turn sends nothing more and is closed, then the next one.
    while !broker.log().contains("the rest of its request did not arrive while others needed") {
        assert!(Instant::now() < end, "{}", broker.log());
        let asked = Instant::now();
        assert_eq!(produce(&mut client, MIB / 2), 0);
        assert!(asked.elapsed() < OTHERS_WAIT, "it took {:?}", asked.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    let grown = broker.peak_kib().saturating_sub(before) / 1024;
    assert!(grown < 64 + 60 + 40, "grew by {grown} MiB");
    assert!(other.longest() < OTHERS_WAIT, "{:?}", other.longest());
    is_over.store(true, Ordering::Relaxed);
    half.clear();
    let end = Instant::now() + Duration::from_secs(20);
    while broker.resident_kib() > before + 40 * 1024 {
        assert!(Instant::now() < end, "{} KiB, before {before}", broker.resident_kib());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The large request needs more memory than is left, so it waits for its turn. No connection has to
/// be closed for it.
#[test]
fn a_large_request_comes_through_beside_many_that_are_half_here() {
    let broker = broker_of_64_mib();
    let mut client = Peer::connect(broker.port);
    populate(&mut client);
    let (before, is_over) = (broker.resident_kib(), Arc::default());
    let half: Vec<_> = (0..8).map(|_| send_half(broker.port, 2 * MIB, &is_over)).collect();
    let end = Instant::now() + Duration::from_secs(20);
    while broker.resident_kib() < before + 14 * 1024 {
        assert!(Instant::now() < end, "they are not here");
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..3 {
        assert_eq!(produce(&mut client, 40 * MIB), 0);
    }
    assert!(!broker.log().contains("closed the connection"), "{}", broker.log());
    drop(half);
}

/// What small requests hold may be large once it is decompressed. It is checked one at a time, so
/// neither the memory nor the time of many such requests adds up.
#[test]
fn many_small_requests_that_expand_hold_nobody_up() {
    const EXPANDED: usize = 100 * MIB;
    const PEERS: usize = 12;
    let broker = Broker::start();
    let mut client = Peer::connect(broker.port);
    populate(&mut client);
    let mut builder = BatchBuilder::new(0, Compression::Zstd { level: 3 });
    builder.append(1_700_000_000_000, None, Some(&vec![7; EXPANDED]), &[]);
    let data = PartitionProduceData::default().with_records(Some(builder.build().to_bytes()));
    let topic =
        TopicProduceData::default().with_name(text("here").into()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000);
    let request = request.with_topic_data(vec![topic]);
    let before = broker.resident_kib();
    let other = Other::start(broker.port);
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| Peer::connect(broker.port)).collect();
    peers.iter_mut().for_each(|peer| send(peer, 8, &request));
    for peer in &mut peers {
        assert!(peer.receive().is_some(), "an answer");
    }
    let grown = broker.peak_kib().saturating_sub(before) / 1024;
    assert!(grown < 4 * (EXPANDED / MIB) as u64, "grew by {grown} MiB");
    assert!(other.longest() < OTHERS_WAIT, "{:?}", other.longest());
}
