//! Who may commit offsets of a classic group, and which of its offsets are in use.

use super::{ClassicGroup, GroupState};
use crate::codec::messages::OffsetCommitRequest;
use crate::coordinator::group::offsets::Committed;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;

impl ClassicGroup {
    /// Whether offsets may be committed. `version` is that of OffsetCommit, None for
    /// TxnOffsetCommit.
    pub fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<(), ResponseError> {
        match version {
            Some(_) => self.validate_plain_commit(request),
            None => self.validate_transactional_commit(request),
        }
    }

    fn validate_plain_commit(&self, request: &OffsetCommitRequest) -> Result<(), ResponseError> {
        let generation = request.generation_id_or_member_epoch;
        let empty = self.state() == GroupState::Empty;
        if generation < 0 && empty {
            return Ok(());
        }
        let instance = request.group_instance_id.as_deref();
        if generation < 0 && request.member_id.is_empty() && instance.is_none() {
            return Err(ResponseError::UnknownMemberId);
        }
        self.validate_member(&request.member_id, instance)?;
        if generation != self.generation {
            Err(ResponseError::IllegalGeneration)
        } else if self.state() == GroupState::CompletingRebalance {
            // It knows the generation, so it has joined; it has to retry once it has its
            // assignment.
            Err(ResponseError::RebalanceInProgress)
        } else {
            Ok(())
        }
    }

    /// Whether a producer may commit offsets. One that does not identify itself may, because old
    /// producers cannot. The group may be in a rebalance.
    fn validate_transactional_commit(
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

    /// Whether an operator may delete offsets.
    pub fn validate_offset_delete(&self) -> Result<(), ResponseError> {
        match self.is_empty() || self.uses_consumer_protocol() {
            true => Ok(()),
            false => Err(ResponseError::NonEmptyGroup),
        }
    }

    /// Whether the members use offsets of `topic`. If that is unknown, consumers count as using it.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Since when an offset has been unused; None while it is or may be in use.
    pub fn offset_unused_since(&self, topic: &str, committed: &Committed) -> Option<Timestamp> {
        if self.is_subscribed_to(topic) {
            return None;
        }
        let knows_topics = self.uses_consumer_protocol() && self.subscribed_topics.is_some();
        match self.state() {
            _ if self.protocol_type.is_none() => Some(committed.commit_timestamp),
            GroupState::Empty => Some(self.state_timestamp.unwrap_or(committed.commit_timestamp)),
            GroupState::Stable if knows_topics => Some(committed.commit_timestamp),
            _ => None,
        }
    }
}

fn names_nobody(request: &OffsetCommitRequest) -> bool {
    request.generation_id_or_member_epoch < 0
        && request.member_id.is_empty()
        && request.group_instance_id.is_none()
}
