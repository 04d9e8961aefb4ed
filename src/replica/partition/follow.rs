//! Following: what the leader on another broker sends is appended byte for byte, and what is not in
//! its history is removed.
//!
//! Every change names the leader epoch in which it was asked for. Once this broker leads or follows
//! in another epoch, the change is refused, so an answer that comes late does no harm.

use super::state::Role;
use super::{Partition, offsets_of};
use crate::error::{Error, Result};
use crate::log::{Log, Origin};
use crate::record::Batch;
use crate::types::{LeaderEpoch, NO_EPOCH, Offset, Timestamp};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;

/// Where a follower stands: what it tells its leader in the next fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replica) struct Position {
    /// The end of its log, from which it goes on.
    pub offset: Offset,
    /// The epoch of its last record, -1 if unknown.
    pub last_epoch: LeaderEpoch,
    /// The start of its log.
    pub log_start: Offset,
    /// How often the log was truncated.
    pub truncations: u64,
}

/// What the leader has sent of a partition.
#[derive(Clone, Debug)]
pub(in crate::replica) struct FromLeader {
    /// The offset that was asked for.
    pub from: Offset,
    /// Batches; the last one may be cut off.
    pub records: Bytes,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The start of the leader's log.
    pub log_start: Offset,
}

impl Partition {
    /// Where the next fetch goes on.
    pub(in crate::replica) fn position(&self) -> Result<Position> {
        Ok(position_of(&*self.log()?))
    }

    /// Prepares the log for a leader in `epoch`. Without any leader epoch the histories cannot be
    /// compared, so only what is known to be replicated stays (initialFetchOffset). Records that a
    /// power loss took from the middle are copied again with all that follows them: nobody would
    /// ever ask for them, and this replica could be elected without them.
    pub(in crate::replica) fn begin_to_follow(&self, epoch: LeaderEpoch) -> Result<Position> {
        self.as_follower(epoch, |log| {
            if let Some(offset) = log.lost_from() {
                let name = &self.topic_partition;
                tracing::warn!(
                    "{name} has lost records from {offset} on with the power: it is copied again \
                     from there"
                );
                log.truncate_to(offset)?;
            }
            match log.latest_epoch() {
                NO_EPOCH => log.truncate_to(log.high_watermark()),
                _ => Ok(()),
            }
        })
    }

    /// Appends what the leader of `epoch` sent. The high watermark and the start of the log follow
    /// the leader's. Batches of a later epoch are left out: the leader has been replaced since it
    /// was asked, and its answer may have come from its successor's history. Under `flush.messages`
    /// the records are on disk on return, as the next fetch tells the leader that they are here. On a
    /// full disk the records are left out, and KAFKA_STORAGE_ERROR is returned.
    pub(in crate::replica) fn append_from_leader(
        &self,
        epoch: LeaderEpoch,
        sent: FromLeader,
        now: Timestamp,
    ) -> Result<Position> {
        let mut batches = whole_batches(sent.records)?;
        let room = if batches.is_empty() { Ok(()) } else { self.dir().check_room() };
        if room.is_err() {
            // What the leader deletes makes room.
            batches.clear();
        }
        let position = self.as_follower(epoch, |log| {
            if log.log_end_offset() != sent.from {
                return Ok(());
            }
            make_room_for(log, batches.first(), epoch, sent.log_start)?;
            append_all(log, batches, epoch, now)?;
            log.set_high_watermark(sent.high_watermark);
            let log_start = sent.log_start.min(log.high_watermark());
            log.advance_log_start(log_start.max(log.log_start_offset()))
        })?;
        if self.is_flush_due(position.offset)? {
            self.flush()?;
        }
        room.map(|()| position)
    }

    /// Removes what the leader does not have. It has said that of its history `leaders` is the
    /// largest epoch that may be in ours, and where it ends there. If we do not have that epoch,
    /// the leader must be asked again from where we cut (getOffsetTruncationState).
    pub(in crate::replica) fn truncate_to_shared(
        &self,
        epoch: LeaderEpoch,
        leaders: (LeaderEpoch, Offset),
    ) -> Result<Position> {
        self.as_follower(epoch, |log| {
            let shared = match log.end_offset_for_epoch(leaders.0) {
                Some((ours, end)) if ours == leaders.0 => end.min(leaders.1),
                Some((_, end)) => end,
                None => leaders.1,
            };
            self.cut(log, shared.min(log.log_end_offset()))
        })
    }

