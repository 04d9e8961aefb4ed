//! The group coordinator: which partition of `__consumer_offsets` is a group's, and one method
//! per API (GroupCoordinatorService).

mod admin;
pub mod assignor;
mod classic_group;
mod commit;
mod consumer;
mod join;
mod membership;
mod offsets;
mod outcome;
mod rebalance;
mod record;
mod shard;
mod timers;

#[cfg(test)]
mod tests;

use super::runtime::{Settings, Slot};
use super::{PARALLEL_LOADS, RequestContext, Ticket, text};
use crate::clock::Clock;
use crate::codec::schema::message::offset_fetch_request::OffsetFetchRequestGroup;
use crate::codec::schema::message::offset_fetch_response::OffsetFetchResponseGroup;
use crate::codec::schema::message::{OffsetCommitRequest, OffsetCommitResponse};
use crate::config::Config;
use crate::error::Result;
use crate::metadata::{Delta, Image};
use crate::replica::Replicas;
use crate::types::{TopicIdPartition, partition_for};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetDeleteRequest,
    OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse, consumer_group_describe_response,
};
use outcome::{Outcome, Parked};
use shard::Shard;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// The topic that the coordinators' logs are partitions of.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// `group.id`.
pub type GroupId = Arc<str>;
/// Given by the coordinator to a member.
pub type MemberId = Arc<str>;
/// All groups whose partition of `__consumer_offsets` this broker leads.
#[derive(Debug)]
pub struct Groups {
    config: Arc<Config>,
    clock: Clock,
    replicas: Arc<Replicas>,
    loads: Arc<Semaphore>,
    /// Of `__consumer_offsets`, from when it is first seen on; 0 before.
    partitions: AtomicI32,
    slots: Mutex<HashMap<TopicIdPartition, Arc<Slot<Shard>>>>,
}

impl Groups {
    /// No groups yet: `apply` brings them.
    pub fn new(config: Arc<Config>, clock: Clock, replicas: Arc<Replicas>) -> Arc<Groups> {
        Arc::new(Groups {
            config,
            clock,
            replicas,
            loads: Arc::new(Semaphore::new(PARALLEL_LOADS)),
            partitions: AtomicI32::new(0),
            slots: Mutex::default(),
        })
    }

    /// Loads the shards of partitions that this broker came to lead, unloads the others; forgets
    /// the offsets of deleted topics. To be called after `Replicas::apply`, in a tokio runtime.
    pub fn apply(self: &Arc<Self>, image: &Arc<Image>, delta: &Delta) {
        let led = self.led_partitions(image);
        let mut slots = self.slots();
        slots.retain(|id, slot| {
            let stays = led.contains(id);
            if !stays {
                slot.close();
            }
            stays
        });
        for id in led {
            // A new epoch under the same leader, us, leaves the state as it is.
            if slots.contains_key(&id) {
                continue;
            }
            match self.replicas.leader(id, -1) {
                Ok(log) => {
                    let shard = Shard::new(self.config.clone(), fastrand::u64(..));
                    let (clock, loads) = (self.clock.clone(), self.loads.clone());
                    let slot = Slot::load(shard, self.settings(), clock, log, loads);
                    slots.insert(id, slot);
                }
                Err(error) => tracing::error!(partition = id.partition, %error, "not loaded"),
            }
        }
        let all: Vec<Arc<Slot<Shard>>> = slots.values().cloned().collect();
        drop(slots);
        for slot in &all {
            slot.apply(image);
        }
        if !delta.deleted_topics.is_empty() {
            let topics: Vec<_> =
                delta.deleted_topics.iter().map(|topic| (topic.name.clone(), topic.id)).collect();
            tokio::spawn(async move {
                for slot in all {
                    let forget = slot.run(|shard, _| Ok(shard.forget_topics(&topics))).await;
                    if let Err(error) = forget {
                        tracing::warn!(%error, "offsets of deleted topics not forgotten");
                    }
                }
            });
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            load_buffer_size: usize::try_from(self.config.offsets_load_buffer_size).unwrap_or(0),
            commit_timeout_ms: self.config.offsets_commit_timeout_ms,
        }
    }

    fn led_partitions(&self, image: &Image) -> HashSet<TopicIdPartition> {
        let Some(topic) = image.topics.by_name(OFFSETS_TOPIC) else { return HashSet::new() };
        let count = i32::try_from(topic.partitions.len()).expect("Kafka counts partitions in i32");
        // Where a group belongs must not change while the broker runs, so the first count stays.
        let _ = self.partitions.compare_exchange(0, count, Ordering::Relaxed, Ordering::Relaxed);
        let led = topic.partitions.iter().zip(0..).filter(|(p, _)| p.leader == self.config.node_id);
        led.map(|(_, partition)| TopicIdPartition { topic_id: topic.id, partition }).collect()
    }

