//! Batches: round trips, bytes of real Kafka, and everything that can be wrong with them.
#![allow(clippy::unwrap_used)]

use super::builder::BatchBuilder;
use super::*;
use crate::config::Compression;

const EVERY: [Compression; 5] = [
    Compression::Uncompressed,
    Compression::Gzip { level: -1 },
    Compression::Snappy,
    Compression::Lz4 { level: 9 },
    Compression::Zstd { level: 3 },
];
const MANY: usize = 64 << 20;

fn sample(compression: Compression) -> (Batch, Vec<Record>) {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut builder = BatchBuilder::new(100, compression).producer(7, 3, i32::MAX - 1, true);
    let mut records = Vec::new();
    for i in 0..300i64 {
        let record = Record {
            offset: 100 + i,
            timestamp: 1_700_000_000_000 - i * i,
            key: (i % 3 > 0).then(|| Bytes::from(format!("key{i}"))),
            value: (i % 5 > 0).then(|| Bytes::from(vec![i as u8; i as usize * 7])),
            headers: match i % 4 {
                0 => vec![],
                1 => vec![(text("h"), None), (text("h"), Some(text("2"))), (text(""), None)],
                _ => vec![(text("h"), Some(text("")))],
            },
        };
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &record.headers);
        records.push(record);
    }
    (builder.build(), records)
}

#[test]
fn what_is_built_is_read() {
    for compression in EVERY {
        let (batch, records) = sample(compression);
        assert!(batch.checksum_holds());
        assert_eq!(batch.records(MANY).unwrap(), records, "{compression:?}");
        let mut bytes = batch.to_bytes();
        let read = Batch::split_from(&mut bytes).unwrap();
        assert!(bytes.is_empty() && read.checksum_holds());
        assert_eq!(read.records(MANY).unwrap(), records, "{compression:?}");
    }
}
