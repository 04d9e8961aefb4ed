//! What producers may send, and what they are told otherwise.
#![allow(clippy::unwrap_used)]

use super::super::compression::Compressor;
use super::super::*;
use super::*;
use crate::config::Config;
use kafka_protocol::error::ResponseError::*;
use std::io::Write;
use std::sync::Arc;

const NOW: Timestamp = 1_700_000_000_000;

fn topic(pairs: &[(&str, &str)]) -> Arc<TopicConfig> {
    let overrides = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::default().topic(&overrides.collect()).unwrap()
}

/// A batch of records with a key and these timestamps.
fn builder(compression: Compression, timestamps: &[Timestamp]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(0, compression);
    for timestamp in timestamps {
        builder.append(*timestamp, Some(b"key"), Some(b"value"), &[]);
    }
    builder
}

fn batch(compression: Compression) -> Batch {
    builder(compression, &[NOW, NOW + 5, NOW + 3]).build()
}

const ZSTD: Compression = Compression::Zstd { level: 3 };
const GZIP: Compression = Compression::Gzip { level: -1 };
const PLAIN: Compression = Compression::Uncompressed;

/// The batch with other bytes at `at` and a checksum that fits.
fn patched(batch: &Batch, at: usize, value: &[u8]) -> Batch {
    let mut bytes = batch.to_bytes().to_vec();
    put(&mut bytes, at, value);
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    put(&mut bytes, CRC_AT, &crc.to_be_bytes());
    Batch::split_from(&mut bytes.into()).unwrap()
}

fn accept(batch: &Batch, config: &TopicConfig) -> Batch {
    let mut batches = validate(batch.to_bytes(), config, 13, NOW).unwrap();
    assert_eq!(batches.len(), 1);
    let batch = batches.pop().unwrap();
    assert!(batch.checksum_holds());
    batch
}

fn refuse(bytes: impl Into<Bytes>, config: &TopicConfig, version: i16) -> Refused {
    validate(bytes.into(), config, version, NOW).unwrap_err()
}

#[test]
fn what_is_right_is_stored_as_it_was_sent() {
    for compression in [PLAIN, GZIP, Compression::Snappy, Compression::Lz4 { level: 9 }, ZSTD] {
        for pairs in [&[][..], &[("cleanup.policy", "compact")]] {
            let batch = batch(compression);
            assert_eq!(accept(&batch, &topic(pairs)).to_bytes(), batch.to_bytes());
        }
    }
}

#[test]
fn requests_with_other_than_one_batch() {
    let config = topic(&[]);
    let one = batch(PLAIN).to_bytes();
    let magic1 = Bytes::from(std::fs::read("tests/fixtures/magic1.batch").unwrap());
    for (bytes, code) in [
        (vec![], InvalidRecord),
        (vec![0; 11], InvalidRecord),
        (one[..one.len() - 1].to_vec(), InvalidRecord),
        ([&one[..], &one].concat(), InvalidRecord),
        (magic1.to_vec(), InvalidRecord),
        (vec![0; 100], CorruptMessage),
        ([&one[..], &[0; 100]].concat(), CorruptMessage),
    ] {
        let refused = refuse(bytes, &config, 13);
        assert_eq!(refused.error.code(), code, "{}", refused.error);
        assert_eq!(refused.record_errors, []);
    }
    let with_rest = [&one[..], &one[..40]].concat();
    assert!(validate(with_rest.into(), &config, 13, NOW).is_ok(), "the cut-off rest is ignored");
}

#[test]
fn headers_that_are_refused() {
    let config = topic(&[]);
    let plain = batch(PLAIN);
    let big_endian = |value: i32| value.to_be_bytes();
    let pid = |id: i64, sequence: i32| {
        patched(&patched(&plain, 43, &id.to_be_bytes()), 53, &sequence.to_be_bytes())
    };
    for (what, batch, code) in [
        ("base offset", patched(&plain, 0, &7i64.to_be_bytes()), InvalidRecord),
        ("negative range", patched(&plain, 23, &big_endian(-1)), InvalidRecord),
        ("empty", patched(&patched(&plain, 23, &big_endian(0)), 57, &big_endian(0)), InvalidRecord),
        ("count and range", patched(&plain, 57, &big_endian(4)), InvalidRecord),
        (
            "both too large",
            patched(&patched(&plain, 23, &big_endian(3)), 57, &big_endian(4)),
            InvalidRecord,
        ),
        (
            "both too small",
            patched(&patched(&plain, 23, &big_endian(1)), 57, &big_endian(2)),
            InvalidRecord,
        ),
        (
            "huge",
            patched(&patched(&plain, 23, &big_endian(i32::MAX)), 57, &big_endian(i32::MIN)),
            InvalidRecord,
        ),
        ("control", patched(&plain, 21, &0x20i16.to_be_bytes()), InvalidRecord),
        ("no sequence", pid(5, -1), InvalidRecord),
        ("codec", patched(&plain, 21, &5i16.to_be_bytes()), UnknownServerError),
    ] {
        let refused = refuse(batch.to_bytes(), &config, 13);
        assert_eq!(refused.error.code(), code, "{what}: {}", refused.error);
    }
    accept(&pid(5, 0), &config);
    let mut broken = plain.to_bytes().to_vec();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(refuse(broken, &config, 13).error.code(), CorruptMessage);
}

