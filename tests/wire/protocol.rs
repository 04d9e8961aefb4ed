//! What every client relies on: versions, order, and idle connections.

use super::Peer;
use crate::support::Broker;
use std::time::{Duration, Instant};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
/// The APIs that a broker's listener of Apache Kafka 4.4.0 advertises: (key, min, max). Produce
/// begins at 0 for old versions of librdkafka (KAFKA-18659).
#[rustfmt::skip]
const KAFKA: &[(i16, i16, i16)] = &[
    (0, 0, 13), (1, 4, 18), (2, 1, 11), (3, 0, 13), (8, 2, 10), (9, 1, 10), (10, 0, 6), (11, 0, 9),
    (12, 0, 4), (13, 0, 5), (14, 0, 5), (15, 0, 6), (16, 0, 5), (17, 0, 1), (18, 0, 5), (19, 2, 7),
    (20, 1, 6), (21, 0, 2), (22, 0, 5), (23, 2, 4), (24, 0, 5), (25, 0, 4), (26, 0, 5), (27, 1, 2),
    (28, 0, 6), (29, 1, 3), (30, 1, 3), (31, 1, 3), (32, 1, 4), (33, 0, 2), (34, 1, 2), (35, 1, 5),
    (36, 0, 2), (37, 0, 3), (38, 1, 3), (39, 1, 2), (40, 1, 2), (41, 1, 3), (42, 0, 3), (43, 0, 2),
    (44, 0, 1), (45, 0, 1), (46, 0, 0), (47, 0, 0), (48, 0, 1), (49, 0, 1), (50, 0, 0), (51, 0, 0),
    (55, 0, 2), (57, 0, 2), (60, 0, 2), (61, 0, 0), (64, 0, 0), (65, 0, 0), (66, 0, 2), (68, 0, 1),
    (69, 0, 1), (74, 0, 1), (75, 0, 0), (76, 1, 1), (77, 1, 1), (78, 1, 2), (79, 1, 2), (80, 0, 1),
    (81, 0, 0), (83, 0, 0), (84, 0, 0), (85, 0, 1), (86, 0, 0), (87, 0, 1), (88, 0, 1), (89, 0, 1),
    (90, 0, 1), (91, 0, 0), (92, 0, 0), (93, 0, 0), (94, 0, 0),
];
/// The keys among them that klamm does not serve, and their purpose.
const ABSENT: &[(&[i16], &str)] = &[
    (&[38, 39, 40], "delegation tokens"),
    (&[49], "client quotas"),
    (&[51], "SCRAM credentials"),
    (&[80, 81, 94], "a quorum of several controllers"),
    (&[93], "descriptions of topologies, which Kafka takes with a plugin only"),
];

/// The (key, min, max) in an ApiVersions 0 response that begins with the correlation id.
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
    let mut expected = KAFKA.to_vec();
    expected.retain(|(key, ..)| !ABSENT.iter().any(|(keys, _)| keys.contains(key)));
    assert_eq!(keys, expected);
}

#[test]
fn api_versions_of_a_version_nobody_knows_is_answered_in_version_0() {
    let broker = Broker::start();
    let mut peer = Peer::connect(broker.port);
    // An unknown version has header version 2: no tagged fields, then a body that nobody can read.
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
