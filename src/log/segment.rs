//! A segment: a file of batches and its indexes (LogSegment).

mod sealed;
mod seek;

use super::file_name;
use super::offset_index::{self, OffsetIndex, OffsetPosition};
use super::scan::{Batches, Header, Headers};
use super::time_index::{self, TimeIndex, TimestampEntry};
use super::transaction_index::{self, TransactionIndex};
use crate::config::TopicConfig;
use crate::disk::{Access, Cached, Disk, File, FileRange};
use crate::error::Result;
use crate::record::{Batch, PREFIX_SIZE};
use crate::types::{NO_TIMESTAMP, Offset, Timestamp};
pub(super) use sealed::End;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// Suffix of the file that holds the batches.
pub(super) const SUFFIX: &str = ".log";
/// The suffixes of a segment's files.
pub(super) const SUFFIXES: [&str; 4] =
    [SUFFIX, offset_index::SUFFIX, time_index::SUFFIX, transaction_index::SUFFIX];
/// The suffixes of a segment that compaction is writing.
pub(super) const CLEANED_SUFFIXES: [&str; 4] =
    [".log.cleaned", ".index.cleaned", ".timeindex.cleaned", ".txnindex.cleaned"];
/// Batches of one append that are written without allocating memory.
const CHUNK: usize = 16;
/// How many of the latest batches are remembered for readers at the end of the log.
const RECENT: usize = 32;

/// What a reader at the end of the log needs to know of a batch.
#[derive(Clone, Copy, Debug)]
struct Recent {
    base_offset: Offset,
    last_offset: Offset,
    position: u64,
}

/// The location of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub base_offset: Offset,
    pub position: u64,
    pub size: u64,
}

/// The result of a search.
pub(super) enum Lookup<T> {
    Found(T),
    Nothing,
    /// This data must be brought into memory first.
    Missed(FileRange),
}

#[derive(Debug)]
pub(super) struct Segment {
    disk: Disk,
    dir: Arc<Path>,
    base_offset: Offset,
    /// Suffix of `file`.
    suffix: &'static str,
    file: Arc<Cached<File>>,
    size: u64,
    pub offset_index: OffsetIndex,
    pub time_index: TimeIndex,
    pub transaction_index: TransactionIndex,
    /// The largest timestamp so far; for a segment found on disk, the last entry of the time index.
    max_timestamp: OnceLock<TimestampEntry>,
    /// The largest timestamp of the first batch. The segment's age is counted from it.
    first_timestamp: OnceLock<Timestamp>,
    created: Timestamp,
    unindexed_bytes: u64,
    recent: VecDeque<Recent>,
    /// An index was seen not to match the batches.
    lies: AtomicBool,
    /// The indexes stay as they are: they were rebuilt, or tell of records that are missing.
    is_mended: bool,
    /// Where the batches end, once somebody has come there after the segment was sealed.
    end: OnceLock<End>,
    /// The offsets between the last batch and the next segment are missing, and that was said.
    pub is_gap_known: AtomicBool,
}

impl Segment {
    /// Creates an empty segment. Flushing it creates the index files.
    pub fn create(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        now: Timestamp,
    ) -> Result<Segment> {
        Segment::create_named(disk, dir, base_offset, now, SUFFIXES)
    }

    /// Creates an empty segment for compaction to fill, in files that end with `.cleaned`.
    pub fn create_cleaned(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        now: Timestamp,
    ) -> Result<Segment> {
        for suffix in CLEANED_SUFFIXES {
            disk.remove_file(&dir.join(file_name(base_offset, suffix)))?;
        }
        Segment::create_named(disk, dir, base_offset, now, CLEANED_SUFFIXES)
    }

