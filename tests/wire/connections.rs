//! Connections: which are accepted, which are closed, how much they may hold, and how they end.

use super::{Peer, call, create, frame, name, send, set, to_fetch, to_produce, wait_for};
use crate::support::Broker;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const API_VERSIONS: i16 = 18;
const NOW: i64 = 1_700_000_000_000;

fn batch(sequence: i32, value: &[u8]) -> Bytes {
    let builder = BatchBuilder::new(0, Compression::Uncompressed);
    let mut builder = builder.producer(7000, 0, sequence, false);
    // The state of a producer that wrote long ago would have expired.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    builder.append(now.as_millis() as i64, None, Some(value), &[]);
    builder.build().to_bytes()
}

/// The error code and base offset of the only partition in a Produce response.
fn produced(mut answer: Bytes) -> (i16, i64) {
    ResponseHeader::decode(&mut answer, 0).unwrap();
    let response = ProduceResponse::decode(&mut answer, 8).unwrap();
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn is_served(peer: &mut Peer) -> bool {
    peer.send(API_VERSIONS, 0, 9, &[]);
    peer.receive_correlation_id() == Some(9)
}

#[test]
fn minus_one_is_never_idle() {
    let broker = Broker::start_with(&[("connections.max.idle.ms", "-1")]);
    let mut peer = Peer::connect(broker.port);
    peer.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silence = peer.0.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "it is not closed");
    peer.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(is_served(&mut peer));
}

/// The connections are idle, in the middle of a request, and in the middle of a response.
#[test]
fn who_does_nothing_for_too_long_is_closed_and_named() {
    const IDLE: [(&str, &str); 2] =
        [("connections.max.idle.ms", "1000"), ("connection.failed.authentication.delay.ms", "100")];
    let broker = Broker::start_with(&IDLE);
    let mut idle = Peer::connect(broker.port);
    let mut cut = Peer::connect(broker.port);
    cut.send_raw(&[0, 0, 0, 50, 0, 18]);
    let client = Peer::connect(broker.port);
    create(&client, "big", 1, &[]);
    for _ in 0..24 {
        let request = to_produce("big", 0, {
            let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
            builder.append(NOW, None, Some(&[7; 1_000_000]), &[]);
            builder.build().to_bytes()
        });
        assert_eq!(call(&client, 8, &request).responses[0].partition_responses[0].error_code, 0);
    }
    let mut stuck = Peer::connect(broker.port);
    let from = stuck.0.local_addr().unwrap();
    send(&mut stuck, 11, &to_fetch("big", 0, 1, 0));
    let line = format!("closed the connection of {from} on PLAINTEXT: it took nothing");
    wait_for(&line, || broker.log().contains(&line));
    let mut all = Vec::new();
    let end = stuck.0.read_to_end(&mut all);
    assert!(end.is_err() || all.len() < 24_000_000, "all {} bytes came", all.len());
    assert_eq!((idle.receive(), cut.receive()), (None, None));
    let line = format!("{} on PLAINTEXT: it was idle", idle.0.local_addr().unwrap());
    wait_for(&line, || broker.log().contains(&line));
}

#[test]
fn what_is_no_request_is_named_with_its_sender() {
    let broker = Broker::start();
    let rows: [(&[u8], &str); 3] = [
        (b"GET / HTTP/1.1\r\nHost: klamm\r\n\r\n", "an HTTP request"),
        (&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], "a TLS hello"),
        (&[0xff; 8], "bytes that are no request of Kafka's (ff ff"),
    ];
    for (bytes, name) in rows {
        let mut peer = Peer::connect(broker.port);
        let from = peer.0.local_addr().unwrap();
        peer.send_raw(bytes);
        assert_eq!(peer.receive(), None);
        let line = format!("INFO closed the connection of {from} on PLAINTEXT: it sent {name}");
        wait_for(&line, || broker.log().contains(&line));
    }
}

