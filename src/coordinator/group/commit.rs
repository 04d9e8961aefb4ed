//! A shard's offsets: commit, fetch, delete and expiry (OffsetMetadataManager).

use super::consumer::Permit;
use super::kind::{Group, not_found};
use super::offsets::{Committed, TopicOffsets};
use super::record::Record;
use super::shard::{Shard, ShardOutcome};
use super::text;
use crate::codec::messages::offset_commit_request::OffsetCommitRequestPartition;
use crate::codec::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::codec::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::codec::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use crate::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, StrBytes,
};
use crate::error::Result;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The first version in which the error says that the group does not exist.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

/// How many bytes of names a request's records may have at least. One batch takes less by default.
const ROOM: usize = 4 << 20;

/// How many bytes are left for names in the records of a request. Each record repeats the names of
/// the group and the topic, so a small request could ask for very many bytes. They all go into one
/// batch, whose size is limited, so such a request is refused before its records are made.
struct Room(usize);

impl Room {
    /// Takes `bytes`; MESSAGE_TOO_LARGE if they are not left.
    fn take(&mut self, bytes: usize) -> Result<()> {
        self.0 = self.0.checked_sub(bytes).ok_or(ResponseError::MessageTooLarge)?;
        Ok(())
    }
}

impl Shard {
    /// Commits offsets of topics that the caller has looked up, so that name and id are set.
    pub fn commit(
        &mut self,
        now: Timestamp,
        version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<ShardOutcome<OffsetCommitResponse>> {
        let permit = self.validate_commit(Some(version), request)?;
        // A commit keeps its member's session alive.
        let (groups, mut turn) = self.at_hand(now);
        if let Some(Group::Classic(group)) = groups.get(request.group_id.as_str()) {
            group.keep_alive(&mut turn, &request.member_id);
        }
        self.commit_all(now, request, &permit)
    }

    /// Commits offsets in a producer's transaction
    /// (OffsetMetadataManager.commitTransactionalOffset). Unlike `commit` this does not keep a
    /// member's session alive.
    pub fn commit_in_transaction(
        &mut self,
        now: Timestamp,
        request: &OffsetCommitRequest,
    ) -> Result<ShardOutcome<OffsetCommitResponse>> {
        let validated = self.validate_commit(None, request);
        let outcome = validated.and_then(|permit| self.commit_all(now, request, &permit));
        outcome.map_err(|error| match error.code() {
            // Producers do not know member epochs.
            ResponseError::StaleMemberEpoch => ResponseError::IllegalGeneration.into(),
            _ => error,
        })
    }

    /// Commits offsets for a validated request, as far as `permit` allows.
    fn commit_all(
        &self,
        now: Timestamp,
        request: &OffsetCommitRequest,
        permit: &Permit,
    ) -> Result<ShardOutcome<OffsetCommitResponse>> {
        let expire_timestamp =
            (request.retention_time_ms != -1).then(|| now + request.retention_time_ms);
        let mut records = Vec::new();
        let mut room = self.room();
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut answer = OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(Vec::with_capacity(topic.partitions.len()));
            for partition in &topic.partitions {
                let mut error_code = 0;
                if self.is_metadata_too_large(partition) {
                    error_code = ResponseError::OffsetMetadataTooLarge.code();
                } else {
                    permit.allows(&topic.name, topic.topic_id, partition.partition_index)?;
                    let (group, index) = (&request.group_id, partition.partition_index);
                    room.take(group.len() + topic.name.len())?;
                    let committed =
                        Committed { expire_timestamp, ..committed(partition, topic.topic_id, now) };
                    records.push(Record::offset(group, &topic.name, index, &committed));
                }
                let committed = OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(error_code);
                answer.partitions.push(committed);
            }
            response.topics.push(answer);
        }
        Ok(ShardOutcome::replay(records, response))
    }

    fn room(&self) -> Room {
        let batch = usize::try_from(self.config.get().message_max_bytes).unwrap_or(0);
        Room(batch.max(ROOM))
    }

    fn is_metadata_too_large(&self, partition: &OffsetCommitRequestPartition) -> bool {
        let limit = usize::try_from(self.config.get().offset_metadata_max_bytes).unwrap_or(0);
        // Kafka counts UTF-16 code units, although the setting speaks of bytes.
        let length = |metadata: &StrBytes| metadata.encode_utf16().count();
        partition.committed_metadata.as_ref().is_some_and(|metadata| length(metadata) > limit)
    }

