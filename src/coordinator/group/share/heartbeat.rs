//! ShareGroupHeartbeat: a member joins, says what it subscribes to, is told its partitions, and
//! leaves (GroupMetadataManager.shareGroupHeartbeat).

use super::states::{ByTopic, States};
use super::{Initialization, Share, ShareGroup, ShareMember, assignor};
use crate::codec::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::codec::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use crate::coordinator::group::MemberId;
use crate::coordinator::group::assignor::{Partitions, Subscriber};
use crate::coordinator::group::modern::{
    Admission, Counts, JOIN_EPOCH, Kind, LEAVE_EPOCH, MemberState, check_speaker, refuse_if,
};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::{RequestContext, text};
use crate::error::Result;
use crate::metadata::Image;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The longest id of a member, in UTF-16 code units.
const MEMBER_ID_MAX: usize = 36;

/// The answer to a heartbeat, and the share partitions whose states have to be made.
#[derive(Debug)]
pub struct Heartbeat {
    pub response: ShareGroupHeartbeatResponse,
    pub missing: Option<Initialization>,
}

/// Checks what does not depend on the group.
pub fn check(request: &ShareGroupHeartbeatRequest) -> Result<()> {
    let (id, epoch) = (&request.member_id, request.member_epoch);
    refuse_if(
        id.is_empty() || id.encode_utf16().count() > MEMBER_ID_MAX,
        "A member chooses its own MemberId, of at most 36 characters.",
    )?;
    refuse_if(epoch < LEAVE_EPOCH, "MemberEpoch is below -1.")?;
    check_speaker(epoch, &request.group_id, Some(id), None, request.rack_id.as_ref())?;
    refuse_if(
        epoch == JOIN_EPOCH && request.subscribed_topic_names.iter().flatten().next().is_none(),
        "A member that joins has to subscribe, by SubscribedTopicNames.",
    )
}

