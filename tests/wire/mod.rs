//! Requests written by hand, also those of a broken or hostile peer. Whatever it sends, its
//! connection is closed or gets an error, memory stays flat, and everyone else is served.

mod absent;
mod bounds;
mod connections;
mod consumer_groups;
mod damage;
mod data;
mod dead_letters;
mod failure;
mod hostile;
mod jbod;
mod pipeline;
mod protocol;
mod segments;
mod settings;
mod share_consumers;
mod share_groups;
mod share_state;
mod streams_groups;
mod transactions;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use klamm::client::{Connection, Options};
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::produce_response::PartitionProduceResponse;
use klamm::codec::messages::{
    BrokerId, CreateTopicsRequest, FetchRequest, IncrementalAlterConfigsRequest, ProduceRequest,
    RequestHeader, TopicName,
};
use std::cell::OnceCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// The runtime of the connections that `call` uses.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

/// A connection on which frames are written by hand until `call` hands it to klamm's own client.
pub struct Peer(TcpStream, OnceCell<Connection>);

impl Peer {
    pub fn connect(port: u16) -> Peer {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.set_nodelay(true).unwrap();
        Peer(socket, OnceCell::new())
    }

    /// The same connection, used by klamm's client.
    fn connection(&self) -> &Connection {
        self.1.get_or_init(|| {
            let socket = self.0.try_clone().unwrap();
            socket.set_nonblocking(true).unwrap();
            let _inside = RUNTIME.enter();
            let options = Options {
                client_id: "test".to_owned(),
                request_timeout: Duration::from_secs(20),
                max_in_flight: 5,
                max_answer_bytes: 256 << 20,
            };
            Connection::open(tokio::net::TcpStream::from_std(socket).unwrap(), options)
        })
    }

    /// Sends bytes unchanged; does nothing if the broker has closed the connection.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Sends a request: size, header version 1, body.
    pub fn send(&mut self, api_key: i16, version: i16, correlation_id: i32, body: &[u8]) {
        self.send_raw(&frame(api_key, version, correlation_id, body));
    }

    /// The next response without its size; None if the connection was closed.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut size = [0; 4];
        match self.0.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "neither answered nor closed");
                return None;
            }
        }
        let mut answer = vec![0; i32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut answer).unwrap();
        Some(answer)
    }

    /// The correlation id of the next response.
    pub fn receive_correlation_id(&mut self) -> Option<i32> {
        self.receive().map(|answer| i32::from_be_bytes(answer[..4].try_into().unwrap()))
    }
}

/// A request with header version 1 and client id "test".
pub fn frame(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(api_key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(correlation_id.to_be_bytes());
    request.extend(4i16.to_be_bytes());
    request.extend(b"test");
    request.extend(body);
    let mut framed = (request.len() as i32).to_be_bytes().to_vec();
    framed.extend(request);
    framed
}

/// Sends a request without waiting for its response.
pub fn send<R: Request>(peer: &mut Peer, version: i16, request: &R) {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, R::header_version(version)).unwrap();
    request.encode(&mut frame, version).unwrap();
    peer.send_raw(&(frame.len() as i32).to_be_bytes());
    peer.send_raw(&frame);
}

/// Produces. Like a client, it retries while the coordinator loads its log or writes the markers of
/// the last transaction.
pub fn once_verified(
    mut produce: impl FnMut() -> PartitionProduceResponse,
) -> PartitionProduceResponse {
    const NOT_ENOUGH_REPLICAS: i16 = 19;
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let told = produce();
        if told.error_code != NOT_ENOUGH_REPLICAS || Instant::now() > end {
            return told;
        }
    }
}

/// Sends a request and returns its response.
pub fn call<R: Request>(peer: &Peer, version: i16, request: &R) -> R::Response {
    RUNTIME.block_on(peer.connection().ask(version, request)).unwrap()
}

/// A string of a message.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// The name of a topic.
pub fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

/// A Produce of one batch.
pub fn to_produce(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

/// A Fetch of partition 0.
pub fn to_fetch(topic: &str, wait_ms: i32, min_bytes: i32, from: i64) -> FetchRequest {
    let partition =
        FetchPartition::default().with_fetch_offset(from).with_partition_max_bytes(1 << 30);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(min_bytes)
        .with_max_bytes(1 << 30)
        .with_topics(vec![topic])
}

/// Creates a topic with these settings. Returns its id.
pub fn create(peer: &Peer, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(key.to_string()))
            .with_value(Some(StrBytes::from_string(value.to_string())))
    });
    let creatable = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request =
        CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(10_000);
    let response = call(peer, 7, &request);
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    response.topics[0].topic_id
}

/// Sets a setting of all brokers while they run.
pub fn set(peer: &Peer, name: &str, value: &str) {
    set_of(peer, 4, "", name, value);
}

/// Sets a setting of a resource.
pub fn set_of(peer: &Peer, kind: i8, resource: &str, name: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = call(peer, 0, &request);
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "not seen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