    /// Whether offsets may be committed, and of which partitions. `version` is that of
    /// OffsetCommit, None for TxnOffsetCommit.
    fn validate_commit(
        &self,
        version: Option<i16>,
        request: &OffsetCommitRequest,
    ) -> Result<Permit> {
        match self.groups.get(request.group_id.as_str()) {
            Some(group) => group.validate_commit(version, request),
            // A consumer without a generation manages its partitions itself. The group is created
            // with its offsets.
            None if request.generation_id_or_member_epoch < 0 => Ok(Permit::default()),
            None if version.is_some_and(|version| version >= GROUP_ID_NOT_FOUND_VERSION) => {
                Err(not_found(&request.group_id))
            }
            None => Err(ResponseError::IllegalGeneration.into()),
        }
    }

    /// The offsets of a group; all of them if the request names no topics. With `stable`, offsets
    /// that an open transaction may still change are refused.
    pub fn fetch(
        &self,
        request: &OffsetFetchRequestGroup,
        stable: bool,
    ) -> Result<OffsetFetchResponseGroup> {
        let found = self.groups.get(request.group_id.as_str());
        let shows = found.map_or(Ok(false), |group| group.validate_fetch(request))?;
        let offsets = if shows { self.offsets.of(&request.group_id) } else { None };
        let group: Arc<str> = Arc::from(request.group_id.as_str());
        let is_pending =
            |topic: &Arc<str>, index| stable && self.offsets.is_pending(&group, topic, index);
        let topics = match &request.topics {
            Some(topics) => {
                topics.iter().map(|topic| fetch_topic(topic, offsets, &is_pending)).collect()
            }
            None => offsets.map_or_else(Vec::new, |offsets| fetch_all(offsets, &is_pending)),
        };
        let answer = OffsetFetchResponseGroup::default().with_group_id(request.group_id.clone());
        Ok(answer.with_topics(topics))
    }

    /// Deletes offsets, except of topics that the group's members subscribe to.
    pub fn delete_offsets(
        &self,
        request: &OffsetDeleteRequest,
    ) -> Result<ShardOutcome<OffsetDeleteResponse>> {
        let id: Arc<str> = Arc::from(&**request.group_id);
        let group = self.groups.get(&id).ok_or_else(|| not_found(&id))?;
        group.validate_offset_delete(&id)?;
        let mut records = Vec::new();
        let mut room = self.room();
        let mut response = OffsetDeleteResponse::default();
        for topic in &request.topics {
            let subscribed = group.is_subscribed_to(&topic.name);
            let name: Arc<str> = Arc::from(&**topic.name);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let index = partition.partition_index;
                let mut answer = OffsetDeleteResponsePartition::default();
                answer.partition_index = index;
                if subscribed {
                    answer.error_code = ResponseError::GroupSubscribedToTopic.code();
                } else if self.offsets.get(&id, &name, index).is_some()
                    || self.offsets.is_pending(&id, &name, index)
                {
                    room.take(id.len() + name.len())?;
                    records.push(Record::offset_tombstone(&id, &name, index));
                }
                partitions.push(answer);
            }
            let answer = OffsetDeleteResponseTopic::default()
                .with_name(text(&name).into())
                .with_partitions(partitions);
            response.topics.push(answer);
        }
        Ok(ShardOutcome::replay(records, response))
    }

    /// Writes the tombstones of all offsets of a group.
    pub(super) fn delete_all_offsets(&self, group: &Arc<str>, records: &mut Vec<Record>) {
        for (topic, partitions) in self.offsets.of(group).into_iter().flatten() {
            for partition in partitions.keys() {
                records.push(Record::offset_tombstone(group, topic, *partition));
            }
        }
        for (topic, partition) in self.offsets.pending_of(group) {
            if self.offsets.get(group, topic, partition).is_none() {
                records.push(Record::offset_tombstone(group, topic, partition));
            }
        }
    }

    /// Deletes the offsets of deleted topics, and what share groups know of them. If a topic of the
    /// same name was created since, its offsets have its id and stay.
    pub fn forget_topics(&self, topics: &[(Arc<str>, Uuid)]) -> ShardOutcome {
        let mut records = Vec::new();
        let mut forget =
            |(name, id): &(Arc<str>, Uuid), group: &str, partition, offset: &Committed| {
                if offset.topic_id.is_nil() || offset.topic_id == *id {
                    records.push(Record::offset_tombstone(group, name, partition));
                }
            };
        for topic in topics {
            for (group, offsets) in self.offsets.groups() {
                for (partition, offset) in offsets.get(&topic.0).into_iter().flatten() {
                    forget(topic, group, *partition, offset);
                }
            }
            for ((group, name, partition), offset) in self.offsets.pending() {
                if *name == topic.0 {
                    forget(topic, group, *partition, offset);
                }
            }
        }
        let ids = topics.iter().map(|(_, id)| *id).collect();
        let shares = self.groups.values().filter_map(|group| match group {
            Group::Share(group) => group.forget_topics(&ids),
            _ => None,
        });
        records.extend(shares);
        ShardOutcome::replay_in_parts(records, ())
    }

    /// Deletes offsets that have been unused for `offsets.retention.minutes`, and groups that have
    /// neither members nor offsets any more.
    pub(super) fn expire_offsets(&mut self, now: Timestamp) -> ShardOutcome {
        let mut records = Vec::new();
        let mut ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        ids.sort();
        for id in ids {
            let group = self.groups.get(&id).expect("just listed");
            let all_gone = self.expire_group_offsets(now, &id, group, &mut records);
            // The offsets of a share group are elsewhere, and it is for an operator to delete them.
            let is_kept = matches!(group, Group::Share(_));
            if all_gone && !is_kept && !group.has_members() {
                self.delete_group(&id, &mut records);
            }
        }
        if !records.is_empty() {
            let count = records.len();
            tracing::info!(
                "removed expired offsets and empty groups without offsets: {count} tombstones"
            );
        }
        ShardOutcome::replay_in_parts(records, ())
    }

    /// Deletes the expired offsets of a group. Returns whether it has no offsets left.
    fn expire_group_offsets(
        &self,
        now: Timestamp,
        id: &Arc<str>,
        group: &Group,
        records: &mut Vec<Record>,
    ) -> bool {
        let mut all_gone = self.offsets.pending_of(id).next().is_none();
        for (topic, partitions) in self.offsets.of(id).into_iter().flatten() {
            for (partition, committed) in partitions {
                let unused_since = group.offset_unused_since(topic, committed);
                let retention_ms = i64::from(self.config.get().offsets_retention_minutes) * 60_000;
                let is_over = unused_since.is_some_and(|since| match committed.expire_timestamp {
                    Some(expires) => now >= expires,
                    None => now - since >= retention_ms,
                });
                if is_over && !self.offsets.is_pending(id, topic, *partition) {
                    records.push(Record::offset_tombstone(id, topic, *partition));
                } else {
                    all_gone = false;
                }
            }
        }
        all_gone
    }
}

