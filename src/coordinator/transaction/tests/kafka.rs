//! What a real broker (4.3.1) wrote: `tests/fixtures/transaction_state.log` is the only partition
//! of `__transaction_state` after transactions under each `transaction.version`
//! (tests/fixtures/README.md).

use super::super::machine::Machine;
use super::super::record::Record;
use super::show;
use crate::codec::schema::transaction::TransactionLogValue;
use crate::config::LiveConfig;
use crate::coordinator::loader;
use crate::coordinator::state_machine::StateMachine;
use crate::record::Batch;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

fn batches() -> Vec<Batch> {
    let mut log =
        Bytes::from_static(include_bytes!("../../../../tests/fixtures/transaction_state.log"));
    let mut batches = Vec::new();
    while !log.is_empty() {
        batches.push(Batch::split_from(&mut log).unwrap());
    }
    batches
}

/// The same value with its partitions sorted. Kafka writes them in the order of a hash set.
fn in_order(value: Bytes) -> Bytes {
    let version = i16::from_be_bytes([value[0], value[1]]);
    let mut read = TransactionLogValue::decode(&mut value.slice(2..), version).unwrap();
    let encode = |read: &TransactionLogValue| {
        let mut bytes = BytesMut::from(&value[..2]);
        read.encode(&mut bytes, version).unwrap();
        bytes.freeze()
    };
    assert_eq!(encode(&read), value);
    let topics = read.transaction_partitions.iter_mut().flatten();
    topics.for_each(|topic| topic.partition_ids.sort_unstable());
    let topics = read.transaction_partitions.iter_mut();
    topics.for_each(|topics| topics.sort_by(|a, b| a.topic.cmp(&b.topic)));
    encode(&read)
}

#[test]
fn records_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut shown = String::new();
    for batch in batches() {
        for record in batch.records(1 << 20).unwrap() {
            let key = record.key.unwrap();
            let decoded = Record::decode(&key, record.value.as_ref()).unwrap().unwrap();
            let value = record.value.map(in_order);
            assert_eq!(decoded.encode().unwrap(), (key, value), "{decoded:?}");
            shown += &show::record(&decoded);
            shown.push('\n');
        }
    }
    // The time of the transition does not matter.
    let since = regex::Regex::new(" since=[0-9]+").unwrap();
    let shown = since.replace_all(&shown, " since=").into_owned();
    assert_eq!(
        shown,
        include_str!("../../../../tests/fixtures/transaction_state.txt"),
        "\n{shown}"
    );
}

#[test]
fn a_log_of_kafkas_is_loaded() {
    let mut machine = Machine::new(LiveConfig::default());
    for batch in batches() {
        loader::replay(&mut machine, &batch).unwrap();
    }
    machine.loaded(0);
    let states: Vec<String> = machine
        .transactions
        .iter()
        .map(|(id, known)| {
            format!("{id} {} {}", known.state.name(), show::producer(known.producer))
        })
        .collect();
    assert_eq!(states.len(), 19, "{states:#?}");
    assert!(states.contains(&"tv2-worn CompleteAbort 1000:1".to_owned()), "{states:#?}");
    assert!(states.contains(&"tv1-open Ongoing 10:0".to_owned()), "{states:#?}");
    assert!(machine.jobs().is_empty(), "nothing is prepared at the end");
}
