//! The frames of requests and responses, and what broken peers do to them.
use super::*;
use crate::codec::messages::{ApiVersionsRequest, BrokerId, ListOffsetsRequest};
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsResponse, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    MetadataRequest, ProduceRequest, RequestHeader as CrateHeader, produce_request,
};

fn decode<R: Request>(body: Bytes, version: i16) -> Result<R> {
    check(R::KEY, version, body, 0)?.decode()
}

fn encoded(message: &impl Encodable, version: i16) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out
}

/// A request as kafka-protocol encodes it, with its header and without the size.
fn request_frame<R: Request>(request: &R, version: i16, client_id: Option<&'static str>) -> Bytes {
    let header = CrateHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(client_id.map(StrBytes::from_static_str));
    let mut frame = encoded(&header, R::header_version(version));
    frame.put_slice(&encoded(request, version));
    frame.freeze()
}

#[track_caller]
fn check_request<R: Request + PartialEq + std::fmt::Debug>(request: R, version: i16) {
    for client_id in [None, Some(""), Some("kl\u{e4}mm")] {
        let frame = request_frame(&request, version, client_id);
        let header = decode_header(&frame).unwrap();
        assert_eq!((header.api_key, header.api_version), (R::KEY, version));
        assert_eq!((header.correlation_id, header.client_id.as_deref()), (77, client_id));
        let checked = check(R::KEY, version, frame.clone(), header.size).unwrap();
        assert_eq!(checked.frame(), frame, "untouched");
        assert_eq!(checked.decode::<R>().unwrap(), request);
    }
}

#[test]
fn headers_of_both_versions() {
    let heartbeat =
        || HeartbeatRequest::default().with_group_id(StrBytes::from_static_str("g").into());
    check_request(heartbeat(), 3);
    check_request(heartbeat(), 4);
    check_request(ListOffsetsRequest::default().with_replica_id(BrokerId(-1)), 1);
    check_request(ListOffsetsRequest::default().with_replica_id(BrokerId(-1)), 11);
    check_request(ApiVersionsRequest { node_id: 3, ..Default::default() }, 5);
}

/// Checks the client id or the error that `decode_header` returns.
#[track_caller]
fn check_header(bytes: &[u8], said: &str) {
    let header = decode_header(&Bytes::copy_from_slice(bytes));
    match header {
        Ok(header) => assert_eq!(header.client_id.as_deref().unwrap_or("null"), said),
        Err(error) => assert_eq!(error.to_string(), format!("corrupt request header: {said}")),
    }
}

#[test]
fn headers_that_are_not_right() {
    const SHORT: &str = "it is cut short";
    let whole = [0, 18, 0, 3, 0, 0, 0, 9, 0, 2, b'h', b'i', 2, 5, 1, 0xff, 9, 0];
    check_header(&whole, "hi");
    for end in 0..whole.len() - 1 {
        let torn = decode_header(&Bytes::copy_from_slice(&whole[..end]));
        assert!(torn.is_err(), "cut at {end}");
    }
    check_header(&[], SHORT);
    check_header(&[0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff], "null");
    check_header(&[0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xfe], "a length is negative");
    check_header(&[0, 3, 0, 1, 0, 0, 0, 9, 0x7f, 0xff], SHORT);
    check_header(&[0, 3, 0, 1, 0, 0, 0, 9, 0, 1, 0xff], "a client id that is not UTF-8");
    check_header(&[0, 95, 0, 0, 0, 0, 0, 9, 0, 0], "no API 95");
    check_header(&[0, 4, 0, 0, 0, 0, 0, 9, 0, 0], "no API 4");
    check_header(&[0xff, 0xff, 0, 0, 0, 0, 0, 9, 0, 0], "no API -1");
    // The header claims 10,001 tagged fields and ends there.
    check_header(
        &[0, 18, 0, 3, 0, 0, 0, 9, 0xff, 0xff, 0x91, 0x4e],
        "it has too many tagged fields",
    );
    // A request of an unknown version still has a header.
    check_header(&[0, 18, 0, 99, 0, 0, 0, 9, 0, 1, b'x', 0], "x");
}

#[test]
fn records_stay_slices_of_the_frame() {
    let records = Bytes::from(vec![7; 1000]);
    let partition = produce_request::PartitionProduceData::default().with_records(Some(records));
    let topic =
        produce_request::TopicProduceData::default().with_partition_data(vec![partition.clone()]);
    let request = ProduceRequest::default().with_topic_data(vec![topic]);
    let bytes = request_frame(&request, 9, None);
    let frame = bytes.as_ptr_range();
    let body = decode_header(&bytes).unwrap().size;
    let request: ProduceRequest = check(0, 9, bytes, body).unwrap().decode().unwrap();
    let found = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
    assert_eq!(found.len(), 1000);
    assert!(frame.contains(&found.as_ptr()), "not copied");
}

#[test]
fn a_body_is_guarded_before_it_is_decoded() {
    // Without the guard kafka-protocol would reserve 154 GB here.
    let error = decode::<MetadataRequest>(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]), 1);
    assert!(error.unwrap_err().to_string().contains("more elements than there are bytes"));
    assert!(decode::<MetadataRequest>(Bytes::new(), 99).is_err());
}

/// Checks a response that has no files.
#[track_caller]
fn check_reply(reply: Reply, bytes: &[u8]) {
    match reply {
        Reply::Frame(chunks) => match &chunks[..] {
            [Chunk::Bytes(frame)] => assert_eq!(frame[..], *bytes),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn response_headers() {
    let response = HeartbeatResponse::default().with_error_code(27);
    check_reply(encode(12, 3, 9, &response), &[0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 27]);
    let flexible = [0, 0, 0, 12, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 27, 0];
    check_reply(encode(12, 4, 9, &response), &flexible);
    check_reply(frame(12, 4, 9, encoded(&response, 4).freeze()), &flexible);
    let versions = encode(18, 3, 9, &ApiVersionsResponse::default());
    check_reply(versions, &[0, 0, 0, 12, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn answers_that_do_not_fit_are_failures_and_no_panics() {
    let failed = |reply| matches!(reply, Reply::Failed(_));
    assert!(failed(encode(12, 99, 9, &HeartbeatResponse::default())));
    let name = StrBytes::from_string("x".repeat(32_768));
    let response = FindCoordinatorResponse::default().with_error_message(Some(name));
    assert!(failed(encode(10, 1, 9, &response)));
}

#[test]
fn responses_of_a_peer_are_guarded_too() {
    let response = HeartbeatResponse::default().with_error_code(27);
    let body = encoded(&response, 4).freeze();
    assert_eq!(decode_response::<HeartbeatRequest>(body, 4).unwrap(), response);
    let huge = Bytes::from_static(&[0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
    assert!(decode_response::<MetadataRequest>(huge, 1).is_err());
}
