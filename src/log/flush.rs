//! Making a log durable, in three steps, of which the long one needs no lock: whoever appends
//! meanwhile is not held up, and one flush serves all that wait for it.

use super::Log;
use crate::disk::{Disk, File};
use crate::error::Result;
use crate::types::Offset;
use std::path::Path;
use std::sync::Arc;

/// The long step of a flush.
#[derive(Debug)]
pub struct Flush {
    file: Arc<File>,
    /// The active segment's name may be newer than the last flush.
    dir: Option<(Disk, Arc<Path>)>,
    end_offset: Offset,
    active_base: Offset,
    truncations: u64,
}

impl Flush {
    /// fsyncs; an error means that the disk failed, and the flush must not be tried again.
    pub fn run(&self) -> Result<()> {
        self.file.sync_data()?;
        match &self.dir {
            Some((disk, path)) => disk.sync_dir(path),
            None => Ok(()),
        }
    }
}

impl Log {
    /// fsyncs up to the end; then `recovery_point` is the end.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(flush) = self.begin_flush()? {
            flush.run()?;
            self.end_flush(&flush);
        }
        Ok(())
    }

    /// What is to be fsynced so that everything up to the end is durable; None if it is. Segments
    /// that were rolled since the last flush are fsynced here.
    pub fn begin_flush(&mut self) -> Result<Option<Flush>> {
        let active_base = self.active_base();
        if self.recovery_point == self.end_offset && self.first_unsynced == active_base {
            return Ok(None);
        }
        let active = self.segments.len() - 1;
        for segment in &mut self.segments[..active] {
            if segment.base_offset() >= self.first_unsynced {
                segment.sync()?;
            }
        }
        let is_new = active_base >= self.recovery_point;
        Ok(Some(Flush {
            file: self.segments[active].file()?.clone(),
            dir: is_new.then(|| (self.disk.clone(), self.dir.clone())),
            end_offset: self.end_offset,
            active_base,
            truncations: self.truncations,
        }))
    }

    /// Notes what `flush` has made durable, unless it was cut off meanwhile.
    pub fn end_flush(&mut self, flush: &Flush) {
        if flush.truncations == self.truncations {
            self.recovery_point = self.recovery_point.max(flush.end_offset);
            self.first_unsynced = self.first_unsynced.max(flush.active_base);
        }
    }
}
