//! Which offsets a member may commit whose epoch is older than the group knows it by.

use super::StreamsGroup;
use super::member::StreamsMember;
use crate::codec::messages::OffsetCommitRequest;
use crate::error::Result;

impl StreamsGroup {
    /// Whether offsets may be committed. A member's epoch may be older as long as it has had the
    /// tasks since then. `version` is that of OffsetCommit; TxnOffsetCommit has none.
    pub fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<()> {
        let Some(member) = self.committer_behind(version, request)? else { return Ok(()) };
        let epoch = request.generation_id_or_member_epoch;
        let mut partitions = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|of| (topic.name.as_str(), of.partition_index))
        });
        partitions.try_for_each(|of| self.validate_late_commit(member, epoch, of))
    }

    fn validate_late_commit(
        &self,
        member: &StreamsMember,
        epoch: i32,
        (topic, partition): (&str, i32),
    ) -> Result<()> {
        let Some(topology) = &self.own.topology else {
            let message = "The group has no topology yet that the commit could be checked \
                           against.";
            return member.refuse_stale(message.to_owned());
        };
        let Some(id) = topology.reader_of(topic) else {
            return member.refuse_stale(format!("The topology does not read topic {topic}."));
        };
        let assigned = [&member.assigned, &member.pending_revocation];
        match assigned.into_iter().find_map(|tasks| tasks.epoch_of(id, partition)) {
            None => member.refuse_stale(format!("The member does not own task {id}-{partition}.")),
            Some(since) if epoch < since => member.refuse_stale(format!(
                "Member epoch {epoch} is from before epoch {since}, at which the member got task \
                 {id}-{partition}."
            )),
            Some(_) => Ok(()),
        }
    }

    /// Whether the members read `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        let reads = self.own.topology.as_ref().is_some_and(|of| of.reader_of(topic).is_some());
        !self.is_empty() && reads
    }
}
