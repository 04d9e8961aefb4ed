//! Checks producers' batches before they are appended (ProduceRequest.validateRecords,
//! UnifiedLog.analyzeAndValidateRecords, LogValidator).

#[cfg(test)]
mod frames;
#[cfg(test)]
mod tests;

use super::builder::BatchBuilder;
use super::compression::{CompressionType, DECOMPRESSED_BYTES_MAX};
use super::iterator::Checked;
use super::{Batch, MAGIC, invalid};
use crate::config::{Compression, TopicConfig};
use crate::error::{Error, Result};
use crate::sync::alone;
use crate::types::{NO_TIMESTAMP, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;

/// Decompressed records of up to this many bytes are checked at once; more of them only by one
/// thread at a time, while others serve the other connections.
const QUICK_BYTES: usize = 8 << 20;
/// The most bad records that an answer names. Kafka names all of them, which may be millions.
const RECORD_ERRORS_MAX: usize = 1000;

/// Why a batch is refused, with the records that were wrong; Produce answers these from version 8
/// on.
#[derive(Debug)]
pub struct Refused {
    /// The error code, and a message for the client.
    pub error: Error,
    /// The index of each bad record in the batch, and what is wrong with it.
    pub record_errors: Vec<(i32, Option<String>)>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused { error, record_errors: Vec::new() }
    }
}

/// Checks the records of one partition of a Produce request: magic, sizes, checksum, counts,
/// timestamps and codec. Recompresses them or sets their times where the topic's settings say so.
/// It runs outside the partition's lock. `produce_version` is at least 3, so there is exactly one
/// batch; from 7 on it may use zstd.
pub fn validate(
    records: Bytes,
    config: &TopicConfig,
    produce_version: i16,
    now: Timestamp,
) -> Result<Vec<Batch>, Refused> {
    let mut batch = only_batch(records, produce_version)?;
    check_append(&batch, config)?;
    let source = batch.compression_type()?;
    check_header(&batch)?;
    let target = config.compression.unwrap_or_else(|| with_default_level(source));
    let rules = Rules { config, now, claims_append_time: batch.is_log_append_time() };
    let examined = match examine(&batch, &rules, target, QUICK_BYTES) {
        // It may be much more than was sent, and may take long.
        Err(Refused { error: Error::TooExpanded { .. }, .. }) => {
            alone(|| examine(&batch, &rules, target, DECOMPRESSED_BYTES_MAX))
        }
        examined => examined,
    };
    match examined? {
        (_, Some(rebuilt)) => {
            batch = rebuilt;
            check_size(&batch, config)?;
        }
        _ if config.log_append_time => batch.set_max_timestamp(now, true),
        (summary, None) => batch.set_max_timestamp(summary.max_timestamp, false),
    }
    Ok(vec![batch])
}

/// Checks the records, which decompressed may have `bytes_max` bytes, and builds the batch again
/// if that is needed.
fn examine(
    batch: &Batch,
    rules: &Rules<'_>,
    target: Compression,
    bytes_max: usize,
) -> Result<(Summary, Option<Batch>), Refused> {
    let summary = sum_up(batch, bytes_max)?;
    if !rules.hold(&summary) {
        refuse_flaws(batch, rules, bytes_max)?;
    }
    let recompress = CompressionType::of(target) != batch.compression_type()?;
    // Kafka has always repaired compressed batches with gaps instead of refusing them.
    if recompress || (batch.is_compressed() && !summary.consecutive) {
        let rebuilt = rebuild(batch, target, rules, bytes_max)?;
        return Ok((summary, Some(rebuilt)));
    }
    Ok((summary, None))
}

/// The one batch of a request of version 3 or later. Bytes after it that are no whole batch are
/// ignored.
fn only_batch(mut records: Bytes, version: i16) -> Result<Batch> {
    if Batch::next_size(&records)?.is_none() {
        return invalid("The partition comes without a record batch");
    }
    if records[super::MAGIC_AT] as i8 != MAGIC {
        return invalid(format!("Version {version} of Produce takes batches of format 2 only"));
    }
    let batch = Batch::split_from(&mut records)?;
    if version < 7 && batch.compression_type()? == CompressionType::Zstd {
        return Err(Error::Explained(
            ResponseError::UnsupportedCompressionType,
            format!("Version {version} of Produce takes no zstd; version 7 does"),
        ));
    }
    if Batch::next_size(&records)?.is_some() {
        return invalid(format!("Version {version} of Produce takes one batch per partition"));
    }
    Ok(batch)
}

