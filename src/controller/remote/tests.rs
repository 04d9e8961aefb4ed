//! The way to the active controller, with controllers of which the test decides every answer.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::codec::messages::api_versions_response::ApiVersion;
use crate::codec::messages::create_topics_response::CreatableTopicResult;
use crate::codec::messages::{
    AllocateProducerIdsResponse, ApiVersionsResponse, AssignReplicasToDirsResponse,
    BrokerHeartbeatResponse, DefaultPrincipalData,
};
use crate::codec::{self, RequestHeader};
pub use crate::controller::tests::support::config;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Request};
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const NOT_CONTROLLER: i16 = 41;

/// A controller whose connections are shown to the test.
pub struct Controller {
    address: String,
    connections: mpsc::Receiver<TcpStream>,
}

/// A request as it arrived.
pub struct Arrived {
    pub header: RequestHeader,
    pub body: Bytes,
}

impl Controller {
    pub async fn listen() -> Controller {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (accepted, connections) = mpsc::channel(10);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepted.send(stream).await.is_err() {
                    return;
                }
            }
        });
        Controller { address, connections }
    }

    /// The next connection, after it was told which versions there are.
    pub async fn connection(&mut self) -> TcpStream {
        let mut stream = self.connections.recv().await.unwrap();
        let request = next(&mut stream).await;
        let keys = [19, 56, 58, 62, 63, 67, 73].map(|key| {
            let newest = if key == 56 { 2 } else { 7 };
            ApiVersion::default().with_api_key(key).with_max_version(newest)
        });
        let response = ApiVersionsResponse::default().with_api_keys(keys.to_vec());
        answer(&mut stream, &request.header, &response).await;
        stream
    }
}

pub async fn next(stream: &mut TcpStream) -> Arrived {
    let size = stream.read_i32().await.unwrap();
    let mut frame = vec![0; size as usize];
    stream.read_exact(&mut frame).await.unwrap();
    let mut body = Bytes::from(frame);
    let header = codec::decode_header(&body).unwrap();
    body.advance(header.size);
    Arrived { header, body }
}

pub async fn answer(stream: &mut TcpStream, header: &RequestHeader, response: &impl Encodable) {
    let frame = framed(header, response);
    stream.write_i32(frame.len() as i32).await.unwrap();
    stream.write_all(&frame).await.unwrap();
}

/// A response with its header.
fn framed(header: &RequestHeader, response: &impl Encodable) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(header.correlation_id);
    if codec::guard::response_header_version(header.api_key, header.api_version) > 0 {
        frame.put_u8(0);
    }
    response.encode(&mut frame, header.api_version).unwrap();
    frame.freeze()
}

pub fn decoded<R: Request>(arrived: &Arrived) -> R {
    assert_eq!(arrived.header.api_key, R::KEY);
    R::decode(&mut arrived.body.clone(), arrived.header.api_version).unwrap()
}

pub fn leader(id: i32, epoch: i32, controller: &Controller) -> Leader {
    Leader { id: Some(id), epoch, address: Some(controller.address.clone()) }
}

/// A broker that knows of no controller yet.
pub fn remote(overrides: &[(&str, &str)]) -> (Arc<Remote>, watch::Sender<Leader>) {
    let (leads, leader) = Leader::channel();
    let (_, failed) = watch::channel(None);
    (Remote::new(&config(overrides), &leader, Arc::default(), failed), leads)
}

fn heartbeat() -> Heartbeat {
    Heartbeat { broker_id: 1, broker_epoch: 5, applied: 9, ..Heartbeat::default() }
}

