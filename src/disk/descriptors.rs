//! Divides the process's file descriptors: half are for files that stay open, some for files opened
//! briefly (metadata, checkpoints, directories), and the rest for connections.

use super::cached;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The number of files kept open even if there are few descriptors.
const MIN_FILES: usize = 16;
/// Descriptors for files opened briefly, and for what the process always has open.
const MOMENTARY: std::ops::RangeInclusive<usize> = 32..=1024;
/// The number of connections accepted even if there are few descriptors.
const MIN_CONNECTIONS: usize = 8;
/// How long opening a file waits for a free descriptor.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it pauses between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

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

/// Opens a file. A lack of descriptors is not the disk's fault: unused files are closed, and if
/// there are none it waits for a descriptor.
pub(super) fn opened<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut since = None;
    loop {
        match open() {
            Err(error) if is_out_of_descriptors(&error) => {
                let since = *since.get_or_insert_with(Instant::now);
                if cached::close_unused() {
                    continue;
                }
                if since.elapsed() >= PATIENCE {
                    return Err(error);
                }
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let out = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| out.contains(&code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_descriptor_is_waited_for_and_nothing_else() {
        for error in [Errno::MFILE, Errno::NFILE] {
            let mut tries = 0;
            let opened = opened(|| {
                tries += 1;
                if tries < 5 { Err(error.into()) } else { Ok(tries) }
            });
            assert_eq!(opened.unwrap(), 5);
        }
        let mut tries = 0;
        let failed: io::Result<()> = opened(|| {
            tries += 1;
            Err(Errno::IO.into())
        });
        assert!(failed.is_err() && tries == 1);
    }

    #[test]
    fn files_and_connections_leave_some_descriptors() {
        let all = descriptors();
        assert!(max_files() + descriptors_for_connections() < all);
    }
}
