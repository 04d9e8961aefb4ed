//! Makes the log durable, without its lock where that takes long.

use super::segment::Segment;
use super::{Log, offset_index, partition_metadata, time_index, transaction_index};
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::types::Offset;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files to be flushed. Use it as [`Log::begin_flush`], then `run` without the log's lock, then
/// [`Log::end_flush`].
#[derive(Debug)]
#[must_use = "nothing is durable before it runs"]
pub struct Flush {
    disk: Disk,
    /// The files with batches.
    logs: Vec<Arc<File>>,
    /// The indexes of sealed segments. Those of the active one can be rebuilt after a crash.
    indexes: Vec<PathBuf>,
    /// The log's directory, if it has new files or names.
    dir: Option<Arc<Path>>,
    /// `partition.metadata`, if it is new.
    metadata: Option<PathBuf>,
    /// The log directory, if the log's directory in it is new.
    parent: Option<PathBuf>,
    upto: Offset,
    first_unsynced: Offset,
    durable_name: Offset,
    truncations: u64,
}

impl Flush {
    /// Flushes the files with fsync.
    pub fn run(&self) -> Result<()> {
        self.logs.iter().try_for_each(|log| log.sync_data())?;
        self.indexes.iter().try_for_each(|path| self.disk.sync_file(path))?;
        self.dir.iter().try_for_each(|dir| self.disk.sync_dir(dir))?;
        self.metadata.iter().try_for_each(|path| self.disk.sync_file(path))?;
        self.parent.iter().try_for_each(|dir| self.disk.sync_dir(dir))
    }
}

impl Log {
    /// What to flush to make everything appended durable; None if it already is.
    pub fn begin_flush(&mut self) -> Result<Option<Flush>> {
        self.flush_of(self.segments.len(), self.end_offset)
    }

    /// What to flush to make the sealed segments durable; None if they already are. Kafka does this
    /// after each roll, so that few segments have to be read after a crash.
    pub fn begin_flush_of_sealed(&mut self) -> Result<Option<Flush>> {
        self.flush_of(self.segments.len() - 1, self.active_base())
    }

    fn flush_of(&mut self, count: usize, upto: Offset) -> Result<Option<Flush>> {
        let first_unsynced = self.active_base();
        if upto <= self.recovery_point && first_unsynced == self.first_unsynced {
            return Ok(None);
        }
        // Nobody looks for epochs in the segments below that of the recovery point.
        let has_rolled = first_unsynced != self.first_unsynced;
        if has_rolled {
            self.epochs.write()?;
        }
        let from = self.segments.partition_point(|s| s.base_offset() < self.first_unsynced);
        let segments = self.segments.get(from..count).unwrap_or_default();
        let sealed = segments.iter().filter(|s| s.base_offset() < first_unsynced);
        let suffixes = [offset_index::SUFFIX, time_index::SUFFIX, transaction_index::SUFFIX];
        let is_new = |segment: &Segment| segment.base_offset() > self.durable_name;
        // Segments deleted before they were durable must not come back below the recovery point.
        let are_deleted = self.recovery_point < self.segments[0].base_offset();
        Ok(Some(Flush {
            disk: self.disk.clone(),
            logs: segments.iter().map(Segment::file).collect::<Result<_>>()?,
            indexes: sealed.flat_map(|s| suffixes.map(|suffix| s.path(suffix))).collect(),
            metadata: (!self.is_id_durable).then(|| self.path(partition_metadata::FILE)),
            parent: self.dir.parent().filter(|_| !self.is_dir_durable).map(Path::to_owned),
            dir: (are_deleted || has_rolled || segments.iter().any(is_new))
                .then(|| self.dir.clone()),
            durable_name: segments.last().map_or(-1, Segment::base_offset),
            upto,
            first_unsynced,
            truncations: self.truncations,
        }))
    }

    /// Records that `flush` has run, and moves the recovery point.
    pub fn end_flush(&mut self, flush: &Flush) {
        (self.is_dir_durable, self.is_id_durable) = (true, true);
        if flush.truncations == self.truncations {
            self.recovery_point = self.recovery_point.max(flush.upto);
            self.durable_name = self.durable_name.max(flush.durable_name);
            self.first_unsynced = self.first_unsynced.max(flush.first_unsynced);
        }
    }

    /// As `end_flush`, if `run` is a success. A failure is ignored if the files are gone because
    /// another log has replaced this one.
    pub fn conclude_flush(&mut self, flush: &Flush, run: Result<()>) -> Result<()> {
        match run {
            Err(Error::Disk { source, .. })
                if source.kind() == ErrorKind::NotFound
                    && flush.truncations != self.truncations => {}
            run => {
                run?;
                self.end_flush(flush);
            }
        }
        Ok(())
    }

    /// Fails if somebody has removed, replaced or cut the active segment's file, which otherwise
    /// nothing but the next start notices.
    pub fn check_active_file(&self) -> Result<()> {
        let path = self.active().path(super::segment::SUFFIX);
        if self.disk.file_len(&path)? < Some(self.active().size()) {
            let what = "somebody has removed, replaced or cut this file";
            return Err(Error::disk(&path, std::io::Error::other(what)));
        }
        Ok(())
    }

    /// Flushes everything; the recovery point is then the log end offset.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(flush) = self.begin_flush()? {
            flush.run()?;
            self.end_flush(&flush);
        }
        Ok(())
    }
}
