//! Checks log directories before anything in them is changed. Files of an unknown version are
//! refused, so that a newer broker can still open them.

use super::names::{self, parse_dir_name, parse_file_name};
use super::scan::Batches;
use super::sound::find_sound;
use super::{leader_epoch, partition_metadata, segment};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::sync::parallel::in_parallel;
use crate::types::Offset;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The small files of a log, read once at start.
#[derive(Debug, Default)]
pub(super) struct SmallFiles {
    /// `leader-epoch-checkpoint`.
    pub leader_epochs: Vec<u8>,
    /// `partition.metadata`; None if there is no such file.
    pub partition_metadata: Option<Vec<u8>>,
}

/// Refuses a log directory with a checkpoint or a `partition.metadata` of an unknown version
/// (Config). Unreadable files are left to the code that needs them. Returns the small files of the
/// logs, by directory name.
pub(super) fn check_dir(
    disk: &Disk,
    dir: &Path,
    threads: usize,
) -> Result<HashMap<String, SmallFiles>> {
    for name in disk.list(dir)?.iter().filter(|name| name.ends_with("-offset-checkpoint")) {
        let path = dir.join(name);
        check_version(&path, &disk.read_file(&path)?.unwrap_or_default(), "")?;
    }
    let mut names = disk.list_dirs(dir)?;
    names.retain(|name| {
        parse_dir_name(name).is_some_and(|(_, suffix)| suffix != Some(names::DELETE))
    });
    let previews = in_parallel(threads, &names, |name| preview(disk, &dir.join(name)));
    let known = |(name, preview): (String, Result<SmallFiles>)| match preview {
        // Opening the log will report this, and only this partition goes offline.
        Err(Error::Corrupt { .. }) => None,
        preview => Some(preview.map(|preview| (name, preview))),
    };
    names.into_iter().zip(previews).filter_map(known).collect()
}

fn preview(disk: &Disk, log: &Path) -> Result<SmallFiles> {
    let path = log.join(leader_epoch::FILE);
    let leader_epochs = disk.read_file(&path)?.unwrap_or_default();
    check_version(&path, &leader_epochs, "")?;
    let path = log.join(partition_metadata::FILE);
    let partition_metadata = disk.read_file(&path)?;
    check_version(&path, partition_metadata.as_deref().unwrap_or_default(), "version: ")?;
    Ok(SmallFiles { leader_epochs, partition_metadata })
}

/// Checks the version in the first line, after `label`; 0 is the only one so far.
fn check_version(path: &Path, content: &[u8], label: &str) -> Result<()> {
    let line = content.split(|byte| *byte == b'\n').next();
    let line = line.and_then(|line| str::from_utf8(line).ok());
    let version = line.and_then(|line| line.trim_end().strip_prefix(label)?.parse().ok());
    match version {
        Some(0_i64) | None => Ok(()),
        Some(version) => Err(Error::unknown_version(path, version, "0")),
    }
}

/// Where the valid batches of a log end, if its files go on beyond that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanEnd {
    /// The file of the segment.
    pub path: PathBuf,
    /// Position in the file, in bytes.
    pub position: u64,
}

impl ScanEnd {
    /// Whether no valid batch follows, as if the end of the last segment was not written
    /// completely.
    pub fn is_torn(&self, disk: &Disk) -> Result<bool> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(false);
        };
        let is_later = |other: &String| {
            parse_file_name(other, segment::SUFFIX).is_some()
                && Some(other.as_str()) > name.to_str()
        };
        if disk.list(dir)?.iter().any(is_later) {
            return Ok(false);
        }
        let file = disk.open(&self.path)?;
        Ok(find_sound(&file, self.position, file.len()?)?.is_none())
    }
}

/// Calls `visit` for the batches of a log that is not open, with file and position, from the segment
/// on that has `from`. Stops before the first batch that is incomplete or damaged, where recovery
/// would truncate. Returns the end offset of what is sound, and that place.
pub(crate) fn scan_log(
    disk: &Disk,
    dir: &Path,
    from: Offset,
    mut visit: impl FnMut(&Path, u64, &Batch) -> Result<()>,
) -> Result<(Offset, Option<ScanEnd>)> {
    let names = disk.list(dir)?;
    let mut segments: Vec<_> = names
        .iter()
        .filter_map(|name| Some((parse_file_name(name, segment::SUFFIX)?, name)))
        .collect();
    let first = segments.iter().rposition(|(base_offset, _)| *base_offset <= from).unwrap_or(0);
    let mut end = segments.get(first).map_or(0, |(base_offset, _)| *base_offset);
    for (_, name) in segments.drain(first..) {
        let path = dir.join(name);
        let file = Arc::new(disk.open_existing(&path)?);
        let len = file.len()?;
        let mut batches = Batches::new(file, 0, len);
        loop {
            let position = batches.position;
            match batches.next() {
                Ok(Some(batch)) if batch.checksum_holds() => {
                    end = batch.next_offset();
                    visit(&path, position, &batch)?;
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                Ok(None) if batches.position == len => break,
                _ => return Ok((end, Some(ScanEnd { path, position }))),
            }
        }
    }
    Ok((end, None))
}