impl ShareGroup {
    /// Handles a heartbeat of a member that joins or stays; the request is valid by itself.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<(Vec<Record>, Heartbeat)> {
        let joins = request.member_epoch == JOIN_EPOCH;
        self.check_stranger(turn.config.group_share_max_size, &request.member_id)?;
        // It does not say what it owns, because nobody has to wait until it has given that back.
        let owned = Partitions::new();
        let member = self.admit(
            &Admission {
                id: &request.member_id,
                instance: None,
                may_create: joins,
                epoch: Some((request.member_epoch, Some(&owned))),
            },
            &mut Vec::new(),
        )?;
        let mut updated = updated(&member, cx, request);
        let mut records = Vec::new();
        if updated != *member {
            records.push(Share::member_record(&self.id, &updated.id, Some(&updated)));
        }
        let (epoch, missing) = self.follow_topics(turn, &member, &updated, &mut records);
        let (target_epoch, target) = self.next_target(turn, epoch, &updated, &mut records);
        let bumped = epoch != self.epoch;
        if give(&mut updated, turn.image, bumped, target_epoch, &target) {
            records.push(Share::current_record(&self.id, &updated.id, Some(&updated)));
        }
        self.expect_heartbeat(turn, &updated.id);
        let shows = joins
            || request.subscribed_topic_names.is_some()
            || member.assigned != updated.assigned;
        let interval_ms = turn.group_setting(&self.id, "share.heartbeat.interval.ms");
        let response = ShareGroupHeartbeatResponse::default()
            .with_member_id(Some(text(&updated.id)))
            .with_member_epoch(updated.epoch)
            .with_heartbeat_interval_ms(interval_ms)
            .with_assignment(shows.then(|| assignment(&updated)));
        let missing = self.begin_to_initialize(turn, epoch, missing, &mut records);
        Ok((records, Heartbeat { response, missing }))
    }

    /// Moves the group to a new epoch if the subscriptions, their topics or the assignable
    /// partitions changed. Returns the epoch, and the partitions that lack a state.
    fn follow_topics(
        &mut self,
        turn: &mut Turn<'_>,
        member: &ShareMember,
        updated: &ShareMember,
        records: &mut Vec<Record>,
    ) -> (i32, ByTopic) {
        let subscribed = member.own != updated.own;
        if !subscribed && self.checked_at == Some(turn.image.offset) {
            return (self.epoch, ByTopic::new());
        }
        let topics = self.topics_after(member, Some(updated));
        let hash = turn.topic_hashes.of_all(turn.image, topics.names());
        let is_behind = self.assignment_epoch >= self.epoch && self.has_unassigned(turn.image);
        let states = self.own.states.as_ref();
        let retries = !turn.timers.is_set(&Timer::Initializing(self.id.clone()));
        let missing =
            states.unwrap_or(&States::default()).missing(topics.names(), turn.image, retries);
        if !subscribed && !is_behind && hash == self.metadata_hash {
            let is_initializing = states.is_some_and(|of| !of.initializing.is_empty());
            if missing.is_empty() && !is_initializing {
                self.checked_at = Some(turn.image.offset);
            }
            return (self.epoch, missing);
        }
        let epoch = self.epoch + 1;
        records.push(Record::share_epoch(&self.id, epoch, hash));
        let (group, id, host) = (&self.id, &updated.id, &updated.client_host);
        let why = match () {
            () if self.member(id).is_none() => format!("member {id} at {host} joined"),
            () if subscribed => format!("member {id} at {host} subscribed to other topics"),
            () if is_behind => "there are partitions that nobody has".to_owned(),
            () => "the topics it subscribes to have changed".to_owned(),
        };
        tracing::info!("group {group} moves to epoch {epoch}: {why}");
        (epoch, missing)
    }

    /// The subscribed topics once `member` has become `updated`, or is gone.
    fn topics_after(&self, member: &ShareMember, updated: Option<&ShareMember>) -> Counts {
        let mut topics = self.own.topics.clone();
        member.own.iter().for_each(|topic| topics.release(topic));
        let names = updated.into_iter().flat_map(|member| member.own.iter());
        names.for_each(|topic| topics.add(topic));
        topics
    }

    /// Whether partitions may be assigned, but are not, or the reverse.
    fn has_unassigned(&self, image: &Image) -> bool {
        let Some(states) = &self.own.states else { return false };
        let mut assigned = Partitions::new();
        for target in self.members().map(|member| self.target(&member.id)) {
            for (topic, partitions) in &*target {
                assigned.entry(*topic).or_default().extend(partitions);
            }
        }
        let names = self.own.topics.names().filter_map(|name| image.topics.by_name(name));
        let mut topics = names.filter_map(|topic| states.initialized.get_key_value(&topic.id));
        topics.any(|(id, of)| assigned.get(id) != Some(&of.partitions))
    }

    /// The epoch of the target assignment, and the partitions it has for `updated`.
    fn next_target(
        &self,
        turn: &Turn<'_>,
        epoch: i32,
        updated: &ShareMember,
        records: &mut Vec<Record>,
    ) -> (i32, Arc<Partitions>) {
        if self.assignment_epoch >= epoch || !self.may_assign(turn) {
            return (self.assignment_epoch, self.target(&updated.id));
        }
        let mut made = self.assign(turn.image, updated);
        self.write_targets(turn, epoch, &made, records);
        (epoch, Arc::new(made.remove(&updated.id).unwrap_or_default()))
    }

    /// A target assignment of all members, with `updated` as it will be.
    fn assign(&self, image: &Image, updated: &ShareMember) -> BTreeMap<MemberId, Partitions> {
        let mut members: BTreeMap<&MemberId, &ShareMember> =
            self.members().map(|member| (&member.id, &**member)).collect();
        members.insert(&updated.id, updated);
        // Members with the same topics share a set.
        let subscriptions = members.values().map(|member| &member.own);
        let topics: BTreeMap<_, BTreeSet<Uuid>> =
            subscriptions.map(|names| (names, topic_ids(names, image))).collect();
        let targets: Vec<Arc<Partitions>> = members.keys().map(|id| self.target(id)).collect();
        let subscribers: Vec<Subscriber<'_>> = (members.values().zip(&targets))
            .map(|(member, owned)| Subscriber {
                id: &member.id,
                instance_id: None,
                topics: &topics[&member.own],
                owned,
            })
            .collect();
        let initialized = self.own.states.iter().flat_map(|states| &states.initialized);
        let assignable = initialized.map(|(id, of)| (*id, of.partitions.clone())).collect();
        assignor::assign(&subscribers, &assignable)
    }

    /// Notes that the states of `missing` are about to be made.
    fn begin_to_initialize(
        &self,
        turn: &mut Turn<'_>,
        epoch: i32,
        missing: ByTopic,
        records: &mut Vec<Record>,
    ) -> Option<Initialization> {
        if missing.is_empty() {
            return None;
        }
        // What was written to a partition before the group knew of it must not be missed, if the
        // group has begun with others of the topic (Kafka 4.4).
        let is_begun = |topic| {
            self.own.states.as_ref().is_some_and(|states| states.initialized.contains_key(topic))
        };
        let offsets = missing.iter().flat_map(|(topic, of)| {
            let offset = if is_begun(topic) { 0 } else { -1 };
            of.partitions.iter().map(move |index| ((*topic, *index), offset))
        });
        let (group, offsets) = (self.id.clone(), offsets.collect());
        records.push(self.initializing(turn, missing));
        Some(Initialization { group, epoch, offsets })
    }

    /// Handles a heartbeat with the leave epoch.
    pub fn leave(
        &self,
        turn: &mut Turn<'_>,
        request: &ShareGroupHeartbeatRequest,
    ) -> Result<(Vec<Record>, Heartbeat)> {
        let member = self.known_member(&request.member_id)?;
        let response = ShareGroupHeartbeatResponse::default()
            .with_member_id(Some(request.member_id.clone()))
            .with_member_epoch(request.member_epoch)
            .with_assignment(None);
        Ok((self.fence(turn, member, "it left"), Heartbeat { response, missing: None }))
    }

    /// The records that remove a member. Its timers are stopped.
    fn fence(&self, turn: &mut Turn<'_>, member: &ShareMember, why: &str) -> Vec<Record> {
        let (id, epoch) = (&self.id, self.epoch + 1);
        tracing::info!("group {id} loses member {} and moves to epoch {epoch}: {why}", member.id);
        let mut records = self.without(turn, std::iter::once(member));
        let topics = self.topics_after(member, None);
        let hash = turn.topic_hashes.of_all(turn.image, topics.names());
        records.push(Record::share_epoch(id, epoch, hash));
        records
    }

    /// Fires a timer of a member.
    pub fn expire(&self, turn: &mut Turn<'_>, timer: &Timer) -> Vec<Record> {
        let overdue = self.overdue(timer);
        overdue.map(|(member, why)| self.fence(turn, member, why)).unwrap_or_default()
    }
}

