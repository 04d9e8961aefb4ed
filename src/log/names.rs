//! Names of files and directories (LogFileUtils, LocalLog).

use crate::types::{Offset, TopicPartition};
use uuid::Uuid;

/// Suffix of a directory that will be removed.
pub(super) const DELETE: &str = "-delete";
/// Suffix of a directory whose partition the metadata does not know.
pub(super) const STRAY: &str = "-stray";
/// Suffix of a directory that will replace one in another log directory.
pub(super) const FUTURE: &str = "-future";
/// The longest directory name, in bytes.
const MAX_NAME: usize = 255;

/// `<offset in 20 digits><suffix>`.
pub(super) fn file_name(offset: Offset, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// The offset in a file name with this suffix; None for other names.
pub(super) fn parse_file_name(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// The partition in a directory's name, and the suffix `-delete`, `-stray` or `-future` if there is
/// one. None if it is not the directory of a partition.
pub(super) fn parse_dir_name(name: &str) -> Option<(TopicPartition, Option<&'static str>)> {
    let suffix = [DELETE, STRAY, FUTURE].into_iter().find(|suffix| name.ends_with(suffix));
    let name = match suffix {
        // <topic>-<partition>.<unique id><suffix>
        Some(_) => name.rsplit_once('.')?.0,
        None => name,
    };
    let (topic, digits) = name.rsplit_once('-')?;
    let partition: i32 = digits.parse().ok()?;
    // `a-00` would be a second directory for `a-0`.
    if topic.is_empty() || partition.to_string() != digits {
        return None;
    }
    Some((TopicPartition::new(topic, partition), suffix))
}

/// Whether `dir_name_with_suffix` has room for the whole topic name.
pub(super) fn can_have_suffix(partition: &TopicPartition, suffix: &str) -> bool {
    dir_name_with_suffix(partition, suffix).starts_with(&*partition.topic)
}

/// A new, unique directory name for `partition` with this suffix. The topic is shortened if the
/// name would be too long for a file system.
pub(super) fn dir_name_with_suffix(partition: &TopicPartition, suffix: &str) -> String {
    let end = format!("-{}.{}{suffix}", partition.partition, Uuid::new_v4().simple());
    let topic_len = partition.topic.len().min(MAX_NAME - end.len());
    format!("{}{end}", &partition.topic[..topic_len])
}