#[test]
fn zstd_comes_with_version_7() {
    let bytes = batch(ZSTD).to_bytes();
    assert_eq!(refuse(bytes.clone(), &topic(&[]), 6).error.code(), UnsupportedCompressionType);
    assert!(validate(bytes, &topic(&[]), 7, NOW).is_ok());
    assert!(validate(batch(GZIP).to_bytes(), &topic(&[]), 3, NOW).is_ok());
}

#[test]
fn sizes_are_bounded_before_and_after_recompression() {
    let mut large = BatchBuilder::new(0, ZSTD);
    large.append(NOW, None, Some(&[0; 5000]), &[]);
    let large = large.build();
    let small = &[("max.message.bytes", "1000")][..];
    assert!(large.size() < 1000);
    accept(&large, &topic(small));
    let plain = topic(&[("max.message.bytes", "1000"), ("compression.type", "uncompressed")]);
    assert_eq!(refuse(large.to_bytes(), &plain, 13).error.code(), MessageTooLarge);
    let tiny = topic(&[("max.message.bytes", "80")]);
    assert_eq!(refuse(large.to_bytes(), &tiny, 13).error.code(), MessageTooLarge);
}

#[test]
fn timestamps_out_of_range_are_named() {
    let hour = 3_600_000;
    let timestamps = [NOW, NOW + hour + 1, NOW - 1001, NO_TIMESTAMP, NOW + hour];
    let limited = topic(&[("message.timestamp.before.max.ms", "1000")]);
    for compression in [PLAIN, ZSTD] {
        let batch = builder(compression, &timestamps).build();
        let refused = refuse(batch.to_bytes(), &limited, 13);
        assert_eq!(refused.error.code(), InvalidTimestamp);
        assert_eq!(refused.record_errors.iter().map(|error| error.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            refused.record_errors[0].1.as_deref().unwrap(),
            "Record 1 has the timestamp 1700003600001; the topic takes 1699999999000 to \
             1700003600000 now"
        );
        // By default only timestamps in the future are bounded.
        let refused = refuse(batch.to_bytes(), &topic(&[]), 13);
        assert_eq!(refused.record_errors.len(), 1);
        let stamped = accept(&batch, &topic(&[("message.timestamp.type", "LogAppendTime")]));
        assert!(stamped.is_log_append_time());
        assert_eq!(stamped.max_timestamp(), NOW);
        assert_eq!(stamped.payload(), batch.payload());
    }
}

#[test]
fn a_wrong_largest_timestamp_is_put_right() {
    let config = topic(&[]);
    for (compression, header, stored) in [
        (PLAIN, NOW - 9, NOW + 5),
        (PLAIN, NO_TIMESTAMP, NOW + 5),
        (ZSTD, NO_TIMESTAMP, NOW + 5),
        (ZSTD, NOW - 9, NOW + 5),
        (ZSTD, NOW + 9, NOW + 5),
    ] {
        let batch = patched(&batch(compression), MAX_TIMESTAMP_AT, &header.to_be_bytes());
        assert_eq!(accept(&batch, &config).max_timestamp(), stored, "{compression:?}");
    }
}

#[test]
fn append_time_is_the_brokers_to_give() {
    let mut claiming = builder(PLAIN, &[NOW]).build();
    claiming.set_max_timestamp(NOW - 1, true);
    let accepted = accept(&claiming, &topic(&[]));
    assert!(!accepted.is_log_append_time());
    let appending = topic(&[("message.timestamp.type", "LogAppendTime")]);
    let refused = refuse(claiming.to_bytes(), &appending, 13);
    assert_eq!(refused.error.code(), InvalidTimestamp);
    assert_eq!(refused.record_errors.len(), 1);
}

#[test]
fn compacted_topics_want_keys() {
    let config = topic(&[("cleanup.policy", "compact")]);
    for compression in [PLAIN, GZIP, ZSTD] {
        let mut builder = builder(compression, &[NOW]);
        builder.append(NOW, None, Some(b"value"), &[]);
        builder.append(NOW, Some(b""), None, &[]);
        let refused = refuse(builder.build().to_bytes(), &config, 13);
        assert_eq!(refused.error.code(), InvalidRecord);
        let message = "Record 1 has no key, which a compacted topic needs".to_owned();
        assert_eq!(refused.record_errors, [(1, Some(message.clone()))]);
        assert_eq!(refused.error.message().unwrap(), format!("Refused records: 1. {message}"));
    }
}

#[test]
fn not_all_of_a_million_errors_are_named() {
    let mut builder = BatchBuilder::new(0, ZSTD);
    (0..5000).for_each(|_| builder.append(NOW, None, None, &[]));
    let config = topic(&[("cleanup.policy", "compact")]);
    let refused = refuse(builder.build().to_bytes(), &config, 13);
    assert_eq!(refused.record_errors.len(), RECORD_ERRORS_MAX);
    assert!(refused.error.to_string().contains("Refused records: 5000. Record 0 has no key"));
}

#[test]
fn other_codecs_are_recompressed() {
    let all = [
        ("uncompressed", PLAIN),
        ("gzip", GZIP),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4 { level: 9 }),
        ("zstd", ZSTD),
    ];
    for (name, target) in all {
        for (_, source) in all {
            let config = topic(&[("compression.type", name)]);
            let sent =
                builder(source, &[NOW, NOW + 5, NO_TIMESTAMP]).producer(5, 2, 11, true).build();
            let stored = accept(&sent, &config);
            assert_eq!(stored.compression_type().unwrap(), CompressionType::of(target));
            assert_eq!(stored.records(1 << 20).unwrap(), sent.records(1 << 20).unwrap());
            let producer = (stored.producer_id(), stored.producer_epoch(), stored.base_sequence());
            assert_eq!((producer, stored.is_transactional()), ((5, 2, 11), true));
            assert_eq!((stored.max_timestamp(), stored.last_offset()), (NOW + 5, 2));
        }
    }
    let both = topic(&[("compression.type", "gzip"), ("message.timestamp.type", "LogAppendTime")]);
    let stored = accept(&batch(ZSTD), &both);
    assert!(stored.is_log_append_time() && stored.max_timestamp() == NOW);
}

