//! A spliced response has exactly the bytes of a plain one.
use super::*;
use crate::codec::messages::ShareFetchResponse;
use crate::codec::messages::share_fetch_response as share;
use crate::codec::{encode, encode_with_files};
use crate::disk::Disk;
use kafka_protocol::messages::{ApiKey, FetchResponse, fetch_response as fetch};
use kafka_protocol::protocol::{Encodable, StrBytes};
use std::sync::Arc;

/// A range of an empty file; only its length counts here.
fn range(len: usize) -> FileRange {
    let file = Disk::Os.open(tempfile::NamedTempFile::new().unwrap().path()).unwrap();
    FileRange { file: Arc::new(file), position: 7, len }
}

#[track_caller]
fn chunks(reply: Reply) -> Vec<Chunk> {
    match reply {
        Reply::Frame(chunks) => chunks,
        other => panic!("{other:?}"),
    }
}

/// The frame as it is sent, if byte n of all files together is `n as u8`.
fn joined(chunks: &[Chunk]) -> Vec<u8> {
    let (mut out, mut sent) = (Vec::new(), 0);
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(bytes) => {
                assert!(!bytes.is_empty());
                out.extend_from_slice(bytes);
            }
            Chunk::File(range) => {
                assert_eq!(chunk.len(), range.len);
                out.extend((sent..sent + range.len).map(|n| n as u8));
                sent += range.len;
            }
        }
    }
    out
}

fn fetch_response(records: Vec<Option<Bytes>>, version: i16) -> FetchResponse {
    let part = |(place, records)| {
        fetch::PartitionData::default()
            .with_partition_index(place as i32)
            .with_high_watermark(42)
            .with_records(records)
    };
    let parts = records.into_iter().enumerate().map(part).collect();
    let topic = fetch::FetchableTopicResponse::default().with_partitions(parts);
    let topic = match version {
        ..13 => topic.with_topic(StrBytes::from_static_str("t").into()),
        13.. => topic.with_topic_id(uuid::Uuid::from_u128(5)),
    };
    FetchResponse::default().with_responses(vec![topic])
}

fn share_fetch_response(records: Vec<Option<Bytes>>) -> ShareFetchResponse {
    let part = |records: Option<Bytes>| share::PartitionData {
        records: records.unwrap_or_default(),
        ..Default::default()
    };
    let partitions = records.into_iter().map(part).collect();
    let topic = share::ShareFetchableTopicResponse { partitions, ..Default::default() };
    ShareFetchResponse { responses: vec![topic], ..Default::default() }
}

/// Encodes the same response twice, with its records as bytes and as files, and compares.
#[track_caller]
fn check<M: Encodable>(
    api_key: ApiKey,
    version: i16,
    groups: &[&[usize]],
    response: impl Fn(Vec<Option<Bytes>>) -> M,
) {
    let (mut plain, mut spliced, mut files, mut next) = (vec![], vec![], vec![], 0usize);
    for group in groups {
        let len = group.iter().sum::<usize>();
        plain.push(Some((next..next + len).map(|n| n as u8).collect()));
        spliced.push(Some(placeholder(len)));
        next += len;
        if len > 0 {
            files.push(group.iter().copied().map(range).collect());
        }
    }
    plain.push(None);
    spliced.push(None);
    let key = api_key as i16;
    let plain = chunks(encode(key, version, 9, &response(plain)));
    let spliced = chunks(encode_with_files(key, version, 9, &response(spliced), files));
    assert_eq!(plain.len(), 1, "without files a frame is one piece");
    let ranges = spliced.iter().filter(|chunk| matches!(chunk, Chunk::File(_))).count();
    assert_eq!(ranges, groups.iter().map(|group| group.len()).sum::<usize>());
    assert_eq!(joined(&spliced), joined(&plain), "{api_key:?} {version}");
}

#[test]
fn spliced_frames_equal_plain_ones() {
    let groups: &[&[&[usize]]] = &[
        &[],
        &[&[5000]],
        &[&[5000], &[], &[70_000]],
        &[&[1, 2, 3], &[9], &[4000, 1]],
        &[&[], &[600]],
    ];
    for groups in groups {
        for version in 4..=18 {
            check(ApiKey::Fetch, version, groups, |r| fetch_response(r, version));
        }
        for version in 1..=2 {
            check(ApiKey::ShareFetch, version, groups, share_fetch_response);
        }
    }
}

#[test]
fn the_frame_begins_with_its_size() {
    let response = fetch_response(vec![Some(placeholder(100))], 12);
    let frame = encode_with_files(1, 12, 0x0a0b_0c0d, &response, vec![vec![range(100)]]);
    let bytes = joined(&chunks(frame));
    let size = u32::from_be_bytes(bytes[..4].try_into().unwrap());
    assert_eq!(size as usize, bytes.len() - 4);
    assert_eq!(bytes[4..9], [0x0a, 0x0b, 0x0c, 0x0d, 0], "correlation id, no tagged field");
}

#[test]
fn a_frame_that_is_too_large_is_an_error() {
    let encode = |len: usize, count: usize| {
        let response = fetch_response(vec![Some(placeholder(len)); count], 12);
        encode_with_files(1, 12, 0, &response, vec![vec![range(len)]; count])
    };
    assert!(matches!(encode(100 << 20, 20), Reply::Frame(_)));
    assert!(matches!(encode(100 << 20, 21), Reply::Failed(_)));
}

#[test]
#[should_panic(expected = "a placeholder is as long as its files")]
fn files_that_are_not_as_long_as_their_placeholder() {
    let response = fetch_response(vec![Some(placeholder(100))], 12);
    let _ = encode_with_files(1, 12, 0, &response, vec![vec![range(99)]]);
}

#[test]
#[should_panic(expected = "every group of files has its placeholder")]
fn more_files_than_placeholders() {
    let response = fetch_response(vec![], 12);
    let _ = encode_with_files(1, 12, 0, &response, vec![vec![range(99)]]);
}
