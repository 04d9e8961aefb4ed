//! Cleans up what an unfinished compaction or deletion has left in a log's directory.

use super::names::parse_file_name;
use super::producer_state::SNAPSHOT;
use super::retention::DELETED;
use super::scan::Batches;
use super::segment::{self, SUFFIXES};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::Offset;
use std::path::Path;
use std::sync::Arc;

/// Suffix of a file of an unfinished compaction.
pub(super) const CLEANED: &str = ".cleaned";
/// Suffix of a file of a finished compaction that has not got its name yet.
pub(super) const SWAP: &str = ".swap";
/// A snapshot of the metadata log, which is not removed here.
const CHECKPOINT_DELETED: &str = ".checkpoint.deleted";

/// Whether a file in a log's directory only waits to be removed.
pub(super) fn is_deleted(name: &str) -> bool {
    name.ends_with(DELETED) && !name.ends_with(CHECKPOINT_DELETED)
}

/// Removes deleted files and unfinished compactions, and completes finished ones. Returns the names
/// that remain.
pub(super) fn remove_leftovers(disk: &Disk, dir: &Path, names: Vec<String>) -> Result<Vec<String>> {
    let is_leftover =
        |name: &str| is_deleted(name) || name.ends_with(CLEANED) || name.ends_with(SWAP);
    if !names.iter().any(|name| is_leftover(name)) {
        return Ok(names);
    }
    let offset_of = |name: &str| name.get(..20).and_then(|digits| digits.parse::<Offset>().ok());
    let cleaned = names.iter().filter(|name| name.ends_with(CLEANED));
    let min_cleaned = cleaned.filter_map(|name| offset_of(name)).min().unwrap_or(Offset::MAX);
    for name in names.iter().filter(|name| is_leftover(name)) {
        // Swap files beside cleaned ones belong to an unfinished split.
        let finished =
            name.ends_with(SWAP) && offset_of(name).is_some_and(|offset| offset < min_cleaned);
        if !finished {
            disk.remove_file(&dir.join(name))?;
        }
    }
    finish_swaps(disk, dir, disk.list(dir)?)?;
    disk.list(dir)
}

/// Removes the segments that were compacted into a `.swap` segment, which then takes its name. A
/// `.swap` file is made durable before it gets this suffix, so one that is incomplete is refused.
fn finish_swaps(disk: &Disk, dir: &Path, names: Vec<String>) -> Result<()> {
    let swap_log = format!("{}{SWAP}", segment::SUFFIX);
    let (mut first, mut end) = (Offset::MAX, Offset::MIN);
    for (name, base_offset) in
        names.iter().filter_map(|name| Some((name, parse_file_name(name, &swap_log)?)))
    {
        let path = dir.join(name);
        let file = Arc::new(disk.open(&path)?);
        let len = file.len()?;
        let mut batches = Batches::new(file, 0, len);
        first = first.min(base_offset);
        end = end.max(base_offset);
        let mut next = base_offset;
        while batches.position < len {
            match batches.next() {
                Ok(Some(batch)) if batch.base_offset() >= next && batch.checksum_holds() => {
                    next = batch.next_offset();
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                _ => return Err(broken_swap(&path, batches.position)),
            }
        }
        end = end.max(next);
    }
    for name in names.iter().filter(|name| !name.ends_with(SWAP)) {
        let parsed = SUFFIXES.iter().chain([&SNAPSHOT]).find_map(|s| parse_file_name(name, s));
        if parsed.is_some_and(|offset| (first..end).contains(&offset)) {
            disk.remove_file(&dir.join(name))?;
        }
    }
    for name in &names {
        if let Some(stripped) = name.strip_suffix(SWAP) {
            disk.rename_unsynced(&dir.join(name), &dir.join(stripped))?;
        }
    }
    disk.sync_dir(dir)
}

fn broken_swap(path: &Path, position: u64) -> Error {
    Error::corrupt(format!(
        "segment {path}: its batch at byte {position} is damaged, so it does not replace what it was \
         compacted from. Nothing was changed, and this partition stays offline. Move the file and \
         its indexes away, and start again.",
        path = path.display()
    ))
}
