//! What a real broker (4.3.1) wrote: `tests/fixtures/consumer_offsets.log` is the one partition of
//! `__consumer_offsets` after the scenarios were played against it, a consumer of KIP-848, and a
//! producer that committed an offset of `t-0` in one transaction and aborted another.

use super::super::record::Record;
use super::super::shard::Shard;
use super::show;
use crate::config::Config;
use crate::coordinator::loader;
use crate::coordinator::state_machine::StateMachine;
use crate::record::Batch;
use bytes::Bytes;
use std::sync::Arc;

fn batches() -> Vec<Batch> {
    let mut log =
        Bytes::from_static(include_bytes!("../../../../tests/fixtures/consumer_offsets.log"));
    let mut batches = Vec::new();
    while !log.is_empty() {
        batches.push(Batch::split_from(&mut log).unwrap());
    }
    batches
}

#[test]
fn records_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut ours = 0;
    for batch in batches().iter().filter(|batch| !batch.is_control()) {
        for record in batch.records(1 << 20).unwrap() {
            let key = record.key.unwrap();
            let decoded = Record::decode(&key, record.value.as_ref()).unwrap();
            if matches!(decoded, Record::OffsetCommit(..) | Record::GroupMetadata(..)) {
                assert_eq!(decoded.encode().unwrap(), (key, record.value), "{decoded:?}");
                ours += 1;
            }
        }
    }
    assert_eq!(ours, 58);
}

#[test]
fn a_log_of_kafkas_is_loaded() {
    let mut shard = Shard::new(Arc::new(Config::default()), 1);
    for batch in batches() {
        loader::replay(&mut shard, &batch).unwrap();
    }
    shard.loaded(0);
    let state = show::state(&shard);
    assert_eq!(state, include_str!("../../../../tests/fixtures/consumer_offsets.txt"), "\n{state}");
}
