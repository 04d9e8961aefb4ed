//! Batches as compaction rewrites them (MemoryRecords.buildRetainedRecordsInto,
//! DefaultRecordBatch.writeEmptyHeader).

use super::builder::BatchBuilder;
use super::validate::with_default_level;
use super::{Batch, CONTROL_FLAG, HEADER_SIZE, LOG_APPEND_TIME_FLAG, LOG_OVERHEAD, MAGIC};
use super::{NO_TIMESTAMP, Record, TRANSACTIONAL_FLAG, put};
use crate::error::{Error, Result};
use crate::types::Timestamp;

impl Batch {
    /// The same batch with only `records`, which are some of its own. Offsets, last offset,
    /// producer, codec and leader epoch stay the same. Compaction may remove its tombstones and its
    /// marker from `delete_horizon` on (KIP-534). Records out of order are `Error::Corrupt`.
    pub fn with_records(
        &self,
        records: &[Record],
        delete_horizon: Option<Timestamp>,
    ) -> Result<Batch> {
        let codec = with_default_level(self.compression_type()?);
        let mut builder = BatchBuilder::new(self.base_offset(), codec).producer(
            self.producer_id(),
            self.producer_epoch(),
            self.base_sequence(),
            self.is_transactional(),
        );
        if self.is_control() {
            builder = builder.control();
        }
        if let Some(append_time) = self.append_time() {
            builder = builder.log_append_time(append_time);
        }
        if let Some(horizon) = delete_horizon {
            builder = builder.delete_horizon(horizon);
        }
        let mut next = self.base_offset();
        for record in records {
            if !(next..=self.last_offset()).contains(&record.offset) {
                let (offset, base) = (record.offset, self.base_offset());
                return Err(Error::corrupt(format!(
                    "batch at {base}: offset {offset} out of order"
                )));
            }
            next = record.offset + 1;
            let delta = (record.offset - self.base_offset()) as i32;
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.append_at(delta, record.timestamp, key, value, &record.headers);
        }
        builder.end_at(self.last_offset_delta());
        let mut batch = builder.build();
        batch.set_leader_epoch(self.leader_epoch());
        Ok(batch)
    }

    /// The batch without records. It still tells the last offset and its producer's last sequence.
    pub fn without_records(&self) -> Batch {
        let kept = LOG_APPEND_TIME_FLAG | TRANSACTIONAL_FLAG | CONTROL_FLAG;
        let mut bytes = vec![0; HEADER_SIZE];
        put(&mut bytes, 0, &self.prefix());
        put(&mut bytes, 8, &((HEADER_SIZE - LOG_OVERHEAD) as i32).to_be_bytes());
        put(&mut bytes, 16, &MAGIC.to_be_bytes());
        put(&mut bytes, 21, &(self.attributes() & kept).to_be_bytes());
        put(&mut bytes, 23, &self.last_offset_delta().to_be_bytes());
        put(&mut bytes, 27, &NO_TIMESTAMP.to_be_bytes());
        put(&mut bytes, 35, &self.max_timestamp().to_be_bytes());
        put(&mut bytes, 43, &self.producer_id().to_be_bytes());
        put(&mut bytes, 51, &self.producer_epoch().to_be_bytes());
        put(&mut bytes, 53, &self.base_sequence().to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        put(&mut bytes, 17, &crc.to_be_bytes());
        Batch::from_whole(bytes.into())
    }
}
