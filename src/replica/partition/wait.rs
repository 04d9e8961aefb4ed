//! Waiting until appended records are replicated and on disk.

use super::Partition;
use super::state::Role;
use crate::error::{Error, Result};
use crate::replica::purgatory::OffsetWait;
use crate::types::{NO_EPOCH, Offset};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::time::Duration;

impl Partition {
    /// Resolves when the high watermark reaches `offset` and, under `flush.messages`, the records
    /// are on disk. REQUEST_TIMED_OUT after `timeout_ms`, NOT_ENOUGH_REPLICAS_AFTER_APPEND if the
    /// ISR has become too small, NOT_LEADER_OR_FOLLOWER if this broker stops leading before.
    pub async fn wait_for_high_watermark(
        self: &Arc<Self>,
        offset: Offset,
        timeout_ms: i32,
    ) -> Result<()> {
        self.flush_if_due(offset).await?;
        if let Some(mut wait) = self.begin_wait(offset)? {
            let limit = Duration::from_millis(timeout_ms.max(0) as u64);
            match tokio::time::timeout(limit, wait.reached()).await {
                Ok(outcome) => outcome?,
                Err(_) => return Err(Error::Code(ResponseError::RequestTimedOut)),
            }
        }
        if self.state().is_certainly_below_min_isr(&self.config()) {
            return Err(Error::Code(ResponseError::NotEnoughReplicasAfterAppend));
        }
        Ok(())
    }

    /// None if the high watermark is already there. Registers before it looks, so that no advance
    /// is missed.
    fn begin_wait(&self, offset: Offset) -> Result<Option<OffsetWait<'_>>> {
        let wait = self.waiters.wait_for(offset);
        let state = self.state();
        // This broker may have ceased to lead since the append, but not before that was replicated.
        if matches!(state.role, Role::Follower { led_to, .. } if led_to >= offset) {
            return Ok(None);
        }
        state.check_leader(NO_EPOCH)?;
        let reached = self.log()?.high_watermark() >= offset;
        Ok((!reached).then_some(wait))
    }

    /// Waits until everything below `offset` is on disk, if `flush.messages` no longer allows so
    /// much to stay unflushed. One flush serves all that wait for it.
    pub async fn flush_if_due(self: &Arc<Self>, offset: Offset) -> Result<()> {
        if !self.is_flush_due(offset)? {
            return Ok(());
        }
        let _turn = self.flushing.lock().await;
        if !self.is_flush_due(offset)? {
            return Ok(());
        }
        let dir = self.dir.load_full();
        let _turn_of_dir = dir.flush_turns.acquire().await;
        let partition = Arc::clone(self);
        let flush = tokio::task::spawn_blocking(move || partition.flush());
        flush.await.unwrap_or(Err(Error::Closed))
    }

    /// Whether something below `offset` is not on disk, and `flush.messages` no longer allows that.
    pub(super) fn is_flush_due(&self, offset: Offset) -> Result<bool> {
        let interval = self.config().flush_messages;
        // By default nothing is due, and that must not cost a lock.
        if interval == i64::MAX {
            return Ok(false);
        }
        let log = self.log()?;
        let point = log.recovery_point();
        Ok(point < offset && log.log_end_offset() - point >= interval)
    }

    /// Flushes the log to its current end with fsync, while others append.
    pub fn flush(&self) -> Result<()> {
        let (dir, begun) = {
            let mut log = self.log()?;
            (self.dir.load_full(), log.begin_flush())
        };
        if let Some(flush) = dir.observe(begun)? {
            let run = flush.run();
            dir.observe(self.log()?.conclude_flush(&flush, run))?;
        }
        Ok(())
    }
}
