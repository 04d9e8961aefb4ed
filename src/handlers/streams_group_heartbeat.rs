//! StreamsGroupHeartbeat (88): a member of a Kafka Streams application joins, stays or leaves.
//! Creates the application's internal topics (KIP-1071).

use super::{Context, check_served};
use crate::codec::Reply;
use crate::codec::messages::streams_group_heartbeat_request::Topology;
use crate::codec::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use crate::coordinator::internal_topics::is_internal;
use crate::error::{Error, Result};
use crate::metadata::features::STREAMS_VERSION;
use crate::metadata::topics::reason_invalid;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

pub(super) async fn handle(cx: &Context, request: StreamsGroupHeartbeatRequest) -> Result<Reply> {
    let response = heartbeat(cx, &request).await.unwrap_or_else(|error| {
        StreamsGroupHeartbeatResponse::default()
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(Into::into))
            .with_status(Some(Vec::new()))
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
    let by = || cx.session.requester();
    cx.parts.groups.streams_heartbeat(&cx.caller(), by, request).await
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
    let internal = names(&is_internal);
    if !internal.is_empty() {
        return invalid(format!("The topology has topics that belong to the broker: {internal}"));
    }
    let impossible = names(&|topic| reason_invalid(topic).is_some());
    if !impossible.is_empty() {
        return invalid(format!("The topology has impossible topic names: {impossible}"));
    }
    Ok(())
}
