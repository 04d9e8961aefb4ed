//! Appending what a producer sent to one partition, up to the answer's fields
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

/// What became of one partition's records, as Produce answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Why nothing was appended, or why the wait for the ISR failed.
    pub error: Option<ResponseError>,
    /// The sentence, where Kafka sends one.
    pub message: Option<String>,
    /// The records that were wrong: index in the batch, and what was wrong.
    pub record_errors: Vec<(i32, Option<String>)>,
    /// Offset of the first record, -1 if nothing was appended.
    pub base_offset: Offset,
    /// Under LogAppendTime the time stamped on the records, else -1.
    pub append_time: Timestamp,
    /// First offset of the log, -1 if Kafka does not tell it with this error.
    pub log_start_offset: Offset,
}

/// Records that are appended and wait for the ISR.
#[derive(Clone, Debug)]
pub struct AwaitedOffset {
    /// Where they are.
    pub partition: Arc<Partition>,
    /// The high watermark that means that all in-sync replicas have them.
    pub offset: Offset,
}

impl Produced {
    /// Refused before the log was asked.
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
    /// Checks and appends one partition's records: the part of Produce that must happen in the
    /// order of a connection's requests. A batch that was appended before counts as appended; one that
    /// begins a transaction has to be verified.
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

/// As Kafka fills it: the log's start comes with the errors that are the producer's to mend, a
/// sentence only with those that name records.
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
