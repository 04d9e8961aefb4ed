//! What a member says about the records that it has.

use super::write::{StateChanges, StateWrite};
use super::{SharePartition, Verdict, invalid_state};
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp};
use kafka_protocol::error::ResponseError;

/// The acknowledgement of neighbouring records (ShareAcknowledgementBatch).
#[derive(Clone, Copy, Debug)]
pub struct Acknowledgement<'a> {
    /// The offset of the first one.
    pub first: Offset,
    /// The offset of the last one.
    pub last: Offset,
    /// What the member says about each, or once about all: 0 there is no such record, 1 accept,
    /// 2 release, 3 reject, 4 renew the lock.
    pub types: &'a [i8],
}

const RENEW: i8 = 4;

/// Checks the acknowledgements of a partition, whatever its state: INVALID_REQUEST unless they are
/// in order and well-formed. Locks are renewed only by a request that says so (KIP-1222).
pub fn check_acknowledgements(batches: &[Acknowledgement], may_renew: bool) -> Result<()> {
    let type_max = if may_renew { RENEW } else { RENEW - 1 };
    let mut previous = -1;
    for batch in batches {
        let is_sized = match batch.types {
            [] => false,
            [_] => true,
            types => batch.last.checked_sub(batch.first) == Some(types.len() as i64 - 1),
        };
        let is_known = batch.types.iter().all(|kind| (0..=type_max).contains(kind));
        // Kafka lets a batch begin where the one before it ends. That fails later.
        if batch.first > batch.last || batch.first < previous || !is_sized || !is_known {
            return Err(Error::Code(ResponseError::InvalidRequest));
        }
        previous = batch.last;
    }
    Ok(())
}

/// The part of an acknowledgement about records with the same type; `None` renews.
type Part = (Offset, Offset, Option<Verdict>);

impl SharePartition {
    /// Carries out what `member` says about its records: all of it, or nothing and the reason.
    /// Records before the start are passed over. None if nothing has to be written.
    pub fn acknowledge(
        &mut self,
        member: &str,
        batches: &[Acknowledgement],
        now: Timestamp,
    ) -> Result<Option<StateWrite>> {
        let mut parts = Vec::new();
        for batch in batches.iter().filter(|batch| batch.last >= self.start) {
            let first = batch.first.max(self.start);
            if parts.last().is_some_and(|(_, last, _)| first <= *last) {
                return Err(invalid_state("a record is acknowledged twice"));
            }
            self.check(member, first, batch.last)?;
            self.divide(batch, first, &mut parts)?;
        }
        let deadline = now + i64::from(self.settings.lock_duration_ms);
        let mut changes = StateChanges::default();
        for (first, last, verdict) in parts {
            match verdict {
                Some(verdict) => self.decide(first, last, verdict, false, &mut changes),
                None => self.runs.change(first, last, |_, run| run.deadline = deadline),
            }
        }
        Ok(self.write(changes, false))
    }

    /// Whether `member` has all records from `first` to `last`.
    fn check(&self, member: &str, first: Offset, last: Offset) -> Result<()> {
        if self.runs.first().is_none() {
            return Err(invalid_state("no records are acquired"));
        }
        if self.runs.at(last).is_none() {
            let what = format!("no record was delivered at offset {last}");
            return Err(Error::Explained(ResponseError::InvalidRequest, what));
        }
        for (first, run) in self.runs.within(first, last) {
            if !run.is_acquired() {
                return Err(invalid_state(format!("the record at {first} is not acquired")));
            }
            if run.member.as_deref() != Some(member) {
                return Err(invalid_state(format!("another member has the record at {first}")));
            }
        }
        Ok(())
    }

    /// Divides an acknowledgement, from `first` on, by type.
    fn divide(&self, batch: &Acknowledgement, first: Offset, parts: &mut Vec<Part>) -> Result<()> {
        if let [kind] = batch.types {
            parts.push((first, batch.last, self.meaning(*kind)?));
            return Ok(());
        }
        let passed = first.checked_sub(batch.first).and_then(|passed| usize::try_from(passed).ok());
        let types = passed.and_then(|passed| batch.types.get(passed..)).unwrap_or_default();
        if types.len() as i64 != batch.last - first + 1 {
            return Err(Error::Code(ResponseError::InvalidRequest));
        }
        let mut first = first;
        for alike in types.chunk_by(|a, b| a == b) {
            let last = first + alike.len() as i64 - 1;
            parts.push((first, last, self.meaning(alike[0])?));
            first = last + 1;
        }
        Ok(())
    }

    fn meaning(&self, kind: i8) -> Result<Option<Verdict>> {
        match kind {
            0 => Ok(Some(Verdict::Gap)),
            1 => Ok(Some(Verdict::Accept)),
            2 => Ok(Some(Verdict::Release)),
            3 => Ok(Some(Verdict::Reject)),
            RENEW if self.settings.may_renew => Ok(None),
            RENEW => Err(invalid_state("the group does not let locks be renewed")),
            _ => Err(Error::Code(ResponseError::InvalidRequest)),
        }
    }
}
