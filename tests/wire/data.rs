//! Produce, Fetch and the APIs about offsets, in every version, field by field.

use super::{Peer, call, create, name, once_verified, send};
use crate::support::Broker;
use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use klamm::codec::messages::describe_producers_request::TopicRequest;
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::fetch_response::PartitionData;
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::produce_response::PartitionProduceResponse;
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::time::{Duration, Instant};
use uuid::Uuid;

const INVALID_TOPIC: i16 = 17;
const INVALID_REQUIRED_ACKS: i16 = 21;
const UNSUPPORTED_VERSION: i16 = 35;
const POLICY_VIOLATION: i16 = 44;
const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const UNKNOWN_TOPIC_ID: i16 = 100;
const OFFSET_OUT_OF_RANGE: i16 = 1;

const NOW: i64 = 1_700_000_000_000;

fn batch(values: &[&str], transactional: bool) -> Bytes {
    let builder = BatchBuilder::new(0, Compression::Uncompressed);
    let mut builder = if transactional { builder.producer(1, 0, 0, true) } else { builder };
    for (at, value) in values.iter().enumerate() {
        builder.append(NOW + at as i64, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.build().to_bytes()
}

fn produce_request(topic: &str, id: Uuid, acks: i16, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_topic_id(id)
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

fn produce(peer: &mut Peer, version: i16, request: &ProduceRequest) -> PartitionProduceResponse {
    once_verified(|| {
        let mut response = call(peer, version, request);
        response.responses.remove(0).partition_responses.remove(0)
    })
}

fn fetch_request(topic: &str, id: Uuid, offset: i64) -> FetchRequest {
    let partition =
        FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(name(topic))
        .with_topic_id(id)
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn fetch(peer: &mut Peer, version: i16, request: &FetchRequest) -> PartitionData {
    let mut response = call(peer, version, request);
    assert_eq!((response.error_code, response.session_id), (0, 0));
    response.responses.remove(0).partitions.remove(0)
}

/// The topic's name and id, of which the version has only one.
fn named(version: i16, from: i16, topic: &'static str, id: Uuid) -> (&'static str, Uuid) {
    if version < from { (topic, Uuid::nil()) } else { ("", id) }
}

#[test]
fn every_version_of_fetch_returns_what_every_version_of_produce_sent() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    let id = create(&peer, "t", 1, &[]);
    for (offset, version) in (3..=13).enumerate() {
        let (topic, id) = named(version, 13, "t", id);
        let acks = if version % 2 == 0 { 1 } else { -1 };
        let request = produce_request(topic, id, acks, batch(&["value"], false));
        let told = produce(&mut peer, version, &request);
        assert_eq!((told.error_code, told.base_offset), (0, offset as i64), "v{version}");
        assert_eq!(told.log_append_time_ms, -1);
        assert_eq!(told.log_start_offset, if version < 5 { -1 } else { 0 });
    }
    let mut whole = Vec::new();
    for offset in 0..11u8 {
        let mut bytes = batch(&["value"], false).to_vec();
        bytes[7] = offset;
        bytes[12..16].fill(0);
        whole.extend(bytes);
    }
    for version in 4..=18 {
        let (topic, id) = named(version, 13, "t", id);
        let told = fetch(&mut peer, version, &fetch_request(topic, id, 0));
        assert_eq!((told.error_code, told.high_watermark), (0, 11), "v{version}");
        assert_eq!((told.last_stable_offset, told.preferred_read_replica.0), (11, -1));
        assert_eq!(told.records.unwrap(), whole, "v{version}");
        assert!(told.aborted_transactions.is_none_or(|aborted| aborted.is_empty()));
    }
}

#[test]
fn acks_0_is_not_answered_and_its_error_ends_the_connection() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    send(&mut peer, 9, &produce_request("t", Uuid::nil(), 0, batch(&["a"], false)));
    let told = fetch(&mut peer, 11, &fetch_request("t", Uuid::nil(), 0));
    assert_eq!(told.high_watermark, 1, "the next answer is that of the next request");
    let mut peer = Peer::connect(broker.port);
    send(&mut peer, 9, &produce_request("nowhere", Uuid::nil(), 0, batch(&["a"], false)));
    assert_eq!(peer.receive(), None);
}

#[test]
fn produce_says_what_is_wrong_with_each_partition() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    create(&peer, "__transaction_state", 1, &[("cleanup.policy", "compact")]);
    let request = |topic, acks, transactional| {
        produce_request(topic, Uuid::nil(), acks, batch(&["a"], transactional))
    };
    let in_name_of = |request: ProduceRequest| {
        request.with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("x"))))
    };
    for (request, error) in [
        (request("t", 2, false), INVALID_REQUIRED_ACKS),
        (request("t", -2, false), INVALID_REQUIRED_ACKS),
        (request("nowhere", 1, false), UNKNOWN_TOPIC_OR_PARTITION),
        (request("__transaction_state", 1, false), INVALID_TOPIC),
        (request("t", -1, true), TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (in_name_of(request("t", -1, true)), INVALID_PRODUCER_ID_MAPPING),
    ] {
        let told = produce(&mut peer, 9, &request);
        assert_eq!((told.error_code, told.base_offset, told.log_start_offset), (error, -1, -1));
    }
    let unknown = produce_request("", Uuid::from_u128(7), 1, batch(&["a"], false));
    assert_eq!(produce(&mut peer, 13, &unknown).error_code, UNKNOWN_TOPIC_ID);
    let harmless = in_name_of(request("t", -1, false));
    assert_eq!(produce(&mut peer, 9, &harmless).error_code, 0);
}