#[tokio::test]
async fn a_request_follows_the_active_controller() {
    let (mut old, mut new) = (Controller::listen().await, Controller::listen().await);
    let (remote, leads) = remote(&[]);
    let asked = tokio::spawn(async move { remote.heartbeat(heartbeat()).await });
    // It waits until somebody leads.
    leads.send_replace(leader(3000, 1, &old));
    let mut stream = old.connection().await;
    let request = next(&mut stream).await;
    let not_here = BrokerHeartbeatResponse::default().with_error_code(NOT_CONTROLLER);
    answer(&mut stream, &request.header, &not_here).await;
    // The one that resigned is asked again while nobody else is known, on a new connection.
    let mut stream = old.connection().await;
    next(&mut stream).await;
    // It does not answer. The next controller is asked as soon as there is one.
    leads.send_replace(leader(3001, 2, &new));
    let mut stream = new.connection().await;
    let request = next(&mut stream).await;
    let sent: BrokerHeartbeatRequest = decoded(&request);
    assert_eq!((sent.broker_epoch, sent.current_metadata_offset), (5, 9));
    let response = BrokerHeartbeatResponse::default().with_is_fenced(false);
    answer(&mut stream, &request.header, &response).await;
    let status = asked.await.unwrap().unwrap();
    assert_eq!(status, BrokerStatus { fenced: false, should_shut_down: false });
}

#[tokio::test]
async fn a_heartbeat_waits_for_no_other_request() {
    let mut controller = Controller::listen().await;
    let (remote, leads) = remote(&[]);
    leads.send_replace(leader(3000, 1, &controller));
    let slow = tokio::spawn({
        let remote = remote.clone();
        async move { remote.assign_replicas(AssignReplicasToDirsRequest::default()).await }
    });
    let mut assignments = controller.connection().await;
    let assigned = next(&mut assignments).await;
    let beat = tokio::spawn({
        let remote = remote.clone();
        async move { remote.heartbeat(heartbeat()).await }
    });
    let mut heartbeats = controller.connection().await;
    let request = next(&mut heartbeats).await;
    answer(&mut heartbeats, &request.header, &BrokerHeartbeatResponse::default()).await;
    beat.await.unwrap().unwrap();
    let refused = AssignReplicasToDirsResponse::default().with_error_code(77);
    answer(&mut assignments, &assigned.header, &refused).await;
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error.code(), ResponseError::StaleBrokerEpoch, "an answer is final");
}

#[tokio::test]
async fn without_a_controller_an_error_comes_in_time() {
    let (remote, leads) = remote(&[("broker.heartbeat.interval.ms", "300")]);
    let error = remote.heartbeat(heartbeat()).await.unwrap_err();
    assert_eq!(error.code(), ResponseError::RequestTimedOut);
    // Nobody listens there.
    let gone = Controller { address: "127.0.0.1:1".to_owned(), connections: mpsc::channel(1).1 };
    leads.send_replace(leader(3000, 1, &gone));
    let error = remote.heartbeat(heartbeat()).await.unwrap_err();
    assert_eq!(error.code(), ResponseError::RequestTimedOut);
    // The one that follows the metadata log has ended.
    drop(leads);
    assert_eq!(remote.failure().as_deref(), Some("the broker is stopping"));
}

#[tokio::test]
async fn an_old_controller_gets_old_requests() {
    let mut controller = Controller::listen().await;
    let (remote, leads) = remote(&[]);
    leads.send_replace(leader(3000, 1, &controller));
    let member = crate::codec::messages::alter_partition_request::BrokerState::default();
    let isr = vec![member.with_broker_id(4.into()).with_broker_epoch(8)];
    let partition = PartitionData::default().with_new_isr_with_epochs(isr);
    let topic = crate::codec::messages::alter_partition_request::TopicData::default();
    let request =
        AlterPartitionRequest::default().with_topics(vec![topic.with_partitions(vec![partition])]);
    let asked = tokio::spawn(async move { remote.alter_partition(request, 3).await });
    let mut stream = controller.connection().await;
    let arrived = next(&mut stream).await;
    assert_eq!(arrived.header.api_version, 2);
    let sent: AlterPartitionRequest = decoded(&arrived);
    assert_eq!(sent.topics[0].partitions[0].new_isr, [4]);
    answer(&mut stream, &arrived.header, &AlterPartitionResponse::default()).await;
    asked.await.unwrap().unwrap();
}

