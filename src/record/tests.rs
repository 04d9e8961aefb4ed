//! Batches: round trips, bytes that real Kafka wrote, and everything that can be wrong with a
//! batch.
#![allow(clippy::unwrap_used)]

use super::builder::BatchBuilder;
use super::compression::{CompressionType, Decompressor};
use super::*;
use crate::config::Compression;
use kafka_protocol::error::ResponseError::{CorruptMessage, InvalidRecord, UnknownServerError};

const EVERY: [Compression; 5] = [
    Compression::Uncompressed,
    Compression::Gzip { level: -1 },
    Compression::Snappy,
    Compression::Lz4 { level: 9 },
    Compression::Zstd { level: 3 },
];
const MANY: usize = 64 << 20;

/// The records that Kafka's MemoryRecordsBuilder was given, as tests/fixtures/README.md says.
fn sample() -> Vec<Record> {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let letters = |n: i64| (0..n).map(|i| b'a' + ((i * i + n) % 26) as u8).collect::<Bytes>();
    (0..40i64)
        .map(|i| Record {
            offset: (1 << 62) + i,
            timestamp: 1_700_000_000_000 + i * if i % 2 == 0 { 1000 } else { -1000 },
            key: (i % 3 > 0).then(|| Bytes::from(format!("key{i}"))),
            value: (i % 5 > 0).then(|| letters(i * i * 2)),
            headers: match i % 4 {
                0 => vec![],
                1 => vec![
                    (text("h"), None),
                    (text("h"), Some(text("2"))),
                    (text(""), Some(text("x"))),
                ],
                _ => vec![(text("h"), Some(text("")))],
            },
        })
        .collect()
}

fn build(records: &[Record], compression: Compression) -> Batch {
    let mut builder = BatchBuilder::new(1 << 62, compression).producer(4000, 5, i32::MAX - 1, true);
    for record in records {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &record.headers);
    }
    let mut batch = builder.build();
    batch.set_leader_epoch(9);
    batch
}

fn fixture(name: &str) -> Bytes {
    std::fs::read(format!("tests/fixtures/{name}.batch")).unwrap().into()
}

fn split(bytes: impl Into<Bytes>) -> Result<Batch> {
    Batch::split_from(&mut bytes.into())
}

/// The batch with other bytes at `at` and a checksum that fits.
fn patched(batch: &Batch, at: usize, value: &[u8]) -> Batch {
    let mut bytes = batch.to_bytes().to_vec();
    put(&mut bytes, at, value);
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    put(&mut bytes, CRC_AT, &crc.to_be_bytes());
    split(bytes).unwrap()
}

/// A batch with the records `payload` whose header says it holds `count` of them.
fn around(payload: &[u8], codec: u8, count: i32) -> Batch {
    let mut bytes = fixture("none")[..HEADER_SIZE].to_vec();
    bytes.extend_from_slice(payload);
    let length = (bytes.len() - LOG_OVERHEAD) as i32;
    put(&mut bytes, 8, &length.to_be_bytes());
    put(&mut bytes, ATTRIBUTES_AT, &i16::from(codec).to_be_bytes());
    put(&mut bytes, 57, &count.to_be_bytes());
    patched(&split(bytes).unwrap(), HEADER_SIZE, &[])
}

#[test]
fn what_is_built_is_read() {
    for compression in EVERY {
        let batch = build(&sample(), compression);
        assert!(batch.checksum_holds());
        let mut bytes = batch.to_bytes();
        let read = Batch::split_from(&mut bytes).unwrap();
        assert!(bytes.is_empty() && read.checksum_holds());
        assert_eq!(read.compression_type().unwrap(), CompressionType::of(compression));
        assert_eq!(read.records(MANY).unwrap(), sample(), "{compression:?}");
    }
}

#[test]
fn every_codec_of_kafka_is_read() {
    for name in ["none", "gzip", "snappy", "lz4", "lz4-12", "zstd", "zstd-22"] {
        let batch = split(fixture(name)).unwrap();
        assert!(batch.checksum_holds(), "{name}");
        assert_eq!(batch.records(MANY).unwrap(), sample(), "{name}");
        assert_eq!((batch.base_offset(), batch.last_offset()), (1 << 62, (1 << 62) + 39));
        assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.count()), (4000, 5, 40));
        assert_eq!((batch.base_sequence(), batch.last_sequence()), (i32::MAX - 1, 37));
        assert_eq!(
            (batch.base_timestamp(), batch.max_timestamp()),
            (1_700_000_000_000, 1_700_000_038_000)
        );
        assert!(batch.is_transactional() && !batch.is_control() && !batch.is_log_append_time());
        assert_eq!((batch.leader_epoch(), batch.size()), (9, fixture(name).len()));
    }
}