#[test]
fn a_fetch_out_of_range_tells_nothing_but_that() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    for offset in [-1, 1] {
        let told = fetch(&mut peer, 12, &fetch_request("t", Uuid::nil(), offset));
        assert_eq!(told.error_code, OFFSET_OUT_OF_RANGE);
        assert_eq!((told.high_watermark, told.last_stable_offset), (-1, -1));
        assert_eq!((told.log_start_offset, told.records.unwrap().len()), (-1, 0));
        assert_eq!(told.aborted_transactions, None);
    }
}

/// Small file ranges are copied into the response, larger ones are sent directly from their files.
#[test]
fn an_answer_has_little_of_some_partitions_and_much_of_others() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    let sizes = [1, 31_000, 32_700, 32_768, 33_000, 200_000, 5, 30_000, 30_000, 30_000, 40_000, 9];
    create(&peer, "t", sizes.len() as i32, &[]);
    let mut wanted = Vec::new();
    for (index, size) in sizes.into_iter().enumerate() {
        let value = char::from(b'a' + index as u8).to_string().repeat(size);
        let mut request = produce_request("t", Uuid::nil(), 1, batch(&[&value], false));
        request.topic_data[0].partition_data[0].index = index as i32;
        assert_eq!(produce(&mut peer, 9, &request).error_code, 0);
        let mut stored = batch(&[&value], false).to_vec();
        stored[12..16].fill(0);
        wanted.push((index as i32, Bytes::from(stored)));
    }
    let mut request = fetch_request("t", Uuid::nil(), 0);
    let one = request.topics[0].partitions.remove(0);
    let each = |index| one.clone().with_partition(index);
    request.topics[0].partitions = (0..sizes.len() as i32).map(each).collect();
    let mut response = call(&peer, 12, &request);
    let partitions = response.responses.remove(0).partitions.into_iter();
    let told: Vec<_> =
        partitions.map(|told| (told.partition_index, told.records.unwrap())).collect();
    assert!(told == wanted, "{:?}", told.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>());
}

#[test]
fn a_waiting_fetch_is_answered_when_records_come() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    let began = Instant::now();
    let patient = fetch_request("t", Uuid::nil(), 0).with_max_wait_ms(300);
    assert_eq!(fetch(&mut peer, 12, &patient).records.unwrap().len(), 0);
    assert!(began.elapsed() >= Duration::from_millis(300));

    let very_patient = fetch_request("t", Uuid::nil(), 0).with_max_wait_ms(60_000);
    let mut consumer = Peer::connect(broker.port);
    send(&mut consumer, 12, &very_patient);
    let request = produce_request("t", Uuid::nil(), -1, batch(&["a"], false));
    produce(&mut peer, 9, &request);
    assert!(consumer.receive().unwrap().len() > 61);
}

fn list(peer: &mut Peer, version: i16, timestamp: i64) -> (i16, i64, i64, i32) {
    let asked = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
    let request = request.with_topics(vec![topic]);
    let response = call(peer, version, &request);
    let told = &response.topics[0].partitions[0];
    (told.error_code, told.timestamp, told.offset, told.leader_epoch)
}

