//! StreamsGroupHeartbeat on a shard (GroupMetadataManager.streamsGroupHeartbeat).

use super::answer::Heard;
use super::assignor::{TaskMember, TaskSource, assign};
use super::configure::{Configured, StatusCode, configure};
use super::member::{Member, MemberState};
use super::reconcile::Reconciliation;
use super::request::{self, JOIN_EPOCH, LEAVE_STATIC_EPOCH, Reported, refuse_if};
use super::tasks::{TaskOffsets, Tasks};
use super::topology::{Topology, to_record, unexpected};
use super::{Configs, StreamsGroup, records};
use crate::codec::schema::message::streams_group_heartbeat_response::Status;
use crate::codec::schema::message::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use crate::coordinator::RequestContext;
use crate::coordinator::group::outcome::Outcome;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::shard::{Group, Shard};
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{GroupId, MemberId};
use crate::error::{Error, Result};
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one setting that assignments are made with.
const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

/// What a heartbeat comes to.
#[derive(Debug)]
pub struct Heartbeat {
    /// The answer.
    pub response: StreamsGroupHeartbeatResponse,
    /// Internal topics that the group needs and that are not there.
    pub missing_topics: Vec<CreatableTopic>,
}

/// What a heartbeat has at hand, and what it leaves behind.
struct Turn<'a> {
    now: Timestamp,
    cx: &'a RequestContext,
    request: &'a StreamsGroupHeartbeatRequest,
    owned: Option<Tasks>,
    records: Vec<Record>,
    statuses: Vec<Status>,
}

impl Turn<'_> {
    fn tell(&mut self, status: StatusCode, status_detail: String) {
        self.statuses.push(Status { status_code: status.code(), status_detail });
    }
}

