//! ConsumerGroupHeartbeat: a member joins, says what it subscribes to and what it owns, and is told
//! what to own (GroupMetadataManager.consumerGroupHeartbeat).

use super::member::ConsumerMember;
use super::reconcile::Reconciliation;
use super::{Consumer, ConsumerGroup, ConsumerOutcome};
use crate::codec::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::codec::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::config::Config;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::assignor::Partitions;
use crate::coordinator::group::modern::{
    Admission, JOIN_EPOCH, Kind, LEAVE_EPOCH, check_speaker, refuse, refuse_if,
};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::{RequestContext, text};
use crate::error::Result;
use crate::types::uuid_to_text;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The changes that a member's request makes, collected as records. The group itself changes when
/// the records are in the log and replayed.
#[derive(Debug)]
pub struct Change<'a> {
    /// The group before the request; already converted, if the request converts it.
    pub group: &'a ConsumerGroup,
    /// The member before the request.
    pub member: Arc<ConsumerMember>,
    /// The member after the request.
    pub updated: ConsumerMember,
    /// The records so far.
    pub records: Vec<Record>,
    /// Whether the topics were found to be as the group's metadata hash says.
    pub checked: bool,
}

impl Change<'_> {
    /// Records what a member says about itself, if that is new.
    pub fn subscribe(&mut self, turn: &mut Turn<'_>) -> Result<Subscribed> {
        let names_changed = self.updated.own.topics != self.member.own.topics;
        if self.updated != *self.member {
            let (id, updated) = (&self.updated.id, Some(&self.updated));
            self.records.push(Consumer::member_record(&self.group.id, id, updated));
        }
        let regex = self.subscribe_by_regex(turn)?;
        Ok(Subscribed {
            changed: names_changed || regex.changed,
            bumps_epoch: names_changed || regex.bumps_epoch,
        })
    }

    /// Moves the group to a new epoch if the subscriptions or their topics changed. Returns the
    /// epoch.
    pub fn follow_topics(&mut self, turn: &mut Turn<'_>, bump: bool) -> i32 {
        let group = self.group;
        if !bump && group.checked_at == Some(turn.image.offset) {
            return group.epoch;
        }
        let topics = group.topics_after(&[&self.member], Some(&self.updated));
        let hash = turn.topic_hashes.of_all(turn.image, topics.names());
        let mut epoch = group.epoch;
        if bump || hash != group.metadata_hash {
            epoch += 1;
            self.records.push(Record::consumer_epoch(&group.id, epoch, hash));
            let (id, why) = (&group.id, self.why_epoch_moved(bump));
            tracing::info!("group {id} moves to epoch {epoch}: {why}");
        } else {
            self.checked = true;
        }
        if group.own.has_partition_metadata {
            self.records.push(Record::no_partition_metadata(&group.id));
        }
        epoch
    }

    /// Brings the member one step closer to its target.
    pub fn reconcile(
        &mut self,
        turn: &mut Turn<'_>,
        (target_epoch, target): &(i32, Arc<Partitions>),
        subscription_changed: bool,
        owned: Option<&Partitions>,
    ) -> Result<()> {
        if !subscription_changed && self.updated.is_reconciled_to(*target_epoch) {
            return Ok(());
        }
        let subscribed: BTreeSet<Uuid> = self.group.topic_ids(&self.updated, turn.image);
        let reconciliation = Reconciliation {
            group: self.group,
            target_epoch: *target_epoch,
            target,
            subscribed: &subscribed,
            subscription_changed,
            owned,
        };
        let next = reconciliation.step(&self.updated)?;
        if next == self.updated {
            return Ok(());
        }
        self.records.push(Consumer::current_record(&self.group.id, &next.id, Some(&next)));
        // Members that speak the classic protocol have to join and sync in time instead.
        if !next.is_classic() {
            self.group.expect_revocation(turn, &next);
        }
        self.updated = next;
        Ok(())
    }

    /// The reason for a new epoch, for the log. `bump` says that the member's subscription changed.
    fn why_epoch_moved(&self, bump: bool) -> String {
        let (id, host) = (&self.updated.id, &self.updated.client_host);
        let instance = self.updated.instance_id.as_deref();
        let former = instance.and_then(|instance| self.group.static_member(instance));
        match former.filter(|former| former.id != *id) {
            Some(former) => format!("member {id} at {host} took the place of {}", former.id),
            None if self.group.member(id).is_none() => format!("member {id} at {host} joined"),
            None if bump => format!("member {id} at {host} subscribed to other topics"),
            None => "the topics it subscribes to have changed".to_owned(),
        }
    }
}

/// How a member's subscription changed.
#[derive(Clone, Copy, Debug)]
pub struct Subscribed {
    /// Whether it names other topics or another regular expression than before.
    pub changed: bool,
    /// Whether it calls for a new target assignment.
    pub bumps_epoch: bool,
}

/// The first version in which a member chooses its own id.
const OWN_MEMBER_ID_VERSION: i16 = 1;

