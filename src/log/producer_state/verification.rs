//! Producers whose transaction coordinator was asked whether this partition is in their transaction
//! (VerificationStateEntry). The answer counts only if the transaction has not ended since. This is
//! how a late produce is kept from beginning a transaction that would never end (KIP-890).

use super::refused;
use crate::error::Result;
use crate::log::{Verification, VerificationRequest};
use crate::record::Batch;
use crate::types::{ProducerId, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;

/// The producers whose next transactional batch begins a transaction here.
#[derive(Debug, Default)]
pub(super) struct Verifications {
    entries: HashMap<ProducerId, PendingVerification>,
    /// No guard is used twice, so an answer about an earlier transaction is recognized.
    last_guard: u64,
}

/// What one producer's coordinator was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingVerification {
    guard: u64,
    since: Timestamp,
    /// Has the lowest sequence number of those asked: batches with higher ones must wait until it
    /// is in the log.
    request: VerificationRequest,
}

impl Verifications {
    /// Notes that the producer's coordinator is asked; returns the guard for the answer.
    pub fn start(&mut self, request: VerificationRequest, now: Timestamp) -> u64 {
        let entry = self.entries.entry(request.producer_id).or_insert_with(|| {
            self.last_guard += 1;
            PendingVerification { guard: self.last_guard, since: now, request }
        });
        let first = &mut entry.request;
        if request.producer_epoch > first.producer_epoch {
            first.producer_epoch = request.producer_epoch;
            first.sequence = request.sequence;
        } else if request.producer_epoch == first.producer_epoch {
            first.sequence = first.sequence.min(request.sequence);
        }
        entry.guard
    }

    pub fn get(&self, producer: ProducerId) -> Option<&PendingVerification> {
        self.entries.get(&producer)
    }

    /// INVALID_TXN_STATE unless the batch, which begins a transaction here, was verified.
    pub fn check(&self, batch: &Batch, verification: Verification) -> Result<()> {
        let given = match verification {
            Verification::NotNeeded => return Ok(()),
            Verification::Ongoing => None,
            Verification::Guard(guard) => Some(guard),
        };
        let expected = self.get(batch.producer_id()).map(|asked| asked.guard);
        if given.is_some() && given == expected {
            return Ok(());
        }
        let message = "The producer has no transaction under way on this partition".to_owned();
        Err(refused(ResponseError::InvalidTxnState, message))
    }

    /// Forgets the question once the batch is in the log. Under version 2 the next transaction may
    /// be verified before the marker of the last one arrives. Its epoch is then the marker's, and
    /// the question stays.
    pub fn appended(&mut self, producer: ProducerId, epoch: i16, is_marker: bool) {
        let is_next = |asked: &PendingVerification| {
            asked.request.adds && is_marker && asked.request.producer_epoch == epoch
        };
        if !self.get(producer).is_some_and(is_next) {
            self.entries.remove(&producer);
        }
    }

    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        self.entries.retain(|_, asked| now - asked.since < expiration_ms);
    }
}

impl PendingVerification {
    /// OUT_OF_ORDER_SEQUENCE_NUMBER if an earlier batch of the producer is still missing: it was
    /// refused with a retriable error, and would be out of order after this one.
    pub fn check_sequence(&self, batch: &Batch, has_batches: bool) -> Result<()> {
        let sequence = batch.base_sequence();
        let expected = match self.request.sequence {
            _ if self.request.adds && sequence != 0 && !has_batches => 0,
            lowest if sequence > lowest => lowest,
            _ => return Ok(()),
        };
        Err(refused(
            ResponseError::OutOfOrderSequenceNumber,
            format!(
                "producer {} begins its part of the transaction with sequence number {sequence}, \
                 not with {expected}",
                batch.producer_id()
            ),
        ))
    }
}