#[test]
fn an_address_has_as_many_connections_as_the_setting_says_at_the_time() {
    let broker = Broker::start_with(&[("max.connections.per.ip", "100")]);
    let client = Peer::connect(broker.port);
    // The number of connections that are served, of six. The client's own counts towards the
    // limits.
    let served = || {
        let mut peers: Vec<Peer> = (0..6).map(|_| Peer::connect(broker.port)).collect();
        peers.iter_mut().map(is_served).filter(|served| *served).count()
    };
    wait_for("all", || served() == 6);
    set(&client, "max.connections.per.ip", "3");
    wait_for("two beside the client's own", || served() == 2);
    set(&client, "max.connections.per.ip.overrides", "localhost:5");
    wait_for("four beside the client's own", || served() == 4);
    set(&client, "max.connections.per.ip.overrides", "10.0.0.1:5");
    wait_for("two, the override is another's", || served() == 2);
}

/// A Fetch waits, and many requests with large responses follow it.
#[test]
fn answers_behind_one_that_waits_do_not_pile_up() {
    let broker = Broker::start();
    let client = Peer::connect(broker.port);
    create(&client, "wide", 1500, &[]);
    let topic = MetadataRequestTopic::default().with_name(Some(name("wide")));
    let wide = MetadataRequest::default().with_topics(Some(vec![topic]));
    call(&client, 4, &wide);
    let before = broker.resident_kib();
    let mut peers: Vec<Peer> = (0..4).map(|_| Peer::connect(broker.port)).collect();
    for peer in &mut peers {
        send(peer, 11, &to_fetch("wide", 3000, 1, 0));
        (0..400).for_each(|_| send(peer, 4, &wide));
    }
    // Without a limit it took ten times as much. The others are served once the Fetch is answered.
    for peer in &mut peers {
        peer.receive().expect("the Fetch's answer");
        let grown = broker.resident_kib().saturating_sub(before);
        assert!(grown < 24 * 1024, "grew by {grown} KiB");
    }
    for peer in &mut peers {
        (0..400).for_each(|n| assert!(peer.receive().is_some(), "answer {n}"));
    }
    drop(peers);
}

/// What a client reads behind a Fetch is not older than what the Fetch has told it.
#[test]
fn an_end_offset_behind_a_fetch_is_not_below_its_records() {
    let broker = Broker::start();
    let writer = Peer::connect(broker.port);
    create(&writer, "t", 1, &[]);
    let mut reader = Peer::connect(broker.port);
    send(&mut reader, 11, &to_fetch("t", 20_000, 1, 0));
    let latest = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![latest]);
    let offsets =
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    send(&mut reader, 7, &offsets);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(call(&writer, 9, &to_produce("t", 0, batch(0, b"value"))).responses.len(), 1);
    reader.receive().expect("the records");
    let mut answer = Bytes::from(reader.receive().expect("the offsets"));
    ResponseHeader::decode(&mut answer, 1).unwrap();
    let told = ListOffsetsResponse::decode(&mut answer, 7).unwrap();
    assert_eq!(told.topics[0].partitions[0].offset, 1);
}

/// The broker does not read what follows the waiting requests, and still must see that the peer has
/// gone.
#[test]
fn who_leaves_while_answers_wait_gives_its_place_back() {
    let broker = Broker::start_with(&[("max.connections.per.ip", "2")]);
    let client = Peer::connect(broker.port);
    create(&client, "wide", 1500, &[]);
    let topic = MetadataRequestTopic::default().with_name(Some(name("wide")));
    let wide = MetadataRequest::default().with_topics(Some(vec![topic]));
    let mut waiting = Peer::connect(broker.port);
    send(&mut waiting, 11, &to_fetch("wide", 600_000, 1, 0));
    (0..200).for_each(|_| send(&mut waiting, 4, &wide));
    assert!(!is_served(&mut Peer::connect(broker.port)), "two are there");
    drop(waiting);
    wait_for("its place", || is_served(&mut Peer::connect(broker.port)));
}

