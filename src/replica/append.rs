//! Appends a producer's records to one partition and fills in the response
//! (ReplicaManager.appendRecords).

use super::Replicas;
use super::partition::{Append, Partition};
use crate::error::Error;
use crate::log::{Origin, Verification};
use crate::record::validate::{Refused, validate};
use crate::types::{NO_EPOCH, Offset, Timestamp, TopicIdPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// The result for one partition of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Why nothing was appended, or why the wait for the ISR failed.
    pub error: Option<ResponseError>,
    /// The error message, where Kafka sends one.
    pub message: Option<String>,
    /// The invalid records: index in the batch, and the reason.
    pub record_errors: Vec<(i32, Option<String>)>,
    /// Offset of the first record, -1 if nothing was appended.
    pub base_offset: Offset,
    /// The timestamp given to the records under LogAppendTime, otherwise -1.
    pub append_time: Timestamp,
    /// The log start offset, -1 if Kafka does not report it with this error.
    pub log_start_offset: Offset,
}

/// Appended records that wait to be replicated to the ISR.
#[derive(Clone, Debug)]
pub struct AwaitedOffset {
    /// The partition that has them.
    pub partition: Arc<Partition>,
    /// All in-sync replicas have the records once the high watermark reaches this offset.
    pub offset: Offset,
}

impl Produced {
    /// A failure that occurred before the log was involved.
    pub fn failed(error: ResponseError) -> Produced {
        Produced {
            error: Some(error),
            message: None,
            record_errors: Vec::new(),
            base_offset: -1,
            append_time: -1,
            log_start_offset: -1,
        }
    }
}

impl Replicas {
    /// Validates and appends the records of one partition. This part of Produce must run in the
    /// order of a connection's requests. A duplicate batch counts as appended; a batch that begins
    /// a transaction must have been verified.
    pub fn produce(
        &self,
        id: TopicIdPartition,
        records: Bytes,
        required_acks: i16,
        produce_version: i16,
        verification: Verification,
        now: Timestamp,
    ) -> (Produced, Option<AwaitedOffset>) {
        let partition = match self.leader(id, NO_EPOCH) {
            Ok(partition) => partition,
            Err(error) => return (Produced::failed(error.code()), None),
        };
        let batches = match validate(records, &partition.config(), produce_version, now) {
            Ok(batches) => batches,
            Err(refused) => return (refusal(&partition, refused), None),
        };
        let count: i64 =
            batches.iter().map(|batch| batch.next_offset() - batch.base_offset()).sum();
        let append = Append { batches, origin: Origin::Client, verification };
        let appended = partition.append_verified(append, NO_EPOCH, required_acks, now);
        let (base_offset, append_time, next_offset, log_start_offset) = match appended {
            Ok(done) => {
                (done.base_offset, done.append_time, done.last_offset + 1, done.log_start_offset)
            }
            Err(Error::Duplicate { base_offset, append_time }) => {
                (base_offset, append_time, base_offset + count, log_start(&partition))
            }
            Err(error) => {
                let refused = Refused { error, record_errors: Vec::new() };
                return (refusal(&partition, refused), None);
            }
        };
        let (error, message, record_errors) = (None, None, Vec::new());
        let produced =
            Produced { error, message, record_errors, base_offset, append_time, log_start_offset };
        (produced, Some(AwaitedOffset { partition, offset: next_offset }))
    }
}

/// The result of a refusal, with the fields that Kafka sets: the log start offset only with errors
/// that the producer can fix, and a message only if single records are named.
fn refusal(partition: &Partition, refused: Refused) -> Produced {
    let code = refused.error.code();
    let tells_log_start = !matches!(
        code,
        ResponseError::UnknownTopicOrPartition
            | ResponseError::UnknownTopicId
            | ResponseError::NotLeaderOrFollower
            | ResponseError::MessageTooLarge
            | ResponseError::RecordListTooLarge
            | ResponseError::CorruptMessage
            | ResponseError::UnsupportedCompressionType
            | ResponseError::KafkaStorageError
    );
    let has_record_errors = !refused.record_errors.is_empty();
    Produced {
        message: has_record_errors.then(|| refused.error.message()).flatten(),
        record_errors: refused.record_errors,
        log_start_offset: if tells_log_start { log_start(partition) } else { -1 },
        ..Produced::failed(code)
    }
}

fn log_start(partition: &Partition) -> Offset {
    partition.log().map_or(-1, |log| log.log_start_offset())
}
