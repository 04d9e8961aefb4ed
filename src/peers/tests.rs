use super::{Peers, Purpose};
use crate::codec::messages::{HeartbeatRequest, HeartbeatResponse};
use crate::config::{Config, LiveConfig, SecurityProtocol};
use crate::error::{Error, Result};
use crate::metadata::{Broker, Image};
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HEARTBEAT: i16 = 12;

fn broker(id: i32, port: u16) -> Broker {
    Broker {
        id,
        epoch: 1,
        incarnation_id: uuid::Uuid::nil(),
        listeners: vec![("PLAINTEXT".into(), "127.0.0.1".into(), port, 0)],
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        cordoned_log_dirs: Vec::new(),
        features: Vec::new(),
    }
}

/// An image with these brokers.
fn image(brokers: impl IntoIterator<Item = Broker>) -> Image {
    let brokers = brokers.into_iter().map(|broker| (broker.id, Arc::new(broker)));
    Image { brokers: brokers.collect(), ..Image::default() }
}

fn peers(brokers: impl IntoIterator<Item = Broker>) -> (Arc<Peers>, Arc<ArcSwap<Image>>) {
    let images = Arc::new(ArcSwap::from_pointee(image(brokers)));
    (Peers::new(LiveConfig::from(Config::default()), images.clone()), images)
}

/// A broker that serves ApiVersions 0 and Heartbeat 0, which it answers with the number of the
/// connection as its error code. Returns its port.
async fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 1.. {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(socket, number));
        }
    });
    port
}

async fn answer(mut socket: TcpStream, number: i16) -> std::io::Result<()> {
    loop {
        let size = socket.read_i32().await?;
        let mut frame = vec![0; size as usize];
        socket.read_exact(&mut frame).await?;
        let api = i16::from_be_bytes([frame[0], frame[1]]);
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        let mut body = frame[4..8].to_vec();
        match (api, version) {
            (HEARTBEAT, _) => body.extend(number.to_be_bytes()),
            // No error; one API, Heartbeat, in version 0 only.
            (_, 0) => body.extend([0, 0, 0, 0, 0, 1, 0, HEARTBEAT as u8, 0, 0, 0, 0]),
            // As a peer that does not know the version of the request.
            _ => body.extend([0, 35, 0, 0, 0, 0]),
        }
        socket.write_i32(body.len() as i32).await?;
        socket.write_all(&body).await?;
    }
}

async fn heartbeat(peers: &Peers, purpose: Purpose, broker: i32) -> Result<HeartbeatResponse> {
    peers.ask(purpose, broker, 0..=4, &HeartbeatRequest::default()).await
}

/// The number of the connection that such a request uses.
async fn connection(peers: &Peers, purpose: Purpose) -> i16 {
    heartbeat(peers, purpose, 2).await.unwrap().error_code
}

#[tokio::test]
async fn each_purpose_has_a_connection_that_is_kept() {
    let (peers, _) = peers([broker(2, serve().await)]);
    assert_eq!(connection(&peers, Purpose::Coordination).await, 1);
    assert_eq!(connection(&peers, Purpose::Markers).await, 2);
    assert_eq!(connection(&peers, Purpose::Coordination).await, 1);
}

#[tokio::test]
async fn a_broker_that_moves_is_found_at_its_new_address() {
    let (peers, images) = peers([broker(2, serve().await)]);
    assert_eq!(connection(&peers, Purpose::Coordination).await, 1);
    assert_eq!(connection(&peers, Purpose::Markers).await, 2);
    images.store(Arc::new(image([broker(2, serve().await)])));
    assert_eq!(connection(&peers, Purpose::Coordination).await, 1, "the first one there");
}

#[tokio::test]
async fn a_broker_that_cannot_be_asked_is_an_error_at_once() {
    let fenced = Broker { fenced: true, ..broker(3, 1) };
    let elsewhere =
        Broker { listeners: vec![("OUTSIDE".into(), "h".into(), 1, 0)], ..broker(4, 1) };
    let (peers, _) = peers([fenced, elsewhere]);
    for (id, expected) in [
        (2, "broker 2 is fenced or not registered"),
        (3, "broker 3 is fenced or not registered"),
        (4, "broker 4 has no listener PLAINTEXT for other brokers"),
    ] {
        let error = heartbeat(&peers, Purpose::Coordination, id).await.unwrap_err();
        assert_eq!(error.code(), ResponseError::BrokerNotAvailable);
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn a_listener_that_is_not_plain_is_refused_with_the_reason() {
    let listener = ("PLAINTEXT".into(), "h".into(), 1, SecurityProtocol::Ssl.id());
    let (peers, _) = peers([Broker { listeners: vec![listener], ..broker(2, 1) }]);
    let error = peers.address(2).unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(error.to_string().contains("listener PLAINTEXT is not PLAINTEXT"), "{error}");
}

#[test]
fn the_address_of_a_host_with_colons_has_brackets() {
    let listener = ("PLAINTEXT".into(), "::1".into(), 9092, 0);
    let (peers, _) = peers([Broker { listeners: vec![listener], ..broker(2, 1) }]);
    assert_eq!(peers.address(2).unwrap(), "[::1]:9092");
}
