//! StreamsGroupHeartbeat (GroupMetadataManager.streamsGroupHeartbeat).

use super::answer::{Heard, Heartbeat};
use super::assignor::{TaskMember, TaskSource, assign};
use super::configure::{Configured, StatusCode, configure};
use super::member::{StreamsMember, StreamsThread};
use super::reconcile::Reconciliation;
use super::request::{self, Reported};
use super::tasks::{TaskOffsets, Tasks};
use super::topology::{Topology, to_record, unexpected};
use super::{Configs, Streams, StreamsGroup, records};
use crate::codec::messages::StreamsGroupHeartbeatRequest;
use crate::codec::messages::streams_group_heartbeat_response::Status;
use crate::coordinator::RequestContext;
use crate::coordinator::group::MemberId;
use crate::coordinator::group::modern::{Admission, JOIN_EPOCH, Kind, refuse_if};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only setting that assignments are made with.
const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

/// A heartbeat that is being handled.
struct Beat<'a> {
    cx: &'a RequestContext,
    request: &'a StreamsGroupHeartbeatRequest,
    /// The member before the heartbeat.
    member: Arc<StreamsMember>,
    owned: Option<Tasks>,
    records: Vec<Record>,
    statuses: Vec<Status>,
}

impl Beat<'_> {
    fn tell(&mut self, status: StatusCode, detail: &str) {
        self.statuses.push(status.with_detail(detail));
    }
}

