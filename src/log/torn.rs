//! What follows the last valid batch of a segment. A crash leaves incomplete batches at the end of
//! the active segment, which are cut off. Whatever is readable is kept, if necessary in a file
//! beside the segments.

use super::names::file_name;
use super::segment::{SUFFIX, SUFFIXES, Segment};
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::record::{Batch, MAGIC, MAGIC_AT};
use crate::types::Offset;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Suffix of a file with what could not stay in the log. No broker reads it.
pub(super) const TORN: &str = ".log.torn";
/// Bytes searched at a time.
const WINDOW: usize = 1 << 20;
/// The most bytes whose checksums are computed, in addition to twice the bytes searched.
const MOST_CHECKED: u64 = 64 << 20;

/// A valid batch where none was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub position: u64,
    /// The batch's first offset; -1 if the search was given up, because it would have taken too
    /// long.
    pub base_offset: Offset,
}

/// The first valid batch that begins between two positions of a file, at any byte.
pub(super) fn find_sound(file: &File, position: u64, end: u64) -> Result<Option<Sound>> {
    let mut budget = MOST_CHECKED.saturating_add(2 * end.saturating_sub(position));
    let mut at = position;
    while end.saturating_sub(at) > MAGIC_AT as u64 {
        let mut window = vec![0; (end - at).min(WINDOW as u64) as usize];
        let read = file.read_at(&mut window, at)?;
        let Some(starts) = read.checked_sub(MAGIC_AT).filter(|starts| *starts > 0) else { break };
        for start in 0..starts {
            let position = at + start as u64;
            let Some(size) = claimed_size(&window[start..read], end - position) else { continue };
            let sound = |base_offset| Ok(Some(Sound { position, base_offset }));
            let Some(left) = budget.checked_sub(size) else { return sound(-1) };
            budget = left;
            if let Some(base_offset) = sound_batch(file, position, size)? {
                return sound(base_offset);
            }
        }
        at += starts as u64;
    }
    Ok(None)
}

/// The size of a batch that would begin with `bytes`, if it fits into the `left` bytes of the file.
fn claimed_size(bytes: &[u8], left: u64) -> Option<u64> {
    if !(0..=MAGIC).contains(&(bytes[MAGIC_AT] as i8)) {
        return None;
    }
    // `next_size` cannot tell whether the file has all of it.
    Batch::next_size(bytes).ok()?;
    let length = i32::from_be_bytes(*bytes[8..].first_chunk()?);
    let size = u64::try_from(length).ok()? + crate::record::LOG_OVERHEAD as u64;
    (size <= left).then_some(size)
}

fn sound_batch(file: &File, position: u64, size: u64) -> Result<Option<Offset>> {
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, position)?;
    let base_offset = i64::from_be_bytes(*bytes.first_chunk().expect("a batch has a header"));
    match Batch::split_stored(&mut Bytes::from(bytes)) {
        Ok(batch) => Ok(batch.checksum_holds().then_some(base_offset)),
        // It is valid, but this version cannot decode it.
        Err(Error::Config(_)) => Ok(Some(base_offset)),
        Err(_) => Ok(None),
    }
}

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

impl Segment {
    /// The reason not to open the log: at `position` there is something else than the batch with
    /// offset `expected`, and there are readable records from there on.
    pub(super) fn spoilt(&self, position: u64, expected: Offset, found: Sound) -> Error {
        let path = self.path(SUFFIX);
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
        Error::corrupt(format!(
            "segment {path}: {what}. Nothing was cut off, and this partition stays offline. Restore \
             the file from a copy; or, to do without its records from offset {expected} on, cut it \
             (truncate -s {position} {path}); then start again.",
            path = path.display()
        ))
    }

    /// The reason not to open the log: the segment's batches are gone.
    pub(super) fn emptied(&self) -> Error {
        Error::corrupt(format!(
            "segment {path}: it is empty, and its indexes tell of records. Nothing was cut off, and \
             this partition stays offline. Restore the file from a copy; or, to do without its \
             records, move it and its indexes away; then start again.",
            path = self.path(SUFFIX).display()
        ))
    }

    /// The reason why nothing can be read here: the segment has offsets that belong to the next
    /// one.
    pub(super) fn overlaps(&self, offset: Offset) -> Error {
        Error::corrupt(format!(
            "segment {path}: it has offset {offset}, which the segment behind it begins at or \
             below. Find out which of them does not belong there, stop the broker, and move that \
             file and its indexes away.",
            path = self.path(SUFFIX).display()
        ))
    }
}
