//! Settling: only what has moved is looked at.

use super::Partition;
use crate::error::Result;
use crate::replica::log_dirs::DirHealth;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

impl Partition {
    /// The log, which the caller holds, lies in `dir` now.
    pub(in crate::replica) fn set_dir(&self, dir: &Arc<DirHealth>) {
        self.dir.store(Arc::clone(dir));
        // It may be noted in the other directory, and nobody looks there once that is offline.
        self.is_unsettled.store(true, Ordering::Relaxed);
        dir.note_unsettled(Weak::clone(&self.this));
    }

    /// The log, which the caller holds, or its high watermark has moved.
    pub(super) fn note_moved(&self) {
        if !self.is_unsettled.swap(true, Ordering::Relaxed) {
            self.dir().note_unsettled(Weak::clone(&self.this));
        }
    }

    /// As `Log::settle`. It is to be called again if the log has moved since, or is not silent yet.
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