    /// Stops all coordinators; whoever waits is told NOT_COORDINATOR.
    pub async fn close(&self) -> Result<()> {
        for (_, slot) in self.slots().drain() {
            slot.close();
        }
        Ok(())
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    pub fn partition_for(&self, group: &str) -> i32 {
        let count = match self.partitions.load(Ordering::Relaxed) {
            0 => self.config.offsets_topic_num_partitions,
            count => count,
        };
        partition_for(group, count)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<TopicIdPartition, Arc<Slot<Shard>>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, group: &str) -> Result<Arc<Slot<Shard>>> {
        let partition = self.partition_for(group);
        let slots = self.slots();
        let found = slots.iter().find(|(id, _)| id.partition == partition);
        Ok(found.ok_or(ResponseError::NotCoordinator)?.1.clone())
    }

    /// Joins a group, or joins again; answered when the rebalance has all its members.
    pub async fn join_group(
        &self,
        cx: &RequestContext,
        request: &JoinGroupRequest,
    ) -> Result<JoinGroupResponse> {
        check_group_id(&request.group_id)?;
        let session_timeouts =
            self.config.group_min_session_timeout_ms..=self.config.group_max_session_timeout_ms;
        if !session_timeouts.contains(&request.session_timeout_ms) {
            return Err(ResponseError::InvalidSessionTimeout.into());
        }
        let slot = self.slot(&request.group_id)?;
        let join = |shard: &mut Shard, now, ticket| shard.join(now, cx, request, ticket);
        match slot.run_parked(join).await? {
            Parked::Join(answer) => Ok(answer),
            Parked::Sync(_) => unreachable!("a ticket is answered in kind"),
        }
    }

    /// Asks for an assignment, or brings all of them.
    pub async fn sync_group(&self, request: &SyncGroupRequest) -> Result<SyncGroupResponse> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        match slot.run_parked(|shard, now, ticket| shard.sync(now, request, ticket)).await? {
            Parked::Sync(answer) => Ok(answer),
            Parked::Join(_) => unreachable!("a ticket is answered in kind"),
        }
    }

    /// Keeps a member's session. While the group is being loaded, every member is well.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<()> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        match slot.run(|shard, now| shard.heartbeat(now, request)).await {
            Err(error) if error.code() == ResponseError::CoordinatorLoadInProgress => Ok(()),
            other => other,
        }
    }

    /// Members leave.
    pub async fn leave_group(&self, request: &LeaveGroupRequest) -> Result<Vec<MemberResponse>> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.leave(now, request)).await
    }

    /// A heartbeat of a member of a consumer group: it joins, goes on, or leaves.
    pub async fn consumer_group_heartbeat(
        &self,
        cx: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse> {
        consumer::check_heartbeat(&self.config, cx.api_version, request)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.consumer_heartbeat(now, cx, request)).await
    }

    /// Describes a consumer group.
    pub async fn describe_consumer_group(
        &self,
        group: &str,
    ) -> Result<consumer_group_describe_response::DescribedGroup> {
        check_group_id(group)?;
        let describe = |shard: &mut Shard, _| Ok(Outcome::answer(shard.describe_consumer(group)));
        self.slot(group)?.run(describe).await
    }

    /// Commits offsets of topics that exist: their names and ids are both set.
    pub async fn commit_offsets(
        &self,
        api_version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<OffsetCommitResponse> {
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.commit(now, api_version, request)).await
    }

    /// The committed offsets of one group.
    pub async fn fetch_offsets(
        &self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> Result<OffsetFetchResponseGroup> {
        let slot = self.slot(&request.group_id)?;
        let fetched =
            slot.run(|shard, _| shard.fetch(request, require_stable).map(Outcome::answer)).await;
        fetched.map_err(|error| match error.code() {
            // Consumers before 3.9 know no other retriable error here.
            ResponseError::CoordinatorNotAvailable => ResponseError::NotCoordinator.into(),
            _ => error,
        })
    }

    /// Forgets offsets of topics that exist.
    pub async fn delete_offsets(
        &self,
        request: &OffsetDeleteRequest,
    ) -> Result<OffsetDeleteResponse> {
        check_group_id(&request.group_id)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, _| shard.delete_offsets(request)).await
    }

    /// Describes a classic group; one that is not there is dead.
    pub async fn describe_group(&self, api_version: i16, group: &str) -> Result<DescribedGroup> {
        let describe =
            |shard: &mut Shard, _| Ok(Outcome::answer(shard.describe(api_version, group)));
        self.slot(group)?.run(describe).await
    }

    /// The groups of all shards here.
    pub async fn list_groups(&self, request: &ListGroupsRequest) -> Result<Vec<ListedGroup>> {
        let slots: Vec<Arc<Slot<Shard>>> = self.slots().values().cloned().collect();
        let mut groups = Vec::new();
        for slot in slots {
            match slot.run(|shard, _| Ok(Outcome::answer(shard.list(request)))).await {
                Ok(listed) => groups.extend(listed),
                Err(error) if error.code() == ResponseError::NotCoordinator => {}
                Err(error) => return Err(error),
            }
        }
        Ok(groups)
    }

    /// Deletes a group that is empty, with its offsets.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        let ids = [GroupId::from(group)];
        let mut results = self.slot(group)?.run(|shard, _| Ok(shard.delete(&ids))).await?;
        results.pop().expect("one answer for one group")
    }
}

fn check_group_id(group: &str) -> Result<()> {
    match group {
        "" => Err(ResponseError::InvalidGroupId.into()),
        _ => Ok(()),
    }
}
