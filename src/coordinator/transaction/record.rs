//! The records of `__transaction_state` (TransactionLog). The last record of a transactional id
//! holds all that is known about it; a tombstone forgets it.

use super::metadata::{NO_PRODUCER_EPOCH, Producer, Transaction};
use super::state::TransactionState;
use crate::codec::schema::transaction::transaction_log_value::PartitionsSchema;
use crate::codec::schema::transaction::{TransactionLogKey, TransactionLogValue};
use crate::error::{Error, Result};
use crate::types::TopicPartition;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version of the key; there is only one.
const KEY_VERSION: i16 = 0;
/// The newest version of the value that is known here; the oldest is 0.
const NEWEST_VALUE_VERSION: i16 = 1;

/// A record of `__transaction_state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `transactional.id`.
    pub id: Arc<str>,
    /// The version of the value, and the value; None forgets the id. Version 0 lacks the previous
    /// and next producer id and the client's version.
    pub value: Option<(i16, Transaction)>,
}

impl Record {
    /// Encodes the record as key and value.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>)> {
        let key = TransactionLogKey { transactional_id: self.id.to_string() };
        let key = message(KEY_VERSION, 0, &key)?;
        let value = match &self.value {
            None => None,
            Some((version, transaction)) => {
                Some(message(*version, *version, &value_of(transaction, *version))?)
            }
        };
        Ok((key, value))
    }

    /// Decodes a record; None if the version of its key or value is newer than this broker.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>> {
        let mut key = key.clone();
        if version_of(&mut key)? != KEY_VERSION {
            return Ok(None);
        }
        let id = read::<TransactionLogKey>(&mut key, 0)?.transactional_id;
        let value = match value {
            None => None,
            Some(value) => {
                let mut value = value.clone();
                let version = version_of(&mut value)?;
                if !(0..=NEWEST_VALUE_VERSION).contains(&version) {
                    return Ok(None);
                }
                Some((version, transaction_of(read(&mut value, version)?)?))
            }
        };
        Ok(Some(Record { id: id.into(), value }))
    }
}

fn value_of(transaction: &Transaction, version: i16) -> TransactionLogValue {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for TopicPartition { topic, partition } in &transaction.partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics
        .into_iter()
        .map(|(topic, partition_ids)| PartitionsSchema { topic: topic.to_owned(), partition_ids });
    let value = TransactionLogValue {
        producer_id: transaction.producer.id,
        producer_epoch: transaction.producer.epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.state.id(),
        transaction_partitions: (transaction.state != TransactionState::Empty)
            .then(|| topics.collect()),
        transaction_last_update_timestamp_ms: transaction.updated,
        transaction_start_timestamp_ms: transaction.started,
        ..TransactionLogValue::default()
    };
    match version {
        0 => value,
        _ => TransactionLogValue {
            previous_producer_id: transaction.previous_producer_id,
            next_producer_id: transaction.next_producer_id,
            client_transaction_version: transaction.client_version,
            ..value
        },
    }
}

fn transaction_of(value: TransactionLogValue) -> Result<Transaction> {
    let status = value.transaction_status;
    let state = TransactionState::from_id(status)
        .ok_or_else(|| Error::corrupt(format!("transaction state {status}")))?;
    let topics = value.transaction_partitions.unwrap_or_default().into_iter();
    let partitions = topics.flat_map(|topic| {
        let name: Arc<str> = topic.topic.into();
        let ids = topic.partition_ids.into_iter();
        ids.map(move |partition| TopicPartition { topic: name.clone(), partition })
    });
    Ok(Transaction {
        producer: Producer { id: value.producer_id, epoch: value.producer_epoch },
        previous_producer_id: value.previous_producer_id,
        next_producer_id: value.next_producer_id,
        last_producer_epoch: NO_PRODUCER_EPOCH,
        timeout_ms: value.transaction_timeout_ms,
        state,
        partitions: partitions.collect(),
        started: value.transaction_start_timestamp_ms,
        updated: value.transaction_last_update_timestamp_ms,
        client_version: value.client_transaction_version,
    })
}

fn version_of(bytes: &mut Bytes) -> Result<i16> {
    if bytes.len() < 2 {
        return Err(Error::corrupt("record of a transaction: no version"));
    }
    Ok(bytes.get_i16())
}

fn read<T: Decodable>(bytes: &mut Bytes, version: i16) -> Result<T> {
    T::decode(bytes, version).map_err(|error| Error::corrupt(format!("transaction: {error}")))
}

fn message<T: Encodable>(prefix: i16, version: i16, message: &T) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(prefix);
    let encoded = message.encode(&mut bytes, version);
    encoded.map_err(|error| Error::corrupt(format!("transaction: {error}")))?;
    Ok(bytes.freeze())
}
