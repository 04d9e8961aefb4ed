//! One cleaning pass over one log (Cleaner).

use super::filter::{Filter, MAX_DECODED_BYTES};
use super::groups::{Piece, group};
use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use super::{Candidate, Cleaner, Limits, Lock};
use crate::disk::{Access, File};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::log::scan::Batches;
use crate::log::segment::{CLEANED_SUFFIXES, Segment};
use crate::log::transaction_index::AbortedTransaction;
use crate::record::Batch;
use crate::types::{Offset, Timestamp};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

/// What a pass has done so far.
#[derive(Debug, Default)]
struct Statistics {
    bytes_read: u64,
    bytes_written: u64,
    keys: usize,
}

/// A pass, with everything it needs.
pub(super) struct Pass<'p, 'a> {
    cleaner: &'p Cleaner,
    limits: Limits,
    candidate: &'p Candidate,
    lock: &'p Lock<'a>,
    now: Timestamp,
    statistics: Statistics,
}

impl<'p, 'a> Pass<'p, 'a> {
    pub fn new(
        cleaner: &'p Cleaner,
        candidate: &'p Candidate,
        lock: &'p Lock<'a>,
        now: Timestamp,
    ) -> Pass<'p, 'a> {
        let limits = Limits::of(&cleaner.config.get());
        Pass { cleaner, limits, candidate, lock, now, statistics: Statistics::default() }
    }

    /// Cleans the log. Returns the offset below which it is clean now.
    pub fn run(&mut self) -> Result<Offset> {
        let range = self.candidate.range;
        self.flush()?;
        let pieces = self.pieces()?;
        let map = self.read_keys(&pieces)?;
        self.statistics.keys = map.len();
        let end = map.latest() + 1;
        if end <= range.first_dirty {
            // Retention has deleted the segments in the meantime.
            return Err(Error::Closed);
        }
        let below = pieces.partition_point(|piece| piece.base_offset < end);
        let config = self.log()?.config().clone();
        let mut transactions = CleanedTransactions::default();
        for group in group(&pieces[..below], &config) {
            self.clean_group(&group, &map, &mut transactions)?;
        }
        let Statistics { bytes_read, bytes_written, keys } = self.statistics;
        tracing::info!(partition = %self.candidate.partition, from = range.first_dirty, to = end,
            keys, bytes_read, bytes_written, "cleaned a log");
        Ok(end)
    }

    /// Whether the log was truncated, closed or deleted since the pass began.
    pub fn is_obsolete(&self) -> bool {
        matches!(self.log(), Err(error) if !matches!(error, Error::Disk { .. }))
    }