impl Shard {
    /// A StreamsGroupHeartbeat: a member comes, stays or goes.
    pub fn streams_heartbeat(
        &mut self,
        now: Timestamp,
        cx: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<Outcome<Heartbeat>> {
        request::check(request, cx.api_version)?;
        if request.member_epoch < JOIN_EPOCH {
            return self.leave_streams(request);
        }
        let id = GroupId::from(request.group_id.as_str());
        let owned = request::owned(request);
        let (records, statuses) = (Vec::new(), Vec::new());
        let mut turn = Turn { now, cx, request, owned, records, statuses };
        let was_there = self.groups.contains_key(&id);
        // What happens to a group that is not there yet is written down only; its soft state
        // begins with its records.
        let (mut group, is_new) = match self.groups.remove(&id) {
            Some(Group::Streams(group)) => (group, false),
            other => {
                let made = new_group(&id, other.as_ref(), &mut turn);
                if let Some(other) = other {
                    self.groups.insert(id.clone(), other);
                }
                (made?, true)
            }
        };
        let beat = match group.with_static_member_replaced(&mut turn.records, request) {
            Ok(None) => self.beat(&mut group, &mut turn, was_there),
            Ok(Some(mut replaced)) => {
                let beat = self.beat(&mut replaced, &mut turn, was_there);
                group.soft = replaced.soft;
                beat
            }
            Err(error) => Err(error),
        };
        if !is_new {
            self.groups.insert(id, Group::Streams(group));
        }
        Ok(Outcome::replay(turn.records, beat?))
    }

    fn beat(
        &mut self,
        group: &mut StreamsGroup,
        turn: &mut Turn<'_>,
        was_there: bool,
    ) -> Result<Heartbeat> {
        let member = self.speaker(group, turn)?;
        let updated = updated(&member, turn);
        if updated != member {
            turn.records.push(records::member(&group.id, &updated));
        }
        let mut bump = updated.is_other_to_assignments(&member);
        let topology = topology(group, turn)?;
        if let Some(known) = &group.topology
            && updated.topology_epoch < known.epoch
        {
            let (ours, theirs) = (known.epoch, updated.topology_epoch);
            turn.tell(StatusCode::StaleTopology, format!(
                "The member's topology epoch {theirs} is behind the group's topology epoch {ours}."
            ));
        }
        let (configured, hash) = self.configured(group, &topology)?;
        bump |= hash != group.metadata_hash;
        let validated_epoch = if configured.is_ready() { topology.epoch } else { -1 };
        check_tasks(&configured, turn.owned.as_ref())?;
        group.keep_reported(&updated.id, Reported::of(turn.request)?, &configured);
        bump |= validated_epoch != group.validated_topology_epoch;
        let standbys = self.group_setting(&group.id, "streams.num.standby.replicas");
        let configs = Configs::from([(NUM_STANDBY_REPLICAS.to_owned(), standbys.to_string())]);
        bump |= configs != group.last_configs;
        let mut epoch = group.epoch;
        if bump {
            epoch += 1;
            turn.records.push(records::epoch(&group.id, epoch, hash, validated_epoch, &configs));
            let (id, why) = (&group.id, why_epoch_moved(group, &member, &updated));
            tracing::info!("group {id} moves to epoch {epoch}: {why}");
        }
        self.delay_first_assignment(group, turn.now);
        let (target_epoch, target) =
            self.target(group, epoch, &updated, &configured, &configs, turn);
        let updated = self.reconciled(group, updated, (target_epoch, &target), turn)?;
        self.keep_session(&group.id, &updated.id, turn.now);
        if turn.request.shutdown_application {
            group.soft.shutdown_requested_by.get_or_insert_with(|| updated.id.clone());
        }
        let statuses = std::mem::take(&mut turn.statuses);
        let version = turn.cx.api_version;
        let (before, after) = (&member, &updated);
        let heard = Heard { version, before, after, configured: &configured, was_there };
        Ok(self.answer_streams(group, heard, turn.request, statuses))
    }

    /// The member that speaks, new if it may be.
    fn speaker(&self, group: &StreamsGroup, turn: &Turn<'_>) -> Result<Member> {
        let request = turn.request;
        if request.member_epoch != JOIN_EPOCH {
            let member = group.speaking_member(request)?;
            check_epoch(member, request.member_epoch, turn.owned.as_ref())?;
            return Ok(member.clone());
        }
        let most = self.config.group_streams_max_size;
        let instance = request.instance_id.as_deref();
        let is_replaced = instance.is_some_and(|id| group.static_member(id).is_some());
        let has_room = i32::try_from(group.members.len()).is_ok_and(|size| size < most);
        if is_replaced || has_room {
            let known = group.members.get(request.member_id.as_str()).cloned();
            return Ok(known.unwrap_or_else(|| Member::new(&request.member_id)));
        }
        Err(Error::Explained(
            ResponseError::GroupMaxSizeReached,
            format!("The streams group has reached its maximum capacity of {most} members."),
        ))
    }

    /// The topology against the topics, again if either changed; and the topics' hash.
    fn configured(
        &mut self,
        group: &mut StreamsGroup,
        topology: &Topology,
    ) -> Result<(Arc<Configured>, i64)> {
        if let (Some(configured), true) = (
            &group.soft.configured,
            group.topology.is_some() && group.soft.checked_at == Some(self.image.offset),
        ) {
            return Ok((configured.clone(), group.metadata_hash));
        }
        let hash = self.topic_hashes.of_all(&self.image, topology.required_topics().iter());
        if hash == group.metadata_hash {
            // Another hash is seen only once it is written down.
            group.soft.checked_at = Some(self.image.offset);
        }
        match &group.soft.configured {
            Some(configured) if hash == group.metadata_hash && group.topology.is_some() => {
                Ok((configured.clone(), hash))
            }
            _ => {
                let configured = Arc::new(configure(topology, &self.image)?);
                group.soft.configured = Some(configured.clone());
                Ok((configured, hash))
            }
        }
    }

    /// Who joins a new group waits for others to join as well.
    fn delay_first_assignment(&mut self, group: &StreamsGroup, now: Timestamp) {
        let delay = self.group_setting(&group.id, "streams.initial.rebalance.delay.ms");
        let timer = Timer::FirstAssignment(group.id.clone());
        if group.is_empty() && delay > 0 && !self.timers.is_set(&timer) {
            self.timers.set(timer, now + i64::from(delay));
        }
    }

    /// The epoch of the target assignment and what `updated` is to have by it.
    fn target(
        &self,
        group: &StreamsGroup,
        epoch: i32,
        updated: &Member,
        configured: &Configured,
        configs: &Configs,
        turn: &mut Turn<'_>,
    ) -> (i32, Tasks) {
        let last = || group.target.get(&updated.id).cloned().unwrap_or_default();
        if self.timers.is_set(&Timer::FirstAssignment(group.id.clone())) {
            let detail = "Assignment delayed due to the configured initial rebalance delay.";
            turn.tell(StatusCode::AssignmentDelayed, detail.to_owned());
            return (group.target_epoch, Tasks::default());
        }
        if group.target_epoch >= epoch {
            return (group.target_epoch, last());
        }
        if !self.may_assign(group, turn.now) {
            let detail = "Assignment delayed due to the configured assignment interval.";
            turn.tell(StatusCode::AssignmentDelayed, detail.to_owned());
            return (group.target_epoch, last());
        }
        let mut made = make_target(group, Some(updated), configured, configs);
        write_target(group, epoch, &made, turn.now, &mut turn.records);
        (epoch, made.remove(&updated.id).unwrap_or_default())
    }

    /// Assignments are made at intervals.
    fn may_assign(&self, group: &StreamsGroup, now: Timestamp) -> bool {
        let interval = self.group_setting(&group.id, "streams.assignment.interval.ms");
        let last = group.target_timestamp;
        last == 0 || interval == 0 || now >= last + i64::from(interval)
    }

    /// One step of `member` towards `target`.
    fn reconciled(
        &mut self,
        group: &StreamsGroup,
        member: Member,
        (target_epoch, target): (i32, &Tasks),
        turn: &mut Turn<'_>,
    ) -> Result<Member> {
        if member.is_reconciled_to(target_epoch) {
            return Ok(member);
        }
        let (owners, owned) = (&group.owners, turn.owned.as_ref());
        let next = Reconciliation { target_epoch, target, owners, owned }.step(&member)?;
        if next != member {
            turn.records.push(records::current(&group.id, &next));
            self.expect_revocation(&group.id, &next, turn.now);
        }
        Ok(next)
    }

    /// A member that has to give tasks back has its rebalance timeout for it.
    fn expect_revocation(&mut self, group: &GroupId, member: &Member, now: Timestamp) {
        let timer = Timer::Rebalance(group.clone(), member.id.clone());
        match member.state {
            MemberState::UnrevokedTasks => {
                self.timers.set(timer, now + i64::from(member.rebalance_timeout_ms));
            }
            _ => self.timers.cancel(&timer),
        }
    }

    fn keep_session(&mut self, group: &GroupId, member: &MemberId, now: Timestamp) {
        let timeout = self.group_setting(group, "streams.session.timeout.ms");
        self.timers.set(Timer::Session(group.clone(), member.clone()), now + i64::from(timeout));
    }

    fn leave_streams(
        &mut self,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<Outcome<Heartbeat>> {
        let id = request.group_id.as_str();
        let group = self.streams_group_mut(id)?;
        if request.shutdown_application {
            let member = MemberId::from(request.member_id.as_str());
            group.soft.shutdown_requested_by.get_or_insert(member);
        }
        let member = group.speaking_member(request)?.clone();
        let records = match request.member_epoch {
            LEAVE_STATIC_EPOCH => {
                self.timers.cancel(&Timer::Rebalance(GroupId::from(id), member.id.clone()));
                vec![records::current(id, &member.gone_for_now())]
            }
            _ => self.fence_streams_member(id, &request.member_id, "it left")?,
        };
        let response = StreamsGroupHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            status: Some(Vec::new()),
            ..StreamsGroupHeartbeatResponse::default()
        };
        Ok(Outcome::replay(records, Heartbeat { response, missing_topics: Vec::new() }))
    }

    /// The records by which a member is no more; its timers stop.
    fn fence_streams_member(&mut self, id: &str, member: &str, why: &str) -> Result<Vec<Record>> {
        let group = self.streams_group(id)?;
        let member = group.member(member)?.id.clone();
        let epoch = group.epoch + 1;
        tracing::info!("group {id} loses member {member} and moves to epoch {epoch}: {why}");
        let mut records = records::member_tombstones(id, &member).to_vec();
        records.push(records::epoch(
            id,
            group.epoch + 1,
            group.metadata_hash,
            group.validated_topology_epoch,
            &group.last_configs,
        ));
        let id = group.id.clone();
        self.timers.cancel(&Timer::Session(id.clone(), member.clone()));
        self.timers.cancel(&Timer::Rebalance(id, member));
        Ok(records)
    }

    /// A member has said nothing, or given nothing back, for too long.
    pub fn expire_streams_member(&mut self, timer: &Timer) -> Outcome {
        let records = match timer {
            Timer::Session(group, member) => {
                self.fence_streams_member(group, member, "its session expired, so it is fenced")
            }
            Timer::Rebalance(group, member) => match self.must_still_revoke(group, member) {
                true => {
                    let why = "it did not give tasks back in time, so it is fenced";
                    self.fence_streams_member(group, member, why)
                }
                false => Ok(Vec::new()),
            },
            other => unreachable!("{other:?} is not of a member"),
        };
        // The group or the member may be gone.
        Outcome::replay(records.unwrap_or_default(), ())
    }

    fn must_still_revoke(&self, group: &str, member: &str) -> bool {
        let group = self.streams_group(group);
        let member = group.and_then(|group| group.member(member));
        member.is_ok_and(|member| member.state == MemberState::UnrevokedTasks)
    }

    /// The time in which others could join a new group is over.
    pub fn make_first_assignment(&self, now: Timestamp, id: &str) -> Outcome {
        let mut records = Vec::new();
        if let Ok(group) = self.streams_group(id)
            && let Some(configured) = &group.soft.configured
            && !group.is_empty()
            && group.epoch > group.target_epoch
            && self.may_assign(group, now)
        {
            let made = make_target(group, None, configured, &group.last_configs);
            write_target(group, group.epoch, &made, now, &mut records);
        }
        Outcome::replay(records, ())
    }

    /// The timers of the members, after the log was read.
    pub fn load_streams_timers(&mut self, now: Timestamp, id: &GroupId) {
        let Ok(group) = self.streams_group(id) else { return };
        let members: Vec<Member> = group.members.values().cloned().collect();
        for member in members {
            self.keep_session(id, &member.id, now);
            if member.state == MemberState::UnrevokedTasks {
                self.expect_revocation(id, &member, now);
            }
        }
    }
}

/// For the log.
fn why_epoch_moved(group: &StreamsGroup, before: &Member, after: &Member) -> String {
    let (id, host) = (&after.id, &after.client_host);
    if !group.members.contains_key(id) {
        format!("member {id} at {host} joined")
    } else if before != after {
        format!("member {id} at {host} is not what it was (client, topology or endpoint)")
    } else {
        "its topics, its topology or its settings have changed".to_owned()
    }
}

/// An empty classic group makes room for a streams group.
fn new_group(
    id: &GroupId,
    there: Option<&Group>,
    turn: &mut Turn<'_>,
) -> Result<Box<StreamsGroup>> {
    let joins = turn.request.member_epoch == JOIN_EPOCH;
    match there {
        None if !joins => {
            let message = format!("Streams group {id} not found.");
            Err(Error::Explained(ResponseError::GroupIdNotFound, message))
        }
        Some(Group::Classic(group)) if joins && group.is_empty() => {
            turn.records.push(Record::group_tombstone(id));
            Ok(Box::new(StreamsGroup::new(id.clone())))
        }
        None => Ok(Box::new(StreamsGroup::new(id.clone()))),
        Some(_) => Err(super::not_streams(id)),
    }
}

/// A member may be one epoch behind, because the answer that told it of the next was lost.
fn check_epoch(member: &Member, epoch: i32, owned: Option<&Tasks>) -> Result<()> {
    let lost = epoch == member.previous_epoch
        && owned.is_some_and(|owned| member.assigned.contains_all(owned));
    let than = match epoch.cmp(&member.epoch) {
        std::cmp::Ordering::Greater => "greater",
        std::cmp::Ordering::Less if !lost => "smaller",
        _ => return Ok(()),
    };
    Err(Error::Explained(
        ResponseError::FencedMemberEpoch,
        format!(
            "The streams group member has a {than} member epoch ({epoch}) than the one known by \
             the group coordinator ({}). The member must abandon all its partitions and rejoin.",
            member.epoch
        ),
    ))
}

/// The member with what the request says of it.
fn updated(member: &Member, turn: &Turn<'_>) -> Member {
    let request = turn.request;
    let tags = request.client_tags.as_ref().map(|tags| {
        tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect::<BTreeMap<_, _>>()
    });
    let endpoint = request.user_endpoint.as_ref().map(|of| (of.host.clone(), of.port));
    let mut updated = member.clone();
    updated.client_id.clone_from(&turn.cx.client_id);
    updated.client_host.clone_from(&turn.cx.client_host);
    updated.instance_id = request.instance_id.clone().or(updated.instance_id);
    updated.rack_id = request.rack_id.clone().or(updated.rack_id);
    updated.process_id = request.process_id.clone().unwrap_or(updated.process_id);
    updated.client_tags = tags.unwrap_or(updated.client_tags);
    updated.user_endpoint = endpoint.or(updated.user_endpoint);
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topology) = &request.topology {
        updated.topology_epoch = topology.epoch;
    }
    updated
}

