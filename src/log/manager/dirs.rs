//! Opens log directories: creates, locks and reads them.

use super::super::{checkpoint, versions};
use super::checkpoints::{Checkpoints, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use super::{LOCK, LogDir, files};
use crate::config::Config;
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::log::Stopped;
use crate::log::versions::Preview;
use crate::sync::parallel;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;

/// What a start finds in a log directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub dir: LogDir,
    pub checkpoints: Checkpoints,
    pub previews: HashMap<String, Preview>,
    pub lock: Lock,
}

/// Creates a log directory if it is missing, locks it, and reads its files. Changes nothing else.
pub(super) fn open(
    disk: &Disk,
    path: &Path,
    threads: usize,
    failures: &Arc<Notify>,
) -> Result<Opened> {
    make_dir(disk, path)?;
    let lock = disk.lock(&path.join(LOCK))?.ok_or_else(|| {
        Error::Config(format!(
            "{} is in use: another broker, klamm or Kafka, has locked its file .lock. Stop that \
             one, or name another directory in log.dirs.",
            path.display()
        ))
    })?;
    let previews = versions::check_dir(disk, path, threads)?;
    let checkpoints = Checkpoints {
        recovery_points: checkpoint::read_offsets_or_none(disk, &path.join(RECOVERY_POINTS))?,
        log_starts: checkpoint::read_offsets_or_none(disk, &path.join(LOG_STARTS))?,
        high_watermarks: checkpoint::read_offsets_or_none(disk, &path.join(HIGH_WATERMARKS))?,
    };
    let mut dir = LogDir::new(disk, path, failures);
    dir.clean_shutdown = files::read_clean_shutdown(disk, path)?;
    dir.stopped = match dir.clean_shutdown {
        Some(_) => Stopped::Cleanly,
        None if disk.is_recovered_since_boot(path)? => Stopped::Killed,
        None => Stopped::Unknown,
    };
    if let Some(meta) = files::read_meta_properties(disk, path)? {
        dir.set_meta(meta);
    }
    Ok(Opened { dir, checkpoints, previews, lock })
}

/// Creates missing directories if possible, and refuses a directory listed under two names, because
/// two logs of one partition would overwrite each other.
pub(super) fn refuse_twice(disk: &Disk, paths: &[PathBuf]) -> Result<()> {
    for (index, path) in paths.iter().enumerate() {
        if make_dir(disk, path).is_err() {
            // Opening it will take it offline or refuse the start.
            continue;
        }
        for other in &paths[..index] {
            if path == other || disk.is_same(path, other).unwrap_or(false) {
                return Err(Error::Config(format!(
                    "Duplicate log directory found: log.dirs names one directory as {} and as {}. \
                     Leave one of them out.",
                    other.display(),
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

/// Creates a log directory and its parents durably.
fn make_dir(disk: &Disk, path: &Path) -> Result<()> {
    if disk.file_len(path)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(disk, parent)?;
        disk.create_dir_all(path)?;
        return disk.sync_dir(parent);
    }
    disk.create_dir_all(path)
}

/// The number of threads for reading logs: `num.recovery.threads.per.data.dir` for each directory,
/// but at least the number of processors.
pub(super) fn recovery_threads(config: &Config) -> usize {
    let per_dir = config.num_recovery_threads_per_data_dir.max(1) as usize;
    (per_dir * config.log_dirs.len()).max(parallel::processors())
}