    /// Locks the log; an error if it was truncated since the pass began.
    fn log(&self) -> Result<MutexGuard<'a, Log>> {
        let log = (self.lock)()?;
        if log.truncations == self.candidate.truncations { Ok(log) } else { Err(Error::Closed) }
    }

    /// Makes the log durable. Before a record is dropped, what replaces it must be on disk: a later
    /// record, or the marker in the active segment that commits that record's transaction.
    fn flush(&self) -> Result<()> {
        let begun = self.log()?.begin_flush()?;
        if let Some(flush) = begun {
            flush.run()?;
            self.log()?.end_flush(&flush);
        }
        Ok(())
    }

    fn pieces(&self) -> Result<Vec<Piece>> {
        let log = self.log()?;
        let segments = log.segments_in(Offset::MIN, self.candidate.range.end);
        let ends = segments.iter().skip(1).map(Segment::base_offset);
        let ends = ends.chain([self.candidate.range.end]);
        segments.iter().zip(ends).map(|(segment, end)| Piece::of(segment, end)).collect()
    }

    /// Reads the dirty part into a map until that is full (buildOffsetMap).
    fn read_keys(&mut self, pieces: &[Piece]) -> Result<OffsetMap> {
        let range = self.candidate.range;
        let mut map = OffsetMap::new(self.limits.map_bytes, self.limits.load_factor);
        let mut transactions = CleanedTransactions::default();
        transactions.add(self.log()?.aborted_in(range.first_dirty, range.end)?);
        for piece in pieces.iter().filter(|piece| piece.end > range.first_dirty) {
            let mut is_full = false;
            self.read(piece, range.first_dirty, |batch| {
                is_full = !enter(&batch, range.first_dirty, &mut transactions, &mut map)?;
                Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            if is_full {
                break;
            }
            // The last offsets of a segment may be missing.
            map.set_latest(piece.end - 1);
        }
        Ok(map)
    }

    /// Calls `visit` with the batches of a sealed segment, from the one that contains `from` on.
    fn read(
        &mut self,
        piece: &Piece,
        from: Offset,
        mut visit: impl FnMut(Batch) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (file, position) = self.open(piece, from)?;
        let buffer_bytes = self.limits.buffer_bytes;
        let mut batches =
            Batches::new(Arc::clone(&file), position, piece.size).window(buffer_bytes);
        let mut paid = position;
        while let Some(batch) = batches.next()? {
            if batches.position - paid > buffer_bytes {
                self.pay(batches.position - paid)?;
                paid = batches.position;
            }
            if !batch.checksum_holds() {
                return Err(corrupt(file.path(), batches.position));
            }
            if visit(batch)?.is_break() {
                return Ok(());
            }
        }
        self.pay(batches.position - paid)?;
        self.statistics.bytes_read += piece.size - position;
        // What cannot be decoded must not be thrown away.
        if batches.position < piece.size {
            return Err(corrupt(file.path(), batches.position));
        }
        Ok(())
    }

    /// The segment's file, and the position to begin at. `Error::Closed` if retention has deleted
    /// it.
    fn open(&self, piece: &Piece, from: Offset) -> Result<(Arc<File>, u64)> {
        let log = self.log()?;
        let at = log.find_piece(piece)?;
        let segment = &log.segments[at];
        log.pass(at, Access::Waiting)?;
        Ok((segment.file()?, segment.headers_at(from)?.position()))
    }

    /// Waits for the I/O rate; an error if the log was truncated, closed or deleted.
    fn pay(&self, bytes: u64) -> Result<()> {
        let rate = || self.cleaner.config.get().log_cleaner_io_max_bytes_per_second;
        self.cleaner.throttle.wait(bytes, rate, || self.log().map(|_| ()))
    }

    /// Merges a group of segments into one and swaps it in (cleanSegments).
    fn clean_group(
        &mut self,
        group: &[Piece],
        map: &OffsetMap,
        transactions: &mut CleanedTransactions,
    ) -> Result<()> {
        let (dir, config, last_records) = {
            let log = self.log()?;
            (log.dir.clone(), log.config().clone(), log.producers.last_records())
        };
        let base_offset = group[0].base_offset;
        let mut filter = Filter {
            map,
            transactions,
            last_records,
            end: self.candidate.range.end,
            now: self.now,
            delete_retention_ms: config.delete_retention_ms,
        };
        let disk = &self.cleaner.disk;
        let cleaned = Segment::create_cleaned(disk, &dir, base_offset, self.now)?;
        let mut output = Output {
            segment: cleaned,
            pending: Vec::new(),
            pending_bytes: 0,
            index_interval_bytes: config.index_interval_bytes as u64,
        };
        let outcome = self
            .fill(&mut output, group, &mut filter)
            // The new names must be durable before the old files get other names, and those before
            // the old files are removed.
            .and_then(|()| disk.sync_dir(&dir))
            .and_then(|()| self.swap_in(group))
            .and_then(|()| disk.sync_dir(&dir));
        if outcome.is_err() {
            for path in CLEANED_SUFFIXES.map(|suffix| output.segment.path(suffix)) {
                disk.remove_file(&path)?;
            }
        }
        outcome
    }

    fn fill(
        &mut self,
        output: &mut Output,
        group: &[Piece],
        filter: &mut Filter<'_>,
    ) -> Result<()> {
        let buffer_bytes = self.limits.buffer_bytes;
        for piece in group {
            let aborted = self.log()?.aborted_in(piece.base_offset, piece.end)?;
            filter.transactions.add(aborted);
            let mut written = 0;
            self.read(piece, piece.base_offset, |batch| {
                if let Some(kept) = filter.apply(batch)? {
                    written += kept.size() as u64;
                    output.push(kept, buffer_bytes)?;
                }
                for aborted in filter.transactions.take_kept() {
                    output.segment.transaction_index.append(aborted)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            self.pay(written)?;
            self.statistics.bytes_written += written;
        }
        output.write()?;
        let segment = &mut output.segment;
        segment.seal()?;
        // A segment without timestamps has the age of its file.
        segment.file()?.set_modified(group[group.len() - 1].modified)?;
        let paths = CLEANED_SUFFIXES.map(|suffix| segment.path(suffix));
        paths.iter().try_for_each(|path| self.cleaner.disk.sync_file(path))
    }

    fn swap_in(&self, group: &[Piece]) -> Result<()> {
        let mut log = self.log()?;
        let first = log.find_piece(&group[0])?;
        for (n, piece) in group.iter().enumerate() {
            if log.find_piece(piece)? != first + n {
                return Err(Error::Closed);
            }
        }
        log.replace_segments(first..first + group.len(), self.now)
    }
}

/// Enters the keys of a batch into the map. Returns false if the map is full.
fn enter(
    batch: &Batch,
    first_dirty: Offset,
    transactions: &mut CleanedTransactions,
    map: &mut OffsetMap,
) -> Result<bool> {
    if batch.is_control() {
        transactions.on_control_batch(batch)?;
    } else if !transactions.on_batch(batch) {
        for record in batch.iter(MAX_DECODED_BYTES)? {
            let record = record?;
            if let Some(key) = record.key.filter(|_| record.offset >= first_dirty)
                && !map.put(&key, record.offset)
            {
                return Ok(false);
            }
        }
    }
    if batch.last_offset() >= first_dirty {
        map.set_latest(batch.last_offset());
    }
    Ok(true)
}

fn corrupt(path: &Path, position: u64) -> Error {
    Error::corrupt(format!("batch before {position} in {}", path.display()))
}

/// The segment that is being written.
struct Output {
    segment: Segment,
    pending: Vec<Batch>,
    pending_bytes: u64,
    index_interval_bytes: u64,
}

impl Output {
    fn push(&mut self, batch: Batch, buffer_bytes: u64) -> Result<()> {
        self.pending_bytes += batch.size() as u64;
        let size = self.segment.size() + self.pending_bytes;
        // A delete horizon makes a batch slightly larger.
        if size > i32::MAX as u64 || !self.segment.can_hold(batch.last_offset()) {
            let path = self.segment.path(CLEANED_SUFFIXES[0]);
            return Err(Error::corrupt(format!("{}: more than a segment", path.display())));
        }
        self.pending.push(batch);
        if self.pending_bytes >= buffer_bytes { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.segment.append(&self.pending, self.index_interval_bytes)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }
}

impl Log {
    /// The index of the segment that `piece` describes; `Error::Closed` if it is gone.
    fn find_piece(&self, piece: &Piece) -> Result<usize> {
        let at = self.floor_segment(piece.base_offset).ok_or(Error::Closed)?;
        let segment = &self.segments[at];
        let is_same = segment.base_offset() == piece.base_offset && segment.size() == piece.size;
        if is_same { Ok(at) } else { Err(Error::Closed) }
    }

    /// The aborted transactions with records in `from..upper` (collectAbortedTransactions).
    fn aborted_in(&self, from: Offset, upper: Offset) -> Result<Vec<AbortedTransaction>> {
        let mut found = Vec::new();
        for segment in &self.segments[self.floor_segment(from).unwrap_or(0)..] {
            for aborted in segment.transaction_index.all()? {
                if aborted.last_offset >= from && aborted.first_offset < upper {
                    found.push(aborted);
                }
                if aborted.last_stable_offset >= upper {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
