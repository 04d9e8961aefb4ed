//! Names of files and directories (LogFileUtils, LocalLog).

use crate::types::{Offset, TopicPartition};
use uuid::Uuid;

/// A directory that waits for its removal.
pub(super) const DELETE: &str = "-delete";
/// A directory whose partition the metadata does not know.
pub(super) const STRAY: &str = "-stray";
/// A directory that takes over from one in another log directory.
pub(super) const FUTURE: &str = "-future";
/// The longest name of a directory.
const MAX_NAME: usize = 255;

/// `<20 digits of the offset><suffix>`.
pub(super) fn file_name(offset: Offset, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// The offset in a file's name that ends with `suffix`; None for any other name.
pub(super) fn parse_file_name(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// The partition that a directory belongs to, and `-delete`, `-stray`, `-future` if its name ends
/// so. None if it is no partition's directory.
pub(super) fn parse_dir_name(name: &str) -> Option<(TopicPartition, Option<&'static str>)> {
    let suffix = [DELETE, STRAY, FUTURE].into_iter().find(|suffix| name.ends_with(suffix));
    let name = match suffix {
        // <topic>-<partition>.<unique id><suffix>
        Some(_) => name.rsplit_once('.')?.0,
        None => name,
    };
    let (topic, digits) = name.rsplit_once('-')?;
    let partition: i32 = digits.parse().ok()?;
    // `a-00` would be a second directory of `a-0`.
    if topic.is_empty() || partition.to_string() != digits {
        return None;
    }
    Some((TopicPartition::new(topic, partition), suffix))
}

/// Whether `dir_name_with_suffix` has room for the whole topic.
pub(super) fn can_have_suffix(partition: &TopicPartition, suffix: &str) -> bool {
    dir_name_with_suffix(partition, suffix).starts_with(&*partition.topic)
}

/// A new name for the directory of `partition` that ends with `suffix`. The topic is cut if the
/// name would be too long for a file system.
pub(super) fn dir_name_with_suffix(partition: &TopicPartition, suffix: &str) -> String {
    let end = format!("-{}.{}{suffix}", partition.partition, Uuid::new_v4().simple());
    let topic_len = partition.topic.len().min(MAX_NAME - end.len());
    format!("{}{end}", &partition.topic[..topic_len])
}
