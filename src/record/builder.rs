//! Makes batches: coordinators, the controller and recompression write with it.

use super::Batch;
use crate::config::Compression;
use crate::types::{Offset, ProducerId, Timestamp};
use bytes::Bytes;

/// Collects records into one batch, offsets from `base_offset` on, one by one.
#[derive(Debug)]
pub struct BatchBuilder {}

#[allow(missing_docs, clippy::new_without_default)]
impl BatchBuilder {
    pub fn new(base_offset: Offset, compression: Compression) -> BatchBuilder {
        let _ = (base_offset, compression);
        todo!("record engineer")
    }
    /// Makes it a control batch (transaction markers, KRaft control records).
    pub fn control(self) -> Self {
        todo!()
    }
    /// Producer id, epoch, base sequence (-1 when none) and whether it is transactional.
    pub fn producer(self, id: ProducerId, epoch: i16, sequence: i32, transactional: bool) -> Self {
        let _ = (id, epoch, sequence, transactional);
        todo!()
    }
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(Bytes, Option<Bytes>)],
    ) {
        let _ = (timestamp, key, value, headers);
        todo!()
    }
    pub fn build(self) -> Batch {
        todo!()
    }
}
