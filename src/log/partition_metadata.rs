//! `partition.metadata`: the topic that a log belongs to (PartitionMetadataFile). It is 43 bytes of
//! text, `version: 0\ntopic_id: <id>`, without a final newline.

use super::Stopped;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{Offset, uuid_from_text, uuid_to_text};
use std::path::Path;
use uuid::Uuid;

/// The file's name in the log's directory.
pub(super) const FILE: &str = "partition.metadata";

/// The directory of the metadata log, and the topic id that it has in every cluster.
const METADATA_LOG: &str = "__cluster_metadata-0";
const METADATA_ID: Uuid = Uuid::from_u128(1);

/// Size of the file in bytes.
const SIZE: usize = 43;

/// Reads the topic id of the log in `dir`. None if the file is missing, or as in `parse`.
pub(super) fn read(disk: &Disk, dir: &Path, may_be_torn: bool) -> Result<Option<Uuid>> {
    match disk.read_file(&dir.join(FILE))? {
        Some(content) => parse(disk, dir, &content, may_be_torn),
        None => Ok(None),
    }
}

/// Whether a power loss may have torn the file, which the log's first flush makes durable.
pub(super) fn may_be_torn(stopped: Stopped, recovery_point: Offset) -> bool {
    stopped == Stopped::Unknown && recovery_point == 0
}

/// Parses this content of the file in `dir`. None if it is incomplete and either was not durable or
/// the log has no records. Any other content without a topic id is an error (Corrupt).
pub(super) fn parse(
    disk: &Disk,
    dir: &Path,
    content: &[u8],
    may_be_torn: bool,
) -> Result<Option<Uuid>> {
    let topic_id = std::str::from_utf8(content).ok().and_then(topic_id_in);
    let is_part = !is_whole(content);
    if topic_id.is_some() || (is_part && (may_be_torn || has_no_records(disk, dir)?)) {
        return Ok(topic_id);
    }
    let remedy = match dir.ends_with(METADATA_LOG) {
        true => format!(
            "Delete it, and the next start writes it anew; or write its two lines, \"version: 0\" and \
             \"topic_id: {}\"",
            uuid_to_text(METADATA_ID)
        ),
        false => "This partition stays offline. Write its two lines anew, \"version: 0\" and \
                  \"topic_id: ID\" (kafka-topics.sh --describe shows the id), or move the directory \
                  away"
            .to_owned(),
    };
    let path = dir.join(FILE).display().to_string();
    Err(Error::corrupt(format!(
        "partition.metadata: {path} names no topic. {remedy}, and start again."
    )))
}

/// The message for a log in `dir` whose file names another topic than the log is of.
pub(super) fn mismatch(dir: &Path, found: Uuid, wanted: Uuid) -> String {
    format!(
        "{path} has topic_id: {found}, and the log must have topic_id: {wanted}. If it is that topic's \
         log, correct the line, and start again.",
        path = dir.join(FILE).display(),
        found = uuid_to_text(found),
        wanted = uuid_to_text(wanted)
    )
}

/// Whether this is more than a power loss leaves of a file that was not durable.
fn is_whole(content: &[u8]) -> bool {
    content.len() >= SIZE && !content.contains(&0)
}

fn has_no_records(disk: &Disk, dir: &Path) -> Result<bool> {
    for name in disk.list(dir)?.iter().filter(|name| name.ends_with(".log")) {
        if disk.file_len(&dir.join(name))?.is_some_and(|len| len > 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn topic_id_in(text: &str) -> Option<Uuid> {
    let (version, topic_id) = text.trim_end().split_once('\n')?;
    let version = version.trim_end() == "version: 0";
    let topic_id = uuid_from_text(topic_id.strip_prefix("topic_id: ")?)?;
    (version && !topic_id.is_nil()).then_some(topic_id)
}

/// Writes the file. Unless `durable`, a power loss may leave only a part of it.
pub(super) fn write(disk: &Disk, dir: &Path, topic_id: Uuid, durable: bool) -> Result<()> {
    let text = format!("version: 0\ntopic_id: {}", uuid_to_text(topic_id));
    let path = dir.join(FILE);
    if durable {
        return disk.replace_file(&path, text.as_bytes());
    }
    let temporary = dir.join("partition.metadata.tmp");
    disk.open(&temporary)?.write_at(text.as_bytes(), 0)?;
    disk.rename_unsynced(&temporary, &path)
}
