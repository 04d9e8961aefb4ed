//! A log directory: what was found in it at start, and whether it works. The first disk error takes
//! a directory offline for good (LogDirFailureChannel): nothing is written to it again, and the
//! other directories go on.
//!
//! A full disk is not a failure. Producers are refused with KAFKA_STORAGE_ERROR, which clients
//! retry, while everything else continues with the reserve (`disk/reserve.rs`). Retention runs at
//! once, and producers are accepted again when there is room.

use super::{LogManager, MetaProperties};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::Stopped;
use kafka_protocol::error::ResponseError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// How many logs of a directory are flushed at the same time for waiting producers: Kafka's default
/// of `num.io.threads`. What others append in the meantime shares their next flush.
const FLUSHES: usize = 8;

/// A log directory, which is locked while we run.
#[derive(Debug)]
pub struct LogDir {
    /// Its path.
    pub path: PathBuf,
    /// The broker epoch in `.kafka_cleanshutdown`; None if there was no such file.
    pub clean_shutdown: Option<i64>,
    /// How the last process that used it has ended.
    pub stopped: Stopped,
    /// Permits to flush a log that producers wait for. One is taken before a flush begins.
    pub flush_turns: Semaphore,
    meta: OnceLock<MetaProperties>,
    disk: Disk,
    /// The disk error that has taken it offline.
    failure: OnceLock<String>,
    is_full: AtomicBool,
    /// Notified when this or another directory goes offline.
    failures: Arc<Notify>,
}

impl LogDir {
    /// A directory that was not read yet.
    pub(super) fn new(disk: &Disk, path: &Path, failures: &Arc<Notify>) -> LogDir {
        LogDir {
            path: path.to_owned(),
            clean_shutdown: None,
            stopped: Stopped::Unknown,
            flush_turns: Semaphore::new(FLUSHES),
            meta: OnceLock::new(),
            disk: disk.clone(),
            failure: OnceLock::new(),
            is_full: AtomicBool::new(false),
            failures: Arc::clone(failures),
        }
    }

    /// Its `meta.properties`; None if it is not formatted yet, or was offline from the start.
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.get()
    }

    /// Sets what `meta.properties` says, once.
    pub(super) fn set_meta(&self, meta: MetaProperties) {
        assert!(self.meta.set(meta).is_ok(), "{} is formatted twice", self.path.display());
    }

    /// Its directory id; None if it is not formatted.
    pub fn id(&self) -> Option<Uuid> {
        self.meta().map(|meta| meta.directory_id)
    }

    /// Whether a disk error has taken it offline, at start or later.
    pub fn is_offline(&self) -> bool {
        self.failure().is_some()
    }

    /// The disk error that has taken it offline.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Fails with KAFKA_STORAGE_ERROR once it is offline.
    pub fn check(&self) -> Result<()> {
        if self.is_offline() { Err(ResponseError::KafkaStorageError.into()) } else { Ok(()) }
    }

    /// Whether the disk has no room for producers.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Fails with KAFKA_STORAGE_ERROR while there is no room for producers.
    pub fn check_room(&self) -> Result<()> {
        if self.is_full() { Err(ResponseError::KafkaStorageError.into()) } else { Ok(()) }
    }

    /// Total and usable bytes of its file system, each at most i64::MAX.
    pub fn space(&self) -> Result<(i64, i64)> {
        self.disk.space(&self.path)
    }

    /// Checks whether there is room for producers, which means that the reserve is complete. Called
    /// a few times a second.
    pub fn look_for_room(&self) -> Result<bool> {
        let has_room = self.observe(self.disk.keep_reserve(&self.path))?;
        if self.is_full.swap(!has_room, Ordering::AcqRel) == has_room {
            let dir = self.path.display();
            match has_room {
                true => tracing::info!(%dir, "there is room again: producers are let in"),
                false => tracing::error!(%dir, "the disk is full: producers are refused"),
            }
        }
        Ok(has_room)
    }

    /// Returns `result`. A disk error in it takes the directory offline, but a full disk only makes
    /// it refuse producers.
    pub fn observe<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Err(error) if error.is_disk_full() => drop(self.release_reserve(error)),
            Err(error @ Error::Disk { .. }) => self.fail(error),
            _ => {}
        }
        result
    }

    /// Refuses producers from now on and releases the reserve. Returns whether there was one, so
    /// that the caller may try again what failed.
    pub fn release_reserve(&self, error: &Error) -> bool {
        if !self.is_full.swap(true, Ordering::AcqRel) {
            let dir = self.path.display();
            tracing::error!(%dir, %error, "the disk is full: producers are refused");
        }
        let released = self.disk.release_reserve(&self.path);
        if let Err(error) = &released {
            self.fail(error);
        }
        released.unwrap_or(false)
    }

    /// Takes the directory offline for good, and notifies those who wait for failures.
    pub(in crate::log) fn fail(&self, error: &Error) {
        if self.failure.set(error.to_string()).is_ok() {
            tracing::error!(dir = %self.path.display(), %error, "log directory goes offline");
            self.failures.notify_one();
        }
    }
}

impl LogManager {
    /// Finds the log directory that contains `path`.
    pub fn dir_of(&self, path: &Path) -> Option<&Arc<LogDir>> {
        self.dirs.iter().find(|dir| path.starts_with(&dir.path))
    }

    /// Returns `result`. A disk error is first passed to the log directory concerned
    /// ([`LogDir::observe`]).
    pub fn observe<T>(&self, result: Result<T>) -> Result<T> {
        let failed = match &result {
            Err(Error::Disk { path, .. }) => self.dir_of(path),
            _ => None,
        };
        match failed {
            Some(dir) => dir.observe(result),
            None => result,
        }
    }

    /// As `observe`, but an error that took a log directory offline is swallowed: work in the other
    /// directories goes on.
    pub fn survive(&self, done: Result<()>) -> Result<()> {
        match self.observe(done) {
            Err(Error::Disk { path, .. })
                if self.dir_of(&path).is_some_and(|dir| dir.is_offline()) =>
            {
                Ok(())
            }
            done => done,
        }
    }
}