#[test]
fn what_kafka_builds_is_built_byte_by_byte() {
    assert_eq!(build(&sample(), Compression::Uncompressed).to_bytes(), fixture("none"));

    let mut stamped =
        BatchBuilder::new(7, Compression::Uncompressed).log_append_time(1_700_000_000_123);
    stamped.append(5, Some(b"k"), Some(b"v"), &[]);
    stamped.append(-1, None, Some(b""), &[]);
    let mut stamped = stamped.build();
    stamped.set_leader_epoch(3);
    assert_eq!(stamped.to_bytes(), fixture("log-append-time"));
    assert!(
        stamped.records(MANY).unwrap().iter().all(|record| record.timestamp == 1_700_000_000_123)
    );

    let mut marker =
        BatchBuilder::new(42, Compression::Uncompressed).control().producer(4000, 5, -1, true);
    marker.append(1_700_000_000_000, Some(&[0, 0, 0, 0]), Some(&[0, 0, 0, 0, 0, 77]), &[]);
    let mut marker = marker.build();
    marker.set_leader_epoch(9);
    assert_eq!(marker.to_bytes(), fixture("abort-marker"));
    assert!(marker.is_control() && marker.last_sequence() == -1);
}

#[test]
fn the_prefix_lies_outside_of_the_checksum() {
    let mut batch = split(fixture("lz4")).unwrap();
    let body = batch.body().to_vec();
    batch.set_base_offset(5);
    batch.set_leader_epoch(77);
    assert_eq!(batch.body(), body);
    assert_eq!(batch.to_bytes(), [&batch.prefix()[..], &body].concat());
    let read = split(batch.to_bytes()).unwrap();
    assert!(read.checksum_holds());
    assert_eq!((read.base_offset(), read.next_offset(), read.leader_epoch()), (5, 45, 77));
    assert_eq!(read.records(MANY).unwrap()[39].offset, 44);
}

#[test]
fn stamping_renews_the_checksum() {
    let mut batch = split(fixture("gzip")).unwrap();
    batch.set_max_timestamp(123, true);
    assert!(batch.checksum_holds() && batch.is_log_append_time() && batch.is_transactional());
    assert!(batch.records(MANY).unwrap().iter().all(|record| record.timestamp == 123));
    batch.set_max_timestamp(1_700_000_038_000, false);
    assert_eq!(batch.to_bytes(), fixture("gzip"));
}

#[test]
fn sequences_wrap() {
    for (sequence, increment, next) in
        [(0, 0, 0), (5, 3, 8), (i32::MAX, 0, i32::MAX), (i32::MAX, 1, 0), (i32::MAX - 1, 4, 2)]
    {
        assert_eq!(increment_sequence(sequence, increment), next);
    }
}

#[test]
fn lengths_and_magics_that_no_batch_has() {
    let whole = fixture("none");
    let with = |at: usize, value: &[u8]| {
        let mut bytes = whole.to_vec();
        put(&mut bytes, at, value);
        split(bytes).unwrap_err().code()
    };
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        assert_eq!(with(8, &length.to_be_bytes()), CorruptMessage, "{length}");
    }
    assert_eq!(with(8, &i32::MAX.to_be_bytes()), CorruptMessage);
    for (magic, code) in
        [(-1i8, CorruptMessage), (0, InvalidRecord), (1, InvalidRecord), (3, CorruptMessage)]
    {
        assert_eq!(with(16, &magic.to_be_bytes()), code, "{magic}");
    }
    assert_eq!(split(fixture("magic1")).unwrap_err().code(), InvalidRecord);
    for length in 0..whole.len() {
        assert!(split(whole.slice(..length)).is_err());
        assert!(matches!(Batch::next_size(&whole[..length]), Ok(None)));
    }
}

#[test]
fn a_flipped_bit_breaks_the_checksum() {
    let whole = fixture("zstd").to_vec();
    for at in CRC_AT..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        assert!(!split(bytes).unwrap().checksum_holds(), "{at}");
    }
}

/// Reading a payload that is cut off anywhere is an error: no panic, no missing record.
#[test]
fn payloads_cut_off_at_every_byte() {
    for (name, codec, step) in
        [("none", 0, 97), ("gzip", 1, 1), ("snappy", 2, 1), ("lz4", 3, 1), ("zstd", 4, 1)]
    {
        let payload = fixture(name).slice(HEADER_SIZE..);
        for length in (0..payload.len()).step_by(step) {
            let batch = around(&payload[..length], codec, 40);
            let last = batch.iter(MANY).map(|records| records.last());
            // These streams end with a checksum or an end mark, which comes after the records.
            let may_be_whole = payload.len() - length <= 8 && matches!(codec, 1 | 3);
            let failed = matches!(last, Err(_) | Ok(Some(Err(_))));
            assert!(failed || may_be_whole, "{name} cut at {length}");
        }
    }
}

