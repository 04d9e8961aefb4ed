//! The checks of a StreamsGroupHeartbeat that do not depend on a group (GroupCoordinatorService).

use super::tasks::{TaskIds, TaskOffsets, Tasks};
use crate::codec::messages::StreamsGroupHeartbeatRequest;
use crate::codec::messages::streams_group_heartbeat_request::{
    TaskIds as RequestTaskIds, TaskOffset,
};
use crate::coordinator::group::modern::{JOIN_EPOCH, check_speaker, refuse_if};
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;

/// The version of Kafka 4.4, whose clients report how far their tasks are and may be static
/// members.
pub const OFFSETS_VERSION: i16 = 1;

/// Refuses what Kafka refuses, with the same errors. In version 0 that includes everything that
/// Kafka 4.3 does not serve.
pub fn check(request: &StreamsGroupHeartbeatRequest, version: i16) -> Result<()> {
    if version < OFFSETS_VERSION {
        check_features(request)?;
    }
    let mut subtopologies = request.topology.iter().flat_map(|topology| &topology.subtopologies);
    refuse_if(
        subtopologies.any(|subtopology| !subtopology.source_topic_regex.is_empty()),
        "Source topics have to be named: regular expressions are not served.",
    )?;
    check_speaker(
        request.member_epoch,
        &request.group_id,
        Some(&request.member_id),
        request.instance_id.as_ref(),
        request.rack_id.as_ref(),
    )?;
    if request.member_epoch == JOIN_EPOCH {
        check_join(request)?;
    }
    let tasks = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let some = tasks.iter().filter(|tasks| tasks.is_some()).count();
    refuse_if(
        some != 0 && some != tasks.len(),
        "Active, standby and warm-up tasks have to come together.",
    )?;
    let has_late_topology = request.member_epoch != JOIN_EPOCH && request.topology.is_some();
    refuse_if(has_late_topology, "Only a member that joins may send a Topology.")
}

/// Refuses parts of KIP-1071 that Kafka 4.3 does not serve.
fn check_features(request: &StreamsGroupHeartbeatRequest) -> Result<()> {
    let has_instance = request.instance_id.is_some();
    refuse_if(has_instance, "This version does not serve static members.")?;
    refuse_if(request.task_offsets.is_some(), "This version does not serve TaskOffsets.")?;
    refuse_if(request.task_end_offsets.is_some(), "This version does not serve TaskEndOffsets.")?;
    let has_warmups = request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty());
    refuse_if(has_warmups, "This version does not serve WarmupTasks.")
}

fn check_join(request: &StreamsGroupHeartbeatRequest) -> Result<()> {
    let without_timeout = request.rebalance_timeout_ms == -1;
    refuse_if(without_timeout, "A member that joins has to send its RebalanceTimeoutMs.")?;
    let tasks = [
        (&request.active_tasks, "ActiveTasks"),
        (&request.standby_tasks, "StandbyTasks"),
        (&request.warmup_tasks, "WarmupTasks"),
    ];
    for (tasks, name) in tasks {
        let are_none = tasks.as_ref().is_some_and(Vec::is_empty);
        refuse_if(
            !are_none,
            &format!(
                "A member that joins owns nothing: its {name} have to be \
                                       an empty list."
            ),
        )?;
    }
    let Some(topology) = &request.topology else {
        return refuse_if(true, "A member that joins has to send its Topology.");
    };
    let mut changelogs = topology.subtopologies.iter().flat_map(|of| &of.state_changelog_topics);
    match changelogs.find(|topic| topic.partitions != 0) {
        None => Ok(()),
        Some(topic) => Err(Error::Explained(
            ResponseError::StreamsInvalidTopology,
            format!(
                "Changelog topic {} gets its partition count from its subtopology: it may not \
                 ask for {}.",
                topic.name.0, topic.partitions
            ),
        )),
    }
}

/// What a member reports about its copies of tasks' states.
#[derive(Debug, Default)]
pub struct Reported {
    /// How far the copies are; None if not reported.
    pub offsets: Option<TaskOffsets>,
    /// Where their changelogs end; None if not reported.
    pub end_offsets: Option<TaskOffsets>,
}

impl Reported {
    pub(super) fn of(request: &StreamsGroupHeartbeatRequest) -> Result<Reported> {
        Ok(Reported {
            offsets: by_task(request.task_offsets.as_deref())?,
            end_offsets: by_task(request.task_end_offsets.as_deref())?,
        })
    }
}

fn by_task(offsets: Option<&[TaskOffset]>) -> Result<Option<TaskOffsets>> {
    let Some(offsets) = offsets else { return Ok(None) };
    let mut by_task = TaskOffsets::new();
    for TaskOffset { subtopology_id, partition, offset, .. } in offsets {
        let twice = by_task.insert((subtopology_id.to_string(), *partition), *offset).is_some();
        let message = format!(
            "Task offsets contain a duplicate entry for subtopology {subtopology_id} and partition \
             {partition}."
        );
        refuse_if(twice, &message)?;
    }
    Ok(Some(by_task))
}

/// The tasks that the member says it owns; None if it does not say.
pub fn owned(request: &StreamsGroupHeartbeatRequest) -> Option<Tasks> {
    Some(Tasks {
        active: ids(request.active_tasks.as_ref()?),
        standby: ids(request.standby_tasks.as_ref()?),
        warmup: ids(request.warmup_tasks.as_ref()?),
    })
}

fn ids(tasks: &[RequestTaskIds]) -> TaskIds {
    let mut ids = TaskIds::new();
    for of in tasks {
        ids.entry(of.subtopology_id.to_string()).or_default().extend(&of.partitions);
    }
    ids
}
