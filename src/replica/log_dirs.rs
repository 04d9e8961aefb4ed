//! Which log directories still work. The first disk error takes a directory offline for good
//! (LogDirFailureChannel): nothing is written to it again, and the other directories go on.
//!
//! A full disk is not broken. Producers are refused with KAFKA_STORAGE_ERROR, which clients retry;
//! everything else goes on by the reserve (`disk/reserve.rs`), retention runs at once, and when
//! there is room again producers are let in.

use super::partition::Partition;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::manager::LogDir;
use kafka_protocol::error::ResponseError;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// As many logs of a directory as are flushed at once for producers that wait, as many as Kafka's
/// `num.io.threads` are by default. What the others get meanwhile goes with their one flush.
const FLUSHES: usize = 8;

/// One log directory's health, shared by the partitions whose logs lie in it.
#[derive(Debug)]
pub struct DirHealth {
    disk: Disk,
    dir: Arc<LogDir>,
    full: AtomicBool,
    partitions: Mutex<Vec<Weak<Partition>>>,
    /// Those that have moved since they were settled.
    unsettled: Mutex<Vec<Weak<Partition>>>,
    /// Turns to flush a log that producers wait for.
    flushes: Semaphore,
}

impl DirHealth {
    /// Of a directory as it is at start.
    pub fn new(disk: &Disk, dir: &Arc<LogDir>) -> DirHealth {
        DirHealth {
            disk: disk.clone(),
            dir: Arc::clone(dir),
            full: AtomicBool::new(false),
            partitions: Mutex::default(),
            unsettled: Mutex::default(),
            flushes: Semaphore::new(FLUSHES),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir.path
    }

    /// Total and usable bytes of the file system that it lies in, each at most i64::MAX.
    pub fn space(&self) -> Result<(i64, i64)> {
        self.disk.space(self.path())
    }

    /// A turn to flush a log that producers wait for: take it before the flush is begun.
    pub(super) async fn flush_turn(&self) -> SemaphorePermit<'_> {
        self.flushes.acquire().await.expect("it is never closed")
    }

    /// Its id; None if it is not formatted, or was offline from the start.
    pub fn id(&self) -> Option<Uuid> {
        self.dir.meta.as_ref().map(|meta| meta.directory_id)
    }

    /// Whether a disk error has taken it offline.
    pub fn is_offline(&self) -> bool {
        self.dir.is_offline()
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

    /// Adds one that `take_unsettled` is to tell.
    pub(super) fn note_unsettled(&self, partition: Weak<Partition>) {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).push(partition);
    }

    /// The partitions that have moved since this was asked last.
    pub(super) fn take_unsettled(&self) -> Vec<Arc<Partition>> {
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *unsettled);
        drop(unsettled);
        taken.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether its disk has no room for producers.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// KAFKA_STORAGE_ERROR while there is no room for producers.
    pub fn check_room(&self) -> Result<()> {
        if self.is_full() {
            return Err(Error::Code(ResponseError::KafkaStorageError));
        }
        Ok(())
    }

    /// Looks whether there is room, which means that the reserve is whole; answers that. Called
    /// again and again.
    pub fn look_for_room(&self) -> Result<bool> {
        let has_room = self.observe(self.disk.keep_reserve(self.path()))?;
        if self.full.swap(!has_room, Ordering::AcqRel) == has_room {
            let dir = self.path().display();
            match has_room {
                true => tracing::info!(%dir, "there is room again: producers are let in"),
                false => tracing::error!(%dir, "the disk is full: producers are refused"),
            }
        }
        Ok(has_room)
    }

    /// Passes `result` on; a disk error in it takes the directory offline, except that a full disk
    /// only refuses what needed the room.
    pub fn observe<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Err(error) if error.is_disk_full() => drop(self.release_reserve(error)),
            Err(error @ Error::Disk { .. }) => self.fail(error),
            _ => {}
        }
        result
    }

    /// Refuses producers from now on, and gives the reserve back to the file system; answers
    /// whether there was one, so that what failed may be tried once more.
    pub fn release_reserve(&self, error: &Error) -> bool {
        if !self.full.swap(true, Ordering::AcqRel) {
            let dir = self.path().display();
            tracing::error!(%dir, %error, "the disk is full: producers are refused");
        }
        let released = self.disk.release_reserve(self.path());
        if let Err(error) = &released {
            self.fail(error);
        }
        released.unwrap_or(false)
    }

    fn fail(&self, error: &Error) {
        if !self.dir.fail(error) {
            return;
        }
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let are_here = |partition: &Arc<Partition>| std::ptr::eq(&**partition.dir(), self);
        for partition in partitions.iter().filter_map(Weak::upgrade).filter(are_here) {
            partition.fail_waiters(ResponseError::KafkaStorageError);
        }
    }
}