fn committed(
    partition: &OffsetCommitRequestPartition,
    topic_id: Uuid,
    now: Timestamp,
) -> Committed {
    Committed {
        record_offset: -1,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        commit_timestamp: now,
        expire_timestamp: None,
        topic_id,
    }
}

fn fetch_topic(
    asked: &OffsetFetchRequestTopics,
    offsets: Option<&TopicOffsets>,
    is_pending: &impl Fn(&Arc<str>, i32) -> bool,
) -> OffsetFetchResponseTopics {
    let name: Arc<str> = Arc::from(asked.name.as_str());
    let partitions = offsets.and_then(|offsets| offsets.get(&name));
    let is_of_asked_topic = |committed: &&Committed| {
        let (ours, theirs) = (committed.topic_id, asked.topic_id);
        ours.is_nil() || theirs.is_nil() || ours == theirs
    };
    let fetch = |index: &i32| {
        let found = partitions.and_then(|partitions| partitions.get(index));
        fetched(*index, found.filter(is_of_asked_topic), is_pending(&name, *index))
    };
    OffsetFetchResponseTopics::default()
        .with_name(asked.name.clone())
        .with_topic_id(asked.topic_id)
        .with_partitions(asked.partition_indexes.iter().map(fetch).collect())
}

fn fetch_all(
    offsets: &TopicOffsets,
    is_pending: &impl Fn(&Arc<str>, i32) -> bool,
) -> Vec<OffsetFetchResponseTopics> {
    let topic = |(name, partitions): (&Arc<str>, &BTreeMap<i32, Committed>)| {
        let partitions = partitions
            .iter()
            .map(|(index, found)| fetched(*index, Some(found), is_pending(name, *index)));
        OffsetFetchResponseTopics::default()
            .with_name(text(name).into())
            .with_partitions(partitions.collect())
    };
    offsets.iter().map(topic).collect()
}

fn fetched(
    partition_index: i32,
    found: Option<&Committed>,
    pending: bool,
) -> OffsetFetchResponsePartitions {
    let absent = OffsetFetchResponsePartitions::default()
        .with_partition_index(partition_index)
        .with_committed_offset(-1);
    match found {
        _ if pending => absent.with_error_code(ResponseError::UnstableOffsetCommit.code()),
        None => absent,
        Some(committed) => absent
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata))),
    }
}
