//! Requests that a client sends before the earlier ones are answered. Kafka carries them out one
//! after the other.

use super::{Peer, call, create, frame, name, send, text, to_fetch, to_produce};
use crate::support::Broker;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Request};
use klamm::codec::messages::alter_configs_request::{
    AlterConfigsResource, AlterableConfig as AbsoluteConfig,
};
use klamm::codec::messages::create_partitions_request::CreatePartitionsTopic;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::describe_configs_request::DescribeConfigsResource;
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(1_700_000_000_000, None, Some(b"value"), &[]);
    builder.build().to_bytes()
}

fn end_of(peer: &Peer, topic: &str) -> i64 {
    let latest = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![latest]);
    let request =
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    call(peer, 7, &request).topics[0].partitions[0].offset
}

fn bytes_of<R: Request>(version: i16, correlation_id: i32, request: &R) -> Vec<u8> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    frame(R::KEY, version, correlation_id, &body)
}

/// The next response. It belongs to a version with a header that has nothing but the correlation
/// id.
fn receive<R: Request>(peer: &mut Peer, version: i16) -> R::Response {
    let mut answer = Bytes::from(peer.receive().expect("an answer"));
    ResponseHeader::decode(&mut answer, 0).unwrap();
    R::Response::decode(&mut answer, version).unwrap()
}

/// Requests with a name, and the correlation ids of their answers.
type Lead<'a> = (&'a str, &'a [&'a Vec<u8>], &'a [i32]);

/// Whatever ends a connection, the requests before it are answered, and those after it are not
/// carried out.
#[test]
fn what_comes_before_bytes_that_are_no_request_is_answered() {
    let broker = Broker::start();
    let client = Peer::connect(broker.port);
    for topic in ["t", "empty"] {
        create(&client, topic, 1, &[]);
    }
    let bad: [(&str, Vec<u8>); 8] = [
        ("a negative size", (-1i32).to_be_bytes().to_vec()),
        ("a huge size", i32::MAX.to_be_bytes().to_vec()),
        ("an empty frame", vec![0; 4]),
        ("an unknown API", frame(999, 0, 9, &[])),
        ("an unknown version", frame(3, 99, 9, &[])),
        ("half a Fetch", frame(1, 7, 9, &[1])),
        ("half a Produce", frame(0, 8, 9, &[0xff, 0xff, 0])),
        ("a header that ends early", [&8i32.to_be_bytes()[..], &[0, 0, 0, 8, 0, 0, 0, 9]].concat()),
    ];
    let wait = bytes_of(11, 1, &to_fetch("empty", 200, 1, 0));
    let versions = frame(18, 0, 2, &[]);
    let write = bytes_of(8, 3, &to_produce("t", 0, batch()));
    let leads: [Lead<'_>; 5] = [
        ("nothing", &[], &[]),
        ("an answer at once", &[&versions], &[2]),
        ("a write", &[&write], &[3]),
        ("both", &[&versions, &write], &[2, 3]),
        ("a wait and both", &[&wait, &versions, &write], &[1, 2, 3]),
    ];
    for (what, bad) in &bad {
        for (lead, frames, answered) in &leads {
            let before = end_of(&client, "t");
            let mut peer = Peer::connect(broker.port);
            let mut sent = frames.iter().fold(Vec::new(), |all, frame| [&all, &frame[..]].concat());
            sent.extend(bad);
            sent.extend(&write);
            peer.send_raw(&sent);
            let mut ids = Vec::new();
            while let Some(id) = peer.receive_correlation_id() {
                ids.push(id);
            }
            assert_eq!(&ids, answered, "{lead}, then {what}\n{}", broker.log());
            let writes = answered.contains(&3) as i64;
            assert_eq!(end_of(&client, "t") - before, writes, "{lead}, then {what}");
        }
    }
}

/// A peer that goes on sending after it broke the protocol is not listened to for long.
#[test]
fn who_sends_on_after_bytes_that_are_no_request_is_closed() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    peer.send_raw(&(-1i32).to_be_bytes());
    assert_eq!(peer.receive(), None);
    let began = std::time::Instant::now();
    while std::io::Write::write_all(&mut peer.0, &[0; 64]).is_ok() {
        assert!(began.elapsed().as_secs() < 9, "still connected");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A request sees what the one before it changed, as if it had been sent after the answer.
#[test]
fn a_request_sees_what_the_one_before_it_changed() {
    let broker = Broker::start();
    let client = Peer::connect(broker.port);
    let mut peer = Peer::connect(broker.port);
    for round in 0..20 {
        let topic = format!("t{round}");
        let creatable = CreatableTopic::default()
            .with_name(name(&topic))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let creation =
            CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(10_000);
        let more = CreatePartitionsTopic::default()
            .with_name(name(&topic))
            .with_count(2)
            .with_assignments(None);
        let growth =
            CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(10_000);
        let value = (100_000 + round).to_string();
        let config = AbsoluteConfig::default()
            .with_name(text("retention.ms"))
            .with_value(Some(text(&value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(&topic))
            .with_configs(vec![config]);
        let change = AlterConfigsRequest::default().with_resources(vec![resource]);
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(&topic))
            .with_configuration_keys(Some(vec![text("retention.ms")]));
        let question = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let named = MetadataRequestTopic::default().with_name(Some(name(&topic)));
        let metadata = MetadataRequest::default()
            .with_topics(Some(vec![named]))
            .with_allow_auto_topic_creation(false);
        let deletion = DeleteTopicsRequest::default()
            .with_topic_names(vec![name(&topic)])
            .with_timeout_ms(10_000);

        send(&mut peer, 4, &creation);
        send(&mut peer, 8, &to_produce(&topic, 0, batch()));
        send(&mut peer, 1, &growth);
        send(&mut peer, 8, &to_produce(&topic, 1, batch()));
        send(&mut peer, 1, &change);
        send(&mut peer, 3, &question);
        send(&mut peer, 3, &deletion);
        send(&mut peer, 4, &metadata);

        assert_eq!(receive::<CreateTopicsRequest>(&mut peer, 4).topics[0].error_code, 0);
        let written = receive::<ProduceRequest>(&mut peer, 8);
        assert_eq!(written.responses[0].partition_responses[0].error_code, 0, "after the creation");
        assert_eq!(receive::<CreatePartitionsRequest>(&mut peer, 1).results[0].error_code, 0);
        let written = receive::<ProduceRequest>(&mut peer, 8);
        assert_eq!(written.responses[0].partition_responses[0].error_code, 0, "after the growth");
        assert_eq!(receive::<AlterConfigsRequest>(&mut peer, 1).responses[0].error_code, 0);
        let told = receive::<DescribeConfigsRequest>(&mut peer, 3);
        assert_eq!(told.results[0].configs[0].value.as_deref(), Some(&*value));
        assert_eq!(receive::<DeleteTopicsRequest>(&mut peer, 3).responses[0].error_code, 0);
        let told = receive::<MetadataRequest>(&mut peer, 4);
        assert_eq!(told.topics[0].error_code, 3, "after the deletion");
    }
    drop(client);
}
