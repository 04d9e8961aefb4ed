//! StreamsGroupHeartbeat (88): a member of a Kafka Streams application joins, stays or leaves.
//! Creates the application's internal topics (KIP-1071).

use super::{Context, check_served, forward};
use crate::codec::Reply;
use crate::codec::schema::message::streams_group_heartbeat_request::Topology;
use crate::codec::schema::message::streams_group_heartbeat_response::Status;
use crate::codec::schema::message::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use crate::error::{Error, Result};
use crate::metadata::features::STREAMS_VERSION;
use crate::metadata::topics::reason_invalid;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use std::collections::{BTreeSet, HashSet};

/// Status.MISSING_INTERNAL_TOPICS.
const MISSING_INTERNAL_TOPICS: i8 = 3;
/// At most this many failures are named in a status.
const TOLD_FAILURES: usize = 3;

pub(super) async fn handle(cx: &Context, request: StreamsGroupHeartbeatRequest) -> Result<Reply> {
    let response =
        heartbeat(cx, &request).await.unwrap_or_else(|error| StreamsGroupHeartbeatResponse {
            error_code: error.code().code(),
            error_message: error.message(),
            status: Some(Vec::new()),
            ..StreamsGroupHeartbeatResponse::default()
        });
    Ok(cx.reply(&response))
}

async fn heartbeat(
    cx: &Context,
    request: &StreamsGroupHeartbeatRequest,
) -> Result<StreamsGroupHeartbeatResponse> {
    check_served(cx, "streams", STREAMS_VERSION)?;
    if let Some(topology) = &request.topology {
        check_topics(topology)?;
    }
    let heartbeat = cx.parts.groups.streams_heartbeat(&cx.caller(), request).await?;
    let mut response = heartbeat.response;
    if !heartbeat.missing_topics.is_empty() {
        // For two heartbeats a failure is reported and the topic is not tried again.
        let told_for_ms = i64::from(response.heartbeat_interval_ms) * 2;
        let names = heartbeat.missing_topics.iter().map(|topic| topic.name.to_string()).collect();
        make_topics(cx, heartbeat.missing_topics, told_for_ms);
        tell_failures(cx, &names, response.status.get_or_insert_default());
    }
    Ok(response)
}

/// Checks that the topology's topics have valid names and that none is a topic of the brokers.
fn check_topics(topology: &Topology) -> Result<()> {
    let mut topics = BTreeSet::new();
    for subtopology in &topology.subtopologies {
        topics.extend(&subtopology.source_topics);
        topics.extend(&subtopology.repartition_sink_topics);
        topics.extend(subtopology.repartition_source_topics.iter().map(|topic| &topic.name));
        topics.extend(subtopology.state_changelog_topics.iter().map(|topic| &topic.name));
    }
    let invalid = |message| Err(Error::Explained(ResponseError::StreamsInvalidTopology, message));
    let names = |of: &dyn Fn(&str) -> bool| {
        let names = topics.iter().filter(|topic| of(topic)).map(|topic| topic.as_str());
        names.collect::<Vec<_>>().join(",")
    };
    let internal = names(&super::brokers::is_internal);
    if !internal.is_empty() {
        return invalid(format!(
            "Use of Kafka internal topics {internal} in a Kafka Streams topology is prohibited."
        ));
    }
    let impossible = names(&|topic| reason_invalid(topic).is_some());
    if !impossible.is_empty() {
        return invalid(format!("Topic names {impossible} are not valid topic names."));
    }
    Ok(())
}

/// Creates the topics that are not being created already. The heartbeat does not wait for it.
fn make_topics(cx: &Context, mut topics: Vec<CreatableTopic>, told_for_ms: i64) {
    let now = cx.parts.clock.now();
    let names = topics.iter().map(|topic| topic.name.to_string());
    let begun = cx.parts.groups.internal_topics.begin(now, names);
    topics.retain(|topic| begun.contains(topic.name.as_str()));
    if topics.is_empty() {
        return;
    }
    let cx = cx.clone();
    tokio::spawn(async move {
        let failures: Vec<(String, String)> = match forward::create_topics(&cx, topics).await {
            Ok(response) => response.topics.iter().filter_map(failure).collect(),
            Err(error) => begun.iter().map(|topic| (topic.clone(), error.to_string())).collect(),
        };
        let now = cx.parts.clock.now();
        let internal_topics = &cx.parts.groups.internal_topics;
        internal_topics.finish(now, &begun, failures.into_iter(), told_for_ms);
    });
}

fn failure(
    topic: &kafka_protocol::messages::create_topics_response::CreatableTopicResult,
) -> Option<(String, String)> {
    let error = ResponseError::try_from_code(topic.error_code)?;
    let said = topic.error_message.as_ref().filter(|message| !message.is_empty());
    let message = said.map_or_else(|| error.to_string(), |message| message.to_string());
    tracing::warn!(topic = topic.name.as_str(), message, "internal topic not made");
    Some((topic.name.to_string(), message))
}

/// Adds to the status why topics are still missing.
fn tell_failures(cx: &Context, topics: &HashSet<String>, statuses: &mut [Status]) {
    let Some(status) = statuses.iter_mut().find(|of| of.status_code == MISSING_INTERNAL_TOPICS)
    else {
        return;
    };
    let now = cx.parts.clock.now();
    let mut names: Vec<&str> = topics.iter().map(String::as_str).collect();
    names.sort_unstable();
    let failures = cx.parts.groups.internal_topics.failures(now, names.into_iter());
    if failures.is_empty() {
        return;
    }
    let told = failures.iter().take(TOLD_FAILURES);
    let mut told =
        told.map(|(topic, message)| format!("{topic} ({message})")).collect::<Vec<_>>().join(", ");
    if failures.len() > TOLD_FAILURES {
        told.push_str(&format!(" and {} more", failures.len() - TOLD_FAILURES));
    }
    status.status_detail.push_str(&format!("; Creation failed: {told}."));
}
