//! The group coordinator: which partition of `__consumer_offsets` a group belongs to, and one
//! method per API (GroupCoordinatorService).
//!
//! From top to bottom; a file uses only those below it:
//!
//! ```text
//!  persist   what share groups ask of their share coordinators; deletes groups
//!  commit    offsets of a partition: commit, fetch, delete, expire
//!  admin     describe, list and delete groups
//!    shard   the groups of a partition: finds the group, hands the request to it
//!      kind  a group of any kind, and what all kinds are asked alike
//!        consumer/   KIP-848; may become a classic group, and the reverse
//!        streams/    KIP-1071
//!        share/      KIP-932
//!          modern/   what those kinds share whose members the coordinator assigns
//!        classic/
//!          turn      what an operation is given: time, settings, topics, timers, answers
//!            record, timers, offsets, topic_hash, assignor/
//! ```
//!
//! A kind knows its own groups and nothing of the shard. `join` or `heartbeat`, `leave`, `expire`,
//! `loaded` and `complete` take a `Turn` and return records; `replay` changes the group as the
//! records say; `describe` shows it.

mod admin;
pub mod assignor;
mod classic;
mod commit;
mod consumer;
mod kind;
mod modern;
mod offsets;
mod persist;
mod record;
mod shard;
mod share;
mod streams;
mod timers;
mod topic_hash;
mod turn;

#[cfg(test)]
mod tests;

use super::internal_topics::{CoordinatorTopic, InternalTopics};
use super::runtime::{Settings, Slot};
use super::share::Persister;
use super::slots::Slots;
use super::{Marker, RequestContext, Ticket, Writer, text};
use crate::clock::Clock;
use crate::codec::messages::describe_groups_response::DescribedGroup;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::list_groups_response::ListedGroup;
use crate::codec::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::codec::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::codec::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse, SyncGroupRequest, SyncGroupResponse,
    consumer_group_describe_response, share_group_describe_response,
    streams_group_describe_response,
};
use crate::config::{Config, LiveConfig};
use crate::controller::Requester;
use crate::error::Result;
use crate::log::Verification;
use crate::metadata::{Delta, Image};
use crate::replica::Replicas;
use crate::types::{ProducerId, java_hash};
use kafka_protocol::error::ResponseError;
use shard::{Shard, ShardOutcome};
use std::ops::RangeInclusive;
use std::sync::Arc;
use turn::Parked;

/// `group.id`.
pub type GroupId = Arc<str>;
/// The id of a member, chosen by the coordinator or by the member.
pub type MemberId = Arc<str>;
/// All groups whose partition of `__consumer_offsets` this broker leads.
#[derive(Debug)]
pub struct Groups {
    config: LiveConfig,
    slots: Slots<Shard>,
    internal_topics: Arc<InternalTopics>,
    persister: Arc<Persister>,
}

