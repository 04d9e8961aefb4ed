//! Divides the process's file descriptors: half are for files that stay open, some for files opened
//! briefly (metadata, checkpoints, directories), and the rest for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::LazyLock;

/// The number of files kept open even if there are few descriptors.
const MIN_FILES: usize = 16;
/// Descriptors for files opened briefly, and for what the process always has open.
const MOMENTARY: std::ops::RangeInclusive<usize> = 32..=1024;
/// The number of connections accepted even if there are few descriptors.
const MIN_CONNECTIONS: usize = 8;
/// Raises the limit of descriptors as far as the system allows, as Java does.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn descriptors() -> usize {
    let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(current).unwrap_or(usize::MAX)
}

/// The number of files that stay open.
pub(super) fn max_files() -> usize {
    (descriptors() / 2).max(MIN_FILES)
}

/// The number of files that one response may keep open until it is sent. What it leaves out comes
/// with the next response.
pub fn files_per_answer() -> usize {
    static MOST: LazyLock<usize> = LazyLock::new(|| (max_files() / 8).max(MIN_FILES));
    *MOST
}

/// Descriptors for files opened briefly or held by responses in progress.
pub fn momentary_descriptors() -> usize {
    (descriptors() / 8).clamp(*MOMENTARY.start(), *MOMENTARY.end())
}

/// The number of connections that may be open without taking descriptors from files.
pub fn descriptors_for_connections() -> usize {
    let all = descriptors();
    (all - all / 2).saturating_sub(momentary_descriptors()).max(MIN_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_connections_leave_some_descriptors() {
        let all = descriptors();
        assert!(max_files() + descriptors_for_connections() < all);
    }
}
