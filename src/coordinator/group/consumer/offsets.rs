//! Whether a member may commit and fetch offsets: what it knows has to be what the group knows.

use super::ConsumerGroup;
use super::heartbeat::refuse;
use super::member::ConsumerMember;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use uuid::Uuid;

/// From here on OffsetCommit knows member epochs.
const MEMBER_EPOCH_VERSION: i16 = 9;

/// Who commits, as a request says.
#[derive(Clone, Copy, Debug)]
pub struct Committer<'a> {
    /// `member.id`; empty if there is none.
    pub member: &'a str,
    /// `group.instance.id`.
    pub instance: Option<&'a str>,
    /// Its epoch, or generation; -1 if there is none.
    pub epoch: i32,
    /// The version of OffsetCommit; None for TxnOffsetCommit.
    pub version: Option<i16>,
}

/// What a member with an older epoch may commit: partitions that it has had since.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// None: everything.
    behind: Option<(Arc<ConsumerMember>, i32)>,
}

impl ConsumerGroup {
    /// Whether offsets may be committed, and of which partitions.
    pub fn validate_commit(&self, committer: Committer<'_>) -> Result<Permit> {
        let everything = Permit::default();
        // An operator, or a consumer that manages its partitions itself.
        if committer.epoch < 0 && self.is_empty() {
            return Ok(everything);
        }
        let is_transactional = committer.version.is_none();
        let is_nobody =
            committer.epoch == -1 && committer.member.is_empty() && committer.instance.is_none();
        if is_transactional && is_nobody {
            return Ok(everything);
        }
        let member = self.known_member(committer.member)?;
        let is_old = committer.version.is_some_and(|version| version < MEMBER_EPOCH_VERSION);
        if is_old && !member.is_classic() {
            let message = "OffsetCommit version 9 or above must be used by members using the \
                           consumer group protocol";
            return refuse(ResponseError::UnsupportedVersion, message.to_owned());
        }
        if committer.epoch > member.epoch {
            let what = if member.is_classic() { "generation id" } else { "member epoch" };
            let message = format!(
                "Received {what} {} is newer than current member epoch {}.",
                committer.epoch, member.epoch
            );
            return refuse(member.stale(), message);
        }
        let is_behind = committer.epoch < member.epoch;
        Ok(Permit { behind: is_behind.then(|| (member.clone(), committer.epoch)) })
    }

    /// Whether offsets may be fetched; an operator says neither member nor epoch.
    pub fn validate_fetch(&self, member: Option<&str>, epoch: i32) -> Result<()> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = self.known_member(member.unwrap_or_default())?;
        if epoch == member.epoch {
            return Ok(());
        }
        let message = if member.is_classic() {
            format!(
                "The received generation id {epoch} does not match the expected member epoch {}.",
                member.epoch
            )
        } else {
            format!(
                "The received member epoch {epoch} does not match the expected member epoch {}.",
                member.epoch
            )
        };
        refuse(member.stale(), message)
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
            let message = format!(
                "Partition {topic}-{partition} is not assigned or pending revocation for member."
            );
            return refuse(member.stale(), message);
        };
        if *received < assigned {
            let what = if member.is_classic() { "generation id" } else { "member epoch" };
            let message = format!(
                "Received {what} {received} is older than assignment epoch {assigned} for \
                 partition {topic}-{partition}."
            );
            return refuse(member.stale(), message);
        }
        Ok(())
    }
}

impl ConsumerMember {
    /// What it is told when its epoch is not right.
    fn stale(&self) -> ResponseError {
        match self.is_classic() {
            true => ResponseError::IllegalGeneration,
            false => ResponseError::StaleMemberEpoch,
        }
    }
}
