//! Which log directories still work. The first disk error takes a directory offline for good
//! (LogDirFailureChannel): nothing is written to it again, and the other directories go on.

use super::partition::Partition;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

/// One log directory's health, shared by the partitions whose logs lie in it.
#[derive(Debug)]
pub struct DirHealth {
    path: PathBuf,
    offline: AtomicBool,
    partitions: Mutex<Vec<Weak<Partition>>>,
}

impl DirHealth {
    /// A directory that works.
    pub fn new(path: &Path) -> DirHealth {
        DirHealth {
            path: path.to_owned(),
            offline: AtomicBool::new(false),
            partitions: Mutex::default(),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a disk error has taken it offline.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// KAFKA_STORAGE_ERROR once the directory is offline.
    pub fn check(&self) -> Result<()> {
        if self.is_offline() {
            return Err(Error::Code(ResponseError::KafkaStorageError));
        }
        Ok(())
    }

    /// Adds one who is to hear of the failure.
    pub fn add(&self, partition: Weak<Partition>) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        // Deleted partitions are swept when their number can have doubled.
        if partitions.len() == partitions.capacity() {
            partitions.retain(|partition| partition.strong_count() > 0);
        }
        partitions.push(partition);
    }

    /// Passes `result` on; a disk error in it takes the directory offline, except that a full disk
    /// only refuses what needed the room.
    pub fn observe<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error @ Error::Disk { source, .. }) = &result
            && source.kind() != ErrorKind::StorageFull
        {
            self.fail(error);
        }
        result
    }

    fn fail(&self, error: &Error) {
        if self.offline.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(dir = %self.path.display(), %error, "log directory goes offline");
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in partitions.iter().filter_map(Weak::upgrade) {
            partition.fail_waiters(ResponseError::KafkaStorageError);
        }
    }
}
