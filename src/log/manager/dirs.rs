//! Opens log directories: reads, creates and locks them.

use super::super::checkpoint::{self, RECOVERY_POINTS};
use super::super::versions;
use super::checkpoints::{Checkpoints, HIGH_WATERMARKS, LOG_STARTS};
use super::{LOCK, LogDir, files};
use crate::config::Config;
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::log::Stopped;
use crate::log::versions::SmallFiles;
use crate::sync::parallel;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;

/// What a start finds in a log directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub dir: LogDir,
    pub checkpoints: Checkpoints,
    pub previews: HashMap<String, SmallFiles>,
    /// None unless the directory is formatted.
    pub lock: Option<Lock>,
}

/// Reads a log directory, which may be missing, and changes nothing. Locks it if it is formatted;
/// the lock of another one would be a trace in it.
pub(super) fn open(
    disk: &Disk,
    path: &Path,
    threads: usize,
    failures: &Arc<Notify>,
) -> Result<Opened> {
    let mut dir = LogDir::new(disk, path, failures);
    if disk.file_len(path).map_err(|e| if_file(path, e))?.is_none() {
        let (checkpoints, previews) = (Checkpoints::default(), HashMap::new());
        return Ok(Opened { dir, checkpoints, previews, lock: None });
    }
    let is_formatted = files::read_meta_properties(disk, path).map_err(|e| if_file(path, e))?;
    let lock = is_formatted.map(|_| lock(disk, path)).transpose()?;
    let previews = versions::check_dir(disk, path, threads)?;
    let checkpoints = Checkpoints {
        recovery_points: checkpoint::read_offsets_or_none(disk, &path.join(RECOVERY_POINTS))?,
        log_starts: checkpoint::read_offsets_or_none(disk, &path.join(LOG_STARTS))?,
        high_watermarks: checkpoint::read_offsets_or_none(disk, &path.join(HIGH_WATERMARKS))?,
    };
    dir.clean_shutdown = files::read_clean_shutdown(disk, path)?;
    dir.stopped = match dir.clean_shutdown {
        Some(_) => Stopped::Cleanly,
        None if disk.is_recovered_since_boot(path)? => Stopped::Killed,
        None => Stopped::Unknown,
    };
    if !previews.is_empty() {
        tell_of_lost_starts(disk, path, dir.stopped)?;
    }
    if let Some(meta) = files::read_meta_properties(disk, path)? {
        dir.set_meta(meta);
    }
    Ok(Opened { dir, checkpoints, previews, lock })
}

/// Warns if nothing says any more where the logs begin. A broker that stops cleanly leaves the file
/// with its two first lines at least.
fn tell_of_lost_starts(disk: &Disk, path: &Path, stopped: Stopped) -> Result<()> {
    let path = path.join(LOG_STARTS);
    let content = disk.read_file(&path)?.unwrap_or_default();
    let is_lost = match content.is_empty() {
        true => stopped == Stopped::Cleanly,
        false => checkpoint::read_offsets(disk, &path).is_err(),
    };
    if is_lost {
        let path = path.display();
        tracing::warn!(
            "{path} is missing, empty or damaged: records that were deleted by DeleteRecords \
             (kafka-delete-records.sh) and whose segments are still there are back. Restore the \
             file from a copy, or delete them again."
        );
    }
    Ok(())
}

fn if_file(path: &Path, error: Error) -> Error {
    match error {
        Error::Disk { source, .. } if source.kind() == io::ErrorKind::NotADirectory => {
            let what = "a file is in the place of this directory or of one above it. Move it away, or \
                        name another directory in log.dirs";
            Error::disk(path, io::Error::new(source.kind(), what))
        }
        error => error,
    }
}

fn if_refused(path: &Path, error: Error) -> Error {
    match error {
        Error::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let what = "no directory can be made there. Name another one in log.dirs";
            Error::disk(path, io::Error::new(source.kind(), what))
        }
        error => error,
    }
}

/// Creates a directory that was not formatted when it was opened, if it is missing, and locks it.
/// Adds to `made` what was created.
pub(super) fn claim(disk: &Disk, path: &Path, made: &mut Vec<PathBuf>) -> Result<Lock> {
    make_dir(disk, path, made)?;
    let is_new = disk.file_len(&path.join(LOCK))?.is_none();
    let lock = lock(disk, path)?;
    made.extend(is_new.then(|| path.join(LOCK)));
    match files::read_meta_properties(disk, path)? {
        Some(_) => Err(in_use(path)),
        None => Ok(lock),
    }
}

/// Removes what `claim` has created, and nothing that somebody else has put there.
pub(super) fn unmake(disk: &Disk, made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = disk.remove_file(path).or_else(|_| disk.remove_empty_dir(path));
    }
}

fn lock(disk: &Disk, path: &Path) -> Result<Lock> {
    disk.lock(&path.join(LOCK))?.ok_or_else(|| in_use(path))
}

fn in_use(path: &Path) -> Error {
    Error::Config(format!(
        "{} is in use: another broker, klamm or Kafka, has locked its file .lock. Stop that one, or \
         name another directory in log.dirs.",
        path.display()
    ))
}

/// Refuses a directory listed under two names, because two logs of one partition would overwrite
/// each other, and one within another, where only partitions belong.
pub(super) fn refuse_overlaps(disk: &Disk, paths: &[PathBuf], metadata_dir: &Path) -> Result<()> {
    let is_same =
        |one: &Path, other: &Path| one == other || disk.is_same(one, other).unwrap_or(false);
    for (index, path) in paths.iter().enumerate() {
        if let Some(other) = paths[..index].iter().find(|other| is_same(path, other)) {
            return Err(Error::Config(format!(
                "log.dirs names the same directory twice, as {} and as {}. \
                 Leave one of them out.",
                other.display(),
                path.display()
            )));
        }
    }
    for path in paths.iter().map(PathBuf::as_path).chain([metadata_dir]) {
        let is_around = |outer: &&PathBuf| {
            !is_same(path, outer) && disk.resolve(path).starts_with(disk.resolve(outer))
        };
        if let Some(outer) = paths.iter().find(is_around) {
            return Err(Error::Config(format!(
                "{} lies within {}, which is one of log.dirs, where only partitions belong. Name a \
                 directory outside of it.",
                path.display(),
                outer.display()
            )));
        }
    }
    Ok(())
}

/// Creates a directory and its parents durably.
fn make_dir(disk: &Disk, path: &Path, made: &mut Vec<PathBuf>) -> Result<()> {
    let Some(parent) = path.parent().filter(|_| path.file_name().is_some()) else { return Ok(()) };
    if disk.file_len(path)?.is_some() {
        return Ok(());
    }
    make_dir(disk, parent, made)?;
    disk.create_dir(path).map_err(|error| if_refused(path, error))?;
    made.push(path.to_owned());
    disk.sync_dir(parent)
}

/// The number of threads for reading logs: `num.recovery.threads.per.data.dir` for each directory,
/// but at least the number of processors.
pub(super) fn recovery_threads(disk: &Disk, config: &Config) -> usize {
    // The order of its calls is part of a simulated history.
    if disk.is_simulated() {
        return 1;
    }
    let per_dir = config.num_recovery_threads_per_data_dir.max(1) as usize;
    (per_dir * config.log_dirs.len()).max(parallel::processors())
}
