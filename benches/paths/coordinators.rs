//! Handlers, from the body of a request to the frame of its answer: produce, fetch and the
//! coordinators.

use crate::world::World;
use crate::{PRODUCE_VERSION, encode, name, produce_request};
use divan::Bencher;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use klamm::codec::messages::join_group_request::JoinGroupRequestProtocol;
use klamm::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::codec::messages::{
    AddPartitionsToTxnRequest, ApiKey, ConsumerGroupHeartbeatRequest, EndTxnRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    OffsetCommitRequest, SyncGroupRequest,
};
use klamm::replica::fetch_session::{FetchKey, TopicKey};
use klamm::replica::partition::PartitionFetch;
use klamm::replica::read::Fetch;
use klamm::types::Isolation;
use std::time::Duration;

const TOPIC: &str = "bench";

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// A broker with a topic.
fn world(partitions: i32) -> World {
    let world = World::new();
    world.create_topic(name(TOPIC), partitions);
    world
}

/// A broker with a topic, whose coordinator of `key` is ready.
fn coordinated(key: &'static str, key_type: i8) -> World {
    let world = world(8);
    let find = FindCoordinatorRequest::default().with_key(text(key)).with_key_type(key_type);
    until_ready(|| world.ask(&find, 3).error_code);
    world
}

/// Repeats a request until its error code is 0.
fn until_ready(mut ask: impl FnMut() -> i16) {
    for _ in 0..2000 {
        if ask() == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not ready");
}

#[divan::bench(args = [1, 8])]
fn produce_to_partitions(bencher: Bencher, partitions: i32) {
    let (world, body) = (world(8), produce_request(partitions, 1200));
    let key = ApiKey::Produce as i16;
    bencher.bench_local(|| world.call(key, PRODUCE_VERSION, body.clone()));
}

/// Plans a fetch from partitions that all have records.
#[divan::bench(args = [1, 8])]
fn plan_fetch_of_partitions(bencher: Bencher, partitions: i32) {
    let world = world(8);
    world.call(ApiKey::Produce as i16, PRODUCE_VERSION, produce_request(8, 16 << 10));
    let parts = world.parts();
    bencher.bench_local(|| {
        let answer = parts.replicas.fetch(&parts.image, fetch(partitions, 0, -1));
        let answer = world.runtime.block_on(answer);
        assert_eq!(answer.partitions.len(), partitions as usize);
        answer
    });
}

/// Polls a session with several partitions, none of which has new records.
#[divan::bench(args = [10, 1000])]
fn fetch_nothing_from_session_of(bencher: Bencher, partitions: i32) {
    let world = world(partitions);
    let parts = world.parts();
    let ask = |fetch| world.runtime.block_on(parts.replicas.fetch(&parts.image, fetch));
    let session = ask(fetch(partitions, 0, 0)).session_id;
    let mut epoch = 0;
    bencher.bench_local(|| {
        epoch += 1;
        let answer = ask(fetch(0, session, epoch));
        assert!(answer.error.is_none() && answer.partitions.is_empty());
        answer
    });
}

fn fetch(partitions: i32, session_id: i32, session_epoch: i32) -> Fetch {
    let asked = PartitionFetch {
        fetch_offset: 0,
        max_bytes: 1 << 20,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start: -1,
    };
    let key = |partition| FetchKey { topic: TopicKey::Name(TOPIC.into()), partition };
    Fetch {
        isolation: Isolation::HighWatermark,
        follower: None,
        only_leader: true,
        location: None,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 8 << 20,
        session_id,
        session_epoch,
        by_topic_id: false,
        partitions: (0..partitions).map(|partition| (key(partition), asked)).collect(),
        forgotten: Vec::new(),
    }
}

#[divan::bench]
fn consumer_heartbeat(bencher: Bencher) {
    let world = coordinated("group", 0);
    let join = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(text("group").into())
        .with_member_id(text("AAAAAAAAAAAAAAAAAAAAAA"))
        .with_rebalance_timeout_ms(300_000)
        .with_subscribed_topic_names(Some(vec![name(TOPIC)]))
        .with_topic_partitions(Some(Vec::new()));
    let mut epoch = 0;
    until_ready(|| {
        let answer = world.ask(&join, 0);
        epoch = answer.member_epoch;
        answer.error_code
    });
    let beat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(join.group_id.clone())
        .with_member_id(join.member_id.clone())
        .with_member_epoch(epoch);
    let body = encode(&beat, 0);
    bencher.bench_local(|| world.call(ApiKey::ConsumerGroupHeartbeat as i16, 0, body.clone()));
    assert_eq!(world.ask(&beat, 0).error_code, 0);
}

#[divan::bench]
fn classic_heartbeat(bencher: Bencher) {
    let world = coordinated("group", 0);
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(text("group").into())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let mut joined = None;
    until_ready(|| {
        // Version 3 does not know MEMBER_ID_REQUIRED.
        let answer = world.ask(&join, 3);
        let code = answer.error_code;
        joined = Some(answer);
        code
    });
    let joined = joined.unwrap();
    let sync = SyncGroupRequest::default()
        .with_group_id(join.group_id.clone())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    assert_eq!(world.ask(&sync, 3).error_code, 0);
    let beat = HeartbeatRequest::default()
        .with_group_id(join.group_id.clone())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id);
    let body = encode(&beat, 4);
    bencher.bench_local(|| world.call(ApiKey::Heartbeat as i16, 4, body.clone()));
    assert_eq!(world.ask(&beat, 4).error_code, 0);
}

#[divan::bench]
fn offset_commit(bencher: Bencher) {
    let world = coordinated("group", 0);
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(1)
        .with_committed_metadata(Some(StrBytes::default()));
    let topic =
        OffsetCommitRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(text("group").into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    until_ready(|| world.ask(&commit, 8).topics[0].partitions[0].error_code);
    let body = encode(&commit, 8);
    bencher.bench_local(|| world.call(ApiKey::OffsetCommit as i16, 8, body.clone()));
}

/// A producer initialises again, which raises its epoch and writes a record.
#[divan::bench]
fn init_transactional_producer(bencher: Bencher) {
    let world = coordinated("id", 1);
    let init = init_request();
    until_ready(|| world.ask(&init, 4).error_code);
    let body = encode(&init, 4);
    bencher.bench_local(|| world.call(ApiKey::InitProducerId as i16, 4, body.clone()));
}

/// Adds a partition to a transaction and commits it. What the coordinator does after the answer
/// delays the next transaction.
#[divan::bench]
fn transaction(bencher: Bencher) {
    let world = coordinated("id", 1);
    let (mut add, mut end) = (AddPartitionsToTxnRequest::default(), EndTxnRequest::default());
    until_ready(|| {
        let init = world.ask(&init_request(), 4);
        (end.producer_id, end.producer_epoch) = (init.producer_id, init.producer_epoch);
        init.error_code
    });
    (end.transactional_id, end.committed) = (text("id").into(), true);
    add.v3_and_below_transactional_id = end.transactional_id.clone();
    add.v3_and_below_producer_id = end.producer_id;
    add.v3_and_below_producer_epoch = end.producer_epoch;
    add.v3_and_below_topics =
        vec![AddPartitionsToTxnTopic::default().with_name(name(TOPIC)).with_partitions(vec![0])];
    let is_refused = || {
        let answer = world.ask(&add, 3);
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code != 0
    };
    bencher.bench_local(|| {
        while is_refused() {
            std::thread::yield_now();
        }
        assert_eq!(world.ask(&end, 3).error_code, 0);
    });
}

fn init_request() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(text("id").into()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}
