//! DeleteRecords: the log start offset moves up here, and then on the followers.

use super::Partition;
use crate::error::{Error, Result};
use crate::replica::purgatory::{Watch, WatchId};
use crate::types::{NO_EPOCH, Offset};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// What DeleteRecords has done on the leader (LogDeleteRecordsResult).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The records below this offset were to be deleted.
    pub before: Offset,
    /// No live replica has records below this offset.
    pub low_watermark: Offset,
}

/// A registration that ends when this is dropped, as with the connection of whoever waits.
struct Watching<'a> {
    partition: &'a Partition,
    id: Option<WatchId>,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.partition.unwatch(id);
        }
    }
}

impl Partition {
    /// Moves the log start offset up to `offset` (-1: the high watermark). POLICY_VIOLATION if
    /// `cleanup.policy` is only `compact`, OFFSET_OUT_OF_RANGE above the high watermark.
    pub fn delete_records(&self, offset: Offset) -> Result<Deleted> {
        let state = self.state();
        state.check_leader(NO_EPOCH)?;
        let mut log = self.log()?;
        if log.config().compact && !log.config().delete {
            return Err(Error::Code(ResponseError::PolicyViolation));
        }
        let high_watermark = log.high_watermark();
        let before = if offset == -1 { high_watermark } else { offset };
        if before < 0 || before > high_watermark {
            return Err(Error::Code(ResponseError::OffsetOutOfRange));
        }
        if before > log.log_start_offset() {
            self.dir().observe(log.advance_log_start(before))?;
        }
        let low_watermark = self.low_watermark(&state, &log);
        drop(log);
        drop(state);
        self.waiters.moved(high_watermark);
        Ok(Deleted { before, low_watermark })
    }

    /// Resolves with the low watermark once it has reached `offset` (DelayedDeleteRecords).
    /// REQUEST_TIMED_OUT at `deadline`, NOT_LEADER_OR_FOLLOWER if this broker stops leading before.
    pub async fn wait_for_low_watermark(
        &self,
        offset: Offset,
        deadline: Instant,
    ) -> Result<Offset> {
        let watch = Arc::new(Watch::default());
        // Registers before it looks, so that no change is missed.
        let _watching = Watching { partition: self, id: Some(self.watch(&watch, 0)) };
        loop {
            match self.current_low_watermark() {
                Ok(low_watermark) if low_watermark < offset => {}
                outcome => return outcome,
            }
            if timeout_at(deadline, watch.marked()).await.is_err() {
                return Err(Error::Code(ResponseError::RequestTimedOut));
            }
            watch.take();
        }
    }

    fn current_low_watermark(&self) -> Result<Offset> {
        let state = self.state();
        state.check_leader(NO_EPOCH)?;
        let log = self.log()?;
        Ok(self.low_watermark(&state, &log))
    }
}
