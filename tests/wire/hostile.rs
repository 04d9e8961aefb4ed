//! Garbage, truncated requests, and huge counts and sizes, including the CVEs of Kafka's own
//! decoders.

use super::{Peer, frame};
use crate::support::Broker;

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const JOIN_GROUP: i16 = 11;
const FETCH: i16 = 1;
/// By how much hostile packets may enlarge the broker's memory.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

/// Sends `bytes` on many connections. Each must be closed, perhaps after an error response; memory
/// must stay flat, and another client must be served.
#[track_caller]
fn check_refused(what: &str, bytes: &[u8]) {
    let broker = Broker::start();
    let before = broker.resident_kib();
    for _ in 0..20 {
        let mut peer = Peer::connect(broker.port);
        peer.send_raw(bytes);
        while peer.receive().is_some() {}
    }
    let grown = broker.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{what}: grew by {grown} KiB");
    let mut other = Peer::connect(broker.port);
    other.send(API_VERSIONS, 0, 9, &[]);
    assert_eq!(other.receive_correlation_id(), Some(9), "{what}: others are no longer served");
}

#[test]
fn text_instead_of_frames() {
    check_refused("HTTP", b"GET / HTTP/1.1\r\nHost: klamm\r\n\r\n");
    check_refused("a TLS hello", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn frame_sizes_no_request_has() {
    check_refused("a negative size", &(-1i32).to_be_bytes());
    check_refused("2 GiB", &i32::MAX.to_be_bytes());
    check_refused("an empty frame", &0i32.to_be_bytes());
    check_refused("half a header", &[0, 0, 0, 3, 0, 18, 0]);
}

#[test]
fn a_size_that_nobody_sends_the_bytes_for_costs_nothing() {
    let broker = Broker::start();
    let before = broker.resident_kib();
    let peers: Vec<Peer> = (0..50)
        .map(|_| {
            let mut peer = Peer::connect(broker.port);
            peer.send_raw(&(100_000_000i32).to_be_bytes());
            peer.send_raw(&[0; 1000]);
            peer
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let grown = broker.resident_kib().saturating_sub(before);
    // The 50 peers announce 5 GB together. Even read buffers of 1 MiB each would be too much.
    assert!(grown < GROWTH_KIB_MAX, "grew by {grown} KiB");
    drop(peers);
}

#[test]
fn unknown_apis_and_versions() {
    check_refused("API key 999", &frame(999, 0, 1, &[]));
    check_refused("API key -1", &frame(-1, 0, 1, &[]));
    check_refused("LeaderAndIsr", &frame(4, 0, 1, &[]));
    check_refused("a controller's API", &frame(52, 0, 1, &[0; 40]));
    check_refused("Metadata 99", &frame(METADATA, 99, 1, &[0; 40]));
    check_refused("Produce 2", &frame(0, 2, 1, &[0; 40]));
}

#[test]
fn counts_that_the_bytes_do_not_bear_out() {
    check_refused("2^31 topics", &frame(METADATA, 1, 1, &i32::MAX.to_be_bytes()));
    check_refused("a negative count", &frame(METADATA, 1, 1, &(-2i32).to_be_bytes()));
    check_refused("a compact count of 2^31", &frame(FETCH, 12, 1, &[0xff; 64]));
    let many = [&1i32.to_be_bytes()[..], &i16::MAX.to_be_bytes()].concat();
    check_refused("a name of 32 KiB that is not there", &frame(METADATA, 1, 1, &many));
    let mut members = vec![0, 1, b'g', 0, 0, 0x27, 0x10, 0, 0, 0, 0];
    members.extend([0, 8]);
    members.extend(b"consumer");
    members.extend(i32::MAX.to_be_bytes());
    check_refused("2^31 protocols", &frame(JOIN_GROUP, 0, 1, &members));
}

#[test]
fn tagged_fields_without_end() {
    // In header version 2 the count of tagged fields follows the client id.
    let mut request = vec![0, 18, 0, 3, 0, 0, 0, 1, 0, 1, b'x'];
    request.extend([0xff, 0xff, 0xff, 0xff, 0x07]);
    let mut framed = (request.len() as i32).to_be_bytes().to_vec();
    framed.extend(&request);
    check_refused("2^31 tagged fields in the header", &framed);
}

#[test]
fn a_frame_cut_short_leaves_others_alone() {
    let broker = Broker::start();
    let whole = frame(METADATA, 1, 1, &0i32.to_be_bytes());
    for cut in 1..whole.len() {
        let mut peer = Peer::connect(broker.port);
        peer.send_raw(&whole[..cut]);
    }
    let mut other = Peer::connect(broker.port);
    other.send_raw(&whole);
    assert_eq!(other.receive_correlation_id(), Some(1));
}

#[test]
fn random_bytes_in_whole_frames_never_end_the_broker() {
    let broker = Broker::start();
    let before = broker.resident_kib();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..400 {
        let mut peer = Peer::connect(broker.port);
        let body: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        peer.send(random.i16(0..95), random.i16(0..14), round, &body);
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        while peer.receive().is_some() {}
    }
    let grown = broker.resident_kib().saturating_sub(before);
    assert!(grown < 2 * GROWTH_KIB_MAX, "grew by {grown} KiB");
    let mut other = Peer::connect(broker.port);
    other.send(API_VERSIONS, 0, 9, &[]);
    assert_eq!(other.receive_correlation_id(), Some(9));
}
