//! What a leader checks in a producer's batches before they reach the log (LogValidator).

use super::Batch;
use crate::config::TopicConfig;
use crate::error::Result;
use crate::types::Timestamp;
use bytes::Bytes;

/// A refused batch names the records that were wrong, as Produce v8+ answers them.
#[derive(Debug)]
pub struct Refused {
    /// The code and, for the person, the sentence.
    pub error: crate::error::Error,
    /// Index of each bad record in the request's batch and what was wrong with it.
    pub record_errors: Vec<(i32, Option<String>)>,
}

/// The batches of one partition of a Produce request, checked: magic, size, checksum, counts,
/// timestamps, codec; recompressed or stamped where the topic's settings ask for it. Runs outside
/// of the partition's lock. `produce_version` decides whether zstd may be used (7) and how many
/// batches there may be (exactly one from version 3 on).
pub fn validate(
    records: Bytes,
    config: &TopicConfig,
    produce_version: i16,
    now: Timestamp,
) -> Result<Vec<Batch>, Refused> {
    let _ = (records, config, produce_version, now);
    todo!("record engineer")
}
