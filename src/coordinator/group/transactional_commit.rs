//! Offsets that are committed with a transaction, or not at all
//! (OffsetMetadataManager.commitTransactionalOffset).

use super::classic_group::{ClassicGroup, GroupState};
use super::outcome::Outcome;
use super::shard::Shard;
use crate::codec::schema::message::{OffsetCommitRequest, OffsetCommitResponse};
use crate::error::Result;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;

impl Shard {
    /// Commits offsets in a producer's transaction. Unlike `commit` this is no sign of life.
    pub fn commit_in_transaction(
        &mut self,
        now: Timestamp,
        request: &OffsetCommitRequest,
    ) -> Result<Outcome<OffsetCommitResponse>> {
        let validated = self.validate_commit(None, request);
        let outcome = validated.and_then(|permit| self.commit_all(now, request, &permit));
        outcome.map_err(|error| match error.code() {
            // Producers know no epochs of members.
            ResponseError::StaleMemberEpoch => ResponseError::IllegalGeneration.into(),
            _ => error,
        })
    }
}

impl ClassicGroup {
    /// Who says nothing of itself is believed: old producers cannot. Nor does it matter whether the
    /// group rebalances.
    pub fn validate_transactional_commit(
        &self,
        request: &OffsetCommitRequest,
    ) -> Result<(), ResponseError> {
        let generation = request.generation_id_or_member_epoch;
        if names_nobody(request) || (generation < 0 && self.state() == GroupState::Empty) {
            return Ok(());
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        match generation == self.generation {
            true => Ok(()),
            false => Err(ResponseError::IllegalGeneration),
        }
    }
}

fn names_nobody(request: &OffsetCommitRequest) -> bool {
    request.generation_id_or_member_epoch < 0
        && request.member_id.is_empty()
        && request.group_instance_id.is_none()
}
