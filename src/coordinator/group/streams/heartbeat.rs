//! StreamsGroupHeartbeat on a shard (GroupMetadataManager.streamsGroupHeartbeat).

use super::answer::{Heard, Heartbeat};
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
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::group::{GroupId, MemberId};
use crate::error::{Error, Result};
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one setting that assignments are made with.
const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

/// A heartbeat on its way through a group.
struct Beat<'a> {
    cx: &'a RequestContext,
    request: &'a StreamsGroupHeartbeatRequest,
    owned: Option<Tasks>,
    records: Vec<Record>,
    statuses: Vec<Status>,
}

impl Beat<'_> {
    fn tell(&mut self, status: StatusCode, status_detail: String) {
        self.statuses.push(Status { status_code: status.code(), status_detail });
    }
}

impl StreamsGroup {
    /// A heartbeat, sound in itself, of a member that joins or stays. `records` are those that make
    /// room for the group; `was_there` says whether a group of this name was. What happens to a new
    /// group is written down only; its soft state begins with its records.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
        (records, was_there): (Vec<Record>, bool),
    ) -> Result<(Vec<Record>, Heartbeat)> {
        let owned = request::owned(request);
        let mut beat = Beat { cx, request, owned, records, statuses: Vec::new() };
        let heard = match self.with_static_member_replaced(&mut beat.records, request)? {
            None => self.hear(turn, &mut beat, was_there)?,
            Some(mut replaced) => {
                let heard = replaced.hear(turn, &mut beat, was_there);
                self.soft = replaced.soft;
                heard?
            }
        };
        Ok((beat.records, heard))
    }

    fn hear(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &mut Beat<'_>,
        was_there: bool,
    ) -> Result<Heartbeat> {
        let member = self.speaker(turn, beat)?;
        let updated = updated(&member, beat);
        if updated != member {
            beat.records.push(records::member(&self.id, &updated));
        }
        let mut bump = updated.is_other_to_assignments(&member);
        let topology = topology(self, beat)?;
        if let Some(known) = &self.topology
            && updated.topology_epoch < known.epoch
        {
            let (ours, theirs) = (known.epoch, updated.topology_epoch);
            beat.tell(StatusCode::StaleTopology, format!(
                "The member's topology epoch {theirs} is behind the group's topology epoch {ours}."
            ));
        }
        let (configured, hash) = self.configured(turn, &topology)?;
        bump |= hash != self.metadata_hash;
        let validated_epoch = if configured.is_ready() { topology.epoch } else { -1 };
        check_tasks(&configured, beat.owned.as_ref())?;
        self.keep_reported(&updated.id, Reported::of(beat.request)?, &configured);
        bump |= validated_epoch != self.validated_topology_epoch;
        let standbys = turn.group_setting(&self.id, "streams.num.standby.replicas");
        let configs = Configs::from([(NUM_STANDBY_REPLICAS.to_owned(), standbys.to_string())]);
        bump |= configs != self.last_configs;
        let mut epoch = self.epoch;
        if bump {
            epoch += 1;
            beat.records.push(records::epoch(&self.id, epoch, hash, validated_epoch, &configs));
            let (id, why) = (&self.id, why_epoch_moved(self, &member, &updated));
            tracing::info!("group {id} moves to epoch {epoch}: {why}");
        }
        self.delay_first_assignment(turn);
        let (target_epoch, target) =
            self.next_target(turn, epoch, &updated, (&configured, &configs), beat);
        let updated = self.reconciled(turn, updated, (target_epoch, &target), beat)?;
        self.expect_heartbeat(turn, &updated.id);
        if beat.request.shutdown_application {
            self.soft.shutdown_requested_by.get_or_insert_with(|| updated.id.clone());
        }
        let statuses = std::mem::take(&mut beat.statuses);
        let version = beat.cx.api_version;
        let (before, after) = (&member, &updated);
        let heard = Heard { version, before, after, configured: &configured, was_there };
        Ok(self.answer(turn, heard, beat.request, statuses))
    }

    /// The member that speaks, new if it may be.
    fn speaker(&self, turn: &Turn<'_>, beat: &Beat<'_>) -> Result<Member> {
        let request = beat.request;
        if request.member_epoch != JOIN_EPOCH {
            let member = self.speaking_member(request)?;
            check_epoch(member, request.member_epoch, beat.owned.as_ref())?;
            return Ok(member.clone());
        }
        let most = turn.config.group_streams_max_size;
        let instance = request.instance_id.as_deref();
        let is_replaced = instance.is_some_and(|id| self.static_member(id).is_some());
        let has_room = i32::try_from(self.members.len()).is_ok_and(|size| size < most);
        if is_replaced || has_room {
            let known = self.members.get(request.member_id.as_str()).cloned();
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
        turn: &mut Turn<'_>,
        topology: &Topology,
    ) -> Result<(Arc<Configured>, i64)> {
        if let (Some(configured), true) = (
            &self.soft.configured,
            self.topology.is_some() && self.soft.checked_at == Some(turn.image.offset),
        ) {
            return Ok((configured.clone(), self.metadata_hash));
        }
        let hash = turn.topic_hashes.of_all(turn.image, topology.required_topics().iter());
        if hash == self.metadata_hash {
            // Another hash is seen only once it is written down.
            self.soft.checked_at = Some(turn.image.offset);
        }
        match &self.soft.configured {
            Some(configured) if hash == self.metadata_hash && self.topology.is_some() => {
                Ok((configured.clone(), hash))
            }
            _ => {
                let configured = Arc::new(configure(topology, turn.image)?);
                self.soft.configured = Some(configured.clone());
                Ok((configured, hash))
            }
        }
    }

    /// Who joins a new group waits for others to join as well.
    fn delay_first_assignment(&self, turn: &mut Turn<'_>) {
        let delay = turn.group_setting(&self.id, "streams.initial.rebalance.delay.ms");
        let timer = Timer::FirstAssignment(self.id.clone());
        if self.is_empty() && delay > 0 && !turn.timers.is_set(&timer) {
            turn.set_timer(timer, delay);
        }
    }

    /// The epoch of the target assignment and what `updated` is to have by it.
    fn next_target(
        &self,
        turn: &Turn<'_>,
        epoch: i32,
        updated: &Member,
        (configured, configs): (&Configured, &Configs),
        beat: &mut Beat<'_>,
    ) -> (i32, Tasks) {
        let last = || self.target.get(&updated.id).cloned().unwrap_or_default();
        if turn.timers.is_set(&Timer::FirstAssignment(self.id.clone())) {
            let detail = "Assignment delayed due to the configured initial rebalance delay.";
            beat.tell(StatusCode::AssignmentDelayed, detail.to_owned());
            return (self.target_epoch, Tasks::default());
        }
        if self.target_epoch >= epoch {
            return (self.target_epoch, last());
        }
        if !self.may_assign(turn) {
            let detail = "Assignment delayed due to the configured assignment interval.";
            beat.tell(StatusCode::AssignmentDelayed, detail.to_owned());
            return (self.target_epoch, last());
        }
        let mut made = make_target(self, Some(updated), configured, configs);
        write_target(self, epoch, &made, turn.now, &mut beat.records);
        (epoch, made.remove(&updated.id).unwrap_or_default())
    }

    /// Assignments are made at intervals.
    fn may_assign(&self, turn: &Turn<'_>) -> bool {
        let interval = turn.group_setting(&self.id, "streams.assignment.interval.ms");
        let last = self.target_timestamp;
        last == 0 || interval == 0 || turn.now >= last + i64::from(interval)
    }

    /// One step of `member` towards `target`.
    fn reconciled(
        &self,
        turn: &mut Turn<'_>,
        member: Member,
        (target_epoch, target): (i32, &Tasks),
        beat: &mut Beat<'_>,
    ) -> Result<Member> {
        if member.is_reconciled_to(target_epoch) {
            return Ok(member);
        }
        let (owners, owned) = (&self.owners, beat.owned.as_ref());
        let next = Reconciliation { target_epoch, target, owners, owned }.step(&member)?;
        if next != member {
            beat.records.push(records::current(&self.id, &next));
            self.expect_revocation(turn, &next);
        }
        Ok(next)
    }

    /// A member that has to give tasks back has its rebalance timeout for it.
    fn expect_revocation(&self, turn: &mut Turn<'_>, member: &Member) {
        let timer = Timer::Rebalance(self.id.clone(), member.id.clone());
        match member.state {
            MemberState::UnrevokedTasks => turn.set_timer(timer, member.rebalance_timeout_ms),
            _ => turn.timers.cancel(&timer),
        }
    }

    fn expect_heartbeat(&self, turn: &mut Turn<'_>, member: &MemberId) {
        let timeout_ms = turn.group_setting(&self.id, "streams.session.timeout.ms");
        turn.set_session(&self.id, member, timeout_ms);
    }

    /// A heartbeat with a leave epoch.
    pub fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<(Vec<Record>, Heartbeat)> {
        if request.shutdown_application {
            let member = MemberId::from(request.member_id.as_str());
            self.soft.shutdown_requested_by.get_or_insert(member);
        }
        let member = self.speaking_member(request)?;
        let records = match request.member_epoch {
            LEAVE_STATIC_EPOCH => {
                turn.timers.cancel(&Timer::Rebalance(self.id.clone(), member.id.clone()));
                vec![records::current(&self.id, &member.gone_for_now())]
            }
            _ => self.fence(turn, member, "it left"),
        };
        let response = StreamsGroupHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            status: Some(Vec::new()),
            ..StreamsGroupHeartbeatResponse::default()
        };
        Ok((records, Heartbeat { response, missing_topics: Vec::new() }))
    }

    /// The records by which a member is no more; its timers stop.
    fn fence(&self, turn: &mut Turn<'_>, member: &Member, why: &str) -> Vec<Record> {
        let (id, member, epoch) = (&self.id, &member.id, self.epoch + 1);
        tracing::info!("group {id} loses member {member} and moves to epoch {epoch}: {why}");
        let mut records = records::member_tombstones(id, member).to_vec();
        records.push(records::epoch(
            id,
            epoch,
            self.metadata_hash,
            self.validated_topology_epoch,
            &self.last_configs,
        ));
        turn.cancel_timers(member_timers(id, member));
        records
    }

    /// A timer of the group or of a member has fired.
    pub fn expire(&self, turn: &mut Turn<'_>, timer: &Timer) -> Vec<Record> {
        let (id, why) = match timer {
            Timer::FirstAssignment(_) => return self.make_first_assignment(turn),
            Timer::Session(_, id) => (id, "its session expired, so it is fenced"),
            Timer::Rebalance(_, id) => (id, "it did not give tasks back in time, so it is fenced"),
            _ => return Vec::new(),
        };
        let Some(member) = self.members.get(id) else { return Vec::new() };
        if matches!(timer, Timer::Rebalance(..)) && member.state != MemberState::UnrevokedTasks {
            return Vec::new();
        }
        self.fence(turn, member, why)
    }

    /// The time in which others could join a new group is over.
    fn make_first_assignment(&self, turn: &Turn<'_>) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some(configured) = &self.soft.configured
            && !self.is_empty()
            && self.epoch > self.target_epoch
            && self.may_assign(turn)
        {
            let made = make_target(self, None, configured, &self.last_configs);
            write_target(self, self.epoch, &made, turn.now, &mut records);
        }
        records
    }

    /// The group was read from the log: expects heartbeats of its members.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        for member in self.members.values() {
            self.expect_heartbeat(turn, &member.id);
            if member.state == MemberState::UnrevokedTasks {
                self.expect_revocation(turn, member);
            }
        }
    }

    /// The timers that it may have.
    pub fn timers(&self) -> Vec<Timer> {
        let members = self.members.keys().flat_map(|member| member_timers(&self.id, member));
        members.chain([Timer::FirstAssignment(self.id.clone())]).collect()
    }
}

fn member_timers(group: &GroupId, member: &MemberId) -> [Timer; 2] {
    let session = Timer::Session(group.clone(), member.clone());
    [session, Timer::Rebalance(group.clone(), member.clone())]
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
fn updated(member: &Member, beat: &Beat<'_>) -> Member {
    let request = beat.request;
    let tags = request.client_tags.as_ref().map(|tags| {
        tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect::<BTreeMap<_, _>>()
    });
    let endpoint = request.user_endpoint.as_ref().map(|of| (of.host.clone(), of.port));
    let mut updated = member.clone();
    updated.client_id.clone_from(&beat.cx.client_id);
    updated.client_host.clone_from(&beat.cx.client_host);
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
fn topology(group: &StreamsGroup, beat: &mut Beat<'_>) -> Result<Arc<Topology>> {
    match (&beat.request.topology, &group.topology) {
        (None, Some(known)) => Ok(known.clone()),
        (None, None) => {
            Err(unexpected("The topology is null and the group topology is also null."))
        }
        (Some(asked), None) => {
            let topology = Topology::from_request(asked)?;
            beat.records.push(records::topology(&group.id, to_record(asked)));
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
