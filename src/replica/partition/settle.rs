//! Settling, which looks only at partitions that have changed.

use super::Partition;
use crate::error::Result;
use crate::log::manager::LogDir;
use crate::sync::lock;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

/// The partitions on this broker that `settle` has to check.
pub(in crate::replica) type Unsettled = Arc<Mutex<Vec<Weak<Partition>>>>;

impl Partition {
    /// Sets the log directory. The caller holds the lock of the log, which was moved there.
    pub(in crate::replica) fn set_dir(&self, dir: &Arc<LogDir>) {
        self.dir.store(Arc::clone(dir));
        self.note_moved();
    }

    /// Notes that the log or its high watermark has changed. The caller holds the log's lock.
    pub(super) fn note_moved(&self) {
        if !self.is_unsettled.swap(true, Ordering::Relaxed) {
            let mut unsettled = lock(&self.common.unsettled);
            unsettled.push(Weak::clone(&self.this));
        }
    }

    /// Calls `Log::settle`, and notes the partition again if it will need another call.
    pub(in crate::replica) fn settle(&self) -> Result<()> {
        let mut log = self.log()?;
        self.is_unsettled.store(false, Ordering::Relaxed);
        let settled = log.settle();
        if settled.is_err() || !log.is_settled() {
            self.note_moved();
        }
        drop(log);
        self.dir().observe(settled)
    }
}
