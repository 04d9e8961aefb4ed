//! Making it durable, without the log's lock where it takes long.

use super::segment::Segment;
use super::{Log, offset_index, partition_metadata, time_index, transaction_index};
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::types::Offset;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An fsync that is to be done: [`Log::begin_flush`], then `run` without the log's lock, then
/// [`Log::end_flush`].
#[derive(Debug)]
#[must_use = "nothing is durable before it runs"]
pub struct Flush {
    disk: Disk,
    /// The batches.
    logs: Vec<Arc<File>>,
    /// The indexes of sealed segments; those of the active one are rebuilt after a crash.
    indexes: Vec<PathBuf>,
    /// Where files are new since the last flush.
    dir: Option<Arc<Path>>,
    /// `partition.metadata`, if it is new.
    metadata: Option<PathBuf>,
    /// Where that directory is new.
    parent: Option<PathBuf>,
    upto: Offset,
    first_unsynced: Offset,
    durable_name: Offset,
    truncations: u64,
}

impl Flush {
    /// Does the fsyncs.
    pub fn run(&self) -> Result<()> {
        self.logs.iter().try_for_each(|log| log.sync_data())?;
        self.indexes.iter().try_for_each(|path| self.disk.sync_file(path))?;
        self.dir.iter().try_for_each(|dir| self.disk.sync_dir(dir))?;
        self.metadata.iter().try_for_each(|path| self.disk.sync_file(path))?;
        self.parent.iter().try_for_each(|dir| self.disk.sync_dir(dir))
    }
}

impl Log {
    /// What makes everything appended so far durable; None if it is.
    pub fn begin_flush(&self) -> Result<Option<Flush>> {
        self.flush_of(self.segments.len(), self.end_offset)
    }

    /// What makes the segments before the active one durable; None if they are. Kafka does it
    /// after each roll, so that a crash costs the reading of few segments.
    pub fn begin_flush_of_sealed(&self) -> Result<Option<Flush>> {
        self.flush_of(self.segments.len() - 1, self.active_base())
    }

    fn flush_of(&self, count: usize, upto: Offset) -> Result<Option<Flush>> {
        let first_unsynced = self.active_base();
        if upto <= self.recovery_point && first_unsynced == self.first_unsynced {
            return Ok(None);
        }
        let from = self.segments.partition_point(|s| s.base_offset() < self.first_unsynced);
        let segments = self.segments.get(from..count).unwrap_or_default();
        let sealed = segments.iter().filter(|s| s.base_offset() < first_unsynced);
        let suffixes = [offset_index::SUFFIX, time_index::SUFFIX, transaction_index::SUFFIX];
        let is_new = |segment: &Segment| segment.base_offset() > self.durable_name;
        // What was deleted before it was durable must not come back as what needs no look.
        let are_deleted = self.recovery_point < self.segments[0].base_offset();
        Ok(Some(Flush {
            disk: self.disk.clone(),
            logs: segments.iter().map(Segment::file).collect::<Result<_>>()?,
            indexes: sealed.flat_map(|s| suffixes.map(|suffix| s.path(suffix))).collect(),
            metadata: (!self.is_id_durable).then(|| self.path(partition_metadata::FILE)),
            parent: self.dir.parent().filter(|_| !self.is_dir_durable).map(Path::to_owned),
            dir: (are_deleted || segments.iter().any(is_new)).then(|| self.dir.clone()),
            durable_name: segments.last().map_or(-1, Segment::base_offset),
            upto,
            first_unsynced,
            truncations: self.truncations,
        }))
    }

    /// `flush` has run: the recovery point moves.
    pub fn end_flush(&mut self, flush: &Flush) {
        (self.is_dir_durable, self.is_id_durable) = (true, true);
        if flush.truncations == self.truncations {
            self.recovery_point = self.recovery_point.max(flush.upto);
            self.durable_name = self.durable_name.max(flush.durable_name);
            self.first_unsynced = self.first_unsynced.max(flush.first_unsynced);
        }
    }

    /// As `end_flush`, if it has `run`. What happened to it is of no meaning if its files have gone
    /// because another log has taken this one's place.
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

    /// fsyncs up to the end; then `recovery_point` is the end.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(flush) = self.begin_flush()? {
            flush.run()?;
            self.end_flush(&flush);
        }
        Ok(())
    }
}
