//! Replaces segments by the cleaned one that was made from them. A crash is safe at every step
//! (LocalLog.replaceSegments; `recovery` completes it as LogLoader does).
//!
//! A start removes `.cleaned` files and completes `.swap` files: it removes what they replace and
//! renames them. The steps happen under the log's lock, and nothing is flushed between them,
//! because a file system loses the last renames in a directory before earlier ones.

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::leftovers::{CLEANED, SWAP};
use crate::log::producer_state::SNAPSHOT;
use crate::log::retention::DELETED;
use crate::log::segment::{SUFFIXES, Segment};
use crate::log::transaction_index::TransactionIndex;
use crate::log::{Log, file_name};
use crate::types::{Offset, Timestamp};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One step of a swap: a rename within the log's directory.
#[derive(Debug)]
pub(super) struct Step {
    from: PathBuf,
    to: PathBuf,
}

/// The steps on disk, in order.
#[derive(Debug)]
pub(super) struct Swap {
    /// Up to here a failure can be undone, because all old segments are still there.
    pub prepare: Vec<Step>,
    /// From here on the new segment counts.
    pub finish: Vec<Step>,
    /// The old files under their final names.
    pub deleted: Vec<PathBuf>,
}

impl Swap {
    /// Plans to replace the segments at `old` by the one in `.cleaned` files of `dir`, which has
    /// the base offset of the first of them.
    pub fn plan(disk: &Disk, dir: &Path, old: &[Offset]) -> Result<Swap> {
        let base_offset = old[0];
        let mut swap = Swap { prepare: Vec::new(), finish: Vec::new(), deleted: Vec::new() };
        let present =
            |path: PathBuf| -> Result<Option<PathBuf>> { Ok(disk.file_len(&path)?.map(|_| path)) };
        let mut renames = Vec::new();
        for suffix in SUFFIXES {
            let path = dir.join(file_name(base_offset, suffix));
            if let Some(cleaned) = present(with_ending(&path, CLEANED))? {
                let ready = with_ending(&path, SWAP);
                swap.prepare.push(Step { from: cleaned, to: ready.clone() });
                renames.push(Step { from: ready, to: path });
            }
        }
        for &offset in old {
            // The producer snapshot at the first segment stays, because a segment still begins
            // there.
            let snapshot = (offset != base_offset).then_some(SNAPSHOT);
            for suffix in SUFFIXES.into_iter().chain(snapshot) {
                if let Some(path) = present(dir.join(file_name(offset, suffix)))? {
                    let deleted = with_ending(&path, DELETED);
                    swap.finish.push(Step { from: path, to: deleted.clone() });
                    swap.deleted.push(deleted);
                }
            }
        }
        swap.finish.append(&mut renames);
        Ok(swap)
    }

    fn run(&self, disk: &Disk) -> Result<()> {
        if let Err(error) = self.prepare.iter().try_for_each(|step| step.run(disk)) {
            for Step { from, to } in &self.prepare {
                disk.remove_file(from).and(disk.remove_file(to))?;
            }
            return Err(error);
        }
        let finished = self.finish.iter().try_for_each(|step| step.run(disk));
        finished.map_err(|error| match error {
            // A half-finished swap must take the directory offline, whatever the reason; the next
            // start completes it. A full disk would otherwise count as temporary.
            Error::Disk { path, source } => Error::disk(&path, io::Error::other(source)),
            other => other,
        })
    }
}

impl Step {
    pub fn run(&self, disk: &Disk) -> Result<()> {
        disk.rename_unsynced(&self.from, &self.to)
    }
}

impl Log {
    /// Replaces the segments `replaced` by the one in `.cleaned` files, which has the base offset
    /// of the first of them.
    pub(super) fn replace_segments(
        &mut self,
        replaced: Range<usize>,
        now: Timestamp,
    ) -> Result<()> {
        let old: Vec<Offset> =
            self.segments[replaced.clone()].iter().map(Segment::base_offset).collect();
        let swap = Swap::plan(&self.disk, &self.dir, &old)?;
        swap.run(&self.disk)?;
        let mut segment = Segment::open(&self.disk, &self.dir, old[0], now)?;
        segment.transaction_index = TransactionIndex::open(&self.disk, &self.dir, old[0])?;
        self.cleaned_below = self.cleaned_below.max(self.end_of(replaced.end - 1));
        self.segments.splice(replaced, [segment]);
        old[1..].iter().for_each(|&offset| self.producers.forget_snapshot(offset));
        let due = now.saturating_add(self.config.file_delete_delay_ms);
        swap.deleted.into_iter().for_each(|path| self.trash.add(path, due));
        Ok(())
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
