//! Looks into log directories before anything in them is changed: files of a version that this
//! broker does not know are refused, and a newer broker can still open them.

use super::names::{self, parse_dir_name, parse_file_name};
use super::scan::Batches;
use super::{leader_epoch, partition_metadata, segment};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::Offset;
use std::path::Path;

/// Refuses a log directory with a checkpoint or a `partition.metadata` of an unknown version
/// (Config). What cannot be read at all is left to those who read it.
pub(super) fn check_dir(disk: &Disk, dir: &Path) -> Result<()> {
    for name in disk.list(dir)?.iter().filter(|name| name.ends_with("-offset-checkpoint")) {
        check_file(disk, &dir.join(name), "")?;
    }
    for name in disk.list_dirs(dir)? {
        let suffix = parse_dir_name(&name).map(|(_, suffix)| suffix);
        if suffix.is_some_and(|suffix| suffix != Some(names::DELETE)) {
            check_file(disk, &dir.join(&name).join(leader_epoch::FILE), "")?;
            check_file(disk, &dir.join(&name).join(partition_metadata::FILE), "version: ")?;
        }
    }
    Ok(())
}

/// The first line of these files is their version, behind `label`; 0 is the only one there is.
fn check_file(disk: &Disk, path: &Path, label: &str) -> Result<()> {
    let bytes = disk.read_file(path)?.unwrap_or_default();
    let line = bytes.split(|byte| *byte == b'\n').next().and_then(|line| str::from_utf8(line).ok());
    let version = line.and_then(|line| line.trim_end().strip_prefix(label)?.parse().ok());
    match version {
        Some(0_i64) | None => Ok(()),
        Some(version) => Err(Error::unknown_version(path, version, "0")),
    }
}

/// Shows `visit` the batches from `from` on of a log that is not open, with the file that each
/// lies in. Ends before the first one that is not whole and sound: recovery cuts there.
pub(crate) fn scan_log(
    disk: &Disk,
    dir: &Path,
    from: Offset,
    mut visit: impl FnMut(&Path, &Batch) -> Result<()>,
) -> Result<()> {
    if disk.file_len(dir)?.is_none() {
        return Ok(());
    }
    let names = disk.list(dir)?;
    let mut segments: Vec<_> = names
        .iter()
        .filter_map(|name| Some((parse_file_name(name, segment::SUFFIX)?, name)))
        .collect();
    let first = segments.iter().rposition(|(base_offset, _)| *base_offset <= from).unwrap_or(0);
    for (_, name) in segments.drain(first..) {
        let path = dir.join(name);
        let file = disk.open(&path)?;
        let len = file.len()?;
        let mut batches = Batches::new(&file, 0, len);
        loop {
            match batches.next() {
                Ok(Some(batch)) if batch.checksum_holds() => {
                    if batch.last_offset() >= from {
                        visit(&path, &batch)?;
                    }
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                Ok(None) if batches.position == len => break,
                _ => return Ok(()),
            }
        }
    }
    Ok(())
}
