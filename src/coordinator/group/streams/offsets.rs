//! Who may commit and fetch offsets of a streams group.

use super::StreamsGroup;
use super::member::Member;
use crate::codec::schema::message::OffsetCommitRequest;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;

/// The first version of OffsetCommit that knows member epochs.
const MEMBER_EPOCH_VERSION: i16 = 9;

impl StreamsGroup {
    /// Whether who commits offsets may do so. A member may be late by the epochs in which it kept
    /// the tasks. `version` is that of OffsetCommit; a TxnOffsetCommit has none.
    pub fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<()> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let names_nobody = request.member_id.is_empty() && request.group_instance_id.is_none();
        if version.is_none() && epoch == -1 && names_nobody {
            return Ok(());
        }
        let member = self.member(&request.member_id)?;
        if version.is_some_and(|version| version < MEMBER_EPOCH_VERSION) {
            return Err(Error::Explained(
                ResponseError::UnsupportedVersion,
                "OffsetCommit version 9 or above must be used by members using the streams group \
                 protocol"
                    .to_owned(),
            ));
        }
        if epoch > member.epoch {
            return Err(stale(format!(
                "Received member epoch {epoch} is newer than current member epoch {}.",
                member.epoch
            )));
        }
        if epoch == member.epoch {
            return Ok(());
        }
        let mut partitions = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|of| (topic.name.as_str(), of.partition_index))
        });
        partitions.try_for_each(|of| self.validate_late_commit(member, epoch, of))
    }

    fn validate_late_commit(
        &self,
        member: &Member,
        epoch: i32,
        (topic, partition): (&str, i32),
    ) -> Result<()> {
        let unknown =
            || stale("Topology is not available for offset commit validation.".to_owned());
        let topology = self.topology.as_ref().ok_or_else(unknown)?;
        let Some(id) = topology.reader_of(topic) else {
            return Err(stale(format!("Topic {topic} is not in the topology.")));
        };
        let assigned = [&member.assigned, &member.pending_revocation];
        match assigned.into_iter().find_map(|tasks| tasks.epoch_of(id, partition)) {
            None => Err(stale(format!(
                "Task {id}-{partition} is not assigned or pending revocation for member."
            ))),
            Some(since) if epoch < since => Err(stale(format!(
                "Received member epoch {epoch} is older than assignment epoch {since} for task \
                 {id}-{partition}."
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Whether a member may fetch offsets; who is none gives neither id nor epoch.
    pub fn validate_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<()> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = self.member(member_id.unwrap_or("null"))?;
        match member.epoch == epoch {
            true => Ok(()),
            false => Err(stale(format!(
                "The received member epoch {epoch} does not match the expected member epoch {}.",
                member.epoch
            ))),
        }
    }

    /// Whether its members read a topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        let reads = self.topology.as_ref().is_some_and(|of| of.reader_of(topic).is_some());
        !self.is_empty() && reads
    }
}

fn stale(message: String) -> Error {
    Error::Explained(ResponseError::StaleMemberEpoch, message)
}