/// A batch of three records in which record 1 has the offset 2.
fn with_gap(compression: Compression) -> Batch {
    let mut bytes = builder(PLAIN, &[NOW, NOW, NOW]).build().payload().to_vec();
    let at = bytes.len() / 3 + 3;
    assert_eq!(bytes[at], 2, "offset delta 1");
    bytes[at] = 4;
    let mut out = compression::Compressor::new(compression, Vec::new());
    std::io::Write::write_all(&mut out, &bytes).unwrap();
    with_payload(&batch(compression), &out.finish())
}

#[test]
fn wrong_offsets_in_compressed_batches_are_put_right() {
    let config = topic(&[("cleanup.policy", "compact")]);
    let stored = accept(&with_gap(ZSTD), &config);
    let offsets: Vec<_> =
        stored.records(1 << 20).unwrap().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2]);
    let untouched = with_gap(PLAIN);
    assert_eq!(accept(&untouched, &config).payload(), untouched.payload(), "as Kafka");
}

#[test]
fn payloads_that_do_not_decompress() {
    let good = batch(GZIP);
    let broken = patched(&good, HEADER_SIZE, &[0; 8]);
    for pairs in [&[][..], &[("cleanup.policy", "compact")], &[("compression.type", "lz4")]] {
        let refused = refuse(broken.to_bytes(), &topic(pairs), 13);
        assert_eq!(refused.error.code(), UnknownServerError, "as Kafka, whose codec throws");
    }
}

/// The batch with this payload, and with lengths and a checksum that fit.
fn with_payload(batch: &Batch, payload: &[u8]) -> Batch {
    let mut bytes = [&batch.to_bytes()[..HEADER_SIZE], payload].concat();
    let length = (bytes.len() - LOG_OVERHEAD) as i32;
    put(&mut bytes, 8, &length.to_be_bytes());
    patched(&Batch::split_from(&mut bytes.into()).unwrap(), HEADER_SIZE, &[])
}

/// How Java's codecs treat malformed streams and streams that go on, as seen in the answers of
/// Kafka 4.3.1.
#[test]
fn nothing_compressed_and_more_than_that() {
    for (compression, code) in [
        (GZIP, UnknownServerError),
        (Compression::Snappy, UnknownServerError),
        (Compression::Lz4 { level: 9 }, UnknownServerError),
        (ZSTD, InvalidRecord),
    ] {
        let empty = with_payload(&batch(compression), &[]);
        assert_eq!(refuse(empty.to_bytes(), &topic(&[]), 13).error.code(), code, "{compression:?}");
    }
    let good = batch(GZIP);
    let trailing = with_payload(&good, &[&good.payload()[..], b"trailing"].concat());
    assert_eq!(accept(&trailing, &topic(&[])).to_bytes(), trailing.to_bytes());
    let twice = with_payload(&good, &[&good.payload()[..], &good.payload()[..]].concat());
    assert_eq!(refuse(twice.to_bytes(), &topic(&[]), 13).error.code(), InvalidRecord);
}