/// Peers that read nothing cost much memory. When they are gone, the system must get it back.
#[test]
fn memory_goes_back_when_it_is_no_longer_needed() {
    let broker = Broker::start();
    let client = Peer::connect(broker.port);
    create(&client, "wide", 1500, &[]);
    let topic = MetadataRequestTopic::default().with_name(Some(name("wide")));
    let wide = MetadataRequest::default().with_topics(Some(vec![topic]));
    let before = broker.resident_kib();
    let peers: Vec<Peer> = (0..200)
        .map(|_| {
            let mut peer = Peer::connect(broker.port);
            (0..20).for_each(|_| send(&mut peer, 4, &wide));
            peer
        })
        .collect();
    wait_for("much memory", || broker.resident_kib() > before + 48 * 1024);
    drop(peers);
    wait_for("little memory", || broker.resident_kib() < before + 24 * 1024);
}

/// Files take precedence over connections, and the connections that are open stay usable.
#[test]
fn connections_that_would_take_the_descriptors_of_files_are_refused() {
    let mut broker = Broker::start_limited(128);
    let client = Peer::connect(broker.port);
    let mut others: Vec<Peer> = (0..150).map(|_| Peer::connect(broker.port)).collect();
    let served = others.iter_mut().map(is_served).filter(|served| *served).count();
    assert!((8..60).contains(&served), "{served} of 150");
    create(&client, "files", 60, &[]);
    for round in 0..2 {
        for partition in 0..60 {
            let request = to_produce("files", partition, batch(round, b"x"));
            let answer = call(&client, 8, &request);
            let said = &answer.responses[0].partition_responses[0];
            assert_eq!(said.error_code, 0, "{said:?}\n{}", broker.log());
        }
    }
    assert!(broker.log().contains("ulimit -n"), "the reason is said");
    drop(others);
    wait_for("room again", || is_served(&mut Peer::connect(broker.port)));
    assert!(!broker.log().contains("offline"), "{}", broker.log());
    broker.stop();
}

/// At a stop, requests that have been started are answered, and the responses reach a peer that
/// reads late and is still sending. What the peer sends again after the restart is recognised.
#[test]
fn a_clean_stop_is_invisible_to_a_producer() {
    let broker = Broker::start();
    let client = Peer::connect(broker.port);
    create(&client, "kept", 1, &[]);
    // The first request waits until the topic's log exists.
    wait_for("the log", || {
        let first = call(&client, 8, &to_produce("kept", 0, batch(0, b"x")));
        first.responses[0].partition_responses[0].error_code == 0
    });
    let mut peer = Peer::connect(broker.port);
    let (mut sent, mut acknowledged) = (1, 1);
    let (mut running, mut stopping) = (Some(broker), None);
    'sending: loop {
        while sent < acknowledged + 5 {
            let mut body = BytesMut::new();
            to_produce("kept", 0, batch(sent, &[b'x'; 300])).encode(&mut body, 8).unwrap();
            // Like a client, the peer gives up its connection when it cannot write any more.
            if peer.0.write_all(&frame(0, 8, sent, &body)).is_err() {
                break 'sending;
            }
            sent += 1;
        }
        if acknowledged == 50
            && let Some(mut broker) = running.take()
        {
            stopping = Some(std::thread::spawn(move || {
                broker.stop();
                broker
            }));
        }
        std::thread::sleep(Duration::from_millis(2));
        let Some(answer) = peer.receive() else { break };
        let (error, offset) = produced(answer.into());
        if error != 0 {
            break;
        }
        assert_eq!(offset, i64::from(acknowledged));
        acknowledged += 1;
    }
    drop(peer);
    let mut broker = stopping.expect("fifty were acknowledged").join().unwrap();
    broker.launch();
    let peer = Peer::connect(broker.port);
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let topic =
        ListOffsetsTopic::default().with_name(name("kept")).with_partitions(vec![partition]);
    let request =
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let end = call(&peer, 1, &request).topics[0].partitions[0].offset;
    assert_eq!(end, i64::from(acknowledged), "what was appended was answered");
    // The last batches that were answered are duplicates, those without an answer are new.
    for sequence in acknowledged - 4..sent {
        let again = call(&peer, 8, &to_produce("kept", 0, batch(sequence, &[b'x'; 300])));
        let again = &again.responses[0].partition_responses[0];
        assert_eq!((again.error_code, again.base_offset), (0, i64::from(sequence)), "{again:?}");
    }
}
