//! A connection to a peer of which the test decides every byte.

use super::{Client, Connection, Options, backoff};
use crate::codec::messages::{HeartbeatRequest, HeartbeatResponse};
use crate::error::Error;
use kafka_protocol::error::ResponseError;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Heartbeat 0 has short answers, as its header is not flexible.
const VERSION: i16 = 0;

fn options() -> Options {
    Options {
        client_id: "test".to_owned(),
        request_timeout: Duration::from_secs(5),
        max_in_flight: 2,
        max_answer_bytes: 1000,
    }
}

fn pair() -> (Connection, DuplexStream) {
    let (near, far) = duplex(4096);
    (Connection::open(near, options()), far)
}

/// Reads the next request and returns its correlation id.
async fn request(peer: &mut DuplexStream) -> i32 {
    let size = peer.read_i32().await.unwrap();
    let mut frame = vec![0; size as usize];
    peer.read_exact(&mut frame).await.unwrap();
    i32::from_be_bytes(frame[4..8].try_into().unwrap())
}

/// Answers a Heartbeat of version 0.
async fn answer(peer: &mut DuplexStream, correlation_id: i32, error_code: i16) {
    let mut frame = vec![0, 0, 0, 6];
    frame.extend(correlation_id.to_be_bytes());
    frame.extend(error_code.to_be_bytes());
    peer.write_all(&frame).await.unwrap();
}

async fn heartbeat(connection: &Connection) -> Result<HeartbeatResponse, Error> {
    connection.ask(VERSION, &HeartbeatRequest::default()).await
}

/// The error of a request if the peer reads it and then sends these bytes.
async fn after(bytes: &[u8]) -> String {
    let (connection, mut peer) = pair();
    let told = async {
        request(&mut peer).await;
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
    };
    let (asked, ()) = tokio::join!(heartbeat(&connection), told);
    assert!(matches!(heartbeat(&connection).await, Err(Error::Disconnected(_))), "it is closed");
    assert!(connection.is_closed());
    asked.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn each_answer_reaches_who_asked_also_when_several_are_under_way() {
    let (connection, mut peer) = pair();
    let serve = async {
        let (first, second) = (request(&mut peer).await, request(&mut peer).await);
        answer(&mut peer, first, 25).await;
        answer(&mut peer, second, 27).await;
    };
    let (first, second, ()) = tokio::join!(heartbeat(&connection), heartbeat(&connection), serve);
    assert_eq!((first.unwrap().error_code, second.unwrap().error_code), (25, 27));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_written_than_may_be_in_flight() {
    let (connection, mut peer) = pair();
    let serve = async {
        let ids = [request(&mut peer).await, request(&mut peer).await];
        let third = tokio::time::timeout(Duration::from_secs(1), request(&mut peer)).await;
        assert!(third.is_err(), "the third waits for an answer to the first");
        answer(&mut peer, ids[0], 0).await;
        let third = request(&mut peer).await;
        answer(&mut peer, ids[1], 0).await;
        answer(&mut peer, third, 0).await;
    };
    let asked =
        tokio::join!(heartbeat(&connection), heartbeat(&connection), heartbeat(&connection), serve);
    assert!(asked.0.is_ok() && asked.1.is_ok() && asked.2.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_protocol_is_left() {
    let cases: [(&[u8], &str); 5] = [
        (&[], "unexpected end of file"),
        (&[0, 0, 0, 6, 0, 0], "unexpected end of file"),
        (&[0x7f, 0xff, 0xff, 0xff], "larger than 1000 bytes"),
        (&[0xff, 0xff, 0xff, 0xff], "larger than 1000 bytes"),
        (&[0, 0, 0, 6, 0, 0, 0, 9, 0, 0], "an answer to another request"),
    ];
    for (bytes, expected) in cases {
        let error = after(bytes).await;
        let expected = expected.replace("unexpected end of file", "end of file");
        assert!(error.contains(&expected), "{bytes:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_ends_the_connection() {
    let (connection, mut peer) = pair();
    let (asked, _) = tokio::join!(heartbeat(&connection), request(&mut peer));
    assert!(
        matches!(asked, Err(Error::Disconnected(error)) if error.kind() == std::io::ErrorKind::TimedOut)
    );
    tokio::task::yield_now().await;
    assert!(connection.is_closed());
}

#[tokio::test]
async fn a_client_says_which_address_it_could_not_reach() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    let client = Client::new(address.clone(), options());
    let error = client.ask(0..=0, &HeartbeatRequest::default()).await.unwrap_err().to_string();
    assert!(error.contains(&address), "{error}");
}

#[tokio::test(start_paused = true)]
async fn versions_are_those_that_both_sides_have() {
    let (connection, _peer) = pair();
    let error = connection.version_of(12, 0..=4).unwrap_err();
    assert_eq!(error.code(), ResponseError::UnsupportedVersion, "nothing was agreed on");
}

#[test]
fn the_pause_grows_to_its_bound() {
    let pauses: Vec<u128> = (0..7).map(|failures| backoff(failures).as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    assert_eq!(backoff(u32::MAX).as_millis(), 1000);
}