    fn create_named(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        now: Timestamp,
        suffixes: [&'static str; 4],
    ) -> Result<Segment> {
        let mut segment = Segment::empty(disk, dir, base_offset, now, suffixes);
        segment.reset_max_timestamp(segment.no_timestamp());
        segment.file.get(|| disk.open(&segment.path(segment.suffix)))?;
        Ok(segment)
    }

    /// A segment without records, whose files are not made yet.
    fn empty(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        now: Timestamp,
        suffixes: [&'static str; 4],
    ) -> Segment {
        let [suffix, offset_suffix, time_suffix, transaction_suffix] = suffixes;
        Segment {
            disk: disk.clone(),
            dir: dir.clone(),
            base_offset,
            suffix,
            file: Arc::default(),
            size: 0,
            offset_index: OffsetIndex::create(disk, dir, base_offset, offset_suffix),
            time_index: TimeIndex::create(disk, dir, base_offset, time_suffix),
            transaction_index: TransactionIndex::create(disk, dir, base_offset, transaction_suffix),
            max_timestamp: OnceLock::new(),
            first_timestamp: OnceLock::new(),
            created: now,
            unindexed_bytes: 0,
            recent: VecDeque::new(),
            lies: AtomicBool::new(false),
            is_mended: false,
            end: OnceLock::new(),
            is_gap_known: AtomicBool::new(false),
        }
    }

    /// Opens a segment on disk. Its transaction index is not read yet.
    pub fn open(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        now: Timestamp,
    ) -> Result<Segment> {
        let path = dir.join(file_name(base_offset, SUFFIX));
        Ok(Segment {
            size: disk.file_len(&path)?.unwrap_or(0),
            offset_index: OffsetIndex::open(disk, dir, base_offset),
            time_index: TimeIndex::open(disk, dir, base_offset),
            ..Segment::empty(disk, dir, base_offset, now, SUFFIXES)
        })
    }

    /// Drops the indexes because not all of their files exist.
    pub fn forget_indexes(&mut self) -> Result<()> {
        let (disk, dir, base_offset) = (&self.disk, &self.dir, self.base_offset);
        for suffix in [offset_index::SUFFIX, time_index::SUFFIX] {
            disk.remove_file(&self.path(suffix))?;
        }
        self.offset_index = OffsetIndex::create(disk, dir, base_offset, offset_index::SUFFIX);
        self.time_index = TimeIndex::create(disk, dir, base_offset, time_index::SUFFIX);
        Ok(())
    }

    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// The size of the batches in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn path(&self, suffix: &str) -> PathBuf {
        self.dir.join(file_name(self.base_offset, suffix))
    }

    /// The file with the batches, opened if necessary.
    pub fn file(&self) -> Result<Arc<File>> {
        self.file.get(|| self.disk.open_existing(&self.path(self.suffix)))
    }

    fn no_timestamp(&self) -> TimestampEntry {
        TimestampEntry { timestamp: NO_TIMESTAMP, offset: self.base_offset }
    }

    fn reset_max_timestamp(&mut self, to: TimestampEntry) {
        self.max_timestamp = OnceLock::from(to);
    }

    /// The largest timestamp, with the last offset of the first batch that has it.
    pub fn max_timestamp(&self) -> Result<TimestampEntry> {
        match self.max_timestamp.get() {
            Some(entry) => Ok(*entry),
            None => {
                let entry = self.read_max_timestamp()?;
                Ok(*self.max_timestamp.get_or_init(|| entry))
            }
        }
    }

    /// The largest timestamp, or the time of the last write if the records have no timestamps.
    pub fn largest_timestamp(&self) -> Result<Timestamp> {
        match self.max_timestamp()?.timestamp {
            timestamp if timestamp >= 0 => Ok(timestamp),
            _ => self.modified(),
        }
    }

    /// When the file was last written.
    pub fn modified(&self) -> Result<Timestamp> {
        Ok(self.disk.modified(&self.path(self.suffix))?.unwrap_or(0))
    }

    /// Whether a batch up to `last_offset` can be indexed in this segment.
    pub fn can_hold(&self, last_offset: Offset) -> bool {
        (0..=Offset::from(i32::MAX)).contains(&last_offset.saturating_sub(self.base_offset))
    }

    /// Whether appending `bytes` bytes, up to `last_offset` and `max_timestamp`, needs a new
    /// segment.
    pub fn should_roll(
        &self,
        config: &TopicConfig,
        jitter_ms: i64,
        bytes: u64,
        last_offset: Offset,
        max_timestamp: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let index_bytes = config.segment_index_bytes as usize;
        let full = self.offset_index.len()? >= index_bytes / offset_index::ENTRY_SIZE
            || self.time_index.len()? + 1 >= index_bytes / time_index::ENTRY_SIZE;
        let too_large = self.size + bytes > config.segment_bytes as u64;
        Ok(too_large
            || full
            || !self.can_hold(last_offset)
            || (self.size > 0
                && self.waited(now, max_timestamp)? > roll_ms(config).saturating_sub(jitter_ms)))
    }

    /// The segment's age in milliseconds when a batch with `max_timestamp` arrives.
    fn waited(&self, now: Timestamp, max_timestamp: Timestamp) -> Result<i64> {
        Ok(match self.first_timestamp()? {
            // Clients may send any timestamp.
            Some(first) if first >= 0 => max_timestamp.saturating_sub(first),
            _ => now.saturating_sub(self.created),
        })
    }

    /// The largest timestamp of the first batch; None if there is no batch.
    pub fn first_timestamp(&self) -> Result<Option<Timestamp>> {
        if self.first_timestamp.get().is_none()
            && let Some(first) = Headers::new(self.file()?, 0, self.size).next_header()?
        {
            self.first_timestamp.get_or_init(|| first.max_timestamp);
        }
        Ok(self.first_timestamp.get().copied())
    }

    /// Whether to roll although nothing is appended. Old timestamps chosen by a producer age the
    /// segment only once it has not been written to for as long.
    pub fn is_stale(&self, config: &TopicConfig, jitter_ms: i64, now: Timestamp) -> Result<bool> {
        let roll_ms = roll_ms(config).saturating_sub(jitter_ms);
        if self.size == 0 || self.waited(now, now)? <= roll_ms {
            return Ok(false);
        }
        let modified = self.disk.modified(&self.path(SUFFIX))?.unwrap_or(now);
        Ok(now - self.created.min(modified) > roll_ms)
    }

    /// Appends validated batches with assigned offsets and epochs.
    pub fn append(&mut self, batches: &[Batch], index_interval_bytes: u64) -> Result<()> {
        // Whatever may fail comes before anything is written.
        self.max_timestamp()?;
        let mut position = self.size;
        for chunk in batches.chunks(CHUNK) {
            match self.write(chunk, position) {
                Ok(written) => position += written,
                Err(error) => {
                    // A full disk may take a part of a write. What is not accounted for must not
                    // stay.
                    self.trim_file()?;
                    return Err(error);
                }
            }
        }
        for batch in batches {
            self.admit(batch, batch.size() as u64, index_interval_bytes)?;
        }
        Ok(())
    }

    fn write(&self, batches: &[Batch], position: u64) -> Result<u64> {
        let mut prefixes = [[0; PREFIX_SIZE]; CHUNK];
        for (prefix, batch) in prefixes.iter_mut().zip(batches) {
            *prefix = batch.prefix();
        }
        let mut slices = [IoSlice::new(&[]); 2 * CHUNK];
        for ((pair, prefix), batch) in slices.chunks_exact_mut(2).zip(&prefixes).zip(batches) {
            pair[0] = IoSlice::new(prefix);
            pair[1] = IoSlice::new(batch.body());
        }
        self.file()?.write_vectored_at(&mut slices[..2 * batches.len()], position)?;
        Ok(batches.iter().map(|batch| batch.size() as u64).sum())
    }

    /// Accounts for a batch that takes `bytes` bytes at position `size`. Append and recovery share
    /// this, so a recovered segment has exactly the indexes that it had before the crash.
    pub fn admit(&mut self, batch: &Batch, bytes: u64, index_interval_bytes: u64) -> Result<()> {
        let header = Header {
            position: self.size,
            size: bytes,
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            max_timestamp: batch.max_timestamp(),
            producer_id: batch.producer_id(),
            attributes: Some(batch.attributes()),
        };
        self.enter(&header, index_interval_bytes)
    }

    fn enter(&mut self, header: &Header, index_interval_bytes: u64) -> Result<()> {
        let Header { base_offset, last_offset, max_timestamp: timestamp, .. } = *header;
        let mut max_timestamp = self.max_timestamp()?;
        if timestamp > max_timestamp.timestamp {
            max_timestamp = TimestampEntry { timestamp, offset: last_offset };
            self.reset_max_timestamp(max_timestamp);
        }
        if self.unindexed_bytes > index_interval_bytes {
            // Kafka indexes a batch by its last offset.
            self.time_index.maybe_append(max_timestamp)?;
            self.offset_index.append(OffsetPosition { last_offset, position: self.size })?;
            self.unindexed_bytes = 0;
        }
        if self.size == 0 {
            self.first_timestamp = OnceLock::from(timestamp);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { base_offset, last_offset, position: self.size });
        self.unindexed_bytes += header.size;
        self.size += header.size;
        Ok(())
    }

    /// The batches from `position` on.
    pub fn batches_from(&self, position: u64) -> Result<Batches> {
        Ok(Batches::new(self.file()?, position, self.size))
    }

    /// Forgets size, indexes and timestamps, so that `admit` can rebuild them batch by batch.
    pub fn reset(&mut self) -> Result<()> {
        self.offset_index.truncate_to(Offset::MIN)?;
        self.time_index.truncate_to(Offset::MIN)?;
        self.transaction_index.reset()?;
        self.reset_max_timestamp(self.no_timestamp());
        self.first_timestamp = OnceLock::new();
        (self.size, self.unindexed_bytes) = (0, 0);
        self.recent.clear();
        (self.end, self.lies) = Default::default();
        Ok(())
    }

    /// Goes back to the last index entry below `offset`, so that `admit` can rebuild what follows.
    /// Returns the entry's position. None if the entry does not match a batch; then the whole
    /// segment has to be read.
    pub fn rewind_to(&mut self, offset: Offset) -> Result<Option<u64>> {
        self.offset_index.drop_unused()?;
        self.time_index.drop_unused()?;
        self.offset_index.truncate_to(offset)?;
        self.time_index.truncate_to(offset)?;
        self.transaction_index.truncate_to(offset)?;
        let last = self.offset_index.last()?;
        if let Some(last) = last {
            let header = Headers::new(self.file()?, last.position, self.size).next_header();
            let fits = |header: Header| header.last_offset == last.last_offset;
            if !header.ok().flatten().is_some_and(fits) {
                return Ok(None);
            }
        }
        let max_timestamp = self.time_index.last()?;
        if !self.is_true(max_timestamp)? {
            return Ok(None);
        }
        self.reset_max_timestamp(max_timestamp);
        self.first_timestamp = OnceLock::new();
        (self.size, self.unindexed_bytes) = (last.map_or(0, |last| last.position), 0);
        self.recent.clear();
        Ok(Some(self.size))
    }

    /// Writes the index entries that are still in memory.
    pub fn flush_indexes(&mut self) -> Result<()> {
        self.offset_index.flush()?;
        self.transaction_index.flush()?;
        self.time_index.flush()
    }

    /// Truncates the file after the batches that are accounted for.
    pub fn trim_file(&self) -> Result<()> {
        self.file()?.truncate(self.size)
    }

    /// Removes everything from the batch that contains `offset` on.
    pub fn truncate_to(&mut self, offset: Offset, now: Timestamp) -> Result<()> {
        let found = self.locate(offset, Access::Waiting)?;
        self.offset_index.truncate_to(offset)?;
        self.time_index.truncate_to(offset)?;
        self.transaction_index.truncate_to(offset)?;
        if let Lookup::Found(found) = found {
            self.size = found.position;
            self.trim_file()?;
        }
        self.recent.retain(|batch| batch.position < self.size);
        (self.end, self.is_gap_known) = Default::default();
        if self.size == 0 {
            self.created = now;
            self.first_timestamp = OnceLock::new();
        }
        self.unindexed_bytes = 0;
        let known = self.time_index.last()?;
        let known = if self.is_true(known)? { known } else { self.no_timestamp() };
        let max = self.max_timestamp_behind(known)?;
        self.reset_max_timestamp(max);
        Ok(())
    }

    /// Writes the indexes in their final form, with the last entry of the time index, because
    /// nothing more will be appended.
    pub fn seal(&mut self) -> Result<()> {
        // If it was never computed, nothing was appended and the last entry is already there.
        if let Some(max_timestamp) = self.max_timestamp.get() {
            self.time_index.maybe_append(*max_timestamp)?;
        }
        self.flush_indexes()
    }

    /// Makes all files of the segment durable.
    pub fn sync(&self) -> Result<()> {
        SUFFIXES.iter().try_for_each(|suffix| self.disk.sync_file(&self.path(suffix)))
    }

    /// Frees what only appends need, because nothing more will be appended.
    pub fn retire(&mut self) {
        self.recent = VecDeque::new();
    }
}

/// The age at which an append begins a new segment, in milliseconds: `segment.ms`, or less if
/// compaction requires it.
fn roll_ms(config: &TopicConfig) -> i64 {
    if config.compact && config.max_compaction_lag_ms > 0 {
        config.segment_ms.min(config.max_compaction_lag_ms)
    } else {
        config.segment_ms
    }
}
