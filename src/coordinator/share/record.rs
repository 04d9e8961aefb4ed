//! The records of `__share_group_state` (ShareCoordinatorRecordHelpers). A snapshot holds all that
//! is known about a share partition; an update changes the last snapshot; a tombstone of the
//! snapshot forgets both.

use super::batches::{DeliveryBatch, DeliveryBatches};
use super::key::SharePartitionKey;
use super::state::{ShareState, ShareUpdate};
use crate::codec::schema::share::{
    ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue, share_snapshot_value,
    share_update_value,
};
use crate::error::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

/// The version of keys and values; there is only one.
const VERSION: i16 = 0;

/// A record of `__share_group_state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareRecord {
    /// The whole state; None forgets it.
    Snapshot(SharePartitionKey, Option<ShareState>),
    /// What changes in the state.
    Update(SharePartitionKey, ShareUpdate),
}

impl ShareRecord {
    /// Encodes the record as key and value.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>)> {
        match self {
            ShareRecord::Snapshot(key, state) => {
                let (group_id, topic_id) = (key.group().to_owned(), key.topic_id());
                let partition = key.partition();
                let key = ShareSnapshotKey { group_id, topic_id, partition };
                let value = state.as_ref().map(|state| message(VERSION, &snapshot_of(state)));
                Ok((message(ShareSnapshotKey::KEY, &key)?, value.transpose()?))
            }
            ShareRecord::Update(key, update) => {
                let (group_id, topic_id) = (key.group().to_owned(), key.topic_id());
                let partition = key.partition();
                let key = ShareUpdateKey { group_id, topic_id, partition };
                let value = message(VERSION, &update_of(update))?;
                Ok((message(ShareUpdateKey::KEY, &key)?, Some(value)))
            }
        }
    }

    /// Decodes a record; None if its type, or the version of its value, is newer than this broker.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<ShareRecord>> {
        let (mut key, mut value) = (key.clone(), value.cloned());
        let record_type = number(&mut key)?;
        let version = value.as_mut().map_or(Ok(VERSION), number)?;
        Ok(match (record_type, value) {
            _ if version != VERSION => None,
            (ShareSnapshotKey::KEY, value) => {
                let ShareSnapshotKey { group_id, topic_id, partition } = read(key)?;
                let key = SharePartitionKey::new(group_id, topic_id, partition);
                let state = value.map(read).transpose()?.map(state_of);
                Some(ShareRecord::Snapshot(key, state))
            }
            (ShareUpdateKey::KEY, Some(value)) => {
                let ShareUpdateKey { group_id, topic_id, partition } = read(key)?;
                let key = SharePartitionKey::new(group_id, topic_id, partition);
                Some(ShareRecord::Update(key, changes_of(read(value)?)))
            }
            (ShareUpdateKey::KEY, None) => return Err(invalid("an update without a value")),
            _ => None,
        })
    }
}

fn snapshot_of(state: &ShareState) -> ShareSnapshotValue {
    let batch = |batch: &DeliveryBatch| share_snapshot_value::StateBatch {
        first_offset: batch.first,
        last_offset: batch.last,
        delivery_state: batch.state,
        delivery_count: batch.count,
    };
    ShareSnapshotValue {
        snapshot_epoch: state.snapshot_epoch,
        state_epoch: state.state_epoch,
        leader_epoch: state.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
        create_timestamp: state.created,
        write_timestamp: state.written,
        state_batches: state.batches.iter().map(batch).collect(),
    }
}

fn state_of(value: ShareSnapshotValue) -> ShareState {
    let batch = |batch: share_snapshot_value::StateBatch| DeliveryBatch {
        first: batch.first_offset,
        last: batch.last_offset,
        state: batch.delivery_state,
        count: batch.delivery_count,
    };
    let batches: Vec<DeliveryBatch> = value.state_batches.into_iter().map(batch).collect();
    ShareState {
        snapshot_epoch: value.snapshot_epoch,
        state_epoch: value.state_epoch,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        created: value.create_timestamp,
        written: value.write_timestamp,
        batches: DeliveryBatches::combine(&batches),
    }
}

fn update_of(update: &ShareUpdate) -> ShareUpdateValue {
    let batch = |batch: &DeliveryBatch| share_update_value::StateBatch {
        first_offset: batch.first,
        last_offset: batch.last,
        delivery_state: batch.state,
        delivery_count: batch.count,
    };
    ShareUpdateValue {
        snapshot_epoch: update.snapshot_epoch,
        leader_epoch: update.leader_epoch,
        start_offset: update.start_offset,
        delivery_complete_count: update.delivery_complete_count,
        state_batches: update.batches.iter().map(batch).collect(),
    }
}

fn changes_of(value: ShareUpdateValue) -> ShareUpdate {
    let batch = |batch: share_update_value::StateBatch| DeliveryBatch {
        first: batch.first_offset,
        last: batch.last_offset,
        state: batch.delivery_state,
        count: batch.delivery_count,
    };
    let batches: Vec<DeliveryBatch> = value.state_batches.into_iter().map(batch).collect();
    ShareUpdate {
        snapshot_epoch: value.snapshot_epoch,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        batches: DeliveryBatches::combine(&batches),
    }
}

/// The type of a key, or the version of a value.
fn number(bytes: &mut Bytes) -> Result<i16> {
    match bytes.len() {
        0 | 1 => Err(invalid("no type or version")),
        _ => Ok(bytes.get_i16()),
    }
}

fn read<T: Decodable>(mut bytes: Bytes) -> Result<T> {
    T::decode(&mut bytes, VERSION).map_err(invalid)
}

fn message<T: Encodable>(prefix: i16, message: &T) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(prefix);
    message.encode(&mut bytes, VERSION).map_err(invalid)?;
    Ok(bytes.freeze())
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("state of a share partition: {why}"))
}
