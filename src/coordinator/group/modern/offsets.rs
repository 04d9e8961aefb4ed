//! Who may commit and fetch offsets: what a member knows has to be what the group knows.

use super::{Kind, Member, Modern, refuse};
use crate::codec::messages::OffsetCommitRequest;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// The first version of OffsetCommit that has member epochs.
const MEMBER_EPOCH_VERSION: i16 = 9;

impl<K: Kind> Modern<K> {
    /// Whether offsets may be committed. Returns the member if its epoch is older than the group
    /// knows it by: it may then commit only what it has had since. `version` is that of
    /// OffsetCommit; TxnOffsetCommit has none.
    pub fn committer_behind(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<Option<&Arc<Member<K>>>> {
        let epoch = request.generation_id_or_member_epoch;
        let names_nobody = request.member_id.is_empty() && request.group_instance_id.is_none();
        let is_operator = epoch < 0 && self.is_empty();
        // A producer that knows nothing of the group, as before KIP-447.
        let is_unaware = version.is_none() && epoch == -1 && names_nobody;
        if is_operator || is_unaware {
            return Ok(None);
        }
        let member = self.known_member(&request.member_id)?;
        let is_old = version.is_some_and(|version| version < MEMBER_EPOCH_VERSION);
        if is_old && !K::speaks_classic(member) {
            let message = format!(
                "A member of a {} group must commit with OffsetCommit {MEMBER_EPOCH_VERSION} or \
                 later",
                K::NAME
            );
            return refuse(ResponseError::UnsupportedVersion, message);
        }
        if epoch > member.epoch {
            let message = format!(
                "The {} {epoch} is ahead of the member's epoch {}.",
                member.epoch_name(),
                member.epoch
            );
            return member.refuse_stale(message);
        }
        Ok((epoch < member.epoch).then_some(member))
    }

    /// Whether offsets may be fetched; an operator gives neither member nor epoch.
    pub fn validate_fetch(&self, member: Option<&str>, epoch: i32) -> Result<()> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = self.known_member(member.unwrap_or_default())?;
        if epoch == member.epoch {
            return Ok(());
        }
        member.refuse_stale(format!(
            "The {} {epoch} is not the member's epoch {}.",
            member.epoch_name(),
            member.epoch
        ))
    }
}

impl<K: Kind> Member<K> {
    /// What the member calls the epoch in its requests.
    pub fn epoch_name(&self) -> &'static str {
        if K::speaks_classic(self) { "generation id" } else { "member epoch" }
    }

    /// The error for an epoch that is not the member's.
    pub fn refuse_stale<T>(&self, message: String) -> Result<T> {
        let error = match K::speaks_classic(self) {
            true => ResponseError::IllegalGeneration,
            false => ResponseError::StaleMemberEpoch,
        };
        refuse(error, message)
    }
}
