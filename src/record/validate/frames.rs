//! Odd frames are read as Kafka's codecs read them; `tests/fixtures/frames.tsv` has their verdicts
//! (compat/frames).
#![allow(clippy::unwrap_used)]

use super::super::{ATTRIBUTES_AT, HEADER_SIZE, LOG_OVERHEAD, MAGIC_AT, put};
use super::*;
use std::collections::HashMap;

const RECORDS: i32 = 3;

/// Frames that Kafka accepts and klamm refuses, because Kafka's own streams read them in one place
/// and stop at them in another: a gzip member cut off right after its header, and a snappy header
/// with another magic between blocks.
const REFUSED_HERE: [&str; 4] = [
    "gzip-begun-member-10",
    "gzip-begun-member-17",
    "gzip-begun-member-18",
    "snappy-other-magic-again",
];

fn batch(codec: u8, payload: &[u8]) -> Batch {
    let mut bytes = [&[0; HEADER_SIZE], payload].concat();
    let length = (bytes.len() - LOG_OVERHEAD) as i32;
    put(&mut bytes, 8, &length.to_be_bytes());
    put(&mut bytes, MAGIC_AT, &[MAGIC as u8]);
    put(&mut bytes, ATTRIBUTES_AT, &i16::from(codec).to_be_bytes());
    put(&mut bytes, 23, &(RECORDS - 1).to_be_bytes());
    put(&mut bytes, 57, &RECORDS.to_be_bytes());
    Batch::split_from(&mut bytes.into()).unwrap()
}

fn is_accepted(codec: u8, payload: &[u8]) -> bool {
    let batch = batch(codec, payload);
    let is_accepted = sum_up(&batch, DECOMPRESSED_BYTES_MAX).is_ok();
    let is_read = batch.records(DECOMPRESSED_BYTES_MAX).is_ok();
    assert_eq!(is_accepted, is_read, "what is checked is what is read");
    is_accepted
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The payload cut to each length, or with each of its bits flipped.
fn spoilt(how: &str, payload: &[u8]) -> Vec<Vec<u8>> {
    match how {
        "cuts" => (0..payload.len()).map(|size| payload[..size].to_vec()).collect(),
        "bits" => {
            let turned = |bit: usize| {
                let mut payload = payload.to_vec();
                payload[bit / 8] ^= 1 << (bit % 8);
                payload
            };
            (0..payload.len() * 8).map(turned).collect()
        }
        _ => panic!("{how}"),
    }
}

#[test]
fn frames_are_accepted_and_refused_as_by_kafka() {
    let rows = std::fs::read_to_string("tests/fixtures/frames.tsv").unwrap();
    let mut frames = HashMap::new();
    let mut wrong = Vec::new();
    let mut check = |what: String, codec, payload: &[u8], verdict: char| {
        if is_accepted(codec, payload) != (verdict == 'a') {
            wrong.push(what);
        }
    };
    for row in rows.lines() {
        match row.split('\t').collect::<Vec<_>>()[..] {
            ["frame", name, codec, verdict, hex] => {
                let (codec, payload) = (codec.parse().unwrap(), bytes_of(hex));
                check(name.to_owned(), codec, &payload, verdict.parse().unwrap());
                frames.insert(name, (codec, payload));
            }
            [how, name, verdicts] => {
                let (codec, payload) = &frames[name];
                let payloads = spoilt(how, payload);
                assert_eq!(payloads.len(), verdicts.len());
                for (at, (payload, verdict)) in payloads.iter().zip(verdicts.chars()).enumerate() {
                    check(format!("{name} {how} {at}"), *codec, payload, verdict);
                }
            }
            _ => panic!("{row}"),
        }
    }
    assert!(frames.len() > 150, "{} frames", frames.len());
    assert_eq!(wrong, REFUSED_HERE);
}
