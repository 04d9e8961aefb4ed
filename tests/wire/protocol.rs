//! What every client relies on: versions, order, idleness.

use super::Peer;
use crate::support::Broker;
use std::time::{Duration, Instant};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

/// (key, min, max) of an ApiVersions v0 answer's body, after correlation id and error.
fn api_keys(answer: &[u8]) -> Vec<(i16, i16, i16)> {
    let short = |at: usize| i16::from_be_bytes([answer[at], answer[at + 1]]);
    let count = i32::from_be_bytes(answer[6..10].try_into().unwrap()) as usize;
    (0..count).map(|i| 10 + 6 * i).map(|at| (short(at), short(at + 2), short(at + 4))).collect()
}

#[test]
fn api_versions_lists_what_is_served() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    peer.send(API_VERSIONS, 0, 1, &[]);
    let answer = peer.receive().unwrap();
    assert_eq!(&answer[..6], &[0, 0, 0, 1, 0, 0]);
    let keys = api_keys(&answer);
    // Produce from 0 for old librdkafka (KAFKA-18659); the rest as Kafka 4.4.
    for expected in [
        (0, 0, 13),
        (1, 4, 18),
        (2, 1, 11),
        (3, 0, 13),
        (8, 2, 10),
        (9, 1, 10),
        (10, 0, 6),
        (11, 0, 9),
        (12, 0, 4),
        (13, 0, 5),
        (14, 0, 5),
        (15, 0, 6),
        (16, 0, 5),
        (18, 0, 5),
        (19, 2, 7),
        (20, 1, 6),
        (21, 0, 2),
        (22, 0, 5),
        (23, 2, 4),
        (32, 1, 4),
        (33, 0, 2),
        (35, 1, 5),
        (37, 0, 3),
        (42, 0, 3),
        (44, 0, 1),
        (47, 0, 0),
        (60, 0, 2),
        (61, 0, 0),
        (74, 0, 1),
        (75, 0, 0),
    ] {
        assert!(keys.contains(&expected), "{expected:?} not in {keys:?}");
    }
    let controllers_only = [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82];
    assert!(keys.iter().all(|(key, ..)| !controllers_only.contains(key)), "{keys:?}");
}

#[test]
fn api_versions_of_a_version_nobody_knows_is_answered_in_version_0() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    // Such a version has header version 2: no tagged fields, then a body nobody can read.
    peer.send(API_VERSIONS, 99, 5, &[0, 1, 2, 3]);
    let answer = peer.receive().unwrap();
    assert_eq!(&answer[..6], &[0, 0, 0, 5, 0, 35], "UNSUPPORTED_VERSION");
    assert_eq!(api_keys(&answer), [(18, 0, 5)]);
    peer.send(API_VERSIONS, 0, 6, &[]);
    assert_eq!(peer.receive_correlation_id(), Some(6), "the connection goes on");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    let all_topics = [0xff; 4];
    let mut requests = Vec::new();
    for id in 0..200 {
        let key = if id % 3 == 0 { METADATA } else { API_VERSIONS };
        let (version, body) = if key == METADATA { (1, &all_topics[..]) } else { (0, &[][..]) };
        requests.extend(super::frame(key, version, id, body));
    }
    peer.send_raw(&requests);
    for id in 0..200 {
        assert_eq!(peer.receive_correlation_id(), Some(id));
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let broker = Broker::start_with(&[("connections.max.idle.ms", "300")]);
    let mut peer = Peer::connect(broker.port);
    let begun = Instant::now();
    assert_eq!(peer.receive(), None);
    assert!(begun.elapsed() > Duration::from_millis(250));
}
