//! DescribeConfigs (32): the settings of topics, brokers, groups and client metrics, with their
//! sources (ConfigHelper).

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_configs_request::DescribeConfigsResource;
use crate::codec::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::codec::messages::{DescribeConfigsRequest, DescribeConfigsResponse, StrBytes};
use crate::config::{Config, Row};
use crate::error::{Error, Result};
use crate::metadata::topics::reason_invalid;
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, Image, TOPIC_CONFIG,
};
use kafka_protocol::error::ResponseError;
use std::collections::HashSet;

/// After this many settings of other resources a response describes topics only.
const ROWS_MAX: usize = 20_000;
/// The error message for the other resources.
const TOO_MANY: &str = "The request asks for more settings than fit in one answer; ask for fewer \
                        resources at a time.";

pub(super) async fn handle(cx: &Context, request: DescribeConfigsRequest) -> Result<Reply> {
    let image = cx.image();
    let config = cx.parts.config.get();
    let mut response = DescribeConfigsResponse::default();
    let mut seen = HashSet::new();
    // A resource other than a topic need not exist, so a few bytes can ask for many settings.
    let mut room = ROWS_MAX;
    for resource in &request.resources {
        let (resource_type, name) = (resource.resource_type, &resource.resource_name);
        if !seen.insert((resource_type, name)) {
            continue;
        }
        let described = match resource_type {
            TOPIC_CONFIG => topic_rows(&image, &config, name),
            _ if room == 0 => Err(invalid(TOO_MANY)),
            _ => rows(cx, &image, &config, resource),
        };
        let answer = DescribeConfigsResult::default()
            .with_resource_type(resource_type)
            .with_resource_name(name.clone());
        response.results.push(match described {
            Ok(rows) => {
                room =
                    room.saturating_sub(if resource_type == TOPIC_CONFIG { 0 } else { rows.len() });
                answer.with_configs(asked_of(resource, rows, &request))
            }
            Err(error) => answer
                .with_error_code(error.code().code())
                .with_error_message(error.message().map(StrBytes::from_string)),
        });
    }
    Ok(cx.reply(&response))
}

/// The rows that the request asks for: all of them if its list of keys is missing or empty.
fn asked_of(
    resource: &DescribeConfigsResource,
    rows: Vec<Row>,
    request: &DescribeConfigsRequest,
) -> Vec<DescribeConfigsResourceResult> {
    let keys = resource.configuration_keys.iter().flatten();
    let keys: HashSet<&str> = keys.map(StrBytes::as_str).collect();
    let asked = rows.into_iter().filter(|row| keys.is_empty() || keys.contains(row.name.as_str()));
    asked.map(|row| entry(row, request)).collect()
}

fn rows(
    cx: &Context,
    image: &Image,
    config: &Config,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Row>> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        BROKER_CONFIG if name.is_empty() => Ok(config.cluster_rows()),
        BROKER_CONFIG => own_id(cx, name).map(|()| config.broker_rows()),
        // The levels of klamm's logger come from the environment and are fixed while it runs.
        BROKER_LOGGER_CONFIG => own_id(cx, name).map(|()| Vec::new()),
        CLIENT_METRICS_CONFIG | GROUP_CONFIG if name.is_empty() => {
            Err(invalid("The name of the resource is empty"))
        }
        CLIENT_METRICS_CONFIG => {
            Ok(config.client_metrics_rows(&image.configs_of(CLIENT_METRICS_CONFIG, name)))
        }
        GROUP_CONFIG => Ok(config.group_rows(&image.configs_of(GROUP_CONFIG, name))),
        other => Err(invalid(&format!("Unsupported resource type: {other}"))),
    }
}

fn topic_rows(image: &Image, config: &Config, topic: &str) -> Result<Vec<Row>> {
    if let Some(reason) = reason_invalid(topic) {
        let message = format!("Topic name is invalid: {reason}");
        return Err(Error::Explained(ResponseError::InvalidTopicException, message));
    }
    if image.topics.by_name(topic).is_none() {
        return Err(Error::Explained(ResponseError::UnknownTopicOrPartition, String::new()));
    }
    Ok(config.topic_rows(&image.configs_of(TOPIC_CONFIG, topic)))
}

/// Checks that `name` is this broker's id: a broker describes only itself.
fn own_id(cx: &Context, name: &str) -> Result<()> {
    let id = cx.parts.config.get().node_id;
    match name.parse::<i32>() {
        Ok(asked) if asked == id => Ok(()),
        _ => Err(invalid(&format!("This is broker {id}, which knows nothing of broker '{name}'"))),
    }
}

fn invalid(message: &str) -> Error {
    Error::Explained(ResponseError::InvalidRequest, message.to_owned())
}

fn entry(row: Row, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let text = StrBytes::from_string;
    let synonyms = if request.include_synonyms { row.synonyms } else { Vec::new() };
    let synonyms = synonyms.into_iter().map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(synonym.source as i8)
    });
    DescribeConfigsResourceResult::default()
        .with_name(text(row.name))
        .with_value(row.value.map(text))
        .with_read_only(row.read_only)
        .with_config_source(row.source as i8)
        .with_is_sensitive(row.sensitive)
        .with_synonyms(synonyms.collect())
        .with_config_type(row.kind.map_or(0, |kind| kind as i8))
        .with_documentation(row.documentation.filter(|_| request.include_documentation).map(text))
}