fn check_append(batch: &Batch, config: &TopicConfig) -> Result<()> {
    if batch.base_offset() != 0 {
        let base = batch.base_offset();
        return invalid(format!("The batch begins at offset {base}; a producer's begin at 0"));
    }
    check_size(batch, config)?;
    if !batch.checksum_holds() {
        let stored = batch.checksum();
        let message = format!("Record is corrupt (stored crc = {stored})");
        return Err(Error::Explained(ResponseError::CorruptMessage, message));
    }
    Ok(())
}

fn check_size(batch: &Batch, config: &TopicConfig) -> Result<()> {
    let (size, max) = (batch.size(), config.max_message_bytes);
    if size as i64 > i64::from(max) {
        let message = format!("The batch has {size} bytes; max.message.bytes is {max}");
        return Err(Error::Explained(ResponseError::MessageTooLarge, message));
    }
    Ok(())
}

fn check_header(batch: &Batch) -> Result<()> {
    let (base, last) = (batch.base_offset(), batch.last_offset());
    let (count, from_offsets) = (i64::from(batch.count()), last - base + 1);
    if from_offsets <= 0 {
        return invalid(format!("The batch goes from offset {base} back to {last}"));
    }
    if count <= 0 {
        return invalid(format!("The batch says {count} records"));
    }
    if count != from_offsets {
        return invalid(format!(
            "The batch says {count} records and has offsets from {base} to {last}"
        ));
    }
    if batch.is_control() {
        return invalid("Only the broker writes control batches");
    }
    if batch.has_producer_id() && batch.base_sequence() < 0 {
        return invalid(format!(
            "The batch of producer {} has sequence number {}",
            batch.producer_id(),
            batch.base_sequence()
        ));
    }
    Ok(())
}

/// What the records are checked against.
struct Rules<'a> {
    config: &'a TopicConfig,
    now: Timestamp,
    /// The producer set the attribute for log append time, which only the broker may set.
    claims_append_time: bool,
}

/// What can be wrong with a record.
#[derive(Clone, Copy)]
enum Flaw {
    NoKey,
    Timestamp,
    ClaimsAppendTime,
}

impl Rules<'_> {
    /// Whether no record of the batch can have a flaw. If so the records are not checked one by
    /// one.
    fn hold(&self, summary: &Summary) -> bool {
        let timestamps = [summary.min_timestamp, summary.max_timestamp];
        // No age overflows if timestamps are at least -1.
        let in_range = || {
            summary.min_timestamp >= NO_TIMESTAMP
                && !timestamps.iter().any(|timestamp| self.is_out_of_range(*timestamp))
        };
        let lacks_keys = self.config.compact && summary.lacks_keys;
        !(lacks_keys || self.claims_append_time) && (self.config.log_append_time || in_range())
    }

    fn flaw(&self, record: Checked) -> Option<Flaw> {
        if self.config.compact && !record.has_key {
            Some(Flaw::NoKey)
        } else if !self.config.log_append_time && record.timestamp != NO_TIMESTAMP {
            self.is_out_of_range(record.timestamp).then_some(Flaw::Timestamp)
        } else {
            self.claims_append_time.then_some(Flaw::ClaimsAppendTime)
        }
    }

    fn explain(&self, flaw: Flaw, record: Checked) -> (ResponseError, String) {
        let Checked { offset, timestamp, .. } = record;
        match flaw {
            Flaw::NoKey => (
                ResponseError::InvalidRecord,
                format!("Record {offset} has no key, which a compacted topic needs"),
            ),
            Flaw::Timestamp => {
                let earliest = self.now.wrapping_sub(self.config.message_timestamp_before_max_ms);
                let latest = self.now.wrapping_add(self.config.message_timestamp_after_max_ms);
                let message = format!(
                    "Record {offset} has the timestamp {timestamp}; the topic takes {earliest} to \
                     {latest} now"
                );
                (ResponseError::InvalidTimestamp, message)
            }
            Flaw::ClaimsAppendTime => {
                let message = "Only the broker sets LogAppendTime".to_owned();
                (ResponseError::InvalidTimestamp, message)
            }
        }
    }

    fn is_out_of_range(&self, timestamp: Timestamp) -> bool {
        let age = self.now.wrapping_sub(timestamp);
        age > self.config.message_timestamp_before_max_ms
            || age.wrapping_neg() > self.config.message_timestamp_after_max_ms
    }
}

