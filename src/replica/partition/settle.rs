//! Settling: only what has moved is looked at.

use super::Partition;
use crate::error::Result;
use std::sync::Weak;
use std::sync::atomic::Ordering;

impl Partition {
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
