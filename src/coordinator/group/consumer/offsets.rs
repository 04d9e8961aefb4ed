//! Which offsets a member may commit whose epoch is older than the group knows it by.

use super::ConsumerGroup;
use super::member::ConsumerMember;
use crate::codec::messages::OffsetCommitRequest;
use crate::error::Result;
use std::sync::Arc;
use uuid::Uuid;

/// What a commit may contain. With an older epoch it may contain partitions that the member has had
/// since that epoch.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// The member and its older epoch; None permits everything.
    behind: Option<(Arc<ConsumerMember>, i32)>,
}

impl ConsumerGroup {
    /// Whether offsets may be committed, and of which partitions. `version` is that of
    /// OffsetCommit, None for TxnOffsetCommit.
    pub fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<Permit> {
        let behind = self.committer_behind(version, request)?;
        let epoch = request.generation_id_or_member_epoch;
        Ok(Permit { behind: behind.map(|member| (member.clone(), epoch)) })
    }
}

impl Permit {
    /// Whether the offset of this partition may be committed.
    pub fn allows(&self, topic: &str, topic_id: Uuid, partition: i32) -> Result<()> {
        let Some((member, received)) = &self.behind else { return Ok(()) };
        let find = |partitions: &super::EpochPartitions| {
            partitions.get(&topic_id).and_then(|topic| topic.get(&partition)).copied()
        };
        let assigned = find(&member.assigned).or_else(|| find(&member.pending_revocation));
        let Some(assigned) = assigned else {
            let message = format!("The member does not own partition {topic}-{partition}.");
            return member.refuse_stale(message);
        };
        if *received < assigned {
            let message = format!(
                "The {} {received} is from before epoch {assigned}, at which the member got \
                 {topic}-{partition}.",
                member.epoch_name()
            );
            return member.refuse_stale(message);
        }
        Ok(())
    }
}
