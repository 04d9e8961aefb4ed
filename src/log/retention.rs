//! Deletes segments by age, by size and by log start offset, and then their files.

use super::producer_state::SNAPSHOT;
use super::segment::{SUFFIXES, Segment};
use super::{Log, file_name, put_off};
use crate::disk::{Access, Disk};
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::path::PathBuf;

/// Suffix of a file that will be removed.
pub(super) const DELETED: &str = ".deleted";

/// Files renamed to `.deleted`, with the time from which they may be removed.
#[derive(Debug, Default)]
pub(super) struct Trash {
    files: Vec<(Timestamp, PathBuf)>,
}

impl Trash {
    fn put(&mut self, disk: &Disk, path: PathBuf, due: Timestamp) -> Result<()> {
        if disk.file_len(&path)?.is_none() {
            return Ok(());
        }
        let mut deleted = path.clone().into_os_string();
        deleted.push(DELETED);
        disk.rename_unsynced(&path, deleted.as_ref())?;
        self.add(deleted.into(), due);
        Ok(())
    }

    /// Adds a file that is already renamed.
    pub fn add(&mut self, path: PathBuf, due: Timestamp) {
        self.files.push((due, path));
    }

    /// Takes the files that are due; the closure removes them.
    pub fn take_due(&mut self, disk: &Disk, now: Timestamp) -> impl FnOnce() -> Result<()> + use<> {
        let due: Vec<_> = self.files.extract_if(.., |(due, _)| *due <= now).collect();
        let disk = disk.clone();
        move || due.iter().try_for_each(|(_, path)| disk.remove_file(path))
    }
}

impl Log {
    /// Deletes segments by age, size and log start offset as `cleanup.policy` allows, and removes
    /// files deleted `file.delete.delay.ms` ago. Returns the number of deleted segments. Unlike
    /// Kafka, this also rolls an active segment that is older than `segment.ms` when nothing is
    /// appended, so that retention and compaction can reach it.
    pub fn clean_up(&mut self, now: Timestamp) -> Result<usize> {
        self.now = now;
        self.trash.take_due(&self.disk, now)()?;
        if self.active().is_stale(&self.config, self.roll_jitter_ms, now)? {
            put_off(self.roll_at(self.end_offset))?;
        }
        let mut deleted = self.delete_below_log_start()?;
        if self.config.delete {
            deleted += self.delete_by_size()? + self.delete_by_time()?;
        }
        Ok(deleted)
    }

    /// Forgets producers that were idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Timestamp) {
        self.producers.expire(now);
    }

    /// Takes the files of segments deleted `file.delete.delay.ms` ago. The returned closure removes
    /// them and is called without the log's lock, because freeing a large file takes long.
    pub fn take_trash(&mut self, now: Timestamp) -> impl FnOnce() -> Result<()> + use<> {
        self.trash.take_due(&self.disk, now)
    }

    /// Moves the log start offset up (DeleteRecords); segments below it are deleted later.
    /// OFFSET_OUT_OF_RANGE above the high watermark.
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<()> {
        if offset > self.high_watermark {
            return Err(Error::Explained(
                ResponseError::OffsetOutOfRange,
                format!(
                    "The log of {} cannot begin at {offset}, which is beyond its high watermark \
                     {}",
                    self.partition, self.high_watermark
                ),
            ));
        }
        if offset > self.log_start_offset {
            self.log_start_offset = offset;
            // Unlike in Kafka, the recovery point stays: deleted records need no recovery.
            self.epochs.truncate_from_start(offset);
            self.producers.advance_log_start(offset);
        }
        Ok(())
    }

    fn delete_below_log_start(&mut self) -> Result<usize> {
        let count = self.segments.partition_point(|s| s.base_offset() <= self.log_start_offset);
        self.delete_first(count.saturating_sub(1), || "below the log start offset".to_owned())
    }

    fn delete_by_size(&mut self) -> Result<usize> {
        let Ok(retention_bytes) = u64::try_from(self.config.retention_bytes) else { return Ok(0) };
        let Some(mut excess) = self.size().checked_sub(retention_bytes) else { return Ok(0) };
        let why = || format!("the log was larger than retention.bytes={retention_bytes}");
        self.delete_while(why, |log, index| {
            let size = log.segments[index].size();
            let fits = size <= excess;
            excess = excess.saturating_sub(size);
            Ok(fits)
        })
    }

    fn delete_by_time(&mut self) -> Result<usize> {
        let (retention_ms, now) = (self.config.retention_ms, self.now);
        if retention_ms < 0 {
            return Ok(0);
        }
        let why = || format!("all records were older than retention.ms={retention_ms}");
        self.delete_while(why, |log, index| {
            Ok(now.saturating_sub(log.time_of_newest(index)?) > retention_ms)
        })
    }

    /// The time of a segment's newest record. Those that a damaged segment has lost may be as new as
    /// its file.
    fn time_of_newest(&self, index: usize) -> Result<Timestamp> {
        let segment = &self.segments[index];
        let newest = segment.largest_timestamp()?;
        match self.pass(index, Access::Waiting) {
            Err(Error::Corrupt { .. }) => Ok(newest.max(segment.modified()?)),
            passed => passed.map(|_| newest),
        }
    }

    /// Deletes segments from the first one on while `wanted` is true. Stops at a segment with
    /// records above the high watermark, and at an empty active one.
    fn delete_while(
        &mut self,
        why: impl FnOnce() -> String,
        mut wanted: impl FnMut(&Log, usize) -> Result<bool>,
    ) -> Result<usize> {
        let mut count = 0;
        while count < self.segments.len() {
            let segment = &self.segments[count];
            let empty_active = count + 1 == self.segments.len() && segment.size() == 0;
            if self.end_of(count) > self.high_watermark || empty_active || !wanted(self, count)? {
                break;
            }
            count += 1;
        }
        self.delete_first(count, why)
    }

    fn delete_first(&mut self, count: usize, why: impl FnOnce() -> String) -> Result<usize> {
        if count == 0 {
            return Ok(0);
        }
        if count == self.segments.len() {
            self.roll_at(self.end_offset)?;
        }
        self.advance_log_start(self.segments[count].base_offset())?;
        let gone: Vec<Segment> = self.segments.drain(..count).collect();
        let (partition, size) = (&self.partition, gone.iter().map(Segment::size).sum::<u64>());
        let (from, to) = (gone[0].base_offset(), self.log_start_offset);
        let why = why();
        tracing::info!(
            "deleted {count} segments of {partition}, {size} bytes, offsets {from} to {to}: {why}"
        );
        self.discard(gone)?;
        Ok(count)
    }

    /// Renames the files of removed segments; they are kept for `file.delete.delay.ms`.
    pub(super) fn discard(&mut self, segments: Vec<Segment>) -> Result<()> {
        let due = self.now.saturating_add(self.config.file_delete_delay_ms);
        for segment in segments {
            for suffix in SUFFIXES {
                self.trash.put(&self.disk, segment.path(suffix), due)?;
            }
            self.producers.forget_snapshot(segment.base_offset());
            let snapshot = self.path(&file_name(segment.base_offset(), SNAPSHOT));
            self.trash.put(&self.disk, snapshot, due)?;
        }
        Ok(())
    }
}