#[test]
fn offsets_are_listed_by_time_and_by_name() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    assert_eq!(list(&mut peer, 11, -3), (0, -1, -1, -1), "nothing has a timestamp yet");
    let request = produce_request("t", Uuid::nil(), 1, batch(&["a", "b", "c"], false));
    produce(&mut peer, 9, &request);
    for version in 1..=11 {
        let epoch = if version < 4 { -1 } else { 0 };
        assert_eq!(list(&mut peer, version, -1), (0, -1, 3, epoch), "v{version}");
        assert_eq!(list(&mut peer, version, -2), (0, -1, 0, epoch), "v{version}");
        assert_eq!(list(&mut peer, version, NOW + 1), (0, NOW + 1, 1, epoch), "v{version}");
        assert_eq!(list(&mut peer, version, NOW + 9), (0, -1, -1, -1), "v{version}");
        let unsupported = (UNSUPPORTED_VERSION, -1, -1, -1);
        for (timestamp, since, told) in [
            (-3, 7, (0, NOW + 2, 2, epoch)),
            (-4, 8, (0, -1, 0, epoch)),
            (-5, 9, (0, -1, -1, -1)),
            (-6, 11, (0, -1, -1, -1)),
            (-7, 99, unsupported),
        ] {
            let told = if version < since { unsupported } else { told };
            assert_eq!(list(&mut peer, version, timestamp), told, "v{version} {timestamp}");
        }
    }
}

#[test]
fn records_are_deleted_and_logs_described() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    create(&peer, "compacted", 1, &[("cleanup.policy", "compact")]);
    let request = produce_request("t", Uuid::nil(), 1, batch(&["a", "b", "c"], false));
    produce(&mut peer, 9, &request);
    let delete = |version, topic, offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let request =
            DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
        let response = call(&peer, version, &request);
        let told = &response.topics[0].partitions[0];
        (told.error_code, told.low_watermark)
    };
    assert_eq!(delete(0, "t", 1), (0, 1));
    assert_eq!(delete(1, "t", 4), (OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete(2, "t", -1), (0, 3));
    assert_eq!(delete(2, "compacted", -1), (POLICY_VIOLATION, -1));
    assert_eq!(delete(2, "nowhere", 0), (UNKNOWN_TOPIC_OR_PARTITION, -1));
    assert_eq!(list(&mut peer, 11, -2), (0, -1, 3, 0));
    for version in 1..=5 {
        let response = call(&peer, version, &DescribeLogDirsRequest::default().with_topics(None));
        let dir = &response.results[0];
        assert_eq!(dir.error_code, 0);
        assert_eq!(dir.log_dir.as_str(), broker.data_dir().display().to_string());
        let topic = dir.topics.iter().find(|topic| topic.name.as_str() == "t").unwrap();
        assert!(topic.partitions[0].partition_size > 0, "v{version}");
        assert_eq!(dir.total_bytes > 0 && dir.usable_bytes > 0, version >= 4, "v{version}");
    }
}

#[test]
fn epochs_end_where_the_log_ends() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    let request = produce_request("t", Uuid::nil(), 1, batch(&["a", "b", "c"], false));
    produce(&mut peer, 9, &request);
    for version in 2..=4 {
        for (epoch, told) in [(0, (0, 0, 3)), (5, (0, -1, -1))] {
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(epoch);
            let topic = OffsetForLeaderTopic::default()
                .with_topic(name("t"))
                .with_partitions(vec![partition]);
            let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
            let response = call(&peer, version, &request);
            let end = &response.topics[0].partitions[0];
            assert_eq!((end.error_code, end.leader_epoch, end.end_offset), told, "v{version}");
        }
    }
}

#[test]
fn idempotent_producers_get_ids_of_their_own() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    create(&peer, "t", 1, &[]);
    let no_transaction = InitProducerIdRequest::default().with_transactional_id(None);
    let mut ids = Vec::new();
    for version in 0..=5 {
        let response = call(&peer, version, &no_transaction);
        assert_eq!((response.error_code, response.producer_epoch), (0, 0), "v{version}");
        ids.push(response.producer_id.0);
    }
    let first = ids[0];
    assert_eq!(ids, (first..first + 6).collect::<Vec<i64>>());
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed).producer(first, 0, 0, false);
    builder.append(NOW, None, Some(b"value"), &[]);
    let records = builder.build().to_bytes();
    for _ in 0..2 {
        let request = produce_request("t", Uuid::nil(), -1, records.clone());
        let told = produce(&mut peer, 9, &request);
        assert_eq!((told.error_code, told.base_offset), (0, 0), "the second is a duplicate");
    }
    let topic = TopicRequest::default().with_name(name("t")).with_partition_indexes(vec![0, 1]);
    let response = call(&peer, 0, &DescribeProducersRequest::default().with_topics(vec![topic]));
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions[1].error_code, UNKNOWN_TOPIC_OR_PARTITION);
    let producer = &partitions[0].active_producers[0];
    assert_eq!((producer.producer_id.0, producer.last_sequence), (first, 0));
}
