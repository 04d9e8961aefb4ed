//! Kafka's protocol, as far as several benches speak it. All requests have flexible headers.

use super::fixtures;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, ProduceRequest, ProduceResponse,
    RequestHeader, TopicName,
};
use klamm::config::Compression;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub const PRODUCE_VERSION: i16 = 9;
pub const CREATE_VERSION: i16 = 5;
pub const IN_FLIGHT: usize = 5;
/// The longest time that a server may take to answer. Creating many partitions takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);

pub fn connect(port: u16) -> TcpStream {
    try_connect(port).unwrap()
}

pub fn try_connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

pub fn topic_name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

pub fn frame(key: ApiKey, version: i16, body: &impl Encodable) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("bench")));
    let mut out = BytesMut::new();
    header.encode(&mut out, key.request_header_version(version)).unwrap();
    body.encode(&mut out, version).unwrap();
    let mut framed = (out.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(&out);
    framed
}

/// Reads an answer and removes its size and its (flexible) header.
pub fn receive(socket: &mut TcpStream) -> Bytes {
    try_receive(socket).unwrap()
}

pub fn try_receive(socket: &mut TcpStream) -> io::Result<Bytes> {
    let mut size = [0; 4];
    socket.read_exact(&mut size)?;
    let mut answer = BytesMut::zeroed(u32::from_be_bytes(size) as usize);
    socket.read_exact(&mut answer)?;
    Ok(answer.freeze().slice(5..))
}

/// Sends a request and reads its answer.
pub fn ask(socket: &mut TcpStream, frame: &[u8]) -> io::Result<Bytes> {
    socket.write_all(frame)?;
    try_receive(socket)
}

/// Creates topics. Returns their error codes, none of which is other than that there is such a
/// topic.
pub fn create(socket: &mut TcpStream, topics: Vec<CreatableTopic>) -> Vec<i16> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(600_000);
    let mut body = ask(socket, &frame(ApiKey::CreateTopics, CREATE_VERSION, &request)).unwrap();
    let answer = CreateTopicsResponse::decode(&mut body, CREATE_VERSION).unwrap();
    let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
    assert!(codes.iter().all(|code| [0, 36].contains(code)), "create topics: {codes:?}");
    codes
}

/// A batch of as many records as fit into `size` bytes.
pub fn records(seed: usize, size: usize) -> Bytes {
    fixtures::batch(seed as u64, size, Compression::Uncompressed).to_bytes()
}

/// A request with the same batch for each partition of several topics.
pub fn produce_to(topics: &[(String, Vec<usize>)], records: &Bytes, acks: i16) -> Vec<u8> {
    let topics = topics.iter().map(|(topic, partitions)| {
        let data = partitions.iter().map(|&partition| {
            PartitionProduceData::default()
                .with_index(partition as i32)
                .with_records(Some(records.clone()))
        });
        TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(data.collect())
    });
    let request = ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(30_000)
        .with_topic_data(topics.collect());
    frame(ApiKey::Produce, PRODUCE_VERSION, &request)
}

pub fn check_produced(body: Bytes) {
    assert_eq!(produce_code(body), 0, "produce");
}

/// The first error code; 0 if all partitions have accepted the records.
pub fn produce_code(mut body: Bytes) -> i16 {
    let answer = ProduceResponse::decode(&mut body, PRODUCE_VERSION).unwrap();
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0)
}

/// Sends `requests` produce requests, those of `frames` in turns, with several in flight, and looks
/// into every n-th answer. Returns the bytes it has sent.
pub fn stream(socket: &mut TcpStream, frames: &[Vec<u8>], requests: usize, nth: usize) -> usize {
    let (mut sent, mut bytes) = (0, 0);
    for answered in 0..requests {
        while sent < requests && sent < answered + IN_FLIGHT {
            let frame = &frames[sent % frames.len()];
            socket.write_all(frame).unwrap();
            bytes += frame.len();
            sent += 1;
        }
        let body = receive(socket);
        if answered % nth == 0 {
            check_produced(body);
        }
    }
    bytes
}
