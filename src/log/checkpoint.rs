//! Kafka's small text files: a version, a count, and that number of lines (CheckpointFile).

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{Offset, TopicPartition};
use std::collections::BTreeMap;
use std::path::Path;

/// The file with the offsets below which logs are durable, the recovery points.
pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// The only version so far.
const VERSION: &str = "0";

/// Reads the lines of the checkpoint at `path`. A missing or empty file has none; other content
/// that is not a checkpoint is an error (Corrupt).
pub(super) fn read<T>(
    disk: &Disk,
    path: &Path,
    line: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    parse(path, &disk.read_file(path)?.unwrap_or_default(), line)
}

/// Parses this content of the checkpoint at `path`.
pub(super) fn parse<T>(
    path: &Path,
    content: &[u8],
    line: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    parse_lines(content, line)
        .ok_or_else(|| Error::corrupt(format!("checkpoint file {}", path.display())))
}

fn parse_lines<T>(bytes: &[u8], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    match lines.next() {
        None => return Some(Vec::new()),
        Some(version) if version == VERSION => {}
        Some(_) => return None,
    }
    let Some(count) = lines.next() else { return Some(Vec::new()) };
    let count: usize = count.parse().ok()?;
    let entries = lines.map(parse).collect::<Option<Vec<T>>>()?;
    (entries.len() == count).then_some(entries)
}

/// The text of a checkpoint with these lines.
pub(super) fn text(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Reads an offset checkpoint, whose lines are `topic partition offset` (OffsetCheckpointFile).
pub(super) fn read_offsets(disk: &Disk, path: &Path) -> Result<BTreeMap<TopicPartition, Offset>> {
    let entries = read(disk, path, |line| {
        let mut words = line.split_whitespace();
        let (topic, partition, offset) = (words.next()?, words.next()?, words.next()?);
        let partition = TopicPartition::new(topic, partition.parse().ok()?);
        let offset: Offset = offset.parse().ok()?;
        let is_right = partition.partition >= 0 && offset >= 0 && words.next().is_none();
        is_right.then_some((partition, offset))
    })?;
    Ok(entries.into_iter().collect())
}

/// As `read_offsets`, but a damaged checkpoint counts as missing. What is not a file, and so could
/// not be replaced either, is an error (Config).
pub(super) fn read_offsets_or_none(
    disk: &Disk,
    path: &Path,
) -> Result<BTreeMap<TopicPartition, Offset>> {
    if let Err(Error::Corrupt { what }) = disk.read_file(path) {
        return Err(Error::Config(what));
    }
    match read_offsets(disk, path) {
        Err(Error::Corrupt { what }) => {
            tracing::warn!(what, "ignored a broken checkpoint");
            Ok(BTreeMap::new())
        }
        result => result,
    }
}

/// Replaces the offset checkpoint at `path`.
pub(super) fn write_offsets(
    disk: &Disk,
    path: &Path,
    offsets: &BTreeMap<TopicPartition, Offset>,
) -> Result<()> {
    disk.replace_file(path, text_of(offsets.iter()).as_bytes())
}

/// The text of an offset checkpoint.
pub(super) fn text_of<'a>(
    offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, &'a Offset)>,
) -> String {
    text(offsets.map(|(tp, offset)| format!("{} {} {offset}", tp.topic, tp.partition)))
}