    /// Removes everything from `offset` on, where the leader's log ends.
    pub(in crate::replica) fn truncate_to_end(
        &self,
        epoch: LeaderEpoch,
        offset: Offset,
    ) -> Result<Position> {
        self.as_follower(epoch, |log| self.cut(log, offset))
    }

    /// Removes everything and begins again at `offset`, where the leader's log begins.
    pub(in crate::replica) fn restart_at(
        &self,
        epoch: LeaderEpoch,
        offset: Offset,
    ) -> Result<Position> {
        let name = &self.topic_partition;
        self.as_follower(epoch, |log| {
            let end = log.log_end_offset();
            tracing::warn!(
                "{name} ends at {end}, before its leader's begins: restarts at {offset}"
            );
            log.truncate_fully(offset)
        })
    }

    fn cut(&self, log: &mut Log, offset: Offset) -> Result<()> {
        let (name, end) = (&self.topic_partition, log.log_end_offset());
        match log.high_watermark() {
            high_watermark if offset < high_watermark => tracing::warn!(
                "{name} is truncated from {end} to {offset}, below its high watermark \
                 {high_watermark}: the leader does not have the rest"
            ),
            _ => tracing::info!("{name} is truncated from {end} to {offset}, as its leader"),
        }
        log.truncate_to(offset)
    }

    /// Changes the log if this broker still follows the leader of `epoch`; FENCED_LEADER_EPOCH if
    /// not. Whoever waits for the partition is told.
    fn as_follower(
        &self,
        epoch: LeaderEpoch,
        change: impl FnOnce(&mut Log) -> Result<()>,
    ) -> Result<Position> {
        let state = self.state();
        if state.leader_epoch != epoch || matches!(state.role, Role::Leader { .. }) {
            return Err(Error::Code(ResponseError::FencedLeaderEpoch));
        }
        let mut log = self.log()?;
        let before = offsets_of(&log);
        let changed = self.dir().observe(change(&mut log));
        let (after, position) = (offsets_of(&log), position_of(&log));
        if after != before {
            self.note_moved();
        }
        drop(log);
        drop(state);
        if after != before {
            self.waiters.moved(after.high_watermark);
        }
        changed.map(|()| position)
    }
}

fn position_of(log: &Log) -> Position {
    Position {
        offset: log.log_end_offset(),
        last_epoch: log.latest_epoch(),
        log_start: log.log_start_offset(),
        truncations: log.truncations(),
    }
}

/// The batches of an answer that have come completely, with their checksums verified.
fn whole_batches(mut bytes: Bytes) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    while Batch::next_size(&bytes)?.is_some() {
        let batch = Batch::split_stored(&mut bytes)?;
        if !batch.checksum_holds() {
            return Err(Error::corrupt(format!(
                "batch at offset {}: wrong checksum",
                batch.base_offset()
            )));
        }
        batches.push(batch);
    }
    Ok(batches)
}

/// Batches are never cut, so one may begin before our end if the leader's log begins within it. Then
/// nothing of ours is needed, and the log begins again with that batch.
fn make_room_for(
    log: &mut Log,
    first: Option<&Batch>,
    epoch: LeaderEpoch,
    leaders_start: Offset,
) -> Result<()> {
    let end = log.log_end_offset();
    match first {
        Some(first)
            if first.leader_epoch() <= epoch
                && first.base_offset() < end
                && (end == log.log_start_offset() || end <= leaders_start) =>
        {
            log.truncate_fully(first.base_offset())
        }
        _ => Ok(()),
    }
}

/// Appends the batches in groups that fit into a segment.
fn append_all(
    log: &mut Log,
    batches: Vec<Batch>,
    epoch: LeaderEpoch,
    now: Timestamp,
) -> Result<()> {
    let bytes_max = log.config().segment_bytes as usize;
    let mut batches = batches.into_iter().peekable();
    while batches.peek().is_some() {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(batch) =
            batches.next_if(|next| group.is_empty() || bytes + next.size() <= bytes_max)
        {
            bytes += batch.size();
            group.push(batch);
        }
        log.append(group, epoch, Origin::Replication, now)?;
    }
    Ok(())
}
