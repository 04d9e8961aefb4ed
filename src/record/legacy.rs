//! Messages from before Kafka 0.11 (magic 0 and 1), which Kafka 4 still reads from its logs
//! (LegacyRecord, AbstractLegacyRecordBatch). They are sent to consumers unchanged. A caller that
//! reads one gets an equal batch of magic 2.
//!
//! ```text
//!  0 offset i64 | 8 length i32 (of what follows) | 12 crc u32 (CRC-32 from 16 on)
//! 16 magic i8 = 0 or 1 | 17 attributes i8 | magic 1: timestamp i64
//! key size i32, key | value size i32, value               (-1 is null)
//!
//! attributes: 0-2 compression | 3 log append time
//! ```
//!
//! The value of a compressed message is a sequence of messages. Its own offset is that of the last
//! of them; those of magic 1 count from any number.

use super::builder::BatchBuilder;
use super::compression::{CompressionType, Decompressor};
use super::validate::with_default_level;
use super::{Batch, LOG_OVERHEAD, MAGIC, MAGIC_AT, array};
use crate::error::{Error, Result};
use crate::types::{NO_TIMESTAMP, Offset, Timestamp};
use bytes::Bytes;

const ATTRIBUTES_AT: usize = 17;
const TIMESTAMP_AT: usize = 18;
const COMPRESSION_MASK: u8 = 0x07;
const LOG_APPEND_TIME: u8 = 0x08;
/// The most bytes that a compressed message may decompress to.
const MAX_DECODED_BYTES: usize = 1 << 30;

struct Message {
    offset: Offset,
    attributes: u8,
    timestamp: Timestamp,
    key: Option<Bytes>,
    value: Option<Bytes>,
}

impl Batch {
    /// Like [`Batch::split_from`], but also accepts what was written before Kafka 0.11 and turns it
    /// into an equal batch of magic 2. A wrong checksum is `Error::Corrupt`. An intact message that
    /// cannot be understood is `Error::Config`, so that nobody takes it for garbage.
    pub fn split_stored(bytes: &mut Bytes) -> Result<Batch> {
        match bytes.get(MAGIC_AT) {
            Some(0 | 1) => {
                let Some(size) = Batch::next_size(bytes)? else {
                    return Err(Error::corrupt(format!(
                        "message: cut off after {} bytes",
                        bytes.len()
                    )));
                };
                convert(bytes.split_to(size))
            }
            _ => Batch::split_from(bytes),
        }
    }
}

/// Last offset and largest timestamp of the message that begins with `bytes`; None if it is a batch
/// of magic 2.
pub(crate) fn legacy_header(bytes: &[u8]) -> Option<(Offset, Timestamp)> {
    let timestamp = match bytes[MAGIC_AT] {
        0 => NO_TIMESTAMP,
        1 => i64::from_be_bytes(array(bytes, TIMESTAMP_AT)),
        _ => return None,
    };
    Some((i64::from_be_bytes(array(bytes, 0)), timestamp))
}

fn convert(bytes: Bytes) -> Result<Batch> {
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[MAGIC_AT..]);
    let offset = i64::from_be_bytes(array(&bytes, 0));
    if crc.sum() != u32::from_be_bytes(array(&bytes, LOG_OVERHEAD)) {
        return Err(Error::corrupt(format!("message at offset {offset}: wrong checksum")));
    }
    let magic = bytes[MAGIC_AT];
    rebuild(bytes).map_err(|error| {
        Error::Config(format!(
            "the message at offset {offset}, of format {magic} (before Kafka 0.11), cannot be \
             read: {error}. Let Apache Kafka 4.x copy its topic into a new one, or retention \
             remove it, and start again"
        ))
    })
}

fn rebuild(bytes: Bytes) -> Result<Batch> {
    let outer = Message::parse(&bytes)?;
    let codec = CompressionType::from_id(outer.attributes & COMPRESSION_MASK)?;
    let append_time = (outer.attributes & LOG_APPEND_TIME != 0).then_some(outer.timestamp);
    let magic = bytes[MAGIC_AT] as i8;
    let (is_relative, last) = (magic == 1, outer.offset);
    let mut messages = match codec {
        CompressionType::Uncompressed => vec![outer],
        codec => decompress(codec, magic, outer.value.unwrap_or_default())?,
    };
    let end = messages.last().map(|message| message.offset);
    let Some(end) = end else {
        return Err(Error::corrupt("compressed message with no messages in it"));
    };
    if is_relative {
        messages.iter_mut().for_each(|message| message.offset += last - end);
    }
    let base = messages[0].offset;
    let mut builder = BatchBuilder::new(base, with_default_level(codec));
    if let Some(append_time) = append_time {
        builder = builder.log_append_time(append_time);
    }
    let mut next = base;
    for Message { offset, timestamp, key, value, .. } in messages {
        let delta = i32::try_from(offset - base).ok().filter(|_| offset >= next);
        let Some(delta) = delta else {
            return Err(Error::corrupt("compressed message: offsets out of order"));
        };
        next = offset + 1;
        builder.append_at(delta, timestamp, key.as_deref(), value.as_deref(), &[]);
    }
    Ok(builder.build())
}

fn decompress(codec: CompressionType, magic: i8, value: Bytes) -> Result<Vec<Message>> {
    let mut stream = Decompressor::new(codec, magic, value, MAX_DECODED_BYTES)?;
    let mut messages = Vec::new();
    while !stream.is_at_end()? {
        let head = stream.read_exact(LOG_OVERHEAD)?;
        let size = usize::try_from(i32::from_be_bytes(array(&head, 8))).unwrap_or(0);
        let mut bytes = head.to_vec();
        bytes.extend_from_slice(&stream.read_exact(size)?);
        messages.push(Message::parse(&bytes.into())?);
    }
    Ok(messages)
}

impl Message {
    fn parse(bytes: &Bytes) -> Result<Message> {
        let cut_off = || Error::corrupt("a message is cut off");
        let magic = *bytes.get(MAGIC_AT).ok_or_else(cut_off)?;
        if magic >= MAGIC as u8 {
            return Err(Error::corrupt(format!("message: magic {magic}")));
        }
        let (_, timestamp) = match bytes.len() > TIMESTAMP_AT + 8 {
            true => legacy_header(bytes).unwrap_or((0, NO_TIMESTAMP)),
            false => (0, NO_TIMESTAMP),
        };
        let mut at = if magic == 0 { TIMESTAMP_AT } else { TIMESTAMP_AT + 8 };
        let mut nullable = || {
            let size = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_off)?;
            at += 4;
            let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else { return Ok(None) };
            if size > bytes.len() - at {
                return Err(cut_off());
            }
            at += size;
            Ok(Some(bytes.slice(at - size..at)))
        };
        let (key, value) = (nullable()?, nullable()?);
        let offset = i64::from_be_bytes(array(bytes, 0));
        Ok(Message { offset, attributes: bytes[ATTRIBUTES_AT], timestamp, key, value })
    }
}
