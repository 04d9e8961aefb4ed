//! What follows the last valid batch of a segment. A crash leaves incomplete batches at the end of
//! the active segment, which are cut off. Whatever is readable is kept, if necessary in a file
//! beside the segments.

use super::checkpoint::RECOVERY_POINTS;
use super::names::file_name;
use super::segment::{End, SUFFIX, SUFFIXES, Segment};
use super::sound::Sound;
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::types::Offset;
use std::path::{Path, PathBuf};

/// Suffix of a file with what could not stay in the log. No broker reads it.
pub(super) const TORN: &str = ".log.torn";
/// How many bytes are copied at a time.
const WINDOW: usize = 1 << 20;

/// Copies what is about to be cut off a segment, from `position` on, to a file of its own. Returns
/// the path.
pub(super) fn keep_rest(
    disk: &Disk,
    dir: &Path,
    file: &File,
    cut: (u64, Offset),
) -> Result<PathBuf> {
    let ((mut position, offset), end) = (cut, file.len()?);
    let path = free_path(disk, dir, offset)?;
    let (copy, mut to) = (disk.open(&path)?, 0);
    while position < end {
        let mut window = vec![0; (end - position).min(WINDOW as u64) as usize];
        file.read_exact_at(&mut window, position)?;
        copy.write_at(&window, to)?;
        (position, to) = (position + window.len() as u64, to + window.len() as u64);
    }
    copy.sync_data()?;
    Ok(path)
}

/// Removes a segment from the log: keeps its batches in a file and deletes its indexes. Returns the
/// path.
pub(super) fn keep_segment(disk: &Disk, dir: &Path, segment: &Segment) -> Result<PathBuf> {
    let path = free_path(disk, dir, segment.base_offset())?;
    disk.rename_unsynced(&segment.path(SUFFIX), &path)?;
    for suffix in SUFFIXES {
        disk.remove_file(&segment.path(suffix))?;
    }
    Ok(path)
}

fn free_path(disk: &Disk, dir: &Path, offset: Offset) -> Result<PathBuf> {
    let name = file_name(offset, TORN);
    let mut path = dir.join(&name);
    let mut n = 1;
    while disk.file_len(&path)?.is_some() {
        path = dir.join(format!("{name}.{n}"));
        n += 1;
    }
    Ok(path)
}

/// The reason not to open a log without segments.
pub(super) fn gone(dir: &Path, snapshot: &str) -> Error {
    Error::corrupt(format!(
        "log {dir}: it has no segment, and {snapshot} tells of records. Put its files back; or, to do \
         without its records, move the directory away; then start again.",
        dir = dir.display()
    ))
}

impl Segment {
    /// The reason not to open the log: at `position` there is something else than the batch with
    /// offset `expected`, and there are readable records from there on.
    pub(super) fn spoilt(&self, position: u64, expected: Offset, found: Sound) -> Error {
        let what = match found {
            Sound { position: at, base_offset } if at == position => {
                format!(
                    "the batch at byte {position} begins with offset {base_offset}, and with \
                     what lies before and behind it {expected} was expected"
                )
            }
            Sound { position: at, .. } => format!(
                "the batch at byte {position}, with offset {expected}, is damaged, and records \
                 behind it, at byte {at}, are not"
            ),
        };
        self.incomplete(&what, End { offset: expected, position })
    }

    /// The reason not to go on behind the batches of a sealed segment: its file does not end there.
    pub(super) fn damaged(&self, end: End) -> Error {
        let End { offset, position } = end;
        let what = format!("the batch at byte {position}, with offset {offset}, is damaged");
        self.incomplete(&what, end)
    }

    /// The reason not to go on behind the batches of a segment: `witnesses` tell of later ones.
    pub(super) fn cut_short(&self, end: End, witnesses: &str) -> Error {
        let End { offset, position } = end;
        let what = format!(
            "it ends at byte {position}, and {witnesses} of records from offset {offset} on"
        );
        self.incomplete(&what, end)
    }

    fn incomplete(&self, what: &str, End { offset, position }: End) -> Error {
        Error::corrupt(format!(
            "segment {path}: {what}. Nothing was cut off. Restore the file from a copy; or, to do \
             without its records from offset {offset} on, stop the broker, cut the file (truncate -s \
             {position} {path}), move its indexes and the .snapshot files above {offset} away, and if no \
             segment follows and the partition's line in {RECOVERY_POINTS} is above {offset}, correct \
             it; then start again.",
            path = self.path(SUFFIX).display()
        ))
    }

    /// The reason why nothing can be read here: a batch has an offset that belongs before or behind
    /// this segment, which ends below `limit`.
    pub(super) fn overlaps(&self, offset: Offset, limit: Offset) -> Error {
        Error::corrupt(format!(
            "segment {path}: it has offset {offset}, and its place is from {base} up to {limit}. Either \
             the batch is damaged, or a file does not belong there. Stop the broker, and restore the \
             file from a copy, or move the one that does not belong there away with its indexes.",
            path = self.path(SUFFIX).display(),
            base = self.base_offset()
        ))
    }
}
