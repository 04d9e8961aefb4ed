//! What share groups and their share coordinators do together. The group notes what is about to be
//! done to the states of its share partitions; the coordinators do it; and the group notes how that
//! went. If one of them fails, heartbeats or the operator's next attempt take it up again.

use super::assignor::Partitions;
use super::shard::{Shard, ShardOutcome};
use super::share::{self, Initialization};
use super::{GroupId, Groups, check_group_id, text};
use crate::codec::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use crate::codec::messages::alter_share_group_offsets_response::AlterShareGroupOffsetsResponseTopic;
use crate::codec::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use crate::codec::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use crate::coordinator::RequestContext;
use crate::coordinator::runtime::Slot;
use crate::coordinator::share::{Persister, SharePartitionKey};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Groups {
    /// Handles a heartbeat of a share group's member, which joins, stays or leaves. States that are
    /// missing are made meanwhile.
    pub async fn share_heartbeat(
        &self,
        cx: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<ShareGroupHeartbeatResponse> {
        share::check(request)?;
        let slot = self.slot(&request.group_id)?;
        let heartbeat = slot.run(|shard, now| shard.share_heartbeat(now, cx, request)).await?;
        if let Some(missing) = heartbeat.missing {
            let persister = self.persister.clone();
            tokio::spawn(async move {
                let group = &missing.group;
                if let Err(error) = make_missing(&persister, &slot, &missing).await {
                    tracing::warn!(%error, "cannot note that states of group {group} were made");
                }
            });
        }
        Ok(heartbeat.response)
    }

    /// The partitions of a share group that have states; none if there is no such group.
    pub async fn initialized_share_partitions(&self, group: &str) -> Result<Partitions> {
        let initialized = |shard: &mut Shard, now| {
            let found = shard.share_group(now, group);
            Ok(ShardOutcome::answer(
                found.map_or_else(|_| Partitions::new(), |f| f.0.initialized()),
            ))
        };
        self.slot(group)?.run(initialized).await
    }

    /// Lets an empty share group begin at other offsets, of which each partition has one.
    pub async fn alter_share_offsets(
        &self,
        group: &str,
        topics: &[AlterShareGroupOffsetsRequestTopic],
    ) -> Result<Vec<AlterShareGroupOffsetsResponseTopic>> {
        check_group_id(group)?;
        let slot = self.slot(group)?;
        let (asked, mut answers) =
            slot.run(|shard, now| shard.alter_share_offsets(now, group, topics)).await?;
        let made = initialize(&self.persister, &asked).await;
        if !asked.offsets.is_empty() {
            note(&slot, &asked.group, &made).await?;
        }
        if let Some(error) = &made.error {
            for topic in &mut answers {
                let failed = made.failed.get(&topic.topic_id);
                for partition in &mut topic.partitions {
                    if failed.is_some_and(|failed| failed.contains(&partition.partition_index)) {
                        partition.error_code = error.code().code();
                        partition.error_message = error.message().as_deref().map(text);
                    }
                }
            }
        }
        Ok(answers)
    }

    /// Lets an empty share group forget how far it is with topics.
    pub async fn delete_share_offsets(
        &self,
        group: &str,
        topics: BTreeSet<&str>,
    ) -> Result<Vec<DeleteShareGroupOffsetsResponseTopic>> {
        check_group_id(group)?;
        let slot = self.slot(group)?;
        let begin = |shard: &mut Shard, now| {
            let (group, turn) = shard.share_group(now, group)?;
            let (records, asked) = group.delete_offsets(turn.image, topics)?;
            Ok(ShardOutcome::replay(records, asked))
        };
        let asked = slot.run(begin).await?;
        let (mut answers, mut deleted) = (Vec::with_capacity(asked.len()), BTreeSet::new());
        for (name, asked) in asked {
            let mut answer =
                DeleteShareGroupOffsetsResponseTopic::default().with_topic_name(text(&name).into());
            let result = match asked {
                Ok((topic, partitions)) => {
                    answer.topic_id = topic;
                    delete(&self.persister, group, &[(topic, partitions)].into()).await
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => deleted.extend([answer.topic_id]),
                Err(error) => {
                    answer.error_code = error.code().code();
                    answer.error_message = error.message().as_deref().map(text);
                }
            }
            answers.push(answer);
        }
        if !deleted.is_empty() {
            let note = |shard: &mut Shard, now| {
                let record = shard.share_group(now, group)?.0.note_deleted(&deleted);
                Ok(ShardOutcome::replay(vec![record], ()))
            };
            slot.run(note).await?;
        }
        Ok(answers)
    }

    /// Deletes a group that is empty, with its offsets or states.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        let slot = self.slot(group)?;
        let begin = |shard: &mut Shard, now| match shard.share_group(now, group) {
            Ok((group, turn)) => {
                let (records, partitions) = group.delete_states(turn.image)?;
                Ok(ShardOutcome::replay(records, partitions))
            }
            // A group of another kind has no states.
            Err(_) => Ok(ShardOutcome::answer(Partitions::new())),
        };
        let states = slot.run(begin).await?;
        delete(&self.persister, group, &states).await?;
        let ids = [GroupId::from(group)];
        let mut results = slot.run(|shard, _| Ok(shard.delete(&ids))).await?;
        results.pop().expect("one answer for one group")
    }
}

/// Which states were made.
#[derive(Debug, Default)]
struct Initialized {
    made: Partitions,
    failed: Partitions,
    /// Why the last ones could not be made.
    error: Option<Error>,
}

/// Makes states that heartbeats found missing. If the group has been deleted meanwhile, so are they:
/// the next group of this name would be taken for an older one.
async fn make_missing(
    persister: &Persister,
    slot: &Slot<Shard>,
    missing: &Initialization,
) -> Result<()> {
    let done = initialize(persister, missing).await;
    match note(slot, &missing.group, &done).await? {
        true => Ok(()),
        false => delete(persister, &missing.group, &done.made).await,
    }
}

/// Makes the states one after the other. After a failure no other is tried: it would most likely
/// have to be waited for as long, and fail as well.
async fn initialize(persister: &Persister, asked: &Initialization) -> Initialized {
    let mut done = Initialized::default();
    let of_group = SharePartitionKey::new(asked.group.clone(), Uuid::nil(), 0);
    for ((topic, partition), offset) in &asked.offsets {
        let mut result = Ok(());
        if done.error.is_none() {
            let key = of_group.with_partition(*topic, *partition);
            result = persister.initialize(&key, asked.epoch, *offset).await;
        }
        if let Err(error) = result {
            let group = &asked.group;
            tracing::warn!(%error, "cannot make the states of partitions of share group {group}");
            done.error = Some(error);
        }
        let noted = if done.error.is_none() { &mut done.made } else { &mut done.failed };
        noted.entry(*topic).or_default().insert(*partition);
    }
    done
}

/// Tells the group which states were made. Returns whether it is still there.
async fn note(slot: &Slot<Shard>, group: &str, done: &Initialized) -> Result<bool> {
    let note = |shard: &mut Shard, now| {
        let Ok((group, turn)) = shard.share_group(now, group) else {
            return Ok(ShardOutcome::answer(false));
        };
        let record = group.note_initialized(turn.image, &done.made, &done.failed);
        Ok(ShardOutcome::replay(vec![record], true))
    };
    slot.run(note).await
}

/// Deletes states one after the other, until one cannot be deleted.
async fn delete(persister: &Persister, group: &str, partitions: &Partitions) -> Result<()> {
    let of_group = SharePartitionKey::new(group, Uuid::nil(), 0);
    for (topic, partitions) in partitions {
        for partition in partitions {
            persister.delete(&of_group.with_partition(*topic, *partition)).await?;
        }
    }
    Ok(())
}