impl Groups {
    /// No groups yet; `apply` brings them.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        replicas: Arc<Replicas>,
        internal_topics: Arc<InternalTopics>,
        persister: Arc<Persister>,
    ) -> Arc<Groups> {
        let now = config.get();
        let topic = CoordinatorTopic::offsets(&now);
        let settings = Settings {
            load_buffer_size: usize::try_from(now.offsets_load_buffer_size).unwrap_or(0),
            commit_timeout_ms: now.offsets_commit_timeout_ms,
            required_acks: 1,
        };
        let slots = Slots::new(topic, settings, now.node_id, clock, replicas);
        Arc::new(Groups { config, slots, internal_topics, persister })
    }

    /// Loads the partitions that this broker has come to lead, unloads the others, and deletes the
    /// offsets of deleted topics. Call it after `Replicas::apply`, in a tokio runtime.
    pub fn apply(self: &Arc<Self>, image: &Arc<Image>, delta: &Delta) {
        self.slots.apply(image, || Shard::new(self.config.clone(), fastrand::u64(..)));
        if !delta.deleted_topics.is_empty() {
            let topics: Vec<_> =
                delta.deleted_topics.iter().map(|topic| (topic.name.clone(), topic.id)).collect();
            let all = self.slots.all();
            tokio::spawn(async move {
                for slot in all {
                    let forget = slot.run(|shard, _| Ok(shard.forget_topics(&topics))).await;
                    if let Err(error) = forget {
                        tracing::warn!(%error, "cannot delete the offsets of deleted topics");
                    }
                }
            });
        }
    }

    /// Stops all coordinators. Whoever waits for an answer gets NOT_COORDINATOR.
    pub fn close(&self) {
        self.slots.close();
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    pub fn partition_for(&self, group: &str) -> i32 {
        self.slots.partition_for(group)
    }

    fn slot(&self, group: &str) -> Result<Arc<Slot<Shard>>> {
        self.slots.of(group)
    }

    /// Joins a group, or joins it again. The answer comes when all members have joined.
    pub async fn join_group(
        &self,
        cx: &RequestContext,
        request: &JoinGroupRequest,
    ) -> Result<JoinGroupResponse> {
        check_group_id(&request.group_id)?;
        if !session_timeouts(&self.config.get()).contains(&request.session_timeout_ms) {
            return Err(ResponseError::InvalidSessionTimeout.into());
        }
        let slot = self.slot(&request.group_id)?;
        let join = |shard: &mut Shard, now, ticket| shard.join(now, cx, request, ticket);
        match slot.run_parked(join).await? {
            Parked::Join(answer) => Ok(answer),
            Parked::Sync(_) => unreachable!("a ticket is answered in kind"),
        }
    }

    /// Asks for a member's assignment; the leader's request brings the assignments of all.
    pub async fn sync_group(&self, request: &SyncGroupRequest) -> Result<SyncGroupResponse> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        match slot.run_parked(|shard, now, ticket| shard.sync(now, request, ticket)).await? {
            Parked::Sync(answer) => Ok(answer),
            Parked::Join(_) => unreachable!("a ticket is answered in kind"),
        }
    }

    /// Keeps a member's session alive. While the group is still loading this always succeeds.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<()> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        match slot.run(|shard, now| shard.heartbeat(now, request)).await {
            Err(error) if error.code() == ResponseError::CoordinatorLoadInProgress => Ok(()),
            other => other,
        }
    }

    /// Members leave a group.
    pub async fn leave_group(&self, request: &LeaveGroupRequest) -> Result<Vec<MemberResponse>> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.leave(now, request)).await
    }

    /// Handles a heartbeat of a consumer group's member, which joins, stays or leaves.
    pub async fn consumer_group_heartbeat(
        &self,
        cx: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse> {
        consumer::check_heartbeat(&self.config.get(), cx.api_version, request)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.consumer_heartbeat(now, cx, request)).await
    }

    /// Describes a consumer group.
    pub async fn describe_consumer_group(
        &self,
        group: &str,
    ) -> Result<consumer_group_describe_response::DescribedGroup> {
        check_group_id(group)?;
        let describe =
            |shard: &mut Shard, _| Ok(ShardOutcome::answer(shard.describe_consumer(group)));
        self.slot(group)?.run(describe).await
    }

    /// Handles a heartbeat of a streams group's member, which joins, stays or leaves. Internal topics
    /// that the group misses are created in the name of `by`.
    pub async fn streams_heartbeat(
        &self,
        cx: &RequestContext,
        by: impl FnOnce() -> Requester,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<StreamsGroupHeartbeatResponse> {
        streams::check(request, cx.api_version)?;
        let slot = self.slot(&request.group_id)?;
        let mut heartbeat =
            slot.run(|shard, now| shard.streams_heartbeat(now, cx, request)).await?;
        let missing = std::mem::take(&mut heartbeat.missing_topics);
        if !missing.is_empty() {
            // For two heartbeats a failure is reported and the topic is not tried again.
            let told_for_ms = i64::from(heartbeat.response.heartbeat_interval_ms) * 2;
            let failures = self.internal_topics.make_missing(by(), missing, told_for_ms);
            heartbeat.tell_failures(&failures);
        }
        Ok(heartbeat.response)
    }

    /// Describes a streams group.
    pub async fn describe_streams(
        &self,
        group: &str,
    ) -> Result<streams_group_describe_response::DescribedGroup> {
        check_group_id(group)?;
        let slot = self.slot(group)?;
        slot.run(|shard, _| Ok(ShardOutcome::answer(shard.describe_streams(group)))).await
    }

    /// Describes a share group.
    pub async fn describe_share(
        &self,
        group: &str,
    ) -> Result<share_group_describe_response::DescribedGroup> {
        check_group_id(group)?;
        let slot = self.slot(group)?;
        slot.run(|shard, _| Ok(ShardOutcome::answer(shard.describe_share(group)))).await
    }

    /// Commits offsets of existing topics, whose names and ids are both set.
    pub async fn commit_offsets(
        &self,
        api_version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<OffsetCommitResponse> {
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.commit(now, api_version, request)).await
    }

    /// Commits offsets of existing topics in a producer's transaction, which the transaction
    /// coordinator has verified. They become visible when the transaction commits.
    pub async fn commit_transactional_offsets(
        &self,
        producer: (ProducerId, i16),
        verification: Verification,
        request: &OffsetCommitRequest,
    ) -> Result<OffsetCommitResponse> {
        check_group_id(&request.group_id)?;
        let (producer_id, producer_epoch) = producer;
        let writer = Writer::Transaction { producer_id, producer_epoch, verification };
        let slot = self.slot(&request.group_id)?;
        slot.run_as(&writer, |shard, now| shard.commit_in_transaction(now, request)).await
    }

    /// Ends a transaction that has offsets in a partition of `__consumer_offsets`.
    pub async fn end_transaction(&self, partition: i32, marker: &Marker) -> Result<()> {
        self.slots.at(partition)?.end_transaction(marker).await
    }

    /// The committed offsets of a group.
    pub async fn fetch_offsets(
        &self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> Result<OffsetFetchResponseGroup> {
        let slot = self.slot(&request.group_id)?;
        let fetched = slot
            .run(|shard, _| shard.fetch(request, require_stable).map(ShardOutcome::answer))
            .await;
        fetched.map_err(|error| match error.code() {
            // Consumers before 3.9 know no other error here that they may retry.
            ResponseError::CoordinatorNotAvailable => ResponseError::NotCoordinator.into(),
            _ => error,
        })
    }

    /// Deletes offsets of existing topics.
    pub async fn delete_offsets(
        &self,
        request: &OffsetDeleteRequest,
    ) -> Result<OffsetDeleteResponse> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, _| shard.delete_offsets(request)).await
    }

    /// Describes a classic group. One that does not exist is shown as dead.
    pub async fn describe_group(&self, api_version: i16, group: &str) -> Result<DescribedGroup> {
        let describe =
            |shard: &mut Shard, _| Ok(ShardOutcome::answer(shard.describe(api_version, group)));
        self.slot(group)?.run(describe).await
    }

    /// The groups of all partitions that this broker leads.
    pub async fn list_groups(&self, request: &ListGroupsRequest) -> Result<Vec<ListedGroup>> {
        let mut groups = Vec::new();
        for slot in self.slots.all() {
            match slot.run(|shard, _| Ok(ShardOutcome::answer(shard.list(request)))).await {
                Ok(listed) => groups.extend(listed),
                Err(error) if error.code() == ResponseError::NotCoordinator => {}
                Err(error) => return Err(error),
            }
        }
        Ok(groups)
    }
}

fn session_timeouts(config: &Config) -> RangeInclusive<i32> {
    config.group_min_session_timeout_ms..=config.group_max_session_timeout_ms
}

fn check_group_id(group: &str) -> Result<()> {
    match group {
        "" => Err(ResponseError::InvalidGroupId.into()),
        _ => Ok(()),
    }
}

/// Sorts groups or members in the order of Kafka, which keeps them in hash tables, so that clients
/// see the order they are used to.
fn listed<T>(items: impl Iterator<Item = T>, id: impl Fn(&T) -> &str) -> impl Iterator<Item = T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by_cached_key(|item| hash_table_place(id(item)));
    items.into_iter()
}

/// The position in Kafka's hash table, which its upper bits determine.
fn hash_table_place(id: &str) -> u64 {
    i64::from(java_hash(id)).wrapping_mul(-7_046_029_254_386_353_131).cast_unsigned()
}