/// The group's topology, which its first member brings.
fn topology(group: &StreamsGroup, turn: &mut Turn<'_>) -> Result<Arc<Topology>> {
    match (&turn.request.topology, &group.topology) {
        (None, Some(known)) => Ok(known.clone()),
        (None, None) => {
            Err(unexpected("The topology is null and the group topology is also null."))
        }
        (Some(asked), None) => {
            let topology = Topology::from_request(asked)?;
            turn.records.push(records::topology(&group.id, to_record(asked)));
            Ok(Arc::new(topology))
        }
        (Some(asked), Some(known)) => {
            let topology = Topology::from_request(asked)?;
            let differs = known.epoch <= topology.epoch && **known != topology;
            refuse_if(differs, "Topology updates are not supported yet.")?;
            Ok(known.clone())
        }
    }
}

/// What a member owns has to be of the topology.
fn check_tasks(configured: &Configured, owned: Option<&Tasks>) -> Result<()> {
    let (true, Some(subtopologies), Some(owned)) =
        (configured.is_ready(), &configured.subtopologies, owned)
    else {
        return Ok(());
    };
    for (id, partitions) in owned.active.iter().chain(&owned.standby).chain(&owned.warmup) {
        let Some(subtopology) = subtopologies.get(id) else {
            return refuse_if(true, &format!("Subtopology {id} does not exist in the topology."));
        };
        let tasks = subtopology.tasks;
        if let Some(task) = partitions.iter().find(|task| !(0..tasks).contains(*task)) {
            let message = format!(
                "Task {task} for subtopology {id} is invalid. Number of tasks for this \
                 subtopology: {tasks}"
            );
            return refuse_if(true, &message);
        }
    }
    Ok(())
}