impl StreamsGroup {
    /// Handles a heartbeat of a member that joins or stays; the request is valid by itself.
    /// `records` make room for the group, and `was_there` says whether a group of this name
    /// existed. For a new group only records are written: its soft state begins when they are
    /// replayed.
    pub fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
        (records, was_there): (Vec<Record>, bool),
    ) -> Result<(Vec<Record>, Heartbeat)> {
        let owned = request::owned(request);
        let joins = request.member_epoch == JOIN_EPOCH;
        let instance = request.instance_id.as_deref();
        let takes_a_place = instance.is_some_and(|id| self.static_member(id).is_some());
        if joins && !takes_a_place {
            self.check_room(turn.config.group_streams_max_size)?;
        }
        let admission = Admission {
            id: &request.member_id,
            instance,
            may_create: joins,
            epoch: Some((request.member_epoch, owned.as_ref())),
        };
        let mut replaced = Vec::new();
        let member = self.admit(&admission, &mut replaced)?;
        let mut beat = Beat { cx, request, member, owned, records, statuses: Vec::new() };
        if replaced.is_empty() {
            let heard = self.hear(turn, &mut beat, was_there)?;
            return Ok((beat.records, heard));
        }
        let mut group = self.clone();
        replaced.iter().for_each(|record| group.replay(record));
        beat.records.extend(replaced);
        let heard = group.hear(turn, &mut beat, was_there);
        (self.own.soft, self.checked_at) = (group.own.soft, group.checked_at);
        Ok((beat.records, heard?))
    }

    fn hear(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &mut Beat<'_>,
        was_there: bool,
    ) -> Result<Heartbeat> {
        let member = beat.member.clone();
        let updated = updated(&member, beat);
        if updated != *member {
            beat.records.push(Streams::member_record(&self.id, &updated.id, Some(&updated)));
        }
        let mut bump = updated.is_other_to_assignments(&member);
        let topology = topology(self, beat)?;
        if let Some(known) = &self.own.topology
            && updated.own.topology_epoch < known.epoch
        {
            let (ours, theirs) = (known.epoch, updated.own.topology_epoch);
            beat.tell(
                StatusCode::StaleTopology,
                &format!("The member has topology epoch {theirs}, the group has {ours} by now."),
            );
        }
        let (configured, hash) = self.configured(turn, &topology)?;
        bump |= hash != self.metadata_hash;
        let validated_epoch = if configured.is_ready() { topology.epoch } else { -1 };
        check_tasks(&configured, beat.owned.as_ref())?;
        self.keep_reported(&updated.id, Reported::of(beat.request)?, &configured);
        bump |= validated_epoch != self.own.validated_topology_epoch;
        let standbys = turn.group_setting(&self.id, "streams.num.standby.replicas");
        let configs = Configs::from([(NUM_STANDBY_REPLICAS.to_owned(), standbys.to_string())]);
        bump |= configs != self.own.last_configs;
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
            self.own.soft.shutdown_requested_by.get_or_insert_with(|| updated.id.clone());
        }
        let statuses = std::mem::take(&mut beat.statuses);
        let version = beat.cx.api_version;
        let (before, after) = (&member, &updated);
        let heard = Heard { version, before, after, configured: &configured, was_there };
        Ok(self.answer(turn, heard, beat.request, statuses))
    }

    /// The topology matched with the topics, again if either changed; and the topics' hash.
    fn configured(
        &mut self,
        turn: &mut Turn<'_>,
        topology: &Topology,
    ) -> Result<(Arc<Configured>, i64)> {
        if let (Some(configured), true) = (
            &self.own.soft.configured,
            self.own.topology.is_some() && self.checked_at == Some(turn.image.offset),
        ) {
            return Ok((configured.clone(), self.metadata_hash));
        }
        let hash = turn.topic_hashes.of_all(turn.image, topology.required_topics().iter());
        if hash == self.metadata_hash {
            // A new hash counts only once it is in the log.
            self.checked_at = Some(turn.image.offset);
        }
        match &self.own.soft.configured {
            Some(configured) if hash == self.metadata_hash && self.own.topology.is_some() => {
                Ok((configured.clone(), hash))
            }
            _ => {
                let configured = Arc::new(configure(topology, turn.image)?);
                self.own.soft.configured = Some(configured.clone());
                Ok((configured, hash))
            }
        }
    }

    /// Lets the first member of a new group wait for others to join as well.
    fn delay_first_assignment(&self, turn: &mut Turn<'_>) {
        let delay = turn.group_setting(&self.id, "streams.initial.rebalance.delay.ms");
        let timer = Timer::FirstAssignment(self.id.clone());
        if self.is_empty() && delay > 0 && !turn.timers.is_set(&timer) {
            turn.set_timer(timer, delay);
        }
    }

    /// The epoch of the target assignment, and the tasks it has for `updated`.
    fn next_target(
        &self,
        turn: &Turn<'_>,
        epoch: i32,
        updated: &StreamsMember,
        (configured, configs): (&Configured, &Configs),
        beat: &mut Beat<'_>,
    ) -> (i32, Arc<Tasks>) {
        let last = || self.target(&updated.id);
        if turn.timers.is_set(&Timer::FirstAssignment(self.id.clone())) {
            let detail = "The first assignment waits for more members \
                          (streams.initial.rebalance.delay.ms).";
            beat.tell(StatusCode::AssignmentDelayed, detail);
            return (self.assignment_epoch, Arc::default());
        }
        if self.assignment_epoch >= epoch {
            return (self.assignment_epoch, last());
        }
        if !self.may_assign(turn) {
            let detail = "The next assignment waits for streams.assignment.interval.ms.";
            beat.tell(StatusCode::AssignmentDelayed, detail);
            return (self.assignment_epoch, last());
        }
        let mut made = make_target(self, Some(updated), configured, configs);
        self.write_targets(turn, epoch, &made, &mut beat.records);
        (epoch, Arc::new(made.remove(&updated.id).unwrap_or_default()))
    }

    /// Brings `member` one step closer to `target`.
    fn reconciled(
        &self,
        turn: &mut Turn<'_>,
        member: StreamsMember,
        (target_epoch, target): (i32, &Tasks),
        beat: &mut Beat<'_>,
    ) -> Result<StreamsMember> {
        if member.is_reconciled_to(target_epoch) {
            return Ok(member);
        }
        let (owners, owned) = (&self.own.owners, beat.owned.as_ref());
        let next = Reconciliation { target_epoch, target, owners, owned }.step(&member)?;
        if next != member {
            beat.records.push(Streams::current_record(&self.id, &next.id, Some(&next)));
            self.expect_revocation(turn, &next);
        }
        Ok(next)
    }

    /// Makes the first assignment, after the time in which others could join.
    pub(super) fn make_first_assignment(&self, turn: &Turn<'_>) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some(configured) = &self.own.soft.configured
            && !self.is_empty()
            && self.epoch > self.assignment_epoch
            && self.may_assign(turn)
        {
            let made = make_target(self, None, configured, &self.own.last_configs);
            self.write_targets(turn, self.epoch, &made, &mut records);
        }
        records
    }
}