/// Replaces every byte of the payload: reading it must not panic, and what a codec keeps for the
/// next payload must not be affected.
#[test]
fn payloads_with_a_wrong_byte() {
    for (name, codec) in [("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4), ("none", 0)] {
        let payload = fixture(name).slice(HEADER_SIZE..);
        for at in (0..payload.len()).step_by(if codec == 0 { 61 } else { 1 }) {
            let mut bytes = payload.to_vec();
            bytes[at] = bytes[at].wrapping_add(0x81);
            let _ = around(&bytes, codec, 40).records(MANY);
            assert_eq!(around(&payload, codec, 40).records(MANY).unwrap().len(), 40);
        }
    }
}

#[test]
fn counts_are_not_believed() {
    for name in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let batch = split(fixture(name)).unwrap();
        for count in [-1, i32::MIN, 1, 39, 41, i32::MAX] {
            let wrong = patched(&batch, 57, &count.to_be_bytes());
            assert_eq!(wrong.records(MANY).unwrap_err().code(), InvalidRecord, "{name} {count}");
        }
        assert_eq!(patched(&batch, 57, &[0; 4]).records(MANY).unwrap(), []);
    }
}

#[test]
fn malformed_records() {
    const HUGE: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let record = |body: &[u8]| [&[(body.len() * 2) as u8], body].concat();
    let cases: [(&str, Vec<u8>); 12] = [
        ("nothing", vec![]),
        ("negative size", vec![1]),
        ("huge size", HUGE.to_vec()),
        ("too long a size", vec![0xff; 11]),
        ("empty body", record(&[])),
        ("no key", record(&[0, 0, 0])),
        ("huge key", record(&[&[0, 0, 0], &HUGE[..], b"k"].concat())),
        ("no header count", record(&[0, 0, 0, 1, 1])),
        ("negative header count", record(&[0, 0, 0, 1, 1, 1])),
        ("huge header count", record(&[&[0, 0, 0, 1, 1], &HUGE[..]].concat())),
        ("null header key", record(&[0, 0, 0, 1, 1, 2, 1, 1])),
        ("bytes behind the headers", record(&[0, 0, 0, 1, 1, 0, 0])),
    ];
    for (what, payload) in cases {
        let error = around(&payload, 0, 1).records(MANY).unwrap_err();
        assert_eq!(error.code(), InvalidRecord, "{what}: {error}");
    }
    let whole = record(&[0, 0, 0, 1, 1, 0]);
    assert_eq!(around(&whole, 0, 1).records(MANY).unwrap().len(), 1);
    assert_eq!(
        around(&[whole, vec![0]].concat(), 0, 1).records(MANY).unwrap_err().code(),
        InvalidRecord
    );
}

#[test]
fn unknown_codecs() {
    for codec in 5..8 {
        assert_eq!(around(b"", codec, 1).records(MANY).unwrap_err().code(), UnknownServerError);
    }
}

#[test]
fn bombs_end_at_the_bound() {
    let value = vec![0; 8 << 20];
    for compression in &EVERY[1..] {
        let mut builder = BatchBuilder::new(0, *compression);
        builder.append(0, None, Some(&value), &[]);
        let batch = builder.build();
        assert!(batch.size() < value.len() / 20);
        assert_eq!(batch.records(16 << 20).unwrap()[0].value.as_ref().unwrap().len(), 8 << 20);
        let error = batch.records(1 << 20).unwrap_err();
        assert_eq!(error.code(), InvalidRecord, "{compression:?}: {error}");
    }
}

#[test]
fn announced_sizes_allocate_nothing() {
    // A raw snappy block of 4 GiB, a framed one, and a zstd window of 2 TiB.
    let raw = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let framed = [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07"[..], &raw].concat();
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00];
    for (codec, payload) in [(2, &raw[..]), (2, &framed), (4, &zstd)] {
        let error = around(payload, codec, 1).records(MANY).unwrap_err();
        assert_eq!(error.code(), UnknownServerError, "{error}");
    }
}

#[test]
fn snappy_as_java_reads_it() {
    let framed = fixture("snappy").slice(HEADER_SIZE..);
    let read = |bytes: Bytes, size: usize| {
        let mut stream = Decompressor::new(CompressionType::Snappy, MAGIC, bytes, MANY).unwrap();
        let out = stream.read_exact(size).unwrap();
        assert!(stream.is_at_end().unwrap());
        out
    };
    let plain = fixture("none").slice(HEADER_SIZE..);
    assert_eq!(read(framed.clone(), plain.len()), plain);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(read(raw.into(), plain.len()), plain);
    let twice = Bytes::from([&framed[..], &framed].concat());
    assert_eq!(read(twice, plain.len() * 2), [&plain[..], &plain].concat());
}
