//! The parts that a request passes through, each alone: `cargo bench --bench paths [-- FILTER]`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod coordinators;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod log;
mod world;

use bytes::{Bytes, BytesMut};
use divan::counter::BytesCount;
use divan::{Bencher, Divan, black_box};
use kafka_protocol::protocol::{Encodable, StrBytes};
use klamm::codec;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use klamm::codec::messages::{ApiKey, ProduceRequest, ProduceResponse, TopicName};
use klamm::config::{Compression, Config, TopicConfig};
use klamm::record::validate::validate;
use std::sync::Arc;
use std::time::Duration;

const SIZES: [usize; 3] = [1200, 16 << 10, 256 << 10];
const PRODUCE: i16 = 0;
const PRODUCE_VERSION: i16 = 9;

fn main() {
    Divan::default().max_time(Duration::from_secs(1)).config_with_args().main();
}

/// The settings of a topic that sets none.
fn topic_config() -> Arc<TopicConfig> {
    Config::default().topic(&Default::default()).unwrap()
}

#[divan::bench(args = SIZES)]
fn validate_uncompressed(bencher: Bencher, size: usize) {
    validates(bencher, size, Compression::Uncompressed);
}

#[divan::bench(args = SIZES)]
fn validate_gzip(bencher: Bencher, size: usize) {
    validates(bencher, size, Compression::Gzip { level: 6 });
}

#[divan::bench(args = SIZES)]
fn validate_snappy(bencher: Bencher, size: usize) {
    validates(bencher, size, Compression::Snappy);
}

#[divan::bench(args = SIZES)]
fn validate_lz4(bencher: Bencher, size: usize) {
    validates(bencher, size, Compression::Lz4 { level: 9 });
}

#[divan::bench(args = SIZES)]
fn validate_zstd(bencher: Bencher, size: usize) {
    validates(bencher, size, Compression::Zstd { level: 3 });
}

fn validates(bencher: Bencher, size: usize, compression: Compression) {
    let (batch, config) = (fixtures::batch(1, size, compression).to_bytes(), topic_config());
    let now = klamm::clock::Clock::System.now();
    bencher
        .counter(BytesCount::new(batch.len()))
        .bench_local(|| validate(batch.clone(), &config, PRODUCE_VERSION, now).unwrap());
}

#[divan::bench(args = [1, 8])]
fn decode_produce_of_partitions(bencher: Bencher, partitions: i32) {
    let body = produce_request(partitions, 1200);
    bencher.bench_local(|| {
        let checked = codec::check(PRODUCE, PRODUCE_VERSION, body.clone(), 0).unwrap();
        checked.decode::<ProduceRequest>().unwrap()
    });
}

#[divan::bench(args = [1, 8])]
fn encode_produced_of_partitions(bencher: Bencher, partitions: i32) {
    let partitions = (0..partitions)
        .map(|index| PartitionProduceResponse::default().with_index(index).with_base_offset(1000));
    let topic = TopicProduceResponse::default()
        .with_name(name("bench"))
        .with_partition_responses(partitions.collect());
    let response = ProduceResponse::default().with_responses(vec![topic]);
    let key = ApiKey::Produce as i16;
    bencher.bench_local(|| codec::encode(key, PRODUCE_VERSION, 7, black_box(&response)));
}

/// The body of a request with a batch for each of several partitions.
fn produce_request(partitions: i32, size: usize) -> Bytes {
    let records = fixtures::batch(1, size, Compression::Uncompressed).to_bytes();
    let partitions = (0..partitions).map(|index| {
        PartitionProduceData::default().with_index(index).with_records(Some(records.clone()))
    });
    let topic = TopicProduceData::default()
        .with_name(name("bench"))
        .with_partition_data(partitions.collect());
    let request =
        ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    encode(&request, PRODUCE_VERSION)
}

fn name(topic: &'static str) -> TopicName {
    StrBytes::from_static_str(topic).into()
}

fn encode(message: &impl Encodable, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out.freeze()
}