/// The count in the header has to be that of the payload (DefaultRecordBatch.RecordIterator).
#[test]
fn wrong_counts_of_records() {
    for compression in [PLAIN, GZIP, Compression::Snappy, Compression::Lz4 { level: 9 }, ZSTD] {
        for (count, why) in [(2, "bytes after its last record"), (4, "")] {
            let last_offset_delta: i32 = count - 1;
            let wrong = patched(&batch(compression), 23, &last_offset_delta.to_be_bytes());
            let wrong = patched(&wrong, 57, &count.to_be_bytes());
            let refused = refuse(wrong.to_bytes(), &topic(&[]), 13);
            assert_eq!(refused.error.code(), InvalidRecord, "{compression:?} {count}");
            assert!(refused.error.to_string().contains(why), "{}", refused.error);
        }
    }
}

/// Records larger than a codec's chunk are checked as well.
#[test]
fn records_of_any_size() {
    for compression in [GZIP, Compression::Snappy, Compression::Lz4 { level: 9 }, ZSTD] {
        let mut builder = BatchBuilder::new(0, compression);
        for size in [0, 100, 20_000, 100_000, 1, 16_384, 32_768] {
            builder.append(NOW, Some(b"key"), Some(&vec![7; size]), &[]);
        }
        let batch = builder.build();
        assert_eq!(accept(&batch, &topic(&[])).to_bytes(), batch.to_bytes());
    }
}

/// Most records are read by a short way. It has to find the same as reading field by field, or
/// leave the record to that. Decompressed bytes come in chunks that may end anywhere.
#[test]
fn usual_records_are_what_they_are_field_by_field() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..20_000 {
        let plain = spoilt(&some_records(&mut random), &mut random);
        let codec = random.choice([GZIP, Compression::Snappy, ZSTD]).unwrap();
        let field_by_field: Result<Vec<Record>> = plain.iter(1 << 20).unwrap().collect();
        match field_by_field.is_ok() {
            true => right += 1,
            false => wrong += 1,
        }
        for batch in [compressed(&plain, codec), plain] {
            let mut checked = Vec::new();
            let outcome = batch.iter(1 << 20).unwrap().each_checked(|record| {
                checked.push((record.offset, record.timestamp, record.has_key));
            });
            assert_eq!(outcome.is_ok(), field_by_field.is_ok(), "{batch:?} {:?}", batch.payload());
            if let Ok(records) = &field_by_field {
                let fields =
                    |record: &Record| (record.offset, record.timestamp, record.key.is_some());
                assert_eq!(records.iter().map(fields).collect::<Vec<_>>(), checked, "{batch:?}");
            }
        }
    }
    assert!(right > 5_000 && wrong > 5_000, "{right} {wrong}");
}

/// The same payload, compressed.
fn compressed(batch: &Batch, compression: Compression) -> Batch {
    let mut compressor = Compressor::new(compression, Vec::new());
    compressor.write_all(&batch.payload()).unwrap();
    let attributes = i16::from(CompressionType::of(compression).id());
    patched(&with_payload(batch, &compressor.finish()), 21, &attributes.to_be_bytes())
}

/// Records with sizes and numbers around those at which a varint gets longer.
fn some_records(random: &mut fastrand::Rng) -> Batch {
    let mut builder = BatchBuilder::new(0, PLAIN);
    for _ in 0..random.usize(1..4) {
        let mut bytes = || {
            let size = random.choice([0, 1, 62, 63, 64, 65, 100, 8190, 8191, 8192, 9000]).unwrap();
            random.bool().then(|| vec![7; size])
        };
        let (key, value) = (bytes(), bytes());
        let timestamp = NOW + random.choice([0, 1, 63, 64, 8191, 8192, -5]).unwrap();
        let headers = vec![(Bytes::from("name"), None); usize::from(random.u8(..8) == 0)];
        builder.append(timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build()
}

/// The payload with other bytes where records begin, for half of them; some are cut off.
fn spoilt(batch: &Batch, random: &mut fastrand::Rng) -> Batch {
    let mut payload = batch.payload().to_vec();
    if random.bool() {
        let at = random.usize(..payload.len().min(12));
        payload[at] = random.u8(..);
    }
    let cut = random.usize(..payload.len() * 4).max(1);
    payload.truncate(cut);
    with_payload(batch, &payload)
}