/// A target assignment of all members, with `updated` as it will be. Nobody has a task while the
/// topics are not there.
fn make_target(
    group: &StreamsGroup,
    updated: Option<&Member>,
    configured: &Configured,
    configs: &Configs,
) -> BTreeMap<MemberId, Tasks> {
    let mut members: BTreeMap<&MemberId, &Member> = group.members.iter().collect();
    members.extend(updated.map(|member| (&member.id, member)));
    let (true, Some(subtopologies)) = (configured.is_ready(), &configured.subtopologies) else {
        return members.into_keys().map(|id| (id.clone(), Tasks::default())).collect();
    };
    let (nothing, no_offsets) = (Tasks::default(), TaskOffsets::new());
    let members: Vec<TaskMember<'_>> = members
        .into_values()
        .map(|member| TaskMember {
            id: &member.id,
            process_id: &member.process_id,
            previous: group.target.get(&member.id).unwrap_or(&nothing),
            offsets: group.soft.task_offsets.get(&member.id).unwrap_or(&no_offsets),
        })
        .collect();
    let sources: Vec<TaskSource<'_>> = subtopologies
        .iter()
        .map(|(id, of)| TaskSource {
            id,
            tasks: of.tasks,
            is_stateful: !of.state_changelog_topics.is_empty(),
        })
        .collect();
    let standbys = configs.get(NUM_STANDBY_REPLICAS).and_then(|number| number.parse().ok());
    assign(&members, &sources, standbys.unwrap_or(0))
}

/// Only what changed is written, and the epoch.
fn write_target(
    group: &StreamsGroup,
    epoch: i32,
    made: &BTreeMap<MemberId, Tasks>,
    now: Timestamp,
    records: &mut Vec<Record>,
) {
    for (id, tasks) in made {
        if group.target.get(id) != Some(tasks) {
            records.push(records::target(&group.id, id, tasks));
        }
    }
    records.push(records::target_epoch(&group.id, epoch, now));
}