/// The reason for a new epoch, for the log.
fn why_epoch_moved(group: &StreamsGroup, before: &StreamsMember, after: &StreamsMember) -> String {
    let (id, host) = (&after.id, &after.client_host);
    if group.member(id).is_none() {
        format!("member {id} at {host} joined")
    } else if before != after {
        format!("member {id} at {host} is not what it was (client, topology or endpoint)")
    } else {
        "its topics, its topology or its settings have changed".to_owned()
    }
}

/// The member with what the request says about it.
fn updated(member: &StreamsMember, beat: &Beat<'_>) -> StreamsMember {
    let request = beat.request;
    let tags = request.client_tags.as_ref().map(|tags| {
        let tags = tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string()));
        tags.collect::<BTreeMap<_, _>>()
    });
    let endpoint = request.user_endpoint.as_ref().map(|of| (of.host.to_string(), of.port));
    let mut updated = member.clone();
    let (instance, rack) = (request.instance_id.as_deref(), request.rack_id.as_deref());
    updated.hear(beat.cx, instance, rack, request.rebalance_timeout_ms);
    let own = updated.own;
    updated.own = StreamsThread {
        topology_epoch: request.topology.as_ref().map_or(own.topology_epoch, |of| of.epoch),
        process_id: request.process_id.as_deref().map_or(own.process_id, str::to_owned),
        user_endpoint: endpoint.or(own.user_endpoint),
        client_tags: tags.unwrap_or(own.client_tags),
    };
    updated
}

/// The group's topology. Its first member brings it.
fn topology(group: &StreamsGroup, beat: &mut Beat<'_>) -> Result<Arc<Topology>> {
    match (&beat.request.topology, &group.own.topology) {
        (None, Some(known)) => Ok(known.clone()),
        (None, None) => Err(unexpected("Neither the member nor the group has a topology.")),
        (Some(asked), None) => {
            let topology = Topology::from_request(asked)?;
            beat.records.push(records::topology(&group.id, to_record(asked)));
            Ok(Arc::new(topology))
        }
        (Some(asked), Some(known)) => {
            let topology = Topology::from_request(asked)?;
            let differs = known.epoch <= topology.epoch && **known != topology;
            refuse_if(differs, "A group keeps the topology that it began with.")?;
            Ok(known.clone())
        }
    }
}

/// Refuses tasks that are not in the topology.
fn check_tasks(configured: &Configured, owned: Option<&Tasks>) -> Result<()> {
    let (true, Some(subtopologies), Some(owned)) =
        (configured.is_ready(), &configured.subtopologies, owned)
    else {
        return Ok(());
    };
    for (id, partitions) in owned.active.iter().chain(&owned.standby).chain(&owned.warmup) {
        let Some(subtopology) = subtopologies.get(id) else {
            return refuse_if(true, &format!("The topology has no subtopology {id}."));
        };
        let tasks = subtopology.tasks;
        if let Some(task) = partitions.iter().find(|task| !(0..tasks).contains(*task)) {
            let message = format!("Subtopology {id} has {tasks} tasks: there is no task {task}");
            return refuse_if(true, &message);
        }
    }
    Ok(())
}

/// A target assignment of all members, with `updated` as it will be. As long as topics are missing
/// it is empty.
fn make_target(
    group: &StreamsGroup,
    updated: Option<&StreamsMember>,
    configured: &Configured,
    configs: &Configs,
) -> BTreeMap<MemberId, Tasks> {
    let mut members: BTreeMap<&MemberId, &StreamsMember> =
        group.members().map(|member| (&member.id, &**member)).collect();
    members.extend(updated.map(|member| (&member.id, member)));
    let (true, Some(subtopologies)) = (configured.is_ready(), &configured.subtopologies) else {
        return members.into_keys().map(|id| (id.clone(), Tasks::default())).collect();
    };
    let no_offsets = TaskOffsets::new();
    let previous: Vec<Arc<Tasks>> = members.keys().map(|id| group.target(id)).collect();
    let members: Vec<TaskMember<'_>> = members
        .into_values()
        .zip(&previous)
        .map(|(member, previous)| TaskMember {
            id: &member.id,
            process_id: &member.own.process_id,
            previous,
            offsets: group.own.soft.task_offsets.get(&member.id).unwrap_or(&no_offsets),
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
