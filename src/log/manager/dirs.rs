//! A log directory: its lock, what is known of it at start, and whether it works.

use super::super::{checkpoint, parallel, versions};
use super::checkpoints::{Checkpoints, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use super::{LOCK, MetaProperties, files};
use crate::config::Config;
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::log::Stopped;
use crate::log::versions::Preview;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A log directory, which is locked while we run.
#[derive(Debug)]
pub struct LogDir {
    /// Its path.
    pub path: PathBuf,
    /// None if it is not formatted yet, or was offline from the start.
    pub meta: Option<MetaProperties>,
    /// The broker epoch in `.kafka_cleanshutdown`; None if there was no such file.
    pub clean_shutdown: Option<i64>,
    /// How the last process that used it has ended.
    pub stopped: Stopped,
    offline: AtomicBool,
}

impl LogDir {
    /// A directory that cannot be used.
    pub(super) fn offline(path: PathBuf) -> LogDir {
        LogDir {
            path,
            meta: None,
            clean_shutdown: None,
            stopped: Stopped::Unknown,
            offline: AtomicBool::new(true),
        }
    }

    /// The same directory with these `meta.properties`.
    pub(super) fn with_meta(&self, meta: MetaProperties) -> LogDir {
        LogDir {
            path: self.path.clone(),
            meta: Some(meta),
            clean_shutdown: self.clean_shutdown,
            stopped: self.stopped,
            offline: AtomicBool::new(self.is_offline()),
        }
    }

    /// Whether a disk error has taken it offline, at start or later.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Takes the directory offline for good (LogDirFailureChannel); returns whether it was online.
    pub fn fail(&self, error: &Error) -> bool {
        let was_online = !self.offline.swap(true, Ordering::AcqRel);
        if was_online {
            tracing::error!(dir = %self.path.display(), %error, "log directory goes offline");
        }
        was_online
    }
}

/// What a start finds in a log directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub dir: LogDir,
    pub checkpoints: Checkpoints,
    pub previews: HashMap<String, Preview>,
    pub lock: Lock,
}

/// Creates a log directory if it is missing, locks it, and reads its files. Changes nothing else.
pub(super) fn open(disk: &Disk, path: &Path, threads: usize) -> Result<Opened> {
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
    let clean_shutdown = files::read_clean_shutdown(disk, path)?;
    let stopped = match clean_shutdown {
        Some(_) => Stopped::Cleanly,
        None if disk.is_recovered_since_boot(path)? => Stopped::Killed,
        None => Stopped::Unknown,
    };
    let meta = files::read_meta_properties(disk, path)?;
    let offline = AtomicBool::new(false);
    let dir = LogDir { path: path.to_owned(), meta, clean_shutdown, stopped, offline };
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