/// Checks what does not depend on the group.
pub fn check_heartbeat(
    config: &Config,
    version: i16,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<()> {
    let epoch = request.member_epoch;
    let needs_id = version >= OWN_MEMBER_ID_VERSION || epoch > 0 || epoch == LEAVE_EPOCH;
    check_speaker(
        epoch,
        &request.group_id,
        needs_id.then_some(&request.member_id),
        request.instance_id.as_ref(),
        request.rack_id.as_ref(),
    )?;
    if epoch == JOIN_EPOCH {
        check_join(request)?;
    }
    check_assignor(config, request.server_assignor.as_deref())
}

fn check_join(request: &ConsumerGroupHeartbeatRequest) -> Result<()> {
    let without_timeout = request.rebalance_timeout_ms == -1;
    refuse_if(without_timeout, "A member that joins has to send its RebalanceTimeoutMs.")?;
    refuse_if(
        request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty()),
        "A member that joins owns nothing: its TopicPartitions have to be an empty list.",
    )?;
    refuse_if(
        request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none(),
        "A member that joins has to subscribe, by SubscribedTopicNames or by SubscribedTopicRegex.",
    )
}

fn check_assignor(config: &Config, name: Option<&str>) -> Result<()> {
    let supported = &config.group_consumer_assignors;
    match name {
        Some(name) if !supported.iter().any(|supported| supported == name) => {
            let message = format!(
                "There is no assignor {name} here (group.consumer.assignors has {}).",
                supported.join(", ")
            );
            refuse(ResponseError::UnsupportedAssignor, message)
        }
        _ => Ok(()),
    }
}

impl ConsumerGroup {
    /// Handles a heartbeat of a member that joins or stays; the request is valid by itself.
    /// `records` are those that made the group.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
        mut records: Vec<Record>,
    ) -> Result<ConsumerOutcome<ConsumerGroupHeartbeatResponse>> {
        let joins = request.member_epoch == JOIN_EPOCH;
        self.check_stranger(turn.config.group_consumer_max_size, &request.member_id)?;
        let id = member_id(turn, &request.member_id);
        let owned = request.topic_partitions.as_ref().map(|topics| {
            let topics = topics.iter();
            topics.map(|t| (t.topic_id, t.partitions.iter().copied().collect())).collect()
        });
        let admission = Admission {
            id: &id,
            instance: request.instance_id.as_deref(),
            may_create: joins,
            epoch: Some((request.member_epoch, owned.as_ref())),
        };
        let member = self.admit(&admission, &mut records)?;
        let updated = updated(&member, cx, request);
        let mut change = Change { group: self, member, updated, records, checked: false };
        let subscribed = change.subscribe(turn)?;
        let epoch = change.follow_topics(turn, subscribed.bumps_epoch);
        if joins && epoch == change.group.epoch && change.group.member(&id).is_none() {
            // The epoch moves once the topics of its expression are known.
            tracing::info!("group {}: {}", change.group.id, change.why_epoch_moved(false));
        }
        let target = change.follow_epoch(turn, epoch)?;
        change.reconcile(turn, &target, subscribed.changed, owned.as_ref())?;
        change.group.expect_heartbeat(turn, &change.updated.id);
        let is_full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some()
                || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let shows = joins || is_full || change.member.assigned != change.updated.assigned;
        let interval_ms = turn.group_setting(&change.group.id, "consumer.heartbeat.interval.ms");
        let answer = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(&change.updated.id)))
            .with_member_epoch(change.updated.epoch)
            .with_heartbeat_interval_ms(interval_ms)
            .with_assignment(shows.then(|| assignment(&change.updated)));
        let Change { records, checked, .. } = change;
        self.note_check(turn, checked);
        Ok(ConsumerOutcome::replay(records, answer))
    }

    /// Remembers, if `checked`, that the topics are as the group's metadata hash says.
    pub fn note_check(&mut self, turn: &Turn<'_>, checked: bool) {
        if checked {
            self.checked_at = Some(turn.image.offset);
        }
    }
}

/// The id that a member brings, or a new one.
pub fn member_id(turn: &mut Turn<'_>, id: &str) -> MemberId {
    match id {
        "" => MemberId::from(uuid_to_text(turn.new_uuid())),
        id => MemberId::from(id),
    }
}

/// The member as its request describes it. What the request leaves out stays.
fn updated(
    member: &ConsumerMember,
    cx: &RequestContext,
    request: &ConsumerGroupHeartbeatRequest,
) -> ConsumerMember {
    let mut updated = member.clone();
    let (instance, rack) = (request.instance_id.as_deref(), request.rack_id.as_deref());
    updated.hear(cx, instance, rack, request.rebalance_timeout_ms);
    if let Some(assignor) = &request.server_assignor {
        updated.own.server_assignor = Some(assignor.to_string());
    }
    if let Some(topics) = &request.subscribed_topic_names {
        let topics = topics.iter().map(|topic| topic.to_string()).collect();
        if *updated.own.topics != topics {
            updated.own.topics = Arc::new(topics);
        }
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        updated.own.topic_regex = Some(regex.to_string());
    }
    updated.own.classic = None;
    updated
}

fn assignment(member: &ConsumerMember) -> Assignment {
    let topics = member.assigned.iter().map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(*topic)
            .with_partitions(partitions.keys().copied().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
