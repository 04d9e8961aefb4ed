//! Appending: assigns offsets and epochs, checks producers, rolls segments.

use super::segment::{SUFFIXES, Segment};
use super::transaction_index::AbortedTransaction;
use super::{Appended, Log, Origin, Verification, file_name, put_off};
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::{LeaderEpoch, NO_EPOCH, NO_TIMESTAMP, Offset, Timestamp};
use kafka_protocol::error::ResponseError;

impl Log {
    /// Appends validated batches, assigning offsets and the leader epoch unless replicating,
    /// checking producers and rolling when needed. A duplicate batch is `Error::Duplicate`; more
    /// bytes than a segment can hold are RECORD_LIST_TOO_LARGE. Nothing is flushed: before
    /// answering, the caller applies `flush.messages`, so that one flush serves all that wait for
    /// it.
    pub fn append(
        &mut self,
        batches: Vec<Batch>,
        leader_epoch: LeaderEpoch,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Appended> {
        self.append_verified(batches, leader_epoch, origin, Verification::NotNeeded, now)
    }

    /// As `append`, but a batch may begin a transaction only with the right `verification`.
    pub fn append_verified(
        &mut self,
        mut batches: Vec<Batch>,
        leader_epoch: LeaderEpoch,
        origin: Origin,
        verification: Verification,
        now: Timestamp,
    ) -> Result<Appended> {
        self.now = now;
        match origin {
            Origin::Replication => self.keep_offsets(&mut batches, leader_epoch)?,
            _ => self.give_offsets(&mut batches, leader_epoch),
        }
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(self.appended(self.end_offset, self.end_offset - 1, NO_TIMESTAMP));
        };
        let (base_offset, last_offset) = (first.base_offset(), last.last_offset());
        if last_offset == Offset::MAX {
            return Err(Error::corrupt(format!("end of {}: no offset is left", self.partition)));
        }
        let bytes: u64 = batches.iter().map(|batch| batch.size() as u64).sum();
        if bytes > self.config.segment_bytes as u64 {
            return Err(Error::Explained(
                ResponseError::RecordListTooLarge,
                format!(
                    "The batches for {} have {bytes} bytes together, more than a segment may \
                     have (segment.bytes={}).",
                    self.partition, self.config.segment_bytes
                ),
            ));
        }
        let staged = match self.producers.check(&batches, origin, verification) {
            Err(error) if is_out_of_order(&error) && self.recall_producers()? => {
                self.producers.check(&batches, origin, verification)?
            }
            checked => checked?,
        };
        for batch in batches.iter().filter(|batch| batch.leader_epoch() >= 0) {
            self.epochs.assign(batch.leader_epoch(), batch.base_offset());
        }
        let max_timestamp = batches.iter().map(Batch::max_timestamp).max().unwrap_or(NO_TIMESTAMP);
        self.maybe_roll(bytes, base_offset, last_offset, max_timestamp)?;
        let index_interval_bytes = self.config.index_interval_bytes as u64;
        self.active_mut().append(&batches, index_interval_bytes)?;
        self.end_offset = last_offset + 1;
        for completed in self.producers.commit(staged) {
            let last_stable_offset = self.producers.complete(&completed);
            if completed.aborted {
                self.active_mut().transaction_index.append(AbortedTransaction {
                    producer_id: completed.producer_id,
                    first_offset: completed.first_offset,
                    last_offset: completed.last_offset,
                    last_stable_offset,
                })?;
            }
        }
        self.producers.set_end(self.end_offset);
        let stamped = self.config.log_append_time && origin == Origin::Client;
        let append_time = if stamped { max_timestamp } else { NO_TIMESTAMP };
        Ok(self.appended(base_offset, last_offset, append_time))
    }

    fn appended(
        &self,
        base_offset: Offset,
        last_offset: Offset,
        append_time: Timestamp,
    ) -> Appended {
        let log_start_offset = self.log_start_offset;
        Appended { base_offset, last_offset, append_time, log_start_offset }
    }

    fn give_offsets(&self, batches: &mut [Batch], leader_epoch: LeaderEpoch) {
        let mut next = self.end_offset;
        for batch in batches {
            batch.set_base_offset(next);
            batch.set_leader_epoch(leader_epoch);
            next = batch.next_offset();
        }
    }

    /// Keeps the offsets of a leader's batches. Batches of a later epoch than `leader_epoch` are
    /// left out.
    fn keep_offsets(&self, batches: &mut Vec<Batch>, leader_epoch: LeaderEpoch) -> Result<()> {
        let newer = |batch: &Batch| leader_epoch != NO_EPOCH && batch.leader_epoch() > leader_epoch;
        let known = batches.iter().position(newer).unwrap_or(batches.len());
        batches.truncate(known);
        let mut next = self.end_offset;
        for batch in batches {
            if batch.base_offset() < next {
                return Err(Error::corrupt(format!(
                    "a batch for {} begins at offset {}, but the log is at {next} already",
                    self.partition,
                    batch.base_offset()
                )));
            }
            next = batch.next_offset();
        }
        Ok(())
    }

    fn maybe_roll(
        &mut self,
        bytes: u64,
        base_offset: Offset,
        last_offset: Offset,
        max_timestamp: Timestamp,
    ) -> Result<()> {
        let should_roll = self.active().should_roll(
            &self.config,
            self.roll_jitter_ms,
            bytes,
            last_offset,
            max_timestamp,
            self.now,
        )?;
        if should_roll { self.roll_at(base_offset) } else { Ok(()) }
    }

    /// Begins a new active segment if the current one has data.
    pub(super) fn roll_at(&mut self, base_offset: Offset) -> Result<()> {
        if self.active().size() == 0 && self.active_base() == base_offset {
            return Ok(());
        }
        assert!(base_offset > self.active_base(), "{} rolls backwards", self.partition);
        self.active_mut().seal()?;
        self.release_room()?;
        self.active_mut().retire();
        self.push_segment(base_offset)?;
        self.producers.set_end(base_offset);
        put_off(self.epochs.write().and_then(|()| self.take_snapshot()))
    }

    /// Gives back the space that `preallocate` reserved and nothing used.
    pub(super) fn release_room(&self) -> Result<()> {
        if self.config.preallocate { self.active().trim_file() } else { Ok(()) }
    }

    pub(super) fn push_segment(&mut self, base_offset: Offset) -> Result<()> {
        for suffix in SUFFIXES {
            // A crash may have left a file that the log does not know.
            self.disk.remove_file(&self.path(&file_name(base_offset, suffix)))?;
        }
        let segment = Segment::create(&self.disk, &self.dir, base_offset, self.now)?;
        if self.config.preallocate {
            segment.file()?.set_room_aside(self.config.segment_bytes as u64)?;
        }
        self.segments.push(segment);
        self.roll_jitter_ms = match self.config.segment_jitter_ms.min(self.config.segment_ms) {
            jitter_ms if jitter_ms > 0 => fastrand::i64(0..jitter_ms),
            _ => 0,
        };
        Ok(())
    }
}

fn is_out_of_order(error: &Error) -> bool {
    matches!(error, Error::Explained(ResponseError::OutOfOrderSequenceNumber, _))
}