/// The member as its request describes it. What the request leaves out stays.
fn updated(
    member: &ShareMember,
    cx: &RequestContext,
    request: &ShareGroupHeartbeatRequest,
) -> ShareMember {
    let mut updated = member.clone();
    updated.hear(cx, None, request.rack_id.as_deref(), -1);
    if let Some(topics) = &request.subscribed_topic_names {
        let topics = topics.iter().map(|topic| topic.to_string()).collect();
        if *updated.own != topics {
            updated.own = Arc::new(topics);
        }
    }
    updated
}

/// Gives a member its target at once, without topics that it no longer subscribes to. Returns
/// whether that changed the member.
fn give(
    member: &mut ShareMember,
    image: &Image,
    bumped: bool,
    target_epoch: i32,
    target: &Arc<Partitions>,
) -> bool {
    let moves = member.epoch != target_epoch;
    if !moves && !bumped {
        return false;
    }
    let before = member.clone();
    if moves {
        member.move_to(target_epoch);
        member.state = MemberState::Stable;
    }
    let topics = topic_ids(&member.own, image);
    let mut assigned = target.clone();
    if assigned.keys().any(|topic| !topics.contains(topic)) {
        Arc::make_mut(&mut assigned).retain(|topic, _| topics.contains(topic));
    }
    member.assigned = assigned;
    *member != before
}

/// The ids of the topics that exist.
fn topic_ids(names: &BTreeSet<String>, image: &Image) -> BTreeSet<Uuid> {
    names.iter().filter_map(|name| image.topics.by_name(name)).map(|topic| topic.id).collect()
}

fn assignment(member: &ShareMember) -> Assignment {
    let topics = member.assigned.iter().map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(*topic)
            .with_partitions(partitions.iter().copied().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