/// A client's CreateTopics request, byte for byte, with a header that has an unknown tagged field.
fn clients_request() -> Bytes {
    let mut frame = BytesMut::from(&[0, 19, 0, 7, 0, 0, 3, 9, 0, 2, b'm', b'e', 1, 77, 1, 5][..]);
    let request = CreateTopicsRequest::default().with_timeout_ms(1234);
    request.encode(&mut frame, 7).unwrap();
    frame.freeze()
}

fn forwarded(frame: Bytes) -> Forwarded {
    let header = codec::decode_header(&frame).unwrap();
    let by = Requester {
        principal: "User:alice".to_owned(),
        client_host: "/10.1.2.3".into(),
        address: Some(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))),
    };
    Forwarded { api_key: 19, request: codec::check(19, 7, frame, header.size).unwrap(), by }
}

#[tokio::test]
async fn a_clients_request_arrives_as_it_came_and_in_its_name() {
    let mut controller = Controller::listen().await;
    let (remote, leads) = remote(&[]);
    leads.send_replace(leader(3000, 1, &controller));
    let frame = clients_request();
    let asked = tokio::spawn({
        let (remote, request) = (remote.clone(), forwarded(frame.clone()));
        async move { remote.forward(request).await }
    });
    let mut stream = controller.connection().await;
    let arrived = next(&mut stream).await;
    let envelope: EnvelopeRequest = decoded(&arrived);
    assert_eq!(envelope.request_data, frame);
    assert_eq!(envelope.client_host_address[..], [10, 1, 2, 3]);
    let mut principal = envelope.request_principal.unwrap();
    assert_eq!(principal.get_i16(), 0);
    let principal = DefaultPrincipalData::decode(&mut principal, 0).unwrap();
    assert_eq!((&*principal._type, &*principal.name), ("User", "alice"));
    assert!(!principal.token_authenticated);
    let inner = codec::decode_header(&frame).unwrap();
    let topic = CreatableTopicResult::default().with_error_code(36);
    let created = CreateTopicsResponse::default().with_topics(vec![topic]);
    let response = EnvelopeResponse::default().with_response_data(Some(framed(&inner, &created)));
    answer(&mut stream, &arrived.header, &response).await;
    let mut answered = asked.await.unwrap().unwrap();
    assert_eq!(CreateTopicsResponse::decode(&mut answered.body, 7).unwrap(), created);
    assert!(answered.body.is_empty() && answered.offset == -1);
    assert_eq!(remote.ranges().unwrap()[&56], (0, 2));
}

#[tokio::test]
async fn the_envelopes_own_error_is_told() {
    let mut controller = Controller::listen().await;
    let (remote, leads) = remote(&[]);
    leads.send_replace(leader(3000, 1, &controller));
    let asked = tokio::spawn(async move { remote.forward(forwarded(clients_request())).await });
    let mut stream = controller.connection().await;
    let arrived = next(&mut stream).await;
    let response = EnvelopeResponse::default().with_error_code(35);
    answer(&mut stream, &arrived.header, &response).await;
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.code(), ResponseError::UnsupportedVersion);
}

#[tokio::test]
async fn producer_ids_come_over_the_connection_of_forwarded_requests() {
    let mut controller = Controller::listen().await;
    let (remote, leads) = remote(&[]);
    leads.send_replace(leader(3000, 1, &controller));
    let allocate = |remote: Arc<Remote>| async move { remote.allocate_producer_ids(1, 5).await };
    let asked = tokio::spawn(allocate(remote.clone()));
    let mut stream = controller.connection().await;
    let arrived = next(&mut stream).await;
    let block = AllocateProducerIdsResponse::default();
    let block = block.with_producer_id_start(7000.into()).with_producer_id_len(1000);
    answer(&mut stream, &arrived.header, &block).await;
    assert_eq!(asked.await.unwrap().unwrap(), (7000, 1000));
    let asked = tokio::spawn(allocate(remote));
    let arrived = next(&mut stream).await;
    let refused = AllocateProducerIdsResponse::default().with_error_code(77);
    answer(&mut stream, &arrived.header, &refused).await;
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.code(), ResponseError::CoordinatorLoadInProgress, "clients try again");
}