/// What is known about the records of a batch together.
struct Summary {
    min_timestamp: Timestamp,
    max_timestamp: Timestamp,
    lacks_keys: bool,
    /// Whether the offsets increase by one from the first record on.
    consecutive: bool,
}

fn sum_up(batch: &Batch, bytes_max: usize) -> Result<Summary> {
    let (mut min_timestamp, mut max_timestamp) = (Timestamp::MAX, NO_TIMESTAMP);
    let (mut lacks_keys, mut consecutive) = (false, true);
    let mut offset = batch.base_offset();
    batch.iter(bytes_max)?.each_checked(|record| {
        min_timestamp = min_timestamp.min(record.timestamp);
        max_timestamp = max_timestamp.max(record.timestamp);
        lacks_keys |= !record.has_key;
        consecutive &= record.offset == offset;
        offset += 1;
    })?;
    Ok(Summary { min_timestamp, max_timestamp, lacks_keys, consecutive })
}

#[cold]
fn refuse_flaws(batch: &Batch, rules: &Rules<'_>, bytes_max: usize) -> Result<(), Refused> {
    let mut errors = RecordErrors::default();
    let mut index = 0;
    batch.iter(bytes_max)?.each_checked(|record| {
        if let Some(flaw) = rules.flaw(record) {
            errors.add(index, rules.explain(flaw, record));
        }
        index += 1;
    })?;
    errors.into_result()
}

/// The records that are refused.
#[derive(Default)]
struct RecordErrors {
    named: Vec<(i32, Option<String>)>,
    count: usize,
    timestamps: bool,
}

impl RecordErrors {
    fn add(&mut self, index: i32, (code, message): (ResponseError, String)) {
        self.count += 1;
        self.timestamps |= code == ResponseError::InvalidTimestamp;
        if self.named.len() < RECORD_ERRORS_MAX {
            self.named.push((index, Some(message)));
        }
    }

    fn into_result(self) -> Result<(), Refused> {
        if self.count == 0 {
            return Ok(());
        }
        let error = if self.timestamps {
            // Kafka's own tests compare this sentence.
            let message = "One or more records have been rejected due to invalid timestamp";
            Error::Explained(ResponseError::InvalidTimestamp, message.to_owned())
        } else {
            let shown = self.named.iter().take(3).filter_map(|(_, message)| message.as_deref());
            let shown: Vec<&str> = shown.collect();
            let message = format!("Refused records: {}. {}", self.count, shown.join("; "));
            Error::Explained(ResponseError::InvalidRecord, message)
        };
        Err(Refused { error, record_errors: self.named })
    }
}

/// The same records compressed with another codec, with consecutive offsets.
fn rebuild(
    batch: &Batch,
    target: Compression,
    rules: &Rules<'_>,
    bytes_max: usize,
) -> Result<Batch> {
    let Rules { config, now, .. } = *rules;
    let mut builder = BatchBuilder::new(batch.base_offset(), target).producer(
        batch.producer_id(),
        batch.producer_epoch(),
        batch.base_sequence(),
        batch.is_transactional(),
    );
    let message_bytes_max = config.max_message_bytes as usize;
    if config.log_append_time {
        builder = builder.log_append_time(now);
    }
    for record in batch.iter(bytes_max)? {
        let record = record?;
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &record.headers);
        // It will be refused for its size, so the rest of it is not needed.
        if target == Compression::Uncompressed && builder.uncompressed_bytes() > message_bytes_max {
            break;
        }
    }
    Ok(builder.build())
}

/// The codec `source`, at its default level, for a batch that is built again.
pub(super) fn with_default_level(source: CompressionType) -> Compression {
    match source {
        CompressionType::Uncompressed => Compression::Uncompressed,
        CompressionType::Gzip => Compression::Gzip { level: -1 },
        CompressionType::Snappy => Compression::Snappy,
        CompressionType::Lz4 => Compression::Lz4 { level: 9 },
        CompressionType::Zstd => Compression::Zstd { level: 3 },
    }
}
